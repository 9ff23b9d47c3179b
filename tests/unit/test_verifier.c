/*
 * The program that is asked about passwords: real ones, scripts of some lines. What it is told,
 * how its end is understood, what is left of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/program.h"
#include "backend/verifier.h"
#include "base/clock.h"
#include "unit/suite.h"
#include "unit/wiped.h"

/* Milliseconds for programs that end by themselves; never decides anything. */
#define PATIENT 60000
/* For those that do not: nothing else is waited for so long. */
#define SHORT 300
/* More than a pipe holds. */
#define MUCH 300000

struct ground {
	char folder[64];
	char command[128]; /* folder/program and perhaps arguments */
	struct verifier *verifier;
	struct verifier_question question;
	char log[4096];
};

static void keep_log(const struct pop3_record *record, void *data)
{
	struct ground *g = data;
	char line[LOG_LINE_SIZE];
	log_format_logfmt(record, line);
	size_t length = strlen(g->log);
	snprintf(g->log + length, sizeof g->log - length, "%s\n", line);
}

static void put(const struct ground *g, const char *name, mode_t mode, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", g->folder, name);
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CU_ASSERT_FATAL(file >= 0);
	CU_ASSERT_EQUAL(write(file, text, strlen(text)), (ssize_t)strlen(text));
	CU_ASSERT_EQUAL(fchmod(file, mode), 0);
	close(file);
}

/* What a file in the folder holds; "" if there is none. Returns its length. */
static size_t get(const struct ground *g, const char *name, char *text, size_t size)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", g->folder, name);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? 0 : read(file, text, size - 1);
	if (file >= 0)
		close(file);
	text[length < 0 ? 0 : length] = '\0';
	return length < 0 ? 0 : (size_t)length;
}

static void ground_init(struct ground *g, const char *script)
{
	char text[1024];
	signal(SIGPIPE, SIG_IGN);
	*g = (struct ground){.folder = "/tmp/pop3-unit-XXXXXX"};
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(g->folder));
	snprintf(g->command, sizeof g->command, "%s/program", g->folder);
	snprintf(text, sizeof text, "#!/bin/sh\ncd %s\n%s\n", g->folder, script);
	put(g, "program", 0700, text);
	const struct log_sink sink = {keep_log, g};
	g->verifier = verifier_new(&sink);
	CU_ASSERT_PTR_NOT_NULL_FATAL(g->verifier);
	g->question = (struct verifier_question){.session = 7,
						 .user = "alice",
						 .secret = "wonderland",
						 .secret_length = 10,
						 .method = "PASS",
						 .peer = "192.0.2.1:4711"};
}

/* Nothing is left: no process, no line that nobody expected. */
static void ground_fini(struct ground *g)
{
	CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
	CU_ASSERT_EQUAL(errno, ECHILD);
	CU_ASSERT_STRING_EQUAL(g->log, "");
	verifier_free(g->verifier);
	DIR *folder = opendir(g->folder);
	CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
	for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder))
		unlinkat(dirfd(folder), e->d_name, 0);
	closedir(folder);
	CU_ASSERT_EQUAL(rmdir(g->folder), 0);
	test_count(1);
}

static enum auth_result ask(struct ground *g, uint32_t timeout)
{
	const struct verifier_rules rules = {g->command, timeout};
	return verifier_ask(g->verifier, &rules, &g->question);
}

/* The one line about a failure has this in it. */
static void expect_log(struct ground *g, const char *text)
{
	if (strstr(g->log, text) == NULL)
		printf("nothing of \"%s\" in: %s\n", text, g->log);
	CU_ASSERT_PTR_NOT_NULL(strstr(g->log, text));
	CU_ASSERT_PTR_NOT_NULL(strstr(g->log, "session=7"));
	CU_ASSERT_PTR_NOT_NULL(strstr(g->log, g->folder));
	CU_ASSERT_PTR_NULL(strstr(g->log, "wonderland"));
	CU_ASSERT_PTR_EQUAL(strchr(g->log, '\n'), g->log + strlen(g->log) - 1);
	g->log[0] = '\0';
}

