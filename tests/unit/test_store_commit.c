/* Reading messages, and what QUIT does: nothing lost, nothing deleted that was not asked for. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/store_box.h"

/* Message `msgno` can be read and is this; its size as sent is `octets`. */
static void expect_text(struct maildrop *m, size_t msgno, const char *text, uint64_t octets)
{
	int descriptor = -1;
	uint64_t length = 0;
	uint64_t sent = 0;
	char buffer[256] = "";
	CU_ASSERT_EQUAL_FATAL(maildrop_message(m, msgno, &descriptor, &length, &sent), STORE_OK);
	CU_ASSERT_EQUAL(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	CU_ASSERT_EQUAL(pread(descriptor, buffer, sizeof buffer - 1, 0), (ssize_t)strlen(text));
	CU_ASSERT_STRING_EQUAL(buffer, text);
	CU_ASSERT_EQUAL(length, strlen(text));
	CU_ASSERT_EQUAL(sent, octets);
	close(descriptor);
}

static void expect_no_message(struct maildrop *m, size_t msgno, enum store_result expected)
{
	int descriptor = -5;
	uint64_t length = 5;
	uint64_t octets = 5;
	CU_ASSERT_EQUAL(maildrop_message(m, msgno, &descriptor, &length, &octets), expected);
	CU_ASSERT(descriptor == -5 && length == 5 && octets == 5);
}

/* Delete these (a list that ends with 0); so many must remain. */
static void expect_commit(struct maildrop *m, const uint32_t *messages, enum store_result result,
			  size_t left)
{
	size_t count = 0;
	size_t remaining = 999;
	while (messages[count] != 0)
		count++;
	CU_ASSERT_EQUAL(maildrop_commit(m, messages, count, &remaining), result);
	CU_ASSERT_EQUAL(remaining, left);
}

#define MESSAGES(...) ((const uint32_t[]){__VA_ARGS__, 0})

/* Three messages: 1 and 3 in new/, 2 in cur/. */
static void put_three(void)
{
	box_put("new/1.M1.x", "one\n");
	box_put("cur/2.M1.x:2,S", "two\r\n");
	box_put("new/3.M1.x,S=5,W=6", "three");
}

static void message_is_found_wherever_it_was_moved(void)
{
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open(&box);
	expect_text(m, 1, "one\n", 5);
	expect_text(m, 2, "two\r\n", 5);
	box_rename("new/1.M1.x", "cur/1.M1.x:2,S");
	expect_text(m, 1, "one\n", 5);
	box_rename("cur/1.M1.x:2,S", "cur/1.M1.x;2,DFRST");
	expect_text(m, 1, "one\n", 5);
	box_rename("cur/1.M1.x;2,DFRST", "new/1.M1.x");
	box_rename("cur/2.M1.x:2,S", "new/2.M1.x:1,x");
	expect_text(m, 1, "one\n", 5);
	expect_text(m, 2, "two\r\n", 5);
	maildrop_close(m);
	box_fini(&box);
}

/* One that has its base name, and lies where it was or might be, is not shown in its place. */
static void message_is_found_before_another_with_its_base_name(void)
{
	static const char *const places[] = {"new/1.M1.x", "cur/1.M1.x:2,S", "cur/1.M1.x"};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct box box;
		box_init(&box);
		put_three();
		struct maildrop *m = box_open(&box);
		box_rename("new/1.M1.x", "cur/1.M1.x:2,FRS");
		box_put(places[i], "another\n");
		expect_text(m, 1, "one\n", 5);
		expect_commit(m, MESSAGES(1), STORE_OK, 0);
		CU_ASSERT(box_has(places[i]) && !box_has("cur/1.M1.x:2,FRS"));
		maildrop_close(m);
		box_fini(&box);
	}
	test_count(sizeof places / sizeof *places);
}

static void vanished_message_is_no_message(void)
{
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open(&box);
	expect_no_message(m, 0, STORE_NO_SUCH_MESSAGE);
	expect_no_message(m, 4, STORE_NO_SUCH_MESSAGE);
	CU_ASSERT_EQUAL(unlink("home/Maildir/new/1.M1.x"), 0);
	expect_no_message(m, 1, STORE_NO_SUCH_MESSAGE);
	box_expect_log(&box, "file=new/1.M1.x text=\"cannot open the message\"");
	maildrop_close(m);
	box_fini(&box);
}

