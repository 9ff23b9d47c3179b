/* The pool of threads and the delay. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth/scheme.h"
#include "backend/delay.h"
#include "backend/workers.h"
#include "base/clock.h"
#include "unit/suite.h"

/* A test that waits longer than this hangs; so generous that it never decides anything else. */
#define HANG_SECONDS 60

static bool wait_for(sem_t *semaphore)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += HANG_SECONDS;
	while (sem_timedwait(semaphore, &until) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

/* One piece of work for the tests: it notes its turn and may wait at a gate. */
struct piece {
	struct work work; /* first */
	sem_t *begun;     /* posted when it runs */
	sem_t *gate;      /* waited for when it runs */
	sem_t *on_drop;   /* posted when it is dropped */
	struct diary *diary;
	int name;
};

struct diary {
	pthread_mutex_t mutex;
	int runs[16], drops[16];
	size_t run_count, drop_count;
};

static void piece_run(struct work *work)
{
	struct piece *piece = (struct piece *)(void *)work;
	struct diary *diary = piece->diary;
	pthread_mutex_lock(&diary->mutex);
	diary->runs[diary->run_count++] = piece->name;
	pthread_mutex_unlock(&diary->mutex);
	sem_t *gate = piece->gate;
	if (piece->begun != NULL)
		sem_post(piece->begun);
	if (gate != NULL)
		CU_ASSERT(wait_for(gate));
}

static void piece_drop(struct work *work)
{
	struct piece *piece = (struct piece *)(void *)work;
	struct diary *diary = piece->diary;
	pthread_mutex_lock(&diary->mutex);
	diary->drops[diary->drop_count++] = piece->name;
	pthread_mutex_unlock(&diary->mutex);
	if (piece->on_drop != NULL)
		sem_post(piece->on_drop);
}

static struct piece piece(struct diary *diary, int name, sem_t *begun, sem_t *gate)
{
	return (struct piece){.work = {.run = piece_run, .drop = piece_drop},
			      .begun = begun,
			      .gate = gate,
			      .diary = diary,
			      .name = name};
}

static size_t threads_now(void)
{
	size_t count = 0;
	DIR *tasks = opendir("/proc/self/task");
	if (tasks == NULL)
		return 0;
	for (struct dirent *e = readdir(tasks); e != NULL; e = readdir(tasks))
		count += e->d_name[0] != '.';
	closedir(tasks);
	return count;
}

/* A joined thread can be seen for a moment longer: until the number has been the same for a while.
 */
static size_t threads_settled(void)
{
	size_t count = threads_now();
	for (int same = 0; same < 10; same++) {
		usleep(5000);
		if (threads_now() != count) {
			count = threads_now();
			same = 0;
		}
	}
	return count;
}

static void work_is_begun_in_order(void)
{
	struct diary diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	sem_t begun, gate;
	sem_init(&begun, 0, 0);
	sem_init(&gate, 0, 0);
	struct workers *pool = workers_new(1, 8);
	struct piece pieces[4] = {piece(&diary, 1, &begun, &gate), piece(&diary, 2, &begun, NULL),
				  piece(&diary, 3, &begun, NULL), piece(&diary, 4, &begun, NULL)};
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(workers_submit(pool, &pieces[i].work), 0);
	sem_post(&gate);
	for (int i = 0; i < 4; i++)
		CU_ASSERT(wait_for(&begun));
	workers_free(pool);
	CU_ASSERT_EQUAL(diary.run_count, 4);
	CU_ASSERT_EQUAL(diary.drop_count, 0);
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(diary.runs[i], i + 1);
	sem_destroy(&gate);
	sem_destroy(&begun);
}

static void full_queue_refuses_work(void)
{
	struct diary diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	sem_t begun, gate;
	sem_init(&begun, 0, 0);
	sem_init(&gate, 0, 0);
	struct workers *pool = workers_new(1, 2);
	struct piece pieces[4] = {piece(&diary, 1, &begun, &gate), piece(&diary, 2, &begun, NULL),
				  piece(&diary, 3, &begun, NULL), piece(&diary, 4, &begun, NULL)};
	CU_ASSERT_EQUAL(workers_submit(pool, &pieces[0].work), 0);
	CU_ASSERT(wait_for(&begun));
	CU_ASSERT_EQUAL(workers_submit(pool, &pieces[1].work), 0);
	CU_ASSERT_EQUAL(workers_submit(pool, &pieces[2].work), 0);
	CU_ASSERT_EQUAL(workers_submit(pool, &pieces[3].work), -EAGAIN);
	sem_post(&gate);
	CU_ASSERT(wait_for(&begun));
	CU_ASSERT(wait_for(&begun));
	CU_ASSERT_EQUAL(workers_submit(pool, &pieces[3].work), 0);
	CU_ASSERT(wait_for(&begun));
	workers_free(pool);
	CU_ASSERT_EQUAL(diary.run_count, 4);
	sem_destroy(&gate);
	sem_destroy(&begun);
}

/* Behind a closed gate the queue fills; `party` is the name's hundreds. */
struct line {
	struct diary diary;
	sem_t begun, gate;
	struct workers *pool;
	struct piece first, pieces[8];
	size_t count;
};

static void line_begin(struct line *line, size_t queue_max)
{
	*line = (struct line){.diary = {.mutex = PTHREAD_MUTEX_INITIALIZER}};
	sem_init(&line->begun, 0, 0);
	sem_init(&line->gate, 0, 0);
	line->pool = workers_new(1, queue_max);
	line->first = piece(&line->diary, 0, &line->begun, &line->gate);
	CU_ASSERT_EQUAL(workers_submit(line->pool, &line->first.work), 0);
	CU_ASSERT(wait_for(&line->begun));
}

static int line_add(struct line *line, int name)
{
	struct piece *next = &line->pieces[line->count++];
	*next = piece(&line->diary, name, &line->begun, NULL);
	next->work.party = (uint64_t)name / 100;
	return workers_submit(line->pool, &next->work);
}

/* Open the gate; the pieces must run in this order. */
static void line_end(struct line *line, size_t count, const int order[])
{
	sem_post(&line->gate);
	for (size_t i = 0; i < count; i++)
		CU_ASSERT(wait_for(&line->begun));
	workers_free(line->pool);
	CU_ASSERT_EQUAL(line->diary.run_count, count + 1);
	for (size_t i = 0; i < count; i++)
		CU_ASSERT_EQUAL(line->diary.runs[i + 1], order[i]);
	sem_destroy(&line->gate);
	sem_destroy(&line->begun);
}

static void parties_take_turns(void)
{
	static const int order[] = {101, 201, 301, 102, 202, 103, 104};
	struct line line;
	line_begin(&line, 8);
	for (int name = 101; name <= 104; name++)
		CU_ASSERT_EQUAL(line_add(&line, name), 0);
	CU_ASSERT_EQUAL(line_add(&line, 201), 0);
	CU_ASSERT_EQUAL(line_add(&line, 202), 0);
	CU_ASSERT_EQUAL(line_add(&line, 301), 0);
	line_end(&line, 7, order);
}

static void full_queue_drops_the_last_of_the_longest_line(void)
{
	static const int order[] = {101, 201, 102};
	struct line line;
	line_begin(&line, 3);
	for (int name = 101; name <= 103; name++)
		CU_ASSERT_EQUAL(line_add(&line, name), 0);
	CU_ASSERT_EQUAL(line_add(&line, 104), -EAGAIN);
	CU_ASSERT_EQUAL(line_add(&line, 201), 0);
	CU_ASSERT_EQUAL(line.diary.drop_count, 1);
	CU_ASSERT_EQUAL(line.diary.drops[0], 103);
	/* All lines are as long as its own now. */
	CU_ASSERT_EQUAL(line_add(&line, 202), -EAGAIN);
	CU_ASSERT_EQUAL(line.diary.drop_count, 1);
	line_end(&line, 3, order);
}

static void freed_pool_drops_what_waits_and_ends_what_runs(void)
{
	struct diary diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	sem_t begun, gate;
	sem_init(&begun, 0, 0);
	sem_init(&gate, 0, 0);
	struct workers *pool = workers_new(1, 8);
	struct piece pieces[3] = {piece(&diary, 1, &begun, &gate), piece(&diary, 2, NULL, NULL),
				  piece(&diary, 3, NULL, NULL)};
	/* The first goes on only when the last was dropped, so they cannot have run. */
	pieces[2].on_drop = &gate;
	CU_ASSERT_EQUAL(workers_submit(pool, &pieces[0].work), 0);
	CU_ASSERT(wait_for(&begun));
	CU_ASSERT_EQUAL(workers_submit(pool, &pieces[1].work), 0);
	CU_ASSERT_EQUAL(workers_submit(pool, &pieces[2].work), 0);
	workers_free(pool);
	CU_ASSERT_EQUAL(diary.run_count, 1);
	CU_ASSERT_EQUAL(diary.drop_count, 2);
	CU_ASSERT_EQUAL(diary.drops[0], 2);
	CU_ASSERT_EQUAL(diary.drops[1], 3);
	sem_destroy(&gate);
	sem_destroy(&begun);
}

static void stopped_pools_take_no_work_from_each_other(void)
{
	struct diary diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	struct workers *pool = workers_new(1, 8);
	struct piece pieces[2] = {piece(&diary, 1, NULL, NULL), piece(&diary, 2, NULL, NULL)};
	CU_ASSERT_EQUAL(workers_submit(pool, &pieces[0].work), 0);
	workers_stop(pool);
	CU_ASSERT_EQUAL(diary.run_count + diary.drop_count, 1);
	CU_ASSERT_EQUAL(workers_submit(pool, &pieces[1].work), -ECANCELED);
	workers_stop(pool);
	workers_stop(NULL);
	workers_free(pool);
	CU_ASSERT_EQUAL(diary.run_count + diary.drop_count, 1);
}

static void idle_pool_has_no_threads_and_a_busy_one_no_more_than_asked_for(void)
{
	struct diary diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	sem_t begun, gate;
	sem_init(&begun, 0, 0);
	sem_init(&gate, 0, 0);
	size_t before = threads_settled();
	struct workers *pool = workers_new(2, 8);
	CU_ASSERT_EQUAL(threads_now(), before);
	struct piece pieces[5];
	for (int i = 0; i < 5; i++) {
		pieces[i] = piece(&diary, i, &begun, &gate);
		CU_ASSERT_EQUAL(workers_submit(pool, &pieces[i].work), 0);
	}
	/* Both threads run although no piece ends: work does not wait while a thread may start. */
	CU_ASSERT(wait_for(&begun));
	CU_ASSERT(wait_for(&begun));
	CU_ASSERT_EQUAL(threads_now(), before + 2);
	for (int i = 0; i < 5; i++)
		sem_post(&gate);
	for (int i = 0; i < 3; i++)
		CU_ASSERT(wait_for(&begun));
	workers_free(pool);
	sem_destroy(&gate);
	sem_destroy(&begun);
}

/* Work that submits itself again, from the pool's own thread, a number of times. */
struct again {
	struct work work; /* first */
	struct workers *pool;
	int left;
	int refused;
	sem_t *done;
};

static void again_drop(struct work *work)
{
	((struct again *)(void *)work)->left = -1;
}

static void again_run(struct work *work)
{
	struct again *again = (struct again *)(void *)work;
	if (again->left-- == 0)
		sem_post(again->done);
	else if (workers_submit(again->pool, work) != 0)
		again->refused++; /* only then it is still this thread's */
}

static void work_may_submit_itself_again(void)
{
	sem_t done;
	sem_init(&done, 0, 0);
	struct workers *pool = workers_new(3, 1);
	struct again again = {.work = {.run = again_run, .drop = again_drop},
			      .pool = pool,
			      .left = 10000,
			      .done = &done};
	CU_ASSERT_EQUAL(workers_submit(pool, &again.work), 0);
	CU_ASSERT(wait_for(&done));
	workers_free(pool);
	CU_ASSERT_EQUAL(again.refused, 0);
	CU_ASSERT_EQUAL(again.left, -1);
	sem_destroy(&done);
}

struct probe {
	struct work work; /* first */
	bool blocked;
	enum auth_result result;
	const char *secret;
	sem_t *done;
};

static void probe_signals(struct work *work)
{
	struct probe *probe = (struct probe *)(void *)work;
	sigset_t mask;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	probe->blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1;
	sem_post(probe->done);
}

static void never(struct work *work)
{
	(void)work;
	CU_FAIL("dropped");
}

static void threads_take_no_signals(void)
{
	sem_t done;
	sem_init(&done, 0, 0);
	struct workers *pool = workers_new(1, 1);
	struct probe probe = {.work = {.run = probe_signals, .drop = never}, .done = &done};
	CU_ASSERT_EQUAL(workers_submit(pool, &probe.work), 0);
	CU_ASSERT(wait_for(&done));
	CU_ASSERT(probe.blocked);
	sigset_t mask;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	CU_ASSERT_EQUAL(sigismember(&mask, SIGTERM), 0);
	workers_free(pool);
	sem_destroy(&done);
}

static void probe_secret(struct work *work)
{
	struct probe *probe = (struct probe *)(void *)work;
	probe->result = scheme_verify(AUTH_SCHEME_CRYPT, probe->secret, "wonderland", 10);
	sem_post(probe->done);
}

static void every_crypt_method_fits_the_small_stack(void)
{
	static const char *const methods[] = {"yescrypt", "bcrypt", "sha512-crypt", "sha256-crypt"};
	sem_t done;
	sem_init(&done, 0, 0);
	struct workers *pool = workers_new(1, 1);
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		char secret[AUTH_SECRET_SIZE];
		CU_ASSERT_EQUAL(auth_make_secret(methods[i], "wonderland", 10, secret), 0);
		struct probe probe = {.work = {.run = probe_secret, .drop = never},
				      .result = AUTH_TEMPORARY,
				      .secret = strchr(secret, '}') + 1,
				      .done = &done};
		CU_ASSERT_EQUAL(workers_submit(pool, &probe.work), 0);
		CU_ASSERT(wait_for(&done));
		CU_ASSERT_EQUAL(probe.result, AUTH_OK);
	}
	workers_free(pool);
	sem_destroy(&done);
}

