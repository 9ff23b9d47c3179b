/*
 * Reads parts of files for sessions without keeping the loop waiting for a disk: at once if the
 * page cache has them, else on a thread. Threads are started when the first read needs one. A job
 * is embedded in its connection, which stays until the job has come back.
 */
#ifndef POP3_NET_LOADER_H
#define POP3_NET_LOADER_H

#include <pthread.h>

#include "base/list.h"
#include "net/limits.h"
#include "net/waker.h"

struct load_job {
	struct pop3_link link; /* private */
	struct pop3_load load;
	ssize_t result; /* as for pop3_session_loaded() */
};

struct loader {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct pop3_link queue;
	struct pop3_link done;
	struct waker *waker;
	unsigned thread_count;
	unsigned idle;
	bool stopping;
	pthread_t threads[LOADER_THREADS];
};

/* In place; starts nothing. `waker` is woken when loader_take() has something. */
void loader_init(struct loader *, struct waker *waker);
/* Waits for the reads under way, then all jobs can be taken; those not begun have -ECANCELED. */
void loader_stop(struct loader *);
/* After loader_stop(). */
void loader_fini(struct loader *);

/*
 * Read what is in memory already and set job->result: 0. -EAGAIN: it would wait. -EOPNOTSUPP: this
 * file system or kernel cannot tell.
 */
int loader_try(struct load_job *);
/* Read on a thread. Without any thread it is read at once: slow, but mail is served. */
void loader_submit(struct loader *, struct load_job *);
/* A job that is done, or NULL. */
struct load_job *loader_take(struct loader *);

#endif
