/*
 * A message as it is stored becomes a message as it is sent (RFC 1939 section 3): every line ends
 * in CRLF, a line that begins with a dot gets one more, and ".CRLF" ends it. TOP sends the header,
 * the empty line after it and a number of body lines of the very same octets.
 *
 * LF without CR before it becomes CRLF; CRLF stays; a CR without LF is data; NUL and 8-bit pass; a
 * last line without an end gets CRLF. All state is here, so input and output may be cut anywhere.
 */
#ifndef POP3_PROTO_WIRE_H
#define POP3_PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	uint64_t octets; /* sent so far, as sizes are counted: before stuffing, without the end */
	uint64_t body_left; /* body lines still wanted */
	bool limited;       /* TOP: body_left counts */
	bool in_line;       /* the line has begun */
	bool after_cr;      /* the octet before was a CR */
	bool line_empty;    /* nothing but at most one CR in this line yet */
	bool in_body;       /* past the first empty line (RFC 5322 section 2.1) */
	bool done;          /* all wanted lines are out */
};

/* `lines`: how many body lines are wanted, or POP3_ALL_LINES. */
void wire_init(struct wire *, uint64_t lines);
/*
 * Converts from `in` to `out`, as much as both allow; sets *taken and returns the octets written.
 * Progress is made if there are 2 octets of room. Once wire.done is set nothing more is taken.
 */
size_t wire_convert(struct wire *, const char *in, size_t in_length, size_t *taken, char *out,
		    size_t out_size);
/* What ends the message: at most 5 octets are written to `out`, returned is how many. */
size_t wire_finish(struct wire *, char out[5]);

#endif
