/* See utf8.h. Text is mostly ASCII: that is skipped a word at a time. */
#include "base/utf8.h"

#include <string.h>

/* The bit that no octet of ASCII has, in each octet of a word. */
#define HIGH_BITS UINT64_C(0x8080808080808080)

static size_t skip_ascii(const char *text, size_t length)
{
	size_t at = 0;
	for (; length - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
		uint64_t word;
		memcpy(&word, text + at, sizeof word);
		if ((word & HIGH_BITS) != 0)
			break;
	}
	while (at < length && (unsigned char)text[at] < 0x80)
		at++;
	return at;
}

/* The lead octets beyond ASCII, and what may follow each (RFC 3629 section 4). */
static const struct lead {
	uint8_t first, last; /* the lead octets of the row */
	uint8_t follow;      /* octets behind them */
	uint8_t low, high;   /* of the first of those; the others are 0x80 to 0xBF */
} leads[] = {
	{0xc2, 0xdf, 1, 0x80, 0xbf}, /* 0xC0 and 0xC1 would begin ASCII in two octets */
	{0xe0, 0xe0, 2, 0xa0, 0xbf}, /* below U+0800 */
	{0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, /* surrogates */
	{0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf}, /* below U+10000 */
	{0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f}, /* beyond U+10FFFF */
};

static void begin_character(struct utf8 *u, uint8_t octet)
{
	for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
		const struct lead *lead = &leads[i];
		if (octet < lead->first || octet > lead->last)
			continue;
		u->left = lead->follow;
		u->low = lead->low;
		u->high = lead->high;
		return;
	}
	u->wrong = true;
}

static void add_octet(struct utf8 *u, uint8_t octet)
{
	if (u->left == 0) {
		begin_character(u, octet);
		return;
	}
	u->wrong = octet < u->low || octet > u->high;
	u->left--;
	u->low = 0x80;
	u->high = 0xbf;
}

void utf8_add(struct utf8 *u, const char *text, size_t length)
{
	size_t at = 0;
	while (!u->wrong) {
		if (u->left == 0)
			at += skip_ascii(text + at, length - at);
		if (at == length)
			return;
		u->beyond_ascii = true;
		add_octet(u, (uint8_t)text[at++]);
	}
}

bool utf8_is_whole(const struct utf8 *u)
{
	return !u->wrong && u->left == 0;
}

bool utf8_is_valid(const char *text, size_t length)
{
	struct utf8 u = {0};
	utf8_add(&u, text, length);
	return utf8_is_whole(&u);
}

bool utf8_is_ascii(const char *text, size_t length)
{
	return skip_ascii(text, length) == length;
}
