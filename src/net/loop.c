/*
 * A watch is in the poll set (index is its place) or parked. Parked, it is armed in the epoll set
 * for one event, which brings it back without a system call; going back and forth costs one
 * epoll_ctl(2). A watch that leaves its parking place by loop_change() stays armed: the event that
 * then comes is found twice, which does no harm.
 */
#include "net/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/epoll.h>
#endif

#include "net/limits.h"

void loop_init(struct loop *l)
{
	*l = (struct loop){.parking = {.descriptor = -1}};
	list_init(&l->ready);
}

void loop_fini(struct loop *l)
{
	if (l->parking.descriptor >= 0) {
		close(l->parking.descriptor);
		l->parking.descriptor = -1;
	}
	free(l->set);
	free(l->watches);
	free(l->quiet);
	l->set = NULL;
	l->watches = NULL;
	l->quiet = NULL;
	l->count = 0;
	l->capacity = 0;
}

/* ---- The poll set ---- */

/* Each array that grew is kept, so that a failure half-way leaves all of them large enough. */
static int reserve(struct loop *l, size_t count)
{
	if (count <= l->capacity)
		return 0;
	size_t capacity = l->capacity == 0 ? 16 : l->capacity * 2;
	struct pollfd *set = realloc(l->set, capacity * sizeof *set);
	if (set == NULL)
		return -ENOMEM;
	l->set = set;
	struct watch **watches = realloc(l->watches, capacity * sizeof(struct watch *));
	if (watches == NULL)
		return -ENOMEM;
	l->watches = watches;
	uint8_t *quiet = realloc(l->quiet, capacity);
	if (quiet == NULL)
		return -ENOMEM;
	l->quiet = quiet;
	l->capacity = capacity;
	return 0;
}

static void enter(struct loop *l, struct watch *w)
{
	size_t index = l->count++;
	l->set[index] = (struct pollfd){.fd = w->descriptor, .events = w->events};
	l->watches[index] = w;
	l->quiet[index] = 0;
	w->index = (uint32_t)index;
	w->parked = false;
}

/* There is room. */
static void join(struct loop *l, struct watch *w, int descriptor, short events)
{
	w->descriptor = descriptor;
	w->events = events;
	w->found = 0;
	w->added = true;
	l->total++;
	enter(l, w);
}

static void leave(struct loop *l, const struct watch *w)
{
	size_t index = w->index;
	size_t last = --l->count;
	if (index == last)
		return;
	l->set[index] = l->set[last];
	l->watches[index] = l->watches[last];
	l->quiet[index] = l->quiet[last];
	l->watches[index]->index = (uint32_t)index;
}

static void found(struct loop *l, struct watch *w, short events)
{
	w->found |= events;
	if (!list_linked(&w->ready))
		list_insert(&l->ready, &w->ready);
}

/* ---- Parking ---- */

#ifdef __linux__

static uint32_t epoll_events(short events)
{
	return EPOLLONESHOT | ((events & POLLIN) != 0 ? (uint32_t)EPOLLIN : 0) |
	       ((events & POLLOUT) != 0 ? (uint32_t)EPOLLOUT : 0);
}

static short poll_events(uint32_t events)
{
	return (short)(((events & EPOLLIN) != 0 ? POLLIN : 0) |
		       ((events & EPOLLOUT) != 0 ? POLLOUT : 0) |
		       ((events & EPOLLERR) != 0 ? POLLERR : 0) |
		       ((events & EPOLLHUP) != 0 ? POLLHUP : 0));
}

/* Joins at the end of the set, which loop_collect() has passed already; the set does not move. */
static bool open_parking(struct loop *l)
{
	if (l->parking.added)
		return true;
	int descriptor = epoll_create1(EPOLL_CLOEXEC);
	if (descriptor < 0)
		return false;
	join(l, &l->parking, descriptor, POLLIN);
	return true;
}

/* Where it fails the watch stays in the poll set, and is tried again later. */
static void park(struct loop *l, struct watch *w)
{
	l->quiet[w->index] = 0;
	if (w == &l->parking || !open_parking(l))
		return;
	struct epoll_event event = {.events = epoll_events(w->events), .data.ptr = w};
	int operation = w->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (epoll_ctl(l->parking.descriptor, operation, w->descriptor, &event) < 0)
		return;
	w->known = true;
	leave(l, w);
	w->parked = true;
}

static void unpark(struct loop *l, struct watch *w)
{
	if (w->parked)
		enter(l, w);
}

static void forget(struct loop *l, struct watch *w)
{
	struct epoll_event event = {0};
	if (w->known)
		epoll_ctl(l->parking.descriptor, EPOLL_CTL_DEL, w->descriptor, &event);
	w->known = false;
}

static void collect_parked(struct loop *l)
{
	struct epoll_event events[UNPARK_A_TURN];
	int count = epoll_wait(l->parking.descriptor, events, UNPARK_A_TURN, 0);
	for (int i = 0; i < count; i++) {
		struct watch *w = events[i].data.ptr;
		unpark(l, w);
		found(l, w, poll_events(events[i].events));
	}
}

#else

static void park(struct loop *l, struct watch *w)
{
	l->quiet[w->index] = 0;
}

static void unpark(struct loop *l, struct watch *w)
{
	(void)l;
	(void)w;
}

static void forget(struct loop *l, struct watch *w)
{
	(void)l;
	(void)w;
}

static void collect_parked(struct loop *l)
{
	(void)l;
}

#endif

/* ---- Watches ---- */

int loop_add(struct loop *l, struct watch *w, int descriptor, short events)
{
	/* One place more, for the epoll set. */
	int error = reserve(l, l->total + 2);
	if (error < 0)
		return error;
	join(l, w, descriptor, events);
	return 0;
}

void loop_change(struct loop *l, struct watch *w, short events)
{
	if (w->events == events || !w->added)
		return;
	w->events = events;
	unpark(l, w);
	l->set[w->index].events = events;
}

void loop_remove(struct loop *l, struct watch *w)
{
	if (!w->added)
		return;
	list_remove(&w->ready);
	forget(l, w);
	if (!w->parked)
		leave(l, w);
	w->added = false;
	w->parked = false;
	l->total--;
}

/* From the end, because parking an entry moves the last one to its place. */
void loop_collect(struct loop *l, const struct pollfd *set, size_t count)
{
	size_t index = count < l->count ? count : l->count;
	bool may_park = l->count > PARK_ABOVE;

	while (index-- > 0) {
		struct watch *w = l->watches[index];
		short events = set[index].revents;
		if (events != 0 && set[index].fd == w->descriptor) {
			l->quiet[index] = 0;
			found(l, w, events);
		} else if (l->quiet[index] < PARK_AFTER) {
			l->quiet[index]++;
		} else if (may_park) {
			park(l, w);
		}
	}
}

struct watch *loop_next(struct loop *l, short *events)
{
	while (!list_empty(&l->ready)) {
		struct watch *w = list_entry(l->ready.next, struct watch, ready);
		*events = w->found;
		w->found = 0;
		list_remove(&w->ready);
		if (w != &l->parking)
			return w;
		collect_parked(l);
	}
	return NULL;
}