static void file_that_changed_its_size_is_counted_again(void)
{
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open(&box);
	box_put("new/1.M1.x", "one and\na half\n");
	expect_text(m, 1, "one and\na half\n", 17);
	box_expect_log(&box, "file=new/1.M1.x text=\"the message has changed its size\"");
	CU_ASSERT_EQUAL(maildrop_list_sizes(maildrop_frozen(m))[0], 5);

	/* Another file under the same base name, as editors make. */
	box_put("tmp/new", "edited\n");
	box_rename("tmp/new", "cur/2.M1.x:2,S");
	expect_text(m, 2, "edited\n", 8);
	box_expect_log(&box, "file=\"cur/2.M1.x:2,S\" text=\"the message has changed its size\"");
	maildrop_close(m);
	box_fini(&box);
}

static void link_in_place_of_a_message_is_not_followed(void)
{
	struct box box;
	box_init(&box);
	put_three();
	box_put("secret", "secret\n");
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(system("cd home/Maildir/new && rm 1.M1.x && ln -s ../secret 1.M1.x && "
			       "rm 3.M1.x,S=5,W=6 && mkfifo 3.M1.x,S=5,W=6"),
			0);
	expect_no_message(m, 1, STORE_NO_SUCH_MESSAGE);
	box_expect_log(&box, "cannot open the message");
	expect_no_message(m, 3, STORE_NO_SUCH_MESSAGE);
	box_expect_log(&box, "cannot open the message");
	expect_commit(m, MESSAGES(1, 3), STORE_TEMPORARY, 2);
	box_expect_log(&box, "file=new/1.M1.x text=\"another file has its place");
	box_expect_log(&box, "file=\"new/3.M1.x,S=5,W=6\" text=\"another file has its place");
	CU_ASSERT(box_has("secret") && box_has("new/1.M1.x"));
	maildrop_close(m);
	box_fini(&box);
}

static void commit_deletes_the_marked_and_no_other(void)
{
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open(&box);
	box_put("new/4.M1.x", "delivered meanwhile\n");
	expect_commit(m, MESSAGES(1, 2), STORE_OK, 0);
	CU_ASSERT_FALSE(box_has("new/1.M1.x") || box_has("cur/2.M1.x:2,S"));
	CU_ASSERT(box_has("new/3.M1.x,S=5,W=6") && box_has("new/4.M1.x"));
	maildrop_close(m);
	box_fini(&box);
}

static void close_without_commit_deletes_nothing(void)
{
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open_with(&box, true);
	expect_text(m, 1, "one\n", 5);
	maildrop_retrieved(m, 1);
	maildrop_close(m);
	CU_ASSERT_EQUAL(box_count("new"), 2);
	CU_ASSERT_EQUAL(box_count("cur"), 1);
	box_fini(&box);
}

static void commit_finds_messages_whose_flags_were_changed(void)
{
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open(&box);
	box_rename("new/1.M1.x", "cur/1.M1.x:2,S");
	box_rename("cur/2.M1.x:2,S", "new/2.M1.x");
	box_rename("new/3.M1.x,S=5,W=6", "new/3.M1.x,S=5,W=6!1,y");
	expect_commit(m, MESSAGES(1, 2, 3), STORE_OK, 0);
	CU_ASSERT_EQUAL(box_count("new") + box_count("cur"), 0);
	maildrop_close(m);
	box_fini(&box);
}

static void message_that_vanished_counts_as_gone(void)
{
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(unlink("home/Maildir/new/1.M1.x"), 0);
	expect_commit(m, MESSAGES(1, 2), STORE_OK, 0);
	CU_ASSERT_EQUAL(box_count("new"), 1);
	CU_ASSERT_EQUAL(box_count("cur"), 0);
	maildrop_close(m);
	box_fini(&box);
}

static void file_that_took_a_message_s_place_is_not_deleted(void)
{
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open(&box);
	box_put("tmp/other", "not seen by the client\n");
	box_rename("tmp/other", "new/1.M1.x");
	expect_commit(m, MESSAGES(1, 2), STORE_TEMPORARY, 1);
	box_expect_log(&box, "session=7 level=error event=store file=new/1.M1.x "
			     "text=\"another file has its place: it is not deleted\"");
	CU_ASSERT(box_has("new/1.M1.x"));
	CU_ASSERT_FALSE(box_has("cur/2.M1.x:2,S"));
	maildrop_close(m);
	box_fini(&box);
}

static void only_the_marked_of_two_with_one_base_name_is_deleted(void)
{
	for (uint32_t which = 1; which <= 2; which++) {
		struct box box;
		box_init(&box);
		box_put("new/1.M1.x", "first\n");
		box_put("cur/1.M1.x:2,S", "the second\n");
		struct maildrop *m = box_open(&box);
		uint64_t other = maildrop_list_sizes(maildrop_frozen(m))[2 - which];
		/* They change places, which a look at names alone would not see. */
		box_rename("new/1.M1.x", "cur/1.M1.x:2,F");
		box_rename("cur/1.M1.x:2,S", "new/1.M1.x");
		if (other == 12)
			expect_text(m, which, "first\n", 7);
		else
			expect_text(m, which, "the second\n", 12);
		expect_commit(m, MESSAGES(which), STORE_OK, 0);
		maildrop_close(m);
		m = box_open(&box);
		CU_ASSERT_EQUAL(maildrop_list_octets(maildrop_frozen(m)), other);
		maildrop_close(m);
		box_fini(&box);
	}
}

