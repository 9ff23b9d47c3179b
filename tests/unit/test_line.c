/* The splitter of command lines: every cut of the input, both limits, octets that do not belong. */
#include "proto/line.h"

#include <stdlib.h>
#include <string.h>

#include "unit/suite.h"

#define RESULTS_MAX 32

/* What came out: a status a line, and the text of those that are whole. */
struct results {
	struct line line;
	size_t count;
	enum line_status status[RESULTS_MAX];
	char text[RESULTS_MAX][LINE_MAX_OCTETS + 1];
};

/* From a block of exactly this size, so that ASan sees each octet read too far. */
static void feed(struct results *r, const char *octets, size_t length)
{
	char *block = malloc(length);
	if (length > 0)
		memcpy(block, octets, length);
	const char *next = block;
	size_t left = length;
	char text[LINE_LONG_MAX + 1];
	enum line_status status = line_next(&r->line, LINES_SHORT, &next, &left, text);
	while (status != LINE_NONE && r->count < RESULTS_MAX) {
		r->status[r->count] = status;
		strcpy(r->text[r->count], status == LINE_WHOLE ? text : "");
		r->count++;
		status = line_next(&r->line, LINES_SHORT, &next, &left, text);
	}
	CU_ASSERT_EQUAL(left, 0);
	CU_ASSERT_PTR_EQUAL(next, block + length);
	free(block);
}

static void finish(struct results *r)
{
	line_fini(&r->line);
	CU_ASSERT_PTR_NULL(r->line.partial);
}

/* One line of `length` octets of 'x' before its end. */
static enum line_status status_of(size_t length, const char *end, size_t cut)
{
	struct results r = {0};
	char octets[LINE_MAX_OCTETS + 16];
	memset(octets, 'x', length);
	strcpy(octets + length, end);
	size_t whole = length + strlen(end);
	if (cut > whole)
		cut = whole;
	feed(&r, octets, cut);
	feed(&r, octets + cut, whole - cut);
	CU_ASSERT_EQUAL(r.count, 1);
	CU_ASSERT_PTR_NULL(r.line.partial);
	if (r.status[0] == LINE_WHOLE)
		CU_ASSERT_EQUAL(strlen(r.text[0]), length);
	finish(&r);
	test_count(1);
	return r.status[0];
}

static void input_may_be_cut_anywhere(void)
{
	static const char input[] = "USER alice\r\nPASS a b \n\r\n\nLAST";
	const size_t length = sizeof input - 1;
	for (size_t a = 0; a <= length; a++) {
		for (size_t b = a; b <= length; b++) {
			struct results r = {0};
			feed(&r, input, a);
			feed(&r, input + a, b - a);
			feed(&r, input + b, length - b);
			CU_ASSERT_EQUAL(r.count, 4);
			CU_ASSERT_STRING_EQUAL(r.text[0], "USER alice");
			CU_ASSERT_STRING_EQUAL(r.text[1], "PASS a b ");
			CU_ASSERT_STRING_EQUAL(r.text[2], "");
			CU_ASSERT_STRING_EQUAL(r.text[3], "");
			for (size_t i = 0; i < 4; i++)
				CU_ASSERT_EQUAL(r.status[i], LINE_WHOLE);
			feed(&r, "\r\n", 2);
			CU_ASSERT_STRING_EQUAL(r.text[4], "LAST");
			finish(&r);
			test_count(1);
		}
	}
}

static void a_line_has_at_most_255_octets_with_its_end(void)
{
	for (size_t cut = 0; cut <= 257; cut++) {
		CU_ASSERT_EQUAL(status_of(252, "\r\n", cut), LINE_WHOLE);
		CU_ASSERT_EQUAL(status_of(253, "\r\n", cut), LINE_WHOLE);
		CU_ASSERT_EQUAL(status_of(254, "\r\n", cut), LINE_TOO_LONG);
		CU_ASSERT_EQUAL(status_of(255, "\r\n", cut), LINE_TOO_LONG);
		CU_ASSERT_EQUAL(status_of(253, "\n", cut), LINE_WHOLE);
		CU_ASSERT_EQUAL(status_of(254, "\n", cut), LINE_WHOLE);
		CU_ASSERT_EQUAL(status_of(255, "\n", cut), LINE_TOO_LONG);
		CU_ASSERT_EQUAL(status_of(256, "\n", cut), LINE_TOO_LONG);
	}
}

