/* A binary heap of pointers; each timer knows its place, so that it can leave early. */
#include "net/timers.h"

#include <errno.h>
#include <stdlib.h>

void timers_fini(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){0};
}

int timers_reserve(struct timers *t, size_t count)
{
	if (count <= t->capacity)
		return 0;
	size_t capacity = t->capacity == 0 ? 16 : t->capacity;
	while (capacity < count)
		capacity *= 2;
	struct timer **heap = realloc(t->heap, capacity * sizeof(struct timer *));
	if (heap == NULL)
		return -ENOMEM;
	t->heap = heap;
	t->capacity = capacity;
	return 0;
}

static void put(struct timers *t, size_t index, struct timer *timer)
{
	t->heap[index] = timer;
	timer->place = (uint32_t)index + 1;
}

static void move_up(struct timers *t, size_t index, struct timer *timer)
{
	while (index > 0) {
		size_t parent = (index - 1) / 2;
		if (t->heap[parent]->when <= timer->when)
			break;
		put(t, index, t->heap[parent]);
		index = parent;
	}
	put(t, index, timer);
}

static void move_down(struct timers *t, size_t index, struct timer *timer)
{
	for (;;) {
		size_t child = index * 2 + 1;
		if (child >= t->count)
			break;
		if (child + 1 < t->count && t->heap[child + 1]->when < t->heap[child]->when)
			child++;
		if (t->heap[child]->when >= timer->when)
			break;
		put(t, index, t->heap[child]);
		index = child;
	}
	put(t, index, timer);
}

void timers_set(struct timers *t, struct timer *timer, uint64_t when)
{
	if (timer->place == 0) {
		if (when == UINT64_MAX)
			return;
		timer->when = when;
		t->count++;
		move_up(t, t->count - 1, timer);
	} else if (when < timer->when) {
		timer->when = when;
		move_up(t, timer->place - 1, timer);
	}
}

void timers_clear(struct timers *t, struct timer *timer)
{
	if (timer->place == 0)
		return;
	size_t index = timer->place - 1;
	timer->place = 0;
	t->count--;
	if (index == t->count)
		return;
	struct timer *last = t->heap[t->count];
	if (index > 0 && last->when < t->heap[(index - 1) / 2]->when)
		move_up(t, index, last);
	else
		move_down(t, index, last);
}

uint64_t timers_first(const struct timers *t)
{
	return t->count == 0 ? UINT64_MAX : t->heap[0]->when;
}

struct timer *timers_take(struct timers *t, uint64_t now)
{
	if (timers_first(t) > now)
		return NULL;
	struct timer *timer = t->heap[0];
	timers_clear(t, timer);
	return timer;
}
