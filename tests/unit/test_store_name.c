/* Names of messages: base name, unique-id, hints, delivery time. */
#include <string.h>

#include "store/name.h"
#include "unit/suite.h"

static void base_name_ends_at_the_info_separator(void)
{
	static const struct {
		const char *name;
		size_t base;
	} cases[] = {
		{"1.M1.x", 6},         {"1.M1.x:2,S", 6},   {"1.M1.x:1,abc", 6}, {"1.M1.x;2,S", 6},
		{"1.M1.x!2,S", 6},     {"1.M1.x:2,", 6},    {"1.M1.x:2", 8},     {"1.M1.x:3,S", 10},
		{"1.M1.x:", 7},        {"1:x:2,S", 3},      {":2,S", 0},         {"", 0},
		{"a,S=5,W=7:2,FS", 9}, {"a:2,S:2,T", 1},    {"a!1,b:2,S", 1},    {"a b\n:2,S", 4},
		{"x:12,S", 6},         {"1.M1.x::2,RS", 7},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CU_ASSERT_EQUAL(name_base_length(cases[i].name, strlen(cases[i].name)),
				cases[i].base);
	test_count(sizeof cases / sizeof *cases);
}

static bool unique_id_is(const char *base, const char *expected)
{
	char id[NAME_ID_SIZE] = "";
	return name_unique_id(base, strlen(base), id) == 0 && strcmp(id, expected) == 0;
}

static void unique_id_is_the_base_name_if_it_can_be(void)
{
	static const char longest[] =
		"1700000001.M123456P1234Q0.mail.example.org,S=12345678,W=12345678,xxxxx";
	CU_ASSERT_EQUAL(sizeof longest - 1, 70);
	CU_ASSERT(unique_id_is(longest, longest));
	CU_ASSERT(unique_id_is("1", "1"));
	CU_ASSERT(unique_id_is("!~", "!~"));
	CU_ASSERT(unique_id_is("x-0123", "x-0123"));
}

static void odd_base_name_gets_a_hash_as_unique_id(void)
{
	char too_long[72];
	memset(too_long, 'a', 71);
	too_long[71] = '\0';
	CU_ASSERT(unique_id_is(
		"two words", "x-a03f1d611645eb53ad16c1af546ca0792dc884505bab57ede80f4dad6b911d3a"));
	CU_ASSERT(unique_id_is(
		"", "x-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	CU_ASSERT(unique_id_is(
		too_long, "x-eefa4cfbea79400c2f4239e1f702e02ebece761f78b6a35c9d2c167a79f9570c"));
	char id[NAME_ID_SIZE] = "";
	CU_ASSERT_EQUAL(name_unique_id("caf\xc3\xa9", 5, id), 0);
	CU_ASSERT_EQUAL(strlen(id), 66);
	CU_ASSERT_EQUAL(name_unique_id("a\x7f", 2, id), 0);
	CU_ASSERT_EQUAL(strlen(id), 66);
}

static void base_name_like_a_hash_is_hashed_itself(void)
{
	CU_ASSERT(
		unique_id_is("x-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			     "x-1011ee72a8ffff5d6b25f718748ebda61ccfcec6ce5fdd34b624b191e57050f9"));
	static const char upper[] =
		"x-0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef";
	CU_ASSERT(unique_id_is(upper, upper));
}

static void twin_gets_a_hash_of_name_and_inode(void)
{
	char id[NAME_ID_SIZE] = "";
	CU_ASSERT_EQUAL(name_unique_id_of_twin("1.M1.x", 6, 42, id), 0);
	CU_ASSERT_STRING_EQUAL(
		id, "x-4d06d39ecda80f14cb3229006ff3c47b7c3af562b9b4485eb5145c7a5862dcd0");
}

static void taken_unique_id_is_followed_by_hashes_that_nothing_else_makes(void)
{
	/* sha256 of two NULs and "1.M1.x", then of two NULs and that. */
	char id[NAME_ID_SIZE] = "1.M1.x";
	char other[NAME_ID_SIZE];
	CU_ASSERT_EQUAL(name_unique_id_next(id), 0);
	CU_ASSERT_STRING_EQUAL(
		id, "x-f92f01ac789df801713ddf6daf90c1e77c399b187a49b226d050de6d89c54ece");
	CU_ASSERT_EQUAL(name_unique_id("1.M1.x", 6, other), 0);
	CU_ASSERT_STRING_NOT_EQUAL(id, other);
	CU_ASSERT_EQUAL(name_unique_id(id, strlen(id), other), 0);
	CU_ASSERT_EQUAL(name_unique_id_next(id), 0);
	CU_ASSERT_STRING_EQUAL(
		id, "x-1362684b4450cde70c2292796cceba7fc30c1ec48e0607847b246d11e6f498c3");
	CU_ASSERT_STRING_NOT_EQUAL(id, other);
}

static void size_hints_are_parsed_strictly(void)
{
	static const struct {
		const char *base;
		int has_size, has_octets;
		uint64_t size, octets;
	} cases[] = {
		{"1.M1.x,S=904,W=928", 1, 1, 904, 928},
		{"1.M1.x,W=928,S=904", 1, 1, 904, 928},
		{"1.M1.x,S=904", 1, 0, 904, 0},
		{"1.M1.x,W=0", 0, 1, 0, 0},
		{"1.M1.x,S=18446744073709551615", 1, 0, UINT64_MAX, 0},
		{"1.M1.x,S=18446744073709551616", 0, 0, 0, 0},
		{"1.M1.x,S=", 0, 0, 0, 0},
		{"1.M1.x,S=-1,W=+2", 0, 0, 0, 0},
		{"1.M1.x,S=1x,W=2 ", 0, 0, 0, 0},
		{"1.M1.x,s=1,w=2", 0, 0, 0, 0},
		{"1.M1.x,S:1", 0, 0, 0, 0},
		{"S=1,W=2", 0, 1, 0, 2},
		{"1.M1.x,S=1,S=1,W=2", 0, 1, 0, 2},
		{"1.M1.x,S=x,S=1", 0, 0, 0, 0},
		{"1.M1.x,S=1,S=x", 0, 0, 0, 0},
		{"1.M1.x,,S=5,", 1, 0, 5, 0},
		{",", 0, 0, 0, 0},
		{"", 0, 0, 0, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct name_hints h = name_hints(cases[i].base, strlen(cases[i].base));
		CU_ASSERT_EQUAL(h.has_size, cases[i].has_size);
		CU_ASSERT_EQUAL(h.has_octets, cases[i].has_octets);
		CU_ASSERT(!h.has_size || h.size == cases[i].size);
		CU_ASSERT(!h.has_octets || h.octets == cases[i].octets);
	}
	test_count(sizeof cases / sizeof *cases);
}

static void hints_are_believed_only_of_a_file_they_can_be_of(void)
{
	static const struct {
		const char *base;
		uint64_t length;
		bool agree;
	} cases[] = {
		{"a,S=904,W=928", 904, true},   {"a,S=904,W=928", 905, false},
		{"a,S=904,W=903", 904, false},  {"a,S=904,W=1808", 904, true},
		{"a,S=904,W=1809", 904, false}, {"a,W=928", 904, true},
		{"a,W=928", 929, false},        {"a,W=928", 463, false},
		{"a,W=928", 464, true},         {"a,S=904", 904, false},
		{"a,S=0,W=0", 0, true},         {"a,W=18446744073709551615", 5, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct name_hints h = name_hints(cases[i].base, strlen(cases[i].base));
		CU_ASSERT_EQUAL(name_hints_agree(&h, cases[i].length), cases[i].agree);
	}
	test_count(sizeof cases / sizeof *cases);
}

static void delivery_time_is_read_from_the_name(void)
{
	static const struct {
		const char *base;
		uint64_t seconds, microseconds;
	} cases[] = {
		{"1700000001.M5P7.x", 1700000001, 5},
		{"1700000001.M123456.x", 1700000001, 123456},
		{"1700000001.P5M7.x", 1700000001, 0},
		{"1700000001.M", 1700000001, 0},
		{"1700000001", 1700000001, 0},
		{"007.M008", 7, 8},
		{"abc.M5", 0, 0},
		{".M5", 0, 0},
		{"", 0, 0},
		{"99999999999999999999.x", UINT64_MAX, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct name_time t = name_time(cases[i].base, strlen(cases[i].base));
		CU_ASSERT_EQUAL(t.seconds, cases[i].seconds);
		CU_ASSERT_EQUAL(t.microseconds, cases[i].microseconds);
	}
	test_count(sizeof cases / sizeof *cases);
}

static const struct test tests[] = {
	TEST(base_name_ends_at_the_info_separator),
	TEST(unique_id_is_the_base_name_if_it_can_be),
	TEST(odd_base_name_gets_a_hash_as_unique_id),
	TEST(base_name_like_a_hash_is_hashed_itself),
	TEST(twin_gets_a_hash_of_name_and_inode),
	TEST(taken_unique_id_is_followed_by_hashes_that_nothing_else_makes),
	TEST(size_hints_are_parsed_strictly),
	TEST(hints_are_believed_only_of_a_file_they_can_be_of),
	TEST(delivery_time_is_read_from_the_name),
	TEST_END,
};
const struct test_suite suite_store_name = {"store_name", tests};
