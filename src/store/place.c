/* See place.h. */
#include "store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "store/folder.h"

/* What a Maildir's name ends with while it is made. */
#define ASIDE ".making"

static int open_directory(const char *path)
{
	int descriptor;
	IO_RETRY(descriptor, open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC));
	return descriptor < 0 ? -errno : descriptor;
}

/* Of a path without slashes at its end. */
static size_t length_of(const char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	return length;
}

/* The folder that holds the maildrop: its path without the last name. */
static int parent_of(const char *path, char parent[PATH_MAX + 1])
{
	size_t length = length_of(path);
	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	while (length > 0 && path[length - 1] != '/')
		length--;
	memcpy(parent, path, length);
	memcpy(parent + length, ".", sizeof ".");
	return 0;
}

/* Is there a folder where home has to be? 0 or a negative errno value. */
static int check_home(const char *maildir, const char *home)
{
	char parent[PATH_MAX + 1];
	if (home == NULL) {
		int error = parent_of(maildir, parent);
		if (error < 0)
			return error;
		home = parent;
	}
	/* It need not be readable: who has many users may let them enter their folders alone. */
	int descriptor;
	IO_RETRY(descriptor, open(home, O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (descriptor < 0)
		return -errno;
	close(descriptor);
	return 0;
}

int place_open(const char *maildir, const char *home, int *descriptor, const char **problem)
{
	struct stat status;
	int named = 0;
	int result = open_directory(maildir);
	if (result == -ENOENT)
		named = folder_stat(AT_FDCWD, maildir, &status);
	/* A delivery has made it just now; or a dangling link is there: broken, not empty. */
	if (result == -ENOENT && named == 0)
		result = open_directory(maildir);
	if (result >= 0) {
		*descriptor = result;
		return 0;
	}
	if (named != -ENOENT) {
		*problem = "cannot open the maildrop";
		return named < 0 ? named : result;
	}
	result = check_home(maildir, home);
	if (result < 0) {
		*problem = "the home is missing or unusable";
		return result;
	}
	*descriptor = -1;
	return 0;
}

/* ---- Making ---- */

/* The path of a folder beside the Maildir, the same for all that make this one. */
static int aside_of(const char *path, char aside[PATH_MAX + 1])
{
	size_t length = length_of(path);
	if (length + sizeof ASIDE > PATH_MAX + 1)
		return -ENAMETOOLONG;
	memcpy(aside, path, length);
	memcpy(aside + length, ASIDE, sizeof ASIDE);
	return 0;
}

/* 1: made; 0: it is there already; or a negative errno value. */
static int make_directory(int at, const char *path)
{
	int result;
	IO_RETRY(result, mkdirat(at, path, 0700));
	if (result == 0)
		return 1;
	return errno == EEXIST ? 0 : -errno;
}

/* The names in it are on disk when this returns 0. */
static int make_new_and_cur(int maildir, bool sync)
{
	int made_new = make_directory(maildir, folder_name(FOLDER_NEW));
	if (made_new < 0)
		return made_new;
	int made_cur = make_directory(maildir, folder_name(FOLDER_CUR));
	if (made_cur < 0)
		return made_cur;
	return sync || made_new + made_cur > 0 ? folder_sync(maildir) : 0;
}

static int make_aside(const char *aside)
{
	int descriptor;
	int made = make_directory(AT_FDCWD, aside);
	if (made < 0)
		return made;
	IO_RETRY(descriptor, open(aside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (descriptor < 0)
		return -errno;
	int error = make_new_and_cur(descriptor, true);
	close(descriptor);
	return error;
}

/* By its path: a descriptor of it may have become the Maildir's. */
static void remove_aside(const char *aside)
{
	char path[PATH_MAX + sizeof "/new"];
	int result;
	for (enum folder f = FOLDER_NEW; f <= FOLDER_CUR; f++) {
		snprintf(path, sizeof path, "%s/%s", aside, folder_name(f));
		IO_RETRY(result, rmdir(path));
	}
	IO_RETRY(result, rmdir(aside));
}

/*
 * Make the Maildir with new/ and cur/, or not at all: a half one would be refused at each login,
 * until a delivery comes that mends it. So it gets its name last, which replaces nothing but an
 * empty directory. What a delivery leaves aside that is killed before, the next one takes up.
 * Returns a descriptor of the Maildir, also if another delivery has made it meanwhile.
 */
static int make(const char *path)
{
	char aside[PATH_MAX + 1];
	int result;
	int error = aside_of(path, aside);
	if (error < 0)
		return error;
	error = make_aside(aside);
	if (error == 0) {
		IO_RETRY(result, rename(aside, path));
		error = result < 0 ? -errno : 0;
	}
	if (error < 0)
		remove_aside(aside);
	int maildir = open_directory(path);
	return maildir == -ENOENT && error < 0 ? error : maildir;
}

/* The folder that holds the Maildir. If we may not read it, we have not made the Maildir there. */
static int sync_parent(int maildir, bool made)
{
	int parent;
	IO_RETRY(parent, openat(maildir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (parent < 0)
		return errno == EACCES && !made ? 0 : -errno;
	int error = folder_sync(parent);
	close(parent);
	return error;
}

/*
 * Make the folders that are missing. tmp/ is the last, made when all else is on disk, so that where
 * it is nothing has to be synced, whatever became of the delivery that made it.
 */
static int make_folders(int maildir, bool made)
{
	struct stat status;
	int complete = folder_stat(maildir, folder_name(FOLDER_TMP), &status);
	if (complete < 0 && complete != -ENOENT)
		return complete;
	int error = make_new_and_cur(maildir, complete < 0);
	if (complete == 0 || error < 0)
		return error;
	error = sync_parent(maildir, made);
	if (error == 0)
		error = make_directory(maildir, folder_name(FOLDER_TMP));
	return error < 0 ? error : 0;
}

int place_make(const char *maildir, const char *home, int *descriptor, const char **problem)
{
	int opened;
	int error = place_open(maildir, home, &opened, problem);
	if (error < 0)
		return error;
	bool made = opened < 0;
	if (made)
		opened = make(maildir);
	if (opened < 0) {
		*problem = "cannot make the maildrop";
		return opened;
	}
	error = make_folders(opened, made);
	if (error < 0) {
		close(opened);
		*problem = "cannot make tmp/, new/ and cur/";
		return error;
	}
	*descriptor = opened;
	return 0;
}
