/*
 * The server as the files of src/net see it. A turn of the loop: what poll(2) found marks
 * connections active, deferred answers, finished reads and deadlines mark more, then each active
 * connection is pumped once, and at the end what is over is freed. So nothing is freed while one of
 * its callbacks runs.
 */
#ifndef POP3_NET_SERVER_H
#define POP3_NET_SERVER_H

#include <stdatomic.h>

#include "net/admission.h"
#include "net/loader.h"
#include "net/loop.h"
#include "net/timers.h"
#include "net/waker.h"
#include "proto/context.h"
#include "proto/session.h"

/* In pop3_server.stop_at: nobody called pop3_server_stop(). */
#define STOP_NEVER UINT64_MAX

struct proxies;
struct tls_config;

struct pop3_server {
	struct context context; /* first: a server is its context */
	struct loop loop;
	struct timers timers;
	struct waker waker;
	struct watch waker_watch;
	struct loader loader;
	struct admission admission;
	struct pop3_link listeners;
	struct pop3_link connections;
	struct pop3_link active;    /* connections to be pumped */
	struct pop3_link over;      /* connections to be freed at the end of the turn */
	struct pop3_link strangers; /* open ones that have not logged in, the oldest first */
	size_t connection_count;    /* those that have a record */
	uint64_t now;               /* of this turn */
	_Atomic uint64_t stop_at;
	bool stopping;            /* the drain has begun */
	bool ended;               /* the drain time is over: all sessions have been ended */
	struct tls_config *tls;   /* for the connections to come; NULL: there is no TLS */
	struct proxies *proxies;  /* likewise; NULL: nobody begins with a PROXY header */
	size_t tls_listeners;     /* that begin with it */
	unsigned handshakes_left; /* in this turn */
	char scratch[SCRATCH_SIZE];
	char plaintext[SCRATCH_SIZE]; /* of one record of TLS */
};

/* turn.c: fills *timeout for poll(2) on loop.set. */
void server_before_poll(struct pop3_server *, int *timeout);
void server_turn(struct pop3_server *, const struct pollfd *set, size_t count);
/* No more connections from now on; sessions end after the reply under way. */
void server_drain(struct pop3_server *);

#endif
