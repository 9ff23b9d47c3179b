/*
 * The pool of threads. One mutex guards all of it. A submit signals only if a thread is idle, and
 * starts one only if more work waits than threads are idle.
 *
 * The queue is kept in the order of rounds. In each round every party has one turn: a piece goes
 * into the round after that of its party's last one, and at least into the one that is under way.
 */
#include "backend/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/thread.h"

/*
 * Microseconds. Work that takes long, a hash or a Maildir of a hundred thousand messages, loses
 * nothing by waiting a moment for threads that have little to do.
 */
#define TURN 20000

struct workers {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct pop3_link queue;
	size_t queued, queue_max;
	uint64_t round; /* of the piece that was begun last */
	unsigned idle;  /* threads that sleep, or were woken and do not run yet */
	unsigned started, threads_max;
	bool stopping;
	pthread_t threads[];
};

struct workers *workers_new(unsigned threads, size_t queue_max)
{
	if (threads == 0)
		threads = 1;
	struct workers *pool = calloc(1, sizeof *pool + threads * sizeof *pool->threads);
	if (pool == NULL)
		return NULL;
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->wake, NULL);
	list_init(&pool->queue);
	pool->queue_max = queue_max == 0 ? 1 : queue_max;
	pool->threads_max = threads;
	return pool;
}

/* The next piece of work, or NULL: the pool is going. Called with the mutex held. */
static struct work *next_work(struct workers *pool)
{
	pool->idle++;
	while (pool->queued == 0 && !pool->stopping)
		pthread_cond_wait(&pool->wake, &pool->mutex);
	pool->idle--;
	if (pool->stopping)
		return NULL;
	struct pop3_link *first = pool->queue.next;
	struct work *work = list_entry(first, struct work, link);
	list_remove(first);
	pool->queued--;
	pool->round = work->round;
	return work;
}

static void *work_on(void *data)
{
	struct workers *pool = data;
	thread_set_turn(TURN);
	pthread_mutex_lock(&pool->mutex);
	for (struct work *w = next_work(pool); w != NULL; w = next_work(pool)) {
		pthread_mutex_unlock(&pool->mutex);
		w->run(w);
		pthread_mutex_lock(&pool->mutex);
	}
	pthread_mutex_unlock(&pool->mutex);
	return NULL;
}

static struct work *last_of(const struct workers *pool)
{
	return list_entry(pool->queue.previous, struct work, link);
}

/* The round of the next piece of a party. The queue is bounded, and short for those with parties.
 */
static uint64_t next_round(const struct workers *pool, uint64_t party)
{
	if (party == 0)
		return pool->queued == 0 ? pool->round : last_of(pool)->round;
	for (struct pop3_link *i = pool->queue.previous; i != &pool->queue; i = i->previous) {
		const struct work *work = list_entry(i, struct work, link);
		if (work->party == party)
			return work->round + 1;
	}
	return pool->round;
}

static void enqueue(struct workers *pool, struct work *work)
{
	struct pop3_link *place = &pool->queue;
	while (place->previous != &pool->queue &&
	       list_entry(place->previous, struct work, link)->round > work->round)
		place = place->previous;
	list_insert(place, &work->link);
	pool->queued++;
}

/* In a full queue: take out the last piece, if it is in a later round. NULL: it is not. */
static struct work *displace(struct workers *pool, uint64_t round)
{
	struct work *last = last_of(pool);
	if (last->round <= round)
		return NULL;
	list_remove(&last->link);
	pool->queued--;
	return last;
}

int workers_submit(struct workers *pool, struct work *work)
{
	int result = 0;
	struct work *displaced = NULL;
	pthread_mutex_lock(&pool->mutex);
	if (!pool->stopping && pool->queued >= pool->idle && pool->started < pool->threads_max)
		pool->started += thread_start(&pool->threads[pool->started], work_on, pool) == 0;
	if (pool->stopping)
		result = -ECANCELED;
	else if (pool->started == 0)
		result = -EAGAIN;
	if (result == 0) {
		work->round = next_round(pool, work->party);
		if (pool->queued == pool->queue_max)
			displaced = displace(pool, work->round);
		if (pool->queued == pool->queue_max)
			result = -EAGAIN;
		else
			enqueue(pool, work);
	}
	bool wake = result == 0 && pool->idle > 0;
	pthread_mutex_unlock(&pool->mutex);
	/*
	 * After the unlock, so that the thread does not wake only to wait for the mutex. The pool
	 * still lives: workers_free() is not called while others submit.
	 */
	if (wake)
		pthread_cond_signal(&pool->wake);
	if (displaced != NULL) {
		displaced->displaced = true;
		displaced->drop(displaced);
	}
	return result;
}

/* The queue, emptied, as a list of its own. Called with the mutex held. */
static void take_queue(struct workers *pool, struct pop3_link *taken)
{
	list_init(taken);
	while (!list_empty(&pool->queue)) {
		struct pop3_link *first = pool->queue.next;
		list_remove(first);
		list_insert(taken, first);
	}
	pool->queued = 0;
}

void workers_stop(struct workers *pool)
{
	if (pool == NULL)
		return;
	struct pop3_link dropped;
	pthread_mutex_lock(&pool->mutex);
	pool->stopping = true;
	take_queue(pool, &dropped);
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->mutex);

	while (!list_empty(&dropped)) {
		struct work *work = list_entry(dropped.next, struct work, link);
		list_remove(&work->link);
		work->drop(work);
	}
	/* Nobody starts one any more. */
	for (; pool->started > 0; pool->started--)
		pthread_join(pool->threads[pool->started - 1], NULL);
}

void workers_free(struct workers *pool)
{
	if (pool == NULL)
		return;
	workers_stop(pool);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}
