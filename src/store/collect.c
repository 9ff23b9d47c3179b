/*
 * See collect.h. Names are gathered as they come, then sorted once; that brings the duplicates
 * together, so even a million names take no more than n log n. A name that was seen counts even if
 * its file moved before it could be looked at: then all is read again, and what was known stays.
 */
#include "store/collect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/folder.h"
#include "store/name.h"
#include "store/octets.h"
#include "store/report.h"

/* The first room for names and their text; it doubles as needed. */
#define FOUND_FIRST 16
#define TEXT_FIRST  1024

/* One name that was seen. */
struct found {
	size_t name; /* its place in the text, which also tells what was seen later */
	struct name_time time;
	uint64_t inode;
	uint64_t identity;
	uint64_t length;
	uint64_t octets;
	uint8_t base_length;
	bool seen;
	bool twin; /* another file with this base name comes before it */
};

/* Names that are skipped for one reason. */
struct skipped {
	uint64_t count;
	enum folder folder;
	char first[MAILDROP_NAME_SIZE];
	int error;
};

struct collection {
	struct found *found;
	size_t count;
	size_t capacity;
	char *text;
	size_t text_length;
	size_t text_capacity;
	bool vanished; /* a name's file was gone when it was looked at */
	struct skipped odd;
	struct skipped unreadable;
};

static void skip(struct skipped *skipped, enum folder folder, const char *name, int error)
{
	if (skipped->count++ > 0)
		return;
	skipped->folder = folder;
	skipped->error = error;
	strncpy(skipped->first, name, sizeof skipped->first - 1);
}

/* Room for one more of `size` octets. */
static int grow(void **array, size_t *capacity, size_t needed, size_t first, size_t size)
{
	if (needed <= *capacity)
		return 0;
	size_t more = *capacity == 0 ? first : *capacity;
	while (more < needed)
		more *= 2;
	void *grown = reallocarray(*array, more, size);
	if (grown == NULL)
		return -ENOMEM;
	*array = grown;
	*capacity = more;
	return 0;
}

static int append(struct collection *c, const struct found *found, const char *name, size_t size)
{
	void *array = c->found;
	int error = grow(&array, &c->capacity, c->count + 1, FOUND_FIRST, sizeof *c->found);
	c->found = array;
	if (error < 0)
		return error;
	array = c->text;
	error = grow(&array, &c->text_capacity, c->text_length + size, TEXT_FIRST, 1);
	c->text = array;
	if (error < 0)
		return error;

	c->found[c->count] = *found;
	c->found[c->count++].name = c->text_length;
	memcpy(c->text + c->text_length, name, size);
	c->text_length += size;
	return 0;
}

/* Count a file's octets. -ENOENT: it is not the file that was seen any more. */
static int count_file(int folder, const char *name, struct found *found)
{
	int descriptor = folder_open_file(folder, name);
	if (descriptor < 0)
		return descriptor == -ELOOP || descriptor == -ENXIO ? -ENOENT : descriptor;
	struct stat status;
	struct octets octets;
	int error = fstat(descriptor, &status) < 0 ? -errno : 0;
	if (error == 0 && folder_identity(&status) != found->identity)
		error = -ENOENT;
	if (error == 0)
		error = octets_count(descriptor, &octets);
	close(descriptor);
	if (error < 0)
		return error;
	found->length = octets.length;
	found->octets = octets_total(&octets);
	return 0;
}

static int find_size(int folder, const char *name, struct found *found)
{
	struct name_hints hints = name_hints(name, found->base_length);
	if (!name_hints_agree(&hints, found->length))
		return count_file(folder, name, found);
	found->octets = hints.octets;
	return 0;
}

/* Does the failure concern this file alone? Being out of memory or descriptors concerns all. */
static bool is_of_file(int error)
{
	return error == -EACCES || error == -EPERM || error == -EIO || error == -EFBIG;
}

static int visit(void *state, enum folder folder, int descriptor, const char *name)
{
	struct collection *c = state;
	struct stat status;
	int error = folder_stat(descriptor, name, &status);
	if (error == -ENOENT)
		c->vanished = true;
	if (error < 0)
		return error == -ENOENT ? 0 : error;
	if (!S_ISREG(status.st_mode)) {
		skip(&c->odd, folder, name, 0);
		return 0;
	}

	size_t length = strlen(name);
	struct found found = {.inode = (uint64_t)status.st_ino,
			      .identity = folder_identity(&status),
			      .length = (uint64_t)status.st_size,
			      .seen = folder == FOLDER_CUR};
	if (length > NAME_OCTETS_MAX || found.length > OCTETS_LENGTH_MAX) {
		skip(&c->odd, folder, name, 0);
		return 0;
	}
	found.base_length = (uint8_t)name_base_length(name, length);
	found.time = name_time(name, found.base_length);
	error = find_size(descriptor, name, &found);
	if (error == 0)
		return append(c, &found, name, length + 1);
	if (error == -ENOENT)
		c->vanished = true;
	else if (is_of_file(error))
		skip(&c->unreadable, folder, name, error);
	else
		return error;
	return 0;
}

