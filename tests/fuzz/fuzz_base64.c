/*
 * libFuzzer: any text as base64, next to a checker written from the RFC. Both agree on what is
 * base64 and what it stands for, also in place and with just enough room; a decoder with too little
 * room refuses; decoding and encoding undo each other.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base64_reference.h"
#include "fuzz.h"

/* ---- Blocks of exactly a size, so that the sanitizer sees an octet too many ---- */

static uint8_t *block(const void *octets, size_t size)
{
	uint8_t *made = malloc(size == 0 ? 1 : size);
	CHECK(made != NULL);
	if (size > 0 && octets != NULL)
		memcpy(made, octets, size);
	return made;
}

/* ---- What must hold ---- */

static void check_refused(const uint8_t *text, size_t length)
{
	uint8_t *out = block(NULL, length);
	size_t decoded = 4711;
	CHECK(!base64_decode((const char *)text, length, out, length, &decoded));
	CHECK(decoded == 4711);
	free(out);
}

static void check_accepted(const uint8_t *text, size_t length, const uint8_t *want, size_t total)
{
	size_t decoded = 4711;
	uint8_t *out = block(NULL, total);
	CHECK(base64_decode((const char *)text, length, out, total, &decoded));
	CHECK(decoded == total && memcmp(out, want, total) == 0);
	free(out);

	uint8_t *place = block(text, length);
	CHECK(base64_decode((const char *)place, length, place, length, &decoded));
	CHECK(decoded == total && memcmp(place, want, total) == 0);
	free(place);

	if (total > 0) {
		uint8_t *small = block(NULL, total - 1);
		decoded = 4711;
		CHECK(!base64_decode((const char *)text, length, small, total - 1, &decoded));
		CHECK(decoded == 4711);
		free(small);
	}
	/* There is one encoding of these octets, so it must be this one. */
	char *again = (char *)block(NULL, BASE64_SIZE(total));
	CHECK(base64_encode(want, total, again) == length);
	CHECK(memcmp(again, text, length) == 0 && again[length] == '\0');
	free(again);
}

static void check_decoding(const uint8_t *data, size_t size)
{
	uint8_t *text = block(data, size);
	uint8_t *want = block(NULL, size);
	int total = base64_reference(text, size, want);
	if (total < 0)
		check_refused(text, size);
	else
		check_accepted(text, size, want, (size_t)total);
	free(text);
	free(want);
}

/* Any octets, there and back; the checker reads what was written, too. */
static void check_encoding(const uint8_t *data, size_t size)
{
	uint8_t *octets = block(data, size);
	char *text = (char *)block(NULL, BASE64_SIZE(size));
	size_t length = base64_encode(octets, size, text);
	CHECK(length == (size + 2) / 3 * 4 && text[length] == '\0');
	uint8_t *back = block(NULL, length);
	CHECK(base64_reference((const uint8_t *)text, length, back) == (int)size);
	CHECK(memcmp(back, octets, size) == 0);
	check_accepted((const uint8_t *)text, length, octets, size);
	free(back);
	free(text);
	free(octets);
}

/* One wrong octet in what is right: most inputs are no base64 at all. */
static void check_spoilt(const uint8_t *data, size_t size)
{
	if (size < 4)
		return;
	char *text = (char *)block(NULL, BASE64_SIZE(size - 2));
	size_t length = base64_encode(data + 2, size - 2, text);
	text[data[0] % length] = (char)data[1];
	check_decoding((const uint8_t *)text, length);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_decoding(data, size);
	check_encoding(data, size);
	check_spoilt(data, size);
	return 0;
}
