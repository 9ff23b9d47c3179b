/*
 * Out of memory, everywhere: a scenario is run again and again, with its first allocation failing,
 * then its second, until a run has fewer allocations than that. Whatever fails, nothing crashes,
 * nothing leaks, other sessions live on, and mail that no +OK has taken leave of stays.
 */
#ifndef POP3_TESTS_OOM_OOM_H
#define POP3_TESTS_OOM_OOM_H

#include <stdbool.h>

struct scenario {
	const char *sentence; /* the test's name in the results */
	/* Before each run; nothing fails in it. May be NULL. */
	void (*prepare)(void);
	/* What allocations fail in. */
	void (*run)(void);
	/*
	 * After each run, when nothing fails any more: judge and take down. `whole`: nothing had
	 * failed, so everything must have gone well.
	 */
	void (*judge)(bool whole);
};

extern const struct scenario server_scenarios[];  /* the library, over sockets */
extern const struct scenario backend_scenarios[]; /* passwd file and Maildirs behind it */
extern const struct scenario file_scenarios[];    /* passwd editing, delivery, configuration */

/* Note a failure of the run under way, unless `good`. */
void check_at(bool good, const char *what, const char *file, int line);
#define CHECK(condition) check_at((condition), #condition, __FILE__, __LINE__)

/* A folder of this process alone, gone at its end. */
const char *oom_folder(void);

#endif
