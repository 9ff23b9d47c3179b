/* When a folder's state tells that nothing has changed: moments written out, and real ones. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/change.h"
#include "unit/store_box.h"

/* A folder that was changed at second 100 and so many nanoseconds. */
static struct folder_state state_at(long nanoseconds)
{
	const struct timespec time = {.tv_sec = 100, .tv_nsec = nanoseconds};
	return (struct folder_state){.identity = 7, .modified = time, .changed = time};
}

static void states_are_the_same_only_in_every_member(void)
{
	const struct folder_state a = state_at(5);
	struct folder_state b = a;
	CU_ASSERT(change_same(&a, &b));
	b.identity = 8;
	CU_ASSERT_FALSE(change_same(&a, &b));
	b = a;
	b.modified.tv_nsec = 6;
	CU_ASSERT_FALSE(change_same(&a, &b));
	b = a;
	b.modified.tv_sec = 99;
	CU_ASSERT_FALSE(change_same(&a, &b));
	b = a;
	b.changed.tv_nsec = 4;
	CU_ASSERT_FALSE(change_same(&a, &b));
	b = a;
	b.changed.tv_sec = 101;
	CU_ASSERT_FALSE(change_same(&a, &b));
}

/* In the tick of the moment another change would bear the same time. */
static void state_is_settled_when_it_is_older_than_the_moment(void)
{
	const struct timespec moment = {.tv_sec = 100, .tv_nsec = 5};
	struct folder_state state = state_at(4);
	CU_ASSERT(change_is_settled(&state, &moment));
	state.modified.tv_nsec = 5;
	CU_ASSERT_FALSE(change_is_settled(&state, &moment));
	state = state_at(4);
	state.changed.tv_nsec = 5;
	CU_ASSERT_FALSE(change_is_settled(&state, &moment));
	state = state_at(5);
	CU_ASSERT_FALSE(change_is_settled(&state, &moment));
	/* A clock that was set back may come to this time again. */
	state.modified.tv_sec = 100000;
	state.changed.tv_sec = 100000;
	CU_ASSERT_FALSE(change_is_settled(&state, &moment));
}

static void nothing_is_quiet_in_the_tick_of_a_change(void)
{
	const struct timespec moment = {.tv_sec = 100, .tv_nsec = 5};
	const struct maildir_state old = {.folders = {state_at(4), state_at(4)}};
	const struct maildir_state present = {.folders = {state_at(4), state_at(5)}};
	struct maildir_state later = old;
	CU_ASSERT(change_is_quiet(&old, &moment, &old));
	CU_ASSERT_FALSE(change_is_quiet(&present, &moment, &present));
	later.folders[FOLDER_NEW].changed.tv_sec = 101;
	CU_ASSERT_FALSE(change_is_quiet(&old, &moment, &later));
	later = old;
	later.folders[FOLDER_CUR].modified.tv_nsec = 6;
	CU_ASSERT_FALSE(change_is_quiet(&old, &moment, &later));

	/* For the time of a reading no change bears a time of the far future. */
	struct maildir_state ahead = old;
	ahead.folders[FOLDER_NEW].modified.tv_sec = 100 + 61;
	ahead.folders[FOLDER_NEW].changed.tv_sec = 100 + 61;
	CU_ASSERT(change_is_quiet(&ahead, &moment, &ahead));
	ahead.folders[FOLDER_NEW].changed.tv_sec = 100 + 59;
	CU_ASSERT_FALSE(change_is_quiet(&ahead, &moment, &ahead));
}

static void watch(struct maildir *maildir)
{
	int directory = open("home/Maildir", O_RDONLY | O_DIRECTORY);
	CU_ASSERT_EQUAL_FATAL(maildir_init(directory, maildir), 0);
}

static void moment_is_of_the_file_system_and_leaves_nothing(void)
{
	struct box box;
	struct maildir maildir;
	struct maildir_state state;
	struct timespec moment;
	box_init(&box);
	watch(&maildir);
	size_t names = box_count(".");
	box_put("new/1", "x\n");
	CU_ASSERT_EQUAL(change_observe(&maildir, true, &state, &moment), 0);
	CU_ASSERT(change_is_settled(&state.folders[FOLDER_NEW], &moment));
	CU_ASSERT(change_is_settled(&state.folders[FOLDER_CUR], &moment));
	CU_ASSERT_EQUAL(box_count("."), names);
	box_put("new/2", "x\n");
	struct maildir_state after;
	CU_ASSERT_EQUAL(change_look(&maildir, &after), 0);
	CU_ASSERT_FALSE(change_same(&state.folders[FOLDER_NEW], &after.folders[FOLDER_NEW]));
	CU_ASSERT(change_same(&state.folders[FOLDER_CUR], &after.folders[FOLDER_CUR]));
	close(maildir.descriptor);
	box_fini(&box);
}

/* Where nothing can be written this machine's clock has to do, with a margin. */
static void moment_of_a_read_only_maildrop_is_in_the_past(void)
{
	struct box box;
	struct maildir maildir;
	struct maildir_state state;
	struct timespec moment, now;
	box_init(&box);
	watch(&maildir);
	box_drop_powers();
	CU_ASSERT_EQUAL(change_observe(&maildir, false, &state, &moment), 0);
	box_regain_powers();
	clock_gettime(CLOCK_REALTIME, &now);
	if (getuid() == 0)
		CU_ASSERT(moment.tv_sec < now.tv_sec);
	close(maildir.descriptor);
	box_fini(&box);
}

static int refuse(void *state, const struct folder_entry *entry)
{
	(void)entry;
	return *(int *)state;
}

static void reading_ends_with_what_a_visit_returns(void)
{
	struct box box;
	struct maildir maildir;
	int result = -5;
	bool quiet = false;
	box_init(&box);
	watch(&maildir);
	box_put("cur/1", "x\n");
	CU_ASSERT_EQUAL(change_read_quietly(&maildir, refuse, &result, &quiet), -5);
	CU_ASSERT_FALSE(quiet);
	result = 0;
	CU_ASSERT_EQUAL(change_read_quietly(&maildir, refuse, &result, &quiet), 0);
	CU_ASSERT(quiet);
	close(maildir.descriptor);
	box_fini(&box);
}

static const struct test tests[] = {
	TEST(states_are_the_same_only_in_every_member),
	TEST(state_is_settled_when_it_is_older_than_the_moment),
	TEST(nothing_is_quiet_in_the_tick_of_a_change),
	TEST(moment_is_of_the_file_system_and_leaves_nothing),
	TEST(moment_of_a_read_only_maildrop_is_in_the_past),
	TEST(reading_ends_with_what_a_visit_returns),
	TEST_END,
};
const struct test_suite suite_store_change = {"store_change", tests};
