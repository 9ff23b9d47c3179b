/*
 * pop3-emitter check: would the daemon start, and would each user's login work? It looks with the
 * eyes of the mail user, through the same functions as the daemon, and changes nothing.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "auth/cost.h"
#include "auth/verify.h"
#include "backend/maildrops.h"
#include "cli/cli.h"
#include "daemon/certificates.h"
#include "daemon/message.h"
#include "daemon/ports.h"
#include "daemon/process.h"
#include "daemon/server_options.h"
#include "store/maildrop.h"

struct checking {
	const struct options *options;
	struct account account;
	const struct passwd_entry *entry; /* the one that is looked at */
	unsigned problems;
	unsigned unused[UIDL_FORMATS]; /* maildrops with such a list of unique-ids, not asked for */
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

/* ---- Other servers' unique-ids ---- */

/* With uidl_format = name: are there lists that another value would read? */
static void note_unused(struct checking *c, int maildir)
{
	for (size_t format = UIDL_NAME + 1; format < UIDL_FORMATS; format++)
		c->unused[format] += foreign_list_exists(maildir, (enum uidl_format)format);
}

static size_t count_known(struct foreign_ids *ids, const struct maildrop_list *list)
{
	size_t known = 0;
	for (size_t i = 0; i < maildrop_list_count(list); i++) {
		struct maildrop_entry entry = maildrop_list_entry(list, i);
		known += foreign_ids_knows(ids, entry.base, entry.base_length);
	}
	return known;
}

/* `list` is NULL where somebody is logged in. */
static void tell_ids(const struct checking *c, const char *file, struct foreign_ids *ids,
		     const struct maildrop_list *list)
{
	if (ids == NULL) {
		about_entry(c, "no %s: all unique-ids are ours", file);
		return;
	}
	struct foreign_summary summary = foreign_ids_summary(ids);
	char spoilt[64] = "";
	char messages[64] = "";
	if (summary.spoilt > 0)
		snprintf(spoilt, sizeof spoilt, " (%zu of them not used)", summary.spoilt);
	if (list != NULL)
		snprintf(messages, sizeof messages, ", for %zu of %zu messages",
			 count_known(ids, list), maildrop_list_count(list));
	about_entry(c, "%s: version %llu, %zu unique-ids%s%s", file,
		    (unsigned long long)summary.version, summary.messages, spoilt, messages);
}

static enum store_result check_ids(struct checking *c, const struct store_grant *grant,
				   const struct uidl_rule *rule, const struct maildrop_list *list)
{
	/* What is wrong has been said when the maildrop was opened, if it was. */
	const struct log_sink sink = {list == NULL ? hear : NULL, c};
	int maildir;
	enum store_result result = grant_open(grant, &sink, &maildir);
	if (result != STORE_OK || maildir < 0)
		return result;
	if (rule->format == UIDL_NAME) {
		note_unused(c, maildir);
	} else {
		struct foreign_ids *ids = NULL;
		uint64_t rules;
		result = foreign_ids_load(maildir, rule, grant, &sink, &rules, &ids);
		if (result == STORE_OK)
			tell_ids(c, foreign_file(rule->format), ids, list);
		foreign_ids_free(ids);
	}
	close(maildir);
	return result;
}

static void note_formats(const struct checking *c)
{
	static const char *const values[] = {
		[UIDL_NAME] = "name", [UIDL_DOVECOT] = "dovecot", [UIDL_COURIER] = "courier"};
	for (size_t format = 0; format < UIDL_FORMATS; format++)
		if (c->unused[format] > 0)
			message(0,
				"note: maildrops with a %s: %u; uidl_format = %s would keep its "
				"unique-ids",
				foreign_file((enum uidl_format)format), c->unused[format],
				values[format]);
}

/* ---- Maildrops and users ---- */

