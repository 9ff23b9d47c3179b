/*
 * Values of settings: from text to value, checked against the row. Every source ends here, so that
 * a default, a file, a variable and a flag obey the same rules and give the same messages.
 */
#include "daemon/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/mechanisms.h"
#include "base/network.h"
#include "base/number.h"
#include "daemon/address.h"
#include "store/uidl_pattern.h"

/* Room for a phrase that says what is wrong with a value. */
#define WRONG_SIZE 160
_Static_assert(WRONG_SIZE >= UIDL_PATTERN_WRONG_SIZE, "the phrases of patterns fit");

static _Thread_local char wrong[WRONG_SIZE];

static void *member(struct options *options, const struct option_row *row)
{
	return (char *)options + row->offset;
}

static const void *member_of(const struct options *options, const struct option_row *row)
{
	return (const char *)options + row->offset;
}

static size_t row_index(const struct option_row *row)
{
	return (size_t)(row - option_rows);
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* ispunct(3) in any locale. */
static bool is_mark(char c)
{
	return c != '@' && ((c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') ||
			    (c > 'z' && c < 0x7f));
}

static const char *set_boolean(bool *value, const char *text)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return "must be yes or no";
	*value = strcmp(text, "yes") == 0;
	return NULL;
}

static const char *set_number(const struct option_row *row, uint32_t *value, const char *text)
{
	uint64_t number = 0;
	if (!number_parse(text, strlen(text), row->maximum, &number) || number < row->minimum) {
		snprintf(wrong, sizeof wrong, "must be a number from %u to %u", row->minimum,
			 row->maximum);
		return wrong;
	}
	*value = (uint32_t)number;
	return NULL;
}

static const char *set_choice(const struct option_row *row, uint32_t *value, const char *text)
{
	uint32_t index = 0;
	for (const char *word = row->choices; *word != '\0'; index++) {
		size_t length = strcspn(word, " ");
		if (strlen(text) == length && strncmp(word, text, length) == 0) {
			*value = index;
			return NULL;
		}
		word += length + (word[length] == ' ');
	}
	snprintf(wrong, sizeof wrong, "must be one of: %s", row->choices);
	return wrong;
}

const char options_no_memory[] = "out of memory";

static const char *set_text(const struct option_row *row, char **value, const char *text)
{
	if (*text == '\0')
		return "must not be empty";
	for (const char *c = text; *c != '\0'; c++) {
		if (is_control(*c))
			return "must not hold control characters";
		if (row->type == OPTION_WORD && (*c == ' ' || (unsigned char)*c >= 0x80))
			return "must be one word of ASCII";
		if (row->type == OPTION_COMMAND && *text != '/')
			return "must begin with an absolute path";
		if (row->type == OPTION_MARKS && !is_mark(*c))
			return "must be punctuation, and no @";
	}
	char *copy = strdup(text);
	if (copy == NULL)
		return options_no_memory;
	free(*value);
	*value = copy;
	return NULL;
}

static const char *set_pattern(const struct option_row *row, char **value, const char *text)
{
	const char *problem = uidl_pattern_check(text, wrong);
	return problem != NULL ? problem : set_text(row, value, text);
}

static bool is_list(const struct option_row *row)
{
	return row->type == OPTION_ADDRESS || row->type == OPTION_NETWORK ||
	       row->type == OPTION_MECHANISMS || row->type == OPTION_FILES;
}

static void list_fini(struct option_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	*list = (struct option_list){0};
}

/* What is wrong with an item of a list by itself, or NULL. */
static const char *check_item(const struct option_row *row, const char *item)
{
	if (row->type == OPTION_ADDRESS && address_kind(item) == ADDRESS_NONE)
		return "must be HOST:PORT with a numeric host, :PORT or unix:/PATH";
	struct network network;
	if (row->type == OPTION_NETWORK && network_parse(item, &network) < 0)
		return "must be ADDRESS/BITS with no bit set behind them, ADDRESS or unix";
	struct mechanisms known = {.count = 0};
	if (row->type == OPTION_MECHANISMS && !mechanisms_add(&known, item)) {
		size_t used = (size_t)snprintf(wrong, sizeof wrong, "must be of: ");
		mechanisms_names(wrong + used, sizeof wrong - used);
		return wrong;
	}
	for (const char *c = item; *c != '\0'; c++)
		if (is_control(*c))
			return "must not hold control characters";
	return NULL;
}

/* Files may be named twice: two certificates may have one key. */
static const char *list_add(const struct option_row *row, struct option_list *list,
			    const char *text, size_t length)
{
	if (list->count == OPTIONS_LIST_MAX)
		return row->type == OPTION_FILES ? "holds too many files"
						 : "holds too many addresses";
	char *item = strndup(text, length);
	if (item == NULL)
		return options_no_memory;
	const char *problem = check_item(row, item);
	for (size_t i = 0; problem == NULL && row->type != OPTION_FILES && i < list->count; i++)
		if (strcmp(list->items[i], item) == 0)
			problem = row->type == OPTION_MECHANISMS ? "holds a name twice"
								 : "holds an address twice";
	if (problem != NULL) {
		free(item);
		return problem;
	}
	list->items[list->count++] = item;
	return NULL;
}

/* The next item of the text: *length octets, without the blanks around it, which a path may hold
 * inside. */
static const char *next_item(const struct option_row *row, const char *text, size_t *length)
{
	text += strspn(text, ", \t");
	*length = strcspn(text, row->type == OPTION_FILES ? "," : ", \t");
	while (*length > 0 && (text[*length - 1] == ' ' || text[*length - 1] == '\t'))
		--*length;
	return text;
}

/* The items in the text, added to what the same source said before. */
static const char *set_list(const struct option_row *row, struct option_list *value, bool append,
			    const char *text)
{
	struct option_list list = {0};
	const char *problem = NULL;
	size_t length;

	for (size_t i = 0; append && problem == NULL && i < value->count; i++)
		problem = list_add(row, &list, value->items[i], strlen(value->items[i]));
	size_t before = list.count;
	for (const char *c = next_item(row, text, &length); problem == NULL && length > 0;
	     c = next_item(row, c + length, &length))
		problem = list_add(row, &list, c, length);
	if (problem == NULL && list.count == before)
		problem = "must not be empty";
	if (problem != NULL) {
		list_fini(&list);
		return problem;
	}
	list_fini(value);
	*value = list;
	return NULL;
}

const char *options_set(struct options *options, const struct option_row *row,
			enum option_source source, const char *value)
{
	unsigned char *from = &options->source[row_index(row)];
	bool again = source != OPTION_DEFAULT && *from == source;
	const char *problem = NULL;

	if (again && !is_list(row))
		return "is given twice";
	if (strlen(value) > OPTIONS_VALUE_MAX)
		return "is too long";
	switch (row->type) {
	case OPTION_BOOLEAN:
		problem = set_boolean(member(options, row), value);
		break;
	case OPTION_NUMBER:
		problem = set_number(row, member(options, row), value);
		break;
	case OPTION_CHOICE:
		problem = set_choice(row, member(options, row), value);
		break;
	case OPTION_WORD:
	case OPTION_MARKS:
	case OPTION_PATH:
	case OPTION_COMMAND:
		problem = set_text(row, member(options, row), value);
		break;
	case OPTION_PATTERN:
		problem = set_pattern(row, member(options, row), value);
		break;
	case OPTION_ADDRESS:
	case OPTION_NETWORK:
	case OPTION_MECHANISMS:
	case OPTION_FILES:
		problem = set_list(row, member(options, row), again, value);
		break;
	}
	if (problem == NULL)
		*from = (unsigned char)source;
	return problem;
}

int options_init(struct options *options)
{
	*options = (struct options){0};
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];
		if (row->standard == NULL)
			continue;
		if (options_set(options, row, OPTION_DEFAULT, row->standard) != NULL) {
			options_fini(options);
			return -ENOMEM; /* a test shows that every default is right */
		}
	}
	return 0;
}

