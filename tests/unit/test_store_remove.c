/* Deleting while another program does things between any two steps of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/remove.h"
#include "unit/store_box.h"
#include "unit/store_hooks.h"

#define ASIDE(name) FOLDER_ASIDE name

/* ---- What the tests say ---- */

static const uint32_t first[] = {1};

/* A maildrop with one message, opened. */
static struct maildrop *begin(struct box *box)
{
	box_init(box);
	box_put("new/" MARKED, "one\n");
	return box_open(box);
}

static void end(struct box *box, struct maildrop *m)
{
	hooks_end();
	maildrop_close(m);
	box_fini(box);
}

/* DELE of the message and QUIT. */
static void commit(struct maildrop *m, enum store_result expected)
{
	size_t remaining = 999;
	CU_ASSERT_EQUAL(maildrop_commit(m, first, 1, &remaining), expected);
	CU_ASSERT_EQUAL(remaining, expected == STORE_OK ? 0 : 1);
}

/* The file is there and holds this. */
static void expect_file(const char *path, const char *text)
{
	char whole[512], found[64] = "";
	snprintf(whole, sizeof whole, "home/Maildir/%s", path);
	int file = open(whole, O_RDONLY);
	CU_ASSERT(file >= 0);
	if (file < 0)
		return;
	CU_ASSERT_EQUAL(read(file, found, sizeof found - 1), (ssize_t)strlen(text));
	CU_ASSERT_STRING_EQUAL(found, text);
	close(file);
}

static void put_another_in_its_place(void)
{
	box_put("tmp/other", "another\n");
	box_rename("tmp/other", "new/" MARKED);
}

static void put_a_third_in_its_place(void)
{
	box_put("new/" MARKED, "a third\n");
}

static void set_its_flags(void)
{
	box_rename("new/" MARKED, "cur/" MARKED ":2,RS");
}

static void remove_it(void)
{
	CU_ASSERT_EQUAL(unlink("home/Maildir/new/" MARKED), 0);
}

static void expect_another_stays(struct box *box)
{
	box_expect_log(box, "file=new/" MARKED " text=\"another file has its place: it is not "
			    "deleted\"");
	expect_file("new/" MARKED, "another\n");
	CU_ASSERT_EQUAL(box_count("new") + box_count("cur"), 1);
}

/* ---- Other programs in between ---- */

static void file_that_comes_between_the_look_and_the_deletion_stays(void)
{
	struct box box;
	struct maildrop *m = begin(&box);
	hooks.deeds[0] = put_another_in_its_place;
	commit(m, STORE_TEMPORARY);
	expect_another_stays(&box);
	end(&box, m);
}

static void two_files_that_come_one_after_the_other_stay(void)
{
	struct box box;
	struct maildrop *m = begin(&box);
	hooks.deeds[0] = put_another_in_its_place;
	hooks.deeds[1] = put_a_third_in_its_place;
	commit(m, STORE_TEMPORARY);
	box_expect_log(&box, "another file has its place");
	expect_file("new/" MARKED, "a third\n");
	expect_file("new/" MARKED ":2,", "another\n");
	end(&box, m);
}

static void message_that_is_flagged_between_the_look_and_the_deletion_goes(void)
{
	struct box box;
	struct maildrop *m = begin(&box);
	hooks.deeds[0] = set_its_flags;
	commit(m, STORE_OK);
	CU_ASSERT_EQUAL(box_count("new") + box_count("cur"), 0);
	end(&box, m);
}

static void message_that_vanishes_between_the_look_and_the_deletion_is_gone(void)
{
	struct box box;
	struct maildrop *m = begin(&box);
	hooks.deeds[0] = remove_it;
	commit(m, STORE_OK);
	end(&box, m);
}

/* ---- Inodes that are used again ---- */

static void file_with_the_inode_of_a_message_is_not_taken_for_it(void)
{
	struct box box;
	box_init(&box);
	box_put("new/" MARKED, "another\n");
	usleep(20000);
	struct maildrop *m = box_open(&box);
	usleep(20000);
	/* The same length, so that only its age can tell. */
	hooks_replace_with_inode("no more\n");
	commit(m, STORE_TEMPORARY);
	box_expect_log(&box, "another file has its place");
	expect_file("new/" MARKED, "no more\n");
	CU_ASSERT_EQUAL(box_count("new"), 1);
	end(&box, m);
}

