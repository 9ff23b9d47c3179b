/*
 * The SASL mechanisms that may be offered, as a set: what an administrator wants. Which of them can
 * succeed on a connection is for those to say who do them.
 */
#ifndef POP3_BACKEND_MECHANISMS_H
#define POP3_BACKEND_MECHANISMS_H

#include <stdbool.h>
#include <stdint.h>

#include "pop3_emitter.h"

/* All names, with blanks between. */
extern const char mechanisms_names[];

/* Add one to a set, by its name in any case. False: there is none of that name. */
bool mechanisms_add(uint32_t *set, const char *name);
/*
 * Take from the list, whoever has added it, what is not in the set; names that are not known here
 * are in none. AUTH takes what is left.
 */
void mechanisms_keep(struct pop3_capabilities *, uint32_t set);

#endif
