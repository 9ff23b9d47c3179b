/*
 * pop3-emitter dev: a mail drop for development. It is also the example of an application with an
 * authenticator of its own over the built-in Maildirs: `check_login` answers `authenticate` and
 * puts a grant, which says where the maildrop is; the store backend answers everything else.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "backend/maildrops.h"
#include "base/clock.h"
#include "cli/dev.h"
#include "daemon/certificates.h"
#include "daemon/drive.h"
#include "daemon/message.h"
#include "daemon/process.h"
#include "daemon/server_options.h"

/* Logins between `authenticate` and `open`. */
#define GRANTS_MAX 1000
#define QUEUE_MAX  OPTIONS_COUNT_MAX

/* ---- The authenticator ---- */

/* With --user NAME:PASSWORD only those, else everybody. */
static bool is_welcome(const struct dev *dev, const struct pop3_authenticate *event)
{
	size_t length = strlen(event->user);
	bool anybody = true;

	for (size_t i = 0; i < dev->arguments->flag_count; i++) {
		if (strcmp(dev->arguments->flags[i].flag->name, "user") != 0)
			continue;
		const char *user = dev->arguments->flags[i].value;
		anybody = false;
		if (strncmp(user, event->user, length) == 0 && user[length] == ':')
			return pop3_matches(event, user + length + 1, strlen(user + length + 1));
	}
	return anybody;
}

/* Make FOLDER/<user>/Maildir if it is missing. */
static enum pop3_result make_mailbox(const struct dev *dev, const char *user,
				     struct maildrop_path *path)
{
	const struct passwd_entry entry = {.user = user};
	if (maildrop_path_find(&entry, dev->folder, geteuid(), path) != NULL)
		return POP3_DENIED; /* no name for a folder */
	struct maildrop_delivery delivery = {&dev->logger.sink, user, path->maildrop};
	const struct pop3_maildir_options options = {.size = sizeof options,
						     .home = path->home,
						     .failed = maildrop_delivery_failed,
						     .data = &delivery};
	/* A few mkdir(2) on this thread: fine for one developer, work for a worker elsewhere. */
	if (maildrop_path_prepare(path, &dev->logger.sink, user) != NULL ||
	    pop3_maildir_prepare(path->maildrop, &options) != POP3_MAILDIR_OK)
		return POP3_TEMPORARY;
	return POP3_OK;
}

/* Allow the session to open the user's mailbox. */
static enum pop3_result grant_mailbox(const struct dev *dev, const struct pop3_authenticate *event)
{
	struct maildrop_path path;
	enum pop3_result result = make_mailbox(dev, event->user, &path);
	if (result != POP3_OK)
		return result;
	const struct store_grant grant = {.session = event->event.id,
					  .user = event->user,
					  .maildrop = path.maildrop,
					  .home = path.home};
	return grants_put(dev->grants, &grant, clock_now()) == 0 ? POP3_OK : POP3_TEMPORARY;
}

static void check_login(struct pop3_authenticate *event, void *data)
{
	const struct dev *dev = data;
	enum pop3_result result = POP3_DENIED;
	if (is_welcome(dev, event))
		result = grant_mailbox(dev, event);
	pop3_answer_auth(event, result, NULL);
}

static const struct pop3_handlers login_handlers = {
	.size = sizeof login_handlers,
	.authenticate = check_login,
};

static int make_server(struct dev *dev)
{
	struct server_settings settings;
	const struct maildrop_options store = store_options(&dev->options);

	int code = certificates_check(&dev->options);
	if (code != 0)
		return code;
	server_options(&dev->options, false, &dev->logger.sink, &settings);
	dev->login = (struct pop3_listener){.handlers = &login_handlers, .data = dev};
	dev->grants = grants_new(GRANTS_MAX);
	dev->workers = workers_new(dev->options.store_workers, QUEUE_MAX);
	if (dev->grants != NULL && dev->workers != NULL)
		dev->store =
			store_backend_new(dev->workers, dev->grants, &dev->logger.sink, &store);
	if (dev->store != NULL)
		dev->server =
			pop3_server_new(dev->options.hostname, &settings.options, &dev->login);
	if (dev->server == NULL)
		return message(EX_OSERR, "cannot make a server: %s", strerror(errno));
	pop3_server_attach(dev->server, store_backend_listener(dev->store));
	return ports_open(&dev->ports, dev->server, &dev->options, NULL);
}

