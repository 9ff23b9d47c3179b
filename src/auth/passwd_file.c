/* The passwd file on disk: reading one version of it, and noticing the next. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/passwd_private.h"
#include "base/io.h"
#include "base/secret.h"

/* How often a file that changes under the reader is read anew. */
#define READ_TRIES 3
/*
 * File times move in ticks of at most 10 ms. A file that was written less than two ticks before it
 * was read may be written again, with equal size, and keep its mtime:
 *
 *     writer: write A (mtime t)              write B (mtime t)
 *     reader:                 read A, stat t                   stat t: "unchanged"
 *
 * Such a generation counts as changed until one is read that is older than that.
 */
#define FRESH_MILLISECONDS 20

static bool time_equal(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* A file time in the future, from another clock, is not fresh: it would be so for ever. */
static bool is_fresh(struct timespec mtime)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t seconds = (int64_t)now.tv_sec - mtime.tv_sec;
	if (seconds < -1 || seconds > 1)
		return false;
	int64_t milliseconds = seconds * 1000 + (now.tv_nsec - mtime.tv_nsec) / 1000000;
	return milliseconds > -FRESH_MILLISECONDS && milliseconds < FRESH_MILLISECONDS;
}

struct passwd_stamp passwd_stamp_make(const struct stat *status)
{
	return (struct passwd_stamp){
		.mtime = status->st_mtim,
		.ctime = status->st_ctim,
		.size = status->st_size,
		.inode = status->st_ino,
		.device = status->st_dev,
		.fresh = is_fresh(status->st_mtim),
	};
}

static struct passwd_stamp stamp_of_path(const char *path)
{
	struct stat status;
	if (stat(path, &status) < 0)
		return (struct passwd_stamp){.error = errno};
	return passwd_stamp_make(&status);
}

/* No file has inode 0, so a zeroed stamp equals none that stat(2) gave. */
bool passwd_stamp_equal(const struct passwd_stamp *a, const struct passwd_stamp *b)
{
	return !a->fresh && a->error == b->error && time_equal(a->mtime, b->mtime) &&
	       time_equal(a->ctime, b->ctime) && a->size == b->size && a->inode == b->inode &&
	       a->device == b->device;
}

bool passwd_changed(const struct passwd *p, const char *path)
{
	struct passwd_stamp now = stamp_of_path(path);
	return !passwd_stamp_equal(&p->stamp, &now);
}

bool passwd_refused(const struct passwd_error *error, const char *path)
{
	struct passwd_stamp now = stamp_of_path(path);
	return passwd_stamp_equal(&error->stamp, &now);
}

static int error_of_errno(struct passwd_error *error, int result)
{
	return passwd_error_set(error, result, 0, strerror(-result));
}

/* One attempt; -EAGAIN: the file changed meanwhile. */
static int read_once(int file, struct passwd_error *error, char **text, size_t *length,
		     struct passwd_stamp *stamp, struct stat *status)
{
	struct stat after;
	if (fstat(file, status) < 0)
		return error_of_errno(error, -errno);
	*stamp = passwd_stamp_make(status);
	error->stamp = *stamp;
	if (!S_ISREG(status->st_mode))
		return passwd_error_set(error, -EINVAL, 0, "not a regular file");
	if (status->st_size > (off_t)PASSWD_FILE_MAX)
		return passwd_error_set(error, -EFBIG, 0, "the file is larger than 64 MiB");

	error->stamp = (struct passwd_stamp){0};
	size_t size = (size_t)status->st_size + 1;
	char *read_text = malloc(size);
	if (read_text == NULL)
		return error_of_errno(error, -ENOMEM);
	ssize_t got = io_read_at(file, read_text, size, 0);
	int result = got < 0 ? (int)got : 0;
	if (result == 0 && (got != status->st_size || fstat(file, &after) < 0 ||
			    !time_equal(after.st_mtim, status->st_mtim)))
		result = -EAGAIN;
	if (result == 0) {
		*text = read_text;
		*length = (size_t)got;
		error->stamp = *stamp;
		return 0;
	}
	secret_wipe(read_text, size);
	free(read_text);
	return result == -EAGAIN
		       ? passwd_error_set(error, result, 0, "the file changed while it was read")
		       : error_of_errno(error, result);
}

int passwd_read(int file, struct passwd_error *error, char **text, size_t *length,
		struct stat *status)
{
	struct passwd_stamp stamp;
	int result = -EAGAIN;
	for (int i = 0; i < READ_TRIES && result == -EAGAIN; i++)
		result = read_once(file, error, text, length, &stamp, status);
	return result;
}

/* O_NONBLOCK: opening a FIFO by mistake must not wait for a writer. */
static int file_open(const char *path, struct passwd_error *error)
{
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file >= 0)
		return file;
	int result = -errno;
	bool passing = result == -EMFILE || result == -ENFILE || result == -ENOMEM;
	if (!passing)
		error->stamp = stamp_of_path(path);
	return error_of_errno(error, result);
}

int passwd_load(const char *path, struct passwd_error *error, struct passwd **passwd)
{
	struct stat status;
	char *text;
	size_t length;

	*error = (struct passwd_error){0};
	int file = file_open(path, error);
	if (file < 0)
		return file;
	int result = passwd_read(file, error, &text, &length, &status);
	close(file);
	if (result < 0)
		return result;

	struct passwd *p;
	struct passwd_stamp stamp = error->stamp;
	result = passwd_take(text, length, error, &p);
	if (result == -ENOMEM)
		error->stamp = (struct passwd_stamp){0};
	if (result < 0)
		return result;
	p->stamp = stamp;
	p->mode = status.st_mode & 07777;
	*error = (struct passwd_error){0};
	*passwd = p;
	return 0;
}
