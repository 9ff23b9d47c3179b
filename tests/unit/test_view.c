/* The maildrop as a session sees it: the frozen list, marks, what is known without asking. */
#include <errno.h>
#include <string.h>

#include "proto/maildrop.h"
#include "unit/suite.h"

static size_t releases;

static void count_release(void *state)
{
	(void)state;
	releases++;
}

static const uint64_t five_sizes[] = {10, 20, 30, 40, 50};
static const char five_ids[] = "a\0bb\0ccc\0d\0e";
static const uint32_t five_offsets[] = {0, 2, 5, 9, 11};

static struct list_block sizes_block(size_t count)
{
	return (struct list_block){.sizes = five_sizes, .count = count, .release = count_release};
}

static struct list_block ids_block(size_t count)
{
	return (struct list_block){.text = five_ids,
				   .offsets = five_offsets,
				   .count = count,
				   .release = count_release};
}

static void a_list_is_adopted_and_released_once(void)
{
	struct maildrop_view v = {0};
	struct list_block b = sizes_block(5);
	releases = 0;
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &b), 0);
	CU_ASSERT_PTR_NULL(b.release);
	list_block_release(&b);
	CU_ASSERT_EQUAL(releases, 0);
	CU_ASSERT_EQUAL(view_count(&v), 5);
	CU_ASSERT_EQUAL(v.octets, 150);
	view_fini(&v);
	CU_ASSERT_EQUAL(releases, 1);
	view_fini(&v);
	CU_ASSERT_EQUAL(releases, 1);
}

static void both_lists_must_have_the_same_count(void)
{
	struct maildrop_view v = {0};
	struct list_block sizes = sizes_block(5), ids = ids_block(4);
	releases = 0;
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &sizes), 0);
	CU_ASSERT_EQUAL(view_adopt_ids(&v, &ids), -EINVAL);
	CU_ASSERT_EQUAL(releases, 1);
	CU_ASSERT_FALSE(v.has_ids);
	ids = ids_block(5);
	CU_ASSERT_EQUAL(view_adopt_ids(&v, &ids), 0);
	view_fini(&v);
	CU_ASSERT_EQUAL(releases, 3);

	sizes = sizes_block(3);
	ids = ids_block(4);
	CU_ASSERT_EQUAL(view_adopt_ids(&v, &ids), 0);
	CU_ASSERT_EQUAL(view_count(&v), 4);
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &sizes), -EINVAL);
	view_fini(&v);
}

static void sizes_whose_sum_overflows_are_refused(void)
{
	static const uint64_t huge[] = {UINT64_MAX, 1};
	struct maildrop_view v = {0};
	struct list_block b = {.sizes = huge, .count = 2, .release = count_release};
	releases = 0;
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &b), -EINVAL);
	CU_ASSERT_EQUAL(releases, 1);
	b = (struct list_block){.sizes = huge, .count = 1};
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &b), 0);
	CU_ASSERT_EQUAL(v.octets, UINT64_MAX);
	view_fini(&v);
}

static void more_messages_than_numbers_are_refused(void)
{
	struct maildrop_view v = {0};
	struct list_block b = {.sizes = five_sizes, .count = (size_t)UINT32_MAX + 1};
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &b), -EINVAL);
	view_fini(&v);
}

static void unique_ids_have_1_to_70_printable_octets(void)
{
	char id[72];
	memset(id, 'x', sizeof id);
	id[71] = '\0';
	CU_ASSERT_FALSE(view_id_is_legal(id));
	id[70] = '\0';
	CU_ASSERT(view_id_is_legal(id));
	CU_ASSERT_FALSE(view_id_is_legal(""));
	for (unsigned c = 1; c < 256; c++) {
		const char one[] = {'a', (char)c, '\0'};
		CU_ASSERT_EQUAL(view_id_is_legal(one), c >= 0x21 && c <= 0x7e);
	}
	test_count(258);
}

static void one_illegal_unique_id_spoils_the_list(void)
{
	static const char text[] = "a\0b b\0c";
	static const uint32_t offsets[] = {0, 2, 6};
	struct maildrop_view v = {0};
	struct list_block b = {
		.text = text, .offsets = offsets, .count = 3, .release = count_release};
	releases = 0;
	CU_ASSERT_EQUAL(view_adopt_ids(&v, &b), -EINVAL);
	CU_ASSERT_EQUAL(releases, 1);
	CU_ASSERT_FALSE(v.has_ids);
	view_fini(&v);
}

static void only_known_counts_say_that_a_message_lacks(void)
{
	struct maildrop_view v = {0};
	CU_ASSERT(view_lacks(&v, 0));
	CU_ASSERT_FALSE(view_lacks(&v, 1));
	CU_ASSERT_FALSE(view_lacks(&v, UINT32_MAX));
	struct list_block b = ids_block(5);
	CU_ASSERT_EQUAL(view_adopt_ids(&v, &b), 0);
	CU_ASSERT(view_lacks(&v, 0));
	CU_ASSERT_FALSE(view_lacks(&v, 5));
	CU_ASSERT(view_lacks(&v, 6));
	view_fini(&v);
	b = sizes_block(0);
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &b), 0);
	CU_ASSERT(view_lacks(&v, 1));
	view_fini(&v);
}