static void control_octets_spoil_a_line_once(void)
{
	for (unsigned c = 0; c < 256; c++) {
		if (c == '\n')
			continue;
		bool control = c < 0x20 || c == 0x7f;
		char input[] = "NO?OP\r\nSTAT\r\n";
		input[2] = (char)c;
		for (size_t cut = 0; cut < sizeof input; cut++) {
			struct results r = {0};
			feed(&r, input, cut);
			feed(&r, input + cut, sizeof input - 1 - cut);
			CU_ASSERT_EQUAL(r.count, 2);
			CU_ASSERT_EQUAL(r.status[0], control ? LINE_CONTROL : LINE_WHOLE);
			CU_ASSERT_EQUAL(r.status[1], LINE_WHOLE);
			CU_ASSERT_STRING_EQUAL(r.text[1], "STAT");
			finish(&r);
			test_count(1);
		}
	}
}

static void a_cr_that_is_not_the_end_spoils_a_line(void)
{
	struct results r = {0};
	feed(&r, "A\r\r\nB\rC\n\rD\nE\r\n", 15);
	CU_ASSERT_EQUAL(r.count, 4);
	CU_ASSERT_EQUAL(r.status[0], LINE_CONTROL);
	CU_ASSERT_EQUAL(r.status[1], LINE_CONTROL);
	CU_ASSERT_EQUAL(r.status[2], LINE_CONTROL);
	CU_ASSERT_EQUAL(r.status[3], LINE_WHOLE);
	CU_ASSERT_STRING_EQUAL(r.text[3], "E");
	finish(&r);
}

static void a_long_line_with_control_octets_is_one_error(void)
{
	struct results r = {0};
	char octets[400];
	memset(octets, 0, sizeof octets);
	feed(&r, octets, 200);
	feed(&r, octets, 200);
	feed(&r, "\nNOOP\n", 6);
	CU_ASSERT_EQUAL(r.count, 2);
	CU_ASSERT_EQUAL(r.status[0], LINE_TOO_LONG);
	CU_ASSERT_EQUAL(r.status[1], LINE_WHOLE);
	CU_ASSERT_STRING_EQUAL(r.text[1], "NOOP");
	finish(&r);
}

static void an_endless_line_costs_no_memory(void)
{
	static char chunk[65536];
	const unsigned long chunks = test_setting("POP3_ENDLESS_MIB", 64) * 16;
	struct results r = {0};
	memset(chunk, 'x', sizeof chunk);
	feed(&r, chunk, 100);
	CU_ASSERT_PTR_NOT_NULL(r.line.partial);
	for (unsigned long i = 0; i < chunks; i++) {
		const char *next = chunk;
		size_t left = sizeof chunk;
		char text[LINE_LONG_MAX + 1];
		CU_ASSERT_EQUAL(line_next(&r.line, LINES_SHORT, &next, &left, text), LINE_NONE);
		CU_ASSERT_PTR_NULL(r.line.partial);
		CU_ASSERT_EQUAL(left, 0);
	}
	feed(&r, "\r\nNOOP\r\n", 8);
	CU_ASSERT_EQUAL(r.count, 2);
	CU_ASSERT_EQUAL(r.status[0], LINE_TOO_LONG);
	CU_ASSERT_EQUAL(r.status[1], LINE_WHOLE);
	test_count(chunks);
}

static void a_held_line_is_freed_with_its_end_and_by_fini(void)
{
	struct results r = {0};
	CU_ASSERT_PTR_NULL(r.line.partial);
	feed(&r, "NOOP\r\n", 6);
	CU_ASSERT_PTR_NULL(r.line.partial);
	feed(&r, "NO", 2);
	CU_ASSERT_PTR_NOT_NULL(r.line.partial);
	feed(&r, "OP\r", 3);
	CU_ASSERT_PTR_NOT_NULL(r.line.partial);
	feed(&r, "\n", 1);
	CU_ASSERT_PTR_NULL(r.line.partial);
	feed(&r, "PASS secr", 9);
	finish(&r);
	feed(&r, "STAT\n", 5);
	CU_ASSERT_EQUAL(r.count, 3);
	CU_ASSERT_STRING_EQUAL(r.text[2], "STAT");
	finish(&r);
}

static const struct test tests[] = {
	TEST(input_may_be_cut_anywhere),
	TEST(a_line_has_at_most_255_octets_with_its_end),
	TEST(control_octets_spoil_a_line_once),
	TEST(a_cr_that_is_not_the_end_spoils_a_line),
	TEST(a_long_line_with_control_octets_is_one_error),
	TEST(an_endless_line_costs_no_memory),
	TEST(a_held_line_is_freed_with_its_end_and_by_fini),
	TEST_END,
};

const struct test_suite suite_line = {"line", tests};
