/* See seek.h. */
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
	int descriptor;
	struct stat *status;
};

/* 1: it is the message's file, opened. 0: there is none or it is another one. */
static int try_name(struct seek *s, int directory, const char *name)
{
	int descriptor = folder_open_file(directory, name);
	if (descriptor == -ENOENT || descriptor == -ELOOP || descriptor == -ENXIO)
		return 0;
	if (descriptor < 0)
		return descriptor;
	int error = folder_status(descriptor, s->status);
	if (error == 0 && S_ISREG(s->status->st_mode) &&
	    (!s->exact || folder_identity(s->maildir, s->status) == s->entry->identity)) {
		s->descriptor = descriptor;
		return 1;
	}
	close(descriptor);
	return error;
}

/*
 * Where most messages are: at the known name, or where a mail reader puts them. So reading all of a
 * large maildrop that another program has just marked as seen does not scan it for each message.
 */
static int try_likely_names(struct seek *s)
{
	const char *base = s->entry->base;
	int length = (int)s->entry->base_length;
	const char *info[] = {s->entry->info, ":2,S", ":2,", ""};
	for (size_t i = 0; i < sizeof info / sizeof *info; i++) {
		char path[sizeof "cur/" + MAILDROP_NAME_SIZE];
		bool cur = s->entry->seen || i > 0;
		int written =
			snprintf(path, sizeof path, "%s/%.*s%s",
				 folder_name(cur ? FOLDER_CUR : FOLDER_NEW), length, base, info[i]);
		int result = (size_t)written < sizeof path
				     ? try_name(s, s->maildir->descriptor, path)
				     : 0;
		if (result != 0 && result != -ENAMETOOLONG)
			return result;
	}
	return 0;
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

int seek_open(const struct maildir *maildir, const struct maildrop_entry *entry, bool exact,
	      int *descriptor, struct stat *status)
{
	struct seek s = {.maildir = maildir,
			 .entry = entry,
			 .exact = exact,
			 .descriptor = -1,
			 .status = status};
	int result = try_likely_names(&s);
	for (int tries = 0; tries < CHANGE_TRIES && result == 0; tries++) {
		bool quiet = false;
		result = change_read_quietly(maildir, visit, &s, &quiet);
		if (result == 0 && quiet)
			return -ENOENT;
	}
	if (result < 0)
		return result;
	if (result == 0)
		return -EAGAIN;
	*descriptor = s.descriptor;
	return 0;
}
