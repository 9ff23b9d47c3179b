/*
 * Thousands of deliveries at once into one Maildir, in threads and in processes: each message is
 * there once, whole, and tells its sizes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/name.h"
#include "unit/delivered.h"

enum { THREADS = 16, PROCESSES = 4, MESSAGES_MAX = 20000, TEXT_MAX = 512 };

/* One that delivers: messages first, first + step, ... below count. */
struct crew {
	pthread_barrier_t *start;
	unsigned long first, step, count, failures;
};

/* The message of a number: how long it is follows from the number, too. */
static size_t text_of(unsigned long number, char text[TEXT_MAX])
{
	int length = snprintf(text, TEXT_MAX, "Subject: %lu\n\n%.*s\n", number, (int)(number % 97),
			      "0123456789012345678901234567890123456789"
			      "0123456789012345678901234567890123456789"
			      "01234567890123456");
	return (size_t)length;
}

/* In two pieces, so that deliveries are under way at once. */
static bool deliver(unsigned long number)
{
	char text[TEXT_MAX];
	struct pop3_maildir_delivery *d;
	size_t length = text_of(number, text);
	if (pop3_maildir_begin(DELIVERED_MAILDIR, NULL, &d) != POP3_MAILDIR_OK)
		return false;
	pop3_maildir_write(d, text, length / 2);
	pop3_maildir_write(d, text + length / 2, length - length / 2);
	return pop3_maildir_commit(d) == POP3_MAILDIR_OK;
}

static void *deliver_many(void *data)
{
	struct crew *crew = data;
	if (crew->start != NULL)
		pthread_barrier_wait(crew->start);
	for (unsigned long n = crew->first; n < crew->count; n += crew->step)
		crew->failures += !deliver(n);
	return NULL;
}

/* Which message the file is; its name's hints must be right. */
static unsigned long number_of(int folder, const char *name)
{
	char found[TEXT_MAX] = "", expected[TEXT_MAX];
	int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t got = file < 0 ? -1 : read(file, found, sizeof found - 1);
	if (file >= 0)
		close(file);
	if (got < 9)
		return MESSAGES_MAX;
	unsigned long number = strtoul(found + strlen("Subject: "), NULL, 10);
	size_t length = text_of(number, expected);
	const struct name_hints hints = name_hints(name, strlen(name));
	bool right = (size_t)got == length && memcmp(found, expected, length) == 0 &&
		     hints.has_size && hints.size == length && hints.has_octets &&
		     hints.octets == length + 3; /* three lines end in LF */
	return right ? number : MESSAGES_MAX;
}

/* All of [0, count) are in new/, each once. */
static void expect_messages(unsigned long count)
{
	static unsigned char seen[MESSAGES_MAX];
	unsigned long files = 0, wrong = 0;
	memset(seen, 0, sizeof seen);
	DIR *directory = opendir(DELIVERED_MAILDIR "/new");
	CU_ASSERT_PTR_NOT_NULL_FATAL(directory);
	for (struct dirent *e = readdir(directory); e != NULL; e = readdir(directory)) {
		if (e->d_name[0] == '.')
			continue;
		unsigned long number = number_of(dirfd(directory), e->d_name);
		wrong += number >= count || seen[number]++ != 0;
		files++;
	}
	closedir(directory);
	CU_ASSERT_EQUAL(files, count);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
	test_count(count);
}

static unsigned long how_many(void)
{
	unsigned long count = test_setting("POP3_DELIVERIES", 200);
	return count < MESSAGES_MAX ? count : MESSAGES_MAX;
}

static void threads_that_deliver_at_once_do_not_meet(void)
{
	struct box box;
	pthread_t threads[THREADS];
	struct crew crews[THREADS];
	pthread_barrier_t start;
	unsigned long count = how_many(), failures = 0;
	box_init(&box);
	pthread_barrier_init(&start, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		crews[i] = (struct crew){&start, i, THREADS, count, 0};
		if (pthread_create(&threads[i], NULL, deliver_many, &crews[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		failures += crews[i].failures;
	}
	pthread_barrier_destroy(&start);
	CU_ASSERT_EQUAL(failures, 0);
	expect_messages(count);
	box_fini(&box);
}

/* The parent has delivered, too: what its children inherit makes no names equal. */
static void children_of_one_process_do_not_meet(void)
{
	struct box box;
	pid_t children[PROCESSES];
	unsigned long count = how_many();
	box_init(&box);
	CU_ASSERT_TRUE(deliver(0));
	for (unsigned i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (children[i] != 0)
			continue;
		struct crew crew = {NULL, i + 1, PROCESSES, count, 0};
		deliver_many(&crew);
		_exit(crew.failures != 0);
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		int status = -1;
		CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
		CU_ASSERT_EQUAL(status, 0);
	}
	expect_messages(count);
	box_fini(&box);
}

static const struct test tests[] = {
	TEST(threads_that_deliver_at_once_do_not_meet),
	TEST(children_of_one_process_do_not_meet),
	TEST_END,
};
const struct test_suite suite_delivery_crowd = {"delivery_crowd", tests};
