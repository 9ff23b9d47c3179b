/* See header.h. */
#include "store/header.h"

#include <string.h>

#include "base/io.h"

/* Most headers are shorter: they are read at once. */
#define READ_SIZE 8192

/* One octet at the begin of a line, or behind a CR there. */
static void begin_line(struct header *h, char octet)
{
	if (octet == '\n')
		h->over = true;
	else if (octet == '\r' && !h->after_cr)
		h->after_cr = true;
	else
		h->in_line = true;
}

/* What is left of a line, its LF included if it is there; returns how much that is. */
static size_t end_line(struct header *h, const char *text, size_t length)
{
	const char *end = memchr(text, '\n', length);
	if (end == NULL)
		return length;
	h->in_line = false;
	h->after_cr = false;
	return (size_t)(end - text) + 1;
}

void header_add(struct header *h, const char *text, size_t length)
{
	size_t at = 0;
	if (h->utf8.wrong)
		return;
	while (at < length && !h->over) {
		if (h->in_line)
			at += end_line(h, text + at, length - at);
		else
			begin_line(h, text[at++]);
	}
	utf8_add(&h->utf8, text, at);
}

bool header_is_international(const struct header *h)
{
	return h->utf8.beyond_ascii && utf8_is_whole(&h->utf8);
}

int header_look(int descriptor, uint64_t length, bool *international)
{
	char buffer[READ_SIZE];
	struct header h = {.over = false};
	uint64_t at = 0;
	while (at < length && !h.over && !h.utf8.wrong) {
		size_t size = length - at < sizeof buffer ? (size_t)(length - at) : sizeof buffer;
		ssize_t got = io_read_at(descriptor, buffer, size, at);
		if (got < 0)
			return (int)got;
		if (got == 0)
			break;
		header_add(&h, buffer, (size_t)got);
		at += (uint64_t)got;
	}
	*international = header_is_international(&h);
	return 0;
}
