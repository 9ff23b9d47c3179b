/* From an entry of the passwd file to the paths of its maildrop, and what deliveries to it log. */
#include "backend/maildrops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/user.h"
#include "base/io.h"
#include "store/folder.h"

/* Of what strerror_r(3) may say. */
#define ERROR_SIZE 128

/* Did snprintf(3) have room for all of it? */
static bool fits(int length)
{
	return length >= 0 && length < PATH_MAX;
}

const char *maildrop_path_find(const struct passwd_entry *entry, const char *root, uid_t mail_user,
			       struct maildrop_path *path)
{
	if (entry->has_uid && entry->uid != mail_user)
		return "the entry's uid is not the mail user's";
	if (entry->home == NULL && root == NULL)
		return "the entry has no home and no maildir root is set";
	if (entry->home == NULL && !auth_user_is_path_safe(entry->user))
		return "the entry has no home and its name cannot be part of a path";

	struct maildrop_path found;
	const char *home = entry->home != NULL ? entry->home : root;
	int length;
	if (entry->home != NULL)
		length = snprintf(found.maildrop, PATH_MAX, "%s/Maildir", home);
	else
		length = snprintf(found.maildrop, PATH_MAX, "%s/%s/Maildir", root, entry->user);
	if (!fits(length) || !fits(snprintf(found.home, PATH_MAX, "%s", home)))
		return "the path of the maildrop is too long";
	*path = found;
	return NULL;
}

/* A directory's entries are on disk only when it is synced. */
static int sync_directory(const char *path)
{
	int directory;
	IO_RETRY(directory, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (directory < 0)
		return -errno;
	int result = folder_sync(directory);
	close(directory);
	return result;
}

int maildrop_path_prepare(const struct maildrop_path *path)
{
	char parent[PATH_MAX];
	struct stat status;
	int result;
	size_t length = strlen(path->maildrop) - strlen("/Maildir");
	memcpy(parent, path->maildrop, length);
	parent[length] = '\0';
	if (strcmp(parent, path->home) == 0)
		return 0;
	IO_RETRY(result, mkdir(parent, 0700));
	if (result != 0 && errno != EEXIST)
		return -errno;
	/* Without a maildrop in it whoever made it may not have come to sync it. */
	if (result != 0 && folder_stat(AT_FDCWD, path->maildrop, &status) == 0)
		return 0;
	return sync_directory(path->home);
}

void maildrop_delivery_failed(const struct pop3_maildir_failure *failure, void *delivery)
{
	const struct maildrop_delivery *d = delivery;
	struct pop3_field fields[4];
	size_t count = 0;
	char error[ERROR_SIZE];

	fields[count++] = (struct pop3_field)LOG_TEXT("user", d->user);
	if (failure->result == POP3_MAILDIR_TEMPORARY)
		fields[count++] = (struct pop3_field)LOG_TEXT("file", d->maildrop);
	fields[count++] = (struct pop3_field)LOG_TEXT("text", failure->text);
	if (failure->result == POP3_MAILDIR_TEMPORARY)
		fields[count++] = (struct pop3_field)LOG_TEXT(
			"error", strerror_r(failure->error, error, sizeof error));
	log_write(d->sink, POP3_LOG_ERROR, "store", fields, count);
}
