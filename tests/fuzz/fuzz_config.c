/*
 * Any octets as a configuration file: each problem names a line that the file has and prints clean,
 * every value lies in the range of its row whatever was refused, and a second reading agrees.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/address.h"
#include "daemon/options.h"

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
	unsigned count;
	unsigned last_line;
	size_t lines; /* that the input has */
};

static bool is_clean(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static void hear(const char *place, unsigned line, const char *text, void *data)
{
	struct heard *heard = data;
	EXPECT(line >= 1 && line <= heard->lines);
	EXPECT(line >= heard->last_line);
	EXPECT(strncmp(place, "conf:", 5) == 0 && strtoul(place + 5, NULL, 10) == line);
	EXPECT(*text != '\0' && is_clean(place) && is_clean(text));
	heard->last_line = line;
	heard->count++;
}

static uint32_t word_count(const char *words)
{
	uint32_t count = 1;
	for (; *words != '\0'; words++)
		count += *words == ' ';
	return count;
}

static void check_text(const struct option_row *row, const char *text)
{
	EXPECT(text != NULL || row->standard == NULL);
	EXPECT(text == NULL || (*text != '\0' && is_clean(text)));
	EXPECT(text == NULL || row->type != OPTION_WORD || strchr(text, ' ') == NULL);
	EXPECT(text == NULL || row->type != OPTION_MARKS || strpbrk(text, " @a0Z") == NULL);
}

static void check_list(const struct option_row *row, const struct option_list *list)
{
	EXPECT(list->count >= (row->standard != NULL) && list->count <= OPTIONS_LIST_MAX);
	for (size_t i = 0; i < list->count; i++)
		EXPECT(row->type == OPTION_ADDRESS
			       ? address_kind(list->items[i]) != ADDRESS_NONE
			       : *list->items[i] != '\0' && is_clean(list->items[i]));
}

static void check_value(const struct options *options, const struct option_row *row)
{
	const char *member = (const char *)options + row->offset;
	uint32_t number = 0;

	if (row->type == OPTION_NUMBER || row->type == OPTION_CHOICE)
		memcpy(&number, member, sizeof number);
	if (row->type == OPTION_NUMBER)
		EXPECT(number >= row->minimum && number <= row->maximum);
	if (row->type == OPTION_CHOICE)
		EXPECT(number < word_count(row->choices));
	if (row->type == OPTION_BOOLEAN)
		EXPECT(*(const unsigned char *)member <= 1);
	if (row->type == OPTION_WORD || row->type == OPTION_MARKS || row->type == OPTION_PATH)
		check_text(row, *(char *const *)(const void *)member);
	if (row->type == OPTION_ADDRESS || row->type == OPTION_NETWORK || row->type == OPTION_FILES)
		check_list(row, (const void *)member);
}

static unsigned read_once(struct options *options, const char *text, size_t size)
{
	struct heard heard = {.lines = 1};
	const struct option_report report = {hear, &heard};

	for (size_t i = 0; i + 1 < size; i++)
		heard.lines += text[i] == '\n';
	EXPECT(options_init(options) == 0);
	unsigned problems = options_parse(options, "conf", text, size, &report);
	EXPECT(problems == heard.count);
	return problems;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct options first, second;
	unsigned problems = read_once(&first, (const char *)data, size);

	EXPECT(problems == read_once(&second, (const char *)data, size));
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		check_value(&first, &option_rows[i]);
		EXPECT(options_same(&first, &second, &option_rows[i]));
		EXPECT(first.source[i] == OPTION_DEFAULT || first.source[i] == OPTION_FILE);
	}
	options_fini(&first);
	options_fini(&second);
	return 0;
}
