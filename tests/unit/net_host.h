/*
 * A real server on a thread of its own, with a store in memory or in a file behind it, and clients
 * on real sockets. Ports are free ones. A client that waits gives up after HOST_PATIENCE.
 */
#ifndef POP3_TESTS_UNIT_NET_HOST_H
#define POP3_TESTS_UNIT_NET_HOST_H

#include <pthread.h>

#include "pop3_emitter.h"
#include "unit/suite.h"

/* Seconds after which a test that hangs fails. */
#define HOST_PATIENCE 30

enum host_source { HOST_BYTES, HOST_PULL, HOST_FILE };

struct host {
	/* May be set between host_init() and host_open(). */
	struct pop3_options options; /* no APOP, the log goes to `log` */
	struct pop3_handlers handlers;
	enum host_source source;
	const char *message; /* message 1, the only one */
	size_t length;
	const char *path;                                   /* for HOST_FILE */
	void (*defer)(struct pop3_event *copy, void *data); /* what to do with `open`; NULL: ok */
	void *defer_data;

	struct pop3_server *server;
	struct pop3_listener listener;
	pthread_t thread;
	bool running;
	int result;                      /* of pop3_server_run() */
	char address[POP3_ADDRESS_SIZE]; /* of the last `listening` */
	uint16_t port;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	unsigned opened, closed, released, wrong;
	enum pop3_reason reason; /* of the last `closed` */
	char log[8192];
};

void host_init(struct host *);
/* A server that listens at an address; the thread is started by host_start(). */
void host_open(struct host *, const char *address);
void host_start(struct host *);
/* Stop with a drain time, and wait for the thread. */
void host_stop(struct host *, uint32_t drain);
/* Stop at once if it runs, free; fails the test if `open` and `closed` were not as often. */
void host_fini(struct host *);
/* Wait until a number of these is reached. */
void host_await(struct host *, const unsigned *number, unsigned wanted);
/* Expect a log line with this text, waiting for it. */
void host_expect_log(struct host *, const char *text);
/* How often the text is in the log. */
unsigned host_logged(struct host *, const char *text);

/* A connection to the server's address, blocking, with HOST_PATIENCE. */
int dial(const struct host *);
void guest_writes(int client, const char *text);
/* Expect exactly these octets next. */
void guest_reads(int client, const char *text);
/* Expect the end of the stream. */
void guest_at_end(int client);
/* Write, then read. */
void guest_asks(int client, const char *text, const char *reply);
/* Greeting, USER, PASS. */
int dial_in(const struct host *);
/* Read to the end of the stream; how many octets, and the last of them (at most 64) as text. */
size_t guest_drains(int client, char last[65]);

#endif
