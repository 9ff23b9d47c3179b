/*
 * A message that comes in pieces, as an SMTP server gets it: what is written above it, what is left
 * out, the limit, and how it ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/delivered.h"

/* How large the pieces are; 0 = all at once. */
static const size_t piece_sizes[] = {0, 1, 2, 7, 4096};
#define SIZES (sizeof piece_sizes / sizeof *piece_sizes)

static enum pop3_maildir_result deliver_pieces(const struct pop3_maildir_options *options,
					       const char *text, size_t length, size_t piece)
{
	struct pop3_maildir_delivery *d;
	enum pop3_maildir_result result = pop3_maildir_begin(DELIVERED_MAILDIR, options, &d);
	if (result != POP3_MAILDIR_OK)
		return result;
	for (size_t at = 0; at < length;) {
		size_t size = piece == 0 || length - at < piece ? length - at : piece;
		pop3_maildir_write(d, text + at, size);
		at += size;
	}
	return pop3_maildir_commit(d);
}

/* In pieces of each size the text becomes `expected`. */
static void expect(const struct pop3_maildir_options *options, const char *text, size_t length,
		   const char *expected, size_t expected_length, const char *hints)
{
	for (size_t i = 0; i < SIZES; i++) {
		struct box box;
		box_init_in_memory(&box);
		CU_ASSERT_EQUAL(deliver_pieces(options, text, length, piece_sizes[i]),
				POP3_MAILDIR_OK);
		delivered_expect(expected, expected_length, hints);
		box_fini(&box);
	}
	test_count(SIZES);
}

#define EXPECT(options, text, expected, hints)                                                     \
	expect((options), (text), sizeof(text) - 1, (expected), sizeof(expected) - 1, (hints))

static void pieces_of_any_size_become_the_same_message(void)
{
	const struct pop3_maildir_options plain = {.size = sizeof plain};
	EXPECT(&plain, "", "", ",S=0,W=0");
	EXPECT(&plain, "a", "a", ",S=1,W=3");
	EXPECT(&plain, "\r\n.\n\0\xff\r\r\n\n\r", "\r\n.\n\0\xff\r\r\n\n\r", ",S=11,W=15");
	enum { LONG = 100000 };
	char *text = malloc(LONG);
	if (text == NULL)
		abort();
	for (size_t i = 0; i < LONG; i++)
		text[i] = i % 100 == 99 ? '\n' : (char)('a' + i % 26);
	expect(&plain, text, LONG, text, LONG, ",S=100000,W=101000");
	free(text);
}

static void trace_lines_stand_above_the_message_with_its_line_end(void)
{
	struct pop3_maildir_options options = {
		.size = sizeof options, .return_path = "a@example.org", .delivered_to = "alice"};
	EXPECT(&options, "\nx\n", "Return-Path: <a@example.org>\nDelivered-To: alice\n\nx\n",
	       ",S=52,W=56");
	EXPECT(&options, "A: b\r\n\r\nx\n",
	       "Return-Path: <a@example.org>\r\nDelivered-To: alice\r\nA: b\r\n\r\nx\n",
	       ",S=61,W=62");
	EXPECT(&options, "", "Return-Path: <a@example.org>\nDelivered-To: alice\n", ",S=49,W=51");
	EXPECT(&options, "no end", "Return-Path: <a@example.org>\nDelivered-To: alice\nno end",
	       ",S=55,W=59");
	options.delivered_to = NULL;
	EXPECT(&options, "\r\n", "Return-Path: <a@example.org>\r\n\r\n", ",S=32,W=32");
	options.return_path = NULL;
	options.delivered_to = "J\xc3\xb6rg+x@example.org";
	EXPECT(&options, "\n", "Delivered-To: J\xc3\xb6rg+x@example.org\n\n", ",S=35,W=37");
}

