/* The spare blocks are a stack, so that the block used last, still in the cache, is used next. */
#include "base/pool.h"

#include <stdlib.h>

struct pool_block {
	struct pool_block *next;
};

void pool_init(struct pool *p, size_t block_size, size_t spare_max)
{
	*p = (struct pool){.block_size = block_size, .spare_max = spare_max};
}

void pool_fini(struct pool *p)
{
	while (p->spare != NULL) {
		struct pool_block *block = p->spare;
		p->spare = block->next;
		free(block);
	}
	p->spare_count = 0;
}

void *pool_take(struct pool *p)
{
	struct pool_block *block = p->spare;
	if (block == NULL)
		return malloc(p->block_size);
	p->spare = block->next;
	p->spare_count--;
	return block;
}

void pool_give(struct pool *p, void *memory)
{
	struct pool_block *block = memory;
	if (block == NULL)
		return;
	if (p->spare_count == p->spare_max) {
		free(block);
		return;
	}
	block->next = p->spare;
	p->spare = block;
	p->spare_count++;
}
