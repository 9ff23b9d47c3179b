/* Delivery: whole, once, with its sizes in its name, or not at all. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/delivery.h"
#include "unit/store_box.h"

/* A descriptor that gives this text. */
static int input_of(const char *text, size_t length)
{
	FILE *file = tmpfile();
	if (file == NULL || fwrite(text, 1, length, file) != length || fflush(file) != 0)
		abort();
	int descriptor = dup(fileno(file));
	fclose(file);
	lseek(descriptor, 0, SEEK_SET);
	return descriptor;
}

static enum store_result deliver(struct box *box, const struct delivery_options *options,
				 const char *text)
{
	int input = input_of(text, strlen(text));
	enum store_result result = delivery_deliver(&box->grant, options, input, &box->sink);
	CU_ASSERT_EQUAL(close(input), 0);
	return result;
}

/* The name of the only message in new/. */
static void only_name(char name[512])
{
	size_t count = 0;
	DIR *directory = opendir("home/Maildir/new");
	CU_ASSERT_PTR_NOT_NULL_FATAL(directory);
	for (struct dirent *e = readdir(directory); e != NULL; e = readdir(directory)) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, 512, "home/Maildir/new/%s", e->d_name);
		count++;
	}
	closedir(directory);
	CU_ASSERT_EQUAL_FATAL(count, 1);
}

static void expect_file(const char *path, const char *text)
{
	char buffer[512] = "";
	int descriptor = open(path, O_RDONLY);
	CU_ASSERT_EQUAL(read(descriptor, buffer, sizeof buffer - 1), (ssize_t)strlen(text));
	CU_ASSERT_STRING_EQUAL(buffer, text);
	close(descriptor);
}

static void delivered_message_is_in_new_with_its_sizes(void)
{
	struct box box;
	char name[512] = "";
	box_init(&box);
	CU_ASSERT_EQUAL(deliver(&box, NULL, "Subject: x\n\nbody\r\nlast"), STORE_OK);
	only_name(name);
	expect_file(name, "Subject: x\n\nbody\r\nlast");
	CU_ASSERT_PTR_NOT_NULL(strstr(name, ",S=22,W=26"));
	CU_ASSERT_PTR_NULL(strchr(name, ':'));
	struct stat status;
	CU_ASSERT_EQUAL(stat(name, &status), 0);
	CU_ASSERT_EQUAL(status.st_mode & 07777, 0600);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);

	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(maildrop_list_octets(maildrop_frozen(m)), 26);
	/* No lock is in the way of a delivery, and the list stays as it was. */
	CU_ASSERT_EQUAL(deliver(&box, NULL, ""), STORE_OK);
	CU_ASSERT_EQUAL(maildrop_list_count(maildrop_frozen(m)), 1);
	maildrop_close(m);
	CU_ASSERT_EQUAL(box_count("new"), 2);
	box_fini(&box);
}

static void delivery_makes_what_is_missing(void)
{
	struct box box;
	box_init(&box);
	CU_ASSERT_EQUAL(system("rm -r home/Maildir"), 0);
	CU_ASSERT_EQUAL(deliver(&box, NULL, "x\n"), STORE_OK);
	CU_ASSERT_EQUAL(box_count("new"), 1);
	static const char *const made[] = {"home/Maildir", "home/Maildir/new", "home/Maildir/cur",
					   "home/Maildir/tmp"};
	for (size_t i = 0; i < 4; i++) {
		struct stat status;
		CU_ASSERT_EQUAL(stat(made[i], &status), 0);
		CU_ASSERT_EQUAL(status.st_mode & 07777, 0700);
	}
	CU_ASSERT_EQUAL(system("rmdir home/Maildir/cur"), 0);
	CU_ASSERT_EQUAL(delivery_prepare(&box.grant, &box.sink), STORE_OK);
	CU_ASSERT_EQUAL(box_count("cur"), 0);
	CU_ASSERT_EQUAL(delivery_prepare(&box.grant, &box.sink), STORE_OK);
	CU_ASSERT_EQUAL(box_count("new"), 1);
	box_fini(&box);
}

static void delivery_does_not_make_a_home(void)
{
	struct box box;
	box_init(&box);
	CU_ASSERT_EQUAL(system("rm -r home"), 0);
	CU_ASSERT_EQUAL(deliver(&box, NULL, "x\n"), STORE_TEMPORARY);
	box_expect_log(&box, "the home is missing");
	CU_ASSERT_EQUAL(access("home", F_OK), -1);
	box_fini(&box);
}

static void message_that_is_too_large_leaves_nothing(void)
{
	struct box box;
	box_init(&box);
	const struct delivery_options options = {.max_size = 4};
	CU_ASSERT_EQUAL(deliver(&box, &options, "1234"), STORE_OK);
	CU_ASSERT_EQUAL(deliver(&box, &options, "12345"), STORE_PERMANENT);
	box_expect_log(&box, "the message is too large");
	CU_ASSERT_EQUAL(box_count("new"), 1);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	box_fini(&box);
}

