/*
 * The table of grants: a hash table by session id whose entries also stand in a list by age, so
 * that the oldest is at hand. One mutex guards it; nothing is freed under it but grants.
 */
#include "backend/grants.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

/* A power of two; grants are few, since each is taken at once. */
#define GRANTS_SLOTS 256

struct entry {
	struct store_grant grant; /* first: what grants_take() gives out */
	struct entry *next;       /* in its slot */
	struct pop3_link place;   /* by age */
	uint64_t made;            /* when it was put */
	char texts[];
};

struct grants {
	pthread_mutex_t mutex;
	struct pop3_link ages; /* oldest first */
	size_t count, maximum;
	struct entry *slots[GRANTS_SLOTS];
};

struct grants *grants_new(size_t maximum)
{
	struct grants *grants = calloc(1, sizeof *grants);
	if (grants == NULL)
		return NULL;
	pthread_mutex_init(&grants->mutex, NULL);
	list_init(&grants->ages);
	grants->maximum = maximum == 0 ? 1 : maximum;
	return grants;
}

/* Session ids are counted up, so their low bits spread well. */
static struct entry **find(struct grants *grants, uint64_t session)
{
	struct entry **place = &grants->slots[session % GRANTS_SLOTS];
	while (*place != NULL && (*place)->grant.session != session)
		place = &(*place)->next;
	return place;
}

/* Take it out of slot and list; NULL if there is none. */
static struct entry *remove_entry(struct grants *grants, uint64_t session)
{
	struct entry **place = find(grants, session);
	struct entry *entry = *place;
	if (entry == NULL)
		return NULL;
	*place = entry->next;
	list_remove(&entry->place);
	grants->count--;
	return entry;
}

static void drop_oldest(struct grants *grants)
{
	struct entry *oldest = list_entry(grants->ages.next, struct entry, place);
	free(remove_entry(grants, oldest->grant.session));
}

static void drop_old(struct grants *grants, uint64_t now)
{
	while (!list_empty(&grants->ages)) {
		struct entry *oldest = list_entry(grants->ages.next, struct entry, place);
		if (now < oldest->made || now - oldest->made < GRANTS_AGE)
			return;
		drop_oldest(grants);
	}
}

void grants_free(struct grants *grants)
{
	if (grants == NULL)
		return;
	while (!list_empty(&grants->ages))
		drop_oldest(grants);
	pthread_mutex_destroy(&grants->mutex);
	free(grants);
}

/* Copy a text to *room, which moves behind it. NULL stays NULL. */
static const char *keep(char **room, const char *text)
{
	if (text == NULL)
		return NULL;
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*room, text, size);
	*room += size;
	return copy;
}

static size_t text_size(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static struct entry *entry_new(const struct store_grant *grant, uint64_t now)
{
	size_t size = text_size(grant->user) + text_size(grant->maildrop) + text_size(grant->home);
	struct entry *entry = calloc(1, sizeof *entry + size);
	if (entry == NULL)
		return NULL;
	char *room = entry->texts;
	entry->grant.session = grant->session;
	entry->grant.user = keep(&room, grant->user);
	entry->grant.maildrop = keep(&room, grant->maildrop);
	entry->grant.home = keep(&room, grant->home);
	entry->made = now;
	return entry;
}

int grants_put(struct grants *grants, const struct store_grant *grant, uint64_t now)
{
	struct entry *entry = entry_new(grant, now);
	if (entry == NULL)
		return -ENOMEM;
	pthread_mutex_lock(&grants->mutex);
	drop_old(grants, now);
	free(remove_entry(grants, grant->session));
	if (grants->count == grants->maximum)
		drop_oldest(grants);
	entry->next = NULL;
	*find(grants, grant->session) = entry;
	list_insert(&grants->ages, &entry->place);
	grants->count++;
	pthread_mutex_unlock(&grants->mutex);
	return 0;
}

struct store_grant *grants_take(struct grants *grants, uint64_t session, uint64_t now)
{
	pthread_mutex_lock(&grants->mutex);
	drop_old(grants, now);
	struct entry *entry = remove_entry(grants, session);
	pthread_mutex_unlock(&grants->mutex);
	return entry == NULL ? NULL : &entry->grant;
}

void grants_release(struct store_grant *grant)
{
	free(grant); /* the entry begins with it */
}

size_t grants_count(struct grants *grants)
{
	pthread_mutex_lock(&grants->mutex);
	size_t count = grants->count;
	pthread_mutex_unlock(&grants->mutex);
	return count;
}
