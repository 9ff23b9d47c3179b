/*
 * The authenticator over a passwd file. A login is judged in the handler if that is a mere
 * comparison, else by a worker; the verdict is answered there and then, or, for a "no", after the
 * failure delay:
 *
 *   authenticate --+-- judge ---------------------------+-- conclude --+-- answer
 *                  +-- defer, queue -- worker: judge ---+              +-- delay -- answer "no"
 */
#include "backend/auth_backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/verify.h"
#include "backend/delay.h"
#include "backend/maildrops.h"
#include "backend/users.h"
#include "base/clock.h"

/* More logins than this are not kept waiting for their "no"; they are told to try again later. */
#define DELAYED_MAX 16384
/* Milliseconds between two lines about logins that found the queue full. */
#define OVERLOAD_PAUSE 10000

struct auth_backend {
	struct pop3_listener listener;
	struct workers *workers;
	struct grants *grants;
	struct log_sink log;
	struct users_file *file;
	struct delay *delay;
	pthread_mutex_t mutex;   /* guards the two below */
	uint64_t overloads;      /* logins turned away since the last line about it */
	uint64_t overload_again; /* when the next line may be written */
};

/* A deferred login, on its way through the workers or waiting for its "no". */
struct login {
	struct work work;
	struct delayed delayed;
	struct auth_backend *backend;
	struct pop3_authenticate *event; /* the deferred copy */
	uint64_t arrived;
};

/* What a login comes to. */
struct verdict {
	enum pop3_result result;
	const char *user;   /* the canonical name, if the result is POP3_OK; the generation's */
	const char *reason; /* for the log; NULL = nothing to say */
};

#define LOGIN_OF(member_pointer, member)                                                           \
	((struct login *)(void *)((char *)(member_pointer)-offsetof(struct login, member)))

/* ---- Judging ---- */

/* APOP and its like need the plaintext; the same work is done where there is none. */
static enum auth_result check_digest(const struct passwd_entry *entry,
				     const struct pop3_authenticate *event)
{
	const char *secret = auth_plaintext(entry);
	const char *known = secret == NULL ? "" : secret;
	bool matches = pop3_matches(event, known, strlen(known));
	return secret != NULL && matches ? AUTH_OK : AUTH_DENIED;
}

static const char *denied_reason(const struct passwd_entry *entry,
				 const struct pop3_authenticate *event)
{
	if (entry == NULL)
		return "no such user";
	if (entry->state != PASSWD_USABLE)
		return passwd_state_text(entry->state);
	if (event->challenge != NULL && auth_plaintext(entry) == NULL)
		return "the method needs a {PLAIN} secret";
	return "wrong password";
}

static bool acts_for_another(const struct pop3_authenticate *event)
{
	return event->authzid != NULL && *event->authzid != '\0' &&
	       strcmp(event->authzid, event->user) != 0;
}

/* The password was right: put the grant, unless something is wrong with the entry. */
static struct verdict admit(struct auth_backend *backend, const struct users *users,
			    const struct passwd_entry *entry, uint64_t session)
{
	struct maildrop_path path;
	const char *reason = maildrop_path_find(entry, users->settings.maildir_root,
						users->settings.mail_user, &path);
	if (reason != NULL)
		return (struct verdict){.result = POP3_PERMANENT, .reason = reason};
	const struct store_grant grant = {.session = session,
					  .user = entry->user,
					  .maildrop = path.maildrop,
					  .home = path.home};
	if (grants_put(backend->grants, &grant, clock_now()) != 0)
		return (struct verdict){.result = POP3_TEMPORARY, .reason = "out of memory"};
	return (struct verdict){.result = POP3_OK, .user = entry->user};
}

static struct verdict judge(struct auth_backend *backend, const struct users *users,
			    const struct passwd_entry *entry, const struct pop3_authenticate *event)
{
	enum auth_result result = event->challenge != NULL
					  ? check_digest(entry, event)
					  : auth_verify(users->passwd, entry, event->password,
							strlen(event->password));
	if (result == AUTH_TEMPORARY)
		return (struct verdict){.result = POP3_TEMPORARY,
					.reason = "the password could not be checked"};
	if (result == AUTH_DENIED)
		return (struct verdict){.result = POP3_DENIED,
					.reason = denied_reason(entry, event)};
	if (acts_for_another(event))
		return (struct verdict){.result = POP3_DENIED,
					.reason = "wants to act for another user"};
	return admit(backend, users, entry, event->event.id);
}

/* Can the loop judge it itself? */
static bool is_quick(const struct users *users, const struct passwd_entry *entry,
		     const struct pop3_authenticate *event)
{
	return event->challenge != NULL || auth_is_cheap(users->passwd, entry);
}

/* ---- Answering ---- */

static void log_verdict(struct auth_backend *backend, const struct pop3_authenticate *event,
			const struct verdict *verdict)
{
	if (verdict->reason == NULL)
		return;
	const struct pop3_info *info = event->event.info;
	enum pop3_level level = verdict->result == POP3_DENIED ? POP3_LOG_INFO : POP3_LOG_WARNING;
	LOG(&backend->log, level, "login_refused", LOG_NUMBER("session", event->event.id),
	    LOG_TEXT("user", event->user), LOG_TEXT("peer", info == NULL ? NULL : info->peer),
	    LOG_TEXT("method", event->method), LOG_TEXT("reason", verdict->reason));
}

