/*
 * The authenticator over a passwd file. A login is judged in the handler if that is a mere
 * comparison, else by a worker; the verdict is answered there and then, or, if it is a "no", when
 * that is due. One that comes after too many failures is not judged at all:
 *
 *   authenticate --+-- judge ---------------------------+-- conclude --+-- answer
 *                  +-- defer, queue -- worker: judge ---+              +-- delay -- answer "no"
 *                  +-- throttled -----------------------+
 *
 * Programs have threads of their own, the askers, so that a program that hangs holds up those alone
 * who wait for one. Where the file has {VERIFY} users, whoever is not let in has both asked the
 * program and had the hashes made, in vain where that is not how he is judged:
 *
 *   worker: judge --- wrong ------------------- asker: ask in vain --+-- conclude
 *   {VERIFY} user --- asker: judge --- wrong -- worker: hash in vain +
 */
#include "backend/auth_backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/auth_private.h"
#include "base/clock.h"

/* More logins than this are not kept waiting for their "no"; they are told to try again later. */
#define DELAYED_MAX 16384
/* Milliseconds between two lines about logins that found the queue full. */
#define OVERLOAD_PAUSE 10000
#define MILLISECONDS   1000u

/* When a login came, and whether throttle_leave() is to hear of its end. */
struct arrival {
	uint64_t when;
	bool counted;
};

/* A deferred login, on its way through the workers or waiting for its "no". */
struct login {
	struct work work;
	struct delayed delayed;
	struct auth_backend *backend;
	struct pop3_authenticate *event; /* the deferred copy */
	struct arrival arrival;
	bool is_judged;
	struct verdict verdict; /* once it is; of one that waits for its "no" */
};

#define LOGIN_OF(member_pointer, member)                                                           \
	((struct login *)(void *)((char *)(member_pointer)-offsetof(struct login, member)))

struct court auth_court(struct auth_backend *backend, const struct users *users)
{
	return (struct court){backend->grants, backend->throttle, backend->verifier, users};
}

/* ---- Answering ---- */

void auth_log_verdict(struct auth_backend *backend, const struct pop3_event *event,
		      const char *user, const char *method, const struct verdict *verdict)
{
	if (verdict->reason == NULL)
		return;
	const struct pop3_info *info = event->info;
	enum pop3_level level = verdict->result == POP3_DENIED ? POP3_LOG_INFO : POP3_LOG_WARNING;
	LOG(&backend->log, level, "login_refused", LOG_NUMBER("session", event->id),
	    LOG_TEXT("user", user == NULL ? "" : user),
	    LOG_TEXT("peer", info == NULL ? NULL : info->peer), LOG_TEXT("method", method),
	    LOG_TEXT("reason", verdict->reason));
}

static void log_verdict(struct auth_backend *backend, const struct pop3_authenticate *event,
			const struct verdict *verdict)
{
	auth_log_verdict(backend, &event->event, event->user, event->method, verdict);
}

/* Answer; the event is over, and so is a deferred copy. */
static void answer(struct auth_backend *backend, struct pop3_authenticate *event,
		   const struct verdict *verdict)
{
	uint64_t session = event->event.id;
	int result = pop3_answer_auth(event, verdict->result,
				      verdict->result == POP3_OK ? verdict->user : verdict->text);
	/* Nobody will open what was granted. A client that leaves later is for the table's age. */
	if (result != 0 && verdict->result == POP3_OK)
		grants_release(grants_take(backend->grants, session, clock_now()));
}

static void answer_temporary(struct pop3_authenticate *event)
{
	pop3_answer_auth(event, POP3_TEMPORARY, NULL);
}

uint64_t auth_due(struct auth_backend *backend, const struct users *users,
		  const struct pop3_info *info, const struct verdict *verdict, uint64_t arrived)
{
	if (verdict->result != POP3_DENIED && !verdict->throttled)
		return 0;
	uint32_t delay = throttle_delay(backend->throttle, &users->settings.rules, info, arrived);
	return delay == 0 ? 0 : arrived + delay;
}

static void say_no(struct delayed *delayed)
{
	struct login *login = LOGIN_OF(delayed, delayed);
	answer(login->backend, login->event, &login->verdict);
	free(login);
}

