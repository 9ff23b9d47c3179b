/*
 * Works in runs: memchr finds the end of a line, memcpy moves what is before it. Only line ends and
 * dots at the begin of a line are looked at one by one.
 */
#include "proto/wire.h"

#include <string.h>

#include "pop3_emitter.h"

void wire_init(struct wire *w, uint64_t lines)
{
	*w = (struct wire){
		.body_left = lines, .limited = lines != POP3_ALL_LINES, .line_empty = true};
}

/* A line is complete. Decides whether the next one is still wanted. */
static void line_ended(struct wire *w)
{
	if (w->limited) {
		if (!w->in_body)
			w->in_body = w->line_empty;
		else
			w->body_left--;
		w->done = w->in_body && w->body_left == 0;
	}
	w->in_line = false;
	w->after_cr = false;
	w->line_empty = true;
}

/* The octets of a line before its LF, none of which is an LF. */
static size_t put_run(struct wire *w, const char *run, size_t length, char *out, size_t room)
{
	size_t dot = 0;
	if (!w->in_line && *run == '.') {
		*out++ = '.';
		dot = 1;
	}
	if (length > room - dot)
		length = room - dot;
	memcpy(out, run, length);
	/* Only a CR, if it comes first, leaves the line as good as empty: its LF may follow. */
	w->line_empty = w->line_empty && !w->in_line && length == 1 && *run == '\r';
	w->in_line = true;
	w->after_cr = run[length - 1] == '\r';
	w->octets += length;
	return dot + length;
}

static size_t put_line_end(struct wire *w, char *out)
{
	size_t length = 0;
	if (!w->after_cr)
		out[length++] = '\r';
	out[length++] = '\n';
	w->octets += length;
	line_ended(w);
	return length;
}

size_t wire_convert(struct wire *w, const char *in, size_t in_length, size_t *taken, char *out,
		    size_t out_size)
{
	const char *next = in;
	const char *end = in + in_length;
	size_t written = 0;

	/* Two octets of room are enough for any step: a stuffed dot with its dot, or CRLF. */
	while (next < end && !w->done && out_size - written >= 2) {
		const char *feed = memchr(next, '\n', (size_t)(end - next));
		size_t run = (size_t)((feed == NULL ? end : feed) - next);
		if (run > 0) {
			bool stuffed = !w->in_line && *next == '.';
			size_t put = put_run(w, next, run, out + written, out_size - written);
			written += put;
			next += put - stuffed;
			if (put - stuffed < run || feed == NULL || out_size - written < 2)
				continue;
		}
		written += put_line_end(w, out + written);
		next++;
	}
	*taken = (size_t)(next - in);
	return written;
}

size_t wire_finish(struct wire *w, char out[5])
{
	size_t length = 0;
	if (w->in_line) {
		/* A CR at the very end is data: the line still lacks its CRLF. */
		w->after_cr = false;
		length = put_line_end(w, out);
	}
	memcpy(out + length, ".\r\n", 3);
	return length + 3;
}
