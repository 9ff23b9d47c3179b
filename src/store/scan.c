/*
 * See scan.h. Names are gathered as they come. If something may be missing and the folders change
 * meanwhile they are read again. In the end either a reading was quiet, and then it alone tells, or
 * none was: then whatever was known or seen in any of them counts.
 */
#include "store/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/octets.h"
#include "store/remove.h"

/*
 * So many known messages are looked at, whether they are still the files that they were: somebody
 * may have put others in their place, and their inodes be used again. No mail program does that, so
 * beyond this number names are enough, and the time of a login does not grow.
 */
#define LOOKS_MAX 4096
/* The first room for files and for the text of their names; it doubles as needed. */
#define FILES_FIRST 16
#define TEXT_FIRST  1024

/* What a visit needs. */
struct visitor {
	const struct maildir *maildir;
	const struct index *index;
	struct scan *scan;
};

/* ---- Keeping what was found ---- */

static void skip(struct skipped *skipped, const struct folder_entry *entry, int error)
{
	if (skipped->count++ > 0)
		return;
	skipped->folder = entry->folder;
	skipped->error = error;
	strncpy(skipped->first, entry->name, sizeof skipped->first - 1);
}

/* Room for `needed` members of `size` octets. */
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

static int keep(struct scan *s, struct found_files *f, const struct found *found, const char *name)
{
	size_t size = strlen(name) + 1;
	void *array = f->files;
	int error = grow(&array, &f->capacity, f->count + 1, FILES_FIRST, sizeof *f->files);
	f->files = array;
	if (error < 0)
		return error;
	array = s->text;
	error = grow(&array, &s->text_capacity, s->text_length + size, TEXT_FIRST, 1);
	s->text = array;
	if (error < 0)
		return error;

	struct found *kept = &f->files[f->count++];
	*kept = *found;
	kept->name = s->text_length;
	kept->reading = s->reading;
	memcpy(s->text + s->text_length, name, size);
	s->text_length += size;
	return 0;
}

/* ---- Measuring a file ---- */

/* Not the file of the directory's entry any more: another one, or one that cannot be a message's.
 */
static bool is_other_file(int error)
{
	return error == -ELOOP || error == -ENXIO;
}

static int count_open_file(const struct maildir *maildir, int descriptor, struct found *found)
{
	struct stat status;
	int error = folder_status(descriptor, &status);
	if (error < 0)
		return error;
	if (!S_ISREG(status.st_mode))
		return -ENOENT;
	struct octets octets;
	error = octets_count(descriptor, (uint64_t)status.st_size, &octets);
	if (error < 0)
		return error;
	found->identity = folder_identity(maildir, &status);
	found->length = octets.length;
	found->octets = octets_total(&octets);
	found->plain = !header_is_international(&octets.header);
	return 0;
}

/* -ENOENT: what was seen is not there any more. */
static int count_file(const struct visitor *v, const struct folder_entry *entry,
		      struct found *found)
{
	int descriptor = folder_open_file(entry->descriptor, entry->name);
	if (descriptor < 0)
		return is_other_file(descriptor) ? -ENOENT : descriptor;
	int error = count_open_file(v->maildir, descriptor, found);
	close(descriptor);
	return error;
}

/* A file whose name claims a size: it is believed if the file's own length agrees. */
static int measure_claimed(const struct visitor *v, const struct folder_entry *entry,
			   const struct name_hints *hints, struct found *found)
{
	struct stat status;
	int error = folder_stat(entry->descriptor, entry->name, &status);
	if (error < 0)
		return error;
	if (!S_ISREG(status.st_mode))
		return -ENXIO;
	found->identity = folder_identity(v->maildir, &status);
	found->length = (uint64_t)status.st_size;
	found->octets = hints->octets;
	if (name_hints_agree(hints, found->length) && found->length <= OCTETS_LENGTH_MAX)
		return 0;
	return count_file(v, entry, found);
}

/*
 * Only what is a regular file for certain is opened: opening a device may do things. -ENXIO: it is
 * none.
 */
static int measure(const struct visitor *v, const struct folder_entry *entry, struct found *found)
{
	struct name_hints hints = name_hints(entry->name, found->base_length);
	if (hints.has_octets || !entry->regular)
		return measure_claimed(v, entry, &hints, found);
	return count_file(v, entry, found);
}

/*
 * Does the failure concern this file alone, and will it stay until a person mends it? Then the
 * message is left out. All else may pass (no memory, no descriptors, an input error, a stale
 * handle), and a list that lacks a message looks to a client as if it had been deleted: then there
 * is no list. A folder that may be read but not entered concerns all its files.
 */
static bool is_of_file(const struct folder_entry *entry, int error)
{
	struct stat status;
	if (error != -EACCES && error != -EPERM && error != -EFBIG)
		return false;
	return folder_stat(entry->descriptor, entry->name, &status) != -EACCES;
}

