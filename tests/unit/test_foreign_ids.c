/* Lists of unique-ids in memory: found by name, never two alike, never a spoilt list believed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/foreign_ids.h"
#include "store/uidlist.h"
#include "unit/suite.h"

static const struct uidl_rule dovecot = {.format = UIDL_DOVECOT};
static const struct uidl_rule courier = {.format = UIDL_COURIER};
static const struct hash_key key = {{3, 4}};

#define HEADER "3 V1700000000 N4 G1a2b\n"

static int parse(const struct uidl_rule *rule, const char *text, size_t length,
		 struct foreign_ids **ids)
{
	char *copy = malloc(length + (length == 0));
	struct uidlist_report report;
	if (copy == NULL)
		abort();
	memcpy(copy, text, length);
	*ids = NULL;
	int result = foreign_ids_parse(copy, length, rule, &key, &report, ids);
	if (result < 0)
		free(copy);
	return result;
}

static struct foreign_ids *right(const struct uidl_rule *rule, const char *text)
{
	struct foreign_ids *ids;
	CU_ASSERT_EQUAL_FATAL(parse(rule, text, strlen(text), &ids), 0);
	return ids;
}

static bool is(struct foreign_ids *ids, const char *base, const char *expected)
{
	char id[NAME_ID_SIZE] = "";
	bool same =
		foreign_ids_choose(ids, base, strlen(base), id) == 0 && strcmp(id, expected) == 0;
	if (!same)
		printf("%s: %s\n", base, id);
	return same;
}

static bool is_hashed(struct foreign_ids *ids, const char *base)
{
	char id[NAME_ID_SIZE] = "";
	return foreign_ids_choose(ids, base, strlen(base), id) == 0 && strlen(id) == 66 &&
	       memcmp(id, "x-", 2) == 0 && !foreign_ids_knows(ids, base, strlen(base));
}

/* ---- One list ---- */

static void messages_are_found_by_base_name_in_any_order(void)
{
	struct foreign_ids *ids =
		right(&courier, "/3 4 5\n1.M1.x:2,S 1 1:5:0\n2.M1.x,S=5 1 2:5:0\n3.M1.x;2,RS 1 "
				"3:5:0\n:2,S 1 4:5:0\n");
	static const char *const names[] = {"1.M1.x", "2.M1.x,S=5", "3.M1.x", ""};
	static const char *const expected[] = {"UID1-5", "UID2-5", "UID3-5", "UID4-5"};
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 4; j++) {
			CU_ASSERT(is(ids, names[i], expected[i]));
			CU_ASSERT(is(ids, names[j], expected[j]));
		}
	}
	CU_ASSERT(is(ids, "2.M1.x", "2.M1.x"));
	CU_ASSERT(is(ids, "2.M1.x,S=5,W=6", "2.M1.x,S=5,W=6"));
	CU_ASSERT_FALSE(foreign_ids_knows(ids, "2.M1.x", 6));
	CU_ASSERT(foreign_ids_knows(ids, "1.M1.x", 6));
	struct foreign_summary summary = foreign_ids_summary(ids);
	CU_ASSERT_EQUAL(summary.version, 3);
	CU_ASSERT_EQUAL(summary.messages, 4);
	CU_ASSERT_EQUAL(summary.spoilt, 0);
	foreign_ids_free(ids);
	foreign_ids_free(NULL);
	test_count(32);
}

