/* See known.h: a hash table of indices without chains, at most half full. */
#include "store/known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 16
/* 2^64 divided by the golden ratio: neighbouring inodes get slots that are far apart. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)
/* Who forges an index may make all identities alike. What is not within so many slots is unknown.
 */
#define PROBES_MAX 256

static uint32_t first_slot(const struct known *k, uint64_t identity)
{
	return (uint32_t)(identity * SPREAD >> 32) & k->slot_mask;
}

static void enter(struct known *k, size_t index)
{
	uint32_t slot = first_slot(k, list_identity(&k->arrays, index));
	for (int probes = 0; probes < PROBES_MAX; probes++) {
		if (k->slots[slot] == 0) {
			k->slots[slot] = (uint32_t)index + 1;
			return;
		}
		slot = (slot + 1) & k->slot_mask;
	}
}

int known_init(struct known *k, const struct maildrop_list *list)
{
	*k = (struct known){.list = list};
	size_t count = list == NULL ? 0 : maildrop_list_count(list);
	if (count == 0)
		return 0;
	k->arrays = list_arrays(list->block);
	size_t slots = SLOTS_MIN;
	while (slots < 2 * count)
		slots *= 2;
	if (slots - 1 > UINT32_MAX)
		return -ENOMEM;
	k->slot_mask = (uint32_t)(slots - 1);
	k->slots = calloc(slots, sizeof *k->slots);
	k->found = calloc((count + 7) / 8, 1);
	if (k->slots == NULL || k->found == NULL) {
		known_fini(k);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		enter(k, i);
	return 0;
}

void known_fini(struct known *k)
{
	free(k->slots);
	free(k->found);
	*k = (struct known){.list = NULL};
}

bool known_find(const struct known *k, const struct folder_entry *found, size_t base_length,
		size_t *index, struct maildrop_entry *entry)
{
	if (k->slots == NULL)
		return false;
	uint32_t slot = first_slot(k, found->identity);
	for (int probes = 0; probes < PROBES_MAX && k->slots[slot] != 0; probes++) {
		size_t candidate = k->slots[slot] - 1;
		slot = (slot + 1) & k->slot_mask;
		if (list_identity(&k->arrays, candidate) != found->identity)
			continue;
		*entry = maildrop_list_entry(k->list, candidate);
		if (entry->base_length == base_length &&
		    memcmp(entry->base, found->name, base_length) == 0) {
			*index = candidate;
			return true;
		}
	}
	return false;
}

void known_mark(struct known *k, size_t index)
{
	if (known_is_marked(k, index))
		return;
	k->found[index / 8] |= (unsigned char)(1U << index % 8);
	k->found_count++;
}

bool known_is_marked(const struct known *k, size_t index)
{
	return (k->found[index / 8] >> index % 8 & 1) != 0;
}

void known_unmark_all(struct known *k)
{
	if (k->found != NULL)
		memset(k->found, 0, (maildrop_list_count(k->list) + 7) / 8);
	k->found_count = 0;
}
