/*
 * Blocks of one size, kept for the next user in place of free(3): a busy connection's output and
 * file window come from here and go back when it is quiet. For one thread.
 */
#ifndef POP3_BASE_POOL_H
#define POP3_BASE_POOL_H

#include <stddef.h>

struct pool_block;

struct pool {
	struct pool_block *spare;
	size_t block_size;
	size_t spare_count;
	size_t spare_max;
};

/* Blocks of `block_size` octets, at most `spare_max` of them kept unused. Allocates nothing. */
void pool_init(struct pool *, size_t block_size, size_t spare_max);
/* Frees the spare blocks; those in use must have been given back. */
void pool_fini(struct pool *);
/* A block with whatever its last user left in it; NULL: out of memory. */
void *pool_take(struct pool *);
/* NULL is fine. */
void pool_give(struct pool *, void *block);

#endif
