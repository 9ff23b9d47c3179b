/* The index as logins use it: what it spares, when it is renewed, and that losing it loses nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/index.h"
#include "unit/store_box.h"

#define IN_MAILDIR "home/Maildir/" INDEX_FILE

static uint64_t size_of(const struct maildrop *m, size_t msgno)
{
	return maildrop_list_sizes(maildrop_frozen(m))[msgno - 1];
}

/* The unique-ids of a login; one that needs no expected log line. */
static const char *ids_of_login(struct box *box, char ids[4096])
{
	struct maildrop *m = box_open(box);
	box_ids(m, ids);
	maildrop_close(m);
	return ids;
}

/* Old enough that a later change bears another time. */
static void let_time_pass(void)
{
	usleep(30000);
}

/* The index that is there now; its list is to be unreferenced. */
static struct index read_now(void)
{
	struct maildir maildir;
	struct index_place place;
	struct index index;
	const char *why;
	int directory = open("home/Maildir", O_RDONLY | O_DIRECTORY);
	CU_ASSERT_EQUAL_FATAL(maildir_init(directory, &maildir), 0);
	CU_ASSERT_EQUAL_FATAL(index_place_open(&maildir, NULL, "", &place), 0);
	CU_ASSERT_EQUAL_FATAL(index_read(&place, &index, &why), 0);
	close(directory);
	return index;
}

static bool is_settled(void)
{
	const struct index index = read_now();
	maildrop_list_unref(index.list);
	return change_is_settled(&index.state.folders[FOLDER_NEW], &index.moments[FOLDER_NEW]) &&
	       change_is_settled(&index.state.folders[FOLDER_CUR], &index.moments[FOLDER_CUR]);
}

/* Three messages, and an index of them that is settled. */
static void fill(struct box *box)
{
	box_init(box);
	box_put("new/1.M1.x", "one\n");
	box_put("cur/2.M1.x:2,S", "second\n");
	box_put("new/3.M1.x,S=6,W=7", "third\n");
	let_time_pass();
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(ids_of_login(box, ids), "1.M1.x 2.M1.x 3.M1.x,S=6,W=7 ");
	CU_ASSERT(is_settled());
}

/* ---- What it spares ---- */

/* A file that is written to changes no folder: if it were looked at, its size would be another. */
static void messages_of_unchanged_folders_are_not_looked_at(void)
{
	struct box box;
	fill(&box);
	box_put("new/1.M1.x", "longer than before\n");
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(size_of(m, 1), 5);
	maildrop_close(m);

	/* When another one comes its folder is read, and no other. */
	box_put("cur/2.M1.x:2,S", "longer than before\n");
	box_put("new/4.M1.x", "four\n");
	m = box_open(&box);
	CU_ASSERT_EQUAL_FATAL(maildrop_list_count(maildrop_frozen(m)), 4);
	CU_ASSERT_EQUAL(size_of(m, 1), 20);
	CU_ASSERT_EQUAL(size_of(m, 2), 8);
	CU_ASSERT_EQUAL(size_of(m, 3), 7);
	CU_ASSERT_EQUAL(size_of(m, 4), 6);
	maildrop_close(m);
	box_fini(&box);
}

/* Of files that were written to so many are found out; the others when they are retrieved. */
static void looks_at_known_messages_are_bounded(void)
{
	struct box box;
	enum { COUNT = 4200, LOOKS = 4096 };
	box_init(&box);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < COUNT; i++) {
			char name[32];
			snprintf(name, sizeof name, "new/%d.M1.x", i + 1);
			box_put(name, round == 0 ? "x\n" : "longer\n");
		}
		let_time_pass();
		if (round == 0)
			maildrop_close(box_open(&box));
	}
	box_put("new/9000.M1.x", "y\n");
	struct maildrop *m = box_open(&box);
	int found = 0;
	for (size_t msgno = 1; msgno <= COUNT; msgno++)
		found += size_of(m, msgno) == 8;
	CU_ASSERT_EQUAL(found, LOOKS);
	maildrop_close(m);
	box_fini(&box);
}

