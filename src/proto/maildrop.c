/*
 * A mark may come before the list is known (DELE asks for one message only), so what the marked
 * messages weigh is added up when the list arrives.
 */
#include "proto/maildrop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

void list_block_release(struct list_block *b)
{
	struct list_block old = *b;
	*b = (struct list_block){0};
	if (old.release != NULL)
		old.release(old.state);
}

void view_fini(struct maildrop_view *v)
{
	list_block_release(&v->sizes);
	list_block_release(&v->ids);
	free(v->marks);
	*v = (struct maildrop_view){0};
}

static bool add_up(const struct list_block *b, uint64_t *sum)
{
	uint64_t octets = 0;
	for (size_t i = 0; i < b->count; i++) {
		if (__builtin_add_overflow(octets, b->sizes[i], &octets))
			return false;
	}
	*sum = octets;
	return true;
}

/* Is a message marked that such a list would not have? Its size was asked for alone then. */
static bool lacks_a_mark(const struct maildrop_view *v, size_t count)
{
	for (size_t msgno = count + 1; v->marked > 0 && msgno <= 8 * v->marks_capacity; msgno++) {
		if (view_is_marked(v, (uint32_t)msgno))
			return true;
	}
	return false;
}

static bool count_fits(const struct maildrop_view *v, const struct list_block *b)
{
	if (b->count > UINT32_MAX || lacks_a_mark(v, b->count))
		return false;
	return !(v->has_sizes || v->has_ids) || b->count == view_count(v);
}

int view_adopt_sizes(struct maildrop_view *v, struct list_block *b)
{
	if (!count_fits(v, b) || !add_up(b, &v->octets)) {
		list_block_release(b);
		return -EINVAL;
	}
	v->sizes = *b;
	v->has_sizes = true;
	*b = (struct list_block){0};
	v->marked_octets = 0;
	for (uint32_t i = 0; i < v->sizes.count && v->marked > 0; i++) {
		if (view_is_marked(v, i + 1))
			v->marked_octets += v->sizes.sizes[i];
	}
	return 0;
}

bool view_id_is_legal(const char *id)
{
	size_t length = 0;
	for (; id[length] != '\0'; length++) {
		if (length == UNIQUE_ID_MAX || id[length] < 0x21 || id[length] > 0x7e)
			return false;
	}
	return length > 0;
}

int view_adopt_ids(struct maildrop_view *v, struct list_block *b)
{
	bool legal = count_fits(v, b);
	for (size_t i = 0; legal && i < b->count; i++)
		legal = view_id_is_legal(b->text + b->offsets[i]);
	if (!legal) {
		list_block_release(b);
		return -EINVAL;
	}
	v->ids = *b;
	v->has_ids = true;
	*b = (struct list_block){0};
	return 0;
}

size_t view_count(const struct maildrop_view *v)
{
	return v->has_sizes ? v->sizes.count : v->ids.count;
}

bool view_lacks(const struct maildrop_view *v, uint64_t msgno)
{
	return msgno == 0 || ((v->has_sizes || v->has_ids) && msgno > view_count(v));
}

bool view_size(const struct maildrop_view *v, uint32_t msgno, uint64_t *size)
{
	if (v->has_sizes) {
		*size = v->sizes.sizes[msgno - 1];
		return true;
	}
	if (v->known != msgno)
		return false;
	*size = v->known_size;
	return true;
}

void view_learn(struct maildrop_view *v, uint32_t msgno, uint64_t size)
{
	v->known = msgno;
	v->known_size = size;
}

bool view_is_marked(const struct maildrop_view *v, uint32_t msgno)
{
	size_t bit = msgno - 1;
	return bit / 8 < v->marks_capacity && (v->marks[bit / 8] & (1u << bit % 8)) != 0;
}

/* Room for the mark of `msgno`: for all messages where their number is known, else by doubling. */
static int make_room(struct maildrop_view *v, uint32_t msgno)
{
	size_t needed = ((size_t)msgno - 1) / 8 + 1;
	if (needed <= v->marks_capacity)
		return 0;
	size_t capacity = (view_count(v) + 7) / 8;
	if (capacity < needed)
		capacity = needed + v->marks_capacity;
	unsigned char *marks = realloc(v->marks, capacity);
	if (marks == NULL)
		return -ENOMEM;
	memset(marks + v->marks_capacity, 0, capacity - v->marks_capacity);
	v->marks = marks;
	v->marks_capacity = capacity;
	return 0;
}

int view_mark(struct maildrop_view *v, uint32_t msgno)
{
	if (make_room(v, msgno) < 0)
		return -ENOMEM;
	size_t bit = msgno - 1;
	v->marks[bit / 8] |= (unsigned char)(1u << bit % 8);
	v->marked++;
	if (v->has_sizes)
		v->marked_octets += v->sizes.sizes[bit];
	return 0;
}

void view_unmark_all(struct maildrop_view *v)
{
	if (v->marks != NULL)
		memset(v->marks, 0, v->marks_capacity);
	v->marked = 0;
	v->marked_octets = 0;
}

void view_marked_messages(const struct maildrop_view *v, uint32_t *messages)
{
	size_t found = 0;
	for (uint32_t msgno = 1; found < v->marked; msgno++) {
		if (view_is_marked(v, msgno))
			messages[found++] = msgno;
	}
}
