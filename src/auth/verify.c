/* See verify.h. */
#include "auth/verify.h"

#include <string.h>

static bool is_usable(const struct passwd_entry *entry)
{
	return entry != NULL && entry->state == PASSWD_USABLE;
}

/* Work on one secret of each kind but the one that has been worked on. False: it could not be done.
 */
static bool work_on_others(const struct passwd *passwd, const struct passwd_entry *done,
			   const void *password, size_t length)
{
	bool whole = true;
	for (size_t i = 0; i < passwd_kind_count(passwd); i++) {
		const struct passwd_entry *kind = passwd_kind_at(passwd, i);
		if (done == NULL || !passwd_same_kind(kind, done))
			whole &= scheme_verify(kind->scheme, kind->secret, password, length) !=
				 AUTH_TEMPORARY;
	}
	return whole;
}

enum auth_result auth_verify(const struct passwd *passwd, const struct passwd_entry *entry,
			     const void *password, size_t length)
{
	const struct passwd_entry *known = is_usable(entry) ? entry : NULL;
	enum auth_result result = AUTH_DENIED;
	if (known != NULL)
		result = scheme_verify(known->scheme, known->secret, password, length);
	if (result == AUTH_OK)
		return AUTH_OK;
	return work_on_others(passwd, known, password, length) ? result : AUTH_TEMPORARY;
}

static bool all_are_plain(const struct passwd *passwd)
{
	return passwd_kind_count(passwd) == 1 &&
	       passwd_kind_at(passwd, 0)->scheme == AUTH_SCHEME_PLAIN;
}

bool auth_is_cheap(const struct passwd *passwd, const struct passwd_entry *entry,
		   const void *password, size_t length)
{
	const char *plain = auth_plaintext(entry);
	if (all_are_plain(passwd))
		return true;
	return plain != NULL &&
	       scheme_verify(AUTH_SCHEME_PLAIN, plain, password, length) == AUTH_OK;
}

const char *auth_plaintext(const struct passwd_entry *entry)
{
	return is_usable(entry) && entry->scheme == AUTH_SCHEME_PLAIN ? entry->secret : NULL;
}
