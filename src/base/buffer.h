/*
 * A queue of octets with a named maximum: appended at the end, taken from the front. It holds no
 * memory while empty, so that thousands of quiet connections cost nothing.
 */
#ifndef POP3_BASE_BUFFER_H
#define POP3_BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buffer {
	char *octets;    /* the allocation; NULL while empty */
	size_t start;    /* of the octets held */
	size_t length;   /* of the octets held */
	size_t capacity; /* of the allocation */
	size_t maximum;  /* `length` never exceeds it */
};

/* In place; allocates nothing. */
void buffer_init(struct buffer *, size_t maximum);
/* Wipes and frees what is held; the buffer may be used again. */
void buffer_fini(struct buffer *);

/* How many octets may still be appended. */
static inline size_t buffer_room(const struct buffer *b)
{
	return b->maximum - b->length;
}

static inline const char *buffer_data(const struct buffer *b)
{
	return b->octets == NULL ? "" : b->octets + b->start;
}

/* Append all or nothing. 0, -ENOSPC (over the maximum), -ENOMEM. */
int buffer_append(struct buffer *, const void *octets, size_t length);
/* Drop octets from the front (at most `length`); an empty buffer gives its memory back. */
void buffer_consume(struct buffer *, size_t length);

#endif
