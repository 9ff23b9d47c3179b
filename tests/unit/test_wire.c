/*
 * Messages as sent, against a reference that looks at one octet after the other and holds a whole
 * message at once: first repair the line ends, then cut for TOP, then stuff dots.
 */
#include "proto/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/peer.h"
#include "unit/suite.h"

/* The longest string tried over the alphabet, what may stand before and behind it, and room for
 * what all of it can become. */
#define STRING_MAX 8
#define BEFORE_MAX 34
#define BEHIND     40
#define SENT_MAX   (4 * STRING_MAX + BEFORE_MAX + BEHIND + 16)

/* ---- The reference ---- */

static size_t reference_repair(const char *in, size_t length, char *out)
{
	size_t n = 0;
	for (size_t i = 0; i < length; i++) {
		if (in[i] == '\n' && (i == 0 || in[i - 1] != '\r'))
			out[n++] = '\r';
		out[n++] = in[i];
	}
	if (n > 0 && out[n - 1] != '\n') {
		out[n++] = '\r';
		out[n++] = '\n';
	}
	return n;
}

/* How much of a repaired message TOP sends. */
static size_t reference_top(const char *message, size_t length, uint64_t lines)
{
	bool body = false;
	size_t start = 0;
	for (size_t i = 0; i < length; i++) {
		if (message[i] != '\n')
			continue;
		if (body)
			lines--;
		else
			body = i - start == 1 && message[start] == '\r';
		if (body && lines == 0)
			return i + 1;
		start = i + 1;
	}
	return length;
}

static size_t reference_stuff(const char *message, size_t length, char *out)
{
	size_t n = 0;
	for (size_t i = 0; i < length; i++) {
		if (message[i] == '.' && (i == 0 || message[i - 1] == '\n'))
			out[n++] = '.';
		out[n++] = message[i];
	}
	memcpy(out + n, ".\r\n", 3);
	return n + 3;
}

/* Returns what is sent; *octets: without stuffing and end. */
static size_t reference(const char *in, size_t length, uint64_t lines, char *out, uint64_t *octets)
{
	char *repaired = malloc(2 * length + 2);
	size_t whole = reference_repair(in, length, repaired);
	if (lines != POP3_ALL_LINES)
		whole = reference_top(repaired, whole, lines);
	*octets = whole;
	size_t sent = reference_stuff(repaired, whole, out);
	free(repaired);
	return sent;
}

static void the_reference_itself_is_right(void)
{
	static const struct {
		const char *in;
		uint64_t lines;
		const char *out;
		uint64_t octets;
	} cases[] = {
		{"", POP3_ALL_LINES, ".\r\n", 0},
		{".", POP3_ALL_LINES, "..\r\n.\r\n", 3},
		{"a\n.\nb", POP3_ALL_LINES, "a\r\n..\r\nb\r\n.\r\n", 9},
		{"a\r\n..b\r\n", POP3_ALL_LINES, "a\r\n...b\r\n.\r\n", 8},
		{"a\rb\r", POP3_ALL_LINES, "a\rb\r\r\n.\r\n", 6},
		{"\r\r\n", POP3_ALL_LINES, "\r\r\n.\r\n", 3},
		{"h\n\nx\ny\n", 0, "h\r\n\r\n.\r\n", 5},
		{"h\n\nx\ny\n", 1, "h\r\n\r\nx\r\n.\r\n", 8},
		{"h\n\r\r\nx\n\ny", 1, "h\r\n\r\r\nx\r\n\r\ny\r\n.\r\n", 14},
		{"\n.x\n", 1, "\r\n..x\r\n.\r\n", 6},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char out[SENT_MAX];
		uint64_t octets;
		size_t length =
			reference(cases[i].in, strlen(cases[i].in), cases[i].lines, out, &octets);
		CU_ASSERT_EQUAL(length, strlen(cases[i].out));
		CU_ASSERT_EQUAL(memcmp(out, cases[i].out, length), 0);
		CU_ASSERT_EQUAL(octets, cases[i].octets);
		test_count(1);
	}
}

/* ---- The code under test, with its input cut once and its output in pieces of `room` ---- */

struct sent {
	char octets[SENT_MAX];
	size_t length;
	uint64_t counted;
	bool stuck;
};

static void convert_part(struct wire *w, const char *in, size_t length, size_t room, struct sent *s)
{
	while (length > 0 && !w->done) {
		char out[SENT_MAX];
		size_t taken;
		memset(out, '#', sizeof out);
		size_t written = wire_convert(w, in, length, &taken, out, room);
		if ((taken == 0 && written == 0) || written > room || taken > length ||
		    out[room] != '#' || s->length + written > SENT_MAX) {
			s->stuck = true;
			return;
		}
		memcpy(s->octets + s->length, out, written);
		s->length += written;
		in += taken;
		length -= taken;
	}
}

static struct sent convert(const char *in, size_t length, size_t cut, size_t room, uint64_t lines)
{
	struct sent s = {.length = 0};
	struct wire w;
	wire_init(&w, lines);
	convert_part(&w, in, cut, room, &s);
	convert_part(&w, in + cut, length - cut, room, &s);
	s.length += wire_finish(&w, s.octets + s.length);
	s.counted = w.octets;
	return s;
}