/* Fixtures are often written anew under the same names, and inodes are used again. */
static void files_in_the_place_of_others_are_measured(void)
{
	struct box box;
	box_init(&box);
	for (int round = 1; round <= 20; round++) {
		char text[64] = "";
		for (int i = 0; i < 3; i++) {
			char name[32];
			snprintf(name, sizeof name, "new/%d.M1.x", i + 1);
			strcat(text, i == round % 3 ? "a\nb\n" : "abc\n");
			box_put(name, text);
		}
		struct maildrop *m = box_open(&box);
		for (size_t i = 0; i < 3; i++) {
			bool two = (size_t)round % 3 <= i;
			CU_ASSERT_EQUAL(size_of(m, i + 1), 5 * (i + 1) + two);
		}
		maildrop_close(m);
		CU_ASSERT_EQUAL(system("rm home/Maildir/new/*"), 0);
	}
	test_count(20);
	box_fini(&box);
}

static void another_file_under_a_known_name_is_measured(void)
{
	struct box box;
	fill(&box);
	box_put("tmp/1", "another one\n");
	box_rename("tmp/1", "new/1.M1.x");
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(size_of(m, 1), 13);
	maildrop_close(m);
	box_fini(&box);
}

static void moves_and_flags_are_found(void)
{
	struct box box;
	fill(&box);
	box_rename("new/1.M1.x", "cur/1.M1.x:2,FS");
	box_rename("cur/2.M1.x:2,S", "cur/2.M1.x:2,RS");
	struct maildrop *m = box_open(&box);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids), "1.M1.x 2.M1.x 3.M1.x,S=6,W=7 ");
	CU_ASSERT_EQUAL(size_of(m, 1), 5);
	/* They are where the list says, so nobody has to look for them. */
	struct maildrop_entry first = maildrop_list_entry(maildrop_frozen(m), 0);
	CU_ASSERT(first.seen);
	CU_ASSERT_STRING_EQUAL(first.info, ":2,FS");
	CU_ASSERT_STRING_EQUAL(maildrop_list_entry(maildrop_frozen(m), 1).info, ":2,RS");
	size_t remaining;
	CU_ASSERT_EQUAL(maildrop_commit(m, (uint32_t[]){1, 2}, 2, &remaining), STORE_OK);
	CU_ASSERT_EQUAL(box_count("new") + box_count("cur"), 1);
	maildrop_close(m);
	box_fini(&box);
}

static void message_that_is_gone_is_not_listed_any_more(void)
{
	struct box box;
	fill(&box);
	char ids[4096];
	CU_ASSERT_EQUAL(unlink("home/Maildir/new/1.M1.x"), 0);
	CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), "2.M1.x 3.M1.x,S=6,W=7 ");
	CU_ASSERT_EQUAL(unlink("home/Maildir/cur/2.M1.x:2,S"), 0);
	CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), "3.M1.x,S=6,W=7 ");
	box_fini(&box);
}

/* ---- When it holds ---- */

/* Changes around a login, within one tick of the file system's clock or nearly so. */
static void messages_that_come_in_the_same_moment_are_seen(void)
{
	struct box box;
	char ids[4096], name[64], expected[4096] = "";
	unsigned long rounds = test_setting("POP3_RACES", 100);
	box_init(&box);
	for (unsigned long i = 0; i < rounds; i++) {
		for (int half = 0; half < 2; half++) {
			snprintf(name, sizeof name, "new/%lu.M%d.x", i % 20 + 1, half);
			box_put(name, "x\n");
			strcat(strcat(expected, name + 4), " ");
			CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), expected);
		}
		if (i % 20 != 19)
			continue;
		CU_ASSERT_EQUAL(system("rm home/Maildir/new/*"), 0);
		expected[0] = '\0';
		CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), "");
	}
	test_count(rounds * 2);
	box_fini(&box);
}

