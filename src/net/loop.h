/*
 * The poll(2) set of a server. What has been quiet for a while is parked: on Linux in an epoll set
 * that the poll set watches through one descriptor, so that a turn costs what is busy, not what is
 * connected. Elsewhere nothing is parked. The owner of a watch does not see the difference.
 *
 * A turn: poll(2) on the set, loop_collect(), loop_next() until NULL. Watches may be added, changed
 * and removed at any moment.
 */
#ifndef POP3_NET_LOOP_H
#define POP3_NET_LOOP_H

#include <poll.h>

#include "base/list.h"

/* Embedded by its owner; zeroed before loop_add(). */
struct watch {
	void (*on_ready)(struct watch *, short events); /* for the owner's use */
	struct pop3_link ready;                         /* private from here */
	int descriptor;
	uint32_t index; /* in the poll set, if it is there */
	short events;
	short found;
	bool added;
	bool parked;
	bool known; /* to the epoll set */
};

struct loop {
	struct pollfd *set; /* these three go in parallel; there is room for all watches */
	struct watch **watches;
	uint8_t *quiet; /* turns without an event */
	size_t count;
	size_t capacity;
	size_t total; /* watches, parked ones included */
	struct pop3_link ready;
	struct watch parking; /* the epoll set */
};

/* In place; allocates nothing. */
void loop_init(struct loop *);
/* All watches have been removed. */
void loop_fini(struct loop *);

/* Watch a descriptor for `events` of poll(2); errors are always watched. 0 or -ENOMEM. */
int loop_add(struct loop *, struct watch *, int descriptor, short events);
void loop_change(struct loop *, struct watch *, short events);
/* Before the descriptor is closed. One that is not added is left alone. */
void loop_remove(struct loop *, struct watch *);

/*
 * Take in what poll(2) found in `set`, a copy of loop.set (or itself) as it was when poll(2) was
 * called; an entry that has become another one since is ignored.
 */
void loop_collect(struct loop *, const struct pollfd *set, size_t count);
/* The next watch that something was found for, and what; NULL: none. */
struct watch *loop_next(struct loop *, short *events);

#endif
