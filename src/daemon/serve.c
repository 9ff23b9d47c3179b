/*
 * Setting up goes in one order and taking down in the reverse: first the server, so that no event
 * can come any more, then the workers, who may still be at one, then what they work on.
 */
#include "daemon/serve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "backend/auth_backend.h"
#include "backend/program.h"
#include "backend/store_backend.h"
#include "daemon/certificates.h"
#include "daemon/drive.h"
#include "daemon/logger.h"
#include "daemon/message.h"
#include "daemon/notify.h"
#include "daemon/ports.h"
#include "daemon/process.h"
#include "daemon/server_options.h"

/* Logins between their `authenticate` and their `open`, see grants.h: as many as connections. */
#define GRANTS_MAX OPTIONS_COUNT_MAX
/* A session has one piece of work at a time, so this queue is never full. */
#define STORE_QUEUE OPTIONS_COUNT_MAX
/* Room for "FILE:LINE". */
#define PLACE_SIZE   512
#define MILLISECONDS 1000u

struct daemon {
	const struct option_input *input;
	struct options started; /* what the process began with */
	uint32_t drain;         /* milliseconds; the last reload's */
	struct logger logger;
	struct account account;
	struct activation passed;
	struct notify notify;
	struct ports ports;
	struct pop3_server *server;
	struct grants *grants;
	struct workers *store_workers, *crypt_workers;
	struct store_backend *store;
	struct auth_backend *auth;
};

/* ---- What follows from settings ---- */

/* Whatever is due later than now must be due before the library stops waiting for the answer. */
static uint32_t shortened(uint32_t seconds, const struct options *options)
{
	uint32_t longest = options->answer_timeout * MILLISECONDS / 2;
	uint32_t wanted = seconds * MILLISECONDS;
	return wanted < longest ? wanted : longest;
}

static struct throttle_rules throttle_rules(const struct options *options)
{
	return (struct throttle_rules){
		.penalty = {.address_failures = options->address_failures,
			    .user_failures = options->user_failures,
			    .recovery = options->failure_recovery * MILLISECONDS},
		.failure_delay = shortened(options->failure_delay, options),
		.delay_max = shortened(OPTIONS_DELAY_MAX, options),
		.login_delay = options->login_delay * MILLISECONDS,
		.remember = options->remember_passwords * MILLISECONDS,
		.on_loopback = options->limits_on_loopback,
	};
}

/* Names that are wrong do not come so far. */
static struct mechanisms mechanisms_of(const struct options *options)
{
	struct mechanisms mechanisms = {.count = 0};
	for (size_t i = 0; i < options->mechanisms.count; i++)
		mechanisms_add(&mechanisms, options->mechanisms.items[i]);
	return mechanisms;
}

static struct auth_settings auth_settings(const struct daemon *d, const struct options *options)
{
	return (struct auth_settings){
		.passwd = options->passwd,
		.maildir_root = d->started.maildir,
		.mail_user = d->account.uid,
		.strip_domain = options->strip_domain,
		.verify = {.command = options->verify_command,
			   .timeout = shortened(options->verify_timeout, options)},
		.verify_processes = options->verify_processes,
		.verify_queue = options->crypt_queue,
		.mechanisms = mechanisms_of(options),
		.rules = throttle_rules(options),
	};
}

/* APOP is offered only if somebody can log in by it, for it needs the plaintext. */
static bool offers_apop(const struct options *options)
{
	struct passwd_error error;
	struct passwd *passwd;
	bool found = false;

	if (!options->apop || passwd_load(options->passwd, &error, &passwd) != 0)
		return false;
	for (size_t i = 0; !found && i < passwd_count(passwd); i++)
		found = passwd_at(passwd, i)->scheme == AUTH_SCHEME_PLAIN;
	passwd_unref(passwd);
	return found;
}

/* ---- Reload ---- */

static void log_problem(const char *place, unsigned line, const char *text, void *data)
{
	const struct daemon *d = data;
	(void)line;
	LOG(&d->logger.sink, POP3_LOG_ERROR, "reload", LOG_TEXT("place", place),
	    LOG_TEXT("text", text));
}

