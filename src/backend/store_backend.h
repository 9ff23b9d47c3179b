/*
 * A listener that answers `open`, `list`, `uidl`, `retrieve`, `quit` and `closed` from Maildirs.
 * Which Maildir says the grant that an authenticator put for the session; without one there is no
 * `open`. What blocks is done by workers, one piece a session at a time; `list` and `uidl` are
 * answered in the handler from the frozen list, without a copy.
 *
 * The lock of a maildrop is held from `open` to `closed`, but is given back in `quit` before that
 * is answered: a client that comes back at once finds it free. Sessions are known by their id
 * alone, so the events may come from another process.
 */
#ifndef POP3_BACKEND_STORE_BACKEND_H
#define POP3_BACKEND_STORE_BACKEND_H

#include "backend/grants.h"
#include "backend/workers.h"
#include "base/log.h"
#include "store/maildrop.h"

struct store_backend;

/*
 * Workers and grants are borrowed until store_backend_free(); the sink's data too, and its function
 * is called from any thread. The options are copied, but for the path in them, which is borrowed
 * likewise. A queue of as many pieces as there may be sessions is never full; with a shorter one a
 * client may be told [SYS/TEMP]. NULL: out of memory.
 */
struct store_backend *store_backend_new(struct workers *, struct grants *, const struct log_sink *,
					const struct maildrop_options *);
/*
 * Free it, after its server and after workers_free() for its workers. Locks that are still held are
 * given back. NULL is fine.
 */
void store_backend_free(struct store_backend *);

/* Its one listener, to be attached to one server. */
struct pop3_listener *store_backend_listener(struct store_backend *);
/* For the sessions that open from now on, except where the indexes are, which stays. Any thread. */
void store_backend_configure(struct store_backend *, const struct maildrop_options *);
/* How many sessions it keeps, from `open` to `closed`. Any thread. */
size_t store_backend_sessions(struct store_backend *);

#endif
