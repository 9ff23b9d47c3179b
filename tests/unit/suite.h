/*
 * One suite a file: tests/unit/test_<name>.c defines `suite_<name>`, a table of tests whose names
 * are sentences. The runner (main.c) finds the suites by the file names.
 */
#ifndef POP3_TESTS_UNIT_SUITE_H
#define POP3_TESTS_UNIT_SUITE_H

#include <CUnit/CUnit.h>
#include <stdbool.h>

struct test {
	const char *name;
	void (*run)(void);
};

struct test_suite {
	const char *name;
	const struct test *tests; /* ends with a NULL name */
};

/* In a table of tests: the function's name is the test's. */
#define TEST(function)                                                                             \
	{                                                                                          \
		.name = #function, .run = function                                                 \
	}
#define TEST_END                                                                                   \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/* The running test covered so many cases (default 1); they add up and stand in the results. */
void test_count(unsigned long cases);

/* A count from the environment, else the default: short in `make check`, full in `make check-long`.
 */
unsigned long test_setting(const char *name, unsigned long standard);

#endif
