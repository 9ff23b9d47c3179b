/* The list of a `capabilities` event: its lines are copied into the event itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pop3_emitter.h"
#include "proto/limits.h"
#include "proto/sasl.h"

static bool is_clean(const char *line)
{
	for (const char *c = line; *c != '\0'; c++) {
		if (*c < 0x20 || *c > 0x7e)
			return false;
	}
	/* A tag begins with neither a blank nor a dot (RFC 2449 section 3). */
	return *line > ' ' && *line != '.';
}

int pop3_capability_add(struct pop3_capabilities *e, const char *line)
{
	size_t size = strlen(line) + 1;
	if (!is_clean(line) || size > RESPONSE_MAX - 1)
		return -EINVAL;
	if (e->count == POP3_CAPABILITIES_MAX || size > POP3_CAPABILITIES_SIZE - e->used)
		return -ENOSPC;
	memcpy(e->text + e->used, line, size);
	e->lines[e->count++] = e->text + e->used;
	e->used += size;
	return 0;
}

/* The place of the SASL line among the lines, or their count. */
static size_t find_sasl(const struct pop3_capabilities *e)
{
	size_t i = 0;
	while (i < e->count && strncmp(e->lines[i], "SASL ", 5) != 0)
		i++;
	return i;
}

/* RFC 4422 section 3.1. */
static bool is_mechanism(const char *name)
{
	static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t length = strspn(name, legal);
	return length > 0 && length <= MECHANISM_NAME_MAX && name[length] == '\0';
}

int pop3_mechanism_add(struct pop3_capabilities *e, const char *name)
{
	char line[RESPONSE_MAX];
	size_t place = find_sasl(e);
	bool is_new = place == e->count;
	if (!is_mechanism(name))
		return -EINVAL;
	int length = snprintf(line, sizeof line, "%s %s", is_new ? "SASL" : e->lines[place], name);
	if (length < 0 || (size_t)length >= RESPONSE_MAX - 1)
		return -ENOSPC;
	if (is_new)
		return pop3_capability_add(e, line);
	/* The line is written anew over its old place if it is the last one, else behind all. */
	size_t begin = (size_t)(e->lines[place] - e->text);
	if (begin + strlen(e->lines[place]) + 1 != e->used)
		begin = e->used;
	if ((size_t)length + 1 > POP3_CAPABILITIES_SIZE - begin)
		return -ENOSPC;
	memcpy(e->text + begin, line, (size_t)length + 1);
	e->lines[place] = e->text + begin;
	e->used = begin + (size_t)length + 1;
	return 0;
}

void pop3_capability_remove(struct pop3_capabilities *e, const char *tag)
{
	size_t length = strlen(tag);
	size_t kept = 0;
	for (size_t i = 0; i < e->count; i++) {
		const char *line = e->lines[i];
		if (strcspn(line, " ") != length || memcmp(line, tag, length) != 0)
			e->lines[kept++] = line;
	}
	e->count = kept;
}
