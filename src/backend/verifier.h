/*
 * A program that is asked whether a user's password or token is right, in the style of
 * checkpassword: it reads from descriptor 3, to the end, and answers by its exit code.
 *
 *   descriptor 3   user NUL secret NUL method NUL address NUL
 *   exit code      0 right, 1 wrong; 111, any other, or a signal: ask again later
 *
 * checkpassword has a timestamp where the method (PASS, PLAIN, OAUTHBEARER, ...) is here. Standard
 * input, output and error are /dev/null; no other descriptor is there, and of the environment PATH
 * alone. The process leads a group of its own, which is killed once the process has ended or is
 * late, so that nothing of an attempt outlives it but what has left that group.
 */
#ifndef POP3_BACKEND_VERIFIER_H
#define POP3_BACKEND_VERIFIER_H

#include <stddef.h>
#include <stdint.h>

#include "auth/scheme.h"
#include "base/log.h"

struct verifier;

struct verifier_rules {
	const char *command; /* see program_start(); NULL: there is none to ask */
	uint32_t timeout;    /* milliseconds until it is killed */
};

/* All borrowed. */
struct verifier_question {
	uint64_t session; /* for the log */
	const char *user;
	const char *secret; /* with no NUL in it */
	size_t secret_length;
	const char *method;
	const char *peer; /* as in struct pop3_info; without its port it is the address */
};

/* The sink's data are borrowed. NULL: out of memory. */
struct verifier *verifier_new(const struct log_sink *);
/* When nobody asks any more. NULL is fine. */
void verifier_free(struct verifier *);
/*
 * The server is going: kill what runs, so that those who ask get their answer now, and start
 * nothing more. Any thread.
 */
void verifier_stop(struct verifier *);

/*
 * Ask. Blocks for as long as the program takes; any thread in which SIGPIPE is blocked or ignored.
 * AUTH_TEMPORARY has been logged with its reason, unless the server is going. What is copied of the
 * secret is wiped.
 */
enum auth_result verifier_ask(struct verifier *, const struct verifier_rules *,
			      const struct verifier_question *);

#endif
