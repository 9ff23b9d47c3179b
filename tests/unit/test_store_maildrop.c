/* Opening a maildrop: the lock, the frozen list, and the table of odd maildrops. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lock.h"
#include "unit/store_box.h"

static uint64_t size_of(const struct maildrop *m, size_t msgno)
{
	return maildrop_list_sizes(maildrop_frozen(m))[msgno - 1];
}

static size_t count_of(const struct maildrop *m)
{
	return maildrop_list_count(maildrop_frozen(m));
}

static void maildrop_lists_new_and_cur_with_sizes_as_sent(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1700000001.M1.x", "a\nb\n");
	box_put("cur/1700000002.M1.x,S=4,W=6:2,S", "a\nb\n");
	box_put("new/1700000003.M1.x", "");
	box_put("tmp/1700000004.M1.x", "not delivered\n");
	struct maildrop *m = box_open(&box);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids),
			       "1700000001.M1.x 1700000002.M1.x,S=4,W=6 1700000003.M1.x ");
	CU_ASSERT_EQUAL(size_of(m, 1), 6);
	CU_ASSERT_EQUAL(size_of(m, 2), 6);
	CU_ASSERT_EQUAL(size_of(m, 3), 0);
	CU_ASSERT_EQUAL(maildrop_list_octets(maildrop_frozen(m)), 12);
	maildrop_close(m);
	box_fini(&box);
}

static void messages_are_in_the_order_of_delivery(void)
{
	struct box box;
	box_init(&box);
	static const char *const names[] = {"new/20.M1.x",    "cur/3.M1.x:2,S", "new/3.M10.x",
					    "new/3.M9.x",     "new/3.x",        "new/noon",
					    "cur/20.M1.w:2,", "new/007.M1.x"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		box_put(names[i], "x\n");
	struct maildrop *m = box_open(&box);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids),
			       "noon 3.x 3.M1.x 3.M9.x 3.M10.x 007.M1.x 20.M1.w 20.M1.x ");
	maildrop_close(m);
	box_fini(&box);
}

static void unique_ids_stay_when_messages_are_moved_and_flagged(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "x\n");
	box_put("cur/2.M1.x:2,S", "x\n");
	box_rename("new/1.M1.x", "cur/1.M1.x:2,RS");
	box_rename("cur/2.M1.x:2,S", "cur/2.M1.x;2,FS");
	struct maildrop *m = box_open(&box);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids), "1.M1.x 2.M1.x ");
	maildrop_close(m);
	box_fini(&box);
}

static void home_without_a_maildir_is_empty_and_stays_so(void)
{
	struct box box;
	box_init(&box);
	CU_ASSERT_EQUAL(system("rm -r home/Maildir"), 0);
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(count_of(m), 0);
	CU_ASSERT_EQUAL(maildrop_list_octets(maildrop_frozen(m)), 0);
	size_t remaining = 9;
	CU_ASSERT_EQUAL(maildrop_commit(m, NULL, 0, &remaining), STORE_OK);
	CU_ASSERT_EQUAL(remaining, 0);
	maildrop_close(m);
	CU_ASSERT_EQUAL(access("home/Maildir", F_OK), -1);

	box.grant.home = NULL;
	m = box_open(&box);
	CU_ASSERT_EQUAL(count_of(m), 0);
	maildrop_close(m);
	box_fini(&box);
}

static void missing_home_is_a_temporary_failure(void)
{
	struct box box;
	box_init(&box);
	CU_ASSERT_EQUAL(system("rm -r home"), 0);
	box_open_fails(&box, STORE_TEMPORARY);
	box_expect_log(&box, "the home is missing");
	box.grant.home = NULL;
	box_open_fails(&box, STORE_TEMPORARY);
	box_expect_log(&box, "the home is missing");
	box_fini(&box);
}

static void dangling_maildir_is_not_an_empty_one(void)
{
	struct box box;
	box_init(&box);
	CU_ASSERT_EQUAL(system("rm -r home/Maildir && ln -s nowhere home/Maildir"), 0);
	box_open_fails(&box, STORE_TEMPORARY);
	box_expect_log(&box, "cannot open the maildrop");
	CU_ASSERT_EQUAL(system("rm home/Maildir && : >home/Maildir"), 0);
	box_open_fails(&box, STORE_PERMANENT);
	box_expect_log(&box, "cannot open the maildrop");
	box_fini(&box);
}

static void maildir_may_be_a_link(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "x\n");
	CU_ASSERT_EQUAL(system("mv home/Maildir home/real && ln -s real home/Maildir"), 0);
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(count_of(m), 1);
	maildrop_close(m);
	box_fini(&box);
}

/* One of the folders is broken by a command; the other holds a message. */
static void broken(const char *command, enum store_result expected)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "x\n");
	box_put("cur/2.M1.x:2,S", "x\n");
	CU_ASSERT_EQUAL(system(command), 0);
	box_drop_powers();
	box_open_fails(&box, expected);
	box_regain_powers();
	box_expect_log(&box, "cannot list the maildrop");
	box_fini(&box);
}

