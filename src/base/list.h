/*
 * Doubly linked lists of embedded links. A list is a link that is its own neighbour when empty; an
 * entry that is in no list may be zeroed.
 */
#ifndef POP3_BASE_LIST_H
#define POP3_BASE_LIST_H

#include "pop3_emitter.h"

/* The struct that embeds `link` as `member`. */
#define list_entry(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct pop3_link *list)
{
	list->next = list;
	list->previous = list;
}

static inline bool list_empty(const struct pop3_link *list)
{
	return list->next == list;
}

/* Is this entry in a list? */
static inline bool list_linked(const struct pop3_link *link)
{
	return link->next != NULL;
}

/* Insert before `place`; the list itself as the place means: at its end. */
static inline void list_insert(struct pop3_link *place, struct pop3_link *link)
{
	link->next = place;
	link->previous = place->previous;
	place->previous->next = link;
	place->previous = link;
}

/* Remove and zero the link. An entry that is in no list is left alone. */
static inline void list_remove(struct pop3_link *link)
{
	if (!list_linked(link))
		return;
	link->previous->next = link->next;
	link->next->previous = link->previous;
	link->next = NULL;
	link->previous = NULL;
}

#endif
