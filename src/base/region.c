/* See region.h. */
#include "base/region.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of a large page, on most machines; smaller regions could not hold one. */
#define LARGE ((size_t)2 << 20)

static void unmap(char *begin, char *end)
{
	if (begin < end)
		munmap(begin, (size_t)(end - begin));
}

/* Where the system lacks large pages, or the call to provide them, it only takes longer. */
static void advise(void *region, size_t size)
{
#ifdef MADV_HUGEPAGE
	madvise(region, size, MADV_HUGEPAGE);
#endif
#ifdef MADV_POPULATE_WRITE
	madvise(region, size, MADV_POPULATE_WRITE);
#endif
}

/* Aligned for a large page; what is left over at both sides goes back. */
static void *map(size_t size)
{
	if (size > SIZE_MAX - LARGE)
		return NULL;
	char *mapped = mmap(NULL, size + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	if (mapped == MAP_FAILED)
		return NULL;
	char *region = mapped + (LARGE - (uintptr_t)mapped % LARGE) % LARGE;
	/* munmap(2) and mmap(2) round up to whole pages, alike. */
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *end = region + (size + page - 1) / page * page;
	unmap(mapped, region);
	unmap(end, mapped + size + LARGE);
	advise(region, size);
	return region;
}

void *region_new(size_t size)
{
	return size < LARGE ? malloc(size > 0 ? size : 1) : map(size);
}

void region_free(void *region, size_t size)
{
	if (size < LARGE)
		free(region);
	else if (region != NULL)
		munmap(region, size);
}
