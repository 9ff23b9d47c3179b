/* See moments.h: sets of SET_SIZE places, chosen by the hash. */
#include "auth/moments.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/hash.h"

/* Two cache lines. */
#define SET_SIZE 8

struct place {
	uint64_t hash;
	uint64_t moment; /* 0: free */
};

struct moments {
	struct hash_key key;
	size_t set_mask;
	struct place *places;
};

struct moments *moments_new(size_t entries)
{
	struct moments *m = calloc(1, sizeof *m);
	if (m == NULL)
		return NULL;
	size_t sets = 1;
	while (sets * SET_SIZE < entries)
		sets *= 2;
	m->set_mask = sets - 1;
	m->places = calloc(sets * SET_SIZE, sizeof *m->places);
	if (m->places == NULL || getrandom(&m->key, sizeof m->key, 0) != sizeof m->key) {
		moments_free(m);
		return NULL;
	}
	return m;
}

void moments_free(struct moments *m)
{
	if (m == NULL)
		return;
	free(m->places);
	free(m);
}

static struct place *set_of(const struct moments *m, uint64_t hash)
{
	return m->places + ((hash >> 32) & m->set_mask) * SET_SIZE;
}

/* The key's place, or NULL. */
static struct place *find(struct place *set, uint64_t hash)
{
	for (size_t i = 0; i < SET_SIZE; i++)
		if (set[i].moment != 0 && set[i].hash == hash)
			return &set[i];
	return NULL;
}

static struct place *earliest(struct place *set)
{
	struct place *first = set;
	for (size_t i = 1; i < SET_SIZE; i++)
		if (set[i].moment < first->moment)
			first = &set[i];
	return first;
}

uint64_t moments_get(const struct moments *m, const void *key, size_t length)
{
	uint64_t hash = hash_keyed(&m->key, key, length);
	const struct place *place = find(set_of(m, hash), hash);
	return place == NULL ? 0 : place->moment;
}

void moments_set(struct moments *m, const void *key, size_t length, uint64_t moment)
{
	uint64_t hash = hash_keyed(&m->key, key, length);
	struct place *set = set_of(m, hash);
	struct place *place = find(set, hash);
	if (place == NULL && moment != 0)
		place = earliest(set);
	if (place != NULL)
		*place = (struct place){hash, moment};
}
