/* See maildrop_list.h: building a list. */
#include <stdlib.h>
#include <string.h>

#include "base/region.h"
#include "store/maildrop_list_private.h"

static uint32_t find_place(const struct list_plan *plan, const struct maildrop_entry *entry)
{
	uint32_t i = 0;
	while (i < plan->place_count && (plan->places[i].seen != entry->seen ||
					 strcmp(plan->places[i].info, entry->info) != 0))
		i++;
	return i;
}

static bool is_base(const struct maildrop_entry *entry)
{
	return strlen(entry->id) == entry->base_length &&
	       memcmp(entry->id, entry->base, entry->base_length) == 0;
}

/* LIST_LONG, or the number of the entry's place, for the plan as it is. */
static uint8_t kind_of(const struct list_plan *plan, const struct maildrop_entry *entry)
{
	if (!is_base(entry) || entry->octets - entry->length > LIST_GROWTH_MAX)
		return LIST_LONG;
	uint32_t place = find_place(plan, entry);
	return place == plan->place_count ? LIST_LONG : (uint8_t)place;
}

/* A 'n' or 'c', and the info with its end. */
static size_t place_size(const char *info)
{
	return 1 + strlen(info) + 1;
}

static void add_place(struct list_plan *plan, const struct maildrop_entry *entry)
{
	if (plan->place_count == LIST_PLACES || find_place(plan, entry) < plan->place_count)
		return;
	plan->places[plan->place_count++] =
		(struct list_place){.info = entry->info, .seen = entry->seen};
	plan->place_text += (uint32_t)place_size(entry->info);
}

void list_plan_add(struct list_plan *plan, const struct maildrop_entry *entry)
{
	add_place(plan, entry);
	plan->count++;
	plan->text += strlen(entry->id) + 1;
	if (kind_of(plan, entry) == LIST_LONG)
		plan->text += sizeof(uint64_t) + place_size(entry->info) + entry->base_length + 1;
}

static char *put(char *to, const void *octets, size_t length)
{
	return (char *)memcpy(to, octets, length) + length;
}

static char *put_place(char *to, bool seen, const char *info)
{
	*to = seen ? 'c' : 'n';
	return put(to + 1, info, strlen(info) + 1);
}

static void write_places(const struct frozen_block *block, const struct list_plan *plan)
{
	char *next = list_arrays(block).places;
	for (uint32_t i = 0; i < plan->place_count; i++)
		next = put_place(next, plan->places[i].seen, plan->places[i].info);
}

struct maildrop_list *maildrop_list_new(const struct list_plan *plan)
{
	if (plan->count > UINT32_MAX || plan->text > UINT32_MAX)
		return NULL;
	uint64_t size = list_size(plan->count, plan->place_text, plan->text);
	struct maildrop_list *list = malloc(sizeof *list);
	struct frozen_block *block = region_new(size);
	if (list == NULL || block == NULL) {
		free(list);
		region_free(block, size);
		return NULL;
	}
	/* The count is the final one, since it says where the arrays are. */
	*block = (struct frozen_block){.size = size,
				       .count = plan->count,
				       .place_count = plan->place_count,
				       .place_text = plan->place_text};
	write_places(block, plan);
	atomic_init(&list->references, 1);
	list->block = block;
	list->built = 0;
	return list;
}

void maildrop_list_append(struct maildrop_list *list, const struct list_plan *plan,
			  const struct maildrop_entry *entry)
{
	struct frozen_block *block = list->block;
	const struct list_arrays a = list_arrays(block);
	size_t index = list->built++;
	uint64_t growth = entry->octets - entry->length;
	uint8_t kind = kind_of(plan, entry);
	block->sizes[index] = entry->octets;
	block->total += entry->octets;
	a.low_identities[index] = (uint32_t)entry->identity;
	a.middle_identities[index] = (uint16_t)(entry->identity >> 32);
	a.high_identities[index] = (uint8_t)(entry->identity >> 48);
	a.offsets[index] = block->text;
	a.growths[index] = growth > LIST_GROWTH_MAX ? 0 : (uint16_t)growth;
	a.codes[index] = (uint8_t)(kind | (entry->plain ? LIST_PLAIN : 0));

	char *begin = a.text + block->text;
	char *end = put(begin, entry->id, strlen(entry->id) + 1);
	if (kind == LIST_LONG) {
		end = put(end, &growth, sizeof growth);
		end = put_place(end, entry->seen, entry->info);
		end = put(end, entry->base, entry->base_length);
		*end++ = '\0';
	}
	block->text += (uint32_t)(end - begin);
}