static void null_sender_is_an_empty_path_and_brackets_are_not_doubled(void)
{
	struct pop3_maildir_options options = {.size = sizeof options};
	static const struct {
		const char *given, *expected, *hints;
	} cases[] = {
		{"", "Return-Path: <>\n\n", ",S=17,W=19"},
		{"<>", "Return-Path: <>\n\n", ",S=17,W=19"},
		{"<a@b>", "Return-Path: <a@b>\n\n", ",S=20,W=22"},
		{"<", "Return-Path: <<>\n\n", ",S=18,W=20"},
		{"\">\"@b", "Return-Path: <\">\"@b>\n\n", ",S=22,W=24"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		options.return_path = cases[i].given;
		expect(&options, "\n", 1, cases[i].expected, strlen(cases[i].expected),
		       cases[i].hints);
	}
}

static void line_of_an_mbox_file_is_left_out_if_asked_for(void)
{
	struct pop3_maildir_options options = {.size = sizeof options, .skip_mbox_line = true};
	EXPECT(&options, "From a@b  Thu Jan  1 00:00:00 1970\nA: b\n\nFrom x\n", "A: b\n\nFrom x\n",
	       ",S=13,W=16");
	EXPECT(&options, "From a\r\n\r\n", "\r\n", ",S=2,W=2");
	EXPECT(&options, "From a", "", ",S=0,W=0");
	/* These are header fields, or text. */
	EXPECT(&options, "From: a\n", "From: a\n", ",S=8,W=9");
	EXPECT(&options, "From : a\n", "From : a\n", ",S=9,W=10");
	EXPECT(&options, "From  : a\n", "From  : a\n", ",S=10,W=11");
	EXPECT(&options, "From \n", "From \n", ",S=6,W=7");
	EXPECT(&options, "From ", "From ", ",S=5,W=7");
	EXPECT(&options, ">From a\n", ">From a\n", ",S=8,W=9");
	options.return_path = "a@b";
	EXPECT(&options, "From a@b x\r\nA: b\r\n", "Return-Path: <a@b>\r\nA: b\r\n", ",S=26,W=26");
	EXPECT(&options, "From a@b x", "Return-Path: <a@b>\n", ",S=19,W=20");
	options.skip_mbox_line = false;
	options.return_path = NULL;
	EXPECT(&options, "From a\nx", "From a\nx", ",S=8,W=11");
}

static void line_of_an_mbox_file_may_be_longer_than_any_buffer(void)
{
	const struct pop3_maildir_options options = {
		.size = sizeof options, .skip_mbox_line = true, .delivered_to = "alice"};
	enum { LONG = 70000 };
	char *text = malloc(LONG + 5);
	if (text == NULL)
		abort();
	memset(text, 'x', LONG);
	memcpy(text, "From x", 6);
	memcpy(text + LONG, "\ny\r\nz", 5);
	expect(&options, text, LONG + 5, "Delivered-To: alice\r\ny\r\nz", 25, ",S=25,W=27");
	expect(&options, text, LONG, "Delivered-To: alice\n", 20, ",S=20,W=21");
	free(text);
}

static void address_that_cannot_stand_in_a_header_is_refused_for_good(void)
{
	char longest[POP3_MAILDIR_ADDRESS_MAX + 2];
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	const struct {
		const char *address, *text;
	} cases[] = {
		{"a>\nEvil: <b", "an address has a control octet"},
		{"a\rb", "an address has a control octet"},
		{"\tb", "an address has a control octet"},
		{"b\x7f", "an address has a control octet"},
		{"\n", "an address has a control octet"},
		{longest, "an address is too long"},
	};
	struct box box;
	box_init_in_memory(&box);
	for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
		struct heard heard;
		struct pop3_maildir_options options = delivered_options(&heard);
		const char *address = cases[i / 2].address;
		options.return_path = i % 2 == 0 ? address : NULL;
		options.delivered_to = i % 2 == 1 ? address : NULL;
		CU_ASSERT_EQUAL(deliver_pieces(&options, "x\n", 2, 0), POP3_MAILDIR_PERMANENT);
		delivered_expect_failure(&heard, POP3_MAILDIR_PERMANENT, EINVAL, cases[i / 2].text);
	}
	CU_ASSERT_EQUAL(box_count("new"), 0);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	longest[POP3_MAILDIR_ADDRESS_MAX] = '\0';
	const struct pop3_maildir_options options = {
		.size = sizeof options, .return_path = longest, .delivered_to = longest};
	CU_ASSERT_EQUAL(deliver_pieces(&options, "\n", 1, 0), POP3_MAILDIR_OK);
	CU_ASSERT_EQUAL(box_count("new"), 1);
	test_count(13);
	box_fini(&box);
}