static bool is_right(const char *in, size_t length, size_t cut, size_t room, uint64_t lines)
{
	char expected[SENT_MAX];
	uint64_t octets;
	size_t expected_length = reference(in, length, lines, expected, &octets);
	struct sent s = convert(in, length, cut, room, lines);
	return !s.stuck && s.length == expected_length && s.counted == octets &&
	       memcmp(s.octets, expected, expected_length) == 0;
}

/* String number `index` of those of `length` letters. */
static void make_string(size_t index, size_t length, char *string)
{
	for (size_t i = 0; i < length; i++) {
		string[i] = ".\r\na"[index & 3];
		index >>= 2;
	}
}

static void every_string_cut_everywhere_is_sent_right(void)
{
	unsigned long cases = 0, wrong = 0;
	char string[STRING_MAX];
	for (size_t length = 0; length <= STRING_MAX; length++) {
		for (size_t index = 0; index < (size_t)1 << (2 * length); index++) {
			make_string(index, length, string);
			for (size_t cut = 0; cut <= length; cut++, cases++)
				wrong += !is_right(string, length, cut, SENT_MAX - 1,
						   POP3_ALL_LINES);
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(cases, 757305);
	test_count(cases);
}

static void every_string_is_sent_right_through_small_buffers(void)
{
	unsigned long cases = 0, wrong = 0;
	char string[STRING_MAX];
	for (size_t length = 0; length <= 6; length++) {
		for (size_t index = 0; index < (size_t)1 << (2 * length); index++) {
			make_string(index, length, string);
			for (size_t room = 3; room <= 8; room++) {
				for (size_t cut = 0; cut <= length; cut++, cases++)
					wrong += !is_right(string, length, cut, room,
							   POP3_ALL_LINES);
			}
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(cases, 218454);
	test_count(cases);
}

/* Whole lines are copied in chunks: every string at every place of a chunk, with room and none. */
static void every_string_is_sent_right_at_every_place_of_a_line(void)
{
	unsigned long cases = 0, wrong = 0;
	char message[BEFORE_MAX + STRING_MAX + BEHIND];
	memset(message, 'x', sizeof message);
	for (size_t length = 0; length <= 4; length++) {
		for (size_t index = 0; index < (size_t)1 << (2 * length); index++) {
			for (size_t before = 0; before <= BEFORE_MAX; before++) {
				size_t whole = before + length + BEHIND;
				memset(message, 'x', sizeof message);
				make_string(index, length, message + before);
				message[whole - 1 - before % 20] = '\n';
				wrong += !is_right(message, whole, 0, SENT_MAX - 1, POP3_ALL_LINES);
				for (size_t room = 16; room <= 56; room++, cases++)
					wrong += !is_right(message, whole, before, room,
							   POP3_ALL_LINES);
			}
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(cases, 489335);
	test_count(cases);
}

static void top_is_a_prefix_of_the_message(void)
{
	unsigned long cases = 0, wrong = 0, longer = 0;
	char string[STRING_MAX];
	for (size_t length = 0; length <= 7; length++) {
		for (size_t index = 0; index < (size_t)1 << (2 * length); index++) {
			make_string(index, length, string);
			struct sent whole =
				convert(string, length, 0, SENT_MAX - 1, POP3_ALL_LINES);
			for (uint64_t lines = 0; lines <= 3; lines++, cases++) {
				struct sent top = convert(string, length, 0, SENT_MAX - 1, lines);
				wrong += !is_right(string, length, length / 2, 3, lines);
				longer += top.length > whole.length ||
					  memcmp(top.octets, whole.octets, top.length - 3) != 0;
			}
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(longer, 0);
	CU_ASSERT_EQUAL(cases, 87380);
	test_count(cases);
}

static void octets_above_127_and_nul_pass(void)
{
	char in[256], out[600];
	size_t taken;
	struct wire w;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (char)i;
	wire_init(&w, POP3_ALL_LINES);
	size_t length = wire_convert(&w, in, sizeof in, &taken, out, sizeof out);
	CU_ASSERT_EQUAL(taken, 256);
	CU_ASSERT_EQUAL(length, 257);
	CU_ASSERT_EQUAL(memcmp(out, in, 10), 0);
	CU_ASSERT_EQUAL(memcmp(out + 10, "\r\n", 2), 0);
	CU_ASSERT_EQUAL(memcmp(out + 12, in + 11, 245), 0);
	CU_ASSERT_EQUAL(w.octets, 257);
}

/* ---- Whole sessions, with lengths around each buffer's size ---- */

/*
 * A message of `length` octets whose line ends and dots fall on all sides of the boundaries: lines
 * of 1 to 40 octets, every third begins with a dot, every fourth ends in a bare LF.
 */
static char *make_message(size_t length)
{
	char *octets = malloc(length + 1);
	size_t line = 0, column = 0;
	for (size_t i = 0; i < length; i++) {
		size_t width = 1 + line * 7 % 40;
		if (column < width) {
			octets[i] = column == 0 && line % 3 == 0 ? '.' : 'x';
			column++;
		} else if (column == width && line % 4 != 0) {
			octets[i] = '\r';
			column++;
		} else {
			octets[i] = '\n';
			column = 0;
			line++;
		}
	}
	return octets;
}

static void check_session(const char *octets, size_t length, enum peer_source source, size_t chunk,
			  size_t read_max)
{
	char *sent = malloc(3 * length + 64);
	uint64_t count;
	struct peer p;
	peer_login(&p);
	size_t sent_length = reference(octets, length, POP3_ALL_LINES, sent, &count);
	p.messages[0] = (struct peer_message){octets, length, count, "id"};
	p.source = source;
	p.chunk = chunk;
	p.read_max = read_max;
	peer_send(&p, "RETR 1");
	char head[64];
	int head_length = snprintf(head, sizeof head, "+OK %zu octets\r\n", (size_t)count);
	CU_ASSERT_FATAL(p.received.length >= (size_t)head_length);
	CU_ASSERT_EQUAL(memcmp(p.received.octets, head, (size_t)head_length), 0);
	CU_ASSERT_EQUAL(p.received.length, (size_t)head_length + sent_length);
	CU_ASSERT_EQUAL(memcmp(p.received.octets + head_length, sent, sent_length), 0);
	text_clear(&p.received);
	peer_send(&p, "NOOP");
	CU_ASSERT(peer_got(&p, "+OK"));
	CU_ASSERT_EQUAL(p.released, source == PEER_FROM_PULL);
	peer_fini(&p);
	free(sent);
	test_count(1);
}

static void check_lengths(enum peer_source source)
{
	static const size_t sizes[] = {BLOCK_SIZE, OUTPUT_HIGH, LINE_MAX_OCTETS, 256, 512};
	static const size_t chunks[] = {0, 1021, 4093};
	for (size_t b = 0; b < sizeof sizes / sizeof *sizes; b++) {
		for (size_t length = sizes[b] - 4; length <= sizes[b] + 4; length++) {
			char *octets = make_message(length);
			for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
				check_session(octets, length, source, chunks[c], 0);
				check_session(octets, length, source, chunks[c], 1460);
			}
			free(octets);
		}
	}
}

static void messages_of_memory_pass_every_buffer_boundary(void)
{
	check_lengths(PEER_FROM_BYTES);
}

static void messages_of_a_function_pass_every_buffer_boundary(void)
{
	check_lengths(PEER_FROM_PULL);
}

static void messages_of_a_file_pass_every_buffer_boundary(void)
{
	check_lengths(PEER_FROM_DESCRIPTOR);
}

/* `what` lies across offset `size` of the message at every possible place. */
static void check_across(size_t size, const char *what)
{
	size_t length = strlen(what);
	char *octets = malloc(size + 64);
	for (size_t before = 0; before <= length; before++) {
		memset(octets, 'x', size + 64);
		memcpy(octets + size - before, what, length);
		for (enum peer_source source = 0; source < PEER_SOURCES; source++)
			check_session(octets, size + 64, source, 0, 0);
	}
	free(octets);
}

static void dots_and_line_ends_across_a_boundary_are_sent_right(void)
{
	/* The greeting line of the reply shifts the output by 17 octets: "+OK nnnnn octets". */
	static const size_t sizes[] = {BLOCK_SIZE, BLOCK_SIZE - 18, OUTPUT_HIGH, 1024};
	static const char *const strings[] = {"\r\n.\r\n", "\n.\n", "\n..\n.\n", "\r\r\n.",
					      "\n\n.a"};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (size_t k = 0; k < sizeof strings / sizeof *strings; k++)
			check_across(sizes[i], strings[k]);
}

static void a_dot_as_the_very_first_octet_is_stuffed(void)
{
	static const char *const messages[] = {".", "..", ".\n", ".\r\n", ".\r\n.", "..\n."};
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
		for (enum peer_source source = 0; source < PEER_SOURCES; source++)
			check_session(messages[i], strlen(messages[i]), source, 1, 0);
}

static void an_empty_message_is_sent_from_every_source(void)
{
	for (enum peer_source source = 0; source < PEER_SOURCES; source++)
		check_session("", 0, source, 0, 0);
}

static const struct test tests[] = {
	TEST(the_reference_itself_is_right),
	TEST(every_string_cut_everywhere_is_sent_right),
	TEST(every_string_is_sent_right_through_small_buffers),
	TEST(every_string_is_sent_right_at_every_place_of_a_line),
	TEST(top_is_a_prefix_of_the_message),
	TEST(octets_above_127_and_nul_pass),
	TEST(messages_of_memory_pass_every_buffer_boundary),
	TEST(messages_of_a_function_pass_every_buffer_boundary),
	TEST(messages_of_a_file_pass_every_buffer_boundary),
	TEST(dots_and_line_ends_across_a_boundary_are_sent_right),
	TEST(a_dot_as_the_very_first_octet_is_stuffed),
	TEST(an_empty_message_is_sent_from_every_source),
	TEST_END,
};

const struct test_suite suite_wire = {"wire", tests};
