/* The monotonic clock. */
#ifndef POP3_BASE_CLOCK_H
#define POP3_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since some moment before the program began; never goes back. */
uint64_t clock_now(void);

#endif
