/* Delivery: whole, once, with its sizes in its name, or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/delivered.h"

static enum pop3_maildir_result deliver(struct heard *heard, const char *text)
{
	const struct pop3_maildir_options options = delivered_options(heard);
	return pop3_maildir_deliver(DELIVERED_MAILDIR, &options, text, strlen(text));
}

static void delivered_message_is_in_new_with_its_sizes(void)
{
	static const char text[] = "Subject: x\n\nbody\r\nlast";
	struct box box;
	struct heard heard;
	box_init(&box);
	CU_ASSERT_EQUAL(deliver(&heard, text), POP3_MAILDIR_OK);
	CU_ASSERT_EQUAL(heard.count, 0);
	delivered_expect(text, sizeof text - 1, ",S=22,W=26");

	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(maildrop_list_octets(maildrop_frozen(m)), 26);
	/* No lock is in the way of a delivery, and the list stays as it was. */
	CU_ASSERT_EQUAL(deliver(&heard, ""), POP3_MAILDIR_OK);
	CU_ASSERT_EQUAL(maildrop_list_count(maildrop_frozen(m)), 1);
	maildrop_close(m);
	CU_ASSERT_EQUAL(box_count("new"), 2);
	box_fini(&box);
}

static unsigned mode_of(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 ? status.st_mode & 07777 : 0;
}

