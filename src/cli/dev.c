/*
 * pop3-emitter dev: a mail drop for development. It is also the example of an application with an
 * authenticator of its own over the built-in Maildirs: `check_login` answers `authenticate` and
 * puts a grant, which says where the maildrop is; the store backend answers everything else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "backend/maildrops.h"
#include "backend/store_backend.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "daemon/address.h"
#include "daemon/drive.h"
#include "daemon/logger.h"
#include "daemon/message.h"
#include "daemon/ports.h"
#include "daemon/process.h"
#include "daemon/server_options.h"
#include "daemon/temporary.h"
#include "store/delivery.h"

/* Logins between `authenticate` and `open`. */
#define GRANTS_MAX 1000
#define QUEUE_MAX  OPTIONS_CONNECTIONS_MAX

struct dev {
	const struct arguments *arguments;
	struct options options;
	struct logger logger;
	struct ports ports;
	char folder[PATH_MAX]; /* mailboxes are FOLDER/<user>/Maildir */
	bool temporary;        /* we made the folder */
	struct pop3_server *server;
	struct grants *grants;
	struct workers *workers;
	struct store_backend *store;
	struct pop3_listener login;
};

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

/* Make the user's mailbox if it is missing, and allow the session to open it. */
static enum pop3_result grant_mailbox(struct dev *dev, const struct pop3_authenticate *event)
{
	const struct passwd_entry entry = {.user = event->user};
	struct maildrop_path path;

	if (maildrop_path_find(&entry, dev->folder, geteuid(), &path) != NULL)
		return POP3_DENIED; /* no name for a folder */
	const struct store_grant grant = {.session = event->event.id,
					  .user = event->user,
					  .maildrop = path.maildrop,
					  .home = path.home};
	/* A few mkdir(2) on this thread: fine for one developer, work for a worker elsewhere. */
	if (maildrop_path_prepare(&path) != 0 ||
	    delivery_prepare(&grant, &dev->logger.sink) != STORE_OK ||
	    grants_put(dev->grants, &grant, clock_now()) != 0)
		return POP3_TEMPORARY;
	return POP3_OK;
}

static void check_login(struct pop3_authenticate *event, void *data)
{
	struct dev *dev = data;
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
	const struct pop3_options options = server_options(&dev->options, false, &dev->logger.sink);

	dev->login = (struct pop3_listener){.handlers = &login_handlers, .data = dev};
	dev->grants = grants_new(GRANTS_MAX);
	dev->workers = workers_new(dev->options.store_workers, QUEUE_MAX);
	if (dev->grants != NULL && dev->workers != NULL)
		dev->store = store_backend_new(dev->workers, dev->grants, &dev->logger.sink,
					       dev->options.mark_seen);
	if (dev->store != NULL)
		dev->server = pop3_server_new(dev->options.hostname, &options, &dev->login);
	if (dev->server == NULL)
		return message(EX_OSERR, "cannot make a server: %s", strerror(errno));
	pop3_server_attach(dev->server, store_backend_listener(dev->store));
	return ports_open(&dev->ports, dev->server, &dev->options);
}

/* ---- Where, and as whom ---- */

/* As root nothing is served: the folder's owner does it, or nobody for a folder of our own. */
static int drop_root(const struct dev *dev, const char *given)
{
	struct account account;
	struct stat info;

	if (geteuid() != 0)
		return 0;
	if (given == NULL) {
		if (account_find("nobody", &account) != 0)
			return message(EX_OSERR, "there is no account nobody to serve as");
		return process_drop(&account);
	}
	if (stat(dev->folder, &info) != 0)
		return message(EX_NOINPUT, "%s: %s", dev->folder, strerror(errno));
	if (info.st_uid == 0)
		return message(EX_CONFIG,
			       "refusing to run as root: %s belongs to root; it is "
			       "served as its owner",
			       dev->folder);
	if (account_of(info.st_uid, info.st_gid, &account) != 0)
		return message(EX_OSERR, "cannot look up uid %u", (unsigned)info.st_uid);
	return process_drop(&account);
}

static int find_folder(struct dev *dev, const char *given)
{
	struct stat info;
	if (given == NULL)
		return 0;
	if (realpath(given, dev->folder) == NULL || stat(dev->folder, &info) != 0)
		return message(EX_NOINPUT, "%s: %s", given, strerror(errno));
	return S_ISDIR(info.st_mode) ? 0 : message(EX_NOINPUT, "%s: is no folder", given);
}