/* ---- The delay ---- */

struct late {
	struct delayed delayed; /* first */
	struct diary *diary;
	int name;
	uint64_t ran;
	sem_t *done;
};

static void late_run(struct delayed *delayed)
{
	struct late *late = (struct late *)(void *)delayed;
	pthread_mutex_lock(&late->diary->mutex);
	late->diary->runs[late->diary->run_count++] = late->name;
	pthread_mutex_unlock(&late->diary->mutex);
	late->ran = clock_now();
	sem_post(late->done);
}

static struct late late(struct diary *diary, int name, sem_t *done, uint64_t due)
{
	return (struct late){.delayed = {.run = late_run, .due = due},
			     .diary = diary,
			     .name = name,
			     .done = done};
}

static void delayed_things_run_in_the_order_they_are_due(void)
{
	struct diary diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	sem_t done;
	sem_init(&done, 0, 0);
	struct delay *delay = delay_new(8);
	uint64_t now = clock_now();
	struct late things[3] = {late(&diary, 1, &done, now + 60), late(&diary, 2, &done, now + 90),
				 late(&diary, 3, &done, now + 30)};
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(delay_add(delay, &things[i].delayed), 0);
	for (int i = 0; i < 3; i++)
		CU_ASSERT(wait_for(&done));
	delay_free(delay);
	static const int order[] = {3, 1, 2};
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(diary.runs[i], order[i]);
		CU_ASSERT(things[i].ran >= things[i].delayed.due);
	}
	sem_destroy(&done);
}

