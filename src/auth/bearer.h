/*
 * What a client sends to log in with a token instead of a password: OAUTHBEARER (RFC 7628) and
 * Google's XOAUTH2. Pure functions; what the token is worth is for others to find out.
 *
 *   OAUTHBEARER   n,a=USER,^A host=...^A port=...^A auth=Bearer TOKEN^A^A      (without blanks)
 *   XOAUTH2       user=USER^A auth=Bearer TOKEN^A^A
 */
#ifndef POP3_AUTH_BEARER_H
#define POP3_AUTH_BEARER_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/limits.h"

struct bearer {
	char user[AUTH_USER_MAX + 1];
	const char *token; /* borrowed from the message, not ended */
	size_t token_length;
};

/*
 * Take a whole message apart. True and *bearer; false: it is none, and *bearer is as it was. Keys
 * that are not known are skipped. Exactly one key `auth` must say "Bearer", in any case, and a
 * token as RFC 6750 section 2.1 has it; `port` must be a number. The user must be named, and as in
 * USER: one to AUTH_USER_MAX octets, no blanks, no control octets. Channel binding is refused:
 * there is no such mechanism.
 */
bool bearer_parse(const char *octets, size_t length, struct bearer *bearer);
bool xoauth2_parse(const char *octets, size_t length, struct bearer *bearer);

#endif