/* A folder's time is ahead, as after a clock was set back: it may come again. */
static void folder_of_the_future_is_read_each_time(void)
{
	struct box box;
	fill(&box);
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 4000000000}};
	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, "home/Maildir/new", times, 0), 0);
	let_time_pass();
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), "1.M1.x 2.M1.x 3.M1.x,S=6,W=7 ");
	CU_ASSERT_FALSE(is_settled());
	CU_ASSERT_EQUAL(unlink("home/Maildir/new/1.M1.x"), 0);
	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, "home/Maildir/new", times, 0), 0);
	CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), "2.M1.x 3.M1.x,S=6,W=7 ");
	box_fini(&box);
}

/* rsync and tar set the times of folders. */
static void folder_whose_time_was_set_back_is_read(void)
{
	struct box box;
	fill(&box);
	struct stat before;
	CU_ASSERT_EQUAL(stat("home/Maildir/new", &before), 0);
	CU_ASSERT_EQUAL(unlink("home/Maildir/new/1.M1.x"), 0);
	struct timespec times[2] = {before.st_atim, before.st_mtim};
	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, "home/Maildir/new", times, 0), 0);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), "2.M1.x 3.M1.x,S=6,W=7 ");
	box_fini(&box);
}

static void index_of_another_maildrop_is_not_taken_for_this_one(void)
{
	struct box box;
	fill(&box);
	CU_ASSERT_EQUAL(system("cp -a home/Maildir home/copy && rm -r home/Maildir && "
			       "mv home/copy home/Maildir"),
			0);
	box_put("new/1.M1.x", "longer than before\n");
	struct maildrop *m = box_open(&box);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids), "1.M1.x 2.M1.x 3.M1.x,S=6,W=7 ");
	CU_ASSERT_EQUAL(size_of(m, 1), 20);
	maildrop_close(m);
	box_fini(&box);
}

/* ---- Losing it ---- */

static void spoil_with(const char *command, const char *log)
{
	struct box box;
	fill(&box);
	char ids[4096];
	CU_ASSERT_EQUAL(system(command), 0);
	CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), "1.M1.x 2.M1.x 3.M1.x,S=6,W=7 ");
	if (log != NULL)
		box_expect_log(&box, log);
	/* And there is one again, that holds. */
	CU_ASSERT(is_settled());
	box_fini(&box);
}

static void lost_or_damaged_index_is_made_anew(void)
{
	spoil_with("rm " IN_MAILDIR, NULL);
	spoil_with(": >" IN_MAILDIR, "text=\"its size is impossible\"");
	spoil_with("truncate -s -1 " IN_MAILDIR, "text=\"it has been cut or has grown\"");
	spoil_with("printf x >>" IN_MAILDIR, "text=\"it has been cut or has grown\"");
	spoil_with("printf %0999d 0 >" IN_MAILDIR, "text=\"it is no index\"");
	spoil_with("truncate -s 3G " IN_MAILDIR, "text=\"its size is impossible\"");
	spoil_with("printf X | dd of=" IN_MAILDIR " bs=1 seek=200 conv=notrunc status=none",
		   "text=\"its checksum is wrong\"");
	spoil_with("ln -sf new/1.M1.x " IN_MAILDIR, "text=\"it is a symbolic link,");
	spoil_with("rm " IN_MAILDIR " && mkfifo " IN_MAILDIR, "text=\"it is not a regular file\"");
	test_count(9);
}

