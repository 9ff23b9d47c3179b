/*
 * How a list lies in memory: a head, seven arrays of `count` members, the places, the text. Three
 *of the arrays make up the identities, of 56 bits each (store/folder.h).
 *
 * A code is the number of a message's place, and marks. The usual message has its base name as
 * unique-id, and its text is just that, ended by a NUL. Any other has the mark LIST_LONG, no
 * number, and its text is
 *
 *	unique-id NUL  growth (8 octets)  'n' or 'c'  info NUL  base name NUL
 *
 * A place is 'n' or 'c' (new/, cur/) and an info, ended by a NUL: few differ in a maildrop, so a
 * message only has a number of one.
 */
#ifndef POP3_STORE_MAILDROP_LIST_PRIVATE_H
#define POP3_STORE_MAILDROP_LIST_PRIVATE_H

#include <stdatomic.h>

#include "store/maildrop_list.h"

struct frozen_block {
	uint64_t size;  /* of all */
	uint64_t count; /* of messages */
	uint64_t total; /* of all sizes */
	uint32_t place_count;
	uint32_t place_text; /* octets */
	uint32_t text;       /* octets */
	uint32_t reserved;   /* 0: the arrays begin aligned */
	uint64_t sizes[];    /* [count] */
};

struct maildrop_list {
	atomic_uint references;
	struct frozen_block *block;
	size_t built; /* messages appended; all of them once it is frozen */
};

/* Marks in a code: the text is of the long kind; the message is plain. */
#define LIST_LONG  0x80
#define LIST_PLAIN 0x40
/* What is left of a code for the number of a place. */
#define LIST_PLACES 64
#define LIST_PLACE  (LIST_PLACES - 1)
/* The arrays' members of one message. */
#define LIST_ENTRY_OCTETS (8 + 4 + 4 + 2 + 2 + 1 + 1)
/* The longest growth that is not written into the text. */
#define LIST_GROWTH_MAX UINT16_MAX

struct list_arrays {
	uint32_t *offsets;           /* of the texts */
	uint32_t *low_identities;    /* 32 bits */
	uint16_t *middle_identities; /* 16 bits */
	uint16_t *growths;           /* how much longer the message is as sent than its file */
	uint8_t *high_identities;    /* 8 bits */
	uint8_t *codes;
	char *places;
	char *text;
};

/* Where all is in a block whose head is right. */
struct list_arrays list_arrays(const struct frozen_block *);

static inline uint64_t list_identity(const struct list_arrays *a, size_t index)
{
	return (uint64_t)a->high_identities[index] << 48 |
	       (uint64_t)a->middle_identities[index] << 32 | a->low_identities[index];
}

/* The size of a block; at most 2^32 messages, 2^32 octets of each kind of text. */
uint64_t list_size(uint64_t count, uint64_t place_text, uint64_t text);

#endif
