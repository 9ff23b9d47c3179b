/*
 * See maildrop_list.h. Behind the head lie four arrays and the text; a message's text is
 *
 *	unique-id NUL place [base name NUL] info NUL
 *
 * where place is 'n' (new/) or 'c' (cur/), as a capital if the base name follows because it is not
 * the unique-id.
 */
#include "store/maildrop_list.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What a message has in the arrays: two times 8 octets, two times 4. */
#define ENTRY_OCTETS 24

struct maildrop_list {
	atomic_uint references;
	uint32_t text_length;
	uint64_t count;
	uint64_t capacity; /* equals `count` once it is built */
	uint64_t total;
	uint64_t sizes[]; /* [capacity], then the identities, the offsets, the growths, the text */
};

static uint64_t *identities(const struct maildrop_list *list)
{
	return (uint64_t *)(uintptr_t)(list->sizes + list->capacity);
}

static uint32_t *offsets(const struct maildrop_list *list)
{
	return (uint32_t *)(identities(list) + list->capacity);
}

/* How much longer each message is as sent than its file; UINT32_MAX = too much to say. */
static uint32_t *growths(const struct maildrop_list *list)
{
	return offsets(list) + list->capacity;
}

static char *texts(const struct maildrop_list *list)
{
	return (char *)(growths(list) + list->capacity);
}

struct maildrop_list *maildrop_list_new(size_t count, uint64_t text)
{
	if (count > UINT32_MAX / ENTRY_OCTETS || text > UINT32_MAX)
		return NULL;
	struct maildrop_list *list =
		malloc(sizeof *list + count * ENTRY_OCTETS + (size_t)text + (count == 0));
	if (list == NULL)
		return NULL;
	memset(list, 0, sizeof *list);
	atomic_init(&list->references, 1);
	list->capacity = count;
	return list;
}

struct maildrop_list *maildrop_list_ref(struct maildrop_list *list)
{
	atomic_fetch_add_explicit(&list->references, 1, memory_order_relaxed);
	return list;
}

void maildrop_list_unref(struct maildrop_list *list)
{
	if (list == NULL)
		return;
	if (atomic_fetch_sub_explicit(&list->references, 1, memory_order_acq_rel) == 1)
		free(list);
}

static bool is_base(const struct maildrop_entry *entry, const char *id)
{
	return strlen(id) == entry->base_length && memcmp(id, entry->base, entry->base_length) == 0;
}

uint64_t maildrop_list_text_size(const struct maildrop_entry *entry, const char *id)
{
	uint64_t size = strlen(id) + 1 + 1 + strlen(entry->info) + 1;
	return is_base(entry, id) ? size : size + entry->base_length + 1;
}

static void append_text(struct maildrop_list *list, const char *text, size_t length)
{
	memcpy(texts(list) + list->text_length, text, length);
	list->text_length += (uint32_t)length;
}

void maildrop_list_append(struct maildrop_list *list, const struct maildrop_entry *entry,
			  const char *id)
{
	size_t index = list->count++;
	uint64_t growth = entry->octets - entry->length;
	list->sizes[index] = entry->octets;
	list->total += entry->octets;
	identities(list)[index] = entry->identity;
	offsets(list)[index] = list->text_length;
	growths(list)[index] = growth < UINT32_MAX ? (uint32_t)growth : UINT32_MAX;

	bool shared = is_base(entry, id);
	const char *place = shared ? "nc" : "NC";
	append_text(list, id, strlen(id) + 1);
	append_text(list, place + entry->seen, 1);
	if (!shared) {
		append_text(list, entry->base, entry->base_length);
		append_text(list, "", 1);
	}
	append_text(list, entry->info, strlen(entry->info) + 1);
}

size_t maildrop_list_count(const struct maildrop_list *list)
{
	return list->count;
}

uint64_t maildrop_list_octets(const struct maildrop_list *list)
{
	return list->total;
}

const uint64_t *maildrop_list_sizes(const struct maildrop_list *list)
{
	return list->sizes;
}

const char *maildrop_list_text(const struct maildrop_list *list)
{
	return texts(list);
}

const uint32_t *maildrop_list_offsets(const struct maildrop_list *list)
{
	return offsets(list);
}

struct maildrop_entry maildrop_list_entry(const struct maildrop_list *list, size_t index)
{
	struct maildrop_entry entry = {0};
	uint32_t growth = growths(list)[index];
	entry.octets = list->sizes[index];
	entry.length = growth == UINT32_MAX ? UINT64_MAX : entry.octets - growth;
	entry.identity = identities(list)[index];

	entry.base = texts(list) + offsets(list)[index];
	entry.base_length = strlen(entry.base);
	const char *place = entry.base + entry.base_length + 1;
	entry.seen = *place == 'c' || *place == 'C';
	if (*place == 'N' || *place == 'C') {
		entry.base = place + 1;
		entry.base_length = strlen(entry.base);
		place = entry.base + entry.base_length;
	}
	entry.info = place + 1;
	return entry;
}

static bool same_base(const struct maildrop_list *list, size_t a, size_t b)
{
	struct maildrop_entry left = maildrop_list_entry(list, a);
	struct maildrop_entry right = maildrop_list_entry(list, b);
	return left.base_length == right.base_length &&
	       memcmp(left.base, right.base, left.base_length) == 0;
}

bool maildrop_list_has_twin(const struct maildrop_list *list, size_t index)
{
	return (index > 0 && same_base(list, index - 1, index)) ||
	       (index + 1 < list->count && same_base(list, index, index + 1));
}

void maildrop_entry_name(const struct maildrop_entry *entry, char name[MAILDROP_NAME_SIZE])
{
	memcpy(name, entry->base, entry->base_length);
	memcpy(name + entry->base_length, entry->info, strlen(entry->info) + 1);
}
