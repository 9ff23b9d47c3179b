/*
 * The documents name exactly the keys of the table, with their defaults. Run in the source's root,
 * as make does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/options.h"
#include "unit/suite.h"

#define FILE_SIZE 65536

static size_t read_text(const char *path, char text[FILE_SIZE])
{
	FILE *file = fopen(path, "re");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	size_t length = fread(text, 1, FILE_SIZE - 1, file);
	text[length] = '\0';
	fclose(file);
	return length;
}

static size_t occurrences(const char *text, const char *part)
{
	size_t count = 0;
	for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
		count++;
	return count;
}

static void complain(const char *place, unsigned line, const char *text, void *data)
{
	(void)line;
	(void)data;
	printf("%s: %s\n", place, text);
}

static void sample_configuration_has_every_key_with_its_default(void)
{
	static char text[FILE_SIZE];
	const struct option_report report = {complain, NULL};
	struct options options, standard;
	size_t length = read_text("etc/pop3-emitter.conf", text);

	CU_ASSERT_EQUAL_FATAL(options_init(&standard), 0);
	CU_ASSERT_EQUAL_FATAL(options_init(&options), 0);
	CU_ASSERT_EQUAL(options_parse(&options, "conf", text, length, &report), 0);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		CU_ASSERT_EQUAL(options.source[i], OPTION_DEFAULT);

	/* "#key" is a setting in a comment, "# Text" is not. */
	for (char *at = strstr(text, "\n#"); at != NULL; at = strstr(at + 1, "\n#"))
		if (at[2] >= 'a' && at[2] <= 'z')
			at[1] = ' ';
	CU_ASSERT_EQUAL(options_parse(&options, "conf", text, length, &report), 0);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		CU_ASSERT_EQUAL(options.source[i], OPTION_FILE);
		if (option_rows[i].standard != NULL)
			CU_ASSERT_TRUE(options_same(&options, &standard, &option_rows[i]));
	}
	options_fini(&options);
	options_fini(&standard);
	test_count(OPTION_COUNT);
}

static void man_page_has_every_key_with_its_default(void)
{
	static char text[FILE_SIZE];
	char part[128];
	read_text("etc/man/pop3-emitter.conf.5", text);

	CU_ASSERT_EQUAL(occurrences(text, "\n.It Ic "), OPTION_COUNT);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];
		snprintf(part, sizeof part, "\n.It Ic %s No = ", row->key);
		CU_ASSERT_EQUAL_FATAL(occurrences(text, part), 1);
		const char *entry = strstr(text, part) + 1;
		const char *next = strstr(entry, "\n.It Ic ");
		snprintf(part, sizeof part, "\nDefault:\n.Li %s .\n", row->standard);
		if (row->standard == NULL)
			snprintf(part, sizeof part, "\nNot set by default.\n");
		const char *standard = strstr(entry, part);
		CU_ASSERT(standard != NULL && (next == NULL || standard < next));
		const char *restart = strstr(entry, "\nRestart.\n");
		bool told = restart != NULL && (next == NULL || restart < next);
		CU_ASSERT_EQUAL(told, row->restart);
	}
	test_count(OPTION_COUNT);
}

static const struct test tests[] = {
	TEST(sample_configuration_has_every_key_with_its_default),
	TEST(man_page_has_every_key_with_its_default),
	TEST_END,
};
const struct test_suite suite_config_docs = {"config_docs", tests};
