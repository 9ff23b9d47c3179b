/*
 * libFuzzer: any text as a passwd file. What is accepted has one findable entry for each line that
 * is neither empty nor a comment; what is refused names a line that the text has.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/passwd.h"
#include "auth/user.h"
#include "auth/verify.h"
#include "fuzz.h"

struct lines {
	size_t all;     /* a piece after the last line end counts */
	size_t entries; /* those that must become entries */
};

static struct lines lines_count(const uint8_t *data, size_t size)
{
	struct lines lines = {0, 0};
	size_t start = 0;
	while (start < size) {
		bool blank = true;
		size_t i = start;
		for (; i < size && data[i] != '\n'; i++)
			blank = blank && (data[i] == ' ' || data[i] == '\t');
		lines.all++;
		lines.entries += !blank && data[start] != '#';
		start = i + 1;
	}
	return lines;
}

static void entry_check(const struct passwd *p, const struct passwd_entry *entry, size_t line_count)
{
	char name[AUTH_USER_MAX + 16];
	size_t length = strlen(entry->user);
	CHECK(auth_user_is_valid(entry->user, length));
	CHECK(passwd_lookup(p, entry->user, false) == entry);
	CHECK(entry->line >= 1 && entry->line <= line_count);
	CHECK(entry->state != PASSWD_USABLE ||
	      (*entry->secret == '\0') == (entry->scheme == AUTH_SCHEME_VERIFY));
	CHECK(entry->state != PASSWD_USABLE || entry->scheme != AUTH_SCHEME_VERIFY ||
	      passwd_asks(p));
	CHECK(entry->state != PASSWD_USABLE || !entry->has_uid || entry->uid != 0);
	CHECK(entry->home == NULL || entry->home[0] == '/');
	CHECK(scheme_cost_prefix(entry->scheme, entry->secret) <= strlen(entry->secret));
	CHECK((auth_plaintext(entry) != NULL) ==
	      (entry->state == PASSWD_USABLE && entry->scheme == AUTH_SCHEME_PLAIN));
	if (strchr(entry->user, '@') == NULL) {
		snprintf(name, sizeof name, "%s@\x01.example", entry->user);
		CHECK(passwd_lookup(p, name, true) == entry);
		CHECK(passwd_lookup(p, name, false) == NULL);
	}
}

/* A {PLAIN} secret opens its own entry. What is wrong costs a hash of each kind, which would be too
 * slow here, unless all secrets are {PLAIN}. */
static void login_check(const struct passwd *p, const struct passwd_entry *entry)
{
	const char *plaintext = auth_plaintext(entry);
	if (plaintext == NULL)
		return;
	size_t length = strlen(plaintext);
	CHECK(auth_is_cheap(p, entry, plaintext, length));
	CHECK(auth_verify(p, entry, plaintext, length) == AUTH_OK);
	if (auth_is_cheap(p, entry, plaintext, length - 1)) {
		CHECK(auth_verify(p, entry, plaintext, length + 1) == AUTH_DENIED);
		CHECK(auth_verify(p, entry, plaintext, length - 1) == AUTH_DENIED);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct passwd_error error;
	struct passwd *p = NULL;
	struct lines lines = lines_count(data, size);
	/* Of exactly this size, so that the sanitizer sees an octet read too many. */
	char *text = malloc(size == 0 ? 1 : size);
	CHECK(text != NULL);
	if (size > 0)
		memcpy(text, data, size);

	int result = passwd_parse(text, size, &error, &p);
	free(text);
	if (result < 0) {
		CHECK(result == -EINVAL);
		CHECK(p == NULL);
		CHECK(error.line >= 1 && error.line <= lines.all);
		CHECK(error.text[0] != '\0');
		return 0;
	}
	CHECK(passwd_count(p) == lines.entries);
	CHECK(passwd_decoy(p) != NULL);
	for (size_t i = 0; i < passwd_count(p); i++) {
		entry_check(p, passwd_at(p, i), lines.all);
		login_check(p, passwd_at(p, i));
	}
	passwd_unref(p);
	return 0;
}
