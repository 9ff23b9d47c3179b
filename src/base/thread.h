/*
 * Threads: how they are started, and how long a turn of the processor they ask for.
 */
#ifndef POP3_BASE_THREAD_H
#define POP3_BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

/*
 * Start a thread with all signals blocked, so that a signal always finds the thread that waits for
 * it, and with a small stack. 0 and *thread is set, or a negative errno value.
 */
int thread_start(pthread_t *thread, void *(*run)(void *), void *data);

/*
 * Ask for turns of so many microseconds, from 100 to 100,000, for the calling thread. What
 * it starts has usual ones, unless its niceness is below zero. Among those who want the processor
 * the one whose turn would end first goes first: so one that asks for little at a time waits
 * little, one that asks for much is not interrupted, and all get as much in the end. A wish: Linux
 * before 6.12 has one length for all, and whoever started us may have chosen a policy that knows no
 * turns.
 */
void thread_set_turn(uint32_t microseconds);

#endif
