/*
 * Both forms are built in a fixed line; a field that does not fit whole is left out, with what
 * follows it, so that a line is never broken in the middle of an escape.
 */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"

/* A line under construction. `full` once something did not fit. */
struct line {
	char *text;
	size_t length;
	size_t size;
	bool full;
};

static void put(struct line *l, const char *text, size_t length)
{
	if (l->full || l->size - l->length < length) {
		l->full = true;
		return;
	}
	memcpy(l->text + l->length, text, length);
	l->length += length;
}

static void put_string(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

static void put_number(struct line *l, uint64_t number)
{
	char digits[NUMBER_SIZE];
	put(l, digits, number_format(number, digits));
}

/* Quoted, with \" \\ \n and the like; `unicode` chooses JSON's escape for other octets. */
static void put_quoted(struct line *l, const char *text, bool unicode)
{
	static const char hex[] = "0123456789abcdef";
	put(l, "\"", 1);
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\') {
			put(l, (const char[]){'\\', (char)*c}, 2);
		} else if (*c >= 0x20 && *c < 0x7f) {
			put(l, (const char[]){(char)*c}, 1);
		} else {
			put_string(l, unicode ? "\\u00" : "\\x");
			put(l, (const char[]){hex[*c >> 4], hex[*c & 15]}, 2);
		}
	}
	put(l, "\"", 1);
}

/* Words of harmless octets need no quotes in logfmt. User names are always quoted, see below. */
static bool is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.:-_+@/[]";
	return *text != '\0' && text[strspn(text, plain)] == '\0';
}

static void put_logfmt_field(struct line *l, const struct pop3_field *f)
{
	if (l->length > 0)
		put(l, " ", 1);
	put_string(l, f->name);
	put(l, "=", 1);
	if (f->text == NULL)
		put_number(l, f->number);
	else if (is_plain(f->text) && strcmp(f->name, "user") != 0)
		put_string(l, f->text);
	else
		put_quoted(l, f->text, false);
}

static void put_json_field(struct line *l, const struct pop3_field *f)
{
	put_string(l, l->length > 1 ? ",\"" : "\"");
	put_string(l, f->name);
	put_string(l, "\":");
	if (f->text == NULL)
		put_number(l, f->number);
	else
		put_quoted(l, f->text, true);
}

/* `session` leads where it is the first field, then level and event, then the rest. */
static size_t format(const struct pop3_record *r, struct line *l,
		     void (*field)(struct line *, const struct pop3_field *))
{
	const struct pop3_field level = {"level", log_level_name(r->level), 0};
	const struct pop3_field event = {"event", r->event, 0};
	size_t next = 0;

	if (r->count > 0 && strcmp(r->fields[0].name, "session") == 0)
		field(l, &r->fields[next++]);
	field(l, &level);
	field(l, &event);
	while (next < r->count) {
		size_t whole = l->length;
		field(l, &r->fields[next++]);
		if (l->full)
			l->length = whole;
	}
	return l->length;
}

size_t log_format_logfmt(const struct pop3_record *r, char text[LOG_LINE_SIZE])
{
	struct line l = {.text = text, .size = LOG_LINE_SIZE - 1};
	size_t length = format(r, &l, put_logfmt_field);
	text[length] = '\0';
	return length;
}

size_t log_format_json(const struct pop3_record *r, char text[LOG_LINE_SIZE])
{
	struct line l = {.text = text, .size = LOG_LINE_SIZE - 2};
	put(&l, "{", 1);
	size_t length = format(r, &l, put_json_field);
	text[length++] = '}';
	text[length] = '\0';
	return length;
}

const char *log_level_name(enum pop3_level level)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	return names[level];
}

void log_to_stderr(const struct pop3_record *r, void *data)
{
	char line[LOG_LINE_SIZE + 1];
	size_t length = log_format_logfmt(r, line);
	line[length++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, length);
	(void)written; /* there is nowhere to report a log that cannot be written */
	(void)data;
}

void log_write(const struct log_sink *sink, enum pop3_level level, const char *event,
	       const struct pop3_field *fields, size_t count)
{
	const struct pop3_record record = {level, event, fields, count};
	sink->write(&record, sink->data);
}
