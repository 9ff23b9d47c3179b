/*
 * What the sessions of one server share: listeners, options, the port where deferred answers come
 * back, limits per user, spare memory. The layer above (net) owns it and lends it the two things
 * that need a system call, randomness and waking the loop.
 */
#ifndef POP3_PROTO_CONTEXT_H
#define POP3_PROTO_CONTEXT_H

#include "base/pool.h"
#include "base/tally.h"
#include "emitter/emitter.h"
#include "emitter/port.h"
#include "pop3_emitter.h"
#include "proto/settings.h"

struct context {
	struct emitter emitter;
	struct port *port;
	struct settings *settings; /* for the sessions to come */
	struct tally users;        /* logged-in sessions by user name */
	struct pool blocks;
	void (*random)(void *octets, size_t length);
	/*
	 * A deferred answer has been applied to this session: it may have output, read again, or be
	 * finished. Called from context_collect(); must not free the session. May be NULL.
	 */
	void (*answered)(struct pop3_session *, void *data);
	void *data;
};

/*
 * In place. `wake` is called with `data` from any thread when context_collect() has something to
 * do; `random` fills memory with unpredictable octets. 0, -EINVAL (an option), -ENOMEM.
 */
int context_init(struct context *, const char *hostname, const struct pop3_options *,
		 void (*random)(void *octets, size_t length), void (*wake)(void *data), void *data);
/* All sessions must be freed. Later answers to deferred events find -ECANCELED. */
void context_fini(struct context *);
/* New options for the sessions to come. 0, -EINVAL, -ENOMEM: the old ones stay. */
int context_configure(struct context *, const struct pop3_options *);
/* Apply every deferred answer that has arrived. */
void context_collect(struct context *, uint64_t now);

/* Notifications that belong to no session. */
void context_emit_listening(struct context *, const char *address, uint16_t port, bool tls);
/* The `error` event, or the log if nobody hears it. `session` may be NULL. */
void context_emit_error(struct context *, struct pop3_session *, const char *text);
/* The same about a message whose size was announced wrong. */
void context_emit_wrong_size(struct context *, struct pop3_session *, uint32_t message,
			     const char *text);

#endif