static void freed_delay_runs_what_waits_at_once(void)
{
	struct diary diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	sem_t done;
	sem_init(&done, 0, 0);
	struct delay *delay = delay_new(2);
	uint64_t far = clock_now() + 3600000;
	struct late things[3] = {late(&diary, 1, &done, far), late(&diary, 2, &done, far),
				 late(&diary, 3, &done, far)};
	CU_ASSERT_EQUAL(delay_add(delay, &things[0].delayed), 0);
	CU_ASSERT_EQUAL(delay_add(delay, &things[1].delayed), 0);
	CU_ASSERT_EQUAL(delay_add(delay, &things[2].delayed), -EAGAIN);
	CU_ASSERT_EQUAL(diary.run_count, 0);
	delay_free(delay);
	CU_ASSERT_EQUAL(diary.run_count, 2);
	CU_ASSERT_EQUAL(diary.runs[0], 1);
	CU_ASSERT_EQUAL(diary.runs[1], 2);
	sem_destroy(&done);
}

static const struct test tests[] = {
	TEST(work_is_begun_in_order),
	TEST(full_queue_refuses_work),
	TEST(parties_take_turns),
	TEST(full_queue_drops_the_last_of_the_longest_line),
	TEST(freed_pool_drops_what_waits_and_ends_what_runs),
	TEST(stopped_pools_take_no_work_from_each_other),
	TEST(idle_pool_has_no_threads_and_a_busy_one_no_more_than_asked_for),
	TEST(work_may_submit_itself_again),
	TEST(threads_take_no_signals),
	TEST(every_crypt_method_fits_the_small_stack),
	TEST(delayed_things_run_in_the_order_they_are_due),
	TEST(freed_delay_runs_what_waits_at_once),
	TEST_END,
};

const struct test_suite suite_workers = {.name = "workers", .tests = tests};
