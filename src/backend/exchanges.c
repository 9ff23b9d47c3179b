/* See exchanges.h: a hash table of lists, under one mutex. */
#include "backend/exchanges.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/list.h"

/* Session ids are counted up, so their low bits spread well. */
#define SLOTS 256

struct exchanges {
	pthread_mutex_t mutex;
	size_t count;
	struct pop3_link slots[SLOTS];
};

struct exchanges *exchanges_new(void)
{
	struct exchanges *exchanges = calloc(1, sizeof *exchanges);
	if (exchanges == NULL)
		return NULL;
	pthread_mutex_init(&exchanges->mutex, NULL);
	for (size_t i = 0; i < SLOTS; i++)
		list_init(&exchanges->slots[i]);
	return exchanges;
}

void exchange_free(struct sasl_exchange *x)
{
	if (x == NULL)
		return;
	scram_server_free(x->scram);
	free(x);
}

void exchanges_free(struct exchanges *exchanges)
{
	if (exchanges == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++) {
		struct pop3_link *slot = &exchanges->slots[i];
		while (!list_empty(slot)) {
			struct pop3_link *first = slot->next;
			list_remove(first);
			exchange_free(list_entry(first, struct sasl_exchange, place));
		}
	}
	pthread_mutex_destroy(&exchanges->mutex);
	free(exchanges);
}

struct sasl_exchange *exchanges_take(struct exchanges *exchanges, uint64_t session)
{
	struct sasl_exchange *found = NULL;
	struct pop3_link *slot = &exchanges->slots[session % SLOTS];
	pthread_mutex_lock(&exchanges->mutex);
	for (struct pop3_link *n = slot->next; n != slot && found == NULL; n = n->next) {
		struct sasl_exchange *x = list_entry(n, struct sasl_exchange, place);
		if (x->session == session)
			found = x;
	}
	if (found != NULL) {
		list_remove(&found->place);
		exchanges->count--;
	}
	pthread_mutex_unlock(&exchanges->mutex);
	return found;
}

bool exchanges_put(struct exchanges *exchanges, struct sasl_exchange *x)
{
	pthread_mutex_lock(&exchanges->mutex);
	bool fits = exchanges->count < EXCHANGES_MAX;
	if (fits) {
		list_insert(&exchanges->slots[x->session % SLOTS], &x->place);
		exchanges->count++;
	}
	pthread_mutex_unlock(&exchanges->mutex);
	return fits;
}

size_t exchanges_count(struct exchanges *exchanges)
{
	pthread_mutex_lock(&exchanges->mutex);
	size_t count = exchanges->count;
	pthread_mutex_unlock(&exchanges->mutex);
	return count;
}
