/*
 * The messages of an earlier login, to be found again by what a directory says of them: a name and
 * an identity. One that is found need not be looked at.
 */
#ifndef POP3_STORE_KNOWN_H
#define POP3_STORE_KNOWN_H

#include "store/folder.h"
#include "store/maildrop_list_private.h"

struct known {
	const struct maildrop_list *list; /* NULL: nothing is known */
	struct list_arrays arrays;        /* of the list */
	uint32_t *slots;                  /* index + 1, by identity; 0 = free */
	uint32_t slot_mask;
	unsigned char *found; /* one bit a message */
	size_t found_count;
};

/* The list is borrowed; NULL is an empty one. 0 or -ENOMEM. */
int known_init(struct known *, const struct maildrop_list *);
void known_fini(struct known *);

/*
 * Is this a name of a known message? True: *index is which, *entry what was known of it, whose info
 * and folder may be others now.
 */
bool known_find(const struct known *, const struct folder_entry *found, size_t base_length,
		size_t *index, struct maildrop_entry *entry);
/* It has been found. */
void known_mark(struct known *, size_t index);
bool known_is_marked(const struct known *, size_t index);
/* Nothing has been found yet. */
void known_unmark_all(struct known *);

#endif
