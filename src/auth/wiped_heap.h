/*
 * For libraries that free what they made of a secret and do not wipe it, and cannot be told to: as
 * long as a thread is within a call of them, each block that it gives back is wiped before. In
 * place of free(3) and realloc(3) stand those of the program, which are the C library's otherwise.
 *
 * Only with glibc, and not under the sanitizers, which have such functions of their own: elsewhere
 * both functions do nothing.
 */
#ifndef POP3_AUTH_WIPED_HEAP_H
#define POP3_AUTH_WIPED_HEAP_H

/* For the calling thread, from the first begin to the last end. */
void wiped_heap_begin(void);
void wiped_heap_end(void);

#endif
