/* The table of texts and its languages. */
#include <string.h>

#include "base/utf8.h"
#include "proto/limits.h"
#include "proto/text.h"
#include "unit/suite.h"

static void every_text_exists_in_every_language(void)
{
	for (int text = 0; text < TEXTS; text++) {
		for (int language = 0; language < LANGUAGES; language++) {
			const char *t = text_of((enum text)text, (enum language)language);
			CU_ASSERT_PTR_NOT_NULL_FATAL(t);
			CU_ASSERT(*t != '\0');
			test_count(1);
		}
	}
}

static bool has_control(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return true;
	return false;
}

static size_t numbers_in(const char *text)
{
	size_t count = 0;
	for (const char *c = strchr(text, '#'); c != NULL; c = strchr(c + 1, '#'))
		count++;
	return count;
}

/* What may stand before and in a text: "-ERR [LOGIN-DELAY] ", two numbers of 20 digits. */
static void every_text_is_utf8_that_fits_a_line(void)
{
	for (int text = 0; text < TEXTS; text++) {
		const char *english = text_of((enum text)text, LANGUAGE_DEFAULT);
		for (int language = 0; language < LANGUAGES; language++) {
			const char *t = text_of((enum text)text, (enum language)language);
			CU_ASSERT(utf8_is_valid(t, strlen(t)));
			CU_ASSERT(!has_control(t));
			CU_ASSERT(19 + strlen(t) + 2 * 20 + 2 <= RESPONSE_MAX);
			/* Other texts of failures have this limit, too. */
			CU_ASSERT(strlen(t) <= ANSWER_TEXT_MAX);
			/* It would be taken for a response code. */
			CU_ASSERT(*t != '[' && *t != ' ' && t[strlen(t) - 1] != ' ');
			CU_ASSERT(numbers_in(t) <= 2 && numbers_in(t) == numbers_in(english));
			test_count(1);
		}
	}
}

/* RFC 1939 knows ASCII alone; so nobody gets more who has not asked for it. */
static void default_texts_are_ascii(void)
{
	for (int text = 0; text < TEXTS; text++) {
		const char *t = text_of((enum text)text, LANGUAGE_DEFAULT);
		CU_ASSERT(utf8_is_ascii(t, strlen(t)));
		CU_ASSERT_STRING_EQUAL(t, text_of((enum text)text, LANGUAGE_ENGLISH));
	}
	test_count(TEXTS);
}

/* A translation that was forgotten is often the original. */
static void translations_differ_from_each_other(void)
{
	static const enum text alike[] = {TEXT_MESSAGES, TEXT_OCTETS};
	for (int text = 0; text < TEXTS; text++) {
		const char *english = text_of((enum text)text, LANGUAGE_ENGLISH);
		const char *german = text_of((enum text)text, LANGUAGE_GERMAN);
		const char *french = text_of((enum text)text, LANGUAGE_FRENCH);
		CU_ASSERT(strcmp(english, german) != 0);
		CU_ASSERT(strcmp(german, french) != 0);
		if (text != (int)alike[0] && text != (int)alike[1])
			CU_ASSERT(strcmp(english, french) != 0);
	}
	test_count(TEXTS);
}

static void every_language_has_a_tag_and_a_name(void)
{
	for (int language = 0; language < LANGUAGES; language++) {
		const char *tag = language_tag((enum language)language);
		const char *name = language_name((enum language)language);
		enum language found;
		CU_ASSERT(strlen(tag) < 16 && utf8_is_ascii(tag, strlen(tag)));
		CU_ASSERT(utf8_is_valid(name, strlen(name)) && !has_control(name));
		CU_ASSERT(language_find(tag, &found));
		CU_ASSERT_EQUAL((int)found, language);
		test_count(1);
	}
}

static void ranges_find_the_language_that_is_left_of_them(void)
{
	static const struct {
		const char *range;
		enum language language;
	} found[] = {
		{"de", LANGUAGE_GERMAN},
		{"DE", LANGUAGE_GERMAN},
		{"dE-aT", LANGUAGE_GERMAN},
		{"de-Latn-DE-1996", LANGUAGE_GERMAN},
		{"de-a-extended-x-12345678", LANGUAGE_GERMAN},
		{"fr-CA", LANGUAGE_FRENCH},
		{"en", LANGUAGE_ENGLISH},
		{"en-GB-oed", LANGUAGE_ENGLISH},
		{"i-default", LANGUAGE_DEFAULT},
		{"I-Default", LANGUAGE_DEFAULT},
	};
	static const char *const lost[] = {
		"",
		"-",
		"x",
		"i",
		"d",
		"deu",
		"uga",
		"MUL",
		"de-",
		"-de",
		"de--",
		"de_AT",
		"de AT",
		"de-AT ",
		"*",
		"*-de",
		"de-*",
		"1de",
		"d1",
		"d-de",
		"x-de",
		"i-klingon",
		"ger",
		"deutsch",
		"d\xc3\xa9",
		"de-123456789",
		"abcdefghi",
		"de-\x01",
		"de-a\xc3\xa4",
		"fra",
		"eng",
	};
	enum language language;
	for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
		CU_ASSERT(language_find(found[i].range, &language));
		CU_ASSERT_EQUAL(language, found[i].language);
	}
	for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
		language = LANGUAGES;
		CU_ASSERT(!language_find(lost[i], &language));
		CU_ASSERT_EQUAL(language, LANGUAGES);
	}
	test_count(sizeof found / sizeof *found + sizeof lost / sizeof *lost);
}

static const struct test tests[] = {
	TEST(every_text_exists_in_every_language),
	TEST(every_text_is_utf8_that_fits_a_line),
	TEST(default_texts_are_ascii),
	TEST(translations_differ_from_each_other),
	TEST(every_language_has_a_tag_and_a_name),
	TEST(ranges_find_the_language_that_is_left_of_them),
	TEST_END,
};
const struct test_suite suite_text = {"text", tests};