/* The end of an attempt. It was a wrong guess, or nobody judged it or found it to be one. */
static void leave(struct auth_backend *backend, const struct users *users,
		  const struct pop3_authenticate *event, const struct arrival *arrival, bool failed)
{
	if (arrival->counted)
		throttle_leave(backend->throttle, &users->settings.rules, event->event.info,
			       event->user, failed, arrival->when);
}

static void turn_away(struct login *login)
{
	answer_temporary(login->event);
	free(login);
}

/* Answer when it is due. Takes over the login. */
static void delay_no(struct login *login, const struct verdict *verdict, uint64_t when)
{
	login->verdict = *verdict;
	login->delayed = (struct delayed){.run = say_no, .due = when};
	if (delay_add(login->backend->delay, &login->delayed) != 0)
		turn_away(login);
}

/* Defer the event. NULL: it is answered, or dropped by the library for want of memory. */
static struct login *login_new(struct auth_backend *backend, struct pop3_authenticate *event,
			       const struct arrival *arrival)
{
	struct login *login = calloc(1, sizeof *login);
	if (login == NULL) {
		answer_temporary(event);
		return NULL;
	}
	login->backend = backend;
	login->arrival = *arrival;
	login->event = pop3_defer(&event->event);
	if (login->event == NULL) {
		free(login);
		return NULL;
	}
	return login;
}

/* ---- The workers ---- */

/* It was not judged, so it was no wrong guess. */
static void forgive(struct login *login)
{
	struct auth_backend *backend = login->backend;
	struct users *users = users_hold(backend->file);
	leave(backend, users, login->event, &login->arrival, false);
	users_release(backend->file, users);
}

void auth_log_overload(struct auth_backend *backend, uint64_t now)
{
	pthread_mutex_lock(&backend->mutex);
	uint64_t count = ++backend->overloads;
	bool silent = now < backend->overload_again;
	if (!silent) {
		backend->overloads = 0;
		backend->overload_again = now + OVERLOAD_PAUSE;
	}
	pthread_mutex_unlock(&backend->mutex);
	if (!silent)
		LOG(&backend->log, POP3_LOG_WARNING, "login_overload", LOG_NUMBER("count", count),
		    LOG_TEXT("reason", "the queue for password checks is full"));
}

/* Another address was to have its turn in a full queue, or the server is going. */
static void drop(struct work *work)
{
	struct login *login = LOGIN_OF(work, work);
	if (work->displaced)
		auth_log_overload(login->backend, clock_now());
	forgive(login);
	pop3_drop(&login->event->event);
	free(login);
}

/* It waits for one of them; takes it over. */
static void submit(struct login *login, struct workers *workers, void (*run)(struct work *))
{
	struct auth_backend *backend = login->backend;
	login->work =
		(struct work){.run = run,
			      .drop = drop,
			      .party = throttle_party(backend->throttle, login->event->event.info)};
	int result = workers_submit(workers, &login->work);
	if (result != 0) {
		if (result != -ECANCELED)
			auth_log_overload(backend, login->arrival.when);
		forgive(login);
		turn_away(login);
	}
}

/* The login has its verdict. Takes it over. */
static void finish(struct login *login, const struct users *users, const struct verdict *verdict)
{
	struct auth_backend *backend = login->backend;
	struct pop3_authenticate *event = login->event;
	log_verdict(backend, event, verdict);
	uint64_t when = auth_due(backend, users, event->event.info, verdict, login->arrival.when);
	if (when > clock_now()) {
		delay_no(login, verdict, when);
	} else {
		answer(backend, event, verdict);
		free(login);
	}
}

static void run_asking(struct work *work);

/* It has been judged, and is to cost what it costs others. */
static void go_on(struct login *login, const struct verdict *verdict, struct workers *workers,
		  void (*run)(struct work *))
{
	login->is_judged = true;
	login->verdict = *verdict;
	login->arrival.counted = false;
	submit(login, workers, run);
}

