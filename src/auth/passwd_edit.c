/*
 * See passwd_edit.h. An edit reads the file under its lock, composes the new text in memory, has it
 * parsed like any passwd file, and only then replaces the old one:
 *
 *     write .NAME.XXXXXX - owner, mode - fsync - is the old file still what was read? - rename -
 *     fsync the directory
 *
 * Every failure before the rename leaves the old file untouched and no other behind.
 */
#include "auth/passwd_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/passwd_private.h"
#include "auth/user.h"
#include "base/buffer.h"
#include "base/io.h"
#include "base/secret.h"

/* How often the lock is tried anew because another edit replaced the file meanwhile. */
#define LOCK_TRIES 100
/* A new file and the temporary one until it gets the old one's mode. */
#define PRIVATE_MODE 0600

struct edit {
	struct passwd_error *error;
	char *path; /* the file itself, links resolved */
	int file;   /* open and locked; -1 = not yet */
	struct stat status;
	char *text; /* of the old file */
	size_t length;
	struct passwd *passwd; /* the old file, parsed */
	struct buffer output;  /* the new text */
};

static int failed(const struct edit *e, int result)
{
	return passwd_error_set(e->error, result, 0, strerror(-result));
}

/* ---- Opening ---- */

/*
 * Open and lock the path's file. The lock is worth something only while the path still names it:
 *
 *     edit 1: open, lock ........ rename a new file over it, unlock
 *     edit 2:      open, lock waits                         locks the file that is gone
 *
 * 0; -EAGAIN: that has happened; or another error.
 */
