/* See grant.h. Only here is a path of a maildrop opened; all else is relative to its descriptor. */
#include "store/grant.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/folder.h"
#include "store/report.h"

static int open_directory(const char *path)
{
	int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
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

/* Is there a folder where home has to be? Its descriptor becomes the caller's. */
static enum store_result open_home(const struct store_grant *grant, const struct log_sink *sink,
				   int *descriptor)
{
	char parent[PATH_MAX + 1];
	const char *home = grant->home;
	int result = 0;
	if (home == NULL) {
		home = parent;
		result = parent_of(grant->maildrop, parent);
	}
	if (result == 0)
		result = open_directory(home);
	if (result < 0)
		return report_failure(grant, sink, "the home is missing or unusable", result);
	*descriptor = result;
	return STORE_OK;
}

enum store_result grant_open(const struct store_grant *grant, const struct log_sink *sink,
			     int *descriptor)
{
	int maildir = open_directory(grant->maildrop);
	if (maildir >= 0) {
		*descriptor = maildir;
		return STORE_OK;
	}
	/* A dangling link is there: that is broken, not empty. */
	struct stat status;
	if (maildir != -ENOENT || lstat(grant->maildrop, &status) == 0)
		return report_failure(grant, sink, "cannot open the maildrop", maildir);

	int home;
	enum store_result result = open_home(grant, sink, &home);
	if (result != STORE_OK)
		return result;
	close(home);
	*descriptor = -1;
	return STORE_OK;
}

/* Make the directory; the name of a directory is safe when the folder that holds it is synced. */
static int make(const char *path)
{
	char parent[PATH_MAX + 1];
	int result = parent_of(path, parent);
	if (result < 0)
		return result;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	result = open_directory(parent);
	if (result < 0)
		return result;
	int folder = result;
	result = folder_sync(folder);
	close(folder);
	return result < 0 ? result : open_directory(path);
}

enum store_result grant_make(const struct store_grant *grant, const struct log_sink *sink,
			     int *descriptor)
{
	enum store_result result = grant_open(grant, sink, descriptor);
	if (result != STORE_OK || *descriptor >= 0)
		return result;
	int made = make(grant->maildrop);
	if (made < 0)
		return report_failure(grant, sink, "cannot make the maildrop", made);
	*descriptor = made;
	return STORE_OK;
}