static void broken_folder_is_never_an_empty_maildrop(void)
{
	broken("rm -r home/Maildir/new", STORE_TEMPORARY);
	broken("rm -r home/Maildir/cur", STORE_TEMPORARY);
	broken("rm -r home/Maildir/cur && : >home/Maildir/cur", STORE_PERMANENT);
	broken("rm -r home/Maildir/new && : >home/Maildir/new", STORE_PERMANENT);
	broken("mv home/Maildir/cur home/x && ln -s ../x home/Maildir/cur", STORE_PERMANENT);
	broken("chmod 0 home/Maildir/new", STORE_PERMANENT);
	broken("chmod 0 home/Maildir/cur", STORE_PERMANENT);
	broken("chmod 644 home/Maildir/cur", STORE_PERMANENT);
	test_count(8);
}

static void odd_entries_are_skipped_with_one_log_line(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "x\n");
	box_put("new/.hidden", "x\n");
	CU_ASSERT_EQUAL(system("cd home/Maildir && mkdir new/2.M1.x && mkfifo cur/3.M1.x:2,S && "
			       "ln -s 1.M1.x new/4.M1.x && ln -s nowhere cur/5.M1.x"),
			0);
	struct maildrop *m = box_open(&box);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids), "1.M1.x ");
	box_expect_log(&box, "text=\"skipped: not a regular file\" count=4");
	maildrop_close(m);
	box_fini(&box);
}

static void unreadable_message_is_listed_if_its_size_is_known(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x,S=2,W=3", "x\n");
	box_put("new/2.M1.x", "x\n");
	box_put("new/3.M1.x", "xyz\n");
	chmod("home/Maildir/new/1.M1.x,S=2,W=3", 0);
	chmod("home/Maildir/new/2.M1.x", 0);
	box_drop_powers();
	struct maildrop *m = box_open(&box);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids), "1.M1.x,S=2,W=3 3.M1.x ");
	box_expect_log(&box, "file=new/2.M1.x text=\"skipped: unreadable, size unknown\"");
	box_expect_log(&box, "text=\"the index cannot be written\"");
	int descriptor = -5;
	uint64_t length;
	uint64_t octets;
	CU_ASSERT_EQUAL(maildrop_message(m, 1, &descriptor, &length, &octets), STORE_PERMANENT);
	CU_ASSERT_EQUAL(descriptor, -5);
	box_expect_log(&box, "session=7 level=warning event=store file=\"new/1.M1.x,S=2,W=3\"");
	maildrop_close(m);
	box_regain_powers();
	box_fini(&box);
}

static void wrong_hint_is_not_believed(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x,S=5,W=6", "a\nb\n");
	box_put("new/2.M1.x,W=100", "a\nb\n");
	box_put("new/3.M1.x,S=4", "a\nb\n");
	box_put("new/4.M1.x,S=4,W=x", "a\nb\n");
	struct maildrop *m = box_open(&box);
	for (size_t i = 1; i <= 4; i++)
		CU_ASSERT_EQUAL(size_of(m, i), 6);
	maildrop_close(m);
	box_fini(&box);
}

