/*
 * What the authenticator remembers of logins from one to the next: failures by address and by user
 * (auth/penalty.h), the last login of each user, passwords that were right lately
 * (auth/verified.h). All functions may be called from any thread, and none waits for anything but
 * the others.
 */
#ifndef POP3_BACKEND_THROTTLE_H
#define POP3_BACKEND_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/penalty.h"
#include "auth/verified.h"
#include "pop3_emitter.h"

struct throttle;

/* Milliseconds; 0 = there is no such rule. */
struct throttle_rules {
	struct penalty_rules penalty;
	uint32_t
		failure_delay; /* from a login to its "no"; as much again for each failure before */
	uint32_t delay_max;    /* the longest that this can become */
	uint32_t login_delay;  /* from one login of a user to the next (RFC 2449 section 6.5) */
	uint32_t remember;     /* how long a password that was right is known without a hash */
	bool on_loopback;  /* they hold for peers on this machine, too; login_delay always does */
	bool strip_domain; /* names that differ behind their last "@" alone may be one user's */
};

/* NULL: out of memory. */
struct throttle *throttle_new(void);
/* NULL is fine. */
void throttle_free(struct throttle *);

/* A number for the peer's address, for an IPv6 address for its /64: who is one party. Not 0. */
uint64_t throttle_party(const struct throttle *, const struct pop3_info *);

/* Why a login is not judged. */
struct throttle_refusal {
	const char *text;   /* for the client: says nothing of this attempt */
	const char *reason; /* for the log */
};

/*
 * A login begins, `now` by clock_now(). NULL: it may be judged; else why not, for good. *counted:
 * it is counted as under way, and throttle_leave() is to follow, whatever becomes of it.
 */
const struct throttle_refusal *throttle_enter(struct throttle *, const struct throttle_rules *,
					      const struct pop3_info *, const char *user,
					      uint64_t now, bool *counted);
/* A login that was counted is over. `failed`: it was a wrong guess; `now` is when it began. */
void throttle_leave(struct throttle *, const struct throttle_rules *, const struct pop3_info *,
		    const char *user, bool failed, uint64_t now);
/* How long after it began its "no" is due: the delay, grown by what the address did before. */
uint32_t throttle_delay(struct throttle *, const struct throttle_rules *, const struct pop3_info *,
			uint64_t now);

/* Is it too soon after the user's last login? */
bool throttle_is_too_soon(struct throttle *, const struct throttle_rules *, const char *user,
			  uint64_t now);
/* A session of the user began at `when`. */
void throttle_note_session(struct throttle *, const struct throttle_rules *, const char *user,
			   uint64_t when);

/* As verified_knows() and verified_note(), by the rules. */
bool throttle_knows(struct throttle *, const struct throttle_rules *, const struct verified_login *,
		    uint64_t now);
void throttle_remember(struct throttle *, const struct throttle_rules *,
		       const struct verified_login *, uint64_t now);

#endif
