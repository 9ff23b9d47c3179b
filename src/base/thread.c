/*
 * Starting threads, and sched_setattr(2), for which glibc has no function before 2.41. What the
 * kernel says of the thread is given back to it but for the turn, so nice(1) and chrt(1) are
 * heeded.
 */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Enough for crypt(3), whose big memory is on the heap, and for reading a Maildir. */
#define STACK       ((size_t)256 * 1024)
#define NANOSECONDS 1000u /* in a microsecond */

int thread_start(pthread_t *thread, void *(*run)(void *), void *data)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);
	if (error != 0)
		return -error;
	pthread_attr_setstacksize(&attributes, STACK);
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

/* The kernel's struct sched_attr in its first size, which every Linux takes. */
struct attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime; /* nanoseconds */
	uint64_t deadline;
	uint64_t period;
};

#define RESET_ON_FORK 1u

void thread_set_turn(uint32_t microseconds)
{
	struct attributes a = {.size = sizeof a};
	if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) != 0)
		return;
	/* Elsewhere a runtime is a promise, or nothing. */
	if (a.policy != SCHED_OTHER && a.policy != SCHED_BATCH)
		return;

	/* It would also take a niceness below zero from what the thread starts. */
	if (a.nice >= 0)
		a.flags |= RESET_ON_FORK;
	a.runtime = (uint64_t)microseconds * NANOSECONDS;
	(void)syscall(SYS_sched_setattr, 0, &a, 0);
}