static void input_that_cannot_be_read_leaves_nothing(void)
{
	struct box box;
	box_init(&box);
	int input = open("home", O_RDONLY | O_DIRECTORY);
	CU_ASSERT_NOT_EQUAL(delivery_deliver(&box.grant, NULL, input, &box.sink), STORE_OK);
	close(input);
	box_expect_log(&box, "cannot deliver the message");
	CU_ASSERT_EQUAL(box_count("new"), 0);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	box_fini(&box);
}

static void deliver_with_little_room(struct box *box)
{
	const struct rlimit limit = {20000, 20000};
	static char text[40001];
	memset(text, 'x', sizeof text - 1);
	signal(SIGXFSZ, SIG_IGN);
	int input = input_of(text, sizeof text - 1);
	setrlimit(RLIMIT_FSIZE, &limit);
	_exit(delivery_deliver(&box->grant, NULL, input, &box->sink) == STORE_TEMPORARY ? 0 : 1);
}

static void disk_that_gets_full_leaves_nothing(void)
{
	struct box box;
	box_init(&box);
	pid_t child = fork();
	if (child == 0)
		deliver_with_little_room(&box);
	int status = -1;
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CU_ASSERT_EQUAL(box_count("new"), 0);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	box_fini(&box);
}

static void unwritable_maildrop_is_a_permanent_failure(void)
{
	struct box box;
	box_init(&box);
	CU_ASSERT_EQUAL(chmod("home/Maildir/tmp", 0777), 0);
	CU_ASSERT_EQUAL(chmod("home/Maildir/new", 0555), 0);
	box_drop_powers();
	CU_ASSERT_EQUAL(deliver(&box, NULL, "x\n"), STORE_PERMANENT);
	box_expect_log(&box, "cannot deliver the message");
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	box_regain_powers();
	CU_ASSERT_EQUAL(chmod("home/Maildir/tmp", 0555), 0);
	box_drop_powers();
	CU_ASSERT_EQUAL(deliver(&box, NULL, "x\n"), STORE_PERMANENT);
	box_regain_powers();
	box_expect_log(&box, "cannot create a file in tmp/");
	CU_ASSERT_EQUAL(box_count("new"), 0);
	box_fini(&box);
}

static void trace_headers_are_written_above_the_message(void)
{
	struct box box;
	char name[512] = "";
	box_init(&box);
	const struct delivery_options options = {.return_path = "a@example.org",
						 .delivered_to = "alice"};
	CU_ASSERT_EQUAL(deliver(&box, &options, "\nx\n"), STORE_OK);
	only_name(name);
	expect_file(name, "Return-Path: <a@example.org>\nDelivered-To: alice\n\nx\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(name, ",S=52,W=56"));
	box_fini(&box);
}

static void address_with_a_line_end_is_refused(void)
{
	struct box box;
	box_init(&box);
	const struct delivery_options options = {.return_path = "a>\nEvil: <b"};
	CU_ASSERT_EQUAL(deliver(&box, &options, "x\n"), STORE_PERMANENT);
	box_expect_log(&box, "an address has a control octet");
	CU_ASSERT_EQUAL(box_count("new"), 0);
	box_fini(&box);
}

static void deliveries_at_once_get_names_of_their_own(void)
{
	enum { PROCESSES = 4, EACH = 25 };
	struct box box;
	box_init(&box);
	pid_t children[PROCESSES];
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (children[i] != 0)
			continue;
		int failures = 0;
		for (int n = 0; n < EACH; n++)
			failures += deliver(&box, NULL, "x\n") != STORE_OK;
		_exit(failures);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status = -1;
		CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
		CU_ASSERT_EQUAL(status, 0);
	}
	CU_ASSERT_EQUAL(box_count("new"), PROCESSES * EACH);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	test_count(PROCESSES * EACH);
	box_fini(&box);
}

static const struct test tests[] = {
	TEST(delivered_message_is_in_new_with_its_sizes),
	TEST(delivery_makes_what_is_missing),
	TEST(delivery_does_not_make_a_home),
	TEST(message_that_is_too_large_leaves_nothing),
	TEST(input_that_cannot_be_read_leaves_nothing),
	TEST(disk_that_gets_full_leaves_nothing),
	TEST(unwritable_maildrop_is_a_permanent_failure),
	TEST(trace_headers_are_written_above_the_message),
	TEST(address_with_a_line_end_is_refused),
	TEST(deliveries_at_once_get_names_of_their_own),
	TEST_END,
};
const struct test_suite suite_delivery = {"delivery", tests};
