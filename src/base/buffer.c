/*
 * The octets lie in one allocation that doubles up to the maximum. They move to its front only when
 * the end lacks room, so each octet moves at most once per doubling.
 */
#include "base/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

/* The first allocation: a reply line and then some. */
#define BUFFER_FIRST 256

void buffer_init(struct buffer *b, size_t maximum)
{
	*b = (struct buffer){.maximum = maximum};
}

void buffer_fini(struct buffer *b)
{
	if (b->octets != NULL)
		secret_wipe(b->octets, b->capacity);
	free(b->octets);
	buffer_init(b, b->maximum);
}

/* A larger allocation instead of realloc(3), which could leave a secret behind in freed memory. */
static int grow(struct buffer *b, size_t wanted)
{
	size_t capacity = b->capacity == 0 ? BUFFER_FIRST : b->capacity;
	while (capacity < wanted)
		capacity *= 2;
	if (capacity > b->maximum)
		capacity = b->maximum;

	char *octets = malloc(capacity);
	if (octets == NULL)
		return -ENOMEM;
	if (b->octets != NULL) {
		memcpy(octets, b->octets + b->start, b->length);
		secret_wipe(b->octets, b->capacity);
		free(b->octets);
	}
	b->octets = octets;
	b->start = 0;
	b->capacity = capacity;
	return 0;
}

/* Room for `size` octets at the end, within the maximum; NULL: out of memory. */
static char *reserve(struct buffer *b, size_t size)
{
	if (b->capacity - b->start - b->length < size) {
		if (b->capacity - b->length >= size) {
			memmove(b->octets, b->octets + b->start, b->length);
			b->start = 0;
		} else if (grow(b, b->length + size) < 0) {
			return NULL;
		}
	}
	return b->octets + b->start + b->length;
}

int buffer_append(struct buffer *b, const void *octets, size_t length)
{
	if (length > buffer_room(b))
		return -ENOSPC;
	if (length == 0)
		return 0;
	char *end = reserve(b, length);
	if (end == NULL)
		return -ENOMEM;
	memcpy(end, octets, length);
	b->length += length;
	return 0;
}

void buffer_consume(struct buffer *b, size_t length)
{
	b->start += length;
	b->length -= length;
	if (b->length == 0)
		buffer_fini(b);
}
