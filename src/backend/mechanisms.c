/* See mechanisms.h. */
#include "backend/mechanisms.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const known[MECHANISMS_MAX] = {
	"CRAM-MD5",         "PLAIN",       "LOGIN",    "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256",
	"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "EXTERNAL", "OAUTHBEARER",        "XOAUTH2",
};

void mechanisms_names(char *text, size_t size)
{
	size_t used = 0;
	for (size_t i = 0; i < MECHANISMS_MAX && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, i == 0 ? "%s" : " %s", known[i]);
}

static bool has(const struct mechanisms *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->names[i] == name)
			return true;
	return false;
}

bool mechanisms_add(struct mechanisms *m, const char *name)
{
	for (size_t i = 0; i < MECHANISMS_MAX; i++) {
		if (strcasecmp(known[i], name) == 0) {
			if (!has(m, known[i]))
				m->names[m->count++] = known[i];
			return true;
		}
	}
	return false;
}

/* Is it one of the words? */
static bool is_among(const char *words, const char *name)
{
	size_t length = strlen(name);
	for (; *words != '\0'; words += strspn(words, " ")) {
		size_t word = strcspn(words, " ");
		if (word == length && memcmp(words, name, length) == 0)
			return true;
		words += word;
	}
	return false;
}

/* The words are copied: they stand in the line that is made anew. */
static void keep_of(struct pop3_capabilities *event, const char *words, const struct mechanisms *m)
{
	char copy[POP3_CAPABILITIES_SIZE];
	snprintf(copy, sizeof copy, "%s", words);
	pop3_capability_remove(event, "SASL");
	for (size_t i = 0; i < m->count; i++)
		if (is_among(copy, m->names[i]))
			pop3_mechanism_add(event, m->names[i]);
}

void mechanisms_keep(struct pop3_capabilities *event, const struct mechanisms *m)
{
	static const char tag[] = "SASL ";
	for (size_t i = 0; i < event->count; i++) {
		if (strncmp(event->lines[i], tag, sizeof tag - 1) == 0) {
			keep_of(event, event->lines[i] + sizeof tag - 1, m);
			return;
		}
	}
}
