/*
 * See folder.h. Names are read with getdents64(2) into the stack: readdir(3) would cost three more
 * system calls and 32 KiB of heap for each folder of each login.
 */
#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/openat2.h>
#include <sys/syscall.h>
#endif

/* Room for names read at once: some hundreds. */
#define NAMES_SIZE 16384
/* No file system's clock ticks slower, in nanoseconds: Linux has 1 to 10 ms. */
#define TICK 20000000
/* 2^64 divided by the golden ratio: spreads the few bits of a device number. */
#define DEVICE_FACTOR UINT64_C(0x9e3779b97f4a7c15)

const char *folder_name(enum folder folder)
{
	static const char *const names[] = {
		[FOLDER_NEW] = "new", [FOLDER_CUR] = "cur", [FOLDER_TMP] = "tmp"};
	return names[folder];
}

int folder_open(int maildir, enum folder folder)
{
	int descriptor = openat(maildir, folder_name(folder),
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return descriptor < 0 ? -errno : descriptor;
}

/* Reads from where the descriptor is: opened anew it begins at the beginning. */
static int read_folder(int descriptor, enum folder folder, folder_visit *visit, void *state)
{
	_Alignas(struct dirent64) char names[NAMES_SIZE];
	for (;;) {
		ssize_t length = getdents64(descriptor, names, sizeof names);
		if (length < 0)
			return -errno;
		if (length == 0)
			return 0;
		for (ssize_t at = 0; at < length;) {
			const struct dirent64 *entry = (const void *)(names + at);
			at += entry->d_reclen;
			if (entry->d_name[0] == '.')
				continue;
			int stop = visit(state, folder, descriptor, entry->d_name);
			if (stop != 0)
				return stop;
		}
	}
}

static bool is_fresh(const struct stat *status)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t age = (int64_t)(now.tv_sec - status->st_mtim.tv_sec) * 1000000000 +
		      (now.tv_nsec - status->st_mtim.tv_nsec);
	return age > -TICK && age < TICK;
}

/*
 * When new/ and cur/ were changed last. A file system's clock ticks coarsely:
 *
 *	they: rename (mtime 7)    we: mtime is 7, read    they: rename (mtime 7)    we: still 7
 *
 * so a change in the present tick is waited out before it counts.
 */
static int changed(const int folders[2], struct timespec times[2], bool wait)
{
	for (int i = 0; i < 2; i++) {
		struct stat status;
		if (fstat(folders[i], &status) < 0)
			return -errno;
		if (wait && is_fresh(&status)) {
			nanosleep(&(struct timespec){.tv_nsec = TICK}, NULL);
			return changed(folders, times, false);
		}
		times[i] = status.st_mtim;
	}
	return 0;
}

static bool same_moment(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static int read_both(const int folders[2], folder_visit *visit, void *state, bool *quiet)
{
	struct timespec before[2];
	struct timespec after[2];
	int result = 0;
	if (quiet != NULL)
		result = changed(folders, before, true);
	if (result == 0)
		result = read_folder(folders[0], FOLDER_NEW, visit, state);
	if (result == 0)
		result = read_folder(folders[1], FOLDER_CUR, visit, state);
	if (result != 0 || quiet == NULL)
		return result;
	result = changed(folders, after, false);
	if (result == 0)
		*quiet = same_moment(&before[0], &after[0]) && same_moment(&before[1], &after[1]);
	return result;
}

int folder_read_both(int maildir, folder_visit *visit, void *state, bool *quiet)
{
	int folders[2];
	folders[0] = folder_open(maildir, FOLDER_NEW);
	if (folders[0] < 0)
		return folders[0];
	folders[1] = folder_open(maildir, FOLDER_CUR);
	int result = folders[1];
	if (result >= 0) {
		result = read_both(folders, visit, state, quiet);
		close(folders[1]);
	}
	close(folders[0]);
	return result;
}

uint64_t folder_identity(const struct stat *status)
{
	return (uint64_t)status->st_ino + (uint64_t)status->st_dev * DEVICE_FACTOR;
}

int folder_stat(int folder, const char *name, struct stat *status)
{
	return fstatat(folder, name, status, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int folder_open_file(int folder, const char *name)
{
	int descriptor =
		openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return descriptor < 0 ? -errno : descriptor;
}

int folder_open_cached(int maildir, const char *path)
{
#if defined __linux__ && defined SYS_openat2 && defined RESOLVE_CACHED
	const struct open_how how = {
		.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_CACHED | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH};
	long descriptor = syscall(SYS_openat2, maildir, path, &how, sizeof how);
	return descriptor < 0 ? -EAGAIN : (int)descriptor;
#else
	(void)maildir;
	(void)path;
	return -EAGAIN;
#endif
}

int folder_move(int from, const char *name, int to, const char *new_name)
{
	if (renameat2(from, name, to, new_name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;

	/* A file system without that: at any moment the file has at least one of the names. */
	if (linkat(from, name, to, new_name, 0) < 0)
		return -errno;
	if (unlinkat(from, name, 0) == 0)
		return 0;
	int error = -errno;
	unlinkat(to, new_name, 0);
	return error;
}

int folder_sync(int folder)
{
	while (fsync(folder) < 0) {
		if (errno == EINVAL)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}