static void odd_names_are_listed_with_legal_unique_ids(void)
{
	struct box box;
	box_init(&box);
	char longest[4 + 256] = "new/";
	memset(longest + 4, 'z', 255);
	longest[4 + 255] = '\0';
	box_put("new/two\nlines", "x\n");
	box_put("new/caf\xc3\xa9", "x\n");
	box_put("cur/:2,S", "x\n");
	box_put(longest, "x\n");
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL_FATAL(count_of(m), 4);
	const struct maildrop_list *list = maildrop_frozen(m);
	for (size_t i = 0; i < 4; i++) {
		const char *id = maildrop_list_text(list) + maildrop_list_offsets(list)[i];
		CU_ASSERT_EQUAL(strlen(id), 66);
		int descriptor = -1;
		uint64_t length = 0;
		uint64_t octets = 0;
		CU_ASSERT_EQUAL(maildrop_message(m, i + 1, &descriptor, &length, &octets),
				STORE_OK);
		close(descriptor);
	}
	const uint32_t all[] = {1, 2, 3, 4};
	size_t remaining = 9;
	CU_ASSERT_EQUAL(maildrop_commit(m, all, 4, &remaining), STORE_OK);
	CU_ASSERT_EQUAL(remaining, 0);
	CU_ASSERT_EQUAL(box_count("new") + box_count("cur"), 0);
	maildrop_close(m);
	box_fini(&box);
}

static void file_linked_into_both_folders_is_one_message(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "x\n");
	CU_ASSERT_EQUAL(link("home/Maildir/new/1.M1.x", "home/Maildir/cur/1.M1.x:2,S"), 0);
	struct maildrop *m = box_open(&box);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids), "1.M1.x ");
	maildrop_close(m);
	box_fini(&box);
}

static void two_files_are_two_messages(const char *first, const char *second)
{
	struct box box;
	box_init(&box);
	box_put(first, "first\n");
	box_put(second, "the second\n");
	char before[4096];
	char after[4096];
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL_FATAL(count_of(m), 2);
	box_ids(m, before);
	uint64_t first_size = size_of(m, 1);
	/* Neither may be taken for the other: none has the base name. */
	CU_ASSERT_PTR_NULL(strstr(before, "1.M1.x"));
	CU_ASSERT_EQUAL(strlen(before), 2 * strlen("x- ") + 2 * (size_t)64);
	CU_ASSERT_NOT_EQUAL(memcmp(before, before + 67, 67), 0);
	maildrop_close(m);

	/* Neither a flag nor a move may change which one has which unique-id. */
	box_rename("new/1.M1.x", "cur/1.M1.x:2,FS");
	box_rename("cur/1.M1.x:2,S", "new/1.M1.x");
	m = box_open(&box);
	CU_ASSERT_STRING_EQUAL(box_ids(m, after), before);
	CU_ASSERT_EQUAL(size_of(m, 1), first_size);
	for (size_t i = 1; i <= 2; i++) {
		int descriptor = -1;
		uint64_t length = 0;
		uint64_t octets = 0;
		CU_ASSERT_EQUAL(maildrop_message(m, i, &descriptor, &length, &octets), STORE_OK);
		CU_ASSERT_EQUAL(octets, size_of(m, i));
		close(descriptor);
	}
	maildrop_close(m);
	box_fini(&box);
}

static void two_files_with_one_base_name_are_two_messages(void)
{
	two_files_are_two_messages("new/1.M1.x", "cur/1.M1.x:2,S");
	two_files_are_two_messages("cur/1.M1.x:2,S", "new/1.M1.x");
	test_count(2);
}

static void second_session_finds_the_maildrop_in_use(void)
{
	struct box box;
	box_init(&box);
	struct maildrop *m = box_open(&box);
	box_open_fails(&box, STORE_IN_USE);
	maildrop_close(m);
	m = box_open(&box);
	maildrop_close(m);
	box_fini(&box);
}