static void check_maildrop(struct checking *c, const struct maildrop_path *path)
{
	const struct store_grant grant = {
		.user = c->entry->user, .maildrop = path->maildrop, .home = path->home};
	struct maildrop_options options = store_options(c->options);
	options.without_trace = true;
	const struct log_sink sink = {hear, c};
	struct maildrop *maildrop = NULL;

	enum store_result result = maildrop_open(&grant, &options, &sink, &maildrop);
	/* Somebody is logged in: so it works. */
	if (result == STORE_OK || result == STORE_IN_USE)
		result = check_ids(c, &grant, &options.uidl,
				   maildrop == NULL ? NULL : maildrop_frozen(maildrop));
	maildrop_close(maildrop);
	if (result == STORE_OK)
		return;
	c->problems++;
	about_entry(c, "a login would fail: %s", path->maildrop);
}

/* A hash that is easily broken works, so it is no problem of the login's. */
static void check_cost(const struct checking *c)
{
	if (secret_cost(c->entry->scheme, c->entry->secret) == COST_WEAK)
		about_entry(c, "note: the hash is weak, a new secret would have a better one");
}

static void check_entry(struct checking *c)
{
	struct maildrop_path path;
	const char *wrong = passwd_state_text(c->entry->state);
	if (wrong == NULL && c->entry->scheme == AUTH_SCHEME_VERIFY &&
	    c->options->verify_command == NULL)
		wrong = "its password is {VERIFY}, and verify_command is not set";
	if (wrong == NULL)
		wrong = maildrop_path_find(c->entry, c->options->maildir, c->account.uid, &path);
	if (wrong == NULL) {
		check_maildrop(c, &path);
		check_cost(c);
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

static void warn(const char *text, void *data)
{
	(void)data;
	message(0, "warning: %s", text);
}

static int check_all(const struct options *options)
{
	struct checking c = {.options = options};
	bool was_root = geteuid() == 0;

	int code = ports_check(options, NULL);
	int certificates = certificates_check(options);
	if (code == 0)
		code = certificates;
	int identity = process_account(options, &c.account);
	if (identity == 0)
		identity = process_drop(&c.account);
	if (code == 0)
		code = identity;
	if (identity == 0 && process_check_command(options, &c.account) != 0 && code == 0)
		code = EX_CONFIG;
	if (identity != 0)
		return code; /* there is nobody to look at the maildrops as */
	if (certificates == 0 && was_root)
		certificates_check_reread(options, c.account.name, warn, NULL);
	check_users(&c);
	note_formats(&c);
	if (code == 0 && c.problems > 0)
		code = EX_DATAERR;
	return code;
}

/* With whose eyes to look, if not with those of `user`. */
static int take_eyes(const struct arguments *arguments, struct options *options)
{
	const char *name = arguments_value(arguments, "as");
	char *copy = name == NULL ? NULL : strdup(name);
	if (name == NULL)
		return 0;
	if (copy == NULL)
		return message(EX_OSERR, "out of memory");
	free(options->user);
	options->user = copy;
	return 0;
}

static int run(const struct arguments *arguments)
{
	struct options options;
	int code = arguments_load(arguments, &options);
	if (code != 0)
		return code;
	code = take_eyes(arguments, &options);
	if (code == 0)
		code = check_all(&options);
	if (code == 0)
		printf("no problems\n");
	options_fini(&options);
	return code;
}

static const struct cli_flag flags[] = {
	CLI_CONFIG,
	{.name = "as", .metavar = "NAME", .help = "look as this account, not as the one of `user`"},
	{.name = NULL},
};

const struct command command_check = {
	.name = "check",
	.usage = "[-c FILE] [--as NAME] [--KEY VALUE]...",
	.help = "Check the configuration, the certificates, the passwd file and every maildrop",
	.more = "Exit codes: 0 all is well, 78 the configuration is wrong, 65 the users or their\n"
		"maildrops are. A user who is locked out on purpose is shown and is no problem.\n",
	.settings = OPTION_CHECK,
	.flags = flags,
	.run = run,
};
