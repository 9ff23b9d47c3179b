/*
 * Wakes a poll loop from other threads and from signal handlers. The descriptor is made when a loop
 * needs it, so that a server which only drives bare sessions has none; a wake before that is not
 * lost.
 */
#ifndef POP3_NET_WAKER_H
#define POP3_NET_WAKER_H

#include <stdatomic.h>
#include <stdbool.h>

struct waker {
	int read_end;
	_Atomic int write_end; /* the same descriptor where there is eventfd(2) */
	atomic_bool pending;   /* waker_wake() was called and not yet seen */
};

void waker_init(struct waker *);
void waker_fini(struct waker *);
/* Make the descriptor to poll for reading, unless it is there. 0 or a negative errno value. */
int waker_open(struct waker *);
/* From any thread or a signal handler. */
void waker_wake(struct waker *);
/* The descriptor was found readable: waker_take() will read it. */
void waker_ready(struct waker *);
/* Was it called since the last time? Once true, what the caller of wake did before is visible. */
bool waker_take(struct waker *);

#endif
