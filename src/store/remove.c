/* See remove.h. */
#include "store/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "store/name.h"

#define ASIDE_LENGTH (sizeof FOLDER_ASIDE - 1)
/* The longest file name, with its NUL. */
#define NAME_SIZE (NAME_OCTETS_MAX + 1)

/* 0: the name is the wanted file's. -ESTALE: it is another's; else a negative errno value. */
static int check_name(const struct maildir *maildir, int folder, const char *name,
		      const struct remove_wanted *wanted, struct removed *removed)
{
	struct folder_file file;
	int error = folder_look(maildir, folder, name, &file);
	if (error < 0)
		return error;
	if (!file.regular || file.identity != wanted->identity)
		return -ESTALE;
	removed->reborn = births_exclude(wanted->births, &file, wanted->length);
	if (removed->reborn)
		return -ESTALE;
	removed->more_names = file.links > 1;
	return 0;
}

/* ---- Putting back ---- */

int remove_undo(int folder, const char *aside)
{
	/* If the name is taken again: the same message with other flags, to any mail program. */
	static const char *const infos[] = {":2,", ":2,S", ":2,F", ":2,FS"};
	const char *name = aside + ASIDE_LENGTH;
	int base_length = (int)name_base_length(name, strlen(name));
	int error = folder_move(folder, aside, folder, name);
	for (size_t i = 0; i < sizeof infos / sizeof *infos && error == -EEXIST; i++) {
		char other[NAME_SIZE];
		int length = snprintf(other, sizeof other, "%.*s%s", base_length, name, infos[i]);
		if ((size_t)length < sizeof other)
			error = folder_move(folder, aside, folder, other);
	}
	return error;
}

/* It has not gone, because of `error`. */
static int give_back(int folder, const char *aside, int error, struct removed *removed)
{
	removed->more_names = false;
	removed->aside = aside[0] != '\0' && remove_undo(folder, aside) < 0;
	return error;
}

/* ---- Putting aside ---- */

/*
 * A file system that cannot be told to replace nothing. The aside is a name that nobody else takes,
 * so a look at it will do; folder_move() would end with a deletion of `name`, whatever that is
 * then.
 */
static int put_aside_plainly(int folder, const char *name, const char *aside)
{
	struct stat status;
	int error = folder_stat(folder, aside, &status);
	if (error != -ENOENT)
		return error == 0 ? -EEXIST : error;
	int result;
	IO_RETRY(result, renameat(folder, name, folder, aside));
	return result < 0 ? -errno : 0;
}

static int put_aside(int folder, const char *name, char aside[ASIDE_LENGTH + NAME_SIZE])
{
	int length = snprintf(aside, ASIDE_LENGTH + NAME_SIZE, "%s%s", FOLDER_ASIDE, name);
	if (length > NAME_OCTETS_MAX)
		return -ENAMETOOLONG;
	int result;
	IO_RETRY(result, renameat2(folder, name, folder, aside, RENAME_NOREPLACE));
	if (result == 0)
		return 0;
	if (errno == EINVAL || errno == ENOSYS)
		return put_aside_plainly(folder, name, aside);
	return -errno;
}

/*
 * 0: the wanted file has the name `aside`, or keeps its own since there is no room for another, and
 * then *aside is empty.
 */
static int take_aside(const struct maildir *maildir, int folder, const char *name,
		      const struct remove_wanted *wanted, char aside[ASIDE_LENGTH + NAME_SIZE],
		      struct removed *removed)
{
	struct stat status;
	*removed = (struct removed){.touched = false};
	int error = folder_stat(folder, name, &status);
	if (error < 0)
		return error;
	if (!S_ISREG(status.st_mode) || folder_identity(maildir, &status) != wanted->identity)
		return -ESTALE;

	error = put_aside(folder, name, aside);
	if (error == -ENOSPC || error == -EDQUOT || error == -ENAMETOOLONG) {
		aside[0] = '\0';
		return check_name(maildir, folder, name, wanted, removed);
	}
	if (error < 0)
		return error;
	removed->touched = true;
	error = check_name(maildir, folder, aside, wanted, removed);
	return error < 0 ? give_back(folder, aside, error, removed) : 0;
}

/* ---- Deleting and moving ---- */

int remove_name(const struct maildir *maildir, int folder, const char *name,
		const struct remove_wanted *wanted, struct removed *removed)
{
	char aside[ASIDE_LENGTH + NAME_SIZE];
	int error = take_aside(maildir, folder, name, wanted, aside, removed);
	if (error < 0)
		return error;
	removed->touched = true;
	error = folder_delete(folder, aside[0] != '\0' ? aside : name);
	return error < 0 ? give_back(folder, aside, error, removed) : 0;
}

int remove_to(const struct maildir *maildir, int folder, const char *name,
	      const struct remove_wanted *wanted, int to, const char *new_name,
	      struct removed *removed)
{
	char aside[ASIDE_LENGTH + NAME_SIZE];
	int error = take_aside(maildir, folder, name, wanted, aside, removed);
	if (error < 0)
		return error;
	removed->touched = true;
	error = folder_move(folder, aside[0] != '\0' ? aside : name, to, new_name);
	return error < 0 ? give_back(folder, aside, error, removed) : 0;
}
