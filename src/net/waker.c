/*
 * The write is left out while a wake is pending. That is safe because the loop clears `pending`
 * before it looks at what there is to do:
 *
 *   loop                       other thread
 *   read the descriptor
 *                              queue work; pending was true, no write
 *   pending = false
 *   look for work: finds it
 *
 * The write may come when its work has been done already. Then the descriptor is readable and
 * nothing is pending, so whoever finds it readable says so (waker_ready()), or it would stay so.
 *
 *   loop, awake                other thread
 *                              queue work, pending = true
 *   read the descriptor: empty
 *   pending = false
 *   look for work: finds it
 *                              write
 */
#include "net/waker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

void waker_init(struct waker *w)
{
	w->read_end = -1;
	atomic_init(&w->write_end, -1);
	atomic_init(&w->pending, false);
}

void waker_fini(struct waker *w)
{
	int write_end = atomic_exchange(&w->write_end, -1);
	if (w->read_end >= 0)
		close(w->read_end);
	if (write_end >= 0 && write_end != w->read_end)
		close(write_end);
	w->read_end = -1;
}

int waker_open(struct waker *w)
{
	if (w->read_end >= 0)
		return 0;
#ifdef __linux__
	int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (descriptor < 0)
		return -errno;
	w->read_end = descriptor;
	atomic_store(&w->write_end, descriptor);
#else
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	w->read_end = ends[0];
	atomic_store(&w->write_end, ends[1]);
#endif
	return 0;
}

void waker_wake(struct waker *w)
{
	int error = errno;
	if (!atomic_exchange(&w->pending, true)) {
		int descriptor = atomic_load(&w->write_end);
		uint64_t one = 1;
		/* A full pipe or counter wakes as well. */
		if (descriptor >= 0 && write(descriptor, &one, sizeof one) < 0)
			errno = error;
	}
	errno = error;
}

void waker_ready(struct waker *w)
{
	atomic_store(&w->pending, true);
}

bool waker_take(struct waker *w)
{
	if (!atomic_load(&w->pending))
		return false;
	uint64_t count[8];
	if (w->read_end >= 0 && read(w->read_end, count, sizeof count) < 0)
		count[0] = 0;
	atomic_store(&w->pending, false);
	return true;
}
