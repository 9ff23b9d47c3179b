/*
 * OAUTHBEARER and XOAUTH2: the program is asked about a token. RFC 7628 section 3.2.3: what was
 * wrong with it is told in a challenge, and only after the client's response to that, which means
 * nothing, comes the "no".
 *
 *   [nothing -> challenge;] message -> asker: throttle, program --+-- ok or try again
 *                                                                 +-- delay -- challenge;
 *                                                                     anything -> no
 */
#include <stdlib.h>
#include <string.h>

#include "auth/bearer.h"
#include "backend/sasl_step.h"
#include "base/clock.h"

struct token_mechanism {
	const char *name;
	bool (*parse)(const char *octets, size_t length, struct bearer *);
	/* Challenges. */
	const char *denied, *malformed;
};

/* In the order in which they are announced. */
static const struct token_mechanism mechanisms[] = {
	{"OAUTHBEARER", bearer_parse, "{\"status\":\"invalid_token\"}",
	 "{\"status\":\"invalid_request\"}"},
	{"XOAUTH2", xoauth2_parse, "{\"status\":\"401\",\"schemes\":\"bearer\"}",
	 "{\"status\":\"400\",\"schemes\":\"bearer\"}"},
};

#define MECHANISM_COUNT (sizeof mechanisms / sizeof *mechanisms)

/* The second "no" of an attempt, whose line is in the log already. */
static const struct verdict refused = {.result = POP3_DENIED};

static const struct token_mechanism *find(const char *name)
{
	for (size_t i = 0; i < MECHANISM_COUNT; i++)
		if (strcmp(mechanisms[i].name, name) == 0)
			return &mechanisms[i];
	return NULL;
}

bool token_login_is_mechanism(const char *name)
{
	return find(name) != NULL;
}

void token_login_offer(struct pop3_capabilities *event, const struct users *users)
{
	if (users->settings.verify.command == NULL)
		return;
	for (size_t i = 0; i < MECHANISM_COUNT; i++)
		pop3_mechanism_add(event, mechanisms[i].name);
}

/* ---- The "no" ---- */

static struct sasl_exchange *exchange_of(uint64_t session)
{
	struct sasl_exchange *x = calloc(1, sizeof *x);
	if (x != NULL)
		x->session = session;
	return x;
}

static void say_refusal(struct delayed *delayed)
{
	struct sasl_step *step = STEP_OF(delayed, delayed);
	struct sasl_exchange *x = exchange_of(step->event->event.id);
	if (x == NULL) {
		step_end(step, &step_no_memory);
		return;
	}
	x->refused = true;
	step_challenge(step, x, step->refusal, strlen(step->refusal));
}

/* The challenge tells as much as the "no" after it, and so comes when that would be due. */
static void refuse(struct sasl_step *step, const struct users *users, const char *user,
		   const struct verdict *verdict, const char *challenge)
{
	const struct pop3_sasl *event = step->event;
	auth_log_verdict(step->backend, &event->event, user, event->mechanism, verdict);
	uint64_t when = auth_due(step->backend, users, event->event.info, verdict, step->arrived);
	step->refusal = challenge;
	step->delayed = (struct delayed){.run = say_refusal, .due = when};
	if (when <= clock_now())
		say_refusal(&step->delayed);
	else if (delay_add(step->backend->delay, &step->delayed) != 0)
		step_end(step, &step_no_memory);
}

/* ---- The token ---- */

static enum auth_result ask(const struct sasl_step *step, const struct users *users,
			    const char *user, const struct bearer *bearer)
{
	const struct pop3_sasl *event = step->event;
	const struct verifier_question question = {.session = event->event.id,
						   .user = user,
						   .secret = bearer->token,
						   .secret_length = bearer->token_length,
						   .method = event->mechanism,
						   .peer = event->event.info->peer};
	return verifier_ask(step->backend->verifier, &users->settings.verify, &question);
}

/*
 * The program is asked about everybody. By the name of the entry, if there is one: where domains
 * are stripped another name may be somebody else's in the eyes of the program.
 */
static struct verdict judge_token(const struct sasl_step *step, const struct users *users,
				  const struct bearer *bearer)
{
	const struct passwd_entry *entry =
		passwd_lookup(users->passwd, bearer->user, users->settings.strip_domain);
	if (users->settings.verify.command == NULL)
		return (struct verdict){.result = POP3_TEMPORARY,
					.reason = "verify_command is not set any more"};
	enum auth_result result =
		ask(step, users, entry == NULL ? bearer->user : entry->user, bearer);
	/* The verifier has told why. */
	if (result == AUTH_TEMPORARY)
		return (struct verdict){.result = POP3_TEMPORARY};
	if (result == AUTH_DENIED && entry != NULL && entry->state == PASSWD_USABLE)
		return (struct verdict){.result = POP3_DENIED, .reason = "wrong token"};
	return step_admit(step, users, bearer->user, NULL);
}

static void take_token(struct sasl_step *step, const struct users *users)
{
	static const struct verdict malformed = {.result = POP3_DENIED,
						 .reason = "malformed message"};
	const struct pop3_sasl *event = step->event;
	const struct token_mechanism *mechanism = find(event->mechanism);
	struct bearer bearer;
	struct verdict verdict;
	bool counted = false;
	if (!mechanism->parse(event->octets, event->length, &bearer)) {
		refuse(step, users, NULL, &malformed, mechanism->malformed);
		return;
	}
	if (!step_enter(step, users, bearer.user, &verdict, &counted)) {
		step_conclude(step, users, bearer.user, &verdict);
		return;
	}
	verdict = judge_token(step, users, &bearer);
	step_leave(step, users, bearer.user, counted, verdict.result == POP3_DENIED);
	if (verdict.result == POP3_DENIED)
		refuse(step, users, bearer.user, &verdict, mechanism->denied);
	else
		step_conclude(step, users, bearer.user, &verdict);
}

static void run(struct work *work)
{
	struct sasl_step *step = STEP_OF(work, work);
	struct auth_backend *backend = step->backend;
	struct users *users = users_hold_fresh(backend->file);
	take_token(step, users);
	users_release(backend->file, users);
}

/* ---- The step ---- */

/* Takes over `x`, which is NULL where there is no memory. */
static void advance(struct sasl_step *step, struct sasl_exchange *x)
{
	if (x == NULL) {
		step_end(step, &step_no_memory);
	} else if (step->event->octets == NULL) {
		step_challenge(step, x, "", 0);
	} else if (x->refused) {
		exchange_free(x);
		step_end(step, &refused);
	} else {
		exchange_free(x);
		step_submit(step, step->backend->askers, run);
	}
}

void token_login_step(struct auth_backend *backend, struct pop3_sasl *event)
{
	uint64_t session = event->event.id;
	struct sasl_exchange *x = event->step == 0 ? exchange_of(session)
						   : exchanges_take(backend->exchanges, session);
	struct sasl_step *step = step_new(backend, event);
	if (step == NULL)
		exchange_free(x);
	else
		advance(step, x);
}
