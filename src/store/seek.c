/*
 * See seek.h. A file that only has the message's base name is kept open meanwhile, for the case
 * that the very file is nowhere: to take it at once would show one message in place of another that
 * has just been renamed.
 */
#include "store/seek.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/change.h"
#include "store/name.h"

struct seek {
	const struct maildir *maildir;
	const struct maildrop_entry *entry;
	bool exact;
	int descriptor; /* of the very file, else -1 */
	int other;      /* of another one with its base name, else -1 */
	struct stat status;
	struct stat other_status;
};

/* Is it the very file, as far as can be seen without opening it? */
static bool is_entry(const struct seek *s, int directory, const char *name)
{
	struct stat status;
	return folder_stat(directory, name, &status) == 0 && S_ISREG(status.st_mode) &&
	       folder_identity(s->maildir, &status) == s->entry->identity;
}

/* 1: it is the very file, opened. 0: there is none or it is another one. */
static int try_name(struct seek *s, int directory, const char *name)
{
	struct stat status;
	int descriptor = folder_open_file(directory, name);
	if (descriptor == -ENOENT || descriptor == -ELOOP || descriptor == -ENXIO ||
	    descriptor == -ENAMETOOLONG)
		return 0;
	if (descriptor == -EACCES && !is_entry(s, directory, name))
		return 0;
	if (descriptor < 0)
		return descriptor;
	int error = folder_status(descriptor, &status);
	bool message = error == 0 && S_ISREG(status.st_mode);
	if (message && folder_identity(s->maildir, &status) == s->entry->identity) {
		s->descriptor = descriptor;
		s->status = status;
		return 1;
	}
	if (message && !s->exact && s->other < 0) {
		s->other = descriptor;
		s->other_status = status;
		return 0;
	}
	close(descriptor);
	return error;
}

/* As try_name(), a base name with each of some infos. */
static int try_names(struct seek *s, enum folder folder, const char *const *infos, size_t count)
{
	/* A path through the folder would go where a link in its place leads. */
	int directory = folder_open(s->maildir->descriptor, folder);
	if (directory < 0)
		return directory;
	int result = 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		char name[MAILDROP_NAME_SIZE];
		int written = snprintf(name, sizeof name, "%.*s%s", (int)s->entry->base_length,
				       s->entry->base, infos[i]);
		if ((size_t)written < sizeof name)
			result = try_name(s, directory, name);
	}
	close(directory);
	return result;
}

/*
 * Where most messages are: at the known name, or where a mail reader puts them. So reading all of a
 * large maildrop that another program has just marked as seen does not scan it for each message.
 */
static int try_likely_names(struct seek *s)
{
	const char *const infos[] = {s->entry->info, ":2,S", ":2,", ""};
	size_t count = sizeof infos / sizeof *infos;
	if (s->entry->seen)
		return try_names(s, FOLDER_CUR, infos, count);
	int result = try_names(s, FOLDER_NEW, infos, 1);
	return result != 0 ? result : try_names(s, FOLDER_CUR, infos + 1, count - 1);
}

int seek_open_cached(const struct maildir *maildir, const struct maildrop_entry *entry,
		     int *descriptor, struct stat *status)
{
	char path[sizeof "cur/" + MAILDROP_NAME_SIZE];
	int written = snprintf(path, sizeof path, "%s/%.*s%s",
			       folder_name(entry->seen ? FOLDER_CUR : FOLDER_NEW),
			       (int)entry->base_length, entry->base, entry->info);
	if ((size_t)written >= sizeof path)
		return -EAGAIN;
	int opened = folder_open_cached(maildir->descriptor, path);
	if (opened < 0)
		return -EAGAIN;
	if (folder_status(opened, status) < 0 || !S_ISREG(status->st_mode) ||
	    folder_identity(maildir, status) != entry->identity) {
		close(opened);
		return -EAGAIN;
	}
	*descriptor = opened;
	return 0;
}

static int visit(void *state, const struct folder_entry *found)
{
	struct seek *s = state;
	size_t length = name_base_length(found->name, strlen(found->name));
	if (length != s->entry->base_length || memcmp(found->name, s->entry->base, length) != 0)
		return 0;
	return try_name(s, found->descriptor, found->name);
}

/* 1: the very file is open. 0: it is nowhere. */
static int seek_everywhere(struct seek *s)
{
	int result = try_likely_names(s);
	for (int tries = 0; tries < CHANGE_TRIES && result == 0; tries++) {
		bool quiet = false;
		result = change_read_quietly(s->maildir, visit, s, &quiet);
		if (result == 0 && quiet)
			return 0;
	}
	return result == 0 ? -EAGAIN : result;
}

int seek_open(const struct maildir *maildir, const struct maildrop_entry *entry, bool exact,
	      int *descriptor, struct stat *status)
{
	struct seek s = {
		.maildir = maildir, .entry = entry, .exact = exact, .descriptor = -1, .other = -1};
	int result = seek_everywhere(&s);
	if (result == 1) {
		*descriptor = s.descriptor;
		*status = s.status;
	} else if (result == 0 && s.other >= 0) {
		*descriptor = s.other;
		*status = s.other_status;
		return 0;
	}
	if (s.other >= 0)
		close(s.other);
	if (result == 0)
		return -ENOENT;
	/* Else it is a folder that is not there: of the message that tells nothing. */
	return result == -ENOENT ? -ESTALE : result == 1 ? 0 : result;
}
