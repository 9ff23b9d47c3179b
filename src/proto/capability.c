/* The list of a `capabilities` event: its lines are copied into the event itself. */
#include <errno.h>
#include <string.h>

#include "pop3_emitter.h"
#include "proto/limits.h"

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
