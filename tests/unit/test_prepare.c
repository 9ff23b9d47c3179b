/* Names and passwords in the one form in which they are compared (RFC 8265 section 4). */
#include <string.h>

#include "proto/prepare.h"
#include "unit/suite.h"

static void names_and_passwords_take_one_form(void)
{
	static const struct {
		const char *given, *made;
	} cases[] = {
		{"", ""},
		{"plain Text 1 ", "plain Text 1 "},
		{"Zo\xc3\xab", "Zo\xc3\xab"},
		{"Zoe\xcc\x88", "Zo\xc3\xab"},           /* composed */
		{"\xe2\x84\xab", "\xc3\x85"},            /* the unit ångström is the letter */
		{"a\xe3\x80\x80\xc3\xab", "a \xc3\xab"}, /* a wide blank */
		{"a\xc2\xa0z", "a z"},                   /* one that does not break */
		{"\xe3\x83\x91\xe3\x82\xb9", "\xe3\x83\x91\xe3\x82\xb9"}, /* カナ stays */
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},                 /* and so do symbols */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char made[PREPARED_SIZE] = "?";
		size_t length = 999;
		CU_ASSERT_EQUAL(prepare_text(cases[i].given, strlen(cases[i].given), made, &length),
				0);
		CU_ASSERT_STRING_EQUAL(made, cases[i].made);
		CU_ASSERT_EQUAL(length, strlen(cases[i].made));
		test_count(1);
	}
}

static void names_and_passwords_with_forbidden_characters_are_refused(void)
{
	static const char *const refused[] = {
		"\xff",                 /* no UTF-8 */
		"zo\xeb",               /* Latin-1 */
		"\xed\xa0\x80",         /* a surrogate */
		"\xc3\xab\xc2\x85",     /* a control character beyond ASCII */
		"a\xef\xbf\xbf",        /* no character */
		"\xcd\xb8",             /* unassigned */
		"\xc2\xad\xc3\xab",     /* a soft hyphen */
		"\xe2\x80\x8b\xc3\xab", /* a blank without width */
	};
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		char made[PREPARED_SIZE] = "kept";
		size_t length = 4;
		CU_ASSERT_EQUAL(prepare_text(refused[i], strlen(refused[i]), made, &length),
				-22 /* EINVAL */);
		CU_ASSERT_STRING_EQUAL(made, "kept");
		CU_ASSERT_EQUAL(length, 4);
		test_count(1);
	}
}

/* U+0958 is written as two characters in NFC: three octets become six. */
static void names_and_passwords_that_become_too_long_are_refused(void)
{
	char given[256], made[PREPARED_SIZE];
	size_t length;
	for (size_t i = 0; i < 85; i++)
		memcpy(given + 3 * i, "\xe0\xa5\x98", 3);
	CU_ASSERT_EQUAL(prepare_text(given, 3 * 42, made, &length), 0);
	CU_ASSERT_EQUAL(length, 252);
	CU_ASSERT_EQUAL(prepare_text(given, 3 * 43, made, &length), -22);
	memset(given, 'a', sizeof given);
	CU_ASSERT_EQUAL(prepare_text(given, 255, made, &length), 0);
	CU_ASSERT_EQUAL(prepare_text(given, 256, made, &length), -22);
}

static const struct test tests[] = {
	TEST(names_and_passwords_take_one_form),
	TEST(names_and_passwords_with_forbidden_characters_are_refused),
	TEST(names_and_passwords_that_become_too_long_are_refused),
	TEST_END,
};
const struct test_suite suite_prepare = {"prepare", tests};
