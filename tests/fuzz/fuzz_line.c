/*
 * The line splitter on any input, fed in pieces whose lengths the input chooses: it must agree with
 * the same input fed whole, give one status a line end, and hold no more than a line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "proto/line.h"

/* What came out: statuses and texts, added up. */
struct outcome {
	size_t ends;
	size_t whole;
	uint64_t hash;
};

static void note(struct outcome *o, enum line_status status, const char *text)
{
	o->ends++;
	o->hash = o->hash * 31 + (uint64_t)status;
	if (status != LINE_WHOLE)
		return;
	o->whole++;
	CHECK(strlen(text) < LINE_MAX_OCTETS);
	for (const char *c = text; *c != '\0'; c++) {
		CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
		o->hash = o->hash * 31 + (unsigned char)*c;
	}
}

static void split(const char *text, size_t length, size_t piece, struct outcome *o)
{
	struct line line = {0};
	char out[LINE_LONG_MAX + 1];
	for (size_t at = 0; at < length; at += piece) {
		const char *next = text + at;
		size_t left = length - at < piece ? length - at : piece;
		enum line_status status = line_next(&line, LINES_SHORT, &next, &left, out);
		while (status != LINE_NONE) {
			note(o, status, out);
			status = line_next(&line, LINES_SHORT, &next, &left, out);
		}
		CHECK(left == 0);
		CHECK(line.length <= LINE_MAX_OCTETS);
		CHECK(!line.too_long || line.partial == NULL);
	}
	line_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const char *text = (const char *)data + 1;
	size_t feeds = 0;
	for (size_t i = 0; i < size - 1; i++)
		feeds += text[i] == '\n';

	struct outcome whole = {0}, pieces = {0};
	split(text, size - 1, size, &whole);
	split(text, size - 1, data[0] % 64u + 1, &pieces);
	CHECK(whole.ends == feeds);
	CHECK(pieces.ends == feeds && pieces.whole == whole.whole && pieces.hash == whole.hash);
	return 0;
}
