/* Names of new messages: unlike any other, and unique-ids by themselves. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/unique.h"
#include "unit/suite.h"

static struct unique example(const char *host)
{
	struct unique u = {.seconds = 1700000001,
			   .microseconds = 5,
			   .process = 6,
			   .count = 7,
			   .random = UINT64_C(0xfff00123456789ab)};
	snprintf(u.host, sizeof u.host, "%s", host);
	return u;
}

static void name_tells_time_process_count_chance_host_and_sizes(void)
{
	const struct unique u = example("mail-1.x_y");
	char name[UNIQUE_NAME_SIZE];
	unique_name(&u, NULL, name);
	CU_ASSERT_STRING_EQUAL(name, "1700000001.M5P6Q7R0123456789ab.mail-1.x_y");
	unique_name(&u, &(struct unique_sizes){904, 928}, name);
	CU_ASSERT_STRING_EQUAL(name, "1700000001.M5P6Q7R0123456789ab.mail-1.x_y,S=904,W=928");
}

static void odd_octets_of_the_host_are_escaped_whole(void)
{
	struct unique u = example("a/b:c,d\xe9");
	char name[UNIQUE_NAME_SIZE];
	unique_name(&u, NULL, name);
	CU_ASSERT_STRING_EQUAL(name, "1700000001.M5P6Q7R0123456789ab.a\\057b\\072c\\054d\\351");
	/* 31 octets come before the host: 39 are left, which are 9 escapes. */
	memset(u.host, '/', UNIQUE_HOST_SIZE - 1);
	unique_name(&u, NULL, name);
	CU_ASSERT_EQUAL(strlen(name), 31 + 36);
}

static void host_is_cut_so_that_the_name_is_a_unique_id(void)
{
	const struct unique u = example("a-rather-long-name-of-a-machine.example.org");
	char name[UNIQUE_NAME_SIZE];
	unique_name(&u, &(struct unique_sizes){1234567, 1234890}, name);
	CU_ASSERT_STRING_EQUAL(
		name, "1700000001.M5P6Q7R0123456789ab.a-rather-long-name-,S=1234567,W=1234890");
	CU_ASSERT_EQUAL(strlen(name), NAME_ID_MAX);
}

static void largest_numbers_leave_one_character_of_the_host(void)
{
	struct unique u = {.seconds = UINT64_MAX,
			   .microseconds = UINT32_MAX,
			   .process = UINT32_MAX,
			   .count = UINT32_MAX,
			   .random = UINT64_MAX};
	memcpy(u.host, "host", sizeof "host");
	char name[UNIQUE_NAME_SIZE];
	unique_name(&u, &(struct unique_sizes){UINT64_MAX, UINT64_MAX}, name);
	CU_ASSERT_STRING_EQUAL(name, "18446744073709551615.M4294967295P4294967295Q4294967295"
				     "Rffffffffffff.h,S=18446744073709551615"
				     ",W=18446744073709551615");
}

/* What keeps apart the processes of two containers that have all else in common. */
static void names_differ_by_chance_alone(void)
{
	enum { NAMES = 1000 };
	static char names[NAMES][UNIQUE_NAME_SIZE];
	size_t equal = 0;
	for (size_t i = 0; i < NAMES; i++) {
		struct unique u;
		unique_init(&u);
		CU_ASSERT_EQUAL(u.process, (uint32_t)getpid());
		u.seconds = u.microseconds = u.count = 0;
		unique_name(&u, NULL, names[i]);
		for (size_t j = 0; j < i; j++)
			equal += strcmp(names[i], names[j]) == 0;
	}
	CU_ASSERT_EQUAL(equal, 0);
	test_count(NAMES);
}

static void count_goes_up_with_each_name(void)
{
	struct unique a, b;
	unique_init(&a);
	unique_init(&b);
	CU_ASSERT_EQUAL(b.count, a.count + 1);
	CU_ASSERT_TRUE(b.seconds > a.seconds || b.microseconds >= a.microseconds);
	CU_ASSERT_TRUE(a.microseconds < 1000000);
}

static const struct test tests[] = {
	TEST(name_tells_time_process_count_chance_host_and_sizes),
	TEST(odd_octets_of_the_host_are_escaped_whole),
	TEST(host_is_cut_so_that_the_name_is_a_unique_id),
	TEST(largest_numbers_leave_one_character_of_the_host),
	TEST(names_differ_by_chance_alone),
	TEST(count_goes_up_with_each_name),
	TEST_END,
};
const struct test_suite suite_store_unique = {"store_unique", tests};
