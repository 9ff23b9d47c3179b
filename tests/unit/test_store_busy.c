/* What a login makes of folders in which others are busy while it reads them. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/store_box.h"
#include "unit/store_hooks.h"

static void expect_ids(const struct maildrop *m, const char *expected)
{
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids), expected);
}

/* So that what was done before and what comes after have different times. */
static void let_time_pass(void)
{
	usleep(20000);
}

static void move_from_cur_to_new(void)
{
	hooks.before_cur = NULL;
	box_rename("cur/" MARKED ":2,S", "new/" MARKED);
}

/* No index knows it, so nothing but the change of cur/ tells that it may have been missed. */
static void message_that_goes_back_to_new_is_not_missed(void)
{
	struct box box;
	box_init(&box);
	box_put("cur/" MARKED ":2,S", "one\n");
	box_put("cur/2.M1.x:2,S", "two\n");
	let_time_pass();
	hooks.before_cur = move_from_cur_to_new;
	struct maildrop *m = box_open(&box);
	expect_ids(m, MARKED " 2.M1.x ");
	CU_ASSERT_PTR_NULL(hooks.before_cur);
	hooks_end();
	maildrop_close(m);
	box_fini(&box);
}

static unsigned readings;

static void deliver(void)
{
	char name[32];
	snprintf(name, sizeof name, "new/%u.M2.x", 100 + readings++);
	box_put(name, "meanwhile\n");
}

/* What comes hides nothing: it may wait for the next login. */
static void deliveries_are_no_reason_to_read_again(void)
{
	struct box box;
	box_init(&box);
	box_put("cur/" MARKED ":2,S", "one\n");
	let_time_pass();
	readings = 0;
	hooks.before_cur = deliver;
	struct maildrop *m = box_open(&box);
	expect_ids(m, MARKED " ");
	CU_ASSERT_EQUAL(readings, 1);
	hooks_end();
	maildrop_close(m);
	box_fini(&box);
}

static void deliver_and_flag(void)
{
	char name[32];
	deliver();
	snprintf(name, sizeof name, "cur/%u.M3.x:2,S", 100 + readings);
	box_put(name, "as if moved here\n");
}

/*
 * A message goes, and others are so busy that nobody can tell. Then a file gets its place and its
 * inode that was made before the login, but after the message was seen.
 */
static void expect_other_of_the_same_inode_stays(int logins)
{
	static const uint32_t first[] = {1};
	struct stat before, after;
	size_t remaining = 0;
	struct box box;
	box_init(&box);
	box_put("new/" MARKED, "one\n");
	let_time_pass();
	maildrop_close(box_open(&box));
	let_time_pass();
	CU_ASSERT_EQUAL(stat("home/Maildir/new/" MARKED, &before), 0);
	box_put("tmp/other", "another\n");
	CU_ASSERT_EQUAL(stat("home/Maildir/tmp/other", &after), 0);
	CU_ASSERT_EQUAL(unlink("home/Maildir/new/" MARKED), 0);
	box_put("cur/2.M1.x:2,S", "two\n");
	let_time_pass();

	struct maildrop *m = NULL;
	for (int login = 0; login < logins; login++) {
		maildrop_close(m);
		readings = 10 * (unsigned)login;
		hooks.before_cur = deliver_and_flag;
		m = box_open(&box);
		hooks.before_cur = NULL;
		CU_ASSERT_EQUAL(readings, 10 * (unsigned)login + 3);
		char ids[4096];
		CU_ASSERT_PTR_NOT_NULL(strstr(box_ids(m, ids), MARKED " 2.M1.x "));
		let_time_pass();
	}
	box_rename("tmp/other", "new/" MARKED);
	hooks.real = after.st_ino;
	hooks.told = before.st_ino;
	CU_ASSERT_EQUAL(maildrop_commit(m, first, 1, &remaining), STORE_TEMPORARY);
	box_expect_log(&box, "another file has its place");
	CU_ASSERT(box_has("new/" MARKED));
	hooks_end();
	maildrop_close(m);
	box_fini(&box);
}

static void message_that_may_be_gone_is_not_taken_for_another(void)
{
	expect_other_of_the_same_inode_stays(1);
	expect_other_of_the_same_inode_stays(2);
	test_count(2);
}

static const struct test tests[] = {
	TEST(message_that_goes_back_to_new_is_not_missed),
	TEST(deliveries_are_no_reason_to_read_again),
	TEST(message_that_may_be_gone_is_not_taken_for_another),
	TEST_END,
};
const struct test_suite suite_store_busy = {"store_busy", tests};
