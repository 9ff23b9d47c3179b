/*
 * What is told to be on disk has been synced first, and what cannot be synced is not told. This
 * program's own fsync(2) notes what it is asked for, and fails where a test wants it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pop3_maildir.h"
#include "unit/store_box.h"

/* What was synced, as "file " or the last name of the folder, and how much was in new/ then. */
static char synced[256];
static bool watching, fail_files, fail_folders;

static void note(int descriptor, bool folder)
{
	char link[64], path[512] = "";
	size_t length = strlen(synced);
	snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
	if (readlink(link, path, sizeof path - 1) < 0)
		return;
	const char *name = folder ? strrchr(path, '/') + 1 : "file";
	snprintf(synced + length, sizeof synced - length, "%s:%zu ", name, box_count("new"));
}

/* Takes the place of the C library's. */
int fsync(int descriptor)
{
	struct stat status;
	if (watching && fstat(descriptor, &status) == 0) {
		note(descriptor, S_ISDIR(status.st_mode));
		if (S_ISDIR(status.st_mode) ? fail_folders : fail_files) {
			errno = EIO;
			return -1;
		}
	}
	return (int)syscall(SYS_fsync, descriptor);
}

static void watch(bool files, bool folders)
{
	synced[0] = '\0';
	fail_files = files;
	fail_folders = folders;
	watching = true;
}

/* ---- QUIT ---- */

static size_t commit(struct box *box, const uint32_t *messages, size_t count,
		     enum store_result expected)
{
	size_t remaining = 999;
	struct maildrop *m = box_open(box);
	CU_ASSERT_EQUAL(maildrop_commit(m, messages, count, &remaining), expected);
	watching = false;
	maildrop_close(m);
	return remaining;
}

static void deleted_messages_are_gone_only_when_their_folders_are_synced(void)
{
	static const uint32_t first[] = {1}, all[] = {1, 2};
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "one\n");
	box_put("new/2.M1.x", "two\n");
	box_put("cur/3.M1.x:2,S", "three\n");
	watch(false, false);
	CU_ASSERT_EQUAL(commit(&box, first, 1, STORE_OK), 0);
	CU_ASSERT_STRING_EQUAL(synced, "new:1 ");
	watch(false, false);
	CU_ASSERT_EQUAL(commit(&box, all, 2, STORE_OK), 0);
	CU_ASSERT_STRING_EQUAL(synced, "cur:0 new:0 ");
	box_fini(&box);
}

static void messages_of_a_folder_that_cannot_be_synced_are_not_gone(void)
{
	static const uint32_t all[] = {1, 2};
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "one\n");
	box_put("new/2.M1.x", "two\n");
	watch(false, true);
	CU_ASSERT_EQUAL(commit(&box, all, 2, STORE_TEMPORARY), 2);
	box_expect_log(&box, "cannot sync the folder");
	box_fini(&box);
}

/* ---- Delivery ---- */

static const char *problem; /* what the last delivery said, or "" */

static void take_failure(const struct pop3_maildir_failure *failure, void *data)
{
	(void)data;
	CU_ASSERT_EQUAL(failure->error, EIO);
	problem = failure->text;
}

static enum pop3_maildir_result deliver(void)
{
	const struct pop3_maildir_options options = {.size = sizeof options,
						     .failed = take_failure};
	problem = "";
	enum pop3_maildir_result result =
		pop3_maildir_deliver("home/Maildir", &options, "text\n", 5);
	watching = false;
	return result;
}

static void message_is_synced_before_it_is_in_new_and_new_after_it(void)
{
	struct box box;
	box_init(&box);
	watch(false, false);
	CU_ASSERT_EQUAL(deliver(), POP3_MAILDIR_OK);
	CU_ASSERT_STRING_EQUAL(synced, "file:0 new:1 ");
	box_fini(&box);
}

static void message_that_cannot_be_synced_is_not_delivered(void)
{
	struct box box;
	box_init(&box);
	watch(true, false);
	CU_ASSERT_EQUAL(deliver(), POP3_MAILDIR_TEMPORARY);
	CU_ASSERT_STRING_EQUAL(problem, "cannot deliver the message");
	CU_ASSERT_EQUAL(box_count("new"), 0);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	box_fini(&box);
}

static void delivery_into_a_folder_that_cannot_be_synced_is_temporary(void)
{
	struct box box;
	box_init(&box);
	watch(false, true);
	CU_ASSERT_EQUAL(deliver(), POP3_MAILDIR_TEMPORARY);
	CU_ASSERT_STRING_EQUAL(problem, "cannot sync new/ after a delivery");
	CU_ASSERT_EQUAL(box_count("new"), 1);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	box_fini(&box);
}

static const struct test tests[] = {
	TEST(deleted_messages_are_gone_only_when_their_folders_are_synced),
	TEST(messages_of_a_folder_that_cannot_be_synced_are_not_gone),
	TEST(message_is_synced_before_it_is_in_new_and_new_after_it),
	TEST(message_that_cannot_be_synced_is_not_delivered),
	TEST(delivery_into_a_folder_that_cannot_be_synced_is_temporary),
	TEST_END,
};
const struct test_suite suite_store_sync = {"store_sync", tests};
