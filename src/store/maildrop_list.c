/* See maildrop_list.h: sharing a list and looking into it. */
#include <stdlib.h>
#include <string.h>

#include "base/region.h"
#include "store/maildrop_list_private.h"

struct maildrop_list *maildrop_list_ref(struct maildrop_list *list)
{
	atomic_fetch_add_explicit(&list->references, 1, memory_order_relaxed);
	return list;
}

void maildrop_list_unref(struct maildrop_list *list)
{
	if (list == NULL)
		return;
	if (atomic_fetch_sub_explicit(&list->references, 1, memory_order_acq_rel) > 1)
		return;
	region_free(list->block, list->block->size);
	free(list);
}

uint64_t list_size(uint64_t count, uint64_t place_text, uint64_t text)
{
	return sizeof(struct frozen_block) + count * LIST_ENTRY_OCTETS + place_text + text;
}

struct list_arrays list_arrays(const struct frozen_block *block)
{
	/* The arrays come by falling size of their members, so each is aligned. */
	char *octets = (char *)(uintptr_t)block;
	size_t count = (size_t)block->count;
	struct list_arrays a;
	size_t at = sizeof *block + count * sizeof *block->sizes;
	a.offsets = (uint32_t *)(void *)(octets + at);
	at += count * sizeof *a.offsets;
	a.low_identities = (uint32_t *)(void *)(octets + at);
	at += count * sizeof *a.low_identities;
	a.middle_identities = (uint16_t *)(void *)(octets + at);
	at += count * sizeof *a.middle_identities;
	a.growths = (uint16_t *)(void *)(octets + at);
	at += count * sizeof *a.growths;
	a.high_identities = (uint8_t *)(octets + at);
	at += count;
	a.codes = (uint8_t *)(octets + at);
	at += count;
	a.places = octets + at;
	a.text = a.places + block->place_text;
	return a;
}

size_t maildrop_list_count(const struct maildrop_list *list)
{
	return (size_t)list->block->count;
}

uint64_t maildrop_list_octets(const struct maildrop_list *list)
{
	return list->block->total;
}

const uint64_t *maildrop_list_sizes(const struct maildrop_list *list)
{
	return list->block->sizes;
}

const char *maildrop_list_text(const struct maildrop_list *list)
{
	return list_arrays(list->block).text;
}

const uint32_t *maildrop_list_offsets(const struct maildrop_list *list)
{
	return list_arrays(list->block).offsets;
}

const void *maildrop_list_block(const struct maildrop_list *list, size_t *size)
{
	*size = (size_t)list->block->size;
	return list->block;
}

/* ---- Entries ---- */

static const char *behind(const char *text)
{
	return text + strlen(text) + 1;
}

static void take_place(struct maildrop_entry *entry, const char *place)
{
	entry->seen = *place == 'c';
	entry->info = place + 1;
}

struct maildrop_entry maildrop_list_entry(const struct maildrop_list *list, size_t index)
{
	const struct list_arrays a = list_arrays(list->block);
	struct maildrop_entry entry = {.id = a.text + a.offsets[index],
				       .identity = list_identity(&a, index),
				       .plain = (a.codes[index] & LIST_PLAIN) != 0,
				       .octets = list->block->sizes[index]};
	uint64_t growth = a.growths[index];
	if ((a.codes[index] & LIST_LONG) != 0) {
		const char *next = behind(entry.id);
		memcpy(&growth, next, sizeof growth);
		take_place(&entry, next + sizeof growth);
		entry.base = behind(entry.info);
	} else {
		const char *place = a.places;
		for (unsigned i = a.codes[index] & LIST_PLACE; i > 0; i--)
			place = behind(place);
		take_place(&entry, place);
		entry.base = entry.id;
	}
	entry.base_length = strlen(entry.base);
	entry.length = entry.octets - growth;
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
	       (index + 1 < maildrop_list_count(list) && same_base(list, index, index + 1));
}

void maildrop_entry_name(const struct maildrop_entry *entry, char name[MAILDROP_NAME_SIZE])
{
	memcpy(name, entry->base, entry->base_length);
	memcpy(name + entry->base_length, entry->info, strlen(entry->info) + 1);
}
