/* The lists of other servers: what is read from right ones, and where wrong ones are wrong. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/uidl_pattern.h"
#include "store/uidlist.h"
#include "unit/suite.h"

/* What was visited, as "name=id name=id ". */
struct visited {
	char text[2048];
	size_t count;
	size_t stop; /* stop at this visit, 1-based */
};

static int visit(void *state, const struct uidlist_entry *entry)
{
	struct visited *v = state;
	size_t length = strlen(v->text);
	snprintf(v->text + length, sizeof v->text - length, "%.*s=%.*s ", (int)entry->name_length,
		 entry->name, (int)entry->id_length, entry->id);
	return ++v->count == v->stop ? -ENOMEM : 0;
}

/* Parse a copy of exactly that size, so that a sanitizer sees each octet read too far. */
static int parse(const char *pattern, const char *text, size_t length, struct visited *v,
		 struct uidlist_report *report)
{
	char *exact = malloc(length + (length == 0));
	if (exact == NULL)
		abort();
	memcpy(exact, text, length);
	memset(report, 0xa5, sizeof *report);
	v->text[0] = '\0';
	v->count = 0;
	int result = pattern != NULL
			     ? uidlist_dovecot_parse(exact, length, pattern, visit, v, report)
			     : uidlist_courier_parse(exact, length, visit, v, report);
	free(exact);
	return result;
}

static void reads(const char *pattern, const char *text, unsigned version, const char *expected)
{
	struct visited v = {.stop = 0};
	struct uidlist_report report;
	CU_ASSERT_EQUAL(parse(pattern, text, strlen(text), &v, &report), 0);
	CU_ASSERT_STRING_EQUAL(v.text, expected);
	CU_ASSERT_EQUAL(report.version, version);
	CU_ASSERT_PTR_NULL(report.problem);
	if (strcmp(v.text, expected) != 0)
		printf("read: %s\n", v.text);
}

/* ---- Dovecot ---- */

#define HEADER "3 V1700000000 N4 G1a2b\n"

static void dovecot_list_of_version_3_is_read(void)
{
	reads(UIDL_PATTERN_STANDARD,
	      HEADER "1 :1700000001.M1P1.host,S=14,W=17\n"
		     "2 W17 S14 :1700000002.M1P1.host\n"
		     "4294967294 G0a0b :odd name\n",
	      3,
	      "1700000001.M1P1.host,S=14,W=17=000000016553f100 "
	      "1700000002.M1P1.host=000000026553f100 odd name=fffffffe6553f100 ");
	reads("%u", HEADER, 3, "");
	reads("%v.%u", "3 N1 V5\n7 :a\n", 3, "a=5.7 ");
	reads("%v.%u", "3 V5 N1 X Yz P%f  Gx\n7  :a\n9   O5   W1 ::b\n", 3, "a=5.7 :b=5.9 ");
	test_count(4);
}

static void dovecot_list_of_version_1_is_read(void)
{
	reads("%v.%u", "1 5 9\n1 1.M1.x\n7 2.M1.x:2,S\n8 odd name\n", 1,
	      "1.M1.x=5.1 2.M1.x:2,S=5.7 odd name=5.8 ");
	reads("%f", "1 5 9\n1 1.M1.x\n7 2.M1.x:2,S\n8  :2,S\n", 1,
	      "1.M1.x=1.M1.x 2.M1.x:2,S=2.M1.x :2,S= ");
	reads("%g", "1 5 9\n1 P :x\n", 1, "P :x= ");
	test_count(3);
}

static void stored_unique_id_of_dovecot_wins(void)
{
	reads("%u", HEADER "1 Pstored-1 :a\n2 W5 Pst:ored S7 :b\n3 P :c\n4 :d\n", 3,
	      "a=stored-1 b=st:ored c=c d=4 ");
	/* Empty means the base name; the first of two counts. */
	reads("%u", HEADER "1 P :a:2,S\n2 Pone Ptwo :b\n3 P Ptwo :c\n", 3, "a:2,S=a b=one c=c ");
	/* One with a blank, as Dovecot writes and reads it. */
	reads("%u", HEADER "1 Pwith a Qblank W32 :a\n", 3, "a=with ");
	reads("%g", HEADER "1 Gguid :a\n2 G :b\n3 :c\n4 Gx Gy :d\n", 3, "a=guid b=b c=c d=x ");
	test_count(4);
}

