/* A chained hash table that doubles when full and never shrinks: it holds live connections only. */
#include "base/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TALLY_FIRST 64

struct tally_entry {
	struct tally_entry *next;
	uint64_t hash;
	uint32_t count;
	char name[];
};

/* FNV-1a. Names are addresses and authenticated users, so nobody can choose colliding ones at will.
 */
static uint64_t hash_of(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	return hash ^ (hash >> 32);
}

static struct tally_entry **find(const struct tally *t, const char *name, uint64_t hash)
{
	struct tally_entry **place = &t->slots[hash & (t->slot_count - 1)];
	while (*place != NULL && ((*place)->hash != hash || strcmp((*place)->name, name) != 0))
		place = &(*place)->next;
	return place;
}

static int grow(struct tally *t)
{
	size_t count = t->slot_count == 0 ? TALLY_FIRST : t->slot_count * 2;
	struct tally_entry **slots = calloc(count, sizeof(struct tally_entry *));
	if (slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->slot_count; i++) {
		while (t->slots[i] != NULL) {
			struct tally_entry *entry = t->slots[i];
			t->slots[i] = entry->next;
			entry->next = slots[entry->hash & (count - 1)];
			slots[entry->hash & (count - 1)] = entry;
		}
	}
	free(t->slots);
	t->slots = slots;
	t->slot_count = count;
	return 0;
}

void tally_fini(struct tally *t)
{
	for (size_t i = 0; i < t->slot_count; i++) {
		while (t->slots[i] != NULL) {
			struct tally_entry *entry = t->slots[i];
			t->slots[i] = entry->next;
			free(entry);
		}
	}
	free(t->slots);
	*t = (struct tally){0};
}

uint32_t tally_count(const struct tally *t, const char *name)
{
	if (t->slot_count == 0)
		return 0;
	struct tally_entry *entry = *find(t, name, hash_of(name));
	return entry == NULL ? 0 : entry->count;
}

int tally_add(struct tally *t, const char *name)
{
	if (t->used == t->slot_count && grow(t) < 0)
		return -ENOMEM;
	uint64_t hash = hash_of(name);
	struct tally_entry **place = find(t, name, hash);
	if (*place != NULL) {
		(*place)->count++;
		return 0;
	}
	size_t size = strlen(name) + 1;
	struct tally_entry *entry = malloc(sizeof *entry + size);
	if (entry == NULL)
		return -ENOMEM;
	entry->next = NULL;
	entry->hash = hash;
	entry->count = 1;
	memcpy(entry->name, name, size);
	*place = entry;
	t->used++;
	return 0;
}

void tally_remove(struct tally *t, const char *name)
{
	if (t->slot_count == 0)
		return;
	struct tally_entry **place = find(t, name, hash_of(name));
	struct tally_entry *entry = *place;
	if (entry == NULL || --entry->count > 0)
		return;
	*place = entry->next;
	t->used--;
	free(entry);
}
