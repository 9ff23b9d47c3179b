/* The frozen list as a block, and the file of an index: whatever is in it, nothing wrong is read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/region.h"
#include "store/index_private.h"
#include "store/maildrop_list_private.h"
#include "store/name.h"
#include "unit/suite.h"

static const struct maildrop_entry messages[] = {
	{"1.M1.x", "1.M1.x", 6, "", false, 101, 4, 5, true},
	{"2.M1.x", "2.M1.x", 6, ":2,S", true, 102, 0, 0, false},
	{"x-other", "3.M1.x y", 8, ":2,FS", true, 103, 70, 80, true},
	{"4.M1.x", "4.M1.x", 6, "", false, (UINT64_C(1) << 56) - 1, 1000000, 1070000, false},
};
#define MESSAGES (sizeof messages / sizeof *messages)

static struct maildrop_list *make_list(const struct maildrop_entry *entries, size_t count)
{
	struct list_plan plan = {0};
	for (size_t i = 0; i < count; i++)
		list_plan_add(&plan, &entries[i]);
	struct maildrop_list *list = maildrop_list_new(&plan);
	CU_ASSERT_PTR_NOT_NULL_FATAL(list);
	for (size_t i = 0; i < count; i++)
		maildrop_list_append(list, &plan, &entries[i]);
	return list;
}

static void expect_messages(const struct maildrop_list *list)
{
	CU_ASSERT_EQUAL_FATAL(maildrop_list_count(list), MESSAGES);
	CU_ASSERT_EQUAL(maildrop_list_octets(list), 1070085);
	for (size_t i = 0; i < MESSAGES; i++) {
		struct maildrop_entry e = maildrop_list_entry(list, i);
		CU_ASSERT_STRING_EQUAL(e.id, messages[i].id);
		CU_ASSERT_EQUAL_FATAL(e.base_length, messages[i].base_length);
		CU_ASSERT_EQUAL(memcmp(e.base, messages[i].base, e.base_length), 0);
		CU_ASSERT_STRING_EQUAL(e.info, messages[i].info);
		CU_ASSERT_EQUAL(e.seen, messages[i].seen);
		CU_ASSERT_EQUAL(e.identity, messages[i].identity);
		CU_ASSERT_EQUAL(e.length, messages[i].length);
		CU_ASSERT_EQUAL(e.octets, messages[i].octets);
		CU_ASSERT_EQUAL(e.plain, messages[i].plain);
		CU_ASSERT_EQUAL(maildrop_list_sizes(list)[i], messages[i].octets);
		CU_ASSERT_STRING_EQUAL(maildrop_list_text(list) + maildrop_list_offsets(list)[i],
				       messages[i].id);
	}
}

/* A copy from region_new() of exactly this size, for maildrop_list_adopt(). */
static void *copy_block(const struct maildrop_list *list, size_t *size)
{
	const void *block = maildrop_list_block(list, size);
	void *copy = region_new(*size);
	return memcpy(copy, block, *size);
}

