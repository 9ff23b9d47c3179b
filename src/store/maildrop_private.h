/* What an open maildrop holds: kept small, as there may be thousands with nobody talking. */
#ifndef POP3_STORE_MAILDROP_PRIVATE_H
#define POP3_STORE_MAILDROP_PRIVATE_H

#include "store/maildrop.h"

struct maildrop {
	struct maildrop_list *list;
	const struct log_sink *sink;
	uint64_t session;
	unsigned char *retrieved; /* one bit a message; NULL until the first */
	int directory;            /* the locked Maildir; -1: there is none */
	int lock;                 /* the lock file where one is needed, else -1 */
	bool mark_seen;
};

#endif
