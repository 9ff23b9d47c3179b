/*
 * Serving until a signal says otherwise: SIGTERM and SIGINT drain, a second one ends at once,
 * SIGHUP reloads. It drives the server from a poll loop of our own (level 2 of embedding), so that
 * all three are served on the server's thread, between events.
 */
#ifndef POP3_DAEMON_DRIVE_H
#define POP3_DAEMON_DRIVE_H

#include "pop3_emitter.h"

/* The most descriptors whose end ends the program. */
#define DRIVE_WATCHES 2

struct drive {
	struct pop3_server *server;
	uint32_t (*drain)(void *data); /* milliseconds for transfers under way; NULL = none */
	void (*reload)(void *data);    /* at SIGHUP; NULL = it is ignored */
	void *data;
	/* Serving ends as by SIGTERM when one of them does: a stream at its end, a pidfd. */
	int watches[DRIVE_WATCHES];
	size_t watch_count;
};

/*
 * Hold the signals back from now on, in this thread and those it starts, and ignore SIGPIPE. Before
 * the first thread and the first listener: then none is lost.
 */
void drive_hold_signals(void);
/* Serve until the server has stopped. 0 or a negative errno value. Once a process. */
int drive_run(struct drive *);
/* A descriptor that ends with our parent, for the watches; or a negative errno value, -ESRCH if the
 * parent has gone already. `parent` is what getppid(2) said when the program began. */
int drive_watch_parent(pid_t parent);

#endif
