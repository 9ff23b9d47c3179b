/*
 * What QUIT does to a maildrop (RFC 1939 section 6). Most messages are where they were, and are
 * deleted at once, each by what it is (remove.h). The rest are looked for together in one reading
 * of the folders, which are read again until nothing of them is left and nothing has changed
 * meanwhile. Only then is a message gone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/change.h"
#include "store/maildrop_private.h"
#include "store/name.h"
#include "store/remove.h"
#include "store/renew.h"
#include "store/report.h"

enum fate {
	FATE_OPEN,   /* to be looked for */
	FATE_GONE,   /* deleted, and no other name of it can be left */
	FATE_FAILED, /* there, and it could not be deleted */
};

/* A message that was not where it was, or has more than one name. */
struct sought {
	struct maildrop_entry entry;
	struct name_time time;
	size_t position; /* among the messages to be deleted */
	enum fate fate;
	bool alone;    /* no other message of the list has its base name */
	bool replaced; /* another file has its base name now */
};

struct commit {
	const struct maildrop *maildrop;
	int folders[2]; /* by enum folder */
	bool touched[2];
	size_t deleted[2]; /* from each folder */
	size_t failed;
	int error;      /* the first */
	uint32_t *gone; /* by position: the message's number if it is gone, else 0 */
	struct sought *sought;
	size_t sought_count;
	size_t sought_deleted; /* in the present reading */
};

static enum folder place_of(const struct maildrop_entry *entry)
{
	return entry->seen ? FOLDER_CUR : FOLDER_NEW;
}

static void complain(struct commit *c, enum folder folder, const char *name, const char *text,
		     int error, size_t count)
{
	report(c->maildrop->sink, POP3_LOG_ERROR,
	       &(struct report){.session = c->maildrop->session,
				.folder = name == NULL ? NULL : folder_name(folder),
				.file = name == NULL ? folder_name(folder) : name,
				.text = text,
				.error = error,
				.count = count});
}

static void fail_message(struct commit *c, enum folder folder, const char *name, int error)
{
	c->failed++;
	c->error = c->error == 0 ? error : c->error;
	const char *text = error == -ESTALE ? "another file has its place: it is not deleted"
					    : "the message is not deleted";
	complain(c, folder, name, text, error == -ESTALE ? 0 : error, 0);
}

static void tell_if_aside(struct commit *c, enum folder folder, const char *name,
			  const struct removed *removed)
{
	if (removed->aside)
		complain(c, folder, name, "a file is put aside until the next login", 0, 0);
}

static struct remove_wanted wanted_of(const struct maildrop *m, const struct maildrop_entry *entry)
{
	return (struct remove_wanted){
		.identity = entry->identity, .length = entry->length, .births = &m->births};
}

/* Delete a name of a message. Returns as remove_name() does. */
static int delete_name(struct commit *c, const struct folder_entry *place,
		       const struct maildrop_entry *entry, struct removed *removed)
{
	const struct maildrop *m = c->maildrop;
	const struct remove_wanted wanted = wanted_of(m, entry);
	int error = remove_name(&m->maildir, place->descriptor, place->name, &wanted, removed);
	c->touched[place->folder] |= removed->touched;
	c->deleted[place->folder] += error == 0;
	tell_if_aside(c, place->folder, place->name, removed);
	return error;
}

static void seek_later(struct commit *c, const struct maildrop_entry *entry, size_t index,
		       size_t position)
{
	struct sought *s = &c->sought[c->sought_count++];
	s->entry = *entry;
	s->position = position;
	s->time = name_time(entry->base, entry->base_length);
	s->fate = FATE_OPEN;
	s->alone = !maildrop_list_has_twin(c->maildrop->list, index);
}

static void delete_message(struct commit *c, uint32_t msgno, size_t position)
{
	size_t index = msgno - 1;
	char name[MAILDROP_NAME_SIZE];
	struct maildrop_entry entry = maildrop_list_entry(c->maildrop->list, index);
	maildrop_entry_name(&entry, name);
	enum folder folder = place_of(&entry);
	const struct folder_entry place = {
		.folder = folder, .descriptor = c->folders[folder], .name = name};
	struct removed removed;
	int error = delete_name(c, &place, &entry, &removed);
	bool elsewhere = error == -ENOENT || (error == -ESTALE && !removed.reborn);
	if (elsewhere || removed.more_names)
		seek_later(c, &entry, index, position);
	else if (error < 0)
		fail_message(c, folder, name, error);
	else
		c->gone[position] = msgno;
}

static int compare_sought(const void *key, const void *element)
{
	const struct sought *a = key;
	const struct sought *b = element;
	int order = name_time_compare(&a->time, &b->time);
	return order != 0 ? order
			  : name_compare(a->entry.base, a->entry.base_length, b->entry.base,
					 b->entry.base_length);
}