static void unique_ids_that_are_not_legal_come_as_none(void)
{
	char text[256];
	char expected[256];
	char name[72];
	memset(name, 'n', 71);
	name[71] = '\0';
	snprintf(text, sizeof text, HEADER "1 P%s :a\n2 P :%s\n3 Pcaf\xc3\xa9 :b\n", name, name);
	snprintf(expected, sizeof expected, "a= %s= b= ", name);
	reads("%u", text, 3, expected);
	snprintf(text, sizeof text, HEADER "1 P%.70s :a\n2 P :%.70s\n", name, name);
	snprintf(expected, sizeof expected, "a=%.70s %.70s=%.70s ", name, name, name);
	reads("%u", text, 3, expected);
	test_count(2);
}

static void lines_may_end_with_crlf(void)
{
	reads("%u", "3 V1 N1\r\n1 :a\r\n2 Px :b\r\n", 3, "a=1 b=x ");
	reads(NULL, "/3 2 7\r\na 1 1:7:0\r\nb 1 2:7\r\n", 3, "a=UID1-7 b=UID2-7 ");
	test_count(2);
}

/* ---- Courier ---- */

static void courier_list_is_read(void)
{
	reads(NULL,
	      "/3 4 1700000000\n"
	      "1700000001.M1P1.host,S=14:2, 17 2:1700000000:0\n"
	      "odd name:2, 1 1:1700000000:1\n"
	      "1700000002.M1P1.host:2,S 17 3:1600000000:0\n",
	      3,
	      "1700000001.M1P1.host,S=14:2,=UID2-1700000000 odd name:2,=UID1-1700000000 "
	      "1700000002.M1P1.host:2,S=UID3-1600000000 ");
	reads(NULL, "/2 4 1700000000\na:2,S 17 3:1700000000\nb 0 4:0\n", 2,
	      "a:2,S=UID3-1700000000 b=UID4 ");
	reads(NULL, "/3 4\na 17 18446744073709551615:18446744073709551615:0\n", 3,
	      "a=UID18446744073709551615-18446744073709551615 ");
	reads(NULL, "/3 1 1700000000\n", 3, "");
	test_count(4);
}

static void courier_message_without_a_number_has_its_name(void)
{
	char text[128];
	char expected[256];
	reads(NULL, "/3 4 5\n1.M1.x,S=5:2,S 17 0:0:0\n'a\"+ \xff 17 0:7\n", 3,
	      "1.M1.x,S=5:2,S=1.M1.x,S=5 'a\"+ \xff=+27a+22+2B+20+FF ");
	for (int length = 70; length <= 71; length++) {
		char name[72];
		memset(name, 'n', 71);
		snprintf(text, sizeof text, "/3 4 5\n%.*s 17 0:0:0\n", length, name);
		snprintf(expected, sizeof expected, "%.*s=%.*s ", length, name,
			 length > 70 ? 0 : length, name);
		reads(NULL, text, 3, expected);
	}
	reads(NULL, "/3 4 5\n:2,S 17 0:0:0\n", 3, ":2,S= ");
	test_count(4);
}

/* ---- Wrong lists ---- */

struct wrong {
	const char *text;
	size_t line;
	const char *problem;
};

static void refuses(const char *pattern, const struct wrong *wrong, size_t count, int expected)
{
	for (size_t i = 0; i < count; i++) {
		struct visited v = {.stop = 0};
		struct uidlist_report report;
		const char *text = wrong[i].text;
		int result = parse(pattern, text, strlen(text), &v, &report);
		bool as_expected = result == expected && report.line == wrong[i].line &&
				   report.problem != NULL &&
				   strstr(report.problem, wrong[i].problem) != NULL;
		CU_ASSERT(as_expected);
		if (!as_expected)
			printf("%s: %d, line %zu, %s\n", text, result, report.line, report.problem);
	}
	test_count(count);
}