static void delivery_makes_what_is_missing_for_its_owner_alone(void)
{
	static const char *const made[] = {"home/Maildir", "home/Maildir/new", "home/Maildir/cur",
					   "home/Maildir/tmp"};
	struct box box;
	struct heard heard;
	mode_t before = umask(0);
	box_init(&box);
	CU_ASSERT_EQUAL(system("rm -r home/Maildir"), 0);
	CU_ASSERT_EQUAL(deliver(&heard, "x\n"), POP3_MAILDIR_OK);
	delivered_expect("x\n", 2, ",S=2,W=3");
	for (size_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(mode_of(made[i]), 0700);
	CU_ASSERT_EQUAL(system("test $(stat -c %a home/Maildir/new/*) = 600"), 0);
	CU_ASSERT_EQUAL(system("rmdir home/Maildir/cur"), 0);
	CU_ASSERT_EQUAL(pop3_maildir_prepare(DELIVERED_MAILDIR, NULL), POP3_MAILDIR_OK);
	CU_ASSERT_EQUAL(box_count("cur"), 0);
	CU_ASSERT_EQUAL(pop3_maildir_prepare(DELIVERED_MAILDIR, NULL), POP3_MAILDIR_OK);
	CU_ASSERT_EQUAL(box_count("new"), 1);
	box_fini(&box);
	umask(before);
}

static void delivery_does_not_make_a_home(void)
{
	struct box box;
	struct heard heard;
	box_init(&box);
	CU_ASSERT_EQUAL(system("rm -r home"), 0);
	CU_ASSERT_EQUAL(deliver(&heard, "x\n"), POP3_MAILDIR_TEMPORARY);
	delivered_expect_failure(&heard, POP3_MAILDIR_TEMPORARY, ENOENT,
				 "the home is missing or unusable");
	CU_ASSERT_EQUAL(access("home", F_OK), -1);

	/* The folder that must exist need not be the one that holds the Maildir. */
	CU_ASSERT_EQUAL(mkdir("home", 0755), 0);
	struct pop3_maildir_options options = delivered_options(&heard);
	options.home = "mount";
	CU_ASSERT_EQUAL(pop3_maildir_prepare(DELIVERED_MAILDIR, &options), POP3_MAILDIR_TEMPORARY);
	delivered_expect_failure(&heard, POP3_MAILDIR_TEMPORARY, ENOENT,
				 "the home is missing or unusable");
	CU_ASSERT_EQUAL(access("home/Maildir", F_OK), -1);
	box_fini(&box);
}

static void input_that_cannot_be_read_leaves_nothing(void)
{
	struct box box;
	struct heard heard;
	box_init(&box);
	const struct pop3_maildir_options options = delivered_options(&heard);
	int input = open("home", O_RDONLY | O_DIRECTORY);
	CU_ASSERT_EQUAL(pop3_maildir_deliver_from(DELIVERED_MAILDIR, &options, input),
			POP3_MAILDIR_TEMPORARY);
	close(input);
	delivered_expect_failure(&heard, POP3_MAILDIR_TEMPORARY, EISDIR, "cannot read the message");
	CU_ASSERT_EQUAL(box_count("new"), 0);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	box_fini(&box);
}

static int deliver_with_little_room(void)
{
	const struct rlimit limit = {20000, 20000};
	static char text[40001];
	struct heard heard;
	memset(text, 'x', sizeof text - 1);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	bool right = deliver(&heard, text) == POP3_MAILDIR_TEMPORARY && heard.count == 1 &&
		     heard.error == EFBIG && strcmp(heard.text, "cannot write the message") == 0;
	return right ? 0 : 1;
}

static void disk_that_gets_full_leaves_nothing(void)
{
	struct box box;
	box_init(&box);
	pid_t child = fork();
	if (child == 0)
		_exit(deliver_with_little_room());
	int status = -1;
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CU_ASSERT_EQUAL(box_count("new"), 0);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	box_fini(&box);
}

/* No mail goes back to its sender because of a mode that somebody can change. */
static void unwritable_maildrop_is_a_temporary_failure(void)
{
	struct box box;
	struct heard heard;
	box_init(&box);
	CU_ASSERT_EQUAL(chmod("home/Maildir/tmp", 0777), 0);
	CU_ASSERT_EQUAL(chmod("home/Maildir/new", 0555), 0);
	box_drop_powers();
	CU_ASSERT_EQUAL(deliver(&heard, "x\n"), POP3_MAILDIR_TEMPORARY);
	delivered_expect_failure(&heard, POP3_MAILDIR_TEMPORARY, EACCES,
				 "cannot deliver the message");
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	box_regain_powers();
	CU_ASSERT_EQUAL(chmod("home/Maildir/tmp", 0555), 0);
	box_drop_powers();
	CU_ASSERT_EQUAL(deliver(&heard, "x\n"), POP3_MAILDIR_TEMPORARY);
	box_regain_powers();
	delivered_expect_failure(&heard, POP3_MAILDIR_TEMPORARY, EACCES,
				 "cannot create a file in tmp/");
	CU_ASSERT_EQUAL(box_count("new"), 0);
	box_fini(&box);
}

static void folders_that_are_links_are_not_followed(void)
{
	struct box box;
	struct heard heard;
	box_init(&box);
	CU_ASSERT_EQUAL(mkdir("elsewhere", 0755), 0);
	CU_ASSERT_EQUAL(rmdir("home/Maildir/new"), 0);
	CU_ASSERT_EQUAL(symlink("../../elsewhere", "home/Maildir/new"), 0);
	CU_ASSERT_EQUAL(deliver(&heard, "x\n"), POP3_MAILDIR_TEMPORARY);
	delivered_expect_failure(&heard, POP3_MAILDIR_TEMPORARY, ENOTDIR,
				 "cannot open tmp/ or new/");
	CU_ASSERT_EQUAL(rmdir("elsewhere"), 0);
	CU_ASSERT_EQUAL(unlink("home/Maildir/new"), 0);
	box_fini(&box);
}

static const struct test tests[] = {
	TEST(delivered_message_is_in_new_with_its_sizes),
	TEST(delivery_makes_what_is_missing_for_its_owner_alone),
	TEST(delivery_does_not_make_a_home),
	TEST(input_that_cannot_be_read_leaves_nothing),
	TEST(disk_that_gets_full_leaves_nothing),
	TEST(unwritable_maildrop_is_a_temporary_failure),
	TEST(folders_that_are_links_are_not_followed),
	TEST_END,
};
const struct test_suite suite_delivery = {"delivery", tests};
