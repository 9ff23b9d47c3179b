/*
 * Taking over a block from outside. Every octet of it may be a lie, so each entry is walked through
 * once, in order, with its text where the one before ended: then nothing overlaps, nothing points
 * outside, and every name has an end.
 */
#include <stdlib.h>
#include <string.h>

#include "store/maildrop_list_private.h"
#include "store/name.h"

/* What is left to be read of a text. */
struct rest {
	const char *next;
	size_t length;
};

static bool take_octets(struct rest *rest, size_t length)
{
	if (rest->length < length)
		return false;
	rest->next += length;
	rest->length -= length;
	return true;
}

/* A string that ends within the rest; NULL if it does not. */
static const char *take_string(struct rest *rest, size_t *length)
{
	const char *text = rest->next;
	const char *end = rest->length == 0 ? NULL : memchr(text, '\0', rest->length);
	if (end == NULL)
		return NULL;
	*length = (size_t)(end - text);
	take_octets(rest, *length + 1);
	return text;
}

/* 'n' or 'c' and an info. */
static bool take_place(struct rest *rest, size_t *info_length)
{
	if (rest->length == 0 || (*rest->next != 'n' && *rest->next != 'c'))
		return false;
	take_octets(rest, 1);
	const char *info = take_string(rest, info_length);
	return info != NULL && memchr(info, '/', *info_length) == NULL;
}

/* Could it have been found in a folder? `info_length` octets follow it there. */
static bool is_base(const char *base, size_t length, size_t info_length)
{
	return *base != '.' && length + info_length > 0 &&
	       length + info_length <= NAME_OCTETS_MAX && memchr(base, '/', length) == NULL;
}

/* The lengths of the infos of all places. False: they are not as the head says. */
static bool check_places(const struct frozen_block *block, size_t lengths[LIST_PLACES])
{
	struct rest rest = {list_arrays(block).places, block->place_text};
	if (block->place_count > LIST_PLACES)
		return false;
	for (uint32_t i = 0; i < block->place_count; i++)
		if (!take_place(&rest, &lengths[i]))
			return false;
	return rest.length == 0;
}

struct check {
	const struct frozen_block *block;
	struct list_arrays arrays;
	size_t places[LIST_PLACES];
	struct rest text;
	uint64_t total;
};

static bool check_long(struct check *c, uint64_t *growth)
{
	size_t info_length, length;
	const char *octets = c->text.next;
	if (!take_octets(&c->text, sizeof *growth) || !take_place(&c->text, &info_length))
		return false;
	memcpy(growth, octets, sizeof *growth);
	const char *base = take_string(&c->text, &length);
	return base != NULL && is_base(base, length, info_length);
}

/* The file's length may be what it says, and line ends repaired cannot make more of it. */
static bool is_possible(uint64_t octets, uint64_t growth)
{
	return growth <= octets && growth <= (octets - growth) + 2;
}

static bool check_entry(struct check *c, size_t index)
{
	const struct list_arrays *a = &c->arrays;
	uint64_t octets = c->block->sizes[index];
	uint64_t growth = a->growths[index];
	size_t length;
	if (a->offsets[index] != (size_t)(c->text.next - a->text))
		return false;
	const char *id = take_string(&c->text, &length);
	if (id == NULL || !name_is_unique_id(id, length))
		return false;
	uint8_t kind = a->codes[index] & (uint8_t)~LIST_PLAIN;
	if (kind == LIST_LONG) {
		if (!check_long(c, &growth))
			return false;
	} else if (kind >= c->block->place_count || !is_base(id, length, c->places[kind])) {
		return false;
	}
	return is_possible(octets, growth) && !__builtin_add_overflow(c->total, octets, &c->total);
}

static bool is_sound(const struct frozen_block *block, size_t size)
{
	if (size < sizeof *block || block->size != size || block->count > UINT32_MAX ||
	    list_size(block->count, block->place_text, block->text) != size)
		return false;
	struct check c = {.block = block, .arrays = list_arrays(block)};
	c.text = (struct rest){c.arrays.text, block->text};
	if (!check_places(block, c.places))
		return false;
	for (size_t i = 0; i < block->count; i++)
		if (!check_entry(&c, i))
			return false;
	return c.text.length == 0 && c.total == block->total;
}

struct maildrop_list *maildrop_list_adopt(void *block, size_t size)
{
	struct maildrop_list *list = is_sound(block, size) ? malloc(sizeof *list) : NULL;
	if (list == NULL)
		return NULL;
	atomic_init(&list->references, 1);
	list->block = block;
	list->built = (size_t)list->block->count;
	return list;
}
