/*
 * Is this login right, and may the user have a maildrop? Judges one `authenticate` against one
 * generation of users. Any thread; how long it takes says judge_effort().
 */
#ifndef POP3_BACKEND_JUDGE_H
#define POP3_BACKEND_JUDGE_H

#include "backend/grants.h"
#include "backend/throttle.h"
#include "backend/users.h"

/* What a login comes to. */
struct verdict {
	enum pop3_result result;
	const char *user;   /* the canonical name, if the result is POP3_OK; the generation's */
	const char *text;   /* for the client; NULL = the standard one */
	const char *reason; /* for the log; NULL = nothing to say */
	bool throttled;     /* it was not judged, by throttle_enter() */
	bool wrong_secret;  /* it was, and no more than the secret had to be looked at */
};

/* A thread that serves clients judges all but what needs a hash. */
enum judge_effort {
	JUDGE_COMPARES,  /* two texts, or a digest that is cheap */
	JUDGE_REMEMBERS, /* the password was right a short while ago, and still is */
	JUDGE_HASHES,    /* for as long as the secret's parameters ask for */
	JUDGE_ASKS,      /* a program, for as long as it takes */
};

/* What it is judged with; all borrowed. */
struct court {
	struct grants *grants;
	struct throttle *throttle;
	struct verifier *verifier;
	const struct users *users;
};

/* The entry of who wants in; NULL: there is none. */
const struct passwd_entry *judge_entry(const struct users *, const struct pop3_authenticate *);
/* What it takes to judge it now. */
enum judge_effort judge_effort(const struct court *, const struct passwd_entry *,
			       const struct pop3_authenticate *, uint64_t now);
/*
 * The verdict, `entry` by judge_entry(), with the effort that judge_effort() found. With POP3_OK
 * the session's grant has been put. Unknown, wrong and disabled cost the same work; whatever else
 * is wrong is only said to who knows the password.
 */
struct verdict judge(const struct court *, const struct passwd_entry *entry,
		     const struct pop3_authenticate *, enum judge_effort, uint64_t now);

/*
 * A verdict was reached without the program. Would who wants in, if the program knew him, have
 * heard of it only after that was asked? Then it is to be asked in vain, for the time that takes:
 * judge_in_vain() does, and what it gives back is the verdict, AUTH_TEMPORARY being told of all
 * alike.
 */
bool judge_is_early(const struct court *, const struct pop3_authenticate *, enum judge_effort,
		    const struct verdict *);
struct verdict judge_in_vain(const struct court *, const struct pop3_authenticate *,
			     const struct verdict *);
/*
 * And the other way round: the program has not let in who wants to. Whoever it does not know has
 * had a hash of each kind made before it was asked; those are to be made now, by judge_pay_hashes()
 * and where hashes are made. Also if it could not tell: else that would tell its users from others.
 */
bool judge_owes_hashes(enum judge_effort, const struct verdict *);
void judge_pay_hashes(const struct court *, const struct pop3_authenticate *);

/* The rest of it for a usable entry once who it is has been shown: whatever is wrong with it. */
struct verdict judge_admit(const struct court *, const struct passwd_entry *, uint64_t session,
			   uint64_t now);

#endif