static int lock_once(struct edit *e, const char *path, int flags)
{
	struct stat named;
	e->file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | flags, PRIVATE_MODE);
	if (e->file < 0)
		return -errno;
	while (flock(e->file, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	free(e->path);
	e->path = realpath(path, NULL);
	if (e->path == NULL)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (fstat(e->file, &e->status) < 0)
		return -errno;
	if (stat(e->path, &named) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	return named.st_ino == e->status.st_ino && named.st_dev == e->status.st_dev ? 0 : -EAGAIN;
}

static int edit_lock(struct edit *e, const char *path, int flags)
{
	int result = -EAGAIN;
	for (int i = 0; i < LOCK_TRIES && result == -EAGAIN; i++) {
		if (e->file >= 0)
			close(e->file);
		result = lock_once(e, path, flags);
	}
	return result;
}

/* Lock, read and parse. What is half open after a failure edit_end() releases too. */
static int edit_begin(struct edit *e, const char *path, int flags)
{
	int result = edit_lock(e, path, flags);
	if (result < 0)
		return failed(e, result);
	result = passwd_read(e->file, e->error, &e->text, &e->length, &e->status);
	if (result < 0)
		return result;
	buffer_init(&e->output, PASSWD_FILE_MAX);
	return passwd_parse(e->text, e->length, e->error, &e->passwd);
}

/* Closing the descriptor gives the lock up. */
static int edit_end(struct edit *e, int result)
{
	if (e->text != NULL)
		secret_wipe(e->text, e->length);
	free(e->text);
	passwd_unref(e->passwd);
	buffer_fini(&e->output);
	if (e->file >= 0)
		close(e->file);
	free(e->path);
	return result;
}

/* ---- Replacing ---- */

/* fchown(2) first: it takes set-id bits away. Nobody else may read the file before both are set. */
static int give_identity(int file, const struct stat *old)
{
	struct stat mine;
	if (fstat(file, &mine) < 0)
		return -errno;
	if ((mine.st_uid != old->st_uid || mine.st_gid != old->st_gid) &&
	    fchown(file, old->st_uid, old->st_gid) < 0)
		return -errno;
	return fchmod(file, old->st_mode & 07777) < 0 ? -errno : 0;
}

/* Did a program that does not know the lock write to the file? */
static int still_the_same(const struct edit *e)
{
	struct stat now;
	if (stat(e->path, &now) < 0)
		return -errno;
	bool same = now.st_ino == e->status.st_ino && now.st_dev == e->status.st_dev &&
		    now.st_size == e->status.st_size &&
		    now.st_mtim.tv_sec == e->status.st_mtim.tv_sec &&
		    now.st_mtim.tv_nsec == e->status.st_mtim.tv_nsec;
	return same ? 0 : -EAGAIN;
}

static int file_fill(const struct edit *e, int file)
{
	int result = io_write_all(file, buffer_data(&e->output), e->output.length);
	if (result == 0)
		result = give_identity(file, &e->status);
	if (result == 0 && fsync(file) < 0)
		result = -errno;
	return result;
}

/* `name` has the X's of mkostemp(3); the file is there under that name only if 0 is returned. */
static int file_make(const struct edit *e, char *name)
{
	int file = mkostemp(name, O_CLOEXEC);
	if (file < 0)
		return -errno;
	int result = file_fill(e, file);
	if (close(file) < 0 && result == 0)
		result = -errno;
	if (result < 0)
		unlink(name);
	return result;
}

static int directory_sync(const char *directory)
{
	int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	int result = fsync(file) < 0 ? -errno : 0;
	close(file);
	return result;
}

static int file_replace(const struct edit *e)
{
	char *name = NULL;
	char *slash = strrchr(e->path, '/'); /* the path is absolute */
	if (asprintf(&name, "%.*s/.%s.XXXXXX", (int)(slash - e->path), e->path, slash + 1) < 0)
		return -ENOMEM;
	int result = file_make(e, name);
	if (result == 0) {
		result = still_the_same(e);
		if (result == 0 && rename(name, e->path) < 0)
			result = -errno;
		if (result < 0)
			unlink(name);
	}
	if (result == 0) {
		name[slash - e->path + 1] = '\0';
		result = directory_sync(name);
	}
	free(name);
	return result;
}

/* The new text must be one that the server will take. */
static int edit_commit(struct edit *e)
{
	struct passwd *parsed;
	int result = passwd_parse(buffer_data(&e->output), e->output.length, e->error, &parsed);
	if (result < 0)
		return result;
	passwd_unref(parsed);
	result = file_replace(e);
	return result < 0 ? failed(e, result) : 0;
}

/* ---- Composing ---- */

static int append(struct edit *e, const char *octets, size_t length)
{
	int result = buffer_append(&e->output, octets, length);
	if (result == -ENOSPC)
		result = -EFBIG;
	return result < 0 ? failed(e, result) : 0;
}

static int append_text(struct edit *e, const char *text)
{
	return append(e, text, strlen(text));
}

/* Where line `number` (1-based, one that is there) begins. */
static size_t line_start(const struct edit *e, uint32_t number)
{
	const char *line = e->text;
	for (uint32_t i = 1; i < number; i++)
		line = (const char *)memchr(line, '\n', e->length - (size_t)(line - e->text)) + 1;
	return (size_t)(line - e->text);
}

static size_t find_in(const struct edit *e, size_t from, size_t end, char octet)
{
	const char *place = memchr(e->text + from, octet, end - from);
	return place == NULL ? end : (size_t)(place - e->text);
}

/* The user's line as [*start, *end), its end of line not included. */
static int line_find(const struct edit *e, const char *user, size_t *start, size_t *end)
{
	const struct passwd_entry *entry = passwd_lookup(e->passwd, user, false);
	if (entry == NULL)
		return passwd_error_set(e->error, -ESRCH, 0, "there is no such user");
	*start = line_start(e, entry->line);
	*end = find_in(e, *start, e->length, '\n');
	return 0;
}

/* Neither a user nor a secret nor fields may smuggle in more than the one entry they stand for. */
static int parts_check(const char *user, const char *secret, const char *fields,
		       struct passwd_error *error)
{
	*error = (struct passwd_error){0};
	if (!auth_user_is_valid(user, strlen(user)))
		return passwd_error_set(error, -EINVAL, 0, "not a legal user name");
	if (*secret == '\0' || strpbrk(secret, ":\n") != NULL)
		return passwd_error_set(error, -EINVAL, 0, "not a legal secret");
	if (fields != NULL && strchr(fields, '\n') != NULL)
		return passwd_error_set(error, -EINVAL, 0, "not legal fields");
	return 0;
}

/* user:secret[:fields], tried alone first, so that no file is created for what is wrong anyway. */
static int line_compose(const char *user, const char *secret, const char *fields,
			struct passwd_error *error, char **line)
{
	struct passwd *parsed;
	int result = parts_check(user, secret, fields, error);
	if (result < 0)
		return result;
	if (asprintf(line, "%s:%s%s%s\n", user, secret, fields == NULL ? "" : ":",
		     fields == NULL ? "" : fields) < 0)
		return passwd_error_set(error, -ENOMEM, 0, "out of memory");
	result = passwd_parse(*line, strlen(*line), error, &parsed);
	if (result == 0) {
		passwd_unref(parsed);
		return 0;
	}
	error->line = 0;
	secret_free(*line);
	return result;
}

/* ---- The three edits ---- */

static int add(struct edit *e, const char *user, const char *line)
{
	if (passwd_lookup(e->passwd, user, false) != NULL)
		return passwd_error_set(e->error, -EEXIST, 0, "the user is there already");
	int result = append(e, e->text, e->length);
	if (result == 0 && e->length > 0 && e->text[e->length - 1] != '\n')
		result = append_text(e, "\n");
	if (result == 0)
		result = append_text(e, line);
	return result == 0 ? edit_commit(e) : result;
}

int passwd_edit_add(const char *path, const char *user, const char *secret, const char *fields,
		    struct passwd_error *error)
{
	char *line;
	int result = line_compose(user, secret, fields, error, &line);
	if (result < 0)
		return result;
	struct edit e = {.error = error, .file = -1};
	result = edit_begin(&e, path, O_CREAT);
	if (result == 0)
		result = add(&e, user, line);
	secret_free(line);
	return edit_end(&e, result);
}

static int set(struct edit *e, const char *user, const char *secret)
{
	size_t start;
	size_t end;
	int result = line_find(e, user, &start, &end);
	if (result < 0)
		return result;
	size_t old_secret = find_in(e, start, end, ':') + 1;
	size_t rest = find_in(e, old_secret, end, ':');
	result = append(e, e->text, old_secret);
	if (result == 0)
		result = append_text(e, secret);
	if (result == 0)
		result = append(e, e->text + rest, e->length - rest);
	return result == 0 ? edit_commit(e) : result;
}

int passwd_edit_set(const char *path, const char *user, const char *secret,
		    struct passwd_error *error)
{
	int result = parts_check(user, secret, NULL, error);
	if (result < 0)
		return result;
	struct edit e = {.error = error, .file = -1};
	result = edit_begin(&e, path, 0);
	if (result == 0)
		result = set(&e, user, secret);
	return edit_end(&e, result);
}

static int cut(struct edit *e, const char *user)
{
	size_t start;
	size_t end;
	int result = line_find(e, user, &start, &end);
	if (result < 0)
		return result;
	size_t rest = end < e->length ? end + 1 : end;
	result = append(e, e->text, start);
	if (result == 0)
		result = append(e, e->text + rest, e->length - rest);
	return result == 0 ? edit_commit(e) : result;
}

int passwd_edit_remove(const char *path, const char *user, struct passwd_error *error)
{
	*error = (struct passwd_error){0};
	struct edit e = {.error = error, .file = -1};
	int result = edit_begin(&e, path, 0);
	if (result == 0)
		result = cut(&e, user);
	return edit_end(&e, result);
}