/* ---- Visiting names ---- */

static int visit_known(struct scan *s, const struct folder_entry *entry, size_t index,
		       const struct maildrop_entry *old)
{
	bool seen = entry->folder == FOLDER_CUR;
	const char *info = entry->name + old->base_length;
	known_mark(&s->known, index);
	if (seen == old->seen && strcmp(info, old->info) == 0)
		return 0;
	struct found found = {.identity = old->identity,
			      .length = old->length,
			      .octets = old->octets,
			      .known = index,
			      .base_length = (uint8_t)old->base_length,
			      .seen = seen};
	return keep(s, &s->moved, &found, entry->name);
}

/* `old` is what was known of the very file before it was touched, else NULL. */
static int visit_fresh(const struct visitor *v, const struct folder_entry *entry,
		       size_t base_length, size_t index, const struct maildrop_entry *old)
{
	struct scan *s = v->scan;
	struct found found = {.base_length = (uint8_t)base_length,
			      .seen = entry->folder == FOLDER_CUR};
	int error = measure(v, entry, &found);
	if (error == 0) {
		found.time = name_time(entry->name, base_length);
		return keep(s, &s->fresh, &found, entry->name);
	}
	if (error == -ENOENT)
		s->vanished = true;
	else if (error == -ENXIO)
		skip(&s->odd, entry, 0);
	else if (!is_of_file(entry, error))
		return error;
	else if (old != NULL)
		return visit_known(s, entry, index, old); /* under the size that it had */
	else
		skip(&s->unreadable, entry, error);
	return 0;
}

/* Is a file the one of a known message? */
enum likeness {
	LIKE_NONE,
	LIKE_TOUCHED, /* it is, but its size may be another */
	LIKE_SAME,
};

/* Has the file been as it is now since before its size was known? */
static bool is_untouched(const struct index *index, const struct maildrop_entry *old,
			 const struct stat *status)
{
	const struct timespec *moment = &index->moments[old->seen ? FOLDER_CUR : FOLDER_NEW];
	return S_ISREG(status->st_mode) && (uint64_t)status->st_size == old->length &&
	       change_is_before(&status->st_ctim, moment);
}

static enum likeness look_at_known(const struct visitor *v, const struct folder_entry *entry,
				   const struct maildrop_entry *old)
{
	struct stat status;
	if (v->scan->looks++ >= LOOKS_MAX)
		return LIKE_SAME;
	if (folder_stat(entry->descriptor, entry->name, &status) < 0 ||
	    folder_identity(v->maildir, &status) != old->identity)
		return LIKE_NONE;
	return is_untouched(v->index, old, &status) ? LIKE_SAME : LIKE_TOUCHED;
}

/* A file that an interrupted QUIT has left: it is listed when the folders are read again. */
static void put_back(struct scan *s, const struct folder_entry *entry)
{
	int error = s->without_trace ? 0 : remove_undo(entry->descriptor, entry->name);
	if (error < 0 || s->without_trace) {
		skip(&s->stranded, entry, error);
	} else {
		skip(&s->restored, entry, 0);
		s->vanished = true;
	}
}

static int visit(void *state, const struct folder_entry *entry)
{
	struct visitor *v = state;
	if (entry->name[0] == '.') {
		put_back(v->scan, entry);
		return 0;
	}
	size_t length = strlen(entry->name);
	if (length > NAME_OCTETS_MAX) {
		skip(&v->scan->odd, entry, 0);
		return 0;
	}
	size_t base_length = name_base_length(entry->name, length);
	size_t index = 0;
	struct maildrop_entry old;
	enum likeness likeness = LIKE_NONE;
	if (entry->regular && known_find(&v->scan->known, entry, base_length, &index, &old))
		likeness = look_at_known(v, entry, &old);
	if (likeness == LIKE_SAME)
		return visit_known(v->scan, entry, index, &old);
	/* The message is still there, if under another size: it is not to be waited for. */
	if (likeness == LIKE_TOUCHED)
		known_mark(&v->scan->known, index);
	return visit_fresh(v, entry, base_length, index, likeness == LIKE_TOUCHED ? &old : NULL);
}

/* ---- Folders ---- */

/* Is this folder as the index has it? */
static bool is_unchanged(const struct index *index, enum folder folder,
			 const struct folder_state *state)
{
	return index->list != NULL && change_same(&index->state.folders[folder], state) &&
	       change_is_settled(state, &index->moments[folder]);
}

int scan_is_needless(const struct maildir *maildir, const struct index *index, bool *unchanged)
{
	struct maildir_state state;
	int error = change_look(maildir, &state);
	if (error == 0)
		*unchanged = is_unchanged(index, FOLDER_NEW, &state.folders[FOLDER_NEW]) &&
			     is_unchanged(index, FOLDER_CUR, &state.folders[FOLDER_CUR]);
	return error;
}

