/* What a context borrows from its host, for fuzzers that drive sessions: always the same. */
#ifndef POP3_TESTS_FUZZ_HOST_H
#define POP3_TESTS_FUZZ_HOST_H

#include <string.h>

#include "pop3_emitter.h"

static inline void host_random(void *octets, size_t length)
{
	memset(octets, 7, length);
}

static inline void host_wake(void *data)
{
	(void)data;
}

static inline void host_log(const struct pop3_record *record, void *data)
{
	(void)record;
	(void)data;
}

#endif