/* Made in the very tick of the login: then another length tells. */
static void file_of_the_moment_of_the_login_is_judged_by_its_length(void)
{
	enum { ROUNDS = 50 };
	for (int round = 0; round < ROUNDS; round++) {
		struct box box;
		struct maildrop *m = begin(&box);
		hooks_replace_with_inode("another\n");
		commit(m, STORE_TEMPORARY);
		expect_another_stays(&box);
		end(&box, m);
	}
	test_count(ROUNDS);
}

static void birth_decides_only_where_it_can(void)
{
	static const struct births births = {.sure = {100, 0}, .last = {200, 0}};
	static const struct {
		const char *what;
		struct folder_file file;
		bool excluded;
	} cases[] = {
		{"older",
		 {.length = 5, .has_birth = true, .birth = {99, 9}, .changed = {300, 0}},
		 false},
		{"older, grown since",
		 {.length = 6, .has_birth = true, .birth = {99, 9}, .changed = {300, 0}},
		 false},
		{"between",
		 {.length = 5, .has_birth = true, .birth = {100, 0}, .changed = {300, 0}},
		 false},
		{"between, of another length",
		 {.length = 6, .has_birth = true, .birth = {200, 0}, .changed = {300, 0}},
		 true},
		{"younger",
		 {.length = 5, .has_birth = true, .birth = {200, 1}, .changed = {300, 0}},
		 true},
		{"of the future",
		 {.length = 5, .has_birth = true, .birth = {300, 1}, .changed = {300, 0}},
		 false},
		{"unknown", {.length = 6, .birth = {250, 0}, .changed = {300, 0}}, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (births_exclude(&births, &cases[i].file, 5) != cases[i].excluded)
			CU_FAIL(cases[i].what);
	test_count(sizeof cases / sizeof *cases);
}

/* As the disk may be full: else nobody could make room. */
static void message_is_deleted_where_no_second_name_can_be_had(void)
{
	static const int errors[] = {ENOSPC, EDQUOT};
	for (size_t i = 0; i < 2; i++) {
		struct box box;
		struct maildrop *m = begin(&box);
		hooks.rename_errors[0] = errors[i];
		commit(m, STORE_OK);
		CU_ASSERT_EQUAL(box_count("new"), 0);
		end(&box, m);

		/* Not without a look. */
		m = begin(&box);
		hooks.rename_errors[0] = errors[i];
		hooks.deeds[0] = put_another_in_its_place;
		commit(m, STORE_TEMPORARY);
		expect_another_stays(&box);
		end(&box, m);
	}
	test_count(4);
}

static void message_of_the_longest_name_is_deleted(void)
{
	char path[300];
	struct box box;
	box_init(&box);
	snprintf(path, sizeof path, "new/1.%0253d", 7);
	box_put(path, "long\n");
	struct maildrop *m = box_open(&box);
	commit(m, STORE_OK);
	CU_ASSERT_EQUAL(box_count("new"), 0);
	end(&box, m);
}

static void file_systems_that_always_replace_will_do(void)
{
	static const int errors[] = {EINVAL, ENOSYS};
	for (size_t i = 0; i < 2; i++) {
		struct box box;
		struct maildrop *m = begin(&box);
		hooks.rename_errors[0] = errors[i];
		commit(m, STORE_OK);
		CU_ASSERT_EQUAL(box_count("new"), 0);
		end(&box, m);

		m = begin(&box);
		box_put("new/" ASIDE(MARKED), "stranded\n");
		hooks.rename_errors[0] = errors[i];
		commit(m, STORE_TEMPORARY);
		box_expect_log(&box, "text=\"the message is not deleted\" error=\"File exists\"");
		expect_file("new/" MARKED, "one\n");
		expect_file("new/" ASIDE(MARKED), "stranded\n");
		end(&box, m);
	}
	test_count(4);
}

static void do_nothing(void)
{
}

static void file_that_comes_there_stays_on_file_systems_that_always_replace(void)
{
	struct box box;
	struct maildrop *m = begin(&box);
	hooks.rename_errors[0] = EINVAL;
	hooks.deeds[0] = do_nothing;
	hooks.deeds[1] = put_another_in_its_place;
	commit(m, STORE_OK);
	expect_file("new/" MARKED, "another\n");
	end(&box, m);
}

static void interrupted_calls_are_made_again(void)
{
	struct box box;
	struct maildrop *m = begin(&box);
	hooks.rename_errors[0] = EINTR;
	hooks.rename_errors[1] = EINTR;
	hooks.unlink_error = EINTR;
	commit(m, STORE_OK);
	CU_ASSERT_EQUAL(box_count("new"), 0);
	end(&box, m);
}

static void message_that_cannot_be_deleted_has_its_name_again(void)
{
	struct box box;
	struct maildrop *m = begin(&box);
	hooks.unlink_error = EIO;
	commit(m, STORE_TEMPORARY);
	box_expect_log(&box, "text=\"the message is not deleted\" error=\"Input/output error\"");
	expect_file("new/" MARKED, "one\n");
	CU_ASSERT_FALSE(box_has("new/" ASIDE(MARKED)));
	end(&box, m);
}

static void file_that_cannot_be_put_back_is_there_at_the_next_login(void)
{
	struct box box;
	struct maildrop *m = begin(&box);
	hooks.deeds[0] = put_another_in_its_place;
	hooks.rename_errors[1] = EIO;
	/* The message itself has gone when it was replaced. */
	commit(m, STORE_OK);
	box_expect_log(&box, "level=error event=store file=new/" MARKED
			     " text=\"a file is put aside until the next login\"");
	expect_file("new/" ASIDE(MARKED), "another\n");
	maildrop_close(m);
	m = box_open(&box);
	box_expect_log(&box, "put back what an interrupted QUIT had put aside");
	expect_file("new/" MARKED, "another\n");
	end(&box, m);
}

/* No folder shows that renaming works again. */
static void file_that_one_login_cannot_put_back_is_put_back_by_the_next(void)
{
	struct box box;
	box_init(&box);
	box_put("new/" ASIDE(MARKED), "one\n");
	usleep(20000); /* so that the folder is older than the login */
	hooks.rename_errors[0] = EIO;
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(maildrop_list_count(maildrop_frozen(m)), 0);
	box_expect_log(&box, "skipped: put aside by an interrupted QUIT, and cannot be put back");
	maildrop_close(m);
	m = box_open(&box);
	CU_ASSERT_EQUAL(maildrop_list_count(maildrop_frozen(m)), 1);
	box_expect_log(&box, "put back what an interrupted QUIT had put aside");
	expect_file("new/" MARKED, "one\n");
	end(&box, m);
}

/* ---- Marking as seen ---- */

/* RETR of the message and QUIT. */
static struct maildrop *begin_marking(struct box *box)
{
	box_init(box);
	box_put("new/" MARKED, "one\n");
	struct maildrop *m = box_open_with(box, true);
	maildrop_retrieved(m, 1);
	return m;
}

static void mark(struct maildrop *m)
{
	size_t remaining = 9;
	CU_ASSERT_EQUAL(maildrop_commit(m, NULL, 0, &remaining), STORE_OK);
	CU_ASSERT_EQUAL(remaining, 0);
}

static void file_that_comes_between_the_look_and_the_move_stays_new(void)
{
	struct box box;
	struct maildrop *m = begin_marking(&box);
	hooks.deeds[0] = put_another_in_its_place;
	mark(m);
	expect_file("new/" MARKED, "another\n");
	CU_ASSERT_EQUAL(box_count("cur"), 0);
	end(&box, m);
}

static void message_that_cannot_be_marked_has_its_name_again(void)
{
	struct box box;
	struct maildrop *m = begin_marking(&box);
	hooks.deeds[0] = do_nothing;
	hooks.rename_errors[1] = EIO;
	mark(m);
	box_expect_log(&box, "text=\"not marked as seen\" error=\"Input/output error\"");
	expect_file("new/" MARKED, "one\n");
	end(&box, m);
}

static void message_is_marked_where_no_second_name_can_be_had(void)
{
	struct box box;
	struct maildrop *m = begin_marking(&box);
	hooks.rename_errors[0] = ENOSPC;
	mark(m);
	expect_file("cur/" MARKED ":2,S", "one\n");
	CU_ASSERT_EQUAL(box_count("new"), 0);
	end(&box, m);
}

/* ---- Interrupted deletions ---- */

static void what_an_interrupted_quit_left_is_listed_again(void)
{
	static const char *const folders[] = {"new", "cur"};
	for (size_t i = 0; i < 2; i++) {
		char path[64], ids[4096];
		struct box box;
		box_init(&box);
		box_put("new/2.M1.x", "two\n");
		maildrop_close(box_open(&box));
		snprintf(path, sizeof path, "%s/%s", folders[i], ASIDE(MARKED ":2,S"));
		box_put(path, "one\n");
		struct maildrop *m = box_open(&box);
		CU_ASSERT_STRING_EQUAL(box_ids(m, ids), MARKED " 2.M1.x ");
		snprintf(path, sizeof path, "%s/%s", folders[i], MARKED ":2,S");
		expect_file(path, "one\n");
		box_expect_log(&box, "level=info event=store");
		commit(m, STORE_OK);
		CU_ASSERT_EQUAL(box_count(folders[i]), i == 0 ? 1 : 0);
		end(&box, m);
	}
	test_count(2);
}

static void what_an_interrupted_quit_left_replaces_nothing(void)
{
	struct box box;
	box_init(&box);
	box_put("new/" MARKED, "come since\n");
	box_put("new/" ASIDE(MARKED), "one\n");
	struct maildrop *m = box_open(&box);
	box_expect_log(&box, "put back what an interrupted QUIT had put aside");
	CU_ASSERT_EQUAL(maildrop_list_count(maildrop_frozen(m)), 2);
	expect_file("new/" MARKED, "come since\n");
	expect_file("new/" MARKED ":2,", "one\n");
	end(&box, m);
}

static void what_cannot_be_put_back_is_a_log_line(void)
{
	struct box box;
	box_init(&box);
	box_put("cur/" ASIDE(MARKED), "one\n");
	box_put("new/2.M1.x", "two\n");
	CU_ASSERT_EQUAL(chmod("home/Maildir/cur", 0555), 0);
	box_drop_powers();
	struct maildrop *m = box_open(&box);
	box_regain_powers();
	box_expect_log(&box,
		       "file=cur/" ASIDE(MARKED) " text=\"skipped: put aside by an "
						 "interrupted QUIT, and cannot be put back\"");
	box_expect_log(&box, "the index cannot be written");
	CU_ASSERT_EQUAL(maildrop_list_count(maildrop_frozen(m)), 1);
	CU_ASSERT_EQUAL(chmod("home/Maildir/cur", 0755), 0);
	end(&box, m);
}

static void other_hidden_files_are_left_alone(void)
{
	static const char *const names[] = {"new/.hidden", "cur/.pop3-emitter",
					    "new/.pop3-emitter-1.M1.x"};
	struct box box;
	box_init(&box);
	for (size_t i = 0; i < 3; i++)
		box_put(names[i], "not mail\n");
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(maildrop_list_count(maildrop_frozen(m)), 0);
	for (size_t i = 0; i < 3; i++)
		CU_ASSERT(box_has(names[i]));
	end(&box, m);
}

static const struct test tests[] = {
	TEST(file_that_comes_between_the_look_and_the_deletion_stays),
	TEST(two_files_that_come_one_after_the_other_stay),
	TEST(message_that_is_flagged_between_the_look_and_the_deletion_goes),
	TEST(message_that_vanishes_between_the_look_and_the_deletion_is_gone),
	TEST(file_with_the_inode_of_a_message_is_not_taken_for_it),
	TEST(file_of_the_moment_of_the_login_is_judged_by_its_length),
	TEST(birth_decides_only_where_it_can),
	TEST(message_is_deleted_where_no_second_name_can_be_had),
	TEST(message_of_the_longest_name_is_deleted),
	TEST(file_systems_that_always_replace_will_do),
	TEST(file_that_comes_there_stays_on_file_systems_that_always_replace),
	TEST(interrupted_calls_are_made_again),
	TEST(message_that_cannot_be_deleted_has_its_name_again),
	TEST(file_that_cannot_be_put_back_is_there_at_the_next_login),
	TEST(file_that_one_login_cannot_put_back_is_put_back_by_the_next),
	TEST(file_that_comes_between_the_look_and_the_move_stays_new),
	TEST(message_that_cannot_be_marked_has_its_name_again),
	TEST(message_is_marked_where_no_second_name_can_be_had),
	TEST(what_an_interrupted_quit_left_is_listed_again),
	TEST(what_an_interrupted_quit_left_replaces_nothing),
	TEST(what_cannot_be_put_back_is_a_log_line),
	TEST(other_hidden_files_are_left_alone),
	TEST_END,
};
const struct test_suite suite_store_remove = {"store_remove", tests};