/* The hashes that others have paid for, on a thread for those. */
static void run_paying(struct work *work)
{
	struct login *login = LOGIN_OF(work, work);
	struct auth_backend *backend = login->backend;
	struct users *users = users_hold(backend->file);
	const struct court court = auth_court(backend, users);
	judge_pay_hashes(&court, login->event);
	finish(login, users, &login->verdict);
	users_release(backend->file, users);
}

static void judge_login(struct login *login, const struct court *court,
			const struct passwd_entry *entry, enum judge_effort effort)
{
	struct pop3_authenticate *event = login->event;
	struct verdict verdict = judge(court, entry, event, effort, clock_now());
	leave(login->backend, court->users, event, &login->arrival, verdict.result == POP3_DENIED);
	if (judge_is_early(court, event, effort, &verdict))
		go_on(login, &verdict, login->backend->askers, run_asking);
	else if (judge_owes_hashes(effort, &verdict))
		go_on(login, &verdict, login->backend->workers, run_paying);
	else
		finish(login, court->users, &verdict);
}

/* A thread that may hash: the program is not for it. */
static void run(struct work *work)
{
	struct login *login = LOGIN_OF(work, work);
	struct auth_backend *backend = login->backend;
	struct users *users = users_hold_fresh(backend->file);
	const struct court court = auth_court(backend, users);
	const struct passwd_entry *entry = judge_entry(users, login->event);
	enum judge_effort effort = judge_effort(&court, entry, login->event, clock_now());
	if (effort == JUDGE_ASKS)
		submit(login, backend->askers, run_asking);
	else
		judge_login(login, &court, entry, effort);
	users_release(backend->file, users);
}

/* A thread that may wait for the program. */
static void run_asking(struct work *work)
{
	struct login *login = LOGIN_OF(work, work);
	struct auth_backend *backend = login->backend;
	struct users *users = users_hold_fresh(backend->file);
	const struct court court = auth_court(backend, users);
	if (login->is_judged) {
		struct verdict verdict = judge_in_vain(&court, login->event, &login->verdict);
		finish(login, users, &verdict);
	} else {
		const struct passwd_entry *entry = judge_entry(users, login->event);
		judge_login(login, &court, entry,
			    judge_effort(&court, entry, login->event, clock_now()));
	}
	users_release(backend->file, users);
}

/* ---- The handler ---- */

static void leave_to(struct auth_backend *backend, struct workers *workers,
		     void (*run_there)(struct work *), const struct users *users,
		     struct pop3_authenticate *event, const struct arrival *arrival)
{
	struct login *login = login_new(backend, event, arrival);
	if (login == NULL)
		leave(backend, users, event, arrival, false);
	else
		submit(login, workers, run_there);
}

static void conclude(struct auth_backend *backend, const struct users *users,
		     struct pop3_authenticate *event, const struct verdict *verdict,
		     const struct arrival *arrival)
{
	log_verdict(backend, event, verdict);
	uint64_t when = auth_due(backend, users, event->event.info, verdict, arrival->when);
	if (when == 0) {
		answer(backend, event, verdict);
		return;
	}
	struct login *login = login_new(backend, event, arrival);
	if (login != NULL)
		delay_no(login, verdict, when);
}

static void judge_here(struct auth_backend *backend, const struct court *court,
		       const struct passwd_entry *entry, struct pop3_authenticate *event,
		       enum judge_effort effort, const struct arrival *arrival)
{
	struct verdict verdict = judge(court, entry, event, effort, arrival->when);
	leave(backend, court->users, event, arrival, verdict.result == POP3_DENIED);
	if (!judge_is_early(court, event, effort, &verdict)) {
		conclude(backend, court->users, event, &verdict, arrival);
		return;
	}
	struct login *login = login_new(backend, event, arrival);
	if (login != NULL)
		go_on(login, &verdict, backend->askers, run_asking);
}

