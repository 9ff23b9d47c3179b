/*
 * A line that lies whole in the input is copied once, to the caller; only a line cut by the end of
 * the input costs memory until its rest comes.
 */
#include "proto/line.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"

void line_fini(struct line *l)
{
	if (l->partial != NULL)
		secret_wipe(l->partial, l->size);
	free(l->partial);
	*l = (struct line){0};
}

static bool has_control(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}

/* Does what is held, and `octets` after it, begin with "AUTH "? */
static bool begins_auth(const struct line *l, const char *octets, size_t length)
{
	static const char begin[] = "AUTH ";
	const size_t size = sizeof begin - 1;
	char first[sizeof begin - 1];
	size_t held = l->length < size ? l->length : size;
	if (l->length + length < size)
		return false;
	if (held > 0)
		memcpy(first, l->partial, held);
	memcpy(first + held, octets, size - held);
	return strncasecmp(first, begin, size) == 0;
}

static size_t limit_of(const struct line *l, enum line_rule rule, const char *octets, size_t length)
{
	if (rule == LINES_LONG || (rule == LINES_LONG_AUTH && begins_auth(l, octets, length)))
		return LINE_LONG_MAX;
	return LINE_MAX_OCTETS;
}

/* Room for so many octets; what moves is wiped where it was. */
static bool reserve(struct line *l, size_t needed)
{
	if (needed <= l->size)
		return true;
	size_t size = needed <= LINE_MAX_OCTETS ? LINE_MAX_OCTETS : LINE_LONG_MAX;
	char *larger = malloc(size);
	if (larger == NULL)
		return false;
	if (l->partial != NULL) {
		memcpy(larger, l->partial, l->length);
		secret_wipe(l->partial, l->size);
		free(l->partial);
	}
	l->partial = larger;
	l->size = size;
	return true;
}

/* Keep the begin of a line, or forget it once it is too long. */
static enum line_status hold(struct line *l, size_t limit, const char *octets, size_t length)
{
	if (l->too_long || l->length + length >= limit) {
		line_fini(l);
		l->too_long = true;
		return LINE_NONE;
	}
	if (!reserve(l, l->length + length))
		return LINE_NO_MEMORY;
	memcpy(l->partial + l->length, octets, length);
	l->length += length;
	return LINE_NONE;
}

/* `octets` up to and including the LF end the line. */
static enum line_status complete(struct line *l, size_t limit, const char *octets, size_t length,
				 char text[LINE_LONG_MAX + 1])
{
	size_t whole = l->length + length;
	if (l->too_long || whole > limit) {
		line_fini(l);
		return LINE_TOO_LONG;
	}
	if (l->length > 0)
		memcpy(text, l->partial, l->length);
	memcpy(text + l->length, octets, length);
	line_fini(l);

	whole--;
	if (whole > 0 && text[whole - 1] == '\r')
		whole--;
	text[whole] = '\0';
	return has_control(text, whole) ? LINE_CONTROL : LINE_WHOLE;
}

enum line_status line_next(struct line *l, enum line_rule rule, const char **input, size_t *left,
			   char text[LINE_LONG_MAX + 1])
{
	if (*left == 0)
		return LINE_NONE;
	const char *octets = *input;
	const char *end = memchr(octets, '\n', *left);
	size_t length = end == NULL ? *left : (size_t)(end - octets) + 1;

	*input += length;
	*left -= length;
	size_t limit = limit_of(l, rule, octets, length);
	return end == NULL ? hold(l, limit, octets, length)
			   : complete(l, limit, octets, length, text);
}