/* Under the names of the index there may be anything, also somebody's mail. */
static void index_never_writes_to_what_is_there(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "one\n");
	CU_ASSERT_EQUAL(link("home/Maildir/new/1.M1.x", "home/Maildir/" INDEX_NEW), 0);
	CU_ASSERT_EQUAL(link("home/Maildir/new/1.M1.x", IN_MAILDIR), 0);
	struct maildrop *m = box_open(&box);
	box_expect_log(&box, "text=\"its size is impossible\"");
	CU_ASSERT_EQUAL(size_of(m, 1), 5);
	maildrop_close(m);
	struct stat status;
	CU_ASSERT_EQUAL(stat("home/Maildir/new/1.M1.x", &status), 0);
	CU_ASSERT_EQUAL(status.st_size, 4);
	CU_ASSERT_EQUAL(status.st_nlink, 1);
	box_fini(&box);
}

static void index_that_cannot_be_written_is_a_log_line(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "one\n");
	CU_ASSERT_EQUAL(mkdir("home/Maildir/" INDEX_NEW, 0700), 0);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), "1.M1.x ");
	box_expect_log(&box, "text=\"the index cannot be written\" error=\"File exists\"");
	CU_ASSERT_EQUAL(rmdir("home/Maildir/" INDEX_NEW), 0);
	CU_ASSERT_EQUAL(mkdir(IN_MAILDIR, 0700), 0);
	CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), "1.M1.x ");
	box_expect_log(&box, "text=\"it is not a regular file\"");
	box_expect_log(&box, "text=\"the index cannot be written\" error=\"Is a directory\"");
	CU_ASSERT_FALSE(box_has(INDEX_NEW));
	box_fini(&box);
}

/* ---- A directory of indexes ---- */

static void open_apart(struct box *box, const char *directory, const char *expected)
{
	const struct maildrop_options options = {.index_directory = directory};
	struct maildrop *m;
	char ids[4096];
	CU_ASSERT_EQUAL_FATAL(maildrop_open(&box->grant, &options, &box->sink, &m), STORE_OK);
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids), expected);
	maildrop_close(m);
}

static void indexes_can_be_in_a_directory_of_their_own(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "one\n");
	CU_ASSERT_EQUAL(mkdir("indexes", 0700), 0);
	let_time_pass();
	open_apart(&box, "indexes", "1.M1.x ");
	CU_ASSERT_FALSE(box_has(INDEX_FILE));
	CU_ASSERT_EQUAL(system("test $(ls indexes | wc -l) = 1"), 0);

	/* It is used, and it is this maildrop's own. */
	box_put("new/1.M1.x", "longer than before\n");
	const struct maildrop_options options = {.index_directory = "indexes"};
	struct maildrop *m;
	CU_ASSERT_EQUAL_FATAL(maildrop_open(&box.grant, &options, &box.sink, &m), STORE_OK);
	CU_ASSERT_EQUAL(size_of(m, 1), 5);
	maildrop_close(m);
	CU_ASSERT_EQUAL(system("mkdir -p home/other/new home/other/cur home/other/tmp"), 0);
	box.grant.maildrop = "home/other";
	open_apart(&box, "indexes", "");
	CU_ASSERT_EQUAL(system("test $(ls indexes | wc -l) = 2"), 0);
	box_fini(&box);
}

static void index_directory_that_is_missing_is_a_log_line(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x", "one\n");
	open_apart(&box, "nowhere", "1.M1.x ");
	box_expect_log(&box, "file=nowhere text=\"the index directory cannot be used\"");
	CU_ASSERT_FALSE(box_has(INDEX_FILE));
	box_fini(&box);
}

/* ---- Wrong sizes ---- */

