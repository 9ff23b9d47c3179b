/*
 * SASL exchanges under way, by session: what is kept between two `sasl` events. A session has one
 * at most, and one event at a time, so an exchange is taken for a step and put back after it. One
 * that is not put back is its taker's to free. All functions may be called from any thread.
 */
#ifndef POP3_BACKEND_EXCHANGES_H
#define POP3_BACKEND_EXCHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/scram_server.h"
#include "pop3_emitter.h"

/* At most so many are kept: more than there are connections by default. */
#define EXCHANGES_MAX 16384

struct exchanges;

struct sasl_exchange {
	uint64_t session;
	struct scram_server *scram; /* NULL: of another mechanism */
	bool proven;                /* only the client's last, empty response is awaited */
	bool refused;               /* a token; only the response before its "no" is awaited */
	struct pop3_link place;     /* private */
};

/* NULL: out of memory. */
struct exchanges *exchanges_new(void);
/* Frees those that are in it. NULL is fine. */
void exchanges_free(struct exchanges *);

/* The exchange of a session, which leaves the table; NULL: there is none. */
struct sasl_exchange *exchanges_take(struct exchanges *, uint64_t session);
/* False: the table is full; it is still the caller's. */
bool exchanges_put(struct exchanges *, struct sasl_exchange *);
/* How many are in the table: none when no session is in an exchange. */
size_t exchanges_count(struct exchanges *);
/* NULL is fine. */
void exchange_free(struct sasl_exchange *);

#endif
