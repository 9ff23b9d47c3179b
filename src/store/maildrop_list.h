/*
 * The frozen list of a maildrop: what the messages were at login, in order. One allocation without
 * a pointer in it, shared by reference counts; it never changes. Message n (1-based) has index n
 * - 1. It costs 24 octets a message, its file name and three octets more.
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
	const char *base;   /* not ended by a NUL: `base_length` octets */
	size_t base_length; /* 0 to 255 */
	const char *info;   /* what follows the base name in the file's name; ends with a NUL */
	bool seen;          /* the file was in cur/, else in new/ */
	uint64_t identity;  /* of the file, see folder_identity() */
	uint64_t length;    /* of the file, in octets; UINT64_MAX = not known any more */
	uint64_t octets;    /* as sent */
};

/* The longest file name of a message, with its NUL. */
#define MAILDROP_NAME_SIZE 256

/*
 * A list with room for `count` messages, their unique-ids and names taking `text` octets as
 * maildrop_list_text_size() says; they are appended in order. NULL: no memory, or too much text.
 */
struct maildrop_list *maildrop_list_new(size_t count, uint64_t text);
uint64_t maildrop_list_text_size(const struct maildrop_entry *, const char *id);
/* `id` is the unique-id; where it is the base name itself it is kept only once. */
void maildrop_list_append(struct maildrop_list *, const struct maildrop_entry *, const char *id);

/* The entry of a message, index < count; it points into the list. */
struct maildrop_entry maildrop_list_entry(const struct maildrop_list *, size_t index);
/* Is there another message with the same base name? They lie side by side. */
bool maildrop_list_has_twin(const struct maildrop_list *, size_t index);
/* The file's name as it was seen, base and info. */
void maildrop_entry_name(const struct maildrop_entry *, char name[MAILDROP_NAME_SIZE]);

#endif
