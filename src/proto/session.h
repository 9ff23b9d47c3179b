/*
 * What the network layer needs of a session beyond the public functions of pop3_emitter.h.
 */
#ifndef POP3_PROTO_SESSION_H
#define POP3_PROTO_SESSION_H

#include "proto/context.h"

/*
 * A session for a connection of descriptor `descriptor` (-1: none) with whatever the layer above
 * wants to find again as `owner`. Emits `connected`; with `tls_first` (RFC 8314) it wants
 * `start_tls` at once, and the event and the greeting come when it is secured. NULL: out of memory.
 * Freed by pop3_session_free().
 */
struct pop3_session *session_new(struct context *, const struct pop3_info *, int descriptor,
				 void *owner, bool tls_first, uint64_t now);
/* What was wrong, for the one line that the log gets of its end; a text that lives as long. Only
 * the first is kept. */
void session_note_fault(struct pop3_session *, const char *text);
/* NULL for a bare session. */
void *session_owner(const struct pop3_session *);
/*
 * Refuse a connection before it begins: one log line for it. The caller sends `text` if it likes
 * and closes.
 */
void session_log_refused(struct context *, const struct pop3_info *, const char *why);

/* Still before the login: octets fed may hold a password, so the buffer they lay in is wiped. */
bool session_is_secret(const struct pop3_session *);
/*
 * The server is stopping: end at once if the session is between two commands, else when the reply
 * under way has been sent. A QUIT under way is carried out.
 */
void session_drain(struct pop3_session *, uint64_t now);

#endif