static void list_gives_back_what_was_put_in(void)
{
	struct maildrop_list *list = make_list(messages, MESSAGES);
	expect_messages(list);
	size_t size;
	void *block = copy_block(list, &size);
	struct maildrop_list *adopted = maildrop_list_adopt(block, size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(adopted);
	maildrop_list_unref(list);
	expect_messages(adopted);
	maildrop_list_unref(adopted);
}

static void list_of_nothing_is_a_list(void)
{
	struct maildrop_list *list = make_list(NULL, 0);
	size_t size;
	void *block = copy_block(list, &size);
	struct maildrop_list *adopted = maildrop_list_adopt(block, size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(adopted);
	CU_ASSERT_EQUAL(maildrop_list_count(adopted), 0);
	CU_ASSERT_EQUAL(maildrop_list_octets(adopted), 0);
	maildrop_list_unref(adopted);
	maildrop_list_unref(list);
}

/* More infos than have a number, growths on both sides of what has room. */
static void list_of_many_places_and_growths_is_right(void)
{
	enum { COUNT = 300 };
	static struct maildrop_entry entries[COUNT];
	static char names[COUNT][8], infos[COUNT][16];
	for (size_t i = 0; i < COUNT; i++) {
		int length = snprintf(names[i], sizeof names[i], "%zu.x", i + 100);
		snprintf(infos[i], sizeof infos[i], ":2,%zu", i / 2);
		entries[i] = (struct maildrop_entry){names[i], names[i],   (size_t)length,
						     infos[i], i % 3 == 0, i,
						     100000,   100000,     i % 5 == 0};
		entries[i].octets += i % 7 == 0 ? UINT16_MAX : i % 7 == 1 ? UINT16_MAX + 1 : i;
	}
	struct maildrop_list *list = make_list(entries, COUNT);
	size_t size;
	void *block = copy_block(list, &size);
	struct maildrop_list *adopted = maildrop_list_adopt(block, size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(adopted);
	for (size_t i = 0; i < COUNT; i++) {
		struct maildrop_entry e = maildrop_list_entry(adopted, i);
		CU_ASSERT_STRING_EQUAL(e.id, names[i]);
		CU_ASSERT_STRING_EQUAL(e.info, infos[i]);
		CU_ASSERT_EQUAL(e.seen, i % 3 == 0);
		CU_ASSERT_EQUAL(e.length, 100000);
		CU_ASSERT_EQUAL(e.octets, entries[i].octets);
		CU_ASSERT_EQUAL(e.plain, i % 5 == 0);
	}
	maildrop_list_unref(adopted);
	maildrop_list_unref(list);
	test_count(COUNT);
}

static void message_costs_23_octets_and_its_unique_id(void)
{
	struct list_plan plan = {0};
	enum { COUNT = 1000 };
	for (size_t i = 0; i < COUNT; i++)
		list_plan_add(&plan, &messages[i % 2]);
	struct maildrop_list *list = maildrop_list_new(&plan);
	size_t size;
	maildrop_list_block(list, &size);
	CU_ASSERT(size <= COUNT * (23 + strlen("1.M1.x")) + 128);
	maildrop_list_unref(list);
}

/* ---- Lies ---- */

/* The block with one thing changed is refused. */
static void expect_refused(void (*change)(struct frozen_block *, struct list_arrays *))
{
	struct maildrop_list *list = make_list(messages, MESSAGES);
	size_t size;
	struct frozen_block *block = copy_block(list, &size);
	struct list_arrays arrays = list_arrays(block);
	change(block, &arrays);
	struct maildrop_list *adopted = maildrop_list_adopt(block, size);
	CU_ASSERT_PTR_NULL(adopted);
	if (adopted == NULL)
		region_free(block, size);
	maildrop_list_unref(adopted);
	maildrop_list_unref(list);
	test_count(1);
}

#define LIE(name, statement)                                                                       \
	static void name(struct frozen_block *b, struct list_arrays *a)                            \
	{                                                                                          \
		(void)b;                                                                           \
		(void)a;                                                                           \
		statement;                                                                         \
	}
LIE(size_too_large, b->size++)
LIE(count_too_large, b->count++)
LIE(count_huge, b->count = UINT64_MAX)
LIE(count_that_wraps, b->count = UINT64_MAX / 23 + 1)
LIE(total_wrong, b->total++)
LIE(text_too_long, b->text++)
LIE(places_too_many, b->place_count = LIST_PLACES + 1)
LIE(places_one_more, b->place_count++)
LIE(place_text_longer, (b->place_text++, b->text--))
LIE(offset_beyond, a->offsets[1] = UINT32_MAX)
LIE(offset_of_another, a->offsets[1] = a->offsets[0])
LIE(place_not_there, a->codes[0] = 5)
LIE(place_unknown, a->places[0] = 'x')
LIE(code_says_long, a->codes[0] = LIST_LONG)
LIE(code_says_short, a->codes[2] = 0)
LIE(code_of_nothing, a->codes[0] = 0xff)
LIE(code_long_and_a_place, a->codes[2] |= 1)
LIE(growth_impossible, a->growths[1] = 3)
LIE(growth_more_than_all, (a->growths[1] = 1))
LIE(sum_wrong, b->sizes[0]++)
LIE(sum_that_wraps, (b->sizes[0] = UINT64_MAX, b->sizes[1] = UINT64_MAX))
LIE(id_with_blank, a->text[2] = ' ')
LIE(id_with_slash, a->text[2] = '/')
LIE(id_hidden, a->text[0] = '.')
LIE(id_empty, a->text[0] = '\0')
LIE(id_not_ended, a->text[6] = 'y')
LIE(last_not_ended, a->text[b->text - 1] = 'y')
LIE(base_with_slash, *strstr(a->text + a->offsets[2] + 8 + 8 + 7, "M1") = '/')

static void list_that_lies_is_refused(void)
{
	static void (*const lies[])(struct frozen_block *, struct list_arrays *) = {
		size_too_large,    count_too_large,       count_huge,           count_that_wraps,
		total_wrong,       text_too_long,         places_too_many,      places_one_more,
		place_text_longer, offset_beyond,         offset_of_another,    place_not_there,
		place_unknown,     code_long_and_a_place, code_says_long,       code_says_short,
		code_of_nothing,   growth_impossible,     growth_more_than_all, sum_wrong,
		sum_that_wraps,    id_with_blank,         id_with_slash,        id_hidden,
		id_empty,          id_not_ended,          last_not_ended,       base_with_slash,
	};
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
		expect_refused(lies[i]);
}

/* ---- The file ---- */

static unsigned char *make_file(size_t *length)
{
	struct maildrop_list *list = make_list(messages, MESSAGES);
	struct index_head head = {
		.magic = INDEX_MAGIC, .order = INDEX_ORDER, .version = INDEX_VERSION};
	size_t size;
	const void *block = maildrop_list_block(list, &size);
	head.size = sizeof head + size;
	head.checksum = index_checksum(&head, block, size);
	unsigned char *octets = malloc(sizeof head + size);
	memcpy(octets, &head, sizeof head);
	memcpy(octets + sizeof head, block, size);
	*length = sizeof head + size;
	maildrop_list_unref(list);
	return octets;
}

static int parse(const unsigned char *octets, size_t length)
{
	struct index index = {.list = NULL};
	const char *why = "";
	/* Of exactly this length, so that a look behind it is found out. */
	unsigned char *copy = malloc(length + 1);
	memmove(copy + 1, octets, length);
	int result = index_parse(copy + 1, length, &index, &why);
	CU_ASSERT(result == 0 || why != NULL);
	if (result == 0)
		expect_messages(index.list);
	maildrop_list_unref(index.list);
	free(copy);
	return result;
}

static void index_with_any_bit_flipped_is_refused(void)
{
	size_t length;
	unsigned char *octets = make_file(&length);
	CU_ASSERT_EQUAL(parse(octets, length), 0);
	for (size_t bit = 0; bit < 8 * length; bit++) {
		octets[bit / 8] ^= (unsigned char)(1 << bit % 8);
		CU_ASSERT_EQUAL(parse(octets, length), -EINVAL);
		octets[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	test_count(8 * length);
	free(octets);
}

static void index_cut_anywhere_is_refused(void)
{
	size_t length;
	unsigned char *octets = make_file(&length);
	for (size_t cut = 0; cut < length; cut++)
		CU_ASSERT_EQUAL(parse(octets, cut), -EINVAL);
	test_count(length);
	free(octets);
}

static void expect_reason(uint32_t order, uint32_t version, const char *expected)
{
	size_t length;
	unsigned char *octets = make_file(&length);
	struct index_head head;
	memcpy(&head, octets, sizeof head);
	head.order = order;
	head.version = version;
	head.checksum = index_checksum(&head, octets + sizeof head, length - sizeof head);
	memcpy(octets, &head, sizeof head);
	struct index index;
	const char *why;
	CU_ASSERT_EQUAL(index_parse(octets, length, &index, &why), -EINVAL);
	CU_ASSERT_STRING_EQUAL(why, expected);
	free(octets);
}

static void index_from_elsewhere_is_refused_by_name(void)
{
	expect_reason(0x04030201, INDEX_VERSION, "it is from a machine of another kind");
	expect_reason(INDEX_ORDER, INDEX_VERSION + 1, "it is of another version");
	expect_reason(INDEX_ORDER, 0, "it is of another version");
}

/* With a right checksum as well: each octet of the list changed in each way. */
static void forged_index_is_refused_or_sound(void)
{
	size_t length;
	unsigned char *octets = make_file(&length);
	unsigned long sound = 0, cases = 0;
	for (size_t at = sizeof(struct index_head); at < length; at++) {
		unsigned char was = octets[at];
		for (unsigned value = 0; value < 256; value++, cases++) {
			octets[at] = (unsigned char)value;
			size_t size = length - sizeof(struct index_head);
			void *block = region_new(size);
			memcpy(block, octets + sizeof(struct index_head), size);
			struct maildrop_list *list = maildrop_list_adopt(block, size);
			for (size_t i = 0; list != NULL && i < maildrop_list_count(list); i++) {
				char name[MAILDROP_NAME_SIZE];
				struct maildrop_entry e = maildrop_list_entry(list, i);
				maildrop_entry_name(&e, name);
				CU_ASSERT(name_is_unique_id(e.id, strlen(e.id)));
				CU_ASSERT(strchr(name, '/') == NULL && name[0] != '.');
				CU_ASSERT(e.octets >= e.length);
			}
			sound += list != NULL;
			if (list == NULL)
				region_free(block, size);
			maildrop_list_unref(list);
		}
		octets[at] = was;
	}
	/* Names and identities may be anything. */
	CU_ASSERT(sound > 0 && sound < cases);
	test_count(cases);
	free(octets);
}

static const struct test tests[] = {
	TEST(list_gives_back_what_was_put_in),
	TEST(list_of_nothing_is_a_list),
	TEST(list_of_many_places_and_growths_is_right),
	TEST(message_costs_23_octets_and_its_unique_id),
	TEST(list_that_lies_is_refused),
	TEST(index_with_any_bit_flipped_is_refused),
	TEST(index_cut_anywhere_is_refused),
	TEST(index_from_elsewhere_is_refused_by_name),
	TEST(forged_index_is_refused_or_sound),
	TEST_END,
};
const struct test_suite suite_store_list = {"store_list", tests};
