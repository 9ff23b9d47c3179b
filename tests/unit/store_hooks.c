/* See store_hooks.h. */
#include "unit/store_hooks.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/store_box.h"

struct hooks hooks;

/* A deed makes calls of its own. */
static bool busy;

static void interfere(void (*deed)(void))
{
	busy = true;
	deed();
	busy = false;
}

static bool is_meant(const char *name)
{
	return !busy && strstr(name, MARKED) != NULL;
}

static void next_deed(void)
{
	void (*deed)(void) = hooks.deeds[0];
	if (deed == NULL)
		return;
	memmove(hooks.deeds, hooks.deeds + 1, sizeof hooks.deeds - sizeof *hooks.deeds);
	hooks.deeds[HOOKS_MAX - 1] = NULL;
	interfere(deed);
}

static int next_rename_error(void)
{
	int error = hooks.rename_errors[0];
	memmove(hooks.rename_errors, hooks.rename_errors + 1,
		sizeof hooks.rename_errors - sizeof *hooks.rename_errors);
	hooks.rename_errors[HOOKS_MAX - 1] = 0;
	return error;
}

void hooks_end(void)
{
	CU_ASSERT_PTR_NULL(hooks.deeds[0]);
	CU_ASSERT_EQUAL(hooks.rename_errors[0], 0);
	CU_ASSERT_EQUAL(hooks.unlink_error, 0);
	memset(&hooks, 0, sizeof hooks);
}

void hooks_replace_with_inode(const char *text)
{
	struct stat before, after;
	CU_ASSERT_EQUAL(stat("home/Maildir/new/" MARKED, &before), 0);
	box_put("tmp/other", text);
	box_rename("tmp/other", "new/" MARKED);
	CU_ASSERT_EQUAL(stat("home/Maildir/new/" MARKED, &after), 0);
	hooks.told = before.st_ino;
	hooks.real = after.st_ino;
}

/* ---- These take the places of the C library's, for any thread ---- */

static void *next_of(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);
	if (function == NULL)
		abort();
	return function;
}

int renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
	static _Thread_local int (*next)(int, const char *, int, const char *, unsigned);
	if (next == NULL)
		*(void **)&next = next_of("renameat2");
	if (is_meant(name)) {
		int error = next_rename_error();
		next_deed();
		if (error != 0) {
			errno = error;
			return -1;
		}
	}
	return next(from, name, to, new_name, flags);
}

int unlinkat(int folder, const char *name, int flags)
{
	static _Thread_local int (*next)(int, const char *, int);
	if (next == NULL)
		*(void **)&next = next_of("unlinkat");
	if (is_meant(name)) {
		int error = hooks.unlink_error;
		hooks.unlink_error = 0;
		next_deed();
		if (error != 0) {
			errno = error;
			return -1;
		}
	}
	return next(folder, name, flags);
}

static bool is_cur(int folder)
{
	char link[64], path[512] = "";
	snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
	if (readlink(link, path, sizeof path - 1) < 0)
		return false;
	const char *name = strrchr(path, '/');
	return name != NULL && strcmp(name, "/cur") == 0;
}

ssize_t getdents64(int folder, void *names, size_t size)
{
	static _Thread_local ssize_t (*next)(int, void *, size_t);
	if (next == NULL)
		*(void **)&next = next_of("getdents64");
	if (hooks.before_cur != NULL && !busy && lseek(folder, 0, SEEK_CUR) == 0 && is_cur(folder))
		interfere(hooks.before_cur);
	return next(folder, names, size);
}

int fstatat(int folder, const char *restrict name, struct stat *restrict status, int flags)
{
	static _Thread_local int (*next)(int, const char *, struct stat *, int);
	if (next == NULL)
		*(void **)&next = next_of("fstatat");
	int result = next(folder, name, status, flags);
	if (result == 0 && hooks.real != 0 && status->st_ino == hooks.real)
		status->st_ino = hooks.told;
	return result;
}

int statx(int folder, const char *restrict name, int flags, unsigned mask,
	  struct statx *restrict status)
{
	static _Thread_local int (*next)(int, const char *, int, unsigned, struct statx *);
	if (next == NULL)
		*(void **)&next = next_of("statx");
	int result = next(folder, name, flags, mask, status);
	if (result == 0 && hooks.real != 0 && status->stx_ino == hooks.real)
		status->stx_ino = hooks.told;
	return result;
}