void options_fini(struct options *options)
{
	list_fini(&options->listen);
	list_fini(&options->listen_tls);
	list_fini(&options->proxy);
	list_fini(&options->cert);
	list_fini(&options->key);
	list_fini(&options->ocsp);
	list_fini(&options->mechanisms);
	free(options->verify_command);
	free(options->client_ca);
	free(options->maildir);
	free(options->passwd);
	free(options->user);
	free(options->hostname);
	free(options->index_dir);
	free(options->recipient_delimiter);
	free(options->dovecot_uidl_format);
	*options = (struct options){0};
}

static bool same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static bool same_list(const struct option_list *a, const struct option_list *b)
{
	bool same = a->count == b->count;
	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->items[i], b->items[i]) == 0;
	return same;
}

bool options_same(const struct options *a, const struct options *b, const struct option_row *row)
{
	const void *left = member_of(a, row);
	const void *right = member_of(b, row);

	switch (row->type) {
	case OPTION_BOOLEAN:
		return *(const bool *)left == *(const bool *)right;
	case OPTION_NUMBER:
	case OPTION_CHOICE:
		return *(const uint32_t *)left == *(const uint32_t *)right;
	case OPTION_WORD:
	case OPTION_MARKS:
	case OPTION_PATH:
	case OPTION_COMMAND:
	case OPTION_PATTERN:
		return same_text(*(char *const *)left, *(char *const *)right);
	case OPTION_ADDRESS:
	case OPTION_NETWORK:
	case OPTION_MECHANISMS:
	case OPTION_FILES:
		return same_list(left, right);
	}
	return false;
}
