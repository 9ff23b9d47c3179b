/* See remove.h. */
#include "store/remove.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/name.h"

#define ASIDE_LENGTH (sizeof FOLDER_ASIDE - 1)
/* The longest file name, with its NUL. */
#define NAME_SIZE (NAME_OCTETS_MAX + 1)

static bool is_wanted(const struct folder_file *file, const struct remove_wanted *wanted)
{
	return file->regular && file->identity == wanted->identity;
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

/* It is not deleted, because of `error`. */
static int give_back(int folder, const char *aside, int error, struct removed *removed)
{
	removed->aside = remove_undo(folder, aside) < 0;
	return error;
}

/* ---- Deleting ---- */

static bool is_without_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -ENAMETOOLONG;
}

static int remove_aside(const struct maildir *maildir, int folder, const char *aside,
			const struct remove_wanted *wanted, struct removed *removed)
{
	struct folder_file file;
	int error = folder_look(maildir, folder, aside, &file);
	if (error == 0 && !is_wanted(&file, wanted))
		error = -ESTALE;
	if (error == 0 && births_exclude(wanted->births, &file, wanted->length)) {
		removed->reborn = true;
		error = -ESTALE;
	}
	if (error == 0)
		error = folder_delete(folder, aside);
	if (error < 0)
		return give_back(folder, aside, error, removed);
	removed->more_names = file.links > 1;
	return 0;
}

static int remove_at_once(const struct maildir *maildir, int folder, const char *name,
			  const struct remove_wanted *wanted, struct removed *removed)
{
	struct folder_file file;
	int error = folder_look(maildir, folder, name, &file);
	if (error < 0)
		return error;
	removed->reborn =
		is_wanted(&file, wanted) && births_exclude(wanted->births, &file, wanted->length);
	if (!is_wanted(&file, wanted) || removed->reborn)
		return -ESTALE;
	removed->touched = true;
	removed->more_names = file.links > 1;
	return folder_delete(folder, name);
}

int remove_name(const struct maildir *maildir, int folder, const char *name,
		const struct remove_wanted *wanted, struct removed *removed)
{
	char aside[ASIDE_LENGTH + NAME_SIZE];
	struct stat status;
	*removed = (struct removed){.touched = false};
	int error = folder_stat(folder, name, &status);
	if (error < 0)
		return error;
	if (!S_ISREG(status.st_mode) || folder_identity(maildir, &status) != wanted->identity)
		return -ESTALE;

	int length = snprintf(aside, sizeof aside, "%s%s", FOLDER_ASIDE, name);
	error = length > NAME_OCTETS_MAX ? -ENAMETOOLONG : folder_move(folder, name, folder, aside);
	if (is_without_room(error))
		return remove_at_once(maildir, folder, name, wanted, removed);
	if (error < 0)
		return error;
	removed->touched = true;
	return remove_aside(maildir, folder, aside, wanted, removed);
}