/* The hint is possible, so it is believed until the message is sent. */
static void wrong_size_is_put_right_at_quit(void)
{
	struct box box;
	box_init(&box);
	box_put("new/1.M1.x,S=8,W=9", "a\nb\nc\nd\n");
	box_put("new/2.M1.x", "two\n");
	let_time_pass();
	struct maildrop *m = box_open(&box);
	CU_ASSERT_EQUAL(size_of(m, 1), 9);
	CU_ASSERT_FALSE(maildrop_needs_commit(m, 0));
	maildrop_has_wrong_size(m, 1);
	maildrop_has_wrong_size(m, 1);
	maildrop_has_wrong_size(m, 3);
	CU_ASSERT(maildrop_needs_commit(m, 0));
	size_t remaining;
	CU_ASSERT_EQUAL(maildrop_commit(m, NULL, 0, &remaining), STORE_OK);
	CU_ASSERT_EQUAL(size_of(m, 1), 9);
	maildrop_close(m);

	CU_ASSERT(is_settled());
	m = box_open(&box);
	CU_ASSERT_EQUAL(size_of(m, 1), 12);
	CU_ASSERT_EQUAL(size_of(m, 2), 5);
	maildrop_close(m);
	box_fini(&box);
}

/* It is another login's index by then: it stays as it is. */
static void wrong_size_is_not_put_into_an_index_of_later(void)
{
	struct box box;
	fill(&box);
	struct maildrop *m = box_open(&box);
	maildrop_has_wrong_size(m, 1);
	CU_ASSERT_EQUAL(unlink(IN_MAILDIR), 0);
	size_t remaining;
	CU_ASSERT_EQUAL(maildrop_commit(m, NULL, 0, &remaining), STORE_OK);
	CU_ASSERT_FALSE(box_has(INDEX_FILE));
	maildrop_close(m);
	box_fini(&box);
}

static void wrong_size_is_not_put_into_an_index_of_before(void)
{
	struct box box;
	fill(&box);
	CU_ASSERT_EQUAL(system("cp -p " IN_MAILDIR " old"), 0);
	box_put("new/4.M1.x", "four\n");
	struct maildrop *m = box_open(&box);
	maildrop_has_wrong_size(m, 1);
	CU_ASSERT_EQUAL(system("cp -p old " IN_MAILDIR), 0);
	size_t remaining;
	CU_ASSERT_EQUAL(maildrop_commit(m, NULL, 0, &remaining), STORE_OK);
	CU_ASSERT_EQUAL(system("cmp -s old " IN_MAILDIR), 0);
	maildrop_close(m);
	box_fini(&box);
}

static void deleted_message_of_wrong_size_is_no_trouble(void)
{
	struct box box;
	fill(&box);
	struct maildrop *m = box_open(&box);
	for (size_t msgno = 1; msgno <= 3; msgno++)
		maildrop_has_wrong_size(m, msgno);
	size_t remaining;
	CU_ASSERT_EQUAL(maildrop_commit(m, (uint32_t[]){2}, 1, &remaining), STORE_OK);
	CU_ASSERT_EQUAL(remaining, 0);
	maildrop_close(m);
	char ids[4096];
	CU_ASSERT_STRING_EQUAL(ids_of_login(&box, ids), "1.M1.x 3.M1.x,S=6,W=7 ");
	box_fini(&box);
}

/* ---- Deleted messages ---- */

/* Whether or not the next login can be sure that they are gone, as where mail arrives all the time.
 */
static void deleted_messages_leave_the_index(void)
{
	struct box box;
	fill(&box);
	box_put("new/4.M1.x", "four\n");
	box_put("new/5.M1.x", "five\n");
	struct maildrop *m = box_open(&box);
	/* One that has to be looked for, one that somebody else has deleted. */
	box_rename("new/3.M1.x,S=6,W=7", "cur/3.M1.x,S=6,W=7:2,S");
	CU_ASSERT_EQUAL(unlink("home/Maildir/new/4.M1.x"), 0);
	size_t remaining;
	CU_ASSERT_EQUAL(maildrop_commit(m, (uint32_t[]){1, 3, 4}, 3, &remaining), STORE_OK);
	maildrop_close(m);

	const struct index index = read_now();
	CU_ASSERT_EQUAL_FATAL(maildrop_list_count(index.list), 2);
	CU_ASSERT_STRING_EQUAL(maildrop_list_entry(index.list, 0).id, "2.M1.x");
	CU_ASSERT_STRING_EQUAL(maildrop_list_entry(index.list, 1).id, "5.M1.x");
	maildrop_list_unref(index.list);
	box_fini(&box);
}

