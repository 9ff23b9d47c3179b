/*
 * Is a stored secret too easily guessed, or too costly to check? Read from its method and its
 * parameters (crypt(5)), without any hashing: bcrypt's cost, the rounds of SHA-crypt, the memory
 * that N and r of yescrypt and scrypt ask for, scrypt's as often as p says. What may follow r in
 * yescrypt (p, t, g) is not looked at: crypt_gensalt(3) never writes it.
 */
#ifndef POP3_AUTH_COST_H
#define POP3_AUTH_COST_H

#include "auth/scheme.h"

enum secret_cost {
	COST_FAIR,
	COST_WEAK,      /* who steals the file finds the password by trying */
	COST_EXCESSIVE, /* a check takes many seconds, or more memory than logins at once may have
			 */
};

/*
 * `secret` is one that scheme_accepts(). {PLAIN} is fair: it is what it is; so are parameters that
 * cannot be read, for crypt(3) will refuse them.
 */
enum secret_cost secret_cost(enum auth_scheme, const char *secret);

#endif