static void wrong_dovecot_lists_are_refused_by_line(void)
{
	static const struct wrong wrong[] = {
		{"", 0, "empty"},
		{"\n", 1, "version"},
		{"x\n", 1, "version"},
		{" 3 V1 N1\n", 1, "version"},
		{"-3 V1 N1\n", 1, "version"},
		{"2 1 1\n", 1, "unknown version"},
		{"0 V1 N1\n", 1, "unknown version"},
		{"4 V1 N1\n1 :a\n", 1, "unknown version"},
		{"33 V1 N1\n", 1, "unknown version"},
		{"4294967299 V1 N1\n", 1, "version"},
		{"/3 1 1\n", 1, "version"},
		{"3\n", 1, "UIDVALIDITY"},
		{"3 V1\n", 1, "UIDVALIDITY"},
		{"3 N1\n", 1, "UIDVALIDITY"},
		{"3 V0 N1\n", 1, "UIDVALIDITY"},
		{"3 V1 N0\n", 1, "UIDVALIDITY"},
		{"3 V N1\n", 1, "UIDVALIDITY"},
		{"3 V1x N1\n", 1, "UIDVALIDITY"},
		{"3 V4294967296 N1\n", 1, "UIDVALIDITY"},
		{"3 V1 N4294967296\n", 1, "UIDVALIDITY"},
		{"3 V1\tN1\n", 1, "UIDVALIDITY"},
		{"1 1\n", 1, "UIDVALIDITY"},
		{"1 0 1\n", 1, "UIDVALIDITY"},
		{"1 1 0\n", 1, "UIDVALIDITY"},
		{"1 1 1 1\n", 1, "UIDVALIDITY"},
		{"1 V1 N1\n", 1, "UIDVALIDITY"},
		{"3 V1 N1\n\n", 2, "UID"},
		{"3 V1 N1\n1 :a\nx :b\n", 3, "begin with a UID"},
		{"3 V1 N1\n0 :a\n", 2, "begin with a UID"},
		{"3 V1 N1\n4294967295 :a\n", 2, "begin with a UID"},
		{"3 V1 N1\n4294967297 :a\n", 2, "begin with a UID"},
		{"3 V1 N1\n 1 :a\n", 2, "begin with a UID"},
		{"3 V1 N1\n-1 :a\n", 2, "begin with a UID"},
		{"3 V1 N1\n2 :a\n2 :b\n", 3, "not higher"},
		{"3 V1 N1\n2 :a\n1 :b\n", 3, "not higher"},
		{"1 1 3\n3 a\n", 2, "below the next UID"},
		{"3 V1 N1\n1\n", 2, "no file name"},
		{"3 V1 N1\n1 \n", 2, "no file name"},
		{"3 V1 N1\n1 :\n", 2, "no file name"},
		{"3 V1 N1\n1 Px\n", 2, "no file name"},
		{"3 V1 N1\n1 P\n", 2, "no file name"},
		{"1 1 3\n1\n", 2, "no file name"},
		{"1 1 3\n1 \n", 2, "no file name"},
		{"3 V1 N1\n1 a\n", 2, "no file name"},
		{"3 V1 N1\n1 :a/b\n", 2, "'/'"},
		{"1 1 3\n1 ../b\n", 2, "'/'"},
	};
	static const struct wrong unfinished[] = {
		{"3", 1, "no end"},
		{"3 V1 N1", 1, "no end"},
		{"3 V1 N1\n1 :a", 2, "no end"},
		{"3 V1 N1\n1 :a\n2", 3, "no end"},
		{"3 V1 N1\r\n1 :a\r", 2, "no end"},
	};
	refuses("%u", wrong, sizeof wrong / sizeof *wrong, -EBADMSG);
	refuses("%u", unfinished, sizeof unfinished / sizeof *unfinished, -EAGAIN);
}

