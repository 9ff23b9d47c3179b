/*
 * Two ways through a message that come to the same. Lines that lie whole in the input and fit into
 * the output are copied and searched in one go, a chunk at a time: that is nearly all of a RETR.
 * The rest, a line that is cut by a buffer's end or counted by TOP, is taken in runs: memchr finds
 * the end of a line, memcpy moves what is before it.
 */
#include "proto/wire.h"

#include <string.h>

#include "pop3_emitter.h"

/* Octets that are copied and searched at once; the compiler makes one register of them. */
#define CHUNK 16

typedef unsigned char chunk_octets __attribute__((vector_size(CHUNK)));
typedef uint64_t chunk_words __attribute__((vector_size(CHUNK)));

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

/* ---- Whole lines ---- */

/* The position of the first octet that is not 0 in a word that is not 0. */
static size_t first_octet(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (size_t)__builtin_ctzll(word) / 8;
#else
	return (size_t)__builtin_clzll(word) / 8;
#endif
}

/* In place of a length: the end of the line is not in sight. */
#define NO_LINE SIZE_MAX

/*
 * Copies a line, whose LF has to be among the `size` octets at `in`, a multiple of CHUNK. Returns
 * its length without the LF; all of the `size` octets at `out` may have been written.
 */
static size_t copy_line(char *out, const char *in, size_t size)
{
	chunk_octets feeds;
	memset(&feeds, '\n', sizeof feeds);
	for (size_t at = 0; at < size; at += CHUNK) {
		chunk_octets octets;
		memcpy(&octets, in + at, sizeof octets);
		memcpy(out + at, &octets, sizeof octets);
		chunk_words found = (chunk_words)(octets == feeds);
		if (found[0] != 0)
			return at + first_octet(found[0]);
		if (found[1] != 0)
			return at + CHUNK / 2 + first_octet(found[1]);
	}
	return NO_LINE;
}

/* At the begin of a line: as many lines as can be copied; the next one begins behind them. */
static size_t convert_lines(struct wire *w, const char *in, size_t in_length, size_t *taken,
			    char *out, size_t out_size)
{
	size_t next = 0, written = 0, stuffed = 0;
	while (next < in_length && out_size - written >= CHUNK) {
		/* A dot before the line, CRLF behind it. */
		size_t room = out_size - written - 3;
		size_t size = in_length - next < room ? in_length - next : room;
		size_t dot = in[next] == '.';
		out[written] = '.';
		size_t length = copy_line(out + written + dot, in + next, size - size % CHUNK);
		if (length == NO_LINE)
			break;
		written += dot + length;
		stuffed += dot;
		if (length > 0 && in[next + length - 1] == '\r')
			written--;
		out[written++] = '\r';
		out[written++] = '\n';
		next += length + 1;
	}
	w->octets += written - stuffed;
	*taken = next;
	return written;
}

/* ---- All of it ---- */

size_t wire_convert(struct wire *w, const char *in, size_t in_length, size_t *taken, char *out,
		    size_t out_size)
{
	const char *next = in;
	const char *end = in + in_length;
	size_t written = 0;

	/* Two octets of room are enough for any step: a stuffed dot with its dot, or CRLF. */
	while (next < end && !w->done && out_size - written >= 2) {
		if (!w->in_line && !w->limited) {
			size_t lines;
			written += convert_lines(w, next, (size_t)(end - next), &lines,
						 out + written, out_size - written);
			next += lines;
			if (next == end || out_size - written < 2)
				break;
		}
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
