/* Odd maildrops, and what comes to be odd while a session runs. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/octets.h"
#include "unit/store_box.h"

#define UNREADABLE "text=\"skipped: unreadable, size unknown\" error=\"Permission denied\" count=1"

/* Old enough that a later change bears another time. */
static void let_time_pass(void)
{
	usleep(30000);
}

/* A box whose maildrop anybody may write to, and nobody has powers over. */
static void init_powerless(struct box *box)
{
	box_init(box);
	box_put("new/1.M1.x", "one\n");
	box_put("new/2.M1.x", "second\n");
	if (chmod("home/Maildir", 0777) < 0)
		abort();
}

static void set_mode(const char *path, mode_t mode)
{
	box_regain_powers();
	if (chmod(path, mode) < 0)
		abort();
	box_drop_powers();
}

static void login_lists(struct box *box, const char *expected)
{
	char ids[4096];
	struct maildrop *m = box_open(box);
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids), expected);
	maildrop_close(m);
}

/* A mode is not its folder's: nothing there shows that it has changed. */
static void message_that_becomes_readable_is_listed(void)
{
	struct box box;
	init_powerless(&box);
	set_mode("home/Maildir/new/2.M1.x", 0);
	let_time_pass();
	for (int login = 0; login < 3; login++) {
		login_lists(&box, "1.M1.x ");
		box_expect_log(&box, UNREADABLE);
	}
	set_mode("home/Maildir/new/2.M1.x", 0644);
	login_lists(&box, "1.M1.x 2.M1.x ");
	box_regain_powers();
	box_fini(&box);
}

static void known_message_that_becomes_unreadable_stays_listed(void)
{
	struct box box;
	init_powerless(&box);
	box_drop_powers();
	let_time_pass();
	login_lists(&box, "1.M1.x 2.M1.x ");
	set_mode("home/Maildir/new/2.M1.x", 0);
	box_regain_powers();
	box_rename("new/2.M1.x", "cur/2.M1.x:2,F");
	box_drop_powers();
	for (int login = 0; login < 2; login++) {
		struct maildrop *m = box_open(&box);
		CU_ASSERT_EQUAL_FATAL(maildrop_list_count(maildrop_frozen(m)), 2);
		CU_ASSERT_EQUAL(maildrop_list_sizes(maildrop_frozen(m))[1], 8);
		int descriptor;
		uint64_t length, octets;
		CU_ASSERT_EQUAL(maildrop_message(m, 2, &descriptor, &length, &octets),
				STORE_PERMANENT);
		box_expect_log(&box, "file=\"cur/2.M1.x:2,F\" text=\"cannot open the message\"");
		maildrop_close(m);
	}
	box_regain_powers();
	box_fini(&box);
}

/* ---- In a session ---- */

/* Message 1 of an open maildrop, and QUIT with it marked: neither works, and nothing is lost. */
static void expect_out_of_reach(struct box *box, struct maildrop *m, enum store_result result,
				const char *error)
{
	int descriptor = -1;
	uint64_t length, octets;
	size_t remaining = 0;
	char line[128];
	CU_ASSERT_EQUAL(maildrop_message(m, 1, &descriptor, &length, &octets), result);
	CU_ASSERT_EQUAL(descriptor, -1);
	snprintf(line, sizeof line, "text=\"cannot open the message\" error=\"%s\"", error);
	box_expect_log(box, line);
	const uint32_t first[] = {1};
	CU_ASSERT_EQUAL(maildrop_commit(m, first, 1, &remaining), result);
	CU_ASSERT_EQUAL(remaining, 1);
	snprintf(line, sizeof line, "text=\"no message is deleted\"");
	box_expect_log(box, line);
}

static void folder_that_is_moved_away_does_not_take_its_messages_for_gone(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "one\n");
	struct maildrop *m = box_open(&box);
	box_rename("new", "elsewhere");
	expect_out_of_reach(&box, m, STORE_TEMPORARY, "Stale file handle");
	box_rename("elsewhere", "new");
	CU_ASSERT(box_has("new/1.M1.x"));
	maildrop_close(m);
	box_fini(&box);
}

/* The file behind the link has the name of the message. */
static void link_in_the_place_of_a_folder_is_not_followed(void)
{
	struct box box;
	for (int folder = 0; folder < 2; folder++) {
		const char *name = folder == 0 ? "new" : "cur";
		char path[32];
		box_init(&box);
		snprintf(path, sizeof path, "%s/1.M1.x", name);
		box_put(path, "one\n");
		CU_ASSERT_EQUAL(mkdir("outside", 0755), 0);
		CU_ASSERT_EQUAL(system("echo secret >outside/1.M1.x"), 0);
		struct maildrop *m = box_open(&box);
		box_rename(name, "elsewhere");
		snprintf(path, sizeof path, "home/Maildir/%s", name);
		CU_ASSERT_EQUAL(symlink("../../outside", path), 0);
		expect_out_of_reach(&box, m, STORE_PERMANENT, "Not a directory");
		CU_ASSERT_EQUAL(access("outside/1.M1.x", F_OK), 0);
		maildrop_close(m);
		box_fini(&box);
	}
	test_count(2);
}

/* ---- Holes ---- */

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What takes no space on disk takes no time to count either. */
static void holes_are_counted_without_being_read(void)
{
	static const uint64_t length = UINT64_C(256) << 30;
	struct octets o = {0};
	FILE *file = tmpfile();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	double begun = seconds();

	/* A hole alone: a line without an end. */
	CU_ASSERT_EQUAL_FATAL(ftruncate(fileno(file), (off_t)length), 0);
	CU_ASSERT_EQUAL(octets_count(fileno(file), length, &o), 0);
	CU_ASSERT_EQUAL(o.length, length);
	CU_ASSERT_EQUAL(octets_total(&o), length + 2);

	/* Bare LFs before, between and behind holes. */
	CU_ASSERT_EQUAL(pwrite(fileno(file), "a\nb\r\n", 5, 0), 5);
	CU_ASSERT_EQUAL(pwrite(fileno(file), "\n", 1, (off_t)(length / 2)), 1);
	CU_ASSERT_EQUAL(pwrite(fileno(file), "x\n\n", 3, (off_t)length - 3), 3);
	CU_ASSERT_EQUAL(octets_count(fileno(file), length, &o), 0);
	CU_ASSERT_EQUAL(o.length, length);
	CU_ASSERT_EQUAL(octets_total(&o), length + 4);

	/* Only a part, which ends in a hole; and more than there is. */
	CU_ASSERT_EQUAL(octets_count(fileno(file), length / 4 + 1, &o), 0);
	CU_ASSERT_EQUAL(o.length, length / 4 + 1);
	CU_ASSERT_EQUAL(octets_total(&o), length / 4 + 1 + 1 + 2);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fileno(file), 1000000), 0);
	CU_ASSERT_EQUAL(octets_count(fileno(file), length, &o), 0);
	CU_ASSERT_EQUAL(o.length, 1000000);
	CU_ASSERT_EQUAL(octets_total(&o), 1000000 + 1 + 2);
	CU_ASSERT(seconds() - begun < 5);
	fclose(file);
}

static const struct test tests[] = {
	TEST(message_that_becomes_readable_is_listed),
	TEST(known_message_that_becomes_unreadable_stays_listed),
	TEST(folder_that_is_moved_away_does_not_take_its_messages_for_gone),
	TEST(link_in_the_place_of_a_folder_is_not_followed),
	TEST(holes_are_counted_without_being_read),
	TEST_END,
};
const struct test_suite suite_store_odd = {"store_odd", tests};