/* Is the process whose number the file holds gone, soon? */
static bool is_gone(const struct ground *g, const char *name)
{
	char text[32];
	get(g, name, text, sizeof text);
	pid_t pid = (pid_t)strtol(text, NULL, 10);
	CU_ASSERT_FATAL(pid > 1);
	uint64_t end = clock_now() + PATIENT;
	while (kill(pid, 0) == 0 && clock_now() < end) {
		/* An orphan whose new parent is slow to wait for it is gone as well. */
		char path[64], state[256];
		snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
		int file = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t length = file < 0 ? 0 : read(file, state, sizeof state - 1);
		if (file >= 0)
			close(file);
		state[length < 0 ? 0 : length] = '\0';
		if (strstr(state, ") Z ") != NULL)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return kill(pid, 0) != 0;
}

/* ---- Answers ---- */

static void exit_code_is_the_answer(void)
{
	static const struct {
		const char *script;
		enum auth_result result;
		const char *log;
	} cases[] = {
		{"exit 0", AUTH_OK, NULL},
		{"exit 1", AUTH_DENIED, NULL},
		{"exit 111", AUTH_TEMPORARY, "exit code 111"},
		{"exit 2", AUTH_TEMPORARY, "exit code 2"},
		{"exit 255", AUTH_TEMPORARY, "exit code 255"},
		{"kill -SEGV $$", AUTH_TEMPORARY, "signal 11"},
		{"kill -KILL $$", AUTH_TEMPORARY, "signal 9"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ground g;
		ground_init(&g, cases[i].script);
		CU_ASSERT_EQUAL(ask(&g, PATIENT), cases[i].result);
		if (cases[i].log != NULL)
			expect_log(&g, cases[i].log);
		ground_fini(&g);
	}
}

static void program_that_cannot_be_started_is_no_answer(void)
{
	struct ground g;
	ground_init(&g, "exit 0");
	put(&g, "program", 0700,
	    "\x7f"
	    "no program\n");
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_TEMPORARY);
	expect_log(&g, "cannot be started");
	put(&g, "program", 0700, "#!/nonexistent/interpreter\n");
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_TEMPORARY);
	expect_log(&g, "cannot be started");
	snprintf(g.command, sizeof g.command, "%s/nothing", g.folder);
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_TEMPORARY);
	expect_log(&g, "cannot be started");
	ground_fini(&g);
}

/* ---- What it is told ---- */

static void expect_told(struct ground *g, const char *octets, size_t length)
{
	char told[512];
	CU_ASSERT_EQUAL(ask(g, PATIENT), AUTH_OK);
	CU_ASSERT_EQUAL(get(g, "told", told, sizeof told), length);
	CU_ASSERT_EQUAL(memcmp(told, octets, length), 0);
}

static void program_is_told_user_secret_method_and_address(void)
{
	static const struct {
		const char *peer, *address;
	} cases[] = {{"192.0.2.1:4711", "192.0.2.1"},
		     {"[2001:db8::1]:4711", "2001:db8::1"},
		     {"unix", "unix"},
		     {"", ""}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ground g;
		char want[128];
		ground_init(&g, "cat <&3 >told");
		g.question.peer = cases[i].peer;
		size_t length = (size_t)snprintf(want, sizeof want, "alice%cwonderland%cPASS%c%s",
						 0, 0, 0, cases[i].address);
		expect_told(&g, want, length + 1);
		ground_fini(&g);
	}
}

static void secret_may_be_part_of_a_text(void)
{
	struct ground g;
	ground_init(&g, "cat <&3 >told");
	g.question.secret = "token==\1\1";
	g.question.secret_length = 7;
	g.question.method = "OAUTHBEARER";
	expect_told(&g,
		    "alice\0token==\0OAUTHBEARER\0"
		    "192.0.2.1",
		    36);
	ground_fini(&g);
}

static void command_may_have_arguments(void)
{
	struct ground g;
	ground_init(&g, "echo \"$#:$1:$2\" >told");
	strcat(g.command, "  -x   two ");
	expect_told(&g, "2:-x:two\n", 9);
	ground_fini(&g);
	ground_init(&g, "exit 0");
	for (size_t i = 0; i < PROGRAM_WORDS_MAX; i++)
		strcat(g.command, " a");
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_TEMPORARY);
	expect_log(&g, "cannot be started");
	ground_fini(&g);
}

static void long_secret_comes_whole_even_if_it_is_read_slowly(void)
{
	struct ground g;
	char *secret = malloc(MUCH);
	CU_ASSERT_PTR_NOT_NULL_FATAL(secret);
	memset(secret, 's', MUCH);
	ground_init(&g, "sleep 0.2; test $(cat <&3 | wc -c) -eq $((6 + 300000 + 1 + 5 + 10))");
	g.question.secret = secret;
	g.question.secret_length = MUCH;
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_OK);
	free(secret);
	ground_fini(&g);
}