static void lock_does_not_outlive_an_open_that_failed(void)
{
	struct box box;
	box_init(&box);
	box_rename("cur", "away");
	box_open_fails(&box, STORE_TEMPORARY);
	box_expect_log(&box, "cannot list");
	box_rename("away", "cur");
	maildrop_close(box_open(&box));
	box_fini(&box);
}

static int refuse_directories(int descriptor, int operation)
{
	struct stat status;
	if (fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) {
		errno = EBADF;
		return -1;
	}
	return flock(descriptor, operation);
}

static void lock_file_helps_where_directories_cannot_be_locked(void)
{
	struct box box;
	box_init(&box);
	int directory = open("home/Maildir", O_RDONLY | O_DIRECTORY);
	int first = -1;
	int second = -1;
	CU_ASSERT_EQUAL(lock_take_by(refuse_directories, directory, &first), 0);
	CU_ASSERT(first >= 0);
	CU_ASSERT_EQUAL(lock_take_by(refuse_directories, directory, &second), -EWOULDBLOCK);
	CU_ASSERT_EQUAL(second, -1);
	CU_ASSERT_EQUAL(fcntl(first, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(first);
	CU_ASSERT_EQUAL(lock_take_by(refuse_directories, directory, &second), 0);
	close(second);
	close(directory);
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(count_of(m), 0);
	maildrop_close(m);
	box_fini(&box);
}

static int fail_to_lock(int descriptor, int operation)
{
	(void)descriptor;
	(void)operation;
	errno = ENOLCK;
	return -1;
}

static void maildrop_that_cannot_be_locked_is_not_opened(void)
{
	struct box box;
	box_init(&box);
	int directory = open("home/Maildir", O_RDONLY | O_DIRECTORY);
	int file = -1;
	CU_ASSERT_EQUAL(lock_take_by(fail_to_lock, directory, &file), -ENOLCK);
	CU_ASSERT_EQUAL(file, -1);
	close(directory);
	box_fini(&box);
}

static size_t heap_in_use(void)
{
	return mallinfo2().uordblks;
}

static void open_maildrop_costs_little_memory(void)
{
	enum { SESSIONS = 32 };
	static struct maildrop *open_ones[SESSIONS];
	struct box boxes[1];
	box_init(boxes);
	box_put("new/1700000001.M1P1.x", "x\n");
	CU_ASSERT_EQUAL(system("for i in $(seq 32); do cp -r home h$i; done"), 0);
	size_t before = heap_in_use();
	for (int i = 0; i < SESSIONS; i++) {
		char home[16];
		char maildrop[32];
		snprintf(home, sizeof home, "h%d", i + 1);
		snprintf(maildrop, sizeof maildrop, "h%d/Maildir", i + 1);
		boxes->grant.home = home;
		boxes->grant.maildrop = maildrop;
		open_ones[i] = box_open(boxes);
	}
	CU_ASSERT(heap_in_use() - before <= SESSIONS * 512);
	for (int i = 0; i < SESSIONS; i++)
		maildrop_close(open_ones[i]);
	box_fini(boxes);
}

static void open_maildrop_holds_one_descriptor(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "x\n");
	int lowest = dup(0);
	struct maildrop *m = box_open(&box);
	int next = dup(0);
	CU_ASSERT_EQUAL(next, lowest + 2);
	CU_ASSERT_EQUAL(fcntl(lowest + 1, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(next);
	close(lowest);
	maildrop_close(m);
	box_fini(&box);
}

static void list_outlives_its_maildrop(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "x\n");
	struct maildrop *m = box_open(&box);
	struct maildrop_list *list = maildrop_list_ref(maildrop_frozen(m));
	maildrop_close(m);
	CU_ASSERT_EQUAL(maildrop_list_count(list), 1);
	CU_ASSERT_STRING_EQUAL(maildrop_list_text(list) + maildrop_list_offsets(list)[0], "1.M1.x");
	maildrop_list_unref(list);
	maildrop_list_unref(NULL);
	box_fini(&box);
}

static void many_messages_are_listed_in_order(void)
{
	unsigned long many = test_setting("POP3_STORE_NAMES", 5000);
	struct box box;
	box_init(&box);
	for (unsigned long i = 0; i < many; i++) {
		/* In an order that is neither that of the names nor its reverse. */
		unsigned long n = i * 7919 % many;
		char name[64];
		snprintf(name, sizeof name, "%s/%lu.M1.x,S=0,W=0%s", n % 2 ? "new" : "cur", n,
			 n % 2 ? "" : ":2,S");
		box_put(name, "");
	}
	struct maildrop *m = box_open(&box);
	const struct maildrop_list *list = maildrop_frozen(m);
	CU_ASSERT_EQUAL_FATAL(count_of(m), many);
	for (unsigned long n = 0; n < many; n++) {
		char id[64];
		snprintf(id, sizeof id, "%lu.M1.x,S=0,W=0", n);
		if (strcmp(maildrop_list_text(list) + maildrop_list_offsets(list)[n], id) != 0)
			CU_FAIL("not in order");
	}
	test_count(many);
	maildrop_close(m);
	box_fini(&box);
}

enum { MOVED = 200 };

/* Another program marks everything as seen. */
static void *move_all(void *data)
{
	(void)data;
	for (int i = 0; i < MOVED; i++) {
		char new[32];
		char cur[32];
		snprintf(new, sizeof new, "new/%d.M1.x", i);
		snprintf(cur, sizeof cur, "cur/%d.M1.x:2,S", i);
		box_rename(new, cur);
	}
	return NULL;
}

static void messages_moved_meanwhile_are_never_missed(void)
{
	unsigned long rounds = test_setting("POP3_STORE_MOVES", 20);
	for (unsigned long round = 0; round < rounds; round++) {
		struct box box;
		box_init(&box);
		for (int i = 0; i < MOVED; i++) {
			char name[32];
			snprintf(name, sizeof name, "new/%d.M1.x", i);
			box_put(name, "x\n");
		}
		pthread_t mover;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&mover, NULL, move_all, NULL), 0);
		for (int i = 0; i < 3; i++) {
			struct maildrop *m = box_open(&box);
			CU_ASSERT_EQUAL(count_of(m), MOVED);
			maildrop_close(m);
		}
		pthread_join(mover, NULL);
		box_fini(&box);
	}
	test_count(rounds * 3);
}