static void without_a_list_all_are_ours(void)
{
	char id[NAME_ID_SIZE];
	char ours[NAME_ID_SIZE];
	CU_ASSERT(is(NULL, "1.M1.x", "1.M1.x"));
	CU_ASSERT_FALSE(foreign_ids_knows(NULL, "1.M1.x", 6));
	CU_ASSERT_EQUAL(foreign_ids_choose_twin(NULL, "1.M1.x", 6, 42, id), 0);
	CU_ASSERT_EQUAL(name_unique_id_of_twin("1.M1.x", 6, 42, ours), 0);
	CU_ASSERT_STRING_EQUAL(id, ours);
	struct foreign_ids *ids = right(&dovecot, HEADER);
	CU_ASSERT(is(ids, "1.M1.x", "1.M1.x"));
	CU_ASSERT(
		is(ids, "", "x-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	foreign_ids_free(ids);
}

static void unique_id_of_ours_that_is_listed_becomes_another(void)
{
	struct foreign_ids *ids = right(&dovecot, HEADER "1 P1.M1.x :gone\n2 P :2.M1.x\n");
	char first[NAME_ID_SIZE];
	char again[NAME_ID_SIZE];
	CU_ASSERT(is(ids, "gone", "1.M1.x"));
	CU_ASSERT(is(ids, "2.M1.x", "2.M1.x"));
	CU_ASSERT(is_hashed(ids, "1.M1.x"));
	foreign_ids_choose(ids, "1.M1.x", 6, first);
	foreign_ids_free(ids);

	/* The same at the next login, and another one again if that one is listed as well. */
	char text[256];
	snprintf(text, sizeof text, HEADER "1 P1.M1.x :gone\n2 P%s :too\n", first);
	ids = right(&dovecot, text);
	CU_ASSERT(is(ids, "too", first));
	CU_ASSERT(is_hashed(ids, "1.M1.x"));
	foreign_ids_choose(ids, "1.M1.x", 6, again);
	CU_ASSERT_STRING_NOT_EQUAL(first, again);
	foreign_ids_free(ids);
}

static void twin_of_ours_that_is_listed_becomes_another(void)
{
	char twin[NAME_ID_SIZE];
	char text[256];
	char id[NAME_ID_SIZE] = "";
	CU_ASSERT_EQUAL(name_unique_id_of_twin("1.M1.x", 6, 42, twin), 0);
	snprintf(text, sizeof text, HEADER "1 P%s :gone\n2 :1.M1.x\n", twin);
	struct foreign_ids *ids = right(&dovecot, text);
	CU_ASSERT_EQUAL(foreign_ids_choose_twin(ids, "1.M1.x", 6, 42, id), 0);
	CU_ASSERT_EQUAL(strlen(id), 66);
	CU_ASSERT_STRING_NOT_EQUAL(id, twin);
	CU_ASSERT(is(ids, "1.M1.x", "000000026553f100"));
	foreign_ids_free(ids);
}

static void first_that_is_listed_has_a_unique_id_for_good(void)
{
	struct foreign_ids *ids =
		right(&dovecot, HEADER "1 Psame :a\n2 Psame :b\n3 :c\n5 P000000036553f100 :d\n");
	CU_ASSERT(is(ids, "a", "same"));
	CU_ASSERT(is(ids, "b", "b"));
	CU_ASSERT(is(ids, "c", "000000036553f100"));
	CU_ASSERT(is(ids, "d", "d"));
	CU_ASSERT_EQUAL(foreign_ids_summary(ids).spoilt, 2);
	foreign_ids_free(ids);
}

static void message_that_is_listed_twice_counts_as_it_is_listed_last(void)
{
	struct foreign_ids *ids =
		right(&dovecot, HEADER
		      "1 :a\n2 :b\n3 :a:2,S\n4 Pkept :c\n5 Pkept :c\n6 P000000016553f100 :d\n");
	for (int twice = 0; twice < 2; twice++) {
		CU_ASSERT(is(ids, "a", "000000036553f100"));
		CU_ASSERT(is(ids, "b", "000000026553f100"));
		CU_ASSERT(is(ids, "c", "kept"));
		/* What "a" had is nobody's any more. */
		CU_ASSERT(is(ids, "d", "d"));
	}
	CU_ASSERT_EQUAL(foreign_ids_summary(ids).spoilt, 1);
	foreign_ids_free(ids);
}

static void unique_ids_that_are_not_legal_are_ours_instead(void)
{
	const struct uidl_rule by_name = {.format = UIDL_DOVECOT, .pattern = "%f"};
	char text[1024];
	char name[300];
	memset(name, 'n', sizeof name);
	snprintf(text, sizeof text, HEADER "1 :%.71s\n2 :%.70s\n3 :two words\n4 Pid :%.256s\n",
		 name, name, name);
	struct foreign_ids *ids = right(&by_name, text);
	name[71] = '\0';
	CU_ASSERT(is_hashed(ids, name));
	name[70] = '\0';
	CU_ASSERT(is(ids, name, name));
	CU_ASSERT(is_hashed(ids, "two words"));
	CU_ASSERT_EQUAL(foreign_ids_summary(ids).spoilt, 2);
	/* A name that no file has: its unique-id is taken all the same. */
	CU_ASSERT(is_hashed(ids, "id"));
	CU_ASSERT(is_hashed(ids, ""));
	foreign_ids_free(ids);
}

static void hundred_thousand_messages_are_all_found(void)
{
	enum { COUNT = 100000 };
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);
	if (file == NULL)
		abort();
	fputs(HEADER, file);
	for (int i = 1; i <= COUNT; i++)
		fprintf(file, "%d :%d.M1P1.host\n", i, 1700000000 + i);
	fclose(file);
	struct foreign_ids *ids = right(&dovecot, text);
	free(text);
	size_t wrong = 0;
	for (size_t i = 1; i <= COUNT; i++) {
		unsigned step = (unsigned)(i * 77777 % COUNT) + 1; /* in an order of its own */
		char name[32];
		char expected[NAME_ID_SIZE];
		char id[NAME_ID_SIZE];
		snprintf(name, sizeof name, "%u.M1P1.host", 1700000000 + step);
		snprintf(expected, sizeof expected, "%08x6553f100", step);
		foreign_ids_choose(ids, name, strlen(name), id);
		wrong += strcmp(id, expected) != 0;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(foreign_ids_summary(ids).messages, COUNT);
	foreign_ids_free(ids);
	test_count(COUNT);
}

/* ---- Spoilt lists ---- */

/* As Dovecot 2.3 and Courier 1.0 have written them. */
static const char real_dovecot[] =
	"3 V1795645537 N6 Gda46bd356160076b2a44000083ecc375\n"
	"1 W32 Podd :odd name\n"
	"2 W32 P1700000001.M1P1.host.1795645537.2 :1700000001.M1P1.host\n"
	"3 P1700000002.M1P1.host,S=24,W=32.1795645537.3 :1700000002.M1P1.host,S=24,W=32\n"
	"4 W32 P :1700000004.M1P1.host\n"
	"5 W32 :1700000005.M1P1.host\n";
static const char real_courier[] = "/3 6 1795645541\n"
				   "odd name:2, 32 1:1795645541:0\n"
				   "1700000001.M1P1.host:2,S 32 2:1795645541:0\n"
				   "1700000002.M1P1.host,S=24,W=32:2, 32 3:1795645541:0\n"
				   "1700000004.M1P1.host:2, 32 4:1795645541:0\n"
				   "1700000005.M1P1.host:2, 32 5:1795645541:0\n";

/* The listed messages, a new one, two that are named as unique-ids, and a twin. */
static void no_two_are_alike(struct foreign_ids *ids)
{
	static const char *const names[] = {
		"1700000001.M1P1.host", "1700000002.M1P1.host,S=14,W=17", "odd name",
		"1700000004.M1P1.host", "1800000000.M1P1.host",           "000000016b074591",
		"UID1-1795643409"};
	enum { NAMES = sizeof names / sizeof *names };
	char id[NAMES + 1][NAME_ID_SIZE];
	for (size_t i = 0; i < NAMES; i++)
		if (foreign_ids_choose(ids, names[i], strlen(names[i]), id[i]) != 0)
			abort();
	if (foreign_ids_choose_twin(ids, names[0], strlen(names[0]), 7, id[NAMES]) != 0)
		abort();
	for (size_t i = 0; i <= NAMES; i++) {
		CU_ASSERT(name_is_unique_id(id[i], strlen(id[i])));
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(id[i], id[j]);
	}
}

static size_t try_list(const struct uidl_rule *rule, const char *text, size_t length)
{
	struct foreign_ids *ids;
	int result = parse(rule, text, length, &ids);
	CU_ASSERT(result == 0 || result == -EBADMSG || result == -EAGAIN);
	if (result < 0)
		return 0;
	no_two_are_alike(ids);
	foreign_ids_free(ids);
	return 1;
}

static void every_flipped_octet(const struct uidl_rule *rule, const char *list)
{
	size_t length = strlen(list);
	size_t believed = 0;
	unsigned long values = test_setting("POP3_FLIP_VALUES", 256);
	char text[512];
	CU_ASSERT_EQUAL(try_list(rule, list, length), 1);
	for (size_t i = 0; i < length; i++) {
		for (unsigned long value = 0; value < values; value++) {
			memcpy(text, list, length);
			text[i] = (char)(value * 256 / values);
			believed += try_list(rule, text, length);
		}
	}
	/* Names, sizes and many a digit may be others, which only a checksum could tell. */
	CU_ASSERT(believed > length && believed < values * length * 9 / 10);
	test_count(values * length);
}

static void no_flipped_octet_makes_two_unique_ids_alike_or_illegal(void)
{
	static const struct uidl_rule by_name = {.format = UIDL_DOVECOT, .pattern = "%f"};
	static const struct uidl_rule short_id = {.format = UIDL_DOVECOT, .pattern = "%1u"};
	every_flipped_octet(&dovecot, real_dovecot);
	every_flipped_octet(&by_name, real_dovecot);
	every_flipped_octet(&short_id, real_dovecot);
	every_flipped_octet(&courier, real_courier);
}

/* Where a line ends nobody can tell that more should follow; anywhere else the list is refused. */
static void list_that_is_cut_within_a_line_is_refused(void)
{
	const char *const lists[] = {real_dovecot, real_courier};
	const struct uidl_rule *const rules[] = {&dovecot, &courier};
	for (size_t i = 0; i < 2; i++) {
		size_t length = strlen(lists[i]);
		for (size_t cut = 0; cut <= length; cut++) {
			bool whole = cut > 0 && lists[i][cut - 1] == '\n';
			CU_ASSERT_EQUAL(try_list(rules[i], lists[i], cut), whole);
		}
		test_count(length + 1);
	}
}

static const struct test tests[] = {
	TEST(messages_are_found_by_base_name_in_any_order),
	TEST(without_a_list_all_are_ours),
	TEST(unique_id_of_ours_that_is_listed_becomes_another),
	TEST(twin_of_ours_that_is_listed_becomes_another),
	TEST(first_that_is_listed_has_a_unique_id_for_good),
	TEST(message_that_is_listed_twice_counts_as_it_is_listed_last),
	TEST(unique_ids_that_are_not_legal_are_ours_instead),
	TEST(hundred_thousand_messages_are_all_found),
	TEST(no_flipped_octet_makes_two_unique_ids_alike_or_illegal),
	TEST(list_that_is_cut_within_a_line_is_refused),
	TEST_END,
};
const struct test_suite suite_foreign_ids = {"foreign_ids", tests};
