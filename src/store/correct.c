/* See correct.h. The frozen list never changes; the index gets a copy of it with other sizes. */
#include "store/correct.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store/index.h"
#include "store/maildrop_private.h"
#include "store/octets.h"
#include "store/report.h"
#include "store/seek.h"

/* Sizes as they are, of the messages that m->wrong tells, in its order. */
struct measured {
	uint64_t length;
	uint64_t octets;
	bool known;
};

static int measure(const struct maildrop *m, size_t index, struct measured *measured)
{
	struct maildrop_entry entry = maildrop_list_entry(m->list, index);
	struct octets octets;
	struct stat status;
	int descriptor;
	int error = seek_open(&m->maildir, &entry, true, &descriptor, &status);
	if (error < 0)
		return error;
	error = octets_count(descriptor, (uint64_t)status.st_size, &octets);
	close(descriptor);
	if (error == 0)
		*measured = (struct measured){octets.length, octets_total(&octets), true};
	return error;
}

static struct maildrop_entry corrected(const struct maildrop *m, const struct measured *measured,
				       size_t index)
{
	struct maildrop_entry entry = maildrop_list_entry(m->list, index);
	for (size_t i = 0; i < m->wrong_count; i++) {
		if (m->wrong[i] != index || !measured[i].known)
			continue;
		entry.length = measured[i].length;
		entry.octets = measured[i].octets;
	}
	return entry;
}

static struct maildrop_list *copy_list(const struct maildrop *m, const struct measured *measured)
{
	struct list_plan plan = {0};
	size_t count = maildrop_list_count(m->list);
	for (size_t i = 0; i < count; i++) {
		struct maildrop_entry entry = corrected(m, measured, i);
		list_plan_add(&plan, &entry);
	}
	struct maildrop_list *list = maildrop_list_new(&plan);
	for (size_t i = 0; i < count && list != NULL; i++) {
		struct maildrop_entry entry = corrected(m, measured, i);
		maildrop_list_append(list, &plan, &entry);
	}
	return list;
}

static bool same_list(const struct maildrop_list *a, const struct maildrop_list *b)
{
	size_t a_size, b_size;
	const void *a_block = maildrop_list_block(a, &a_size);
	const void *b_block = maildrop_list_block(b, &b_size);
	return a_size == b_size && memcmp(a_block, b_block, a_size) == 0;
}

/* Only the list is another one: what the index knew of the folders holds for the copy, too. */
static int rewrite(const struct maildrop *m, const struct index_place *place,
		   const struct measured *measured)
{
	struct index index;
	const char *why;
	if (index_read(place, &index, &why) < 0)
		return 0;
	int error = 0;
	if (same_list(index.list, m->list)) {
		maildrop_list_unref(index.list);
		index.list = copy_list(m, measured);
		error = index.list == NULL ? -ENOMEM : index_write(place, &index);
	}
	maildrop_list_unref(index.list);
	return error;
}

void correct_index(const struct maildrop *m)
{
	struct measured measured[WRONG_MAX] = {0};
	struct index_place place;
	int error = 0;
	for (size_t i = 0; i < m->wrong_count; i++) {
		int failed = measure(m, m->wrong[i], &measured[i]);
		/* Deleted in this session, or by somebody else. */
		if (failed < 0 && failed != -ENOENT)
			error = failed;
	}
	if (error == 0)
		error = index_place_open(&m->maildir, m->index_directory, m->path, &place);
	if (error == 0) {
		error = rewrite(m, &place, measured);
		index_place_close(&place);
	}
	if (error < 0)
		report(m->sink, POP3_LOG_WARNING,
		       &(struct report){.session = m->session,
					.file = INDEX_FILE,
					.text = "wrong sizes stay in the index",
					.error = error,
					.count = m->wrong_count});
}