static void vanished_one_of_two_with_one_base_name_counts_as_gone(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "first\n");
	box_put("cur/1.M1.x:2,S", "the second\n");
	struct maildrop *m = box_open(&box);
	uint32_t first = maildrop_list_sizes(maildrop_frozen(m))[0] == 7 ? 1 : 2;
	CU_ASSERT_EQUAL(unlink("home/Maildir/new/1.M1.x"), 0);
	expect_commit(m, MESSAGES(first), STORE_OK, 0);
	CU_ASSERT(box_has("cur/1.M1.x:2,S"));
	maildrop_close(m);
	box_fini(&box);
}

static void every_name_of_a_deleted_message_goes(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "one\n");
	CU_ASSERT_EQUAL(link("home/Maildir/new/1.M1.x", "home/Maildir/cur/1.M1.x:2,S"), 0);
	CU_ASSERT_EQUAL(link("home/Maildir/new/1.M1.x", "home/kept"), 0);
	struct maildrop *m = box_open(&box);
	expect_commit(m, MESSAGES(1), STORE_OK, 0);
	CU_ASSERT_EQUAL(box_count("new") + box_count("cur"), 0);
	CU_ASSERT_EQUAL(access("home/kept", F_OK), 0);
	maildrop_close(m);
	box_fini(&box);
}

static void commit_goes_on_after_a_failure(void)
{
	struct box box;
	box_init(&box);
	put_three();
	CU_ASSERT_EQUAL(chmod("home/Maildir/new", 0555), 0);
	CU_ASSERT_EQUAL(chmod("home/Maildir/cur", 0777), 0);
	box_drop_powers();
	struct maildrop *m = box_open(&box);
	box_expect_log(&box, "text=\"the index cannot be written\"");
	expect_commit(m, MESSAGES(1, 2, 3), STORE_PERMANENT, 2);
	box_regain_powers();
	box_expect_log(&box, "file=new/1.M1.x text=\"the message is not deleted\"");
	box_expect_log(&box, "file=\"new/3.M1.x,S=5,W=6\" text=\"the message is not deleted\"");
	CU_ASSERT_EQUAL(box_count("new"), 2);
	CU_ASSERT_EQUAL(box_count("cur"), 0);
	maildrop_close(m);
	box_fini(&box);
}

static void commit_without_its_folders_says_that_all_remain(void)
{
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open(&box);
	box_rename("cur", "away");
	expect_commit(m, MESSAGES(1, 2), STORE_TEMPORARY, 2);
	box_expect_log(&box, "text=\"no message is deleted\"");
	CU_ASSERT(box_has("new/1.M1.x"));
	maildrop_close(m);
	box_fini(&box);
}

static void wrong_message_numbers_delete_nothing(void)
{
	static const uint32_t wrong[][3] = {{4, 0, 0}, {2, 1, 0}, {1, 1, 0}, {1, 4, 0}};
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open(&box);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		size_t remaining = 0;
		CU_ASSERT_NOT_EQUAL(
			maildrop_commit(m, wrong[i], wrong[i][1] == 0 ? 1 : 2, &remaining),
			STORE_OK);
		CU_ASSERT_EQUAL(remaining, wrong[i][1] == 0 ? 1 : 2);
		box_expect_log(&box, "no message is deleted");
	}
	CU_ASSERT_EQUAL(box_count("new") + box_count("cur"), 3);
	maildrop_close(m);
	box_fini(&box);
}

static void retrieved_messages_become_seen_if_wanted(void)
{
	struct box box;
	box_init(&box);
	put_three();
	box_put("new/4.M1.x", "four\n");
	struct maildrop *m = box_open_with(&box, true);
	maildrop_retrieved(m, 1);
	maildrop_retrieved(m, 2);
	maildrop_retrieved(m, 3);
	maildrop_retrieved(m, 99);
	expect_commit(m, MESSAGES(1), STORE_OK, 0);
	CU_ASSERT_FALSE(box_has("new/1.M1.x") || box_has("cur/1.M1.x:2,S"));
	CU_ASSERT(box_has("cur/2.M1.x:2,S") && box_has("cur/3.M1.x,S=5,W=6:2,S"));
	CU_ASSERT(box_has("new/4.M1.x"));
	CU_ASSERT_EQUAL(box_count("new") + box_count("cur"), 3);
	maildrop_close(m);

	m = box_open(&box);
	maildrop_retrieved(m, 3);
	size_t remaining = 9;
	CU_ASSERT_EQUAL(maildrop_commit(m, NULL, 0, &remaining), STORE_OK);
	CU_ASSERT_EQUAL(remaining, 0);
	CU_ASSERT(box_has("new/4.M1.x"));
	maildrop_close(m);
	box_fini(&box);
}

