/*
 * SCRAM and EXTERNAL: each step is deferred and done by a worker, like the check of a hash, with
 * the same penalties, delays and judgement of what is not the secret.
 *
 *   SCRAM      client-first -> challenge; proof -> throttle -> challenge; nothing -> ok or no
 *   EXTERNAL   [nothing -> challenge;] identity or nothing -> throttle -> ok or no
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/sasl_step.h"
#include "base/clock.h"

static const struct verdict denied = {.result = POP3_DENIED, .reason = "wrong proof"};
const struct verdict step_no_memory = {.result = POP3_TEMPORARY, .reason = "out of memory"};

static bool is_external(const char *mechanism)
{
	return strcmp(mechanism, "EXTERNAL") == 0;
}

/* ---- Answering ---- */

static void forget(struct auth_backend *backend, uint64_t session)
{
	exchange_free(exchanges_take(backend->exchanges, session));
}

void step_challenge(struct sasl_step *step, struct sasl_exchange *x, const char *octets,
		    size_t length)
{
	if (!exchanges_put(step->backend->exchanges, x)) {
		exchange_free(x);
		pop3_answer_sasl(step->event, POP3_TEMPORARY, NULL);
	} else if (pop3_answer_challenge(step->event, octets, length) == -EMSGSIZE) {
		forget(step->backend, step->event->event.id);
		pop3_answer_sasl(step->event, POP3_DENIED, NULL);
	}
	free(step);
}

void step_end(struct sasl_step *step, const struct verdict *verdict)
{
	struct auth_backend *backend = step->backend;
	uint64_t session = step->event->event.id;
	bool good = verdict->result == POP3_OK;
	int result = pop3_answer_sasl(step->event, verdict->result,
				      good ? verdict->user : verdict->text);
	if (result != 0 && good)
		grants_release(grants_take(backend->grants, session, clock_now()));
	free(step);
}

static void say_no(struct delayed *delayed)
{
	struct sasl_step *step = STEP_OF(delayed, delayed);
	step_end(step, &step->verdict);
}

void step_conclude(struct sasl_step *step, const struct users *users, const char *user,
		   const struct verdict *verdict)
{
	struct auth_backend *backend = step->backend;
	const struct pop3_sasl *event = step->event;
	auth_log_verdict(backend, &event->event, user, event->mechanism, verdict);
	uint64_t when = auth_due(backend, users, event->event.info, verdict, step->arrived);
	if (when <= clock_now()) {
		step_end(step, verdict);
		return;
	}
	step->verdict = *verdict;
	step->delayed = (struct delayed){.run = say_no, .due = when};
	if (delay_add(backend->delay, &step->delayed) != 0)
		step_end(step, &step_no_memory);
}

/* ---- Judgement ---- */

bool step_enter(const struct sasl_step *step, const struct users *users, const char *user,
		struct verdict *verdict, bool *counted)
{
	const struct throttle_refusal *refusal =
		throttle_enter(step->backend->throttle, &users->settings.rules,
			       step->event->event.info, user, step->arrived, counted);
	if (refusal != NULL)
		*verdict = (struct verdict){.result = POP3_TEMPORARY,
					    .text = refusal->text,
					    .reason = refusal->reason,
					    .throttled = true};
	return refusal == NULL;
}

void step_leave(const struct sasl_step *step, const struct users *users, const char *user,
		bool counted, bool failed)
{
	if (counted)
		throttle_leave(step->backend->throttle, &users->settings.rules,
			       step->event->event.info, user, failed, step->arrived);
}

struct verdict step_admit(const struct sasl_step *step, const struct users *users, const char *user,
			  const char *authzid)
{
	const struct court court = auth_court(step->backend, users);
	const struct passwd_entry *entry =
		passwd_lookup(users->passwd, user, users->settings.strip_domain);
	if (entry == NULL || entry->state != PASSWD_USABLE)
		return (struct verdict){.result = POP3_DENIED,
					.reason = entry == NULL ? "no such user"
								: passwd_state_text(entry->state)};
	if (authzid != NULL && *authzid != '\0' && strcmp(authzid, user) != 0 &&
	    strcmp(authzid, entry->user) != 0)
		return (struct verdict){.result = POP3_DENIED,
					.reason = "wants to act for another user"};
	return judge_admit(&court, entry, step->event->event.id, clock_now());
}

/* ---- SCRAM ---- */

static struct sasl_exchange *begin(const struct sasl_step *step)
{
	const struct pop3_info *info = step->event->event.info;
	struct sasl_exchange *x = calloc(1, sizeof *x);
	if (x == NULL)
		return NULL;
	x->session = step->event->event.id;
	if (is_external(step->event->mechanism))
		return x;
	x->scram = scram_server_new(step->backend->scram, step->event->mechanism,
				    info->has_binding ? info->binding : NULL, sizeof info->binding);
	if (x->scram == NULL) {
		free(x);
		return NULL;
	}
	return x;
}

/* The client has its proof of us and says nothing more. */
static void finish_scram(struct sasl_step *step, const struct users *users, struct sasl_exchange *x)
{
	const char *user = scram_server_user(x->scram);
	struct verdict verdict = denied;
	if (step->event->length == 0)
		verdict = step_admit(step, users, user, scram_server_authzid(x->scram));
	step_conclude(step, users, user, &verdict);
	exchange_free(x);
}

static void fail_scram(struct sasl_step *step, const struct users *users, struct sasl_exchange *x,
		       const struct verdict *verdict)
{
	step_conclude(step, users, scram_server_user(x->scram), verdict);
	exchange_free(x);
}

