/* See renew.h. The frozen list never changes; the index gets a copy of what is left of it. */
#include "store/renew.h"

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
	bool plain;
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
		*measured = (struct measured){octets.length, octets_total(&octets),
					      !header_is_international(&octets.header), true};
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
		entry.plain = measured[i].plain;
	}
	return entry;
}

/* Which messages go into the copy, while it is walked through. */
struct rest {
	const struct maildrop *maildrop;
	const struct measured *measured;
	const uint32_t *gone;
	size_t gone_count;
	size_t index; /* the next */
};

/* The next message that is left; false: there is none. */
static bool next_left(struct rest *r, struct maildrop_entry *entry)
{
	while (r->index < maildrop_list_count(r->maildrop->list)) {
		size_t index = r->index++;
		if (r->gone_count > 0 && *r->gone == index + 1) {
			r->gone++;
			r->gone_count--;
			continue;
		}
		*entry = corrected(r->maildrop, r->measured, index);
		return true;
	}
	return false;
}

static struct maildrop_list *copy_list(const struct rest *all)
{
	struct list_plan plan = {0};
	struct maildrop_entry entry;
	struct rest rest = *all;
	while (next_left(&rest, &entry))
		list_plan_add(&plan, &entry);
	struct maildrop_list *list = maildrop_list_new(&plan);
	rest = *all;
	while (list != NULL && next_left(&rest, &entry))
		maildrop_list_append(list, &plan, &entry);
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
static int rewrite(const struct rest *rest, const struct index_place *place)
{
	struct index index;
	const char *why;
	if (index_read(place, &index, &why) < 0)
		return 0;
	int error = 0;
	if (same_list(index.list, rest->maildrop->list)) {
		maildrop_list_unref(index.list);
		index.list = copy_list(rest);
		error = index.list == NULL ? -ENOMEM : index_write(place, &index);
	}
	maildrop_list_unref(index.list);
	return error;
}

/* Measure what proved wrong. One that cannot be found was deleted, by us or by somebody else. */
static int measure_all(const struct maildrop *m, struct measured measured[WRONG_MAX])
{
	int error = 0;
	for (size_t i = 0; i < m->wrong_count; i++) {
		int failed = measure(m, m->wrong[i], &measured[i]);
		if (failed < 0 && failed != -ENOENT)
			error = failed;
	}
	return error;
}

void renew_index(const struct maildrop *m, const uint32_t *gone, size_t count)
{
	struct measured measured[WRONG_MAX] = {0};
	struct index_place place;
	const struct rest rest = {
		.maildrop = m, .measured = measured, .gone = gone, .gone_count = count};
	int error = measure_all(m, measured);
	int result = index_place_open(&m->maildir, m->index_directory, m->path, &place);
	if (result == 0) {
		result = rewrite(&rest, &place);
		index_place_close(&place);
	}
	error = error == 0 ? result : error;
	if (error < 0)
		report(m->sink, POP3_LOG_WARNING,
		       &(struct report){.session = m->session,
					.file = INDEX_FILE,
					.text = "the index cannot be renewed",
					.error = error});
}