static void the_size_of_one_message_is_remembered(void)
{
	struct maildrop_view v = {0};
	uint64_t size = 0;
	CU_ASSERT_FALSE(view_size(&v, 3, &size));
	view_learn(&v, 3, 77);
	CU_ASSERT(view_size(&v, 3, &size) && size == 77);
	CU_ASSERT_FALSE(view_size(&v, 2, &size));
	struct list_block b = sizes_block(5);
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &b), 0);
	CU_ASSERT(view_size(&v, 3, &size) && size == 30);
	view_fini(&v);
}

static void marks_are_listed_in_ascending_order(void)
{
	struct maildrop_view v = {0};
	uint32_t marked[6];
	static const uint32_t order[] = {70000, 9, 1, 8, 70001, 16};
	static const uint32_t sorted[] = {1, 8, 9, 16, 70000, 70001};
	for (size_t i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(view_mark(&v, order[i]), 0);
	CU_ASSERT_EQUAL(v.marked, 6);
	view_marked_messages(&v, marked);
	CU_ASSERT_EQUAL(memcmp(marked, sorted, sizeof sorted), 0);
	for (size_t i = 0; i < 6; i++)
		CU_ASSERT(view_is_marked(&v, sorted[i]));
	CU_ASSERT_FALSE(view_is_marked(&v, 2));
	CU_ASSERT_FALSE(view_is_marked(&v, 17));
	CU_ASSERT_FALSE(view_is_marked(&v, 69999));
	CU_ASSERT_FALSE(view_is_marked(&v, UINT32_MAX));
	view_unmark_all(&v);
	CU_ASSERT_EQUAL(v.marked, 0);
	CU_ASSERT_FALSE(view_is_marked(&v, 1));
	view_marked_messages(&v, marked);
	view_fini(&v);
}

static void a_mark_costs_one_bit_a_message(void)
{
	static uint64_t sizes[100000];
	struct maildrop_view v = {0};
	struct list_block b = {.sizes = sizes, .count = 100000};
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &b), 0);
	CU_ASSERT_EQUAL(v.marks_capacity, 0);
	CU_ASSERT_EQUAL(view_mark(&v, 1), 0);
	CU_ASSERT_EQUAL(v.marks_capacity, 12500);
	CU_ASSERT_EQUAL(view_mark(&v, 100000), 0);
	CU_ASSERT_EQUAL(v.marks_capacity, 12500);
	view_fini(&v);
}

static void marks_weigh_the_same_before_and_after_the_list(void)
{
	struct maildrop_view v = {0};
	struct list_block b = sizes_block(5);
	CU_ASSERT_EQUAL(view_mark(&v, 2), 0);
	CU_ASSERT_EQUAL(view_mark(&v, 5), 0);
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &b), 0);
	CU_ASSERT_EQUAL(v.marked_octets, 70);
	CU_ASSERT_EQUAL(view_mark(&v, 1), 0);
	CU_ASSERT_EQUAL(v.marked_octets, 80);
	view_unmark_all(&v);
	CU_ASSERT_EQUAL(v.marked_octets, 0);
	view_fini(&v);
}

static void a_list_that_lacks_a_marked_message_is_refused(void)
{
	struct maildrop_view v = {0};
	struct list_block b = sizes_block(4);
	releases = 0;
	CU_ASSERT_EQUAL(view_mark(&v, 5), 0);
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &b), -EINVAL);
	CU_ASSERT_EQUAL(releases, 1);
	b = ids_block(4);
	CU_ASSERT_EQUAL(view_adopt_ids(&v, &b), -EINVAL);
	b = sizes_block(5);
	CU_ASSERT_EQUAL(view_adopt_sizes(&v, &b), 0);
	view_fini(&v);
}

static const struct test tests[] = {
	TEST(a_list_is_adopted_and_released_once),
	TEST(both_lists_must_have_the_same_count),
	TEST(sizes_whose_sum_overflows_are_refused),
	TEST(more_messages_than_numbers_are_refused),
	TEST(unique_ids_have_1_to_70_printable_octets),
	TEST(one_illegal_unique_id_spoils_the_list),
	TEST(only_known_counts_say_that_a_message_lacks),
	TEST(the_size_of_one_message_is_remembered),
	TEST(marks_are_listed_in_ascending_order),
	TEST(a_mark_costs_one_bit_a_message),
	TEST(marks_weigh_the_same_before_and_after_the_list),
	TEST(a_list_that_lacks_a_marked_message_is_refused),
	TEST_END,
};

const struct test_suite suite_view = {"view", tests};
