/*
 * A line that lies whole in the input is copied once, to the caller; only a line cut by the end of
 * the input costs memory until its rest comes.
 */
#include "proto/line.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

void line_fini(struct line *l)
{
	if (l->partial != NULL)
		secret_wipe(l->partial, LINE_MAX_OCTETS);
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

/* Keep the begin of a line, or forget it once it is too long. */
static enum line_status hold(struct line *l, const char *octets, size_t length)
{
	if (l->too_long || l->length + length >= LINE_MAX_OCTETS) {
		line_fini(l);
		l->too_long = true;
		return LINE_NONE;
	}
	if (l->partial == NULL)
		l->partial = malloc(LINE_MAX_OCTETS);
	if (l->partial == NULL)
		return LINE_NO_MEMORY;
	memcpy(l->partial + l->length, octets, length);
	l->length += length;
	return LINE_NONE;
}

/* `octets` up to and including the LF end the line. */
static enum line_status complete(struct line *l, const char *octets, size_t length,
				 char text[LINE_MAX_OCTETS + 1])
{
	size_t whole = l->length + length;
	if (l->too_long || whole > LINE_MAX_OCTETS) {
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

enum line_status line_next(struct line *l, const char **input, size_t *left,
			   char text[LINE_MAX_OCTETS + 1])
{
	if (*left == 0)
		return LINE_NONE;
	const char *octets = *input;
	const char *end = memchr(octets, '\n', *left);
	size_t length = end == NULL ? *left : (size_t)(end - octets) + 1;

	*input += length;
	*left -= length;
	return end == NULL ? hold(l, octets, length) : complete(l, octets, length, text);
}
