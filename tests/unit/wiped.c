/* See wiped.h. <string.h> is left out, for it may define what is defined here. */
#include "unit/wiped.h"

/* Of this thread: others of an earlier test may still be ending. */
static _Thread_local const char *watched;
static _Thread_local size_t count;

void explicit_bzero(void *octets, size_t length);
/* What _FORTIFY_SOURCE calls in its place. */
void __explicit_bzero_chk(void *octets, size_t length, size_t size);

void wiped_watch(const char *marker)
{
	watched = marker;
	count = 0;
}

size_t wiped_count(void)
{
	return count;
}

static void look(const char *octets, size_t length)
{
	for (size_t start = 0; start < length; start++) {
		size_t same = 0;
		while (watched[same] != '\0' && start + same < length &&
		       octets[start + same] == watched[same])
			same++;
		if (watched[same] == '\0') {
			count++;
			return;
		}
	}
}

void explicit_bzero(void *octets, size_t length)
{
	volatile char *place = octets;
	if (watched != NULL)
		look(octets, length);
	for (size_t i = 0; i < length; i++)
		place[i] = 0;
}

void __explicit_bzero_chk(void *octets, size_t length, size_t size)
{
	(void)size;
	explicit_bzero(octets, length);
}
