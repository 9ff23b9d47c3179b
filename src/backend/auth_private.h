/* What the files of the authenticator share. */
#ifndef POP3_BACKEND_AUTH_PRIVATE_H
#define POP3_BACKEND_AUTH_PRIVATE_H

#include <pthread.h>

#include "backend/auth_backend.h"
#include "backend/delay.h"
#include "backend/exchanges.h"
#include "backend/judge.h"
#include "backend/users.h"

struct auth_backend {
	struct pop3_listener listener;
	struct workers *workers; /* for hashes */
	struct workers *askers;  /* for the program, a thread for each that may run */
	struct verifier *verifier;
	struct grants *grants;
	struct log_sink log;
	struct users_file *file;
	struct delay *delay;
	struct throttle *throttle;
	struct scram_service *scram;
	struct exchanges *exchanges;
	pthread_mutex_t mutex;   /* guards the two below */
	uint64_t overloads;      /* logins turned away since the last line about it */
	uint64_t overload_again; /* when the next line may be written */
};

/* What a login is judged with. */
struct court auth_court(struct auth_backend *, const struct users *);
/* The queue for workers is full: said once in a while, with how often. */
void auth_log_overload(struct auth_backend *, uint64_t now);
/* One line for what is not let in. */
void auth_log_verdict(struct auth_backend *, const struct pop3_event *, const char *user,
		      const char *method, const struct verdict *);
/* When the answer to what came at `arrived` is due; 0 = now. */
uint64_t auth_due(struct auth_backend *, const struct users *, const struct pop3_info *,
		  const struct verdict *, uint64_t arrived);

/* sasl_login.c: the handler of `sasl`, and what it adds to the mechanisms. */
void sasl_login_step(struct pop3_sasl *, void *backend);
void sasl_login_offer(struct pop3_capabilities *, const struct users *);

/* token_login.c: the same for OAUTHBEARER and XOAUTH2. */
bool token_login_is_mechanism(const char *name);
void token_login_step(struct auth_backend *, struct pop3_sasl *);
void token_login_offer(struct pop3_capabilities *, const struct users *);

#endif
