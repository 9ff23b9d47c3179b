/*
 * The SASL mechanisms that may be offered, and in which order: what an administrator wants. Which
 * of them can succeed on a connection is for those to say who do them.
 */
#ifndef POP3_BACKEND_MECHANISMS_H
#define POP3_BACKEND_MECHANISMS_H

#include <stdbool.h>
#include <stddef.h>

#include "pop3_emitter.h"

/* How many there are. */
#define MECHANISMS_MAX 10

/* Some of them, each once, in order. A plain value, of static names. */
struct mechanisms {
	size_t count;
	const char *names[MECHANISMS_MAX];
};

/* Write all names, with blanks between, for a message; cut to `size` octets with the NUL. */
void mechanisms_names(char *text, size_t size);

/* Put one behind those that are there, by its name in any case; once more it does nothing. False:
 * there is none of that name. */
bool mechanisms_add(struct mechanisms *, const char *name);
/*
 * Of what is in the list, whoever has added it, leave those that are named, in that order. AUTH
 * takes what is left.
 */
void mechanisms_keep(struct pop3_capabilities *, const struct mechanisms *);

#endif
