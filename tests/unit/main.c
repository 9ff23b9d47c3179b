/*
 * The runner of the unit tests: unit-tests [--list] [SUITE[.TEST]]... . If $POP3_RESULTS names a
 * file, a line "stage, test, ok or fail, count" is appended for each test, so that the summary can
 * tell that a test ran. Each test must leave as many descriptors open as it found.
 */
#include <CUnit/TestRun.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/suite.h"

#define SUITE(name) extern const struct test_suite suite_##name;
#include "suites.inc"
#undef SUITE

static const struct test_suite *const suites[] = {
#define SUITE(name) &suite_##name,
#include "suites.inc"
#undef SUITE
};

static unsigned long cases;
static unsigned long failures;
static unsigned long passes;
static size_t descriptors;
static FILE *results;

void test_count(unsigned long more)
{
	cases += more;
}

unsigned long test_setting(const char *name, unsigned long standard)
{
	const char *value = getenv(name);
	return value == NULL || *value == '\0' ? standard : strtoul(value, NULL, 10);
}

static size_t open_descriptors(void)
{
	size_t count = 0;
	DIR *directory = opendir("/proc/self/fd");
	if (directory == NULL)
		return 0;
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

static void begin(const CU_pTest test, const CU_pSuite suite)
{
	(void)test;
	(void)suite;
	cases = 0;
	descriptors = open_descriptors();
}

static void end(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failure)
{
	bool leaked = open_descriptors() != descriptors;
	bool failed = failure != NULL || leaked;
	if (leaked)
		printf("FAIL %s.%s: descriptors left open\n", suite->pName, test->pName);
	for (CU_pFailureRecord f = failure; f != NULL; f = f->pNext)
		printf("FAIL %s.%s: %s:%u: %s\n", suite->pName, test->pName, f->strFileName,
		       f->uiLineNumber, f->strCondition);
	failures += failed;
	passes += !failed;
	if (results != NULL) {
		const char *stage = getenv("POP3_STAGE");
		fprintf(results, "%s\t%s\t%s\t%lu\n", stage == NULL ? "unit" : stage, test->pName,
			failed ? "fail" : "ok", cases == 0 ? 1 : cases);
		fflush(results);
	}
}

static bool wanted(const char *suite, const char *test, int count, char **names)
{
	char whole[512];
	snprintf(whole, sizeof whole, "%s.%s", suite, test);
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], suite) == 0 || strcmp(names[i], whole) == 0)
			return true;
	return count == 0;
}

static void add_suite(const struct test_suite *s, int count, char **names)
{
	CU_pSuite suite = NULL;
	for (const struct test *t = s->tests; t->name != NULL; t++) {
		if (!wanted(s->name, t->name, count, names))
			continue;
		if (suite == NULL)
			suite = CU_add_suite(s->name, NULL, NULL);
		if (CU_add_test(suite, t->name, t->run) == NULL)
			abort();
	}
}

static void list_all(void)
{
	for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
		for (const struct test *t = suites[i]->tests; t->name != NULL; t++)
			printf("%s.%s\n", suites[i]->name, t->name);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--list") == 0) {
		list_all();
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	const char *path = getenv("POP3_RESULTS");
	if (path != NULL)
		results = fopen(path, "a");
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
		add_suite(suites[i], argc - 1, argv + 1);
	CU_set_test_start_handler(begin);
	CU_set_test_complete_handler(end);
	CU_run_all_tests();
	CU_cleanup_registry();
	if (results != NULL)
		fclose(results);
	printf("%lu passed, %lu failed\n", passes, failures);
	return failures > 0 || passes == 0;
}