/* Files that share a base name are in the order of their identities. */
static int compare_sought_files(const void *key, const void *element)
{
	const struct sought *a = key;
	const struct sought *b = element;
	int order = compare_sought(a, b);
	if (order != 0)
		return order;
	return (a->entry.identity > b->entry.identity) - (a->entry.identity < b->entry.identity);
}

/* What is sought is in the order of the list. NULL: there is none like the key. */
static struct sought *find_sought(const struct commit *c, const struct sought *key,
				  int (*compare)(const void *, const void *))
{
	return bsearch(key, c->sought, c->sought_count, sizeof *key, compare);
}

/* This name has the base name of a message that is sought. */
static void delete_found(struct commit *c, struct sought *s, const struct folder_entry *found)
{
	struct removed removed;
	int error = delete_name(c, found, &s->entry, &removed);
	if (error == -ENOENT)
		return;
	if (error == -ESTALE && !removed.reborn) {
		s->replaced = s->alone;
	} else if (error < 0) {
		s->fate = FATE_FAILED;
		fail_message(c, found->folder, found->name, error);
	} else {
		c->sought_deleted++;
		if (!removed.more_names)
			s->fate = FATE_GONE;
	}
}

/* One look tells which message it is, however many share the base name. */
static int visit(void *state, const struct folder_entry *found)
{
	struct commit *c = state;
	const char *name = found->name;
	struct sought key = {0};
	struct stat status;
	key.entry.base = name;
	key.entry.base_length = name_base_length(name, strlen(name));
	key.time = name_time(name, key.entry.base_length);
	struct sought *like = find_sought(c, &key, compare_sought);
	if (like == NULL)
		return 0;
	int error = folder_stat(found->descriptor, name, &status);
	if (error < 0)
		return error == -ENOENT ? 0 : error;

	key.entry.identity = folder_identity(&c->maildrop->maildir, &status);
	struct sought *same = find_sought(c, &key, compare_sought_files);
	if (same == NULL)
		like->replaced = like->alone;
	else if (same->fate == FATE_OPEN)
		delete_found(c, same, found);
	return 0;
}

static bool all_settled(const struct commit *c)
{
	for (size_t i = 0; i < c->sought_count; i++)
		if (c->sought[i].fate == FATE_OPEN)
			return false;
	return true;
}

/*
 * What is not found at last is gone, unless another file has its place: its client would see the
 * unique-id again. If nothing is known for certain (`error`), it is still there.
 */
static void settle(struct commit *c, int failure)
{
	char name[MAILDROP_NAME_SIZE];
	for (size_t i = 0; i < c->sought_count; i++) {
		struct sought *s = &c->sought[i];
		if (s->fate != FATE_OPEN)
			continue;
		int error = failure == 0 && s->replaced ? -ESTALE : failure;
		s->fate = error == 0 ? FATE_GONE : FATE_FAILED;
		if (error == 0)
			continue;
		maildrop_entry_name(&s->entry, name);
		fail_message(c, place_of(&s->entry), name, error);
	}
}

static void delete_sought(struct commit *c)
{
	int error = -EAGAIN;
	if (c->sought_count == 0)
		return;
	/* Others have changed the folders: what they did is to be on disk too. */
	c->touched[FOLDER_NEW] = true;
	c->touched[FOLDER_CUR] = true;

	/* One reading more than tries: the first one changes the folders itself. */
	for (int tries = 0; tries < CHANGE_TRIES + 1 && error == -EAGAIN; tries++) {
		bool quiet = false;
		c->sought_deleted = 0;
		int result = change_read_quietly(&c->maildrop->maildir, visit, c, &quiet);
		if (result < 0)
			error = result;
		else if (all_settled(c) || (quiet && c->sought_deleted == 0))
			error = 0;
	}
	settle(c, error);
}

static int mark_message(struct commit *c, const struct maildrop_entry *entry, char *name)
{
	const struct maildrop *m = c->maildrop;
	const struct remove_wanted wanted = wanted_of(m, entry);
	char seen_name[MAILDROP_NAME_SIZE];
	struct removed removed;
	maildrop_entry_name(entry, name);
	int length = snprintf(seen_name, sizeof seen_name, "%.*s:2,S", (int)entry->base_length,
			      entry->base);
	if ((size_t)length >= sizeof seen_name)
		return -ENAMETOOLONG;
	int error = remove_to(&m->maildir, c->folders[FOLDER_NEW], name, &wanted,
			      c->folders[FOLDER_CUR], seen_name, &removed);
	tell_if_aside(c, FOLDER_NEW, name, &removed);
	/* Moved or replaced by somebody else, or the name is taken: it stays as it is. */
	return error == -ENOENT || error == -ESTALE || error == -EEXIST ? 0 : error;
}

