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

/* 0 or a negative errno value, with the path that it is of. */
static int prepare(const struct maildrop_path *path, char failed[PATH_MAX])
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
	bool made = result == 0;
	if (!made && errno != EEXIST) {
		result = -errno;
		memcpy(failed, parent, length + 1);
		return result;
	}
	/* Without a maildrop in it whoever made it may not have come to sync it. */
	if (!made && folder_stat(AT_FDCWD, path->maildrop, &status) == 0)
		return 0;
	result = sync_directory(path->home);
	/* Who may enter the home but not read it cannot sync it, and did not make the folder. */
	if (result == 0 || (!made && result == -EACCES))
		return 0;
	memcpy(failed, path->home, strlen(path->home) + 1);
	return result;
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

const char *maildrop_path_prepare(const struct maildrop_path *path, const struct log_sink *log,
				  const char *user)
{
	char place[PATH_MAX];
	int result = prepare(path, place);
	if (result == 0)
		return NULL;
	struct maildrop_delivery delivery = {log, user, place};
	const struct pop3_maildir_failure failure = {
		.result = POP3_MAILDIR_TEMPORARY, .text = "cannot make the home", .error = -result};
	maildrop_delivery_failed(&failure, &delivery);
	return failure.text;
}
