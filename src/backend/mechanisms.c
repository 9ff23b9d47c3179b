/* See mechanisms.h. */
#include "backend/mechanisms.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const char mechanisms_names[] = "CRAM-MD5 PLAIN LOGIN SCRAM-SHA-256-PLUS SCRAM-SHA-256 "
				"SCRAM-SHA-1-PLUS SCRAM-SHA-1 EXTERNAL OAUTHBEARER XOAUTH2";

/* The next of some words and its length; 0 at the end. */
static size_t next_word(const char **rest, const char **word)
{
	*word = *rest + strspn(*rest, " ");
	size_t length = strcspn(*word, " ");
	*rest = *word + length;
	return length;
}

/* The bit of a name; 0: there is none. */
static uint32_t bit_of(const char *name, size_t length)
{
	const char *rest = mechanisms_names;
	const char *word;
	uint32_t bit = 1;
	for (size_t l = next_word(&rest, &word); l > 0; l = next_word(&rest, &word)) {
		if (l == length && strncasecmp(word, name, length) == 0)
			return bit;
		bit <<= 1;
	}
	return 0;
}

bool mechanisms_add(uint32_t *set, const char *name)
{
	uint32_t bit = bit_of(name, strlen(name));
	*set |= bit;
	return bit != 0;
}

/* The line's text behind the tag is copied: the list is made anew. */
static void keep_of(struct pop3_capabilities *event, const char *names, uint32_t set)
{
	char copy[POP3_CAPABILITIES_SIZE];
	snprintf(copy, sizeof copy, "%s", names);
	pop3_capability_remove(event, "SASL");
	char *rest = copy;
	for (char *name = strtok_r(copy, " ", &rest); name != NULL;
	     name = strtok_r(NULL, " ", &rest))
		if ((bit_of(name, strlen(name)) & set) != 0)
			pop3_mechanism_add(event, name);
}

void mechanisms_keep(struct pop3_capabilities *event, uint32_t set)
{
	static const char tag[] = "SASL ";
	for (size_t i = 0; i < event->count; i++) {
		if (strncmp(event->lines[i], tag, sizeof tag - 1) == 0) {
			keep_of(event, event->lines[i] + sizeof tag - 1, set);
			return;
		}
	}
}