static void program_that_does_not_read_is_asked_no_less(void)
{
	static const char *const scripts[] = {"exit 0", "exec 3<&-; sleep 0.1; exit 0"};
	char *secret = malloc(MUCH);
	CU_ASSERT_PTR_NOT_NULL_FATAL(secret);
	memset(secret, 's', MUCH);
	for (size_t i = 0; i < 4; i++) {
		struct ground g;
		ground_init(&g, scripts[i % 2]);
		if (i >= 2) {
			g.question.secret = secret;
			g.question.secret_length = MUCH;
		}
		CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_OK);
		ground_fini(&g);
	}
	free(secret);
}

static void copy_of_the_secret_is_wiped(void)
{
	struct ground g;
	ground_init(&g, "exit 0");
	g.question.secret = "asked once";
	g.question.secret_length = 10;
	wiped_watch("asked once");
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_OK);
	CU_ASSERT(wiped_count() >= 1);
	wiped_watch(NULL);
	ground_fini(&g);
}

/* ---- What it has ---- */

static void program_gets_no_descriptor_of_ours(void)
{
	struct ground g;
	char told[256];
	int opened[8];
	ground_init(&g, "exec ls /proc/self/fd >told");
	/* Some that would be inherited, as if the server had been started with them. */
	for (size_t i = 0; i < 8; i++)
		opened[i] = open("/dev/null", O_RDONLY); /* NOLINT: without O_CLOEXEC on purpose */
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_OK);
	get(&g, "told", told, sizeof told);
	/* The fourth is the folder that ls reads. */
	CU_ASSERT_STRING_EQUAL(told, "0\n1\n2\n3\n4\n");
	for (size_t i = 0; i < 8; i++)
		close(opened[i]);
	ground_fini(&g);
}

static void program_gets_path_alone_and_signals_as_they_are(void)
{
	struct ground g;
	char told[512];
	ground_init(&g, "env >told; grep -E '^Sig(Blk|Ign)' /proc/self/status >>told");
	setenv("POP3_TEST_SECRET", "x", 1);
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_OK);
	unsetenv("POP3_TEST_SECRET");
	get(&g, "told", told, sizeof told);
	CU_ASSERT_PTR_NOT_NULL(strstr(told, "PATH=/usr/"));
	CU_ASSERT_PTR_NULL(strstr(told, "POP3"));
	CU_ASSERT_PTR_NULL(strstr(told, "HOME"));
	CU_ASSERT_PTR_NOT_NULL(strstr(told, "SigBlk:\t0000000000000000"));
	/* All but two of the C library's own, which posix_spawn(3) leaves ignored. */
	const char *ignored = strstr(told, "SigIgn:\t");
	CU_ASSERT_PTR_NOT_NULL_FATAL(ignored);
	CU_ASSERT_EQUAL(strtoull(ignored + 8, NULL, 16) & ~0x180000000ULL, 0);
	ground_fini(&g);
}

static void what_it_prints_goes_nowhere(void)
{
	struct ground g;
	ground_init(&g, "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; read x; exit 0");
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_OK);
	ground_fini(&g);
}

/* ---- Its end ---- */

static void program_that_hangs_is_killed_with_its_children(void)
{
	struct ground g;
	char *secret = malloc(MUCH);
	CU_ASSERT_PTR_NOT_NULL_FATAL(secret);
	memset(secret, 's', MUCH);
	ground_init(&g, "echo $$ >self; sleep 1000 & echo $! >child; wait");
	for (size_t length = 10; length <= MUCH; length += MUCH - 10) {
		uint64_t begun = clock_now();
		g.question.secret = secret;
		g.question.secret_length = length;
		CU_ASSERT_EQUAL(ask(&g, SHORT), AUTH_TEMPORARY);
		CU_ASSERT(clock_now() - begun >= SHORT && clock_now() - begun < PATIENT);
		expect_log(&g, "not ended in time");
		CU_ASSERT(is_gone(&g, "self") && is_gone(&g, "child"));
	}
	free(secret);
	ground_fini(&g);
}

static void child_does_not_outlive_the_answer(void)
{
	struct ground g;
	uint64_t begun = clock_now();
	ground_init(&g, "sleep 1000 & echo $! >child; exit 1");
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_DENIED);
	CU_ASSERT(clock_now() - begun < PATIENT);
	CU_ASSERT(is_gone(&g, "child"));
	ground_fini(&g);
}

struct asking {
	struct ground *ground;
	enum auth_result result;
};

static void *ask_aside(void *data)
{
	struct asking *asking = data;
	asking->result = ask(asking->ground, PATIENT);
	return NULL;
}

