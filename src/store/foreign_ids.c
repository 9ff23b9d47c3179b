/*
 * See foreign_ids.h. What a list says, findable by name and by unique-id: two tables of positions
 * over one array of entries, sized once by the number of lines. Names stay in the list's text,
 * unique-ids are gathered in one block. The file is read in foreign_load.c.
 */
#include "store/foreign_ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/uidlist.h"

/* How many entries ahead the places in the tables are asked for. */
#define FETCH_AHEAD 16

/* One listed message. */
struct entry {
	uint32_t name; /* its place in the text */
	uint32_t id;   /* its place among the unique-ids */
	uint8_t name_length;
	uint8_t id_length; /* 0: not used */
	bool hidden;       /* not found by name: a later one has it, or no file can */
};

/* What entries are found by. */
enum key { BY_NAME, BY_ID, KEYS };

struct foreign_ids {
	char *text;
	char *ids;
	uint32_t ids_length;
	struct entry *entries;
	uint32_t count;
	/*
	 * Open addressing; never more than half full, so there always is an empty slot: 0. Others
	 * hold an entry's position plus 1 in their low bits, and above those a part of the hash, so
	 * that most others are passed by without a look at them.
	 */
	uint32_t *tables[KEYS];
	size_t slot_mask;
	uint32_t position_mask;
	struct hash_key key;
	uint64_t (*hashes)[KEYS]; /* of each entry; gone once all are in the tables */
	uint32_t next;            /* the entry that is likely to be asked for next */
	uint64_t version;
	size_t spoilt;
};

static uint32_t tag_of(const struct foreign_ids *ids, uint64_t hash)
{
	return (uint32_t)(hash >> 32) & ~ids->position_mask;
}

static struct entry *entry_of(const struct foreign_ids *ids, uint32_t slot)
{
	return slot == 0 ? NULL : &ids->entries[(slot & ids->position_mask) - 1];
}

static bool has_key(const struct foreign_ids *ids, const struct entry *entry, enum key by,
		    const char *key, size_t length)
{
	const char *text = by == BY_NAME ? ids->text + entry->name : ids->ids + entry->id;
	size_t size = by == BY_NAME ? entry->name_length : entry->id_length;
	return size == length && memcmp(text, key, length) == 0;
}

/* The slot of the entry that has this key, or the empty one where it belongs. */
static uint32_t *find_slot(const struct foreign_ids *ids, enum key by, const char *key,
			   size_t length, uint64_t hash)
{
	for (size_t at = hash & ids->slot_mask;; at = (at + 1) & ids->slot_mask) {
		uint32_t *slot = &ids->tables[by][at];
		if (*slot == 0 || ((*slot & ~ids->position_mask) == tag_of(ids, hash) &&
				   has_key(ids, entry_of(ids, *slot), by, key, length)))
			return slot;
	}
}

/* The entry that has this key, or NULL. */
static struct entry *find(const struct foreign_ids *ids, enum key by, const char *key,
			  size_t length)
{
	uint64_t hash = hash_keyed(&ids->key, key, length);
	return entry_of(ids, *find_slot(ids, by, key, length, hash));
}

/* ---- Building ---- */

/* Gather one message. Names that no file can have are hidden, but their unique-ids are taken. */
static int gather(void *state, const struct uidlist_entry *listed)
{
	struct foreign_ids *ids = state;
	size_t base = name_base_length(listed->name, listed->name_length);
	bool findable = base <= NAME_OCTETS_MAX;
	ids->entries[ids->count] = (struct entry){.name = (uint32_t)(listed->name - ids->text),
						  .id = ids->ids_length,
						  .name_length = (uint8_t)(findable ? base : 0),
						  .id_length = (uint8_t)listed->id_length,
						  .hidden = !findable};
	memcpy(ids->ids + ids->ids_length, listed->id, listed->id_length);
	ids->ids_length += (uint32_t)listed->id_length;

	uint64_t *hashes = ids->hashes[ids->count++];
	hashes[BY_NAME] = hash_keyed(&ids->key, listed->name, base);
	hashes[BY_ID] = hash_keyed(&ids->key, listed->id, listed->id_length);
	return 0;
}

static bool same_name(const struct foreign_ids *ids, const struct entry *a, const struct entry *b)
{
	return a->name_length == b->name_length &&
	       memcmp(ids->text + a->name, ids->text + b->name, a->name_length) == 0;
}

/*
 * The first that is listed with a unique-id has it for good: if it went to the next one when the
 * first is gone, a client that knows it would never fetch that other message.
 */
static void index_id(struct foreign_ids *ids, uint32_t index)
{
	struct entry *entry = &ids->entries[index];
	uint64_t hash = ids->hashes[index][BY_ID];
	if (entry->id_length > 0) {
		const char *id = ids->ids + entry->id;
		uint32_t *slot = find_slot(ids, BY_ID, id, entry->id_length, hash);
		const struct entry *owner = entry_of(ids, *slot);
		if (owner == NULL)
			*slot = tag_of(ids, hash) | (index + 1);
		else if (!same_name(ids, owner, entry))
			entry->id_length = 0;
	}
	ids->spoilt += entry->id_length == 0;
}

/* Listed twice, a name counts as it is listed last, as with the servers that write the lists. */
static void index_name(struct foreign_ids *ids, uint32_t index)
{
	const struct entry *entry = &ids->entries[index];
	uint64_t hash = ids->hashes[index][BY_NAME];
	if (entry->hidden)
		return;
	const char *name = ids->text + entry->name;
	uint32_t *slot = find_slot(ids, BY_NAME, name, entry->name_length, hash);
	struct entry *before = entry_of(ids, *slot);
	if (before != NULL)
		before->hidden = true;
	*slot = tag_of(ids, hash) | (index + 1);
}

