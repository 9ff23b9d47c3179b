/*
 * The ways to store a secret: plaintext, crypt(3), SCRAM-SHA-256 (RFC 5802, 7677), or not here but
 * with a program that is asked ({VERIFY}). A secret is the text after `{SCHEME}`; the scheme says
 * what its octets mean. Everything here is pure and may be called from any thread; what is not
 * {PLAIN} takes up to hundreds of milliseconds and belongs on a worker.
 */
#ifndef POP3_AUTH_SCHEME_H
#define POP3_AUTH_SCHEME_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/limits.h"

enum auth_result {
	AUTH_OK,
	AUTH_DENIED,
	AUTH_TEMPORARY, /* the check could not be made (memory, a setting crypt(3) rejects) */
};

/* How a secret is checked. Several {NAMES} share one: every crypt(3) name is AUTH_SCHEME_CRYPT. */
enum auth_scheme {
	AUTH_SCHEME_PLAIN,
	AUTH_SCHEME_CRYPT,
	AUTH_SCHEME_SCRAM_SHA_256,
	AUTH_SCHEME_VERIFY, /* by a program that is asked, the secret is empty; not done here */
};

/*
 * The scheme that text[0, length) names, without braces and in any case: PLAIN, CLEAR, CLEARTEXT;
 * CRYPT, YESCRYPT, BLF-CRYPT, BCRYPT, SHA512-CRYPT, SHA256-CRYPT, MD5-CRYPT, DES-CRYPT;
 * SCRAM-SHA-256; VERIFY. True and *scheme, or false: unknown.
 */
bool scheme_find(const char *text, size_t length, enum auth_scheme *scheme);
/*
 * Is the secret one that the scheme can work with? For crypt(3): libcrypt knows its method; for
 * SCRAM: `iterations,salt,StoredKey,ServerKey` with sound base64 and iterations in range; for
 * {VERIFY}: there is none. Does no hashing.
 */
bool scheme_accepts(enum auth_scheme, const char *secret);
/*
 * How many of the secret's first octets say what checking it costs ("$y$j9T$", "$2b$12$",
 * "20000,"): two secrets of a scheme with equal prefixes cost the same.
 */
size_t scheme_cost_prefix(enum auth_scheme, const char *secret);
/*
 * Is password[0, length) the one that the secret stands for? Compared in constant time. A password
 * with a NUL, or longer than crypt(3) takes, costs the same work and is AUTH_DENIED. Any copy of
 * the password is wiped. {VERIFY} is AUTH_DENIED: nobody has been asked.
 */
enum auth_result scheme_verify(enum auth_scheme, const char *secret, const void *password,
			       size_t length);

/*
 * Make a stored form, with its {SCHEME}, for the passwd file. `name` (in any case): NULL or
 * "yescrypt", "bcrypt", "sha512-crypt", "sha256-crypt", "plain", "scram-sha-256", also by the names
 * of scheme_find(); "verify" stores no password, and none is to be given. 0; -EINVAL: the scheme is
 * unknown or makes no new secrets; -EDOM: the password is empty, too long, has a NUL, or is for
 * {PLAIN} and has ':' or a control octet; or what libcrypt or the random source said. `out` is set
 * only on success.
 */
int auth_make_secret(const char *name, const void *password, size_t length,
		     char out[AUTH_SECRET_SIZE]);
/* Is there a password to be asked for before auth_make_secret()? Also for names that it refuses. */
bool auth_stores_password(const char *name);

#endif
