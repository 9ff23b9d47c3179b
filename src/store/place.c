/* See place.h. */
#include "store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/folder.h"

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
	if (result != -ENOENT || lstat(maildir, &status) == 0) {
		*problem = "cannot open the maildrop";
		return result;
	}
	result = check_home(maildir, home);
	if (result < 0) {
		*problem = "the home is missing or unusable";
		return result;
	}
	*descriptor = -1;
	return 0;
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

/* Make the folders that are missing. */
static int make_folders(int maildir)
{
	bool made = false;
	for (enum folder f = FOLDER_NEW; f <= FOLDER_TMP; f++) {
		if (mkdirat(maildir, folder_name(f), 0700) == 0)
			made = true;
		else if (errno != EEXIST)
			return -errno;
	}
	return made ? folder_sync(maildir) : 0;
}

int place_make(const char *maildir, const char *home, int *descriptor, const char **problem)
{
	int made;
	int result = place_open(maildir, home, &made, problem);
	if (result < 0)
		return result;
	if (made < 0)
		made = make(maildir);
	if (made < 0) {
		*problem = "cannot make the maildrop";
		return made;
	}
	result = make_folders(made);
	if (result < 0) {
		close(made);
		*problem = "cannot make tmp/, new/ and cur/";
		return result;
	}
	*descriptor = made;
	return 0;
}