static void log_restarts(const struct daemon *d, const struct options *options)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];
		bool idle = activation_is_used(&d->passed) && row->type == OPTION_ADDRESS;
		if (row->restart && !idle && !options_same(options, &d->started, row))
			LOG(&d->logger.sink, POP3_LOG_WARNING, "reload", LOG_TEXT("key", row->key),
			    LOG_TEXT("text", "needs a restart to change"));
	}
}

/* "FILE:LINE", or the file alone. */
static const char *passwd_place(const struct options *options, const struct passwd_error *error,
				char place[PLACE_SIZE])
{
	if (error->line > 0)
		snprintf(place, PLACE_SIZE, "%s:%u", options->passwd, error->line);
	else
		snprintf(place, PLACE_SIZE, "%s", options->passwd);
	return place;
}

/* True if this is the result of reading a good passwd file, else the log says what is wrong. */
static bool users_are_fine(int result, const struct options *options,
			   const struct passwd_error *error, struct daemon *d)
{
	char place[PLACE_SIZE];
	if (result != 0)
		log_problem(passwd_place(options, error, place), error->line,
			    result == -ENOMEM ? strerror(ENOMEM) : error->text, d);
	return result == 0;
}

static bool check_users(struct daemon *d, const struct options *options)
{
	struct passwd_error error = {0};
	struct passwd *passwd = NULL;
	int result = passwd_load(options->passwd, &error, &passwd);
	passwd_unref(passwd);
	return users_are_fine(result, options, &error, d);
}

static bool reload_users(struct daemon *d, const struct options *options)
{
	const struct auth_settings settings = auth_settings(d, options);
	struct passwd_error error = {0};
	int result = auth_backend_reload(d->auth, &settings, &error);
	return users_are_fine(result, options, &error, d);
}

/* What a reload may not take away: what addresses were opened with. */
static bool is_fit(struct daemon *d, const struct options *options)
{
	const char *address = ports_unfit(&d->started, &d->passed, options);
	const char *why = ports_unfit_text;
	if (address == NULL && d->started.listen_tls.count > 0 && options->cert.count == 0) {
		address = d->started.listen_tls.items[0];
		why = "listen_tls is in use, and needs cert and key";
	}
	if (address != NULL)
		log_problem(address, 0, why, d);
	return address == NULL;
}

static bool command_is_fine(struct daemon *d, const struct options *options)
{
	const char *wrong =
		options->verify_command == NULL ? NULL : program_check(options->verify_command);
	if (wrong != NULL)
		log_problem("verify_command", 0, wrong, d);
	return wrong == NULL;
}

/* Everything that can be wrong, before anything is changed. */
static bool check_all(struct daemon *d, const struct options *options)
{
	return is_fit(d, options) && command_is_fine(d, options) &&
	       certificates_check_reload(options, &d->logger.sink) && check_users(d, options);
}

/* What may still fail, if files change meanwhile or memory runs out. */
static bool reload_server(struct daemon *d, const struct options *options)
{
	struct server_settings server;
	server_options(options, offers_apop(options), &d->logger.sink, &server);
	return pop3_server_configure(d->server, &server.options) == 0 && reload_users(d, options);
}

/* All or nothing: whatever is wrong, everything stays as it was. */
static bool reload_all(struct daemon *d)
{
	const struct option_report report = {log_problem, d};
	struct options options;

	if (options_load(d->input, &report, &options) != 0)
		return false;
	if (!check_all(d, &options) || !reload_server(d, &options)) {
		options_fini(&options);
		return false;
	}
	logger_configure(&d->logger, &options);
	const struct maildrop_options store = store_options(&options);
	store_backend_configure(d->store, &store);
	log_restarts(d, &options);
	d->drain = options.drain_timeout * MILLISECONDS;
	options_fini(&options);
	return true;
}

static void reload(void *data)
{
	struct daemon *d = data;
	notify_reloading(&d->notify);
	bool done = reload_all(d);
	LOG(&d->logger.sink, POP3_LOG_INFO, "reload",
	    LOG_TEXT("text", done ? "done" : "refused, all stays as it was"));
	notify_ready(&d->notify, done ? "serving" : "serving; the last reload was refused");
}

/* Asked for once, when the end begins. */
static uint32_t drain_time(void *data)
{
	const struct daemon *d = data;
	notify_stopping(&d->notify);
	return d->drain;
}

/* ---- Start and end ---- */