static void wait_for_file(const struct ground *g, const char *name)
{
	char path[128];
	uint64_t end = clock_now() + PATIENT;
	snprintf(path, sizeof path, "%s/%s", g->folder, name);
	while (access(path, F_OK) != 0 && clock_now() < end)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
}

static void server_that_goes_takes_its_programs_along(void)
{
	struct ground g;
	pthread_t threads[3];
	struct asking asking[3];
	uint64_t begun = clock_now();
	ground_init(&g, "echo $$ >pid.$$; mv pid.$$ self.$(ls | grep -c self); sleep 1000");
	for (size_t i = 0; i < 3; i++) {
		char name[16];
		asking[i] = (struct asking){.ground = &g};
		CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, ask_aside, &asking[i]), 0);
		snprintf(name, sizeof name, "self.%zu", i);
		wait_for_file(&g, name);
	}
	verifier_stop(g.verifier);
	for (size_t i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		CU_ASSERT_EQUAL(asking[i].result, AUTH_TEMPORARY);
	}
	CU_ASSERT(is_gone(&g, "self.0") && is_gone(&g, "self.1") && is_gone(&g, "self.2"));
	/* Nothing is started any more. */
	CU_ASSERT_EQUAL(ask(&g, PATIENT), AUTH_TEMPORARY);
	CU_ASSERT(clock_now() - begun < PATIENT);
	ground_fini(&g);
}

static void without_descriptors_there_is_no_answer(void)
{
	struct ground g;
	struct rlimit before, few;
	char path[128];
	ground_init(&g, "exit 0");
	/* It lives with our limit, so it must need next to nothing: no script. */
	snprintf(path, sizeof path, "%s/true", g.folder);
	CU_ASSERT_EQUAL(symlink("/bin/true", path), 0);
	snprintf(g.command, sizeof g.command, "%s", path);
	int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(lowest);
	getrlimit(RLIMIT_NOFILE, &before);
	/* With each descriptor more another call fails; with so many none. */
	bool answered = false;
	for (rlim_t free_ones = 0; free_ones < 12 && !answered; free_ones++) {
		few = before;
		few.rlim_cur = (rlim_t)lowest + free_ones;
		CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
		enum auth_result result = ask(&g, PATIENT);
		setrlimit(RLIMIT_NOFILE, &before);
		answered = result == AUTH_OK;
		if (!answered) {
			CU_ASSERT_EQUAL(result, AUTH_TEMPORARY);
			expect_log(&g, "cannot be");
		}
		CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
	}
	CU_ASSERT(answered);
	int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(after, lowest);
	close(after);
	ground_fini(&g);
}

/* ---- Its check ---- */

static void command_is_checked_before_it_is_needed(void)
{
	struct ground g;
	ground_init(&g, "exit 0");
	CU_ASSERT_PTR_NULL(program_check(g.command));
	put(&g, "program", 0702, "#!/bin/sh\n");
	CU_ASSERT_STRING_EQUAL(program_check(g.command), "can be written by everybody");
	put(&g, "program", 0600, "#!/bin/sh\n");
	CU_ASSERT_STRING_EQUAL(program_check(g.command), "cannot be executed");
	CU_ASSERT_STRING_EQUAL(program_check(g.folder), "is not a regular file");
	strcat(g.command, "x");
	CU_ASSERT_STRING_EQUAL(program_check(g.command), "No such file or directory");
	CU_ASSERT_PTR_NOT_NULL(program_check(" "));
	ground_fini(&g);
}

static const struct test tests[] = {
	TEST(exit_code_is_the_answer),
	TEST(program_that_cannot_be_started_is_no_answer),
	TEST(program_is_told_user_secret_method_and_address),
	TEST(secret_may_be_part_of_a_text),
	TEST(command_may_have_arguments),
	TEST(long_secret_comes_whole_even_if_it_is_read_slowly),
	TEST(program_that_does_not_read_is_asked_no_less),
	TEST(copy_of_the_secret_is_wiped),
	TEST(program_gets_no_descriptor_of_ours),
	TEST(program_gets_path_alone_and_signals_as_they_are),
	TEST(what_it_prints_goes_nowhere),
	TEST(program_that_hangs_is_killed_with_its_children),
	TEST(child_does_not_outlive_the_answer),
	TEST(server_that_goes_takes_its_programs_along),
	TEST(without_descriptors_there_is_no_answer),
	TEST(command_is_checked_before_it_is_needed),
	TEST_END,
};
const struct test_suite suite_verifier = {"verifier", tests};
