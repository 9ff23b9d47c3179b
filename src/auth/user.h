/* What a user name may look like. A name is a key into the passwd file, never a path. */
#ifndef POP3_AUTH_USER_H
#define POP3_AUTH_USER_H

#include <stdbool.h>
#include <stddef.h>

/* 1 to AUTH_USER_MAX octets, none of them ':' or a control octet, the first not '#'. */
bool auth_user_is_valid(const char *user, size_t length);
/*
 * May the name become one component of a path (`ROOT/<user>`)? Only octets of [A-Za-z0-9._@+-],
 * not starting with a dot, 1 to AUTH_USER_MAX of them.
 */
bool auth_user_is_path_safe(const char *user);

#endif
