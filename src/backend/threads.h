/* How the backend starts its threads. */
#ifndef POP3_BACKEND_THREADS_H
#define POP3_BACKEND_THREADS_H

#include <pthread.h>

/*
 * Start a thread with all signals blocked, so that a signal always finds the thread that waits for
 * it, and with a small stack, since memory that an idle server holds is counted. 0 and *thread is
 * set, or a negative errno value.
 */
int thread_start(pthread_t *thread, void *(*run)(void *), void *data);

#endif
