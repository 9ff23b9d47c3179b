/*
 * Any octets as a configuration file: each problem names a line that the file has and prints clean,
 * every value lies in the range of its row whatever was refused, and a second reading agrees.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/address.h"
#include "daemon/options.h"
#include "fuzz.h"

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
	CHECK(line >= 1 && line <= heard->lines);
	CHECK(line >= heard->last_line);
	CHECK(strncmp(place, "conf:", 5) == 0 && strtoul(place + 5, NULL, 10) == line);
	CHECK(*text != '\0' && is_clean(place) && is_clean(text));
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
	CHECK(text != NULL || row->standard == NULL);
	CHECK(text == NULL || (*text != '\0' && is_clean(text)));
	CHECK(text == NULL || row->type != OPTION_WORD || strchr(text, ' ') == NULL);
	CHECK(text == NULL || row->type != OPTION_MARKS || strpbrk(text, " @a0Z") == NULL);
}

static void check_list(const struct option_row *row, const struct option_list *list)
{
	CHECK(list->count >= (row->standard != NULL) && list->count <= OPTIONS_LIST_MAX);
	for (size_t i = 0; i < list->count; i++)
		CHECK(row->type == OPTION_ADDRESS
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
		CHECK(number >= row->minimum && number <= row->maximum);
	if (row->type == OPTION_CHOICE)
		CHECK(number < word_count(row->choices));
	if (row->type == OPTION_BOOLEAN)
		CHECK(*(const unsigned char *)member <= 1);
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
	CHECK(options_init(options) == 0);
	unsigned problems = options_parse(options, "conf", text, size, &report);
	CHECK(problems == heard.count);
	return problems;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct options first, second;
	unsigned problems = read_once(&first, (const char *)data, size);

	CHECK(problems == read_once(&second, (const char *)data, size));
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		check_value(&first, &option_rows[i]);
		CHECK(options_same(&first, &second, &option_rows[i]));
		CHECK(first.source[i] == OPTION_DEFAULT || first.source[i] == OPTION_FILE);
	}
	options_fini(&first);
	options_fini(&second);
	return 0;
}
