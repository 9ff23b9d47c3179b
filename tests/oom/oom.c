/*
 * The runner: each scenario in a process of its own, so that one that crashes, or leaks by the
 * sanitizer's account, fails alone. usage: oom-tests [SENTENCE...]
 */
#include "oom/oom.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oom/alloc.h"
#include "oom/files.h"

/* More allocations than any scenario has: one that never comes to an end has a loop in it. */
#define ALLOCATIONS_MAX 5000ul
/* Failures shown of a scenario. */
#define COMPLAINTS_MAX 20u

static unsigned long
	failing; /* the allocation of the run under way; 0: the first run, all is well */
static unsigned complaints;
static char folder[] = "/tmp/pop3-oom-XXXXXX";

void check_at(bool good, const char *what, const char *file, int line)
{
	if (good)
		return;
	if (complaints++ < COMPLAINTS_MAX)
		printf("FAIL allocation %lu: %s:%d: %s\n", failing, file, line, what);
}

const char *oom_folder(void)
{
	return folder;
}

static size_t open_descriptors(void)
{
	size_t number = 0;
	DIR *directory = opendir("/proc/self/fd");
	while (directory != NULL && readdir(directory) != NULL)
		number++;
	if (directory != NULL)
		closedir(directory);
	return number;
}

/* One run; true while there is a further allocation to fail. */
static bool run_once(const struct scenario *s)
{
	long live = alloc_live();
	size_t descriptors = open_descriptors();
	if (s->prepare != NULL)
		s->prepare();
	alloc_arm(failing);
	s->run();
	unsigned long count = alloc_disarm();
	bool whole = !alloc_failed();
	s->judge(whole);
	CHECK(alloc_live() == live);
	CHECK(open_descriptors() == descriptors);
	return failing == 0 || failing <= count;
}

/* In the child. Writes how many allocations failed; the exit code says whether all was well. */
static int run_all(const struct scenario *s, int report)
{
	if (mkdtemp(folder) == NULL)
		return 2;
	while (run_once(s) && failing < ALLOCATIONS_MAX)
		failing++;
	CHECK(failing < ALLOCATIONS_MAX);
	unsigned long count = failing == 0 ? 0 : failing - 1;
	CHECK(count > 0);
	files_remove("");
	fflush(stdout);
	return write(report, &count, sizeof count) == sizeof count && complaints == 0 ? 0 : 1;
}

static bool run_scenario(const struct scenario *s, FILE *results)
{
	int pipes[2], status = 0;
	unsigned long count = 0;
	fflush(NULL);
	if (pipe(pipes) < 0)
		return false;
	pid_t child = fork();
	if (child == 0) {
		close(pipes[0]);
		if (results != NULL)
			fclose(results);
		exit(run_all(s, pipes[1])); /* exit(3) looks for leaks */
	}
	close(pipes[1]);
	bool counted = child > 0 && read(pipes[0], &count, sizeof count) == sizeof count;
	close(pipes[0]);
	bool good = child > 0 && waitpid(child, &status, 0) == child && status == 0 && counted;
	printf("%s %s: %lu allocations failed in turn\n", good ? "ok  " : "FAIL", s->sentence,
	       count);
	if (results != NULL)
		fprintf(results, "oom\t%s\t%s\t%lu\n", s->sentence, good ? "ok" : "fail", count);
	return good;
}

static bool wanted(const struct scenario *s, int count, char **names)
{
	for (int i = 0; i < count; i++)
		if (strcmp(s->sentence, names[i]) == 0)
			return true;
	return count == 0;
}

int main(int argc, char **argv)
{
	static const struct scenario *const all[] = {server_scenarios, backend_scenarios,
						     file_scenarios};
	const char *path = getenv("POP3_RESULTS");
	FILE *results = path == NULL || *path == '\0' ? NULL : fopen(path, "a");
	unsigned good = 0, bad = 0;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		for (const struct scenario *s = all[i]; s->sentence != NULL; s++) {
			if (!wanted(s, argc - 1, argv + 1))
				continue;
			bool passed = run_scenario(s, results);
			good += passed;
			bad += !passed;
		}
	}
	if (results != NULL)
		fclose(results);
	printf("%u passed, %u failed\n", good, bad);
	return bad > 0 || good == 0;
}