static void wrong_courier_lists_are_refused_by_line(void)
{
	static const struct wrong wrong[] = {
		{"", 0, "empty"},
		{"\n", 1, "version"},
		{"3 1 1\n", 1, "'/'"},
		{"1.M1.x 17\n", 1, "'/'"},
		{"/\n", 1, "version"},
		{"/x 1 1\n", 1, "version"},
		{"/-3 1 1\n", 1, "version"},
		{"/1 1 1\n", 1, "unknown version"},
		{"/4 1 1\na 1 1:1:0\n", 1, "unknown version"},
		{"/3\n", 1, "next number"},
		{"/3 x 1\n", 1, "next number"},
		{"/3 1 x\n", 1, "next number"},
		{"/3 1 1 1\n", 1, "next number"},
		{"/3 1 1\n\n", 2, "NAME SIZE"},
		{"/3 1 1\na\n", 2, "NAME SIZE"},
		{"/3 1 1\na 1:1:0\n", 2, "NAME SIZE"},
		{"/3 1 1\n 1 1:1:0\n", 2, "no file name"},
		{"/3 1 1\na x 1:1:0\n", 2, "size"},
		{"/3 1 1\na  1:1:0\n", 2, "size"},
		{"/3 1 1\na 1 1:1:0 \n", 2, "size"},
		{"/3 1 1\na 1 1\n", 2, "NUMBER:VALIDITY"},
		{"/3 1 1\na 1 1:\n", 2, "NUMBER:VALIDITY"},
		{"/3 1 1\na 1 :1\n", 2, "NUMBER:VALIDITY"},
		{"/3 1 1\na 1 1:1:\n", 2, "NUMBER:VALIDITY"},
		{"/3 1 1\na 1 1:1:2\n", 2, "NUMBER:VALIDITY"},
		{"/3 1 1\na 1 1:1:0:0\n", 2, "NUMBER:VALIDITY"},
		{"/3 1 1\na 1 1:x\n", 2, "NUMBER:VALIDITY"},
		{"/3 1 1\na 1 18446744073709551616:1\n", 2, "NUMBER:VALIDITY"},
		{"/3 1 1\ncur/a 1 1:1:0\n", 2, "'/'"},
	};
	static const struct wrong unfinished[] = {
		{"/3", 1, "no end"},
		{"/3 1 1\na 1 1:1:0", 2, "no end"},
	};
	refuses(NULL, wrong, sizeof wrong / sizeof *wrong, -EBADMSG);
	refuses(NULL, unfinished, sizeof unfinished / sizeof *unfinished, -EAGAIN);
}

static void nul_octets_are_refused(void)
{
	/* As a power cut leaves a file whose data never reached the disk. */
	static const char empty[4096];
	struct visited v = {.stop = 0};
	struct uidlist_report report;
	CU_ASSERT_EQUAL(parse("%u", empty, sizeof empty, &v, &report), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(report.problem, "NUL"));
	CU_ASSERT_EQUAL(parse("%u", "\0\n", 2, &v, &report), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(report.problem, "NUL"));
	CU_ASSERT_EQUAL(parse("%u", "3 V1 N1\n1 :a\0b\n", 15, &v, &report), -EBADMSG);
	CU_ASSERT_EQUAL(report.line, 2);
	CU_ASSERT_EQUAL(parse(NULL, "/3 1 1\na\0b 1 1:1\n", 17, &v, &report), -EBADMSG);
	CU_ASSERT_EQUAL(report.line, 2);
	test_count(4);
}

static void visit_ends_the_parsing(void)
{
	struct visited v = {.stop = 2};
	struct uidlist_report report;
	const char *dovecot = "3 V1 N1\n1 :a\n2 :b\n3 :c\n";
	const char *courier = "/3 1 1\na 1 1:1\nb 1 2:1\nc 1 3:1\n";
	CU_ASSERT_EQUAL(parse("%u", dovecot, strlen(dovecot), &v, &report), -ENOMEM);
	CU_ASSERT_STRING_EQUAL(v.text, "a=1 b=2 ");
	CU_ASSERT_PTR_NULL(report.problem);
	CU_ASSERT_EQUAL(parse(NULL, courier, strlen(courier), &v, &report), -ENOMEM);
	CU_ASSERT_STRING_EQUAL(v.text, "a=UID1-1 b=UID2-1 ");
}

static const struct test tests[] = {
	TEST(dovecot_list_of_version_3_is_read),
	TEST(dovecot_list_of_version_1_is_read),
	TEST(stored_unique_id_of_dovecot_wins),
	TEST(unique_ids_that_are_not_legal_come_as_none),
	TEST(lines_may_end_with_crlf),
	TEST(courier_list_is_read),
	TEST(courier_message_without_a_number_has_its_name),
	TEST(wrong_dovecot_lists_are_refused_by_line),
	TEST(wrong_courier_lists_are_refused_by_line),
	TEST(nul_octets_are_refused),
	TEST(visit_ends_the_parsing),
	TEST_END,
};
const struct test_suite suite_uidlist = {"uidlist", tests};
