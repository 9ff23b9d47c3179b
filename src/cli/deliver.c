/*
 * pop3-emitter deliver: one message from stdin into a user's maildrop, for the pipe of an MTA. That
 * takes most exit codes for a reason to bounce, so whatever an administrator can mend is
 * EX_TEMPFAIL: the message stays in its queue. Only a user that does not exist is EX_NOUSER.
 */
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "auth/passwd.h"
#include "backend/maildrops.h"
#include "cli/cli.h"
#include "daemon/logger.h"
#include "daemon/message.h"
#include "daemon/process.h"
#include "store/delivery.h"

static int deliver(const struct maildrop_path *path, const char *user,
		   const struct options *options)
{
	const struct store_grant grant = {
		.user = user, .maildrop = path->maildrop, .home = path->home};
	const struct delivery_options plain = {0};
	struct logger logger;

	logger_init(&logger, options);
	int result = maildrop_path_prepare(path);
	if (result != 0)
		return message(EX_TEMPFAIL, "%s: %s", path->maildrop, strerror(-result));
	if (delivery_deliver(&grant, &plain, STDIN_FILENO, &logger.sink) != STORE_OK)
		return message(EX_TEMPFAIL, "%s: not delivered", path->maildrop);
	return 0;
}

static int deliver_to_entry(const struct passwd_entry *entry, uid_t mail_user,
			    const struct options *options)
{
	struct maildrop_path path;
	const char *wrong = maildrop_path_find(entry, options->maildir, mail_user, &path);
	if (wrong != NULL)
		return message(EX_TEMPFAIL, "%s:%u: user %s: %s", options->passwd, entry->line,
			       entry->user, wrong);
	return deliver(&path, entry->user, options);
}

static int deliver_to_user(const char *user, uid_t mail_user, const struct options *options)
{
	struct passwd_error why = {0};
	struct passwd *passwd;

	int result = passwd_load(options->passwd, &why, &passwd);
	if (result != 0 && why.line > 0)
		return message(EX_TEMPFAIL, "%s:%u: %s", options->passwd, why.line, why.text);
	if (result != 0)
		return message(EX_TEMPFAIL, "%s: %s", options->passwd, why.text);
	const struct passwd_entry *entry = passwd_lookup(passwd, user, options->strip_domain);
	int code = entry != NULL ? deliver_to_entry(entry, mail_user, options)
				 : message(EX_NOUSER, "no user %.100s", user);
	passwd_unref(passwd);
	return code;
}

static int find_account(const struct options *options, bool any_user, struct account *account)
{
	if (geteuid() == 0 && options->user == NULL && any_user)
		return process_owner(options->maildir, account);
	return process_account(options, account);
}

/* The maildir is a mail drop as `dev` serves it: every name that can be part of a path is a user.
 */
static int deliver_to_name(const char *user, uid_t mail_user, const struct options *options)
{
	const struct passwd_entry entry = {.user = user};
	struct maildrop_path path;
	const char *wrong = maildrop_path_find(&entry, options->maildir, mail_user, &path);
	return wrong == NULL ? deliver(&path, user, options)
			     : message(EX_NOUSER, "user %.100s: %s", user, wrong);
}

static int run(const struct arguments *arguments)
{
	struct options options;
	struct account account;

	int code = arguments_load(arguments, &options);
	if (code != 0)
		return code == EX_USAGE ? code : EX_TEMPFAIL;
	bool any_user = arguments_value(arguments, "any-user") != NULL;
	if (any_user && options.maildir == NULL) {
		options_fini(&options);
		return message(EX_USAGE, "--any-user needs --maildir");
	}
	process_prepare();
	code = find_account(&options, any_user, &account);
	if (code == 0)
		code = process_drop(&account);
	const char *user = arguments->words[0];
	if (code != 0)
		code = EX_TEMPFAIL;
	else if (any_user)
		code = deliver_to_name(user, account.uid, &options);
	else
		code = deliver_to_user(user, account.uid, &options);
	options_fini(&options);
	return code;
}

static const struct cli_flag flags[] = {
	CLI_CONFIG,
	{.name = "any-user", .help = "every name is a user of the maildir, as with dev"},
	{.name = NULL},
};

const struct command command_deliver = {
	.name = "deliver",
	.usage = "[-c FILE] [--maildir ROOT [--any-user]] [--passwd FILE] [--user NAME] USER < "
		 "message",
	.help = "Deliver a message into the maildrop of a user",
	.more = "Exit codes: 0 it is on disk, 67 no such user, 75 try again later.\n",
	.settings = OPTION_DELIVER,
	.flags = flags,
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