/* Move what was retrieved and not deleted from new/ to cur/. A failure harms nobody. */
static void mark_messages(struct commit *c, const uint32_t *messages, size_t count)
{
	const struct maildrop *m = c->maildrop;
	size_t failures = 0;
	int first_error = 0;
	char name[MAILDROP_NAME_SIZE];
	char first_name[MAILDROP_NAME_SIZE];
	if (m->retrieved == NULL)
		return;
	for (size_t i = 0; i < maildrop_list_count(m->list); i++) {
		while (count > 0 && *messages < i + 1) {
			messages++;
			count--;
		}
		bool deleted = count > 0 && *messages == i + 1;
		struct maildrop_entry entry = maildrop_list_entry(m->list, i);
		if (deleted || entry.seen || (m->retrieved[i / 8] >> i % 8 & 1) == 0)
			continue;
		c->touched[FOLDER_NEW] = true;
		c->touched[FOLDER_CUR] = true;
		int error = mark_message(c, &entry, name);
		if (error < 0 && failures++ == 0) {
			first_error = error;
			memcpy(first_name, name, sizeof name);
		}
	}
	if (failures > 0)
		report(m->sink, POP3_LOG_WARNING,
		       &(struct report){.session = m->session,
					.folder = folder_name(FOLDER_NEW),
					.file = first_name,
					.text = "not marked as seen",
					.error = first_error,
					.count = failures});
}

/* What was deleted from a folder that cannot be synced may come back: it is not gone. */
static void sync_folder(struct commit *c, enum folder f)
{
	int error = c->touched[f] ? folder_sync(c->folders[f]) : 0;
	if (error == 0)
		return;
	c->failed += c->deleted[f];
	c->error = c->error == 0 ? error : c->error;
	complain(c, f, NULL, "cannot sync the folder", error, c->deleted[f]);
}

/* cur/ first: what moved there must be safe before it is gone from new/ for good. */
static void sync_folders(struct commit *c)
{
	sync_folder(c, FOLDER_CUR);
	sync_folder(c, FOLDER_NEW);
}

/* What is gone goes from the index, too. */
static void renew(struct commit *c, const uint32_t *messages, size_t count)
{
	size_t gone = 0;
	for (size_t i = 0; i < c->sought_count; i++) {
		const struct sought *s = &c->sought[i];
		if (s->fate == FATE_GONE)
			c->gone[s->position] = messages[s->position];
	}
	for (size_t i = 0; i < count; i++)
		if (c->gone[i] != 0)
			c->gone[gone++] = c->gone[i];
	if (gone > 0 || c->maildrop->wrong_count > 0)
		renew_index(c->maildrop, c->gone, gone);
}

static int commit(struct commit *c, const uint32_t *messages, size_t count)
{
	const struct maildrop *m = c->maildrop;
	for (enum folder f = FOLDER_NEW; f <= FOLDER_CUR; f++) {
		c->folders[f] = folder_open(m->maildir.descriptor, f);
		if (c->folders[f] < 0)
			return c->folders[f];
	}
	if (count > 0) {
		c->sought = calloc(count, sizeof *c->sought);
		c->gone = calloc(count, sizeof *c->gone);
		if (c->sought == NULL || c->gone == NULL)
			return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		delete_message(c, messages[i], i);
	delete_sought(c);
	mark_messages(c, messages, count);
	sync_folders(c);
	renew(c, messages, count);
	return 0;
}

/* Numbers of messages, ascending. */
static bool are_valid(const struct maildrop *m, const uint32_t *messages, size_t count)
{
	uint32_t last = 0;
	for (size_t i = 0; i < count; i++) {
		if (messages[i] <= last || messages[i] > maildrop_list_count(m->list))
			return false;
		last = messages[i];
	}
	return true;
}

enum store_result maildrop_commit(struct maildrop *m, const uint32_t *messages, size_t count,
				  size_t *remaining)
{
	struct commit c = {.maildrop = m, .folders = {-1, -1}};
	*remaining = count;
	if (!maildrop_needs_commit(m, count))
		return STORE_OK;
	int error = are_valid(m, messages, count) ? commit(&c, messages, count) : -EINVAL;
	for (enum folder f = FOLDER_NEW; f <= FOLDER_CUR; f++)
		if (c.folders[f] >= 0)
			close(c.folders[f]);
	free(c.sought);
	free(c.gone);
	if (error < 0) {
		report(m->sink, POP3_LOG_ERROR,
		       &(struct report){.session = m->session,
					.text = "no message is deleted",
					.error = error,
					.count = count});
		return count == 0 ? STORE_OK : report_result(error);
	}
	*remaining = c.failed < count ? c.failed : count;
	return *remaining == 0 ? STORE_OK : report_result(c.error);
}
