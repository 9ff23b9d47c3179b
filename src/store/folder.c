/*
 * See folder.h. Names are read with getdents64(2) into the stack: readdir(3) would cost three more
 * system calls and 32 KiB of heap for each folder of each login.
 */
#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#endif

#include "base/io.h"

/* Room for names read at once: some hundreds. */
#define NAMES_SIZE 16384
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
	int descriptor;
	IO_RETRY(descriptor, openat(maildir, folder_name(folder),
				    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
	return descriptor < 0 ? -errno : descriptor;
}

int maildir_init(int descriptor, struct maildir *maildir)
{
	struct stat status;
	int error = folder_status(descriptor, &status);
	if (error < 0)
		return error;
	*maildir = (struct maildir){.descriptor = descriptor, .device = (uint64_t)status.st_dev};
	return 0;
}

static uint64_t identity(const struct maildir *maildir, uint64_t device, uint64_t inode)
{
	uint64_t whole = inode + (device - maildir->device) * DEVICE_FACTOR;
	return whole & ((UINT64_C(1) << FOLDER_IDENTITY_BITS) - 1);
}

uint64_t folder_identity(const struct maildir *maildir, const struct stat *status)
{
	return identity(maildir, (uint64_t)status->st_dev, (uint64_t)status->st_ino);
}

/* ---- Reading ---- */

struct reading {
	const struct maildir *maildir;
	uint64_t device; /* of the folder */
	folder_visit *visit;
	void *state;
};

static bool is_hidden(const char *name)
{
	return name[0] == '.' && strncmp(name, FOLDER_ASIDE, sizeof FOLDER_ASIDE - 1) != 0;
}

static int visit_names(const struct reading *r, struct folder_entry *entry, const char *names,
		       size_t length)
{
	for (size_t at = 0; at < length;) {
		const struct dirent64 *name = (const void *)(names + at);
		at += name->d_reclen;
		if (is_hidden(name->d_name))
			continue;
		entry->name = name->d_name;
		entry->identity = identity(r->maildir, r->device, name->d_ino);
		entry->regular = name->d_type == DT_REG;
		int stop = r->visit(r->state, entry);
		if (stop != 0)
			return stop;
	}
	return 0;
}

/* Reads from where the descriptor is: opened anew it begins at the beginning. */
static int read_folder(const struct reading *r, struct folder_entry *entry)
{
	_Alignas(struct dirent64) char names[NAMES_SIZE];
	for (;;) {
		ssize_t length;
		IO_RETRY(length, getdents64(entry->descriptor, names, sizeof names));
		if (length < 0)
			return -errno;
		if (length == 0)
			return 0;
		int stop = visit_names(r, entry, names, (size_t)length);
		if (stop != 0)
			return stop;
	}
}

static int read_open(const struct maildir *maildir, struct folder_entry *entry, folder_visit *visit,
		     void *state)
{
	struct stat status;
	int error = folder_status(entry->descriptor, &status);
	if (error < 0)
		return error;
	const struct reading r = {maildir, (uint64_t)status.st_dev, visit, state};
	return read_folder(&r, entry);
}

int folder_read(const struct maildir *maildir, enum folder folder, folder_visit *visit, void *state)
{
	int descriptor = folder_open(maildir->descriptor, folder);
	if (descriptor < 0)
		return descriptor;
	struct folder_entry entry = {.folder = folder, .descriptor = descriptor};
	int result = read_open(maildir, &entry, visit, state);
	close(descriptor);
	return result;
}

int folder_read_both(const struct maildir *maildir, folder_visit *visit, void *state)
{
	int result = folder_read(maildir, FOLDER_NEW, visit, state);
	return result != 0 ? result : folder_read(maildir, FOLDER_CUR, visit, state);
}

/* ---- Files ---- */

int folder_stat(int folder, const char *name, struct stat *status)
{
	int result;
	IO_RETRY(result, fstatat(folder, name, status, AT_SYMLINK_NOFOLLOW));
	return result < 0 ? -errno : 0;
}

int folder_status(int descriptor, struct stat *status)
{
	int result;
	IO_RETRY(result, fstat(descriptor, status));
	return result < 0 ? -errno : 0;
}

static int look_by_stat(const struct maildir *maildir, int folder, const char *name,
			struct folder_file *file)
{
	struct stat status;
	int error = folder_stat(folder, name, &status);
	if (error < 0)
		return error;
	*file = (struct folder_file){.identity = folder_identity(maildir, &status),
				     .length = (uint64_t)status.st_size,
				     .links = (uint64_t)status.st_nlink,
				     .regular = S_ISREG(status.st_mode),
				     .changed = status.st_ctim};
	return 0;
}

#ifdef STATX_BTIME
static struct timespec time_of(const struct statx_timestamp *stamp)
{
	return (struct timespec){.tv_sec = stamp->tv_sec, .tv_nsec = stamp->tv_nsec};
}

int folder_look(const struct maildir *maildir, int folder, const char *name,
		struct folder_file *file)
{
	struct statx status;
	int result;
	IO_RETRY(result, statx(folder, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME,
			       &status));
	if (result < 0 && errno == ENOSYS)
		return look_by_stat(maildir, folder, name, file);
	if (result < 0)
		return -errno;
	uint64_t device = makedev(status.stx_dev_major, status.stx_dev_minor);
	*file = (struct folder_file){.identity = identity(maildir, device, status.stx_ino),
				     .length = status.stx_size,
				     .links = status.stx_nlink,
				     .regular = S_ISREG(status.stx_mode),
				     .has_birth = (status.stx_mask & STATX_BTIME) != 0,
				     .birth = time_of(&status.stx_btime),
				     .changed = time_of(&status.stx_ctime)};
	return 0;
}
#else
int folder_look(const struct maildir *maildir, int folder, const char *name,
		struct folder_file *file)
{
	return look_by_stat(maildir, folder, name, file);
}
#endif

int folder_open_file(int folder, const char *name)
{
	int descriptor;
	IO_RETRY(descriptor,
		 openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
	return descriptor < 0 ? -errno : descriptor;
}

int folder_create(int folder, const char *name)
{
	int descriptor;
	IO_RETRY(descriptor,
		 openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	return descriptor < 0 ? -errno : descriptor;
}

int folder_delete(int folder, const char *name)
{
	int result;
	IO_RETRY(result, unlinkat(folder, name, 0));
	return result < 0 ? -errno : 0;
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

int folder_rename(int from, const char *name, int to, const char *new_name)
{
	struct stat status;
	int error = folder_stat(to, new_name, &status);
	if (error != -ENOENT)
		return error == 0 ? -EEXIST : error;
	int result;
	IO_RETRY(result, renameat(from, name, to, new_name));
	return result < 0 ? -errno : 0;
}

/* A second name, then none of the first: at any moment the file has at least one of them. */
static int move_by_link(int from, const char *name, int to, const char *new_name)
{
	struct stat status;
	int result;
	IO_RETRY(result, linkat(from, name, to, new_name, 0));
	if (result < 0)
		return -errno;
	int error = folder_delete(from, name);
	/* On a network the deletion may have been done twice, or done and lost: the new name goes
	 * only while the old one is there for certain. */
	if (error == -ENOENT)
		return 0;
	if (error < 0 && folder_stat(from, name, &status) == 0)
		folder_delete(to, new_name);
	return error;
}

int folder_move(int from, const char *name, int to, const char *new_name)
{
	int result;
	IO_RETRY(result, renameat2(from, name, to, new_name, RENAME_NOREPLACE));
	if (result == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	int error = move_by_link(from, name, to, new_name);
	if (error == -EPERM || error == -EOPNOTSUPP || error == -ENOSYS || error == -EMLINK)
		return folder_rename(from, name, to, new_name);
	return error;
}

int folder_sync(int folder)
{
	int error = io_sync(folder);
	return error == -EINVAL ? 0 : error;
}
