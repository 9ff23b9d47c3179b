/* See uidlist.h. Dovecot itself takes the lines before a wrong one and numbers all others anew. */
#include <errno.h>
#include <string.h>

#include "store/name.h"
#include "store/uidl_pattern.h"
#include "store/uidlist.h"

/* UIDs are 32-bit numbers, of which the highest means none. */
#define UID_MAX (UINT32_MAX - 1)

/* What the header says and what has been read. */
struct dovecot_list {
	uint64_t version;
	uint64_t validity;
	uint64_t next_uid;
	uint64_t last_uid; /* of the line before */
	const char *pattern;
};

/* The fields of a line; `next` is NULL where there is no such field. */
struct dovecot_fields {
	uint64_t uid;
	struct uidlist_text name;
	struct uidlist_text uidl;
	struct uidlist_text guid;
};

static bool read_header_1(struct uidlist_text line, struct dovecot_list *list)
{
	struct uidlist_text validity = uidlist_field(&line);
	struct uidlist_text next_uid = uidlist_field(&line);
	return line.left == 0 && uidlist_number(&validity, 1, UINT32_MAX, &list->validity) &&
	       uidlist_number(&next_uid, 1, UINT32_MAX, &list->next_uid);
}

static bool read_header_3(struct uidlist_text line, struct dovecot_list *list)
{
	bool good = true;
	while (line.left > 0 && good) {
		struct uidlist_text field = uidlist_field(&line);
		struct uidlist_text value = {field.next + 1, field.left - 1};
		if (*field.next == 'V')
			good = uidlist_number(&value, 1, UINT32_MAX, &list->validity);
		else if (*field.next == 'N')
			good = uidlist_number(&value, 1, UINT32_MAX, &list->next_uid);
	}
	return good && list->validity > 0 && list->next_uid > 0;
}

static int read_header(struct uidlist_text *text, struct dovecot_list *list,
		       struct uidlist_report *report)
{
	struct uidlist_text line;
	int result = uidlist_header(text, report, &line);
	if (result < 0)
		return result;

	struct uidlist_text version = uidlist_field(&line);
	if (!uidlist_number(&version, 0, UINT32_MAX, &list->version))
		return uidlist_wrong(report, "the header does not begin with a version");
	report->version = list->version;
	if (list->version != 1 && list->version != 3)
		return uidlist_wrong(report, "the list is of an unknown version, neither 1 nor 3");
	if (list->version == 1 ? read_header_1(line, list) : read_header_3(line, list))
		return 0;
	return uidlist_wrong(report, "the header lacks a sound UIDVALIDITY or next UID");
}

/*
 * The fields between UID and name. Those that are none are passed over, as by Dovecot, which writes
 * them itself: of a stored unique-id with a blank in it.
 */
static const char *read_keys(struct uidlist_text *line, struct dovecot_fields *fields)
{
	while (line->left > 0 && *line->next != ':') {
		struct uidlist_text field = uidlist_field(line);
		struct uidlist_text value = {field.next + 1, field.left - 1};
		if (*field.next == 'P' && fields->uidl.next == NULL)
			fields->uidl = value;
		else if (*field.next == 'G' && fields->guid.next == NULL)
			fields->guid = value;
	}
	if (line->left == 0)
		return "there is no file name behind a ':'";
	line->next++;
	line->left--;
	return NULL;
}

/* Take a line apart; NULL, or what is wrong with it. */
static const char *read_line(struct uidlist_text line, struct dovecot_list *list,
			     struct dovecot_fields *fields)
{
	struct uidlist_text uid = uidlist_field(&line);
	if (!uidlist_number(&uid, 1, UID_MAX, &fields->uid))
		return "the line does not begin with a UID";
	if (fields->uid <= list->last_uid)
		return "the UID is not higher than the one before";
	if (list->version == 1 && fields->uid >= list->next_uid)
		return "the UID is not below the next UID of the header";
	list->last_uid = fields->uid;

	const char *problem = list->version == 3 ? read_keys(&line, fields) : NULL;
	if (problem != NULL)
		return problem;
	if (line.left == 0)
		return "there is no file name";
	if (memchr(line.next, '/', line.left) != NULL)
		return "the file name holds a '/'";
	fields->name = line;
	return NULL;
}

/* The unique-id of a line: its length, or 0. */
static size_t make_id(const struct dovecot_list *list, const struct dovecot_fields *fields,
		      char id[NAME_ID_SIZE])
{
	const char *name = fields->name.next;
	size_t base = uidlist_base_length(name, fields->name.left);
	struct uidlist_text given = fields->uidl;
	if (given.next != NULL && given.left == 0)
		given = (struct uidlist_text){name, base};
	if (given.next != NULL) {
		if (!name_is_unique_id(given.next, given.left))
			return 0;
		memcpy(id, given.next, given.left);
		return given.left;
	}
	bool has_guid = fields->guid.next != NULL && fields->guid.left > 0;
	const struct uidl_values values = {.uid = (uint32_t)fields->uid,
					   .validity = (uint32_t)list->validity,
					   .name = name,
					   .name_length = base,
					   .guid = has_guid ? fields->guid.next : name,
					   .guid_length = has_guid ? fields->guid.left : base};
	return uidl_pattern_expand(list->pattern, &values, id);
}

int uidlist_dovecot_parse(const char *text, size_t length, const char *pattern,
			  uidlist_visit *visit, void *state, struct uidlist_report *report)
{
	struct dovecot_list list = {.pattern = pattern};
	struct uidlist_text rest = {text, length};
	struct uidlist_text line;
	*report = (struct uidlist_report){0};

	int result = read_header(&rest, &list, report);
	while (result == 0) {
		result = uidlist_line(&rest, report, &line);
		if (result <= 0)
			break;
		struct dovecot_fields fields = {0};
		const char *problem = read_line(line, &list, &fields);
		if (problem != NULL)
			return uidlist_wrong(report, problem);
		char id[NAME_ID_SIZE];
		const struct uidlist_entry entry = {.name = fields.name.next,
						    .name_length = fields.name.left,
						    .id = id,
						    .id_length = make_id(&list, &fields, id)};
		result = visit(state, &entry);
	}
	return result;
}