static const struct test tests[] = {
	TEST(maildrop_lists_new_and_cur_with_sizes_as_sent),
	TEST(messages_are_in_the_order_of_delivery),
	TEST(unique_ids_stay_when_messages_are_moved_and_flagged),
	TEST(home_without_a_maildir_is_empty_and_stays_so),
	TEST(missing_home_is_a_temporary_failure),
	TEST(dangling_maildir_is_not_an_empty_one),
	TEST(maildir_may_be_a_link),
	TEST(broken_folder_is_never_an_empty_maildrop),
	TEST(odd_entries_are_skipped_with_one_log_line),
	TEST(unreadable_message_is_listed_if_its_size_is_known),
	TEST(wrong_hint_is_not_believed),
	TEST(odd_names_are_listed_with_legal_unique_ids),
	TEST(file_linked_into_both_folders_is_one_message),
	TEST(two_files_with_one_base_name_are_two_messages),
	TEST(second_session_finds_the_maildrop_in_use),
	TEST(lock_does_not_outlive_an_open_that_failed),
	TEST(lock_file_helps_where_directories_cannot_be_locked),
	TEST(maildrop_that_cannot_be_locked_is_not_opened),
	TEST(open_maildrop_costs_little_memory),
	TEST(open_maildrop_holds_one_descriptor),
	TEST(list_outlives_its_maildrop),
	TEST(many_messages_are_listed_in_order),
	TEST(messages_moved_meanwhile_are_never_missed),
	TEST_END,
};
const struct test_suite suite_store_maildrop = {"store_maildrop", tests};
