/*
 * The frozen list of a maildrop: what the messages were at login, in order. It is one block of
 * memory without a pointer in it, so that it can be written to a file, read back, or handed to
 * another process; it never changes and is shared by reference counts. Message n (1-based) has
 * index n - 1. A message costs 23 octets and its unique-id, whose end is among the 23.
 */
#ifndef POP3_STORE_MAILDROP_LIST_H
#define POP3_STORE_MAILDROP_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct maildrop_list;

/* May be called from any thread, as may unref. Returns its argument. */
struct maildrop_list *maildrop_list_ref(struct maildrop_list *);
/* The last one frees. NULL is fine. */
void maildrop_list_unref(struct maildrop_list *);

/* Valid as long as a reference is held, like all below. */
size_t maildrop_list_count(const struct maildrop_list *);
/* The sum of all sizes. */
uint64_t maildrop_list_octets(const struct maildrop_list *);
/* `count` sizes as sent, in octets: for pop3_answer_list_block(). */
const uint64_t *maildrop_list_sizes(const struct maildrop_list *);
/* For pop3_answer_uidl_block(): unique-id i begins at text + offsets[i] and ends with a NUL. */
const char *maildrop_list_text(const struct maildrop_list *);
const uint32_t *maildrop_list_offsets(const struct maildrop_list *);

/* ---- For the store alone ---- */

/* One message, to build a list of and as a list gives it back. */
struct maildrop_entry {
	const char *id;     /* the unique-id; ends with a NUL */
	const char *base;   /* not ended by a NUL: `base_length` octets */
	size_t base_length; /* 0 to 255 */
	const char *info;   /* what follows the base name in the file's name; ends with a NUL */
	bool seen;          /* the file was in cur/, else in new/ */
	uint64_t identity;  /* of the file, see folder_identity() */
	uint64_t length;    /* of the file, in octets */
	uint64_t octets;    /* as sent: at least `length` */
	/* It was looked at and is no internationalized message (store/header.h). Where this is not
	 * said it has to be looked at before it goes to a client that did not say UTF8. */
	bool plain;
};

/* The longest file name of a message, with its NUL. */
#define MAILDROP_NAME_SIZE 256

/* The entry of a message, index < count; it points into the list. */
struct maildrop_entry maildrop_list_entry(const struct maildrop_list *, size_t index);
/* Is there another message with the same base name? They lie side by side. */
bool maildrop_list_has_twin(const struct maildrop_list *, size_t index);
/* The file's name as it was seen, base and info. */
void maildrop_entry_name(const struct maildrop_entry *, char name[MAILDROP_NAME_SIZE]);

/*
 * Building takes two passes over the entries, which must be the same both times: the first adds
 * them to a plan, zeroed at the beginning, the second appends them to the list made by it.
 */
struct list_plan {
	uint64_t count;
	uint64_t text; /* octets */
	uint32_t place_count;
	uint32_t place_text; /* octets */
	struct list_place {
		const char *info; /* must live until the list is built */
		bool seen;
	} places[64];
};

void list_plan_add(struct list_plan *, const struct maildrop_entry *);
/* An empty list with room for what was planned. NULL: no memory, or more than a list can hold. */
struct maildrop_list *maildrop_list_new(const struct list_plan *);
void maildrop_list_append(struct maildrop_list *, const struct list_plan *,
			  const struct maildrop_entry *);

/* The whole of it as octets, to be written somewhere. */
const void *maildrop_list_block(const struct maildrop_list *, size_t *size);
/*
 * The opposite: a list around a block from region_new(), which becomes the list's. The block may
 * hold anything: all that reading it relies on is checked, and that names are names, unique-ids
 * legal and sizes possible. NULL: it is no list, or no memory; then the block stays the caller's.
 */
struct maildrop_list *maildrop_list_adopt(void *block, size_t size);

#endif
