/* See wiped_heap.h. */
#include "auth/wiped_heap.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static _Thread_local unsigned depth;

void wiped_heap_begin(void)
{
	depth++;
}

void wiped_heap_end(void)
{
	depth--;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define IS_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED
#endif

#if defined(__GLIBC__) && !defined(IS_SANITIZED)

/* glibc's own, under the names that it keeps for those who replace them. */
void __libc_free(void *block);
void *__libc_realloc(void *block, size_t size);

/* Seen by the libraries, too. */
#define FOR_ALL __attribute__((visibility("default")))

FOR_ALL void free(void *block)
{
	if (depth > 0 && block != NULL)
		secret_wipe(block, malloc_usable_size(block));
	__libc_free(block);
}

/* A block that moves would be left as it was. */
FOR_ALL void *realloc(void *block, size_t size)
{
	if (depth == 0 || block == NULL || size == 0)
		return __libc_realloc(block, size);
	size_t old = malloc_usable_size(block);
	void *other = malloc(size);
	if (other == NULL)
		return NULL;
	memcpy(other, block, old < size ? old : size);
	free(block);
	return other;
}

#endif
