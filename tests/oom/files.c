/* See files.h. */
#include "oom/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oom/oom.h"

const char *files_path(char path[FILES_PATH], const char *name)
{
	snprintf(path, FILES_PATH, "%s/%s", oom_folder(), name);
	return path;
}

void files_write(const char *name, const char *octets, size_t length)
{
	char path[FILES_PATH];
	int file = open(files_path(path, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(file >= 0 && write(file, octets, length) == (ssize_t)length);
	if (file >= 0)
		close(file);
}

bool files_hold(const char *name, const char *text)
{
	char path[FILES_PATH], octets[4096];
	int file = open(files_path(path, name), O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	ssize_t got = read(file, octets, sizeof octets);
	close(file);
	return got == (ssize_t)strlen(text) && memcmp(octets, text, (size_t)got) == 0;
}

void files_folder(const char *name)
{
	char path[FILES_PATH];
	CHECK(mkdir(files_path(path, name), 0700) == 0);
}

/* How many entries start with `id`; -1: no folder. */
static int count_entries(const char *name, const char *id)
{
	char path[FILES_PATH];
	int count = 0;
	DIR *folder = opendir(files_path(path, name));
	if (folder == NULL)
		return -1;
	struct dirent *entry = readdir(folder);
	while (entry != NULL) {
		bool itself = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
		count += !itself && strncmp(entry->d_name, id, strlen(id)) == 0;
		entry = readdir(folder);
	}
	closedir(folder);
	return count;
}

int files_count(const char *name)
{
	return count_entries(name, "");
}

bool files_have_mail(const char *maildir, const char *id)
{
	char name[FILES_PATH];
	snprintf(name, sizeof name, "%s/new", maildir);
	int count = count_entries(name, id);
	snprintf(name, sizeof name, "%s/cur", maildir);
	return count + count_entries(name, id) == 1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

void files_remove(const char *name)
{
	char path[FILES_PATH];
	nftw(files_path(path, name), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
