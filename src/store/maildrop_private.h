/* What an open maildrop holds: kept small, as there may be thousands with nobody talking. */
#ifndef POP3_STORE_MAILDROP_PRIVATE_H
#define POP3_STORE_MAILDROP_PRIVATE_H

#include "store/birth.h"
#include "store/folder.h"
#include "store/maildrop.h"

/* So many wrong sizes are put right at the end of a session; others another time. */
#define WRONG_MAX 16

struct maildrop {
	struct maildrop_list *list;
	struct births births; /* of the list's files */
	const struct log_sink *sink;
	uint64_t session;
	unsigned char *retrieved; /* one bit a message; NULL until the first */
	struct maildir maildir;   /* locked; its descriptor is -1 if there is none */
	int lock;                 /* the lock file where one is needed, else -1 */
	bool mark_seen;
	bool strict_utf8;
	const char *index_directory; /* NULL: in the Maildir */
	char *path;                  /* of the Maildir; NULL without an index directory */
	uint32_t *wrong; /* indices of messages with wrong sizes; NULL until the first */
	size_t wrong_count;
};

#endif
