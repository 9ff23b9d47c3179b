/*
 * Octets under way: a client that does not read, long lists, messages whose source or size is
 * wrong, and what the session holds meanwhile.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/state.h"
#include "unit/peer.h"

/* ---- A client that does not read ---- */

static size_t output_length(struct peer *p)
{
	size_t length;
	pop3_session_output(p->session, &length);
	return length;
}

static void a_client_that_does_not_read_is_not_served_on(void)
{
	static const char noop[] = "NOOP\r\n";
	struct peer p;
	peer_login(&p);
	p.deaf = true;
	for (int i = 0; i < 40000; i++)
		text_append(&p.unread, noop, 6);
	peer_run(&p);
	/* Each answer has 5 octets; nothing is taken up beyond the high mark. */
	size_t full = output_length(&p);
	CU_ASSERT(full > OUTPUT_HIGH && full <= OUTPUT_HIGH + RESPONSE_MAX);
	CU_ASSERT_EQUAL(p.unread.length, 6 * (40000 - full / 5));
	CU_ASSERT_FALSE(pop3_session_wants(p.session).read);

	/* It starts again at half of the high mark, not before. */
	size_t left = full;
	while (left - 5 > OUTPUT_HIGH / 2) {
		char octets[5];
		left -= pop3_session_pull(p.session, octets, 5, p.now);
		CU_ASSERT_FALSE(pop3_session_wants(p.session).read);
		CU_ASSERT_EQUAL(memcmp(octets, "+OK\r\n", 5), 0);
	}
	char octets[5];
	pop3_session_pull(p.session, octets, 5, p.now);
	CU_ASSERT_TRUE(pop3_session_wants(p.session).read);
	p.deaf = false;
	peer_run(&p);
	CU_ASSERT_EQUAL(p.received.length, 5 * 40000 - (full - left) - 5);
	text_clear(&p.received);
	peer_fini(&p);
}

static void a_big_message_needs_no_more_than_two_blocks(void)
{
	const size_t size = 8 * 1024 * 1024;
	char *octets = malloc(size);
	memset(octets, '\n', size);
	for (enum peer_source source = 0; source < PEER_SOURCES; source++) {
		struct peer p;
		peer_login(&p);
		p.messages[0] = (struct peer_message){octets, size, 2 * size, "id"};
		p.source = source;
		p.deaf = true;
		struct mallinfo2 before = mallinfo2();
		peer_send(&p, "RETR 1");
		struct mallinfo2 after = mallinfo2();
		CU_ASSERT(output_length(&p) <= BLOCK_SIZE);
		CU_ASSERT(output_length(&p) > OUTPUT_HIGH);
		CU_ASSERT(after.uordblks + after.hblkhd <
			  before.uordblks + before.hblkhd + SESSION_MEMORY_MAX);
		p.deaf = false;
		peer_run(&p);
		CU_ASSERT_EQUAL(p.received.length,
				strlen("+OK 16777216 octets\r\n") + 2 * size + 3);
		text_clear(&p.received);
		CU_ASSERT_PTR_NULL(p.session->output.block);
		CU_ASSERT_PTR_NULL(p.session->transfer.window);
		peer_fini(&p);
	}
	free(octets);
	test_count(3);
}

static void a_quiet_session_holds_no_block(void)
{
	struct peer p;
	peer_login(&p);
	CU_ASSERT_PTR_NULL(p.session->output.block);
	CU_ASSERT_PTR_NULL(p.session->line.partial);
	p.source = PEER_FROM_PULL;
	peer_send(&p, "LIST\nRETR 1\nUIDL\nCAPA");
	text_clear(&p.received);
	CU_ASSERT_PTR_NULL(p.session->output.block);
	CU_ASSERT_PTR_NULL(p.session->transfer.window);
	peer_fini(&p);
}

static void a_session_that_waits_for_a_file_holds_no_block(void)
{
	struct peer p;
	char octets[64];
	peer_login(&p);
	p.hold[EVENT_RETRIEVE] = true;
	peer_send(&p, "RETR 1");
	int descriptor = memfd_create("message", MFD_CLOEXEC);
	pop3_answer_descriptor(peer_take(&p, EVENT_RETRIEVE), descriptor, 0, 28, 28);
	context_collect(&p.context, p.now);
	CU_ASSERT_EQUAL(pop3_session_pull(p.session, octets, sizeof octets, p.now), 15);
	CU_ASSERT_TRUE(pop3_session_wants(p.session).load);
	CU_ASSERT_PTR_NULL(p.session->output.block);
	CU_ASSERT_PTR_NULL(p.session->transfer.window);
	peer_fini(&p);
}

/* ---- Long lists ---- */

#define MANY 100000

static void give_many(struct pop3_list *e, void *data)
{
	static uint64_t sizes[MANY];
	(void)data;
	for (size_t i = 0; i < MANY; i++)
		sizes[i] = i + 1;
	pop3_answer_list(e, sizes, MANY);
}

