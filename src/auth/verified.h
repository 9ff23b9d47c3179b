/*
 * Passwords that were found right lately, so that a client that comes every minute does not cost a
 * yescrypt each time. What is kept is a keyed digest of user, password and stored secret: another
 * password, or a secret that has been changed since, is another digest, and the table cannot be
 * turned back into passwords, not even with its key, at less than a guess a digest.
 *
 * That is cheaper than the hash of the passwd file, so who can read the memory of the server gains
 * by it. Hence it is off unless configured. Not thread-safe.
 */
#ifndef POP3_AUTH_VERIFIED_H
#define POP3_AUTH_VERIFIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verified;

/* NULL: out of memory. */
struct verified *verified_new(void);
/* Wipes. NULL is fine. */
void verified_free(struct verified *);

/* One login, all borrowed. */
struct verified_login {
	const char *user;
	const char *secret; /* as stored */
	const char *password;
};

/* Was this very password noted for this very secret, and holds that at `now`? */
bool verified_knows(const struct verified *, const struct verified_login *, uint64_t now);
/* Note a password that was right; it holds until a moment. */
void verified_note(struct verified *, const struct verified_login *, uint64_t until);

#endif
