/*
 * Lets the whole program fail at an allocation: the one whose number is in POP3_OOM_FAIL. Their
 * count goes to the file named by POP3_OOM_COUNT when the program ends.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "oom/alloc.h"

__attribute__((constructor)) static void begin(void)
{
	const char *number = getenv("POP3_OOM_FAIL");
	alloc_arm(number == NULL ? 0 : strtoul(number, NULL, 10));
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("POP3_OOM_COUNT");
	int file = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (file < 0)
		return;
	dprintf(file, "%lu\n", alloc_disarm());
	close(file);
}