/*
 * Each slot is somewhere else in memory, and waiting for it would be most of the work: those of
 * some entries ahead are fetched meanwhile.
 */
static void index_all(struct foreign_ids *ids)
{
	for (uint32_t i = 0; i < ids->count; i++) {
		uint32_t ahead = i + FETCH_AHEAD < ids->count ? i + FETCH_AHEAD : i;
		for (int by = 0; by < KEYS; by++)
			__builtin_prefetch(
				&ids->tables[by][ids->hashes[ahead][by] & ids->slot_mask], 1);
		index_id(ids, i);
		index_name(ids, i);
	}
}

static size_t count_lines(const char *text, size_t length)
{
	size_t count = 0;
	const char *end = text + length;
	for (const char *at = text; at < end; count++) {
		const char *found = memchr(at, '\n', (size_t)(end - at));
		at = found == NULL ? end : found + 1;
	}
	return count;
}

static int make_room(struct foreign_ids *ids, size_t lines)
{
	size_t slots = 4;
	while (slots < 2 * lines)
		slots *= 2;
	ids->slot_mask = slots - 1;
	ids->position_mask = (uint32_t)(slots - 1); /* of the lines and 1 more */
	ids->entries = calloc(lines + 1, sizeof *ids->entries);
	ids->ids = malloc((lines + 1) * NAME_ID_MAX);
	ids->hashes = malloc((lines + 1) * sizeof *ids->hashes);
	for (int i = 0; i < KEYS; i++)
		ids->tables[i] = calloc(slots, sizeof *ids->tables[i]);
	bool whole = ids->entries != NULL && ids->ids != NULL && ids->hashes != NULL &&
		     ids->tables[BY_NAME] != NULL && ids->tables[BY_ID] != NULL;
	return whole ? 0 : -ENOMEM;
}

int foreign_ids_parse(char *text, size_t length, const struct uidl_rule *rule,
		      const struct hash_key *key, struct uidlist_report *report,
		      struct foreign_ids **result)
{
	*report = (struct uidlist_report){0};
	struct foreign_ids *ids = calloc(1, sizeof *ids);
	if (ids == NULL)
		return -ENOMEM;
	ids->text = text;
	ids->key = *key;
	int error = make_room(ids, count_lines(text, length));
	if (error == 0 && rule->format == UIDL_DOVECOT)
		error = uidlist_dovecot_parse(text, length, uidl_rule_pattern(rule), gather, ids,
					      report);
	else if (error == 0)
		error = uidlist_courier_parse(text, length, gather, ids, report);
	if (error < 0) {
		ids->text = NULL;
		foreign_ids_free(ids);
		return error;
	}
	ids->version = report->version;
	index_all(ids);
	free(ids->hashes);
	ids->hashes = NULL;
	*result = ids;
	return 0;
}

void foreign_ids_free(struct foreign_ids *ids)
{
	if (ids == NULL)
		return;
	for (int i = 0; i < KEYS; i++)
		free(ids->tables[i]);
	free(ids->hashes);
	free(ids->entries);
	free(ids->ids);
	free(ids->text);
	free(ids);
}

/* ---- Asking ---- */

/*
 * The message's entry, if its unique-id is used. Lists and those who ask are in about the same
 * order, so the next entry is tried first: that one is in the processor's cache.
 */
static const struct entry *find_message(struct foreign_ids *ids, const char *base, size_t length)
{
	if (ids == NULL)
		return NULL;
	const struct entry *entry = &ids->entries[ids->next];
	if (ids->next == ids->count || entry->hidden || !has_key(ids, entry, BY_NAME, base, length))
		entry = find(ids, BY_NAME, base, length);
	if (entry == NULL)
		return NULL;
	ids->next = (uint32_t)(entry - ids->entries) + 1;
	return entry->id_length == 0 ? NULL : entry;
}

/* Ours, but none of the list's. It ends: each round needs another entry that has that unique-id. */
static int avoid_listed(const struct foreign_ids *ids, char id[NAME_ID_SIZE])
{
	int error = 0;
	while (error == 0 && ids != NULL && find(ids, BY_ID, id, strlen(id)) != NULL)
		error = name_unique_id_next(id);
	return error;
}

int foreign_ids_choose(struct foreign_ids *ids, const char *base, size_t length,
		       char id[NAME_ID_SIZE])
{
	const struct entry *entry = find_message(ids, base, length);
	if (entry != NULL) {
		memcpy(id, ids->ids + entry->id, entry->id_length);
		id[entry->id_length] = '\0';
		return 0;
	}
	int error = name_unique_id(base, length, id);
	return error < 0 ? error : avoid_listed(ids, id);
}

int foreign_ids_choose_twin(const struct foreign_ids *ids, const char *base, size_t length,
			    uint64_t identity, char id[NAME_ID_SIZE])
{
	int error = name_unique_id_of_twin(base, length, identity, id);
	return error < 0 ? error : avoid_listed(ids, id);
}

bool foreign_ids_knows(struct foreign_ids *ids, const char *base, size_t length)
{
	return find_message(ids, base, length) != NULL;
}

struct foreign_summary foreign_ids_summary(const struct foreign_ids *ids)
{
	return (struct foreign_summary){
		.version = ids->version, .messages = ids->count, .spoilt = ids->spoilt};
}
