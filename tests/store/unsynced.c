/*
 * Preloaded into a program: whatever it asks to be made durable is said to be so at once. A test of
 * power cuts that does not find mail lost by such a program could not find anything.
 */
#define _GNU_SOURCE
#include <unistd.h>

int fsync(int descriptor)
{
	(void)descriptor;
	return 0;
}

int fdatasync(int descriptor)
{
	(void)descriptor;
	return 0;
}

int syncfs(int descriptor)
{
	(void)descriptor;
	return 0;
}

void sync(void)
{
}
