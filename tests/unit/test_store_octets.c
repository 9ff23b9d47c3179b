/* Sizes as sent. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/octets.h"
#include "unit/suite.h"

static uint64_t total_of(const char *text, size_t length, size_t split)
{
	struct octets o = {0};
	octets_add(&o, text, split);
	octets_add(&o, text + split, length - split);
	return octets_total(&o);
}

static void octets_follow_the_rules_of_line_ends(void)
{
	static const struct {
		const char *text;
		size_t length;
		uint64_t total;
	} cases[] = {
		{"", 0, 0},          {"\n", 1, 2},       {"\r\n", 2, 2},     {"\r", 1, 3},
		{"a", 1, 3},         {"a\n", 2, 3},      {"a\r\n", 3, 3},    {"a\r", 2, 4},
		{"a\rb\n", 4, 5},    {"\n\n", 2, 4},     {"\r\r\n", 3, 3},   {"a\nb", 3, 6},
		{"a\r\nb\nc", 6, 9}, {"\0\n", 2, 3},     {"\xff\n", 2, 3},   {".\n..\n", 5, 7},
		{"\n\r", 2, 5},      {"\n\r\n\r", 4, 7}, {"\r\n\r\n", 4, 4},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t split = 0; split <= cases[i].length; split++)
			CU_ASSERT_EQUAL(total_of(cases[i].text, cases[i].length, split),
					cases[i].total);
	test_count(sizeof cases / sizeof *cases);
}

/* The rule once more, one octet after the other. */
static uint64_t slowly(const char *text, size_t length)
{
	uint64_t total = 0;
	char last = 0;
	for (size_t i = 0; i < length; i++) {
		total += text[i] == '\n' && last != '\r' ? 2 : 1;
		last = text[i];
	}
	return length > 0 && last != '\n' ? total + 2 : total;
}

static void octets_do_not_depend_on_where_a_text_is_split(void)
{
	unsigned long cases = 0;
	for (size_t length = 0; length <= 8; length++) {
		unsigned long texts = 1;
		for (size_t i = 0; i < length; i++)
			texts *= 3;
		for (unsigned long n = 0; n < texts; n++) {
			char text[8];
			unsigned long rest = n;
			for (size_t i = 0; i < length; i++, rest /= 3)
				text[i] = "a\r\n"[rest % 3];
			uint64_t expected = slowly(text, length);
			for (size_t split = 0; split <= length; split++, cases++)
				if (total_of(text, length, split) != expected)
					CU_FAIL("another total");
		}
	}
	test_count(cases);
}

/* Files whose line ends lie around the end of a buffer of 16,384 octets, once and twice. */
static void octets_of_files_are_right_at_every_buffer_end(void)
{
	static char text[2 * 16384 + 8];
	FILE *file = tmpfile();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	unsigned long cases = 0;
	static const size_t middle[] = {16384, 2 * 16384};
	static const char *const ends[] = {"\n", "\r\n", "\r", "x"};
	for (size_t m = 0; m < 2; m++) {
		for (size_t at = middle[m] - 4; at <= middle[m] + 4; at++) {
			for (size_t e = 0; e < 4; e++, cases++) {
				size_t length = at + strlen(ends[e]);
				memset(text, 'a', sizeof text);
				memcpy(text + at, ends[e], strlen(ends[e]));
				struct octets o = {0};
				CU_ASSERT_EQUAL(ftruncate(fileno(file), 0), 0);
				CU_ASSERT_EQUAL(pwrite(fileno(file), text, length, 0),
						(ssize_t)length);
				/* Not all of it, all of it, and more than there is. */
				for (size_t told = length - 1; told <= length + 1; told++) {
					size_t there = told < length ? told : length;
					CU_ASSERT_EQUAL(octets_count(fileno(file), told, &o), 0);
					CU_ASSERT_EQUAL(o.length, there);
					CU_ASSERT_EQUAL(octets_total(&o), slowly(text, there));
				}
			}
		}
	}
	fclose(file);
	test_count(cases);
}

static void octets_of_what_cannot_be_read_are_an_error(void)
{
	struct octets o = {.length = 5};
	CU_ASSERT_EQUAL(octets_count(-1, 5, &o), -9 /* EBADF */);
	CU_ASSERT_EQUAL(o.length, 5);
}

static const struct test tests[] = {
	TEST(octets_follow_the_rules_of_line_ends),
	TEST(octets_do_not_depend_on_where_a_text_is_split),
	TEST(octets_of_files_are_right_at_every_buffer_end),
	TEST(octets_of_what_cannot_be_read_are_an_error),
	TEST_END,
};
const struct test_suite suite_store_octets = {"store_octets", tests};
