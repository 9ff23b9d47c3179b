/*
 * Two queues under one lock. Threads take from `queue`, read without the lock and put into `done`;
 * the lock is held for a few instructions only.
 */
#include "net/loader.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/thread.h"

void loader_init(struct loader *l, struct waker *waker)
{
	*l = (struct loader){.waker = waker};
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->work, NULL);
	list_init(&l->queue);
	list_init(&l->done);
}

void loader_fini(struct loader *l)
{
	pthread_cond_destroy(&l->work);
	pthread_mutex_destroy(&l->lock);
}

/* ---- Reading ---- */

int loader_try(struct load_job *job)
{
#ifdef RWF_NOWAIT
	struct iovec part = {job->load.buffer, job->load.size};
	ssize_t got;
	IO_RETRY(got, preadv2(job->load.descriptor, &part, 1, (off_t)job->load.offset, RWF_NOWAIT));
	if (got < 0)
		return errno == EAGAIN ? -EAGAIN : -EOPNOTSUPP;
	job->result = got;
	return 0;
#else
	(void)job;
	return -EOPNOTSUPP;
#endif
}

/* What went wrong above, if anything, is found again here and gets its errno. */
static ssize_t read_now(const struct pop3_load *load)
{
	ssize_t got;
	IO_RETRY(got, pread(load->descriptor, load->buffer, load->size, (off_t)load->offset));
	return got < 0 ? -errno : got;
}

/* ---- The threads ---- */

/* Waits for a job; NULL: the loader stops. Under the lock. */
static struct load_job *next_job(struct loader *l)
{
	while (list_empty(&l->queue) && !l->stopping) {
		l->idle++;
		pthread_cond_wait(&l->work, &l->lock);
		l->idle--;
	}
	if (list_empty(&l->queue))
		return NULL;
	struct load_job *job = list_entry(l->queue.next, struct load_job, link);
	list_remove(&job->link);
	return job;
}

static void *thread_main(void *data)
{
	struct loader *l = data;
	pthread_mutex_lock(&l->lock);
	struct load_job *job = next_job(l);
	while (job != NULL) {
		pthread_mutex_unlock(&l->lock);
		job->result = read_now(&job->load);
		pthread_mutex_lock(&l->lock);
		list_insert(&l->done, &job->link);
		waker_wake(l->waker);
		job = next_job(l);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static void start_thread(struct loader *l)
{
	if (thread_start(&l->threads[l->thread_count], thread_main, l) == 0)
		l->thread_count++;
}

/* ---- Jobs ---- */

void loader_submit(struct loader *l, struct load_job *job)
{
	pthread_mutex_lock(&l->lock);
	if (l->idle == 0 && l->thread_count < LOADER_THREADS)
		start_thread(l);
	bool queued = l->thread_count > 0;
	if (queued) {
		list_insert(&l->queue, &job->link);
		pthread_cond_signal(&l->work);
	}
	pthread_mutex_unlock(&l->lock);
	if (queued)
		return;

	job->result = read_now(&job->load);
	pthread_mutex_lock(&l->lock);
	list_insert(&l->done, &job->link);
	pthread_mutex_unlock(&l->lock);
	waker_wake(l->waker);
}

struct load_job *loader_take(struct loader *l)
{
	struct load_job *job = NULL;
	pthread_mutex_lock(&l->lock);
	if (!list_empty(&l->done)) {
		job = list_entry(l->done.next, struct load_job, link);
		list_remove(&job->link);
	}
	pthread_mutex_unlock(&l->lock);
	return job;
}

static void cancel_queued(struct loader *l)
{
	while (!list_empty(&l->queue)) {
		struct load_job *job = list_entry(l->queue.next, struct load_job, link);
		list_remove(&job->link);
		job->result = -ECANCELED;
		list_insert(&l->done, &job->link);
	}
}

void loader_stop(struct loader *l)
{
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	cancel_queued(l);
	pthread_cond_broadcast(&l->work);
	pthread_mutex_unlock(&l->lock);

	for (unsigned i = 0; i < l->thread_count; i++)
		pthread_join(l->threads[i], NULL);
	l->thread_count = 0;
}
