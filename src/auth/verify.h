/*
 * Checking a login against the passwd file. Unknown user, wrong password and disabled entry cost
 * the same work and give the same answer, so that a client cannot find out who exists. Where the
 * file has secrets of several kinds, that work is a check of each kind: else the time of a "no"
 * would tell whose secret is of another kind than that of most.
 */
#ifndef POP3_AUTH_VERIFY_H
#define POP3_AUTH_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/passwd.h"
#include "auth/scheme.h"

/*
 * Does password[0, length) open the entry? `entry` is one of this generation, or NULL for a user
 * that is unknown. Blocks for as long as the scheme takes, or all schemes if it does not: on a
 * worker, unless auth_is_cheap(). AUTH_TEMPORARY is never a wrong password. A password with a NUL
 * never matches.
 */
enum auth_result auth_verify(const struct passwd *, const struct passwd_entry *entry,
			     const void *password, size_t length);
/*
 * Is auth_verify() with the same arguments a mere comparison, fit for a thread that serves clients?
 * It is if all secrets are {PLAIN}, or if this one is and the password is right: a wrong one costs
 * a check of each other kind.
 */
bool auth_is_cheap(const struct passwd *, const struct passwd_entry *entry, const void *password,
		   size_t length);
/*
 * The plaintext of a usable {PLAIN} entry, as APOP needs it; NULL for every other entry and for
 * NULL. Borrowed from the generation.
 */
const char *auth_plaintext(const struct passwd_entry *entry);

#endif
