/*
 * A pool of threads for work that blocks (disk, crypt), so that the loop never does. The queue is
 * bounded, the threads are started when first needed and never more than asked for, with all
 * signals blocked and small stacks: an idle pool costs nothing but this object.
 */
#ifndef POP3_BACKEND_WORKERS_H
#define POP3_BACKEND_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pop3_emitter.h"

struct workers;

/*
 * One piece of work, embedded in its owner's struct together with its own copies of all it needs.
 * Set `run`, `drop` and perhaps `party`, zero the rest. Exactly one of the two is called, once, for
 * each successful workers_submit(); the pool does not touch the work after that call begins, so
 * either may free it or submit it again.
 */
struct work {
	void (*run)(struct work *);  /* on a thread of the pool; may block */
	void (*drop)(struct work *); /* the work will not be done; must not block */
	uint64_t party;              /* on whose behalf; 0 = nobody's in particular */
	bool displaced; /* set before drop(): another took its place; else the pool is going */
	uint64_t round; /* private, as is what follows */
	struct pop3_link link;
};

/*
 * A pool of at most `threads` threads and `queue_max` pieces of work that wait for one (both at
 * least 1; the pieces that run do not count). NULL: out of memory.
 */
struct workers *workers_new(unsigned threads, size_t queue_max);
/*
 * Take no more work, drop() what waits, in order, on the calling thread, and wait for what runs.
 * Not from a thread of the pool. From then on workers_submit() is -ECANCELED, so that two pools may
 * submit to each other: both are stopped before either is freed. Once more is fine, and NULL.
 */
void workers_stop(struct workers *);
/* Stop the pool and free it; nobody may submit any more. NULL is fine. */
void workers_free(struct workers *);
/*
 * Queue a piece of work. Parties take turns: of one party it is begun in this order, of several one
 * each by turns, so who queues much waits for himself. In a full queue the party with the longest
 * line loses its last piece, which is dropped on the calling thread, to one with a shorter. From
 * any thread. 0; -EAGAIN: the queue is full, or there is no thread and none can be started;
 * -ECANCELED: the pool is going. Neither run nor drop will be called then.
 */
int workers_submit(struct workers *, struct work *);

#endif
