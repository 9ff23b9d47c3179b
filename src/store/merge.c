/*
 * See merge.h. The known messages come in order already, the new ones are sorted; so is what has
 * been moved, by the index of the known message, to be taken up on the way. The merged sequence is
 * walked through twice, as building a list wants it, and never held.
 *
 * Two files with one base name are not told apart by it, and which of them came first, nobody
 * knows. So none of them has it as unique-id, but each a hash of base name and file: a client may
 * fetch a message twice then, but will not take one for the other.
 */
#include "store/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A message on its way into the list. */
struct item {
	struct maildrop_entry entry;
	struct name_time time;
	bool over; /* there is none: the sequence has ended */
};

struct merge {
	const struct scan *scan;
	struct foreign_ids *foreign;
	size_t known; /* the next of each kind */
	size_t fresh;
	size_t moved;
	struct item next_known;
	struct item next_fresh;
	struct item ahead; /* the next of the merged sequence */
	bool after_twin;   /* the item before it has the base name of `ahead` */
	bool out_of_order; /* of the known list */
};

static int compare_base(const struct name_time *a_time, const char *a, size_t a_length,
			const struct name_time *b_time, const char *b, size_t b_length)
{
	int order = name_time_compare(a_time, b_time);
	return order != 0 ? order : name_compare(a, a_length, b, b_length);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_items(const struct item *a, const struct item *b)
{
	int order = compare_base(&a->time, a->entry.base, a->entry.base_length, &b->time,
				 b->entry.base, b->entry.base_length);
	return order != 0 ? order : compare_numbers(a->entry.identity, b->entry.identity);
}

/* ---- Files found ---- */

static struct item item_of_found(const struct scan *s, const struct found *f)
{
	const char *name = s->text + f->name;
	return (struct item){.entry = {.base = name,
				       .base_length = f->base_length,
				       .info = name + f->base_length,
				       .seen = f->seen,
				       .identity = f->identity,
				       .length = f->length,
				       .octets = f->octets,
				       .plain = f->plain},
			     .time = f->time};
}

static int compare_files(const struct found *a, const struct found *b, const char *text)
{
	int order = compare_base(&a->time, text + a->name, a->base_length, &b->time, text + b->name,
				 b->base_length);
	return order != 0 ? order : compare_numbers(a->identity, b->identity);
}

/* Of several names of one file the last one seen comes last. */
static int compare_fresh(const void *left, const void *right, void *text)
{
	const struct found *a = left;
	const struct found *b = right;
	int order = compare_files(a, b, text);
	return order != 0 ? order : compare_numbers(a->name, b->name);
}

static int compare_moved(const void *left, const void *right)
{
	const struct found *a = left;
	const struct found *b = right;
	int order = compare_numbers(a->known, b->known);
	return order != 0 ? order : compare_numbers(a->name, b->name);
}

static void drop_stale(const struct scan *s, struct found_files *f)
{
	size_t kept = 0;
	for (size_t i = 0; i < f->count; i++)
		if (scan_has_found(s, &f->files[i]))
			f->files[kept++] = f->files[i];
	f->count = kept;
}

/* Of several names of one file (it was renamed while being read, or is linked into new/ and cur/)
 * the last one seen is kept. */
static void drop_duplicates(const struct scan *s, struct found_files *f)
{
	size_t kept = 0;
	for (size_t i = 0; i < f->count; i++) {
		if (kept > 0 && compare_files(&f->files[kept - 1], &f->files[i], s->text) == 0)
			kept--;
		f->files[kept++] = f->files[i];
	}
	f->count = kept;
}

static void sort_found(struct scan *s)
{
	drop_stale(s, &s->fresh);
	drop_stale(s, &s->moved);
	if (s->fresh.count > 1)
		qsort_r(s->fresh.files, s->fresh.count, sizeof *s->fresh.files, compare_fresh,
			s->text);
	if (s->moved.count > 1)
		qsort(s->moved.files, s->moved.count, sizeof *s->moved.files, compare_moved);
	drop_duplicates(s, &s->fresh);
}

/* ---- The sequence ---- */

/* The known message `index` as it is now. */
static struct item item_of_known(struct merge *m, size_t index)
{
	const struct found_files *moved = &m->scan->moved;
	struct item item = {.entry = maildrop_list_entry(m->scan->known.list, index)};
	item.time = name_time(item.entry.base, item.entry.base_length);
	for (; m->moved < moved->count && moved->files[m->moved].known <= index; m->moved++) {
		const struct found *f = &moved->files[m->moved];
		if (f->known != index)
			continue;
		item.entry.info = m->scan->text + f->name + f->base_length;
		item.entry.seen = f->seen;
	}
	return item;
}

static void advance_known(struct merge *m)
{
	const struct item before = m->next_known;
	const struct maildrop_list *list = m->scan->known.list;
	size_t count = list == NULL ? 0 : maildrop_list_count(list);
	while (m->known < count && !scan_has_known(m->scan, m->known))
		m->known++;
	if (m->known == count) {
		m->next_known.over = true;
		return;
	}
	m->next_known = item_of_known(m, m->known++);
	if (before.entry.base != NULL && compare_items(&before, &m->next_known) >= 0)
		m->out_of_order = true;
}

static void advance_fresh(struct merge *m)
{
	const struct found_files *f = &m->scan->fresh;
	if (m->fresh == f->count)
		m->next_fresh.over = true;
	else
		m->next_fresh = item_of_found(m->scan, &f->files[m->fresh++]);
}

static void look_ahead(struct merge *m)
{
	int order = m->next_known.over ? 1 : -1;
	if (!m->next_known.over && !m->next_fresh.over)
		order = compare_items(&m->next_known, &m->next_fresh);
	/* The same file both times: it was measured again. What was found now is true. */
	if (order == 0)
		advance_known(m);
	if (order < 0) {
		m->ahead = m->next_known;
		advance_known(m);
	} else {
		m->ahead = m->next_fresh;
		advance_fresh(m);
	}
}

static void merge_begin(struct merge *m, const struct scan *scan, struct foreign_ids *foreign)
{
	*m = (struct merge){.scan = scan, .foreign = foreign};
	advance_known(m);
	advance_fresh(m);
	look_ahead(m);
}

static bool same_base(const struct item *a, const struct item *b)
{
	return !b->over && a->entry.base_length == b->entry.base_length &&
	       memcmp(a->entry.base, b->entry.base, a->entry.base_length) == 0;
}

/* The next message, with its unique-id in `id`. 1, 0: there is none, or -ENOMEM. */
static int merge_next(struct merge *m, struct maildrop_entry *entry, char id[NAME_ID_SIZE])
{
	struct item item = m->ahead;
	if (item.over)
		return 0;
	look_ahead(m);
	bool before_twin = same_base(&item, &m->ahead);
	bool twin = m->after_twin || before_twin;
	m->after_twin = before_twin;

	*entry = item.entry;
	entry->id = id;
	int error = twin ? foreign_ids_choose_twin(m->foreign, entry->base, entry->base_length,
						   entry->identity, id)
			 : foreign_ids_choose(m->foreign, entry->base, entry->base_length, id);
	return error < 0 ? error : 1;
}

/* ---- The list ---- */

static int plan(const struct scan *scan, struct foreign_ids *foreign, struct list_plan *plan)
{
	struct merge m;
	struct maildrop_entry entry;
	char id[NAME_ID_SIZE];
	int result;
	merge_begin(&m, scan, foreign);
	while ((result = merge_next(&m, &entry, id)) > 0)
		list_plan_add(plan, &entry);
	return result == 0 && m.out_of_order ? -EINVAL : result;
}

static int build(const struct scan *scan, struct foreign_ids *foreign, const struct list_plan *plan,
		 struct maildrop_list *list)
{
	struct merge m;
	struct maildrop_entry entry;
	char id[NAME_ID_SIZE];
	int result;
	merge_begin(&m, scan, foreign);
	while ((result = merge_next(&m, &entry, id)) > 0)
		maildrop_list_append(list, plan, &entry);
	return result;
}

int merge_scan(struct scan *scan, struct foreign_ids *foreign, struct maildrop_list **result)
{
	struct list_plan planned = {0};
	sort_found(scan);
	int error = plan(scan, foreign, &planned);
	if (error < 0)
		return error;
	struct maildrop_list *list = maildrop_list_new(&planned);
	if (list == NULL)
		return -ENOMEM;
	error = build(scan, foreign, &planned, list);
	if (error < 0) {
		maildrop_list_unref(list);
		return error;
	}
	*result = list;
	return 0;
}