/* Answer; the event is over, and so is a deferred copy. */
static void answer(struct auth_backend *backend, struct pop3_authenticate *event,
		   const struct verdict *verdict)
{
	uint64_t session = event->event.id;
	int result = pop3_answer_auth(event, verdict->result, verdict->user);
	/* Nobody will open what was granted. A client that leaves later is for the table's age. */
	if (result != 0 && verdict->result == POP3_OK)
		grants_release(grants_take(backend->grants, session, clock_now()));
}

static void answer_temporary(struct pop3_authenticate *event)
{
	pop3_answer_auth(event, POP3_TEMPORARY, NULL);
}

/* When the "no" to a login is due; 0 = now. */
static uint64_t due(const struct users *users, const struct pop3_authenticate *event,
		    enum pop3_result result, uint64_t arrived)
{
	const struct pop3_info *info = event->event.info;
	bool spared = info != NULL && info->loopback && !users->settings.delay_on_loopback;
	if (result != POP3_DENIED || users->settings.failure_delay == 0 || spared)
		return 0;
	return arrived + users->settings.failure_delay;
}

static void say_no(struct delayed *delayed)
{
	struct login *login = LOGIN_OF(delayed, delayed);
	pop3_answer_auth(login->event, POP3_DENIED, NULL);
	free(login);
}

static void turn_away(struct login *login)
{
	answer_temporary(login->event);
	free(login);
}

/* Say "no" when it is due. Takes over the login. */
static void delay_no(struct login *login, uint64_t when)
{
	login->delayed = (struct delayed){.run = say_no, .due = when};
	if (delay_add(login->backend->delay, &login->delayed) != 0)
		turn_away(login);
}

/* Defer the event. NULL: it is answered, or dropped by the library for want of memory. */
static struct login *login_new(struct auth_backend *backend, struct pop3_authenticate *event,
			       uint64_t arrived)
{
	struct login *login = calloc(1, sizeof *login);
	if (login == NULL) {
		answer_temporary(event);
		return NULL;
	}
	login->backend = backend;
	login->arrived = arrived;
	login->event = pop3_defer(&event->event);
	if (login->event == NULL) {
		free(login);
		return NULL;
	}
	return login;
}

/* ---- The worker ---- */

static void run(struct work *work)
{
	struct login *login = LOGIN_OF(work, work);
	struct auth_backend *backend = login->backend;
	struct pop3_authenticate *event = login->event;
	users_refresh(backend->file);
	struct users *users = users_hold(backend->file);
	const struct passwd_entry *entry =
		passwd_lookup(users->passwd, event->user, users->settings.strip_domain);
	struct verdict verdict = judge(backend, users, entry, event);
	log_verdict(backend, event, &verdict);

	uint64_t when = due(users, event, verdict.result, login->arrived);
	if (when > clock_now()) {
		delay_no(login, when);
	} else {
		answer(backend, event, &verdict);
		free(login);
	}
	users_release(backend->file, users);
}

static void drop(struct work *work)
{
	struct login *login = LOGIN_OF(work, work);
	pop3_drop(&login->event->event);
	free(login);
}

/* The crypt queue is full: said once in a while, with how often. */
static void log_overload(struct auth_backend *backend, uint64_t now)
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

/* ---- The handler ---- */

static void leave_to_worker(struct auth_backend *backend, struct pop3_authenticate *event,
			    uint64_t arrived)
{
	struct login *login = login_new(backend, event, arrived);
	if (login == NULL)
		return;
	login->work = (struct work){.run = run, .drop = drop};
	if (workers_submit(backend->workers, &login->work) != 0) {
		log_overload(backend, arrived);
		turn_away(login);
	}
}

static void judge_here(struct auth_backend *backend, const struct users *users,
		       const struct passwd_entry *entry, struct pop3_authenticate *event,
		       uint64_t arrived)
{
	struct verdict verdict = judge(backend, users, entry, event);
	log_verdict(backend, event, &verdict);
	uint64_t when = due(users, event, verdict.result, arrived);
	if (when == 0) {
		answer(backend, event, &verdict);
		return;
	}
	struct login *login = login_new(backend, event, arrived);
	if (login != NULL)
		delay_no(login, when);
}

static void authenticate(struct pop3_authenticate *event, void *data)
{
	struct auth_backend *backend = data;
	uint64_t now = clock_now();
	struct users *users = users_hold(backend->file);
	const struct passwd_entry *entry =
		passwd_lookup(users->passwd, event->user, users->settings.strip_domain);
	if (is_quick(users, entry, event) && !users_are_stale(backend->file, users))
		judge_here(backend, users, entry, event, now);
	else
		leave_to_worker(backend, event, now);
	users_release(backend->file, users);
}

static const struct pop3_handlers handlers = {
	.size = sizeof(struct pop3_handlers),
	.authenticate = authenticate,
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
	int result = backend->delay == NULL ? -ENOMEM : 0;
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
	delay_free(backend->delay);
	users_file_free(backend->file);
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
