/*
 * Requests: events that want one answer, in the handler or later. A request answered in the handler
 * costs nothing; a deferred one is a copy that any thread may answer, and its answer comes back
 * through a port to the thread that emitted it. Knows neither events nor answers: struct
 * request_type says how large an answer is and how events are copied.
 *
 *   loop's thread                        any thread
 *   request_init, emission
 *     handler: request_defer -> copy  ->  …
 *   (request.state == DEFERRED)           request_answer(copy's request)
 *                                           event freed, answer queued, wake()
 *   port_take -> deferral  <-
 *   deferral_free
 */
#ifndef POP3_EMITTER_PORT_H
#define POP3_EMITTER_PORT_H

#include "base/list.h"

enum request_state { REQUEST_OPEN, REQUEST_ANSWERED, REQUEST_DEFERRED };

struct request_type {
	size_t answer_size;
	/* Release what an answer holds that nobody will take. */
	void (*release)(const void *answer);
	/* A copy of the event that stands alone, its `request` set; NULL: out of memory. */
	void *(*copy)(const void *event, struct pop3_request *request);
	/* Wipe and free such a copy. */
	void (*discard)(void *copy);
};

struct port;
struct deferral;

struct pop3_request {
	enum request_state state;
	const struct request_type *type;
	void *answer; /* answer_size octets, of the emitter's or the deferral's */
	struct port *port;
	struct deferral *deferral; /* of a deferred copy's request, or of the request deferred */
	void *origin;
};

/* A deferred request. All but `origin` and `place` is private to port.c. */
struct deferral {
	struct pop3_request request;
	void *event;             /* the copy that the listener owns */
	struct pop3_link queued; /* in the port, once answered */
	bool abandoned;          /* nobody waits any more; under the port's lock */
	void *origin;            /* who waits for the answer; for the port's thread alone */
	struct pop3_link place;  /* in the origin's list of what it waits for; likewise */
};

/*
 * A port calls wake(data), from any thread, under its lock, whenever an answer has been queued. The
 * lock is held for a few instructions only. NULL: out of memory.
 */
struct port *port_new(void (*wake)(void *data), void *data);
/* No answer is accepted from now on; wake() will not be called again. Queued answers are released.
 */
void port_close(struct port *);
/* The next answered deferral, the caller's to free with deferral_free(); NULL: none. */
struct deferral *port_take(struct port *);

/* A request on the emitter's stack; `answer` is its zeroed room for the answer. */
void request_init(struct pop3_request *, const struct request_type *, void *answer, struct port *,
		  void *origin);
/*
 * Answer it; *answer is copied, or released when it comes to nothing. 0; -EALREADY: answered or
 * deferred before; -ECANCELED: deferred, and nobody waits any more. Any thread for a deferred one,
 * which is gone after the call.
 */
int request_answer(struct pop3_request *, const void *answer);
/* The listener's copy of the event, see struct request_type. NULL: not open, or out of memory. */
void *request_defer(struct pop3_request *, const void *event);

/* The answer that came for a deferral; the caller may take over what it holds by zeroing it. */
void *deferral_answer(struct deferral *);
/*
 * Stop waiting. True: too late, the answer is in and port_take() would have given it; the deferral
 * is the caller's. False: whoever answers it will find -ECANCELED and free it; it must not be
 * touched.
 */
bool deferral_abandon(struct deferral *);
/* Free an answered deferral, releasing what is left in its answer. */
void deferral_free(struct deferral *);

#endif
