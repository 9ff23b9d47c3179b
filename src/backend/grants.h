/*
 * The grants of sessions that have been authenticated and have not opened their maildrop yet: all
 * that an authenticator and the store share. The authenticator puts a grant before it answers ok,
 * the store takes it at `open`.
 *
 * Between the two the client may vanish, and then no `open` follows. So the table never relies on
 * being emptied: a grant older than GRANTS_AGE is dropped at the next put or take, and a full table
 * drops its oldest, whose session would be told [SYS/TEMP]. Without attack a grant lives for some
 * microseconds.
 */
#ifndef POP3_BACKEND_GRANTS_H
#define POP3_BACKEND_GRANTS_H

#include <stddef.h>
#include <stdint.h>

#include "store/grant.h"

/* Milliseconds until a grant that nobody took is dropped; `open` follows the answer at once. */
#define GRANTS_AGE 60000

struct grants;

/* A table of at most `maximum` grants, at least 1. NULL: out of memory. */
struct grants *grants_new(size_t maximum);
/* NULL is fine. Grants that were taken live on. */
void grants_free(struct grants *);

/* All below may be called from any thread; `now` is clock_now(). */

/*
 * Keep a copy of the grant with its texts for its session, in place of any older one of that
 * session. `user` and `maildrop` must not be NULL. 0 or -ENOMEM.
 */
int grants_put(struct grants *, const struct store_grant *, uint64_t now);
/*
 * The grant of a session, which leaves the table: the caller's, to be given to grants_release().
 * NULL: there is none, or it was too old. To withdraw a grant, take and release it.
 */
struct store_grant *grants_take(struct grants *, uint64_t session, uint64_t now);
/* Free a grant that was taken. NULL is fine. */
void grants_release(struct store_grant *);
/* How many grants wait to be taken, old ones included. */
size_t grants_count(struct grants *);

#endif
