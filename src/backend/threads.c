/* Starting threads. */
#include "backend/threads.h"

#include <signal.h>
#include <stddef.h>

/* Enough for crypt(3), whose big memory is on the heap, and for reading a Maildir. */
#define THREAD_STACK ((size_t)256 * 1024)

int thread_start(pthread_t *thread, void *(*run)(void *), void *data)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);
	if (error != 0)
		return -error;
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	sigset_t all, before;
	sigfillset(&all);
	pthread_t started;
	/* A thread inherits the mask of the one that starts it. */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&started, &attributes, run, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (error == 0)
		*thread = started;
	return -error;
}