/* Those of --user exist from the start, so that mail can be put into them before any login. */
static int make_mailboxes(const struct dev *dev)
{
	for (size_t i = 0; i < dev->arguments->flag_count; i++) {
		char user[POP3_USER_MAX + 1];
		struct maildrop_path path;
		if (strcmp(dev->arguments->flags[i].flag->name, "user") != 0)
			continue;
		const char *value = dev->arguments->flags[i].value;
		int length = (int)strcspn(value, ":");
		if (snprintf(user, sizeof user, "%.*s", length, value) != length ||
		    length > POP3_USER_MAX || make_mailbox(dev, user, &path) != POP3_OK)
			return message(EX_CANTCREAT, "--user: cannot make a mailbox for %s", user);
	}
	return 0;
}

/* ---- Serving ---- */

static uint32_t drain_time(void *data)
{
	const struct dev *dev = data;
	return dev->options.drain_timeout * 1000;
}

static int serve_folder(struct dev *dev, pid_t parent)
{
	struct drive drive = {.server = dev->server, .drain = drain_time, .data = dev};

	if (arguments_value(dev->arguments, "exit-with-stdin") != NULL)
		drive.watches[drive.watch_count++] = STDIN_FILENO;
	if (arguments_value(dev->arguments, "exit-with-parent") != NULL) {
		int watch = drive_watch_parent(parent);
		if (watch == -ESRCH)
			return 0;
		if (watch < 0)
			return message(EX_OSERR, "--exit-with-parent: %s", strerror(-watch));
		drive.watches[drive.watch_count++] = watch;
	}
	dev_announce(dev);
	int result = drive_run(&drive);
	return result == 0 ? 0 : message(EX_OSERR, "cannot go on: %s", strerror(-result));
}

static int start(struct dev *dev)
{
	const char *given = dev->arguments->words[0];
	int code = dev_prepare(dev, given);
	if (code != 0)
		return code;
	process_prepare();
	drive_hold_signals();
	logger_init(&dev->logger, &dev->options);
	code = make_server(dev);
	if (code == 0)
		code = dev_drop_root(dev, given);
	if (code == 0)
		code = dev_make_folder(dev, given);
	return code == 0 ? make_mailboxes(dev) : code;
}

/* In the order that serve.c explains. */
static void finish(struct dev *dev)
{
	if (dev->server != NULL)
		pop3_server_free(dev->server);
	workers_free(dev->workers);
	store_backend_free(dev->store);
	grants_free(dev->grants);
	options_fini(&dev->options);
	dev_remove_folder(dev);
}

static int run(const struct arguments *arguments)
{
	pid_t parent = getppid();
	struct dev dev = {.arguments = arguments};
	int code = start(&dev);
	if (code == 0)
		code = serve_folder(&dev, parent);
	finish(&dev);
	return code;
}

static const struct cli_flag flags[] = {
	{.name = "user",
	 .metavar = "NAME:PASSWORD",
	 .help = "admit this user; repeatable (default: anybody with any password)",
	 .repeated = true},
	{.name = "ephemeral", .help = "remove the temporary folder at the end"},
	{.name = "json", .help = "the ready line as JSON"},
	{.name = "exit-with-parent", .help = "end when the process that started it does"},
	{.name = "exit-with-stdin", .help = "end at the end of stdin"},
	{.name = NULL},
};

const struct command command_dev = {
	.name = "dev",
	.usage = "[DIR] [--listen ADDR]... [--user NAME:PASSWORD]... [--ephemeral] [--json] "
		 "[--exit-with-parent] [--exit-with-stdin]",
	.help = "A mail drop for development, on loopback, by default at a free port",
	.more = "Mailboxes are DIR/<user>/Maildir, made on demand (those of --user at the start);\n"
		"without DIR in a temporary folder.\n"
		"The configuration file is not read.\n",
	.settings = OPTION_DEV,
	.flags = flags,
	.words_max = 1,
	.run = run,
};