static int gather(int maildir, struct collection *c)
{
	int error = 0;
	for (int tries = 0; tries < FOLDER_TRIES && error == 0; tries++) {
		c->vanished = false;
		c->odd.count = 0;
		c->unreadable.count = 0;
		error = folder_read_both(maildir, visit, c, NULL);
		if (!c->vanished)
			break;
	}
	return error;
}

/* By time, then base name; of one base name by inode, so that no flag changes which is the twin. */
static int compare(const void *left, const void *right, void *text)
{
	const struct found *a = left;
	const struct found *b = right;
	const char *names = text;
	int order = name_time_compare(&a->time, &b->time);
	if (order == 0)
		order = name_compare(names + a->name, a->base_length, names + b->name,
				     b->base_length);
	if (order == 0)
		order = (a->inode > b->inode) - (a->inode < b->inode);
	if (order == 0)
		order = (a->identity > b->identity) - (a->identity < b->identity);
	return order != 0 ? order : (a->name > b->name) - (a->name < b->name);
}

static bool same_base(const struct collection *c, const struct found *a, const struct found *b)
{
	return a->base_length == b->base_length &&
	       memcmp(c->text + a->name, c->text + b->name, a->base_length) == 0;
}

/*
 * Of several names of one file with one base name (it was renamed while being read, or is linked
 * into new/ and cur/) the last one seen is kept. Several files with one base name are all kept.
 */
static void drop_duplicates(struct collection *c)
{
	size_t kept = 0;
	for (size_t i = 0; i < c->count; i++) {
		bool same = kept > 0 && same_base(c, &c->found[kept - 1], &c->found[i]);
		if (same && c->found[kept - 1].identity == c->found[i].identity) {
			c->found[i].twin = c->found[kept - 1].twin;
			kept--;
		} else {
			c->found[i].twin = same;
		}
		c->found[kept++] = c->found[i];
	}
	c->count = kept;
}

/* A message's entry and unique-id. */
static int describe(const struct collection *c, const struct found *found,
		    struct maildrop_entry *entry, char id[NAME_ID_SIZE])
{
	const char *name = c->text + found->name;
	*entry = (struct maildrop_entry){.base = name,
					 .base_length = found->base_length,
					 .info = name + found->base_length,
					 .seen = found->seen,
					 .identity = found->identity,
					 .length = found->length,
					 .octets = found->octets};
	if (found->twin)
		return name_unique_id_of_twin(name, found->base_length, found->inode, id);
	return name_unique_id(name, found->base_length, id);
}

static int freeze(const struct collection *c, struct maildrop_list **result)
{
	struct maildrop_entry entry;
	char id[NAME_ID_SIZE];
	uint64_t size = 0;
	int error = 0;
	for (size_t i = 0; i < c->count && error == 0; i++) {
		error = describe(c, &c->found[i], &entry, id);
		if (error == 0)
			size += maildrop_list_text_size(&entry, id);
	}
	struct maildrop_list *list = error < 0 ? NULL : maildrop_list_new(c->count, size);
	if (list == NULL)
		return -ENOMEM;

	for (size_t i = 0; i < c->count; i++) {
		error = describe(c, &c->found[i], &entry, id);
		if (error < 0)
			break;
		maildrop_list_append(list, &entry, id);
	}
	if (error < 0) {
		maildrop_list_unref(list);
		return error;
	}
	*result = list;
	return 0;
}

static void report_skipped(const struct store_grant *grant, const struct log_sink *sink,
			   const struct skipped *skipped, const char *text)
{
	if (skipped->count > 0)
		report(sink, POP3_LOG_WARNING,
		       &(struct report){.session = grant->session,
					.user = grant->user,
					.folder = folder_name(skipped->folder),
					.file = skipped->first,
					.text = text,
					.error = skipped->error,
					.count = skipped->count});
}

enum store_result collect_list(int maildir, const struct store_grant *grant,
			       const struct log_sink *sink, struct maildrop_list **list)
{
	struct collection c = {0};
	int error = gather(maildir, &c);
	if (error == 0) {
		if (c.count > 1)
			qsort_r(c.found, c.count, sizeof *c.found, compare, c.text);
		drop_duplicates(&c);
		error = freeze(&c, list);
	}
	free(c.found);
	free(c.text);
	if (error == 0) {
		report_skipped(grant, sink, &c.odd, "skipped: not a regular file");
		report_skipped(grant, sink, &c.unreadable, "skipped: unreadable, size unknown");
		return STORE_OK;
	}
	return report_failure(grant, sink, "cannot list the maildrop", error);
}