static void give_many_ids(struct pop3_uidl *e, void *data)
{
	static char text[MANY * 8];
	static uint32_t offsets[MANY];
	(void)data;
	for (uint32_t i = 0; i < MANY; i++) {
		offsets[i] = i * 8;
		snprintf(text + offsets[i], 8, "%06ui", (unsigned)(i + 1));
	}
	pop3_answer_uidl_block(e, text, offsets, MANY, NULL, NULL);
}

/* All but every tenth message, as "number value". */
static void check_many(struct peer *p, const char *head, bool ids)
{
	struct peer_text expected = {0};
	char line[64];
	text_append(&expected, head, strlen(head));
	for (unsigned i = 1; i <= MANY; i++) {
		if (i % 10 == 0)
			continue;
		int length = ids ? snprintf(line, sizeof line, "%u %06ui\r\n", i, i)
				 : snprintf(line, sizeof line, "%u %u\r\n", i, i);
		text_append(&expected, line, (size_t)length);
	}
	text_append(&expected, ".\r\n", 3);
	CU_ASSERT(peer_got_octets(p, expected.octets, expected.length));
	text_clear(&expected);
}

static void long_lists_stop_and_go_on(void)
{
	static const size_t reads[] = {0, 1000, 65536};
	for (size_t r = 0; r < 3; r++) {
		struct peer p;
		peer_init(&p);
		p.handlers.list = give_many;
		p.handlers.uidl = give_many_ids;
		p.read_max = reads[r];
		peer_connect(&p);
		text_clear(&p.received);
		peer_enter(&p);
		peer_send(&p, "STAT");
		CU_ASSERT(peer_got(&p, "+OK 100000 5000050000"));
		for (unsigned i = 10; i <= MANY; i += 10) {
			char command[32];
			snprintf(command, sizeof command, "DELE %u", i);
			peer_send(&p, command);
			text_clear(&p.received);
		}
		p.deaf = true;
		peer_send(&p, "LIST");
		CU_ASSERT(output_length(&p) <= BLOCK_SIZE);
		p.deaf = false;
		peer_run(&p);
		check_many(&p, "+OK 90000 messages (4500000000 octets)\r\n", false);
		peer_send(&p, "UIDL");
		check_many(&p, "+OK\r\n", true);
		peer_fini(&p);
	}
	test_count(3);
}

/* ---- Sizes that are wrong ---- */

static void wrong_size(struct peer *p)
{
	p->messages[0].size = 27;
}

static void a_wrong_size_is_an_error_event_and_list_keeps_its_number(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"RETR 1", "+OK 27 octets\nSubject: one\n\nfirst body\n."},
		{"LIST 1", "+OK 1 27"},
		{"TOP 1 9", "+OK\nSubject: one\n\nfirst body\n."},
		{"STAT", "+OK 3 76"},
		TURN_END,
	};
	peer_dialog(wrong_size, turns, NULL, "message 1 has 28 octets, 27 were announced");
}

static void give_own_size(struct pop3_retrieve *e, void *data)
{
	static const char text[] = "x\r\n";
	int descriptor = memfd_create("message", MFD_CLOEXEC);
	(void)data;
	CU_ASSERT_EQUAL(write(descriptor, text, 3), 3);
	pop3_answer_descriptor(e, descriptor, 0, 3, 3);
}

static void own_size(struct peer *p)
{
	p->handlers.retrieve = give_own_size;
}

static void the_size_that_comes_with_a_message_wins(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN, {"RETR 1", "+OK 3 octets\nx\n."}, {"LIST 1", "+OK 1 28"}, TURN_END};
	peer_dialog(own_size, turns, NULL, "");
}

/* ---- Sources that fail ---- */

static void give_short_file(struct pop3_retrieve *e, void *data)
{
	int descriptor = memfd_create("message", MFD_CLOEXEC);
	(void)data;
	CU_ASSERT_EQUAL(write(descriptor, "Subject: x\r\n", 12), 12);
	pop3_answer_descriptor(e, descriptor, 0, 28, 28);
}

static ssize_t pull_nothing_good(void *state, void *buffer, size_t size)
{
	int *calls = state;
	(void)size;
	if ((*calls)++ > 0)
		return -EIO;
	memcpy(buffer, "Subject: x\r\n", 12);
	return 12;
}

static ssize_t pull_too_much(void *state, void *buffer, size_t size)
{
	(void)state;
	(void)buffer;
	return (ssize_t)size + 1;
}

static void give_bad_pull(struct pop3_retrieve *e, void *data)
{
	static int calls;
	(void)data;
	calls = 0;
	pop3_answer_pull(e, pull_nothing_good, NULL, &calls, 28);
}

static void give_boasting_pull(struct pop3_retrieve *e, void *data)
{
	(void)data;
	pop3_answer_pull(e, pull_too_much, NULL, NULL, 28);
}

