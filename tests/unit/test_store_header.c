/* Whose header holds UTF-8. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/wire.h"
#include "store/header.h"
#include "unit/suite.h"

static bool is_international(const char *text, size_t length, size_t split)
{
	struct header h = {.over = false};
	header_add(&h, text, split);
	header_add(&h, text + split, length - split);
	return header_is_international(&h);
}

static void header_with_utf8_makes_a_message_international(void)
{
	static const struct {
		const char *text;
		bool international;
	} cases[] = {
		{"", false},
		{"Subject: plain\n\nbody\n", false},
		{"Subject: Gr\xc3\xbc\xc3\x9f"
		 "e\n\nbody\n",
		 true},
		{"Subject: Gr\xc3\xbc\xc3\x9f"
		 "e\r\n\r\nbody\r\n",
		 true},
		/* The body may hold anything (RFC 6152). */
		{"Subject: plain\n\nGr\xc3\xbc\xc3\x9f"
		 "e\n",
		 false},
		{"Subject: plain\r\n\r\nGr\xc3\xbc\xc3\x9f"
		 "e\r\n",
		 false},
		{"\nGr\xc3\xbc\xc3\x9f"
		 "e\n",
		 false},
		{"\r\nGr\xc3\xbc\xc3\x9f"
		 "e\n",
		 false},
		{"Subject: Gr\xc3\xbc\xc3\x9f"
		 "e\n\n\xff\xfe body in another encoding\n",
		 true},
		/* No empty line: all is header. */
		{"a\nb\nc: \xc3\xa9", true},
		{"a\n\r\r\nc: \xc3\xa9\n", true},
		{"a\r\r\nc: \xc3\xa9\n", true},
		{"a\n\rb\n\xc3\xa9\n", true},
		{"\xc3\xa9", true},
		/* Other encodings, and broken ones. */
		{"Subject: Gr\xfc\xdf"
		 "e\n\nbody\n",
		 false},
		{"Subject: \xc3\xa9 and \xe9\n\nbody\n", false},
		{"Subject: cut \xc3\n\n\xa9 body\n", false},
		{"Subject: cut \xc3", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t length = strlen(cases[i].text);
		for (size_t split = 0; split <= length; split++) {
			CU_ASSERT_EQUAL(is_international(cases[i].text, length, split),
					cases[i].international);
			test_count(1);
		}
	}
}

/* The header's end or its only character beyond ASCII around the end of what is read at once. */
static void header_of_a_file_is_looked_at_beyond_a_buffer(void)
{
	static char text[3 * 8192];
	FILE *file = tmpfile();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	for (size_t at = 8192 - 4; at <= 2 * 8192 + 4; at += at == 8192 + 4 ? 8192 - 8 : 1) {
		memset(text, 'a', sizeof text);
		memcpy(text + at, "\xc3\xa9\n\n\xc3\xa9", 6);
		CU_ASSERT_EQUAL(pwrite(fileno(file), text, sizeof text, 0), sizeof text);
		bool international = false;
		CU_ASSERT_EQUAL(header_look(fileno(file), sizeof text, &international), 0);
		CU_ASSERT(international);
		memcpy(text + at, "ab", 2);
		CU_ASSERT_EQUAL(pwrite(fileno(file), text, sizeof text, 0), sizeof text);
		CU_ASSERT_EQUAL(header_look(fileno(file), sizeof text, &international), 0);
		CU_ASSERT(!international);
		/* No more than was said, and no more than there is. */
		memset(text + at, 'a', 6);
		memcpy(text + at + 2, "\xc3\xa9", 2);
		CU_ASSERT_EQUAL(pwrite(fileno(file), text, sizeof text, 0), sizeof text);
		CU_ASSERT_EQUAL(header_look(fileno(file), at + 2, &international), 0);
		CU_ASSERT(!international);
		CU_ASSERT_EQUAL(header_look(fileno(file), 2 * sizeof text, &international), 0);
		CU_ASSERT(international);
		test_count(4);
	}
	fclose(file);
}

/* What a wire takes of a message until TOP without lines of the body is done. */
static size_t end_for_top(const char *text, size_t length)
{
	struct wire w;
	char out[64];
	size_t taken;
	wire_init(&w, 0);
	wire_convert(&w, text, length, &taken, out, sizeof out);
	return w.done ? taken : SIZE_MAX;
}

static size_t end_for_header(const char *text, size_t length)
{
	struct header h = {.over = false};
	for (size_t i = 0; i < length; i++) {
		header_add(&h, text + i, 1);
		if (h.over)
			return i + 1;
	}
	return SIZE_MAX;
}

static void header_ends_where_top_ends(void)
{
	unsigned long cases = 0;
	for (size_t length = 0; length <= 9; length++) {
		unsigned long texts = 1;
		for (size_t i = 0; i < length; i++)
			texts *= 3;
		for (unsigned long n = 0; n < texts; n++, cases++) {
			char text[9];
			unsigned long rest = n;
			for (size_t i = 0; i < length; i++, rest /= 3)
				text[i] = "a\r\n"[rest % 3];
			if (end_for_header(text, length) != end_for_top(text, length))
				CU_FAIL("another end");
		}
	}
	test_count(cases);
}

static void header_that_cannot_be_read_is_an_error(void)
{
	bool international = true;
	CU_ASSERT_EQUAL(header_look(-1, 5, &international), -9 /* EBADF */);
	CU_ASSERT(international);
}

static const struct test tests[] = {
	TEST(header_with_utf8_makes_a_message_international),
	TEST(header_of_a_file_is_looked_at_beyond_a_buffer),
	TEST(header_ends_where_top_ends),
	TEST(header_that_cannot_be_read_is_an_error),
	TEST_END,
};
const struct test_suite suite_store_header = {"store_header", tests};
