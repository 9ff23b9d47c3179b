/*
 * Leave to use one maildrop: what whoever knows the users hands to the store. The store finds a
 * maildrop only by way of grant_open(), never by a user name.
 */
#ifndef POP3_STORE_GRANT_H
#define POP3_STORE_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/* What the deeds of the store come to. */
enum store_result {
	STORE_OK,
	STORE_IN_USE,          /* another session holds the lock */
	STORE_TEMPORARY,       /* it may pass: not mounted, out of memory, full, an input error */
	STORE_PERMANENT,       /* it needs a person: not permitted, no directory, too large */
	STORE_NO_SUCH_MESSAGE, /* of messages only: there is none, or it has vanished */
	STORE_NEEDS_UTF8,      /* of messages only: not for clients in ASCII mode (RFC 6856) */
};

/* Borrowed for the call that it is given to. */
struct store_grant {
	uint64_t session;     /* for the log; 0 = none */
	const char *user;     /* for the log; may be NULL */
	const char *maildrop; /* path of the Maildir: "<home>/Maildir", "ROOT/<user>" */
	const char *home; /* the folder that must exist; NULL = the one that holds the maildrop */
};

/*
 * Open the Maildir as a directory descriptor, which becomes the caller's. STORE_OK with
 * *descriptor = -1: home exists, and nothing with the maildrop's name is in it. STORE_TEMPORARY:
 * home is missing, the maildrop is a dangling link, or out of descriptors. STORE_PERMANENT: not
 * permitted, or no directory. A failure is logged. The last name may be a symbolic link: it is the
 * administrator's.
 */
enum store_result grant_open(const struct store_grant *, const struct log_sink *, int *descriptor);

#endif
