/* See uidlist.h. Lines are read from their end, for file names may hold blanks. */
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "store/name.h"
#include "store/uidlist.h"

struct courier_fields {
	struct uidlist_text name;
	uint64_t number;
	uint64_t validity;
};

static int read_header(struct uidlist_text *text, struct uidlist_report *report)
{
	struct uidlist_text line;
	int result = uidlist_header(text, report, &line);
	if (result < 0)
		return result;

	struct uidlist_text version = uidlist_field(&line);
	if (version.left == 0 || *version.next != '/')
		return uidlist_wrong(report, "the header does not begin with '/' and a version");
	version.next++;
	version.left--;
	if (!uidlist_number(&version, 0, UINT32_MAX, &report->version))
		return uidlist_wrong(report, "the header does not begin with '/' and a version");
	if (report->version != 2 && report->version != 3)
		return uidlist_wrong(report, "the list is of an unknown version, neither 2 nor 3");

	struct uidlist_text next_number = uidlist_field(&line);
	struct uidlist_text validity = uidlist_field(&line);
	uint64_t number;
	if (!uidlist_number(&next_number, 0, UINT64_MAX, &number) || line.left > 0 ||
	    (validity.left > 0 && !uidlist_number(&validity, 0, UINT64_MAX, &number)))
		return uidlist_wrong(report, "the header lacks a sound next number");
	return 0;
}

/* Take the field behind the last blank off the line; false: there is no blank. */
static bool take_last_field(struct uidlist_text *line, struct uidlist_text *field)
{
	const char *blank = memrchr(line->next, ' ', line->left);
	if (blank == NULL)
		return false;
	size_t before = (size_t)(blank - line->next);
	*field = (struct uidlist_text){blank + 1, line->left - before - 1};
	line->left = before;
	return true;
}

/* Take the number up to the next ':' or the end; false: there is none. */
static bool take_number(struct uidlist_text *field, uint64_t *value)
{
	struct uidlist_text part = {field->next, uidlist_base_length(field->next, field->left)};
	field->next += part.left;
	field->left -= part.left;
	return uidlist_number(&part, 0, UINT64_MAX, value);
}

static bool take_colon(struct uidlist_text *field)
{
	if (field->left == 0 || *field->next != ':')
		return false;
	field->next++;
	field->left--;
	return true;
}

/* "5:1700000000", and as of version 3 ":0" or ":1" behind it. */
static bool read_numbers(struct uidlist_text field, struct courier_fields *fields)
{
	uint64_t utf8;
	return take_number(&field, &fields->number) && take_colon(&field) &&
	       take_number(&field, &fields->validity) &&
	       (field.left == 0 || (take_colon(&field) && uidlist_number(&field, 0, 1, &utf8)));
}

/* Take a line apart; NULL, or what is wrong with it. */
static const char *read_line(struct uidlist_text line, struct courier_fields *fields)
{
	struct uidlist_text numbers;
	struct uidlist_text size;
	uint64_t octets;
	if (!take_last_field(&line, &numbers) || !take_last_field(&line, &size))
		return "the line is not NAME SIZE NUMBER:VALIDITY:UTF8";
	if (!uidlist_number(&size, 0, UINT64_MAX, &octets))
		return "the size is not a number";
	if (!read_numbers(numbers, fields))
		return "the line does not end with NUMBER:VALIDITY:UTF8";
	if (line.left == 0)
		return "there is no file name";
	if (memchr(line.next, '/', line.left) != NULL)
		return "the file name holds a '/'";
	fields->name = line;
	return NULL;
}

/* "UID5-1700000000" or "UID5". */
static size_t number_id(const struct courier_fields *fields, char id[NAME_ID_SIZE])
{
	char digits[NUMBER_SIZE];
	size_t length = 3;
	memcpy(id, "UID", 3);
	size_t count = number_format(fields->number, digits);
	memcpy(id + length, digits, count);
	length += count;
	if (fields->validity == 0)
		return length;
	id[length++] = '-';
	count = number_format(fields->validity, digits);
	memcpy(id + length, digits, count);
	return length + count;
}

/* The base name with some octets as "+2B"; 0: too long. */
static size_t name_id(const struct uidlist_text *name, char id[NAME_ID_SIZE])
{
	static const char digits[] = "0123456789ABCDEF";
	size_t base = uidlist_base_length(name->next, name->left);
	size_t length = 0;
	for (size_t i = 0; i < base; i++) {
		unsigned char octet = (unsigned char)name->next[i];
		bool odd = octet < 0x21 || octet > 0x7e || strchr("'\"+", octet) != NULL;
		if (length + (odd ? 3 : 1) > NAME_ID_MAX)
			return 0;
		if (odd) {
			id[length++] = '+';
			id[length++] = digits[octet >> 4];
			id[length++] = digits[octet & 15];
		} else {
			id[length++] = (char)octet;
		}
	}
	return length;
}

int uidlist_courier_parse(const char *text, size_t length, uidlist_visit *visit, void *state,
			  struct uidlist_report *report)
{
	struct uidlist_text rest = {text, length};
	struct uidlist_text line;
	*report = (struct uidlist_report){0};

	int result = read_header(&rest, report);
	while (result == 0) {
		result = uidlist_line(&rest, report, &line);
		if (result <= 0)
			break;
		struct courier_fields fields = {0};
		const char *problem = read_line(line, &fields);
		if (problem != NULL)
			return uidlist_wrong(report, problem);
		char id[NAME_ID_SIZE];
		bool by_name = fields.number == 0;
		const struct uidlist_entry entry = {.name = fields.name.next,
						    .name_length = fields.name.left,
						    .id = id,
						    .id_length = by_name ? name_id(&fields.name, id)
									 : number_id(&fields, id)};
		result = visit(state, &entry);
	}
	return result;
}