static void mark_all_of(struct known *known, enum folder folder)
{
	for (size_t i = 0; i < maildrop_list_count(known->list); i++)
		if (maildrop_list_entry(known->list, i).seen == (folder == FOLDER_CUR))
			known_mark(known, i);
}

static int read_folders(const struct maildir *maildir, const struct index *index,
			const struct timespec *moment, struct scan *s)
{
	struct visitor visitor = {maildir, index, s};
	s->looks = 0;
	s->vanished = false;
	s->odd.count = 0;
	s->unreadable.count = 0;
	s->stranded.count = 0;
	for (enum folder f = FOLDER_NEW; f <= FOLDER_CUR; f++) {
		if (is_unchanged(index, f, &s->state.folders[f])) {
			mark_all_of(&s->known, f);
			s->moments[f] = index->moments[f];
			continue;
		}
		s->moments[f] = *moment;
		int error = folder_read(maildir, f, visit, &visitor);
		if (error < 0)
			return error;
	}
	return 0;
}

/* One reading, and whether anything changed during it. */
static int read_once(const struct maildir *maildir, const struct index *index, bool wait,
		     struct scan *s)
{
	struct timespec moment;
	struct maildir_state after;
	s->reading++;
	known_unmark_all(&s->known);
	int error = change_observe(maildir, wait, &s->state, &moment);
	if (error == 0)
		error = read_folders(maildir, index, &moment, s);
	if (error == 0)
		error = change_look(maildir, &after);
	if (error < 0)
		return error;
	s->quiet = change_is_quiet(&s->state, &moment, &after);
	s->quiet_cur = change_is_quiet_in(FOLDER_CUR, &s->state, &moment, &after);
	return 0;
}

static bool all_known_found(const struct scan *s)
{
	return s->known.list == NULL || s->known.found_count == maildrop_list_count(s->known.list);
}

/*
 * Has the last reading seen all that was there? What comes into new/ or goes from it hides no other
 * name. But what is renamed in cur/ while its names are read may be given under neither name, and
 * so may what goes from cur/ to new/.
 */
static bool has_seen_all(const struct scan *s)
{
	return !s->vanished && (s->quiet || (s->quiet_cur && all_known_found(s)));
}

static struct births births_of_moments(const struct timespec moments[2])
{
	bool ordered = change_is_before(&moments[FOLDER_NEW], &moments[FOLDER_CUR]);
	return (struct births){.sure = moments[ordered ? FOLDER_NEW : FOLDER_CUR],
			       .last = moments[ordered ? FOLDER_CUR : FOLDER_NEW]};
}

static void take_earlier(struct timespec moments[2], const struct timespec others[2])
{
	for (enum folder f = FOLDER_NEW; f <= FOLDER_CUR; f++)
		if (change_is_before(&others[f], &moments[f]))
			moments[f] = others[f];
}

/*
 * All in a folder that has settled at a moment was made before it. If no reading was quiet, what
 * was seen in the first one may have been replaced before the last; and a known message that was
 * not found may have been replaced at any time since the index was made.
 */
static void judge_moments(const struct maildir *maildir, const struct index *index,
			  const struct timespec first[2], struct scan *s)
{
	if (!s->quiet)
		take_earlier(s->moments, first);
	if (!s->quiet && !all_known_found(s))
		take_earlier(s->moments, index->moments);
	s->births = births_of_moments(s->moments);
	if (!s->quiet)
		change_limit(maildir, &s->births.last);
}

struct births scan_births_of_index(const struct index *index)
{
	return births_of_moments(index->moments);
}

int scan_folders(const struct maildir *maildir, const struct index *index, bool without_trace,
		 struct scan *s)
{
	struct timespec first[2] = {0};
	*s = (struct scan){.without_trace = without_trace};
	int error = known_init(&s->known, index->list);
	for (int tries = 0; tries < CHANGE_TRIES && error == 0; tries++) {
		error = read_once(maildir, index, tries > 0, s);
		if (tries == 0)
			memcpy(first, s->moments, sizeof first);
		if (has_seen_all(s))
			break;
	}
	if (error == 0)
		judge_moments(maildir, index, first, s);
	return error;
}

bool scan_has_known(const struct scan *s, size_t index)
{
	return !s->quiet || known_is_marked(&s->known, index);
}

bool scan_has_found(const struct scan *s, const struct found *found)
{
	return !s->quiet || found->reading == s->reading;
}

void scan_fini(struct scan *s)
{
	known_fini(&s->known);
	free(s->fresh.files);
	free(s->moved.files);
	free(s->text);
	*s = (struct scan){.quiet = false};
}
