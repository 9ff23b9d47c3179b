/*
 * Deadlines, in a heap. Moving one to a later time costs nothing: it is left where it is, and the
 * owner, told too early, sets it again. Times are milliseconds of clock_now().
 */
#ifndef POP3_NET_TIMERS_H
#define POP3_NET_TIMERS_H

#include <stddef.h>
#include <stdint.h>

/* Embedded by its owner. A zeroed one is not set. */
struct timer {
	uint64_t when;
	uint32_t place; /* in the heap, counted from 1; 0: not set */
};

struct timers {
	struct timer **heap;
	size_t count;
	size_t capacity;
};

/* In place; a zeroed struct is empty. */
void timers_fini(struct timers *);
/* Make room for so many timers, so that setting them cannot fail. 0 or -ENOMEM. */
int timers_reserve(struct timers *, size_t count);
/* It will be due at `when` or earlier. UINT64_MAX: never, which may also mean "some day". */
void timers_set(struct timers *, struct timer *, uint64_t when);
/* Remove. One that is not set is left alone. */
void timers_clear(struct timers *, struct timer *);
/* When the first one is due; UINT64_MAX: none is set. */
uint64_t timers_first(const struct timers *);
/* Remove and return one that is due, or NULL. */
struct timer *timers_take(struct timers *, uint64_t now);

#endif
