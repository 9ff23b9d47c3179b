/* The formal syntax of UTF-8 (RFC 3629 section 4). */
#include <string.h>

#include "base/utf8.h"
#include "unit/suite.h"

static void utf8_is_told_from_what_is_none(void)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
		{"", true},
		{"plain text", true},
		{"\x7f", true},
		{"\xc2\x80", true},         /* U+0080, the first of two octets */
		{"\xdf\xbf", true},         /* U+07FF, the last */
		{"\xe0\xa0\x80", true},     /* U+0800 */
		{"\xed\x9f\xbf", true},     /* U+D7FF, before the surrogates */
		{"\xee\x80\x80", true},     /* U+E000, behind them */
		{"\xef\xbf\xbf", true},     /* U+FFFF */
		{"\xf0\x90\x80\x80", true}, /* U+10000 */
		{"\xf4\x8f\xbf\xbf", true}, /* U+10FFFF */
		{"Zo\xc3\xab and Gr\xc3\xbcn", true},
		{"\x80", false}, /* nothing that it follows */
		{"\xbf", false},
		{"\xc3", false}, /* cut */
		{"\xe2\x82", false},
		{"\xf0\x9f\x98", false},
		{"\xc3 ", false},
		{"\xe2\x82 ", false},
		{"\xc3\xc3\xab", false},
		{"\xc0\x80", false}, /* in more octets than needed */
		{"\xc1\xbf", false},
		{"\xe0\x9f\xbf", false},
		{"\xf0\x8f\xbf\xbf", false},
		{"\xed\xa0\x80", false}, /* surrogates */
		{"\xed\xbf\xbf", false},
		{"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
		{"\xf5\x80\x80\x80", false},
		{"\xf8\x88\x80\x80\x80", false},
		{"\xfe", false},
		{"\xff", false},
		{"Gr\xfcn", false}, /* Latin-1 */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t length = strlen(cases[i].text);
		CU_ASSERT_EQUAL(utf8_is_valid(cases[i].text, length), cases[i].valid);
		for (size_t split = 0; split <= length; split++) {
			struct utf8 u = {0};
			utf8_add(&u, cases[i].text, split);
			utf8_add(&u, cases[i].text + split, length - split);
			CU_ASSERT_EQUAL(utf8_is_whole(&u), cases[i].valid);
			CU_ASSERT_EQUAL(u.beyond_ascii, !utf8_is_ascii(cases[i].text, length));
			test_count(1);
		}
	}
}

/* What the rule says of any code point, written down once more: encode, then look. */
static size_t encode(unsigned long point, char out[4])
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	for (size_t i = length - 1; i > 0; i--, point >>= 6)
		out[i] = (char)(0x80 | (point & 0x3f));
	static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
	out[0] = (char)(leads[length] | point);
	return length;
}

static void utf8_has_every_code_point_but_surrogates(void)
{
	for (unsigned long point = 0; point < 0x120000; point++) {
		char text[4];
		bool valid = (point < 0xd800 || point > 0xdfff) && point <= 0x10ffff;
		if (utf8_is_valid(text, encode(point, text)) != valid)
			CU_FAIL("a code point is judged wrongly");
	}
	test_count(0x120000);
}

/* Octets beyond ASCII around the ends of the words that are skipped at once. */
static void utf8_beyond_ascii_is_found_at_every_place(void)
{
	char text[40];
	for (size_t at = 0; at < sizeof text; at++) {
		memset(text, 'a', sizeof text);
		CU_ASSERT(utf8_is_ascii(text, sizeof text));
		text[at] = '\x80';
		CU_ASSERT(!utf8_is_ascii(text, sizeof text));
		CU_ASSERT(utf8_is_ascii(text, at));
		CU_ASSERT(!utf8_is_valid(text, sizeof text));
		CU_ASSERT(utf8_is_valid(text, at));
		test_count(1);
	}
}

static const struct test tests[] = {
	TEST(utf8_is_told_from_what_is_none),
	TEST(utf8_has_every_code_point_but_surrogates),
	TEST(utf8_beyond_ascii_is_found_at_every_place),
	TEST_END,
};
const struct test_suite suite_utf8 = {"utf8", tests};
