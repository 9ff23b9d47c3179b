/*
 * Every allocation of our own code goes through here (linked with -Wl,--wrap), is counted, and one
 * of them fails if so armed. Starting a thread counts as an allocation: it needs a stack. What libc
 * and GnuTLS allocate for themselves does not pass here. Any thread.
 */
#ifndef POP3_TESTS_OOM_ALLOC_H
#define POP3_TESTS_OOM_ALLOC_H

#include <stdbool.h>

/* From now on the n-th allocation fails (1 = the next one; 0 = none), once. */
void alloc_arm(unsigned long n);
/* None fails any more. Returns how many there were since alloc_arm(). */
unsigned long alloc_disarm(void);
/* Has one failed since alloc_arm()? */
bool alloc_failed(void);
/* Blocks that are allocated now. */
long alloc_live(void);

#endif
