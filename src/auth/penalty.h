/*
 * What failed logins cost. Each address and each user has a bucket of failures that it may have at
 * once; one is forgiven after each recovery time. Only what has failed is charged; what is under
 * way is counted apart, so that many at the same time cannot all slip through, and those that are
 * right are no failures.
 *
 * - An address whose bucket is used up is not judged any more, until one is forgiven.
 * - One that has failed has no more attempts under way than its bucket has room for. One that has
 *   not has at most PENALTY_PENDING_MAX: a first burst of guesses is no larger, and each of them is
 *   to be forgiven before there is another.
 * - A user whose bucket is used up is not judged for addresses that have failed themselves. So one
 *   who guesses from many addresses has one guess for each, and a user who logs in from elsewhere,
 *   with the right password at once, does not notice that somebody guesses.
 *
 * Not thread-safe; `now` and all times are milliseconds of one clock that never goes back.
 */
#ifndef POP3_AUTH_PENALTY_H
#define POP3_AUTH_PENALTY_H

#include <stdbool.h>
#include <stdint.h>

struct penalties;

struct penalty_rules {
	uint32_t address_failures; /* that an address may have at once; 0 = any number */
	uint32_t user_failures;    /* that may be had at once for a user; 0 = any number */
	uint32_t recovery;         /* until one of them is forgiven; at least 1 */
};

enum penalty {
	PENALTY_NONE,
	PENALTY_ADDRESS, /* its failures are used up */
	PENALTY_USER,    /* the user's are, and the address has some */
	PENALTY_CROWD,   /* too many attempts of the address are under way */
};

/* NULL: out of memory. */
struct penalties *penalties_new(void);
/* NULL is fine. */
void penalties_free(struct penalties *);

/*
 * May an attempt be judged? `network` is any text that stands for the address. PENALTY_NONE: it
 * may, is under way and penalties_end() is to follow; else why not, and nothing is counted.
 */
enum penalty penalties_begin(struct penalties *, const struct penalty_rules *, const char *network,
			     const char *user, uint64_t now);
/* It is over. `failed`: it was a wrong guess, and is charged to the address and the user. */
void penalties_end(struct penalties *, const struct penalty_rules *, const char *network,
		   const char *user, bool failed, uint64_t now);
/* How many failures of an address are not forgiven yet. */
uint32_t penalties_failures(const struct penalties *, const struct penalty_rules *,
			    const char *network, uint64_t now);

#endif