static int make_server(struct daemon *d)
{
	struct server_settings settings;
	int code = certificates_check(&d->started);
	if (code != 0)
		return code;
	server_options(&d->started, false, &d->logger.sink, &settings);
	d->server = pop3_server_new(d->started.hostname, &settings.options, NULL);
	if (d->server == NULL)
		return message(EX_OSERR, "cannot make a server: %s", strerror(errno));
	return ports_open(&d->ports, d->server, &d->started, &d->passed);
}

static int read_users(struct daemon *d)
{
	const struct auth_settings settings = auth_settings(d, &d->started);
	struct passwd_error error = {0};

	int result = auth_backend_new(&settings, d->crypt_workers, d->grants, &d->logger.sink,
				      &error, &d->auth);
	if (result == 0)
		return 0;
	if (result == -ENOMEM)
		return message(EX_OSERR, "out of memory");
	char place[PLACE_SIZE];
	return message(EX_CONFIG, "%s: %s (read as user %s)",
		       passwd_place(&d->started, &error, place), error.text, d->account.name);
}

static int make_backend(struct daemon *d)
{
	d->grants = grants_new(GRANTS_MAX);
	d->store_workers = workers_new(d->started.store_workers, STORE_QUEUE);
	d->crypt_workers = workers_new(d->started.crypt_workers, d->started.crypt_queue);
	const struct maildrop_options options = store_options(&d->started);
	if (d->grants != NULL && d->store_workers != NULL && d->crypt_workers != NULL)
		d->store =
			store_backend_new(d->store_workers, d->grants, &d->logger.sink, &options);
	if (d->store == NULL)
		return message(EX_OSERR, "out of memory");
	int code = read_users(d);
	if (code != 0)
		return code;
	pop3_server_attach(d->server, auth_backend_listener(d->auth));
	pop3_server_attach(d->server, store_backend_listener(d->store));
	return 0;
}

static void log_warning(const char *text, void *data)
{
	const struct daemon *d = data;
	LOG(&d->logger.sink, POP3_LOG_WARNING, "tls", LOG_TEXT("text", text));
}

/* Certificates that root has read stay; the mail user may read no more of them than it can. */
static int offer_apop(struct daemon *d)
{
	struct server_settings settings;
	server_options(&d->started, offers_apop(&d->started), &d->logger.sink, &settings);
	settings.options.tls.keep = true;
	return pop3_server_configure(d->server, &settings.options) == 0 ? 0 : EX_OSERR;
}

/* The passwd file is read after the privileges are gone, as it will be whenever it changes. */
static int start(struct daemon *d)
{
	bool was_root = geteuid() == 0;
	int code = ports_check(&d->started, &d->passed);
	if (code == 0)
		code = process_account(&d->started, &d->account);
	if (code == 0)
		code = make_server(d);
	if (code == 0)
		code = process_drop(&d->account);
	if (code == 0)
		code = process_check_command(&d->started, &d->account);
	if (code == 0)
		code = make_backend(d);
	if (code == 0 && was_root)
		certificates_check_reread(&d->started, d->account.name, log_warning, d);
	return code != 0 || !d->started.apop ? code : offer_apop(d);
}

static void finish(struct daemon *d)
{
	if (d->server != NULL)
		pop3_server_free(d->server);
	workers_stop(d->crypt_workers);
	workers_free(d->store_workers);
	auth_backend_free(d->auth);
	workers_free(d->crypt_workers);
	store_backend_free(d->store);
	grants_free(d->grants);
	notify_fini(&d->notify);
	options_fini(&d->started);
}

int serve(const struct option_input *input)
{
	const struct option_report report = {message_problem, NULL};
	struct daemon d = {.input = input};

	int code = options_load(input, &report, &d.started);
	notify_init(&d.notify);
	if (code == 0)
		code = activation_take(&d.passed);
	if (code == 0) {
		d.drain = d.started.drain_timeout * MILLISECONDS;
		process_prepare();
		drive_hold_signals();
		logger_init(&d.logger, &d.started);
		code = start(&d);
	}
	if (code == 0) {
		ports_announce(&d.ports);
		notify_ready(&d.notify, "serving");
		struct drive drive = {
			.server = d.server, .drain = drain_time, .reload = reload, .data = &d};
		int result = drive_run(&drive);
		if (result != 0)
			code = message(EX_OSERR, "cannot go on: %s", strerror(-result));
	}
	finish(&d);
	return code;
}
