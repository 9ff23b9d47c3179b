/*
 * libFuzzer: any text as another server's list of unique-ids. The first line is a pattern of
 * Dovecot's, the rest the list: Courier's if it begins with '/', else Dovecot's. A list that is
 * believed gives each message what a slow search through it finds, and no two the same.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fuzz.h"
#include "store/foreign_ids.h"
#include "store/uidlist.h"

/* Entries that are searched; the work grows with the square. */
#define ENTRIES_MAX 64

struct message {
	char base[NAME_OCTETS_MAX + 1];
	size_t length;
	char id[NAME_ID_SIZE]; /* "" = not legal */
};

struct model {
	struct message messages[ENTRIES_MAX];
	size_t count;
	size_t entries; /* all that were visited */
};

static int note(void *state, const struct uidlist_entry *entry)
{
	struct model *model = state;
	model->entries++;
	CHECK(entry->name_length > 0 && memchr(entry->name, '/', entry->name_length) == NULL);
	CHECK(entry->id_length == 0 || name_is_unique_id(entry->id, entry->id_length));
	size_t length = name_base_length(entry->name, entry->name_length);
	if (model->count == ENTRIES_MAX || length > NAME_OCTETS_MAX)
		return 0;
	struct message *message = &model->messages[model->count++];
	memcpy(message->base, entry->name, length);
	message->length = length;
	memcpy(message->id, entry->id, entry->id_length);
	message->id[entry->id_length] = '\0';
	return 0;
}

static bool same_base(const struct message *a, const struct message *b)
{
	return a->length == b->length && memcmp(a->base, b->base, a->length) == 0;
}

/* What message `index` is known by: "" if not by what the list says. */
static const char *expected(const struct model *model, size_t index)
{
	const struct message *last = &model->messages[index];
	for (size_t i = index + 1; i < model->count; i++)
		if (same_base(&model->messages[i], last))
			last = &model->messages[i];
	const struct message *owner = model->messages;
	while (strcmp(owner->id, last->id) != 0)
		owner++;
	return same_base(owner, last) ? last->id : "";
}

static bool is_listed(const struct model *model, const char *id)
{
	for (size_t i = 0; i < model->count; i++)
		if (strcmp(model->messages[i].id, id) == 0)
			return true;
	return false;
}

static void check_messages(const struct model *model, struct foreign_ids *ids)
{
	static char id[ENTRIES_MAX][NAME_ID_SIZE];
	char twin[NAME_ID_SIZE];
	for (size_t i = 0; i < model->count; i++) {
		const struct message *message = &model->messages[i];
		const char *listed = expected(model, i);
		CHECK(foreign_ids_choose(ids, message->base, message->length, id[i]) == 0);
		CHECK(name_is_unique_id(id[i], strlen(id[i])));
		CHECK(foreign_ids_knows(ids, message->base, message->length) == (*listed != '\0'));
		CHECK(*listed == '\0' ? !is_listed(model, id[i]) : strcmp(id[i], listed) == 0);
		for (size_t j = 0; j < i; j++)
			CHECK((strcmp(id[i], id[j]) == 0) ==
			      same_base(message, &model->messages[j]));
		CHECK(foreign_ids_choose_twin(ids, message->base, message->length, i, twin) == 0);
		CHECK(!is_listed(model, twin) && strcmp(twin, id[i]) != 0);
	}
}

/* A message that is named as another's unique-id. */
static void check_strangers(const struct model *model, struct foreign_ids *ids)
{
	char id[NAME_ID_SIZE];
	for (size_t i = 0; i < model->count; i++) {
		const char *name = model->messages[i].id;
		size_t length = strlen(name);
		if (length == 0 || name_base_length(name, length) != length ||
		    foreign_ids_knows(ids, name, length))
			continue;
		CHECK(foreign_ids_choose(ids, name, length, id) == 0);
		CHECK(name_is_unique_id(id, strlen(id)) && !is_listed(model, id));
	}
}

static size_t count_lines(const char *text, size_t length)
{
	size_t count = 0;
	for (size_t i = 0; i < length; i++)
		count += text[i] == '\n' || i + 1 == length;
	return count;
}

static void check_refusal(const struct uidlist_report *report, int result, const char *text,
			  size_t length)
{
	CHECK(result == -EBADMSG || result == -EAGAIN);
	CHECK(report->problem != NULL && *report->problem != '\0');
	CHECK(report->line <= count_lines(text, length));
	CHECK(report->line > 0 || length == 0);
	CHECK(result != -EAGAIN || text[length - 1] != '\n');
}

static void check_list(const struct uidl_rule *rule, const char *text, size_t length)
{
	static const struct hash_key key = {{5, 6}};
	static struct model model;
	struct uidlist_report first, second;
	struct foreign_ids *ids = NULL;
	char *copy = malloc(length + (length == 0));
	CHECK(copy != NULL);
	memcpy(copy, text, length);
	model.count = 0;
	model.entries = 0;

	const char *pattern = uidl_rule_pattern(rule);
	int result = rule->format == UIDL_DOVECOT
			     ? uidlist_dovecot_parse(text, length, pattern, note, &model, &first)
			     : uidlist_courier_parse(text, length, note, &model, &first);
	CHECK(foreign_ids_parse(copy, length, rule, &key, &second, &ids) == result);
	CHECK(first.line == second.line && first.problem == second.problem);
	if (result < 0) {
		free(copy);
		check_refusal(&first, result, text, length);
		return;
	}
	CHECK(first.problem == NULL && first.version >= 1 && first.version <= 3);
	CHECK(foreign_ids_summary(ids).messages == model.entries);
	CHECK(model.entries + 1 == count_lines(text, length));
	if (model.entries == model.count) {
		check_messages(&model, ids);
		check_strangers(&model, ids);
	}
	foreign_ids_free(ids);
}

/* The first line, if it is a pattern. */
static void take_pattern(struct uidl_rule *rule, const char *line, size_t length)
{
	char wrong[UIDL_PATTERN_WRONG_SIZE] = "";
	char text[UIDL_PATTERN_SIZE + 1];
	if (length > UIDL_PATTERN_SIZE)
		length = UIDL_PATTERN_SIZE;
	memcpy(text, line, length);
	text[length] = '\0';
	const char *problem = uidl_pattern_check(text, wrong);
	if (problem == NULL)
		memcpy(rule->pattern, text, strlen(text) + 1);
	else
		CHECK(*problem != '\0' && strlen(problem) < UIDL_PATTERN_WRONG_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uidl_rule rule = {.format = UIDL_DOVECOT};
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
	size_t first = end == NULL ? size : (size_t)(end - data);
	take_pattern(&rule, (const char *)data, first);
	size_t skipped = end == NULL ? size : first + 1;
	size_t length = size - skipped;
	/* At its exact size, so that a sanitizer sees each octet read too far. */
	char *list = malloc(length + (length == 0));
	CHECK(list != NULL);
	memcpy(list, data + skipped, length);
	if (length > 0 && list[0] == '/')
		rule.format = UIDL_COURIER;
	check_list(&rule, list, length);
	free(list);
	return 0;
}
