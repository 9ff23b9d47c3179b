/* See place.h. */
#include "store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "store/folder.h"

static int open_directory(const char *path)
{
	int descriptor;
	IO_RETRY(descriptor, open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC));
	return descriptor < 0 ? -errno : descriptor;
}

/* The folder that holds the maildrop: its path without the last name. */
static int parent_of(const char *path, char parent[PATH_MAX + 1])
{
	size_t length = strlen(path);
	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	while (length > 1 && path[length - 1] == '/')
		length--;
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
	int descriptor = open_directory(home);
	if (descriptor < 0)
		return descriptor;
	close(descriptor);
	return 0;
}

int place_open(const char *maildir, const char *home, int *descriptor, const char **problem)
{
	int result = open_directory(maildir);
	if (result >= 0) {
		*descriptor = result;
		return 0;
	}
	/* A dangling link is there: that is broken, not empty. */
	struct stat status;
	int error = result;
	if (error == -ENOENT)
		error = folder_stat(AT_FDCWD, maildir, &status);
	if (error != -ENOENT) {
		*problem = "cannot open the maildrop";
		return error == 0 ? result : error;
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

/* What a call has made, to be undone should the rest fail. */
struct making {
	const char *path;
	int maildir;
	bool made; /* the Maildir itself */
	bool folders[3];
};

/* 0: made, *made is set; or it is there already. */
static int make_directory(int at, const char *path, bool *made)
{
	int result;
	IO_RETRY(result, mkdirat(at, path, 0700));
	if (result < 0 && errno != EEXIST)
		return -errno;
	*made = result == 0;
	return 0;
}

/* Half a Maildir would be refused at each login, until a delivery comes that succeeds. */
static void unmake(const struct making *m)
{
	for (enum folder f = FOLDER_NEW; f <= FOLDER_TMP; f++)
		if (m->folders[f])
			unlinkat(m->maildir, folder_name(f), AT_REMOVEDIR);
	if (m->made)
		unlinkat(AT_FDCWD, m->path, AT_REMOVEDIR);
}

/* The folder that holds the Maildir. If we may not read it, we have not made the Maildir there. */
static int sync_parent(const struct making *m)
{
	int parent;
	IO_RETRY(parent, openat(m->maildir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (parent < 0)
		return errno == EACCES && !m->made ? 0 : -errno;
	int error = folder_sync(parent);
	close(parent);
	return error;
}

/*
 * Make the folders that are missing. tmp/ is the last, made when all else is on disk, so that where
 * it is nothing has to be synced, whatever became of the delivery that made it.
 */
static int make_folders(struct making *m)
{
	struct stat status;
	int error = make_directory(m->maildir, folder_name(FOLDER_NEW), &m->folders[FOLDER_NEW]);
	if (error == 0)
		error = make_directory(m->maildir, folder_name(FOLDER_CUR),
				       &m->folders[FOLDER_CUR]);
	if (error < 0)
		return error;
	int complete = folder_stat(m->maildir, folder_name(FOLDER_TMP), &status);
	if (complete < 0 && complete != -ENOENT)
		return complete;
	if (complete < 0 || m->folders[FOLDER_NEW] || m->folders[FOLDER_CUR])
		error = folder_sync(m->maildir);
	if (complete < 0 && error == 0)
		error = sync_parent(m);
	if (complete < 0 && error == 0)
		error = make_directory(m->maildir, folder_name(FOLDER_TMP),
				       &m->folders[FOLDER_TMP]);
	return error;
}

/* Open the Maildir, which becomes the caller's, after making it. */
static int make(struct making *m)
{
	int error = make_directory(AT_FDCWD, m->path, &m->made);
	if (error < 0)
		return error;
	m->maildir = open_directory(m->path);
	return m->maildir < 0 ? m->maildir : 0;
}

int place_make(const char *maildir, const char *home, int *descriptor, const char **problem)
{
	struct making m = {.path = maildir};
	int error = place_open(maildir, home, &m.maildir, problem);
	if (error < 0)
		return error;
	error = m.maildir < 0 ? make(&m) : 0;
	if (error == 0)
		error = make_folders(&m);
	if (error == 0) {
		*descriptor = m.maildir;
		return 0;
	}
	unmake(&m);
	if (m.maildir >= 0)
		close(m.maildir);
	*problem = "cannot make the maildrop";
	return error;
}
