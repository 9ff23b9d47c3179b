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

/* Here -ESTALE says that it is another file; from a network file system it says nothing of it. */
static int unless_stale(int error)
{
	return error == -ESTALE ? -EIO : error;
}

/* 0: the name is the wanted file's. -ESTALE: it is another's; else a negative errno value. */
static int check_name(const struct maildir *maildir, int folder, const char *name,
		      const struct remove_wanted *wanted, struct removed *removed)
{
	struct folder_file file;
	int error = folder_look(maildir, folder, name, &file);
	if (error < 0)
		return unless_stale(error);
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

static int put_aside(int folder, const char *name, char aside[ASIDE_LENGTH + NAME_SIZE])
{
	int length = snprintf(aside, ASIDE_LENGTH + NAME_SIZE, "%s%s", FOLDER_ASIDE, name);
	if (length > NAME_OCTETS_MAX)
		return -ENAMETOOLONG;
	int result;
	IO_RETRY(result, renameat2(folder, name, folder, aside, RENAME_NOREPLACE));
	int error = result < 0 ? -errno : 0;
	/* folder_move() would end with a deletion of `name`, whatever that is by then. */
	if (error == -EINVAL || error == -ENOSYS)
		error = folder_rename(folder, name, folder, aside);
	/* Done and interrupted, and done again in vain? What it is will be looked at anyway. */
	struct stat status;
	if (error == -ENOENT && folder_stat(folder, aside, &status) == 0)
		return 0;
	return error;
}

/* A full disk, or a name that is too long. */
static bool has_no_second_name(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -ENAMETOOLONG;
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
		return unless_stale(error);
	if (!S_ISREG(status.st_mode) || folder_identity(maildir, &status) != wanted->identity)
		return -ESTALE;

	error = put_aside(folder, name, aside);
	if (has_no_second_name(error)) {
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
