/*
 * What the network layer needs of a session beyond the public functions of pop3_emitter.h.
 */
#ifndef POP3_PROTO_SESSION_H
#define POP3_PROTO_SESSION_H

#include "proto/context.h"

/*
 * A session for a connection of descriptor `descriptor` (-1: none) with whatever the layer above
 * wants to find again as `owner`. NULL: out of memory. Freed by pop3_session_free(). Until it
 * begins it takes and sends nothing; if it does not in the time of a handshake, it ends.
 */
struct pop3_session *session_new(struct context *, const struct pop3_info *, int descriptor,
				 void *owner, uint64_t now);
/* Before it begins: who the client is has turned out later. */
void session_identify(struct pop3_session *, const struct pop3_info *);
/* Emits `connected` and greets; with `tls_first` (RFC 8314) it wants `start_tls` first. */
void session_begin(struct pop3_session *, bool tls_first, uint64_t now);
/* In place of beginning: the failure [SYS/TEMP] with `why`, which is static and goes to the log,
 * too; no answer if `silent`; and the end. */
void session_refuse(struct pop3_session *, const char *why, bool silent);
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
