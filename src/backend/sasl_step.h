/*
 * What the mechanisms of the authenticator share: one deferred `sasl` event on its way to its
 * answer, with the penalties, delays and log lines of every login. Each function that ends a step
 * frees it.
 */
#ifndef POP3_BACKEND_SASL_STEP_H
#define POP3_BACKEND_SASL_STEP_H

#include "backend/auth_private.h"

/* A deferred step, on its way through workers or waiting for its "no". */
struct sasl_step {
	struct work work;
	struct delayed delayed;
	struct auth_backend *backend;
	struct pop3_sasl *event; /* the deferred copy */
	uint64_t arrived;
	struct verdict verdict; /* of one that waits for its "no" */
	const char *refusal;    /* of a token that does: what comes before it */
};

#define STEP_OF(member_pointer, member)                                                            \
	((struct sasl_step *)(void *)((char *)(member_pointer)-offsetof(struct sasl_step, member)))

extern const struct verdict step_no_memory;

/* Defer the event. NULL: it has been answered, or dropped by the library for want of memory. */
struct sasl_step *step_new(struct auth_backend *, struct pop3_sasl *);
/* It waits for a thread, for run() there, with its address' turn. */
void step_submit(struct sasl_step *, struct workers *, void (*run)(struct work *));

/*
 * An attempt of a user begins. False: it is not judged, and *verdict says why. *counted is for
 * step_leave(), which is to follow; `failed`: it was a wrong guess.
 */
bool step_enter(const struct sasl_step *, const struct users *, const char *user,
		struct verdict *verdict, bool *counted);
void step_leave(const struct sasl_step *, const struct users *, const char *user, bool counted,
		bool failed);
/* Who it is has been shown; may that user come in, as `authzid` (NULL, "": as himself)? */
struct verdict step_admit(const struct sasl_step *, const struct users *, const char *user,
			  const char *authzid);

/* The exchange goes on; it is in the table before the next step can come. Takes over `x`. */
void step_challenge(struct sasl_step *, struct sasl_exchange *x, const char *octets, size_t length);
/* The end, now. */
void step_end(struct sasl_step *, const struct verdict *);
/* The end, with its line in the log, when it is due. */
void step_conclude(struct sasl_step *, const struct users *, const char *user,
		   const struct verdict *);

#endif
