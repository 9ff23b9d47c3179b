/*
 * Splits what a client sends into command lines. CRLF ends a line, a bare LF too. A line that is
 * too long or has a control octet is swallowed to its end in O(1) memory and reported once. What a
 * SASL exchange sends may be longer than other lines.
 */
#ifndef POP3_PROTO_LINE_H
#define POP3_PROTO_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/limits.h"

enum line_status {
	LINE_NONE, /* all input taken, no line has ended */
	LINE_WHOLE,
	LINE_TOO_LONG, /* over its limit, line end included */
	LINE_CONTROL,  /* NUL or another control octet */
	LINE_NO_MEMORY,
};

/* Which lines may have LINE_LONG_MAX octets; all others may have LINE_MAX_OCTETS. */
enum line_rule {
	LINES_SHORT,     /* none */
	LINES_LONG_AUTH, /* those that begin with "AUTH " */
	LINES_LONG,      /* all: they are responses of a SASL exchange */
};

/* The begin of a line whose end has not come. A zeroed one is fresh. */
struct line {
	char *partial; /* NULL when nothing is held */
	size_t size;   /* of `partial`: LINE_MAX_OCTETS or LINE_LONG_MAX */
	size_t length;
	bool too_long; /* `length` is meaningless then: the line is being swallowed */
};

/* Wipes and frees what is held. */
void line_fini(struct line *);
/*
 * Takes octets from *input (moving it on and lowering *left) up to the end of one line. LINE_WHOLE:
 * `text` holds the line without its end, and a NUL.
 */
enum line_status line_next(struct line *, enum line_rule, const char **input, size_t *left,
			   char text[LINE_LONG_MAX + 1]);

#endif
