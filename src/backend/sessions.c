/*
 * The table of sessions: chains in slots whose number doubles as the table fills, so that a find
 * costs the same with ten sessions and with ten thousand. One mutex guards the table and the flags
 * of its entries.
 */
#include "backend/sessions.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* A power of two. */
#define SLOTS_MIN 64

struct sessions {
	pthread_mutex_t mutex;
	size_t count, slot_count;
	struct session_entry **slots;
};

struct sessions *sessions_new(void)
{
	struct sessions *sessions = calloc(1, sizeof *sessions);
	if (sessions == NULL)
		return NULL;
	pthread_mutex_init(&sessions->mutex, NULL);
	sessions->slot_count = SLOTS_MIN;
	sessions->slots = calloc(SLOTS_MIN, sizeof *sessions->slots);
	if (sessions->slots == NULL) {
		sessions_free(sessions);
		return NULL;
	}
	return sessions;
}

void sessions_free(struct sessions *sessions)
{
	if (sessions == NULL)
		return;
	pthread_mutex_destroy(&sessions->mutex);
	free(sessions->slots);
	free(sessions);
}

/* Ids are counted up, so their low bits spread well. */
static struct session_entry **place_of(struct session_entry **slots, size_t count, uint64_t id)
{
	struct session_entry **place = &slots[id & (count - 1)];
	while (*place != NULL && (*place)->id != id)
		place = &(*place)->next;
	return place;
}

static struct session_entry **find(struct sessions *sessions, uint64_t id)
{
	return place_of(sessions->slots, sessions->slot_count, id);
}

/* Twice the slots; without memory the chains just grow longer. */
static void grow(struct sessions *sessions)
{
	size_t count = sessions->slot_count * 2;
	struct session_entry **slots = calloc(count, sizeof *slots);
	if (slots == NULL)
		return;
	for (size_t i = 0; i < sessions->slot_count; i++) {
		struct session_entry *entry = sessions->slots[i];
		while (entry != NULL) {
			struct session_entry *next = entry->next;
			entry->next = NULL;
			*place_of(slots, count, entry->id) = entry;
			entry = next;
		}
	}
	free(sessions->slots);
	sessions->slots = slots;
	sessions->slot_count = count;
}

int sessions_add(struct sessions *sessions, struct session_entry *entry)
{
	int result = 0;
	pthread_mutex_lock(&sessions->mutex);
	if (sessions->count >= sessions->slot_count)
		grow(sessions);
	struct session_entry **place = find(sessions, entry->id);
	if (*place != NULL) {
		result = -EEXIST;
	} else {
		entry->next = NULL;
		entry->kept = true;
		entry->busy = true;
		*place = entry;
		sessions->count++;
	}
	pthread_mutex_unlock(&sessions->mutex);
	return result;
}

struct session_entry *sessions_find(struct sessions *sessions, uint64_t id)
{
	pthread_mutex_lock(&sessions->mutex);
	struct session_entry *entry = *find(sessions, id);
	pthread_mutex_unlock(&sessions->mutex);
	return entry;
}

bool sessions_begin(struct sessions *sessions, struct session_entry *entry)
{
	pthread_mutex_lock(&sessions->mutex);
	bool begun = !entry->busy;
	entry->busy = true;
	pthread_mutex_unlock(&sessions->mutex);
	return begun;
}

bool sessions_end(struct sessions *sessions, struct session_entry *entry)
{
	pthread_mutex_lock(&sessions->mutex);
	entry->busy = false;
	bool last = !entry->kept;
	pthread_mutex_unlock(&sessions->mutex);
	return last;
}

struct session_entry *sessions_remove(struct sessions *sessions, uint64_t id)
{
	pthread_mutex_lock(&sessions->mutex);
	struct session_entry **place = find(sessions, id);
	struct session_entry *entry = *place;
	if (entry != NULL) {
		*place = entry->next;
		entry->kept = false;
		sessions->count--;
		if (entry->busy)
			entry = NULL;
	}
	pthread_mutex_unlock(&sessions->mutex);
	return entry;
}

struct session_entry *sessions_any(struct sessions *sessions)
{
	struct session_entry *entry = NULL;
	pthread_mutex_lock(&sessions->mutex);
	for (size_t i = 0; i < sessions->slot_count && entry == NULL; i++)
		entry = sessions->slots[i];
	pthread_mutex_unlock(&sessions->mutex);
	return entry;
}

size_t sessions_count(struct sessions *sessions)
{
	pthread_mutex_lock(&sessions->mutex);
	size_t count = sessions->count;
	pthread_mutex_unlock(&sessions->mutex);
	return count;
}
