/* A folder only we can enter, so nobody can exchange what is in it while it is removed. */
#include "daemon/temporary.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

/* Descriptors that walking may hold open: deeper folders are opened again. */
#define DEPTH 16

int temporary_make(char path[PATH_MAX])
{
	const char *parent = getenv("TMPDIR");
	if (parent == NULL || *parent != '/')
		parent = "/tmp";
	if (snprintf(path, PATH_MAX, "%s/pop3-emitter-XXXXXX", parent) >= PATH_MAX)
		return -ENAMETOOLONG;
	return mkdtemp(path) == NULL ? -errno : 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
	(void)info;
	(void)type;
	(void)place;
	return remove(path) == 0 ? 0 : -errno;
}

int temporary_remove(const char *path)
{
	int result = nftw(path, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS);
	return result == -1 ? -errno : result;
}
