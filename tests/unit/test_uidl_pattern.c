/* Dovecot's patterns of unique-ids: what is known of them, and what they make. */
#include <stdio.h>
#include <string.h>

#include "store/uidl_pattern.h"
#include "unit/suite.h"

static const char *check(const char *pattern)
{
	static char wrong[UIDL_PATTERN_WRONG_SIZE];
	return uidl_pattern_check(pattern, wrong);
}

static void patterns_that_tell_messages_apart_are_right(void)
{
	static const char *const right[] = {UIDL_PATTERN_STANDARD,
					    "%u",
					    "%f",
					    "%g",
					    "%v.%u",
					    "UID%u-%v",
					    "%08Xv%08Xu",
					    "%Xu",
					    "%5u",
					    "%%%u",
					    "%070f",
					    "%u%u%u%u",
					    "!~%f"};
	for (size_t i = 0; i < sizeof right / sizeof *right; i++)
		CU_ASSERT_PTR_NULL(check(right[i]));
	test_count(sizeof right / sizeof *right);
}

static void other_patterns_are_refused_with_the_reason(void)
{
	char too_long[UIDL_PATTERN_MAX + 2];
	memset(too_long, 'u', sizeof too_long - 1);
	too_long[0] = '%';
	too_long[UIDL_PATTERN_MAX + 1] = '\0';
	static const char *const all[] = {"%u", "%v", "%f", "%g"};
	const struct {
		const char *pattern;
		const char *says;
	} cases[] = {
		{"%m", "holds %m where only %u, %v, %f, %g and %% are known"},
		{"%u%m", "holds %m "},
		{"%Mf", "holds %M "},
		{"%{uid}", "holds %{ "},
		{"%XXu", "holds %X "},
		{"%X8u", "holds %8 "},
		{"%-3u", "holds %- "},
		{"%2.3u", "holds %. "},
		{"%U", "holds %U "},
		{"%u%", "unfinished"},
		{"%u%08", "unfinished"},
		{"%u%08X", "unfinished"},
		{"%Xf", "no number"},
		{"%4Xg", "no number"},
		{"%u%X%", "no number"},
		{"%071u", "width"},
		{"%99999999999999999999u", "width"},
		{"%u %v", "no unique-id"},
		{"%u\x7f", "no unique-id"},
		{"%u\xc3\xa9", "no unique-id"},
		{"", "%u, %f or %g"},
		{"%v", "%u, %f or %g"},
		{"all%%the same", "no unique-id"},
		{"all%%alike", "%u, %f or %g"},
		{too_long, "too long"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *says = check(cases[i].pattern);
		CU_ASSERT(says != NULL && strstr(says, cases[i].says) != NULL);
		if (says == NULL || strstr(says, cases[i].says) == NULL)
			printf("%s: %s\n", cases[i].pattern, says);
	}
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(check("%m"), all[i]));
	test_count(sizeof cases / sizeof *cases);
}

static void unique_ids_are_those_of_dovecot(void)
{
	const struct uidl_values values = {.uid = 171,
					   .validity = 1700000000,
					   .name = "1.M1.x,S=5",
					   .name_length = 10,
					   .guid = "0123456789abcdef",
					   .guid_length = 16};
	static const struct {
		const char *pattern;
		const char *id;
	} cases[] = {
		{"%08Xu%08Xv", "000000ab6553f100"},
		{"%u", "171"},
		{"%v.%u", "1700000000.171"},
		{"UID%u-%v", "UID171-1700000000"},
		{"%Xu", "ab"},
		{"%02u", "171"},
		{"%05u", "00171"},
		{"%2u", "17"},
		{"%1Xu", "a"},
		{"%0u", "171"},
		{"%00u", "171"},
		{"%f", "1.M1.x,S=5"},
		{"%6f", "1.M1.x"},
		{"%012f", "001.M1.x,S=5"},
		{"%g", "0123456789abcdef"},
		{"%4g%u", "0123171"},
		{"%%%u%%", "%171%"},
		{"<%u>", "<171>"},
	};
	char id[NAME_ID_SIZE];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t length = uidl_pattern_expand(cases[i].pattern, &values, id);
		CU_ASSERT_EQUAL(length, strlen(cases[i].id));
		CU_ASSERT_STRING_EQUAL(id, cases[i].id);
	}
	const struct uidl_values low = {.uid = 1, .validity = 1, .name = "", .guid = ""};
	const struct uidl_values high = {
		.uid = UINT32_MAX, .validity = UINT32_MAX, .name = "", .guid = ""};
	CU_ASSERT_EQUAL(uidl_pattern_expand("%Xu%v", &low, id), 2);
	CU_ASSERT_STRING_EQUAL(id, "11");
	CU_ASSERT_EQUAL(uidl_pattern_expand("%Xu.%v", &high, id), 19);
	CU_ASSERT_STRING_EQUAL(id, "ffffffff.4294967295");
	test_count(2 + sizeof cases / sizeof *cases);
}

static void numbers_are_those_of_printf(void)
{
	char id[NAME_ID_SIZE];
	char expected[NAME_ID_SIZE];
	for (uint32_t i = 0; i < 100000; i++) {
		const struct uidl_values values = {
			.uid = i, .validity = i * 42949u, .name = "", .guid = ""};
		snprintf(expected, sizeof expected, "%x.%08x.%u.%07u", values.uid, values.uid,
			 values.validity, values.validity);
		uidl_pattern_expand("%Xu.%08Xu.%v.%07v", &values, id);
		CU_ASSERT_STRING_EQUAL(id, expected);
	}
	test_count(100000);
}

static void unique_ids_that_are_not_legal_are_none(void)
{
	char name[80];
	memset(name, 'n', sizeof name);
	struct uidl_values values = {.uid = 1, .validity = 2, .name = name, .guid = name};
	char id[NAME_ID_SIZE];
	for (size_t length = 0; length <= sizeof name; length++) {
		values.name_length = length;
		values.guid_length = length;
		CU_ASSERT_EQUAL(uidl_pattern_expand("%f", &values, id), length > 70 ? 0 : length);
		CU_ASSERT_EQUAL(uidl_pattern_expand("%g-%u", &values, id),
				length > 68 ? 0 : length + 2);
	}
	CU_ASSERT_EQUAL(uidl_pattern_expand("%070u", &values, id), 70);
	CU_ASSERT_EQUAL(uidl_pattern_expand("%070u%u", &values, id), 0);
	CU_ASSERT_EQUAL(uidl_pattern_expand("%u%070u", &values, id), 0);

	static const char *const odd[] = {"two words", "caf\xc3\xa9", "a\tb", "a\x7f"};
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		values.name = odd[i];
		values.name_length = strlen(odd[i]);
		CU_ASSERT_EQUAL(uidl_pattern_expand("%f", &values, id), 0);
		CU_ASSERT_EQUAL(uidl_pattern_expand("%u", &values, id), 1);
	}
	test_count(81 * 2 + 3 + 8);
}

static const struct test tests[] = {
	TEST(patterns_that_tell_messages_apart_are_right),
	TEST(other_patterns_are_refused_with_the_reason),
	TEST(unique_ids_are_those_of_dovecot),
	TEST(numbers_are_those_of_printf),
	TEST(unique_ids_that_are_not_legal_are_none),
	TEST_END,
};
const struct test_suite suite_uidl_pattern = {"uidl_pattern", tests};
