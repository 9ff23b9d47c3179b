/*
 * Was a secret overwritten? explicit_bzero(3) is replaced in the test binary by one that looks for
 * a marker in what it overwrites, because memory cannot be looked at after it was freed.
 */
#ifndef POP3_TESTS_UNIT_WIPED_H
#define POP3_TESTS_UNIT_WIPED_H

#include <stddef.h>

/*
 * Count from now on the wipes of memory that holds `marker`; NULL ends it. For one thread. What was
 * never written may hold it, too, from whoever had the memory before: the count is a least one.
 */
void wiped_watch(const char *marker);
size_t wiped_count(void);

#endif
