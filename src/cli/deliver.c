/*
 * pop3-emitter deliver: one message from stdin into a user's maildrop, for the pipe of an MTA. That
 * takes most exit codes for a reason to return the mail to its sender, so whatever an administrator
 * can mend is EX_TEMPFAIL: the message stays in its queue. Only a user that does not exist is
 * EX_NOUSER, and only a message that can never be delivered EX_DATAERR. The last line printed is
 * fit for the sender, who gets to see it, also of a message that waited until the MTA gave up: it
 * says nothing of the machine. What an administrator needs, paths and all, is in the log.
 */
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "auth/passwd.h"
#include "auth/recipient.h"
#include "backend/maildrops.h"
#include "cli/cli.h"
#include "daemon/logger.h"
#include "daemon/message.h"
#include "daemon/process.h"
#include "pop3_maildir.h"

/* What is to be done, whoever the user turns out to be. */
struct job {
	const struct options *options;
	const struct log_sink *log;
	uid_t mail_user;
	const char *return_path, *delivered_to; /* NULL = not given */
};

/* A delivery, and what its failure was. */
struct attempt {
	struct maildrop_delivery delivery;
	const char *text;
};

static void failed(const struct pop3_maildir_failure *failure, void *data)
{
	struct attempt *attempt = data;
	attempt->text = failure->text;
	maildrop_delivery_failed(failure, &attempt->delivery);
}

/* The message stays with the MTA, and `why` is all that its sender may see one day. */
static int put_off(const char *why)
{
	return message(EX_TEMPFAIL, "try again later: %s", why);
}

static int deliver(const struct maildrop_path *path, const char *user, const struct job *job)
{
	struct attempt attempt = {.delivery = {job->log, user, path->maildrop}, .text = ""};
	const struct pop3_maildir_options options = {.size = sizeof options,
						     .home = path->home,
						     .return_path = job->return_path,
						     .delivered_to = job->delivered_to,
						     .max_size = job->options->max_message_size,
						     .failed = failed,
						     .data = &attempt,
						     .skip_mbox_line = true};

	const char *wrong = maildrop_path_prepare(path, job->log, user);
	if (wrong != NULL)
		return put_off(wrong);
	switch (pop3_maildir_deliver_from(path->maildrop, &options, STDIN_FILENO)) {
	case POP3_MAILDIR_OK:
		return EX_OK;
	case POP3_MAILDIR_PERMANENT:
		return message(EX_DATAERR, "not delivered: %s", attempt.text);
	case POP3_MAILDIR_TEMPORARY:
		break;
	}
	return put_off(attempt.text);
}

static int deliver_to_entry(const struct passwd_entry *entry, const struct job *job)
{
	struct maildrop_path path;
	const char *wrong = maildrop_path_find(entry, job->options->maildir, job->mail_user, &path);
	if (wrong != NULL) {
		LOG(job->log, POP3_LOG_ERROR, "users", LOG_TEXT("file", job->options->passwd),
		    LOG_NUMBER("line", entry->line), LOG_TEXT("user", entry->user),
		    LOG_TEXT("text", wrong));
		return put_off("the user's maildrop is not set up");
	}
	return deliver(&path, entry->user, job);
}

static int deliver_to_user(const char *user, const struct job *job)
{
	const struct options *options = job->options;
	struct passwd_error why = {0};
	struct passwd *passwd;

	int result = passwd_load(options->passwd, &why, &passwd);
	if (result != 0) {
		LOG(job->log, POP3_LOG_ERROR, "users", LOG_TEXT("file", options->passwd),
		    LOG_NUMBER("line", why.line), LOG_TEXT("text", why.text));
		return put_off("the users cannot be read");
	}
	const struct recipient_rules rules = {.delimiters = options->recipient_delimiter,
					      .strip_domain = options->strip_domain};
	const struct passwd_entry *entry = recipient_find(passwd, user, &rules);
	int code = entry != NULL ? deliver_to_entry(entry, job)
				 : message(EX_NOUSER, "no user %.100s", user);
	passwd_unref(passwd);
	return code;
}

/* The maildir is a mail drop as `dev` serves it: every name that can be part of a path is a user.
 */
static int deliver_to_name(const char *user, const struct job *job)
{
	const struct passwd_entry entry = {.user = user};
	struct maildrop_path path;
	const char *wrong =
		maildrop_path_find(&entry, job->options->maildir, job->mail_user, &path);
	return wrong == NULL ? deliver(&path, user, job)
			     : message(EX_NOUSER, "user %.100s: %s", user, wrong);
}

static int find_account(const struct options *options, bool any_user, struct account *account)
{
	if (geteuid() == 0 && options->user == NULL && any_user)
		return process_owner(options->maildir, account);
	return process_account(options, account);
}

/* A file that gets too large and a log that nobody reads are errors like others. */
static void ignore_signals(void)
{
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static int run_as_mail_user(const struct arguments *arguments, const struct options *options)
{
	struct account account;
	bool any_user = arguments_value(arguments, "any-user") != NULL;
	if (any_user && options->maildir == NULL)
		return message(EX_USAGE, "--any-user needs --maildir");
	process_prepare();
	int code = find_account(options, any_user, &account);
	if (code == 0)
		code = process_drop(&account);
	if (code != 0)
		return put_off("the mail user is not set up");
	struct logger logger;
	logger_init(&logger, options);
	const struct job job = {.options = options,
				.log = &logger.sink,
				.mail_user = account.uid,
				.return_path = arguments_value(arguments, "return-path"),
				.delivered_to = arguments_value(arguments, "delivered-to")};
	const char *user = arguments->words[0];
	return any_user ? deliver_to_name(user, &job) : deliver_to_user(user, &job);
}

static int run(const struct arguments *arguments)
{
	struct options options;
	ignore_signals();
	int code = arguments_load(arguments, &options);
	if (code != 0)
		return code == EX_USAGE ? code : put_off("the configuration cannot be used");
	code = run_as_mail_user(arguments, &options);
	options_fini(&options);
	return code;
}

static const struct cli_flag flags[] = {
	CLI_CONFIG,
	{.name = "any-user", .help = "every name is a user of the maildir, as with dev"},
	{.name = "return-path",
	 .metavar = "ADDRESS",
	 .help = "the sender, for a line Return-Path above the message"},
	{.name = "delivered-to",
	 .metavar = "ADDRESS",
	 .help = "the recipient, for a line Delivered-To above the message"},
	{.name = NULL},
};

const struct command command_deliver = {
	.name = "deliver",
	.usage = "[-c FILE] [--maildir ROOT [--any-user]] [--passwd FILE] [--user NAME] "
		 "[--return-path ADDRESS] [--delivered-to ADDRESS] [--] USER < message",
	.help = "Deliver a message into the maildrop of a user",
	.more = "Exit codes: 0 it is on disk, 75 try again later; for good: 67 no such user,\n"
		"65 the message is too large or an address cannot be, 64 this command line is "
		"wrong.\n",
	.settings = OPTION_DELIVER,
	.flags = flags,
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
