/*
 * An emission keeps two places in the list, the next listener and the first that came too late.
 * Attaching and detaching move these places for every emission under way, so none of them ever
 * points at a listener that has left.
 */
#include "emitter/emitter.h"

#include <errno.h>

#include "base/list.h"

void emitter_init(struct emitter *e)
{
	list_init(&e->listeners);
	e->running = NULL;
}

void emitter_fini(struct emitter *e)
{
	while (!list_empty(&e->listeners))
		emitter_detach(list_entry(e->listeners.next, struct pop3_listener, link));
	for (struct emission *n = e->running; n != NULL; n = n->outer)
		n->emitter = NULL;
	e->running = NULL;
}

int emitter_attach(struct emitter *e, struct pop3_listener *l)
{
	if (l->handlers == NULL || list_linked(&l->link))
		return -EINVAL;
	list_insert(&e->listeners, &l->link);
	l->source = e;
	for (struct emission *n = e->running; n != NULL; n = n->outer) {
		if (n->end != &e->listeners)
			continue;
		/* The last listener may be at it: then there is nobody left to hear. */
		if (n->next == n->end)
			n->next = &l->link;
		n->end = &l->link;
	}
	return 0;
}

void emitter_detach(struct pop3_listener *l)
{
	struct emitter *e = l->source;
	if (!list_linked(&l->link))
		return;
	for (struct emission *n = e->running; n != NULL; n = n->outer) {
		if (n->next == &l->link)
			n->next = l->link.next;
		if (n->end == &l->link)
			n->end = l->link.next;
	}
	list_remove(&l->link);
	l->source = NULL;
}

void emission_begin(struct emission *n, struct emitter *e)
{
	*n = (struct emission){e, e->listeners.next, &e->listeners, e->running};
	e->running = n;
}

/*
 * `next` may step over `end` only by meeting it: both walk forwards over the same list and a
 * detached listener moves whichever place it was to its successor.
 */
struct pop3_listener *emission_next(struct emission *n)
{
	if (n->emitter == NULL || n->next == n->end)
		return NULL;
	struct pop3_listener *l = list_entry(n->next, struct pop3_listener, link);
	n->next = n->next->next;
	return l;
}

void emission_end(struct emission *n)
{
	if (n->emitter != NULL)
		n->emitter->running = n->outer;
}