static void messages_that_could_not_be_deleted_stay_in_the_index(void)
{
	struct box box;
	fill(&box);
	struct maildrop *m = box_open(&box);
	box_put("tmp/1", "another one\n");
	box_rename("tmp/1", "new/1.M1.x");
	size_t remaining;
	CU_ASSERT_EQUAL(maildrop_commit(m, (uint32_t[]){1, 2}, 2, &remaining), STORE_TEMPORARY);
	box_expect_log(&box, "another file has its place");
	maildrop_close(m);
	const struct index index = read_now();
	CU_ASSERT_EQUAL(maildrop_list_count(index.list), 2);
	maildrop_list_unref(index.list);
	box_fini(&box);
}

/* ---- Many ---- */

/* Against a login without an index, with changes of every kind in between. */
static void index_and_folders_tell_the_same_after_any_change(void)
{
	struct box box;
	static char with[65536], without[65536];
	unsigned seed = 7;
	box_init(&box);
	for (int round = 0; round < 60; round++) {
		for (int change = 0; change < 5; change++) {
			char from[64], to[64];
			unsigned number = (unsigned)rand_r(&seed) % 40;
			bool cur = rand_r(&seed) % 2;
			snprintf(from, sizeof from, "home/Maildir/%s/%u.M1.x%s",
				 cur ? "cur" : "new", number, cur ? ":2,S" : "");
			snprintf(to, sizeof to, "home/Maildir/%s/%u.M1.x%s", cur ? "new" : "cur",
				 number, cur ? "" : ":2,S");
			switch (rand_r(&seed) % 4) {
			case 0:
				unlink(from);
				break;
			case 1:
				rename(from, to);
				break;
			default:
				box_put(strchr(from, '/') + strlen("/Maildir/"), "text\n");
			}
		}
		struct maildrop *m = box_open(&box);
		box_ids(m, with);
		maildrop_close(m);
		unlink(IN_MAILDIR);
		m = box_open(&box);
		box_ids(m, without);
		maildrop_close(m);
		CU_ASSERT_STRING_EQUAL(with, without);
		/* The index of now, and not that of an empty past, goes into the next round. */
	}
	test_count(60);
	box_fini(&box);
}

static const struct test tests[] = {
	TEST(messages_of_unchanged_folders_are_not_looked_at),
	TEST(looks_at_known_messages_are_bounded),
	TEST(files_in_the_place_of_others_are_measured),
	TEST(another_file_under_a_known_name_is_measured),
	TEST(moves_and_flags_are_found),
	TEST(message_that_is_gone_is_not_listed_any_more),
	TEST(messages_that_come_in_the_same_moment_are_seen),
	TEST(folder_of_the_future_is_read_each_time),
	TEST(folder_whose_time_was_set_back_is_read),
	TEST(index_of_another_maildrop_is_not_taken_for_this_one),
	TEST(lost_or_damaged_index_is_made_anew),
	TEST(index_never_writes_to_what_is_there),
	TEST(index_that_cannot_be_written_is_a_log_line),
	TEST(indexes_can_be_in_a_directory_of_their_own),
	TEST(index_directory_that_is_missing_is_a_log_line),
	TEST(wrong_size_is_put_right_at_quit),
	TEST(wrong_size_is_not_put_into_an_index_of_later),
	TEST(wrong_size_is_not_put_into_an_index_of_before),
	TEST(deleted_message_of_wrong_size_is_no_trouble),
	TEST(deleted_messages_leave_the_index),
	TEST(messages_that_could_not_be_deleted_stay_in_the_index),
	TEST(index_and_folders_tell_the_same_after_any_change),
	TEST_END,
};
const struct test_suite suite_store_index = {"store_index", tests};
