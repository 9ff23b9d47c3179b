/* See user.h. */
#include "auth/user.h"

#include <string.h>

#include "auth/limits.h"

bool auth_user_is_valid(const char *user, size_t length)
{
	if (length == 0 || length > AUTH_USER_MAX || user[0] == '#')
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)user[i];
		if (c < 0x20 || c == 0x7F || c == ':')
			return false;
	}
	return true;
}

bool auth_user_is_path_safe(const char *user)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._@+-";
	size_t length = strspn(user, safe);
	return user[length] == '\0' && length > 0 && length <= AUTH_USER_MAX && user[0] != '.';
}
