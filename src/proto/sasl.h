/*
 * SASL (RFC 4422, 5034): AUTH and the exchange that it begins. An exchange is there from AUTH to
 * the answer that ends it; while it is, each line of the client is a response, not a command.
 */
#ifndef POP3_PROTO_SASL_H
#define POP3_PROTO_SASL_H

#include <stdint.h>

#include "pop3_emitter.h"

struct exchange;
struct mechanism;

/* RFC 4422 section 3.1: the longest name of a mechanism. */
#define MECHANISM_NAME_MAX 20
/* Random octets in the challenge of CRAM-MD5. */
#define CHALLENGE_RANDOM_OCTETS 24

/* What the client has sent: `octets` is NULL if nothing, which is other than a response of none. */
struct response {
	char *octets; /* with a NUL behind them */
	size_t length;
};

/* An exchange under way. */
struct exchange {
	char name[MECHANISM_NAME_MAX + 1];
	const struct mechanism *mechanism;   /* NULL: it is a listener's */
	uint32_t step;                       /* responses before this one */
	bool is_open;                        /* a listener's last answer was a challenge */
	bool has_responded;                  /* to a listener, with or after AUTH */
	char *user;                          /* LOGIN: what came first; else NULL */
	char challenge[POP3_CHALLENGE_SIZE]; /* CRAM-MD5 */
};

/* A mechanism that ends in `authenticate`. */
struct mechanism {
	const char *name;
	/* Can it succeed here? */
	bool (*available)(struct pop3_session *);
	/* The next response; it goes on with sasl_challenge(), sasl_authenticate() or sasl_fail().
	 */
	void (*step)(struct pop3_session *, struct exchange *, struct response *);
};

/* ---- mechanism.c ---- */

/* By name, or NULL. */
const struct mechanism *mechanism_find(const char *name);
/* Those that can succeed here go into the list. */
void mechanism_add_available(struct pop3_session *, struct pop3_capabilities *);

/* ---- sasl.c ---- */

/* A line of the client, while there is an exchange; it is overwritten. */
void sasl_respond(struct pop3_session *, char *text);
/* Tell the listeners that an exchange of theirs does not go on. */
void sasl_abort(struct pop3_session *);
/* Forget the exchange, if there is one. */
void sasl_fini(struct pop3_session *);
/* The same of one that makes no sense; `reason` is for the log, which has one line of it. */
void sasl_refuse(struct pop3_session *, const char *reason);

/* Each of these ends a step; after the last two there is no exchange any more. */
void sasl_challenge(struct pop3_session *, const char *octets, size_t length);
void sasl_authenticate(struct pop3_session *, const char *user, const char *password,
		       const char *authzid);
/* What the client sent is none that the mechanism knows. */
void sasl_fail(struct pop3_session *);

#endif