static void check_broken_source(void (*retrieve)(struct pop3_retrieve *, void *), const char *got,
				const char *error)
{
	struct peer p;
	peer_init(&p);
	p.handlers.retrieve = retrieve;
	peer_connect(&p);
	text_clear(&p.received);
	peer_enter(&p);
	peer_send(&p, "RETR 1\nNOOP");
	CU_ASSERT(peer_got(&p, got));
	CU_ASSERT(peer_failed(&p, error));
	text_clear(&p.trace);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, "closed alice error messages 0 octets 0 deleted 0"));
	peer_fini(&p);
	test_count(1);
}

static void a_source_that_ends_early_closes_without_the_final_dot(void)
{
	check_broken_source(give_short_file, "+OK 28 octets\nSubject: x",
			    "message 1: its file ended early");
	check_broken_source(give_bad_pull, "+OK 28 octets\nSubject: x",
			    "message 1: its source failed");
	check_broken_source(give_boasting_pull, "+OK 28 octets", "message 1: its source failed");
}

static void a_file_that_cannot_be_read_closes_without_the_final_dot(void)
{
	struct peer p;
	struct pop3_load load;
	peer_login(&p);
	p.hold[EVENT_RETRIEVE] = true;
	peer_send(&p, "RETR 1");
	pop3_answer_descriptor(peer_take(&p, EVENT_RETRIEVE), memfd_create("message", MFD_CLOEXEC),
			       0, 28, 28);
	context_collect(&p.context, p.now);
	CU_ASSERT(pop3_session_load(p.session, &load));
	pop3_session_loaded(p.session, -EIO, p.now);
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "+OK 28 octets"));
	CU_ASSERT(peer_failed(&p, "message 1: its file cannot be read"));
	CU_ASSERT(peer_is_closed(&p));
	peer_fini(&p);
}

static void top_reads_no_more_of_a_file_than_it_needs(void)
{
	const size_t size = 1024 * 1024;
	char *octets = malloc(size);
	memset(octets, 'x', size);
	memcpy(octets, "a\r\n\r\n", 5);
	struct peer p;
	peer_login(&p);
	p.messages[0] = (struct peer_message){octets, size, size + 2, "id"};
	p.source = PEER_FROM_PULL;
	p.chunk = 4096;
	peer_send(&p, "TOP 1 0");
	CU_ASSERT(peer_got(&p, "+OK\na\n\n."));
	CU_ASSERT_EQUAL(p.released, 1);
	peer_fini(&p);
	free(octets);
}

/* ---- Lists that contradict each other ---- */

static void illegal_id(struct peer *p)
{
	p->messages[1].id = "white space";
}

static void an_illegal_unique_id_is_an_error_event(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"UIDL 1", "+OK 1 id-one"},
		{"UIDL 2", "-ERR [SYS/TEMP] try again later"},
		{"UIDL", "-ERR [SYS/TEMP] try again later"},
		{"STAT", "+OK 3 77"},
		TURN_END,
	};
	peer_dialog(illegal_id, turns, NULL,
		    "a unique-id is illegal\n"
		    "the unique-ids are illegal or of another number than the list");
}

static void give_one_id(struct pop3_uidl *e, void *data)
{
	static const char *const ids[] = {"one"};
	(void)data;
	pop3_answer_uidl(e, ids, 1);
}

static void one_id(struct peer *p)
{
	p->handlers.uidl = give_one_id;
}

static void lists_of_different_length_are_an_error_event(void)
{
	static const struct turn sizes_first[] = {
		TURN_LOGIN,
		{"STAT", "+OK 3 77"},
		{"UIDL", "-ERR [SYS/TEMP] try again later"},
		{"RETR 3", "+OK 18 octets\nSubject: three\n\n."},
		TURN_END,
	};
	static const struct turn ids_first[] = {
		TURN_LOGIN,
		{"UIDL", "+OK\n1 one\n."},
		{"STAT", "-ERR [SYS/TEMP] try again later"},
		{"LIST 1", "+OK 1 28"},
		{"LIST 2", "-ERR no such message"},
		TURN_END,
	};
	peer_dialog(one_id, sizes_first, NULL,
		    "the unique-ids are illegal or of another number than the list");
	peer_dialog(one_id, ids_first, NULL, "the list does not fit what was said before");
}

static const struct test tests[] = {
	TEST(a_client_that_does_not_read_is_not_served_on),
	TEST(a_big_message_needs_no_more_than_two_blocks),
	TEST(a_quiet_session_holds_no_block),
	TEST(a_session_that_waits_for_a_file_holds_no_block),
	TEST(long_lists_stop_and_go_on),
	TEST(a_wrong_size_is_an_error_event_and_list_keeps_its_number),
	TEST(the_size_that_comes_with_a_message_wins),
	TEST(a_source_that_ends_early_closes_without_the_final_dot),
	TEST(a_file_that_cannot_be_read_closes_without_the_final_dot),
	TEST(top_reads_no_more_of_a_file_than_it_needs),
	TEST(an_illegal_unique_id_is_an_error_event),
	TEST(lists_of_different_length_are_an_error_event),
	TEST_END,
};

const struct test_suite suite_session_flow = {"session_flow", tests};
