/* Counts by name: how many connections an address has, how many sessions a user. */
#ifndef POP3_BASE_TALLY_H
#define POP3_BASE_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally_entry;

/* A zeroed one is empty. */
struct tally {
	struct tally_entry **slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t used;
};

void tally_fini(struct tally *);
/* How often `name` is counted now. */
uint32_t tally_count(const struct tally *, const char *name);
/* Count once more. 0 or -ENOMEM (then nothing changed). */
int tally_add(struct tally *, const char *name);
/* Count once less; a name that is not counted is left alone. */
void tally_remove(struct tally *, const char *name);

#endif
