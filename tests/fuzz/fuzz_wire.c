/*
 * Line-end repair and byte-stuffing on any message, cut anywhere on both sides, against a plain
 * octet-by-octet reading of RFC 1939 section 3, which shares no code with it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "pop3_emitter.h"
#include "proto/wire.h"

struct text {
	char *octets;
	size_t length;
};

static void put(struct text *t, char c)
{
	t->octets[t->length++] = c;
}

/* The whole message as it is sent, and its size before stuffing; `lines` body lines or all. */
static uint64_t expected(const char *in, size_t length, uint64_t lines, struct text *out)
{
	uint64_t octets = 0;
	size_t line_length = 0;
	bool body = false, wanted = true;
	for (size_t i = 0; i < length && wanted; i++) {
		if (line_length == 0 && in[i] == '.')
			put(out, '.');
		if (in[i] == '\n' && (i == 0 || in[i - 1] != '\r')) {
			put(out, '\r');
			octets++;
		}
		put(out, in[i]);
		octets++;
		line_length++;
		if (in[i] != '\n')
			continue;
		bool empty = line_length == 1 || (line_length == 2 && in[i - 1] == '\r');
		line_length = 0;
		if (body)
			lines--;
		else
			body = empty;
		wanted = !body || lines > 0;
	}
	if (line_length > 0) {
		put(out, '\r');
		put(out, '\n');
		octets += 2;
	}
	put(out, '.');
	put(out, '\r');
	put(out, '\n');
	return octets;
}

static uint64_t convert(const char *in, size_t length, size_t in_step, size_t out_step,
			uint64_t lines, struct text *out)
{
	struct wire wire;
	size_t at = 0;
	wire_init(&wire, lines);
	while (at < length && !wire.done) {
		size_t piece = length - at < in_step ? length - at : in_step;
		size_t taken;
		size_t written = wire_convert(&wire, in + at, piece, &taken,
					      out->octets + out->length, out_step);
		CHECK(written <= out_step && taken <= piece && (written > 0 || taken > 0));
		at += taken;
		out->length += written;
	}
	out->length += wire_finish(&wire, out->octets + out->length);
	return wire.octets;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	const char *message = (const char *)data + 3;
	size_t length = size - 3;
	uint64_t lines = data[2] >= 8 ? POP3_ALL_LINES : data[2];
	struct text want = {malloc(2 * length + 16), 0};
	struct text got = {malloc(2 * length + 16 + 300), 0};

	uint64_t octets = expected(message, length, lines, &want);
	uint64_t counted = convert(message, length, data[0] + 1u, data[1] + 3u, lines, &got);
	CHECK(counted == octets);
	CHECK(got.length == want.length && memcmp(got.octets, want.octets, want.length) == 0);
	free(want.octets);
	free(got.octets);
	return 0;
}
