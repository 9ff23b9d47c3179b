/*
 * pop3-emitter check: would the daemon start, and would each user's login work? It looks with the
 * eyes of the mail user, through the same functions as the daemon, and changes nothing.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "auth/verify.h"
#include "backend/maildrops.h"
#include "cli/cli.h"
#include "daemon/message.h"
#include "daemon/ports.h"
#include "daemon/process.h"
#include "store/maildrop.h"

struct checking {
	const struct options *options;
	struct account account;
	const struct passwd_entry *entry; /* the one that is looked at */
	unsigned problems;
};

/* "passwd:3: alice: text". */
__attribute__((format(printf, 2, 3))) static void about_entry(const struct checking *c,
							      const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	message(0, "%s:%u: %s: %s", c->options->passwd, c->entry->line, c->entry->user, text);
}

/* The store's log: what it says of the maildrop that is being opened. */
static void hear(const struct pop3_record *record, void *data)
{
	const struct checking *c = data;
	char text[400] = "";
	size_t length = 0;

	for (size_t i = 0; i < record->count && length < sizeof text; i++) {
		const struct pop3_field *field = &record->fields[i];
		if (field->text == NULL || strcmp(field->name, "user") == 0)
			continue;
		int wrote = snprintf(text + length, sizeof text - length, "%s%s",
				     length > 0 ? ": " : "", field->text);
		length += wrote > 0 ? (size_t)wrote : 0;
	}
	about_entry(c, "%s", text);
}

static void check_maildrop(struct checking *c, const struct maildrop_path *path)
{
	const struct store_grant grant = {
		.user = c->entry->user, .maildrop = path->maildrop, .home = path->home};
	const struct maildrop_options options = {.index_directory = c->options->index_dir,
						 .without_trace = true};
	const struct log_sink sink = {hear, c};
	struct maildrop *maildrop = NULL;

	enum store_result result = maildrop_open(&grant, &options, &sink, &maildrop);
	if (result == STORE_OK)
		maildrop_close(maildrop);
	if (result == STORE_OK || result == STORE_IN_USE)
		return; /* somebody is logged in: so it works */
	c->problems++;
	about_entry(c, "a login would fail: %s", path->maildrop);
}

static void check_entry(struct checking *c)
{
	struct maildrop_path path;
	const char *wrong = passwd_state_text(c->entry->state);
	if (wrong == NULL)
		wrong = maildrop_path_find(c->entry, c->options->maildir, c->account.uid, &path);
	if (wrong == NULL) {
		check_maildrop(c, &path);
		return;
	}
	about_entry(c, "cannot log in: %s", wrong);
	if (c->entry->state != PASSWD_DISABLED)
		c->problems++;
}

static void bad_line(struct checking *c, unsigned line, const char *text)
{
	c->problems++;
	if (line > 0)
		message(0, "%s:%u: %s", c->options->passwd, line, text);
	else
		message(0, "%s: %s", c->options->passwd, text);
}

/* passwd_load() stops at the first wrong line; here each line is read by itself. */
static void check_lines(struct checking *c)
{
	FILE *file = fopen(c->options->passwd, "re");
	char *line = NULL;
	size_t size = 0;
	unsigned number = 0;

	if (file == NULL)
		return;
	for (;;) {
		ssize_t length = getline(&line, &size, file);
		if (length < 0)
			break;
		struct passwd_error why = {0};
		struct passwd *passwd = NULL;
		number++;
		if (passwd_parse(line, (size_t)length, &why, &passwd) != 0)
			bad_line(c, number, why.text);
		passwd_unref(passwd);
	}
	free(line);
	fclose(file);
}

static void check_apop(const struct checking *c, const struct passwd *passwd)
{
	size_t plain = 0;
	for (size_t i = 0; i < passwd_count(passwd); i++)
		plain += auth_plaintext(passwd_at(passwd, i)) != NULL;
	if (c->options->apop && plain == 0)
		message(0, "note: apop is not offered, for %s holds no {PLAIN} secret",
			c->options->passwd);
}

static void check_users(struct checking *c)
{
	struct passwd_error why = {0};
	struct passwd *passwd;

	if (passwd_load(c->options->passwd, &why, &passwd) != 0) {
		unsigned before = c->problems;
		if (why.line > 0)
			check_lines(c);
		if (c->problems == before)
			bad_line(c, why.line, why.text);
		return;
	}
	check_apop(c, passwd);
	for (size_t i = 0; i < passwd_count(passwd); i++) {
		c->entry = passwd_at(passwd, i);
		check_entry(c);
	}
	passwd_unref(passwd);
}

static int check_all(const struct options *options)
{
	struct checking c = {.options = options};

	int code = ports_check(options);
	int identity = process_account(options, &c.account);
	if (identity == 0)
		identity = process_drop(&c.account);
	if (code == 0)
		code = identity;
	if (identity != 0)
		return code; /* there is nobody to look at the maildrops as */
	check_users(&c);
	if (code == 0 && c.problems > 0)
		code = EX_DATAERR;
	return code;
}

static int run(const struct arguments *arguments)
{
	struct options options;
	int code = arguments_load(arguments, &options);
	if (code != 0)
		return code;
	code = check_all(&options);
	if (code == 0)
		printf("no problems\n");
	options_fini(&options);
	return code;
}

static const struct cli_flag flags[] = {CLI_CONFIG, {.name = NULL}};

const struct command command_check = {
	.name = "check",
	.usage = "[-c FILE] [--KEY VALUE]...",
	.help = "Check the configuration, the passwd file and every maildrop",
	.more = "Exit codes: 0 all is well, 78 the configuration is wrong, 65 the users or their\n"
		"maildrops are. A user who is locked out on purpose is shown and is no problem.\n",
	.settings = OPTION_CHECK,
	.flags = flags,
	.run = run,
};
