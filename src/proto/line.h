/*
 * Splits what a client sends into command lines. CRLF ends a line, a bare LF too. A line that is
 * too long or has a control octet is swallowed to its end in O(1) memory and reported once.
 */
#ifndef POP3_PROTO_LINE_H
#define POP3_PROTO_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/limits.h"

enum line_status {
	LINE_NONE, /* all input taken, no line has ended */
	LINE_WHOLE,
	LINE_TOO_LONG, /* over LINE_MAX_OCTETS, line end included */
	LINE_CONTROL,  /* NUL or another control octet */
	LINE_NO_MEMORY,
};

/* The begin of a line whose end has not come. A zeroed one is fresh. */
struct line {
	char *partial; /* LINE_MAX_OCTETS octets; NULL when nothing is held */
	size_t length;
	bool too_long; /* `length` is meaningless then: the line is being swallowed */
};

/* Wipes and frees what is held. */
void line_fini(struct line *);
/*
 * Takes octets from *input (moving it on and lowering *left) up to the end of one line. LINE_WHOLE:
 * `text` holds the line without its end, and a NUL.
 */
enum line_status line_next(struct line *, const char **input, size_t *left,
			   char text[LINE_MAX_OCTETS + 1]);

#endif