static void authenticate(struct pop3_authenticate *event, void *data)
{
	struct auth_backend *backend = data;
	struct arrival arrival = {.when = clock_now()};
	struct users *users = users_hold(backend->file);
	const struct court court = auth_court(backend, users);
	const struct passwd_entry *entry = judge_entry(users, event);
	const struct throttle_refusal *refusal =
		throttle_enter(backend->throttle, &users->settings.rules, event->event.info,
			       event->user, arrival.when, &arrival.counted);
	enum judge_effort effort = judge_effort(&court, entry, event, arrival.when);
	if (refusal != NULL) {
		const struct verdict verdict = {.result = POP3_TEMPORARY,
						.text = refusal->text,
						.reason = refusal->reason,
						.throttled = true};
		conclude(backend, users, event, &verdict, &arrival);
	} else if (effort == JUDGE_HASHES || users_are_stale(backend->file, users)) {
		leave_to(backend, backend->workers, run, users, event, &arrival);
	} else if (effort == JUDGE_ASKS) {
		leave_to(backend, backend->askers, run_asking, users, event, &arrival);
	} else {
		judge_here(backend, &court, entry, event, effort, &arrival);
	}
	users_release(backend->file, users);
}

static void capabilities(struct pop3_capabilities *event, void *data)
{
	struct auth_backend *backend = data;
	char line[64];
	struct users *users = users_hold(backend->file);
	uint32_t delay = users->settings.rules.login_delay;
	sasl_login_offer(event, users);
	if (users->settings.mechanisms.count > 0)
		mechanisms_keep(event, &users->settings.mechanisms);
	users_release(backend->file, users);
	if (delay == 0)
		return;
	snprintf(line, sizeof line, "LOGIN-DELAY %u", delay / MILLISECONDS);
	pop3_capability_add(event, line);
}

/* The next login of a user is counted from the begin of a session that had the maildrop. */
static void closed(struct pop3_closed *event, void *data)
{
	struct auth_backend *backend = data;
	uint64_t now = clock_now();
	uint64_t begun = event->duration < now ? now - event->duration : 0;
	struct users *users = users_hold(backend->file);
	throttle_note_session(backend->throttle, &users->settings.rules, event->user, begun);
	users_release(backend->file, users);
}

static const struct pop3_handlers handlers = {
	.size = sizeof(struct pop3_handlers),
	.capabilities = capabilities,
	.authenticate = authenticate,
	.closed = closed,
	.sasl = sasl_login_step,
};

/* ---- Its life ---- */

int auth_backend_new(const struct auth_settings *settings, struct workers *workers,
		     struct grants *grants, const struct log_sink *log, struct passwd_error *error,
		     struct auth_backend **out)
{
	*error = (struct passwd_error){0};
	struct auth_backend *backend = calloc(1, sizeof *backend);
	if (backend == NULL)
		return -ENOMEM;
	pthread_mutex_init(&backend->mutex, NULL);
	backend->listener = (struct pop3_listener){.handlers = &handlers, .data = backend};
	backend->workers = workers;
	backend->grants = grants;
	backend->log = *log;
	backend->delay = delay_new(DELAYED_MAX);
	backend->throttle = throttle_new();
	backend->scram = scram_service_new();
	backend->exchanges = exchanges_new();
	backend->verifier = verifier_new(log);
	backend->askers = workers_new(settings->verify_processes, settings->verify_queue);
	bool whole = backend->verifier != NULL && backend->askers != NULL &&
		     backend->delay != NULL && backend->throttle != NULL &&
		     backend->scram != NULL && backend->exchanges != NULL;
	int result = whole ? 0 : -ENOMEM;
	if (result == 0)
		result = users_file_new(settings, log, error, &backend->file);
	if (result != 0) {
		auth_backend_free(backend);
		return result;
	}
	*out = backend;
	return 0;
}

void auth_backend_free(struct auth_backend *backend)
{
	if (backend == NULL)
		return;
	if (backend->verifier != NULL)
		verifier_stop(backend->verifier);
	workers_free(backend->askers);
	verifier_free(backend->verifier);
	delay_free(backend->delay);
	users_file_free(backend->file);
	throttle_free(backend->throttle);
	exchanges_free(backend->exchanges);
	scram_service_free(backend->scram);
	pthread_mutex_destroy(&backend->mutex);
	free(backend);
}

struct pop3_listener *auth_backend_listener(struct auth_backend *backend)
{
	return &backend->listener;
}

int auth_backend_reload(struct auth_backend *backend, const struct auth_settings *settings,
			struct passwd_error *error)
{
	*error = (struct passwd_error){0};
	return users_reload(backend->file, settings, error);
}
