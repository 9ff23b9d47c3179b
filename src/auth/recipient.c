/* See recipient.h. */
#include "auth/recipient.h"

#include <string.h>

/* The entry of a name in two parts. One that is longer than names can be is nobody's. */
static const struct passwd_entry *find(const struct passwd *passwd, const char *local,
				       size_t length, const char *domain)
{
	char name[AUTH_USER_MAX + 1];
	size_t rest = strlen(domain);
	if (length > AUTH_USER_MAX || rest > AUTH_USER_MAX - length)
		return NULL;
	memcpy(name, local, length);
	memcpy(name + length, domain, rest + 1);
	return passwd_lookup(passwd, name, false);
}

/* The octets of the local part in front of its extension: all if it has none. */
static size_t base_length(const char *local, size_t length, const char *delimiters)
{
	if (delimiters == NULL || length == 0 || strchr(delimiters, local[0]) != NULL)
		return length;
	size_t base = strcspn(local, delimiters);
	return base < length ? base : length;
}

const struct passwd_entry *recipient_find(const struct passwd *passwd, const char *address,
					  const struct recipient_rules *rules)
{
	const char *at = strrchr(address, '@');
	const char *domain = at != NULL ? at : "";
	size_t whole = at != NULL ? (size_t)(at - address) : strlen(address);
	size_t base = base_length(address, whole, rules->delimiters);
	bool strip = rules->strip_domain && at != NULL;

	const struct passwd_entry *entry = find(passwd, address, whole, domain);
	if (entry == NULL && base < whole)
		entry = find(passwd, address, base, domain);
	if (entry == NULL && strip)
		entry = find(passwd, address, whole, "");
	if (entry == NULL && strip && base < whole)
		entry = find(passwd, address, base, "");
	return entry;
}
