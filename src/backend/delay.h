/*
 * Things that are to happen somewhat later, on a thread of their own that is started when first
 * needed: the "no" to a login that failed.
 */
#ifndef POP3_BACKEND_DELAY_H
#define POP3_BACKEND_DELAY_H

#include <stddef.h>
#include <stdint.h>

#include "pop3_emitter.h"

struct delay;

/* Embedded in its owner's struct. Set `run` and `due`, zero the rest. */
struct delayed {
	void (*run)(struct delayed *); /* on the delay's thread; must not block; may free it */
	uint64_t due;                  /* when, by clock_now() */
	struct pop3_link link;         /* private */
};

/* At most `maximum` things wait, at least 1. NULL: out of memory. */
struct delay *delay_new(size_t maximum);
/* Run what still waits, at once and on the calling thread, and free. NULL is fine. */
void delay_free(struct delay *);
/*
 * Let it run when it is due. From any thread. 0; -EAGAIN: too many wait, or there is no thread and
 * none can be started; it will not run then.
 */
int delay_add(struct delay *, struct delayed *);

#endif
