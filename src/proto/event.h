/*
 * The events of pop3_emitter.h as the protocol layer handles them: one kind a handler, how each is
 * delivered and copied, and the answer a request can get.
 */
#ifndef POP3_PROTO_EVENT_H
#define POP3_PROTO_EVENT_H

#include "emitter/emitter.h"
#include "emitter/port.h"
#include "pop3_emitter.h"
#include "proto/limits.h"
#include "proto/maildrop.h"
#include "proto/source.h"

enum event_kind {
	EVENT_CONNECTED,
	EVENT_CAPABILITIES,
	EVENT_AUTHENTICATE,
	EVENT_OPEN,
	EVENT_LIST,
	EVENT_UIDL,
	EVENT_RETRIEVE,
	EVENT_QUIT,
	EVENT_CLOSED,
	EVENT_ERROR,
	EVENT_LISTENING,
	EVENT_COMMAND,
	EVENT_SASL,
	EVENT_KINDS,
};

/* What a request was answered with. Zeroed: not at all. */
struct answer {
	bool given;
	bool close; /* connected: refuse without a text; command: a plain -ERR */
	enum pop3_result result;
	char text[POP3_USER_MAX + 1]; /* for the client; a canonical user; a single unique-id */
	bool single;                  /* list and uidl: one value, in `size` or `text` */
	uint64_t size;
	struct list_block block; /* list and uidl: all values */
	struct source source;    /* retrieve; the lines of command; a challenge of sasl */
	size_t remaining;        /* quit */
};

/* The type of the requests of a kind, for request_init(). */
const struct request_type *event_request_type(enum event_kind);
/* Is a deferral of this kind? */
bool event_is(const struct deferral *, enum event_kind);

/*
 * Give an event to the listeners of both emitters, in order (the first may be NULL), until its
 * request, if it has one, is answered or deferred. Returns how many heard it.
 */
size_t event_emit(enum event_kind, struct emitter *, struct emitter *, void *event);
/* Has any listener a handler for it? */
bool event_has_handler(enum event_kind, struct emitter *, struct emitter *);

#endif