static void message_that_is_too_large_is_refused_for_good(void)
{
	struct box box;
	box_init_in_memory(&box);
	for (size_t i = 0; i < SIZES; i++) {
		struct heard heard;
		struct pop3_maildir_options options = delivered_options(&heard);
		options.max_size = 4;
		options.return_path = "does.not@count";
		CU_ASSERT_EQUAL(deliver_pieces(&options, "1234", 4, piece_sizes[i]),
				POP3_MAILDIR_OK);
		CU_ASSERT_EQUAL(heard.count, 0);
		CU_ASSERT_EQUAL(deliver_pieces(&options, "12345", 5, piece_sizes[i]),
				POP3_MAILDIR_PERMANENT);
		delivered_expect_failure(&heard, POP3_MAILDIR_PERMANENT, EMSGSIZE,
					 "the message is too large");
		CU_ASSERT_EQUAL(box_count("tmp"), 0);
	}
	CU_ASSERT_EQUAL(box_count("new"), SIZES);
	test_count(2 * SIZES);
	box_fini(&box);
}

static void failure_stays_with_the_delivery_and_is_told_once(void)
{
	struct box box;
	struct heard heard;
	struct pop3_maildir_delivery *d;
	box_init_in_memory(&box);
	struct pop3_maildir_options options = delivered_options(&heard);
	options.max_size = 4;
	CU_ASSERT_EQUAL_FATAL(pop3_maildir_begin(DELIVERED_MAILDIR, &options, &d), POP3_MAILDIR_OK);
	CU_ASSERT_EQUAL(box_count("tmp"), 1);
	CU_ASSERT_EQUAL(pop3_maildir_write(d, "123", 3), POP3_MAILDIR_OK);
	CU_ASSERT_EQUAL(pop3_maildir_write(d, "45", 2), POP3_MAILDIR_PERMANENT);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	CU_ASSERT_EQUAL(pop3_maildir_write(d, "6", 1), POP3_MAILDIR_PERMANENT);
	CU_ASSERT_EQUAL(pop3_maildir_write_from(d, STDIN_FILENO), POP3_MAILDIR_PERMANENT);
	CU_ASSERT_EQUAL(pop3_maildir_commit(d), POP3_MAILDIR_PERMANENT);
	CU_ASSERT_EQUAL(heard.count, 1);
	CU_ASSERT_EQUAL(box_count("new"), 0);
	box_fini(&box);
}

static void aborted_delivery_leaves_nothing(void)
{
	struct box box;
	struct pop3_maildir_delivery *d;
	box_init_in_memory(&box);
	CU_ASSERT_EQUAL_FATAL(pop3_maildir_begin(DELIVERED_MAILDIR, NULL, &d), POP3_MAILDIR_OK);
	CU_ASSERT_EQUAL(pop3_maildir_write(d, "x\n", 2), POP3_MAILDIR_OK);
	pop3_maildir_abort(d);
	pop3_maildir_abort(NULL);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	CU_ASSERT_EQUAL(box_count("new"), 0);
	box_fini(&box);
}

/* An application of an earlier version knows fewer options, one of a later version more. */
static void options_are_as_long_as_the_application_knows(void)
{
	struct box box;
	struct heard heard;
	struct pop3_maildir_delivery *d;
	box_init_in_memory(&box);
	struct pop3_maildir_options options = delivered_options(&heard);
	options.max_size = 1;
	options.size = offsetof(struct pop3_maildir_options, max_size);
	CU_ASSERT_EQUAL(deliver_pieces(&options, "1234", 4, 0), POP3_MAILDIR_OK);
	static const size_t wrong[] = {0, sizeof options + 1, SIZE_MAX};
	for (size_t i = 0; i < 3; i++) {
		options.size = wrong[i];
		CU_ASSERT_EQUAL(pop3_maildir_begin(DELIVERED_MAILDIR, &options, &d),
				POP3_MAILDIR_TEMPORARY);
		CU_ASSERT_EQUAL(pop3_maildir_prepare(DELIVERED_MAILDIR, &options),
				POP3_MAILDIR_TEMPORARY);
	}
	CU_ASSERT_EQUAL(heard.count, 0);
	box_fini(&box);
}

static const struct test tests[] = {
	TEST(pieces_of_any_size_become_the_same_message),
	TEST(trace_lines_stand_above_the_message_with_its_line_end),
	TEST(null_sender_is_an_empty_path_and_brackets_are_not_doubled),
	TEST(line_of_an_mbox_file_is_left_out_if_asked_for),
	TEST(line_of_an_mbox_file_may_be_longer_than_any_buffer),
	TEST(address_that_cannot_stand_in_a_header_is_refused_for_good),
	TEST(message_that_is_too_large_is_refused_for_good),
	TEST(failure_stays_with_the_delivery_and_is_told_once),
	TEST(aborted_delivery_leaves_nothing),
	TEST(options_are_as_long_as_the_application_knows),
	TEST_END,
};
const struct test_suite suite_delivery_pieces = {"delivery_pieces", tests};
