/* See verify.h. */
#include "auth/verify.h"

#include <string.h>

static bool is_usable(const struct passwd_entry *entry)
{
	return entry != NULL && entry->state == PASSWD_USABLE;
}

/* Whose secret the password is worked on. */
static const struct passwd_entry *worked_on(const struct passwd *passwd,
					    const struct passwd_entry *entry)
{
	return is_usable(entry) ? entry : passwd_decoy(passwd);
}

enum auth_result auth_verify(const struct passwd *passwd, const struct passwd_entry *entry,
			     const void *password, size_t length)
{
	const struct passwd_entry *worked = worked_on(passwd, entry);
	enum auth_result result = scheme_verify(worked->scheme, worked->secret, password, length);
	if (!is_usable(entry) && result == AUTH_OK)
		return AUTH_DENIED; /* it is the decoy's password */
	return result;
}

bool auth_is_cheap(const struct passwd *passwd, const struct passwd_entry *entry)
{
	return worked_on(passwd, entry)->scheme == AUTH_SCHEME_PLAIN;
}

const char *auth_plaintext(const struct passwd_entry *entry)
{
	return is_usable(entry) && entry->scheme == AUTH_SCHEME_PLAIN ? entry->secret : NULL;
}