static void marking_as_seen_replaces_no_message(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "one\n");
	box_put("new/2.M1.x", "two\n");
	struct maildrop *m = box_open_with(&box, true);
	box_put("cur/1.M1.x:2,S", "another\n");
	maildrop_retrieved(m, 1);
	maildrop_retrieved(m, 2);
	size_t remaining = 9;
	CU_ASSERT_EQUAL(maildrop_commit(m, NULL, 0, &remaining), STORE_OK);
	CU_ASSERT(box_has("new/1.M1.x") && box_has("cur/1.M1.x:2,S") && box_has("cur/2.M1.x:2,S"));
	struct stat status;
	CU_ASSERT_EQUAL(stat("home/Maildir/cur/1.M1.x:2,S", &status), 0);
	CU_ASSERT_EQUAL(status.st_size, 8);
	maildrop_close(m);
	box_fini(&box);
}

static void marking_that_fails_is_no_failure_of_quit(void)
{
	struct box box;
	box_init(&box);
	put_three();
	struct maildrop *m = box_open_with(&box, true);
	maildrop_retrieved(m, 1);
	maildrop_retrieved(m, 3);
	CU_ASSERT_EQUAL(chmod("home/Maildir/cur", 0555), 0);
	box_drop_powers();
	size_t remaining = 9;
	CU_ASSERT_EQUAL(maildrop_commit(m, NULL, 0, &remaining), STORE_OK);
	box_regain_powers();
	CU_ASSERT_EQUAL(remaining, 0);
	box_expect_log(&box, "text=\"not marked as seen\" error=\"Permission denied\" count=2");
	CU_ASSERT_EQUAL(box_count("new"), 2);
	maildrop_close(m);
	box_fini(&box);
}

static void many_messages_are_deleted_at_once(void)
{
	enum { MANY = 3000 };
	static uint32_t all[MANY];
	struct box box;
	box_init(&box);
	for (uint32_t i = 0; i < MANY; i++) {
		char name[64];
		snprintf(name, sizeof name, "new/%u.M1.x,S=0,W=0", i);
		box_put(name, "");
		all[i] = i + 1;
	}
	struct maildrop *m = box_open(&box);
	/* A third moved, a third vanished. */
	for (uint32_t i = 0; i < MANY; i++) {
		char name[64];
		char moved[64];
		snprintf(name, sizeof name, "new/%u.M1.x,S=0,W=0", i);
		snprintf(moved, sizeof moved, "cur/%u.M1.x,S=0,W=0:2,RS", i);
		box_rename(name, i % 3 == 0 ? moved : i % 3 == 1 ? "vanished" : name);
	}
	size_t remaining = 9;
	CU_ASSERT_EQUAL(maildrop_commit(m, all, MANY - 1, &remaining), STORE_OK);
	CU_ASSERT_EQUAL(remaining, 0);
	CU_ASSERT_EQUAL(box_count("new"), 1);
	CU_ASSERT_EQUAL(box_count("cur"), 0);
	test_count(MANY);
	maildrop_close(m);
	box_fini(&box);
}

static const struct test tests[] = {
	TEST(message_is_found_wherever_it_was_moved),
	TEST(message_is_found_before_another_with_its_base_name),
	TEST(vanished_message_is_no_message),
	TEST(file_that_changed_its_size_is_counted_again),
	TEST(link_in_place_of_a_message_is_not_followed),
	TEST(commit_deletes_the_marked_and_no_other),
	TEST(close_without_commit_deletes_nothing),
	TEST(commit_finds_messages_whose_flags_were_changed),
	TEST(message_that_vanished_counts_as_gone),
	TEST(file_that_took_a_message_s_place_is_not_deleted),
	TEST(only_the_marked_of_two_with_one_base_name_is_deleted),
	TEST(vanished_one_of_two_with_one_base_name_counts_as_gone),
	TEST(every_name_of_a_deleted_message_goes),
	TEST(commit_goes_on_after_a_failure),
	TEST(commit_without_its_folders_says_that_all_remain),
	TEST(wrong_message_numbers_delete_nothing),
	TEST(retrieved_messages_become_seen_if_wanted),
	TEST(marking_as_seen_replaces_no_message),
	TEST(marking_that_fails_is_no_failure_of_quit),
	TEST(many_messages_are_deleted_at_once),
	TEST_END,
};
const struct test_suite suite_store_commit = {"store_commit", tests};
