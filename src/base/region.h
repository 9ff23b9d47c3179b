/*
 * Memory for what may take megabytes and is filled at once. From a size on the kernel is asked for
 * large pages, and to provide all of them in one call: a fault for each page of 4 KiB costs more
 * than what is then done with the octets. What is not needed is given back to the system at once.
 */
#ifndef POP3_BASE_REGION_H
#define POP3_BASE_REGION_H

#include <stddef.h>

/* `size` octets of any content, aligned as those of malloc(3); NULL: out of memory. */
void *region_new(size_t size);
/* `size` as it was asked for; NULL is fine. */
void region_free(void *region, size_t size);

#endif