static void step_scram(struct sasl_step *step, const struct users *users, struct sasl_exchange *x)
{
	struct verdict refused;
	char *reply = NULL;
	size_t length = 0;
	bool counted = false;
	if (x->proven) {
		finish_scram(step, users, x);
		return;
	}
	const char *known = scram_server_user(x->scram);
	if (known != NULL && !step_enter(step, users, known, &refused, &counted)) {
		fail_scram(step, users, x, &refused);
		return;
	}
	enum scram_result result =
		scram_server_step(x->scram, users->passwd, users->settings.strip_domain,
				  step->event->octets, step->event->length, &reply, &length);
	x->proven = result == SCRAM_PROVEN;
	step_leave(step, users, known, counted, result == SCRAM_DENIED);
	if (result == SCRAM_DENIED || result == SCRAM_TEMPORARY)
		fail_scram(step, users, x, result == SCRAM_DENIED ? &denied : &step_no_memory);
	else
		step_challenge(step, x, reply, length);
	free(reply);
}

/* ---- EXTERNAL (RFC 4422 appendix A): who the certificate is for ---- */

static void step_external(struct sasl_step *step, const struct users *users)
{
	const struct pop3_sasl *event = step->event;
	const char *user = event->event.info->certificate;
	char authzid[POP3_USER_MAX + 1] = "";
	struct verdict verdict;
	bool counted = false;
	if (!step_enter(step, users, user, &verdict, &counted)) {
		step_conclude(step, users, user, &verdict);
		return;
	}
	bool fits = event->length < sizeof authzid &&
		    (event->length == 0 || memchr(event->octets, '\0', event->length) == NULL);
	if (fits && event->length > 0)
		memcpy(authzid, event->octets, event->length);
	verdict = fits && *user != '\0' ? step_admit(step, users, user, authzid) : denied;
	step_leave(step, users, user, counted, verdict.result == POP3_DENIED);
	step_conclude(step, users, user, &verdict);
}

/* ---- The worker ---- */

static void advance(struct sasl_step *step, const struct users *users)
{
	const struct pop3_sasl *event = step->event;
	struct auth_backend *backend = step->backend;
	struct sasl_exchange *x = event->step == 0
					  ? begin(step)
					  : exchanges_take(backend->exchanges, event->event.id);
	if (x == NULL) {
		step_conclude(step, users, NULL, &step_no_memory);
	} else if (event->octets == NULL) {
		step_challenge(step, x, "", 0);
	} else if (x->scram != NULL) {
		step_scram(step, users, x);
	} else {
		exchange_free(x);
		step_external(step, users);
	}
}

static void run(struct work *work)
{
	struct sasl_step *step = STEP_OF(work, work);
	struct auth_backend *backend = step->backend;
	struct users *users = users_hold_fresh(backend->file);
	advance(step, users);
	users_release(backend->file, users);
}

/* It is not done any more. */
static void drop(struct work *work)
{
	struct sasl_step *step = STEP_OF(work, work);
	forget(step->backend, step->event->event.id);
	pop3_drop(&step->event->event);
	free(step);
}

void step_submit(struct sasl_step *step, struct workers *workers, void (*run_there)(struct work *))
{
	struct auth_backend *backend = step->backend;
	step->work =
		(struct work){.run = run_there,
			      .drop = drop,
			      .party = throttle_party(backend->throttle, step->event->event.info)};
	int result = workers_submit(workers, &step->work);
	if (result != 0) {
		if (result != -ECANCELED)
			auth_log_overload(backend, step->arrived);
		forget(backend, step->event->event.id);
		step_end(step, &step_no_memory);
	}
}

/* ---- The handlers ---- */

struct sasl_step *step_new(struct auth_backend *backend, struct pop3_sasl *event)
{
	struct sasl_step *step = calloc(1, sizeof *step);
	if (step == NULL) {
		pop3_answer_sasl(event, POP3_TEMPORARY, NULL);
		return NULL;
	}
	step->backend = backend;
	step->arrived = clock_now();
	step->event = pop3_defer(&event->event);
	if (step->event == NULL) {
		free(step);
		return NULL;
	}
	return step;
}

void sasl_login_step(struct pop3_sasl *event, void *data)
{
	struct auth_backend *backend = data;
	uint64_t session = event->event.id;
	if (event->abort) {
		forget(backend, session);
		return;
	}
	if (token_login_is_mechanism(event->mechanism)) {
		token_login_step(backend, event);
		return;
	}
	if (!is_external(event->mechanism) && !scram_is_mechanism(event->mechanism))
		return;
	struct sasl_step *step = step_new(backend, event);
	if (step == NULL)
		forget(backend, session);
	else
		step_submit(step, backend->workers, run);
}

/*
 * A mechanism that is announced is taken by clients before PLAIN, so it is only if it suits every
 * user. RFC 5802 section 6: the -PLUS forms go with those without.
 */
void sasl_login_offer(struct pop3_capabilities *event, const struct users *users)
{
	const struct pop3_info *info = event->event.info;
	if (users->suits_scram_sha256) {
		if (info->has_binding)
			pop3_mechanism_add(event, "SCRAM-SHA-256-PLUS");
		pop3_mechanism_add(event, "SCRAM-SHA-256");
	}
	if (users->suits_scram_sha1) {
		if (info->has_binding)
			pop3_mechanism_add(event, "SCRAM-SHA-1-PLUS");
		pop3_mechanism_add(event, "SCRAM-SHA-1");
	}
	if (info->tls && info->certificate[0] != '\0')
		pop3_mechanism_add(event, "EXTERNAL");
	token_login_offer(event, users);
}
