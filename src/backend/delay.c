/*
 * The delay: a list by due time and one thread that sleeps until the first is due. One mutex guards
 * it. The thread is woken by an addition only if that comes first.
 */
#include "backend/delay.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/thread.h"

struct delay {
	pthread_mutex_t mutex;
	pthread_cond_t wake; /* on the monotonic clock */
	struct pop3_link list;
	size_t count, maximum;
	bool started, stopping;
	pthread_t thread;
};

struct delay *delay_new(size_t maximum)
{
	struct delay *delay = calloc(1, sizeof *delay);
	if (delay == NULL)
		return NULL;
	pthread_mutex_init(&delay->mutex, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&delay->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	list_init(&delay->list);
	delay->maximum = maximum == 0 ? 1 : maximum;
	return delay;
}

static struct delayed *first(const struct delay *delay)
{
	return list_empty(&delay->list) ? NULL : list_entry(delay->list.next, struct delayed, link);
}

static void take(struct delay *delay, struct delayed *delayed)
{
	list_remove(&delayed->link);
	delay->count--;
}

/* Sleep until something is due, or added before all others, or all ends. Mutex held. */
static void sleep_until_due(struct delay *delay)
{
	const struct delayed *next = first(delay);
	if (next == NULL) {
		pthread_cond_wait(&delay->wake, &delay->mutex);
		return;
	}
	struct timespec until = {.tv_sec = (time_t)(next->due / 1000),
				 .tv_nsec = (long)(next->due % 1000) * 1000000};
	pthread_cond_timedwait(&delay->wake, &delay->mutex, &until);
}

static void *run_due(void *data)
{
	struct delay *delay = data;
	pthread_mutex_lock(&delay->mutex);
	while (!delay->stopping) {
		struct delayed *next = first(delay);
		if (next == NULL || next->due > clock_now()) {
			sleep_until_due(delay);
			continue;
		}
		take(delay, next);
		pthread_mutex_unlock(&delay->mutex);
		next->run(next);
		pthread_mutex_lock(&delay->mutex);
	}
	pthread_mutex_unlock(&delay->mutex);
	return NULL;
}

/* Into its place by time, from the end: delays are mostly equal, so that is where it belongs. */
static void insert(struct delay *delay, struct delayed *delayed)
{
	struct pop3_link *place = &delay->list;
	while (place->previous != &delay->list &&
	       list_entry(place->previous, struct delayed, link)->due > delayed->due)
		place = place->previous;
	list_insert(place, &delayed->link);
	delay->count++;
}

int delay_add(struct delay *delay, struct delayed *delayed)
{
	int result = 0;
	pthread_mutex_lock(&delay->mutex);
	if (!delay->started)
		delay->started = thread_start(&delay->thread, run_due, delay) == 0;
	if (!delay->started || delay->count == delay->maximum) {
		result = -EAGAIN;
	} else {
		insert(delay, delayed);
		if (first(delay) == delayed)
			pthread_cond_signal(&delay->wake);
	}
	pthread_mutex_unlock(&delay->mutex);
	return result;
}

void delay_free(struct delay *delay)
{
	if (delay == NULL)
		return;
	pthread_mutex_lock(&delay->mutex);
	delay->stopping = true;
	pthread_cond_signal(&delay->wake);
	pthread_mutex_unlock(&delay->mutex);
	if (delay->started)
		pthread_join(delay->thread, NULL);
	while (!list_empty(&delay->list)) {
		struct delayed *next = first(delay);
		take(delay, next);
		next->run(next);
	}
	pthread_cond_destroy(&delay->wake);
	pthread_mutex_destroy(&delay->mutex);
	free(delay);
}