static int make_folder(struct dev *dev, const char *given)
{
	if (given != NULL)
		return 0;
	int result = temporary_make(dev->folder);
	if (result != 0)
		return message(EX_CANTCREAT, "cannot make a temporary folder: %s",
			       strerror(-result));
	dev->temporary = true;
	return 0;
}

/* ---- Settings ---- */

static int check_flags(const struct arguments *a)
{
	for (size_t i = 0; i < a->flag_count; i++) {
		const char *value = a->flags[i].value;
		if (strcmp(a->flags[i].flag->name, "user") == 0 &&
		    (strchr(value, ':') == NULL || *value == ':'))
			return message(EX_USAGE, "--user: must be NAME:PASSWORD");
	}
	if (a->word_count > 0 && arguments_value(a, "ephemeral") != NULL)
		return message(EX_USAGE, "--ephemeral: a folder that was given is never removed");
	return 0;
}

static int load_settings(struct dev *dev)
{
	const struct option_report report = {message_problem, NULL};
	struct option_input input = arguments_input(dev->arguments);
	const struct option_row *listen = option_find("listen");

	input.file = NULL; /* what a daemon on this machine is told is not for us */
	int code = options_load(&input, &report, &dev->options);
	if (code == 0 && dev->options.source[listen - option_rows] == OPTION_DEFAULT &&
	    options_set(&dev->options, listen, OPTION_FLAG, "127.0.0.1:0") != NULL)
		code = EX_OSERR;
	for (size_t i = 0; code == 0 && i < dev->options.listen.count; i++)
		if (address_kind(dev->options.listen.items[i]) == ADDRESS_OPEN)
			code = message(EX_USAGE, "--listen %s: dev serves loopback only",
				       dev->options.listen.items[i]);
	return code;
}

/* ---- Serving ---- */

static void print_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			printf("\\u%04x", (unsigned)*text);
		else
			putchar(*text);
	}
}

/* {"event":"listening","protocol":"pop3","address":"127.0.0.1","port":41873,"maildir":"/path"} */
static void print_json(const struct dev *dev, const char *address)
{
	const char *colon = strrchr(address, ':');
	bool unix_socket = strncmp(address, "unix:", 5) == 0;
	bool bracketed = *address == '[';

	printf("{\"event\":\"listening\",\"protocol\":\"%s\",\"address\":\"",
	       unix_socket ? "unix" : "pop3");
	if (unix_socket)
		print_text(address + 5);
	else
		printf("%.*s", (int)(colon - address) - (bracketed ? 2 : 0), address + bracketed);
	printf("\",\"port\":%s,\"maildir\":\"", unix_socket ? "0" : colon + 1);
	print_text(dev->folder);
	printf("\"}\n");
}

static void announce(const struct dev *dev)
{
	if (arguments_value(dev->arguments, "json") == NULL) {
		ports_announce(&dev->ports);
		printf("maildir %s\n", dev->folder);
	} else {
		for (size_t i = 0; i < dev->ports.count; i++)
			print_json(dev, dev->ports.addresses[i]);
	}
	fflush(stdout);
}

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
	announce(dev);
	int result = drive_run(&drive);
	return result == 0 ? 0 : message(EX_OSERR, "cannot go on: %s", strerror(-result));
}

static int start(struct dev *dev)
{
	const char *given = dev->arguments->words[0];
	int code = check_flags(dev->arguments);
	if (code == 0)
		code = find_folder(dev, given);
	if (code == 0)
		code = load_settings(dev);
	if (code != 0)
		return code;
	process_prepare();
	drive_hold_signals();
	logger_init(&dev->logger, &dev->options);
	code = make_server(dev);
	if (code == 0)
		code = drop_root(dev, given);
	return code == 0 ? make_folder(dev, given) : code;
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
	if (!dev->temporary || arguments_value(dev->arguments, "ephemeral") == NULL)
		return;
	int result = temporary_remove(dev->folder);
	if (result != 0)
		message(0, "%s: cannot be removed: %s", dev->folder, strerror(-result));
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
	.more = "Mailboxes are DIR/<user>/Maildir, made on demand; without DIR in a temporary "
		"folder.\n"
		"The configuration file is not read.\n",
	.settings = OPTION_DEV,
	.flags = flags,
	.words_max = 1,
	.run = run,
};
