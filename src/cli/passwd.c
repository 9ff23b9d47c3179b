/*
 * pop3-emitter passwd: the users. A secret is read from the terminal or from stdin, never from the
 * command line, where every user of the machine can read it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "auth/passwd_edit.h"
#include "auth/user.h"
#include "auth/verify.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/secret.h"
#include "daemon/message.h"

/* One invocation. */
struct deed {
	const char *path;
	const char *user; /* NULL for `list` */
	const char *scheme, *fields;
};

static int exit_code(int error)
{
	switch (-error) {
	case ENOENT:
		return EX_NOINPUT;
	case EACCES:
	case EPERM:
		return EX_NOPERM;
	case ESRCH:
		return EX_NOUSER;
	case EINVAL:
	case EEXIST:
	case EFBIG:
	case EDOM:
		return EX_DATAERR;
	case EROFS:
	case ENOSPC:
		return EX_CANTCREAT;
	default:
		return EX_OSERR;
	}
}

static int failed(const struct deed *deed, int error, const struct passwd_error *why)
{
	const char *text = *why->text != '\0' ? why->text : strerror(-error);
	if (why->line > 0)
		return message(exit_code(error), "%s:%u: %s", deed->path, why->line, text);
	return message(exit_code(error), "%s: %s", deed->path, text);
}

/* The stored form of a password that is asked for. */
static int make_secret(const struct deed *deed, char secret[AUTH_SECRET_SIZE])
{
	char password[AUTH_PASSWORD_SIZE];
	size_t length = 0;

	int code = auth_stores_password(deed->scheme)
			   ? secret_read("new password: ", true, password, &length)
			   : 0;
	if (code != 0)
		return code;
	int result = auth_make_secret(deed->scheme, password, length, secret);
	secret_wipe(password, sizeof password);
	if (result == -EINVAL)
		return message(EX_USAGE, "--scheme: must be one of yescrypt, bcrypt, sha512-crypt, "
					 "sha256-crypt, scram-sha-256, plain, verify");
	if (result == -EDOM)
		return message(EX_DATAERR, "the password is empty, too long, or holds what the "
					   "scheme cannot store");
	return result == 0 ? 0 : message(EX_OSERR, "cannot hash: %s", strerror(-result));
}

/* Whether the file is fit for the change is known before a password is asked for. */
static int look_first(const struct deed *deed, bool must_exist, bool must_have)
{
	struct passwd_error why = {0};
	struct passwd *passwd;
	int result = passwd_load(deed->path, &why, &passwd);
	if (result == -ENOENT && !must_exist)
		return 0;
	if (result != 0)
		return failed(deed, result, &why);
	const struct passwd_entry *entry = passwd_lookup(passwd, deed->user, false);
	bool has = entry != NULL;
	passwd_unref(passwd);
	if (has && !must_have)
		return message(EX_DATAERR, "%s: user %s is there already", deed->path, deed->user);
	if (!has && must_have)
		return message(EX_NOUSER, "%s: no user %s", deed->path, deed->user);
	return 0;
}

static int add(const struct deed *deed)
{
	char secret[AUTH_SECRET_SIZE];
	struct passwd_error why = {0};

	int code = look_first(deed, false, false);
	if (code == 0)
		code = make_secret(deed, secret);
	if (code != 0)
		return code;
	int result = passwd_edit_add(deed->path, deed->user, secret, deed->fields, &why);
	secret_wipe(secret, sizeof secret);
	return result == 0 ? 0 : failed(deed, result, &why);
}

static int set(const struct deed *deed)
{
	char secret[AUTH_SECRET_SIZE];
	struct passwd_error why = {0};

	int code = look_first(deed, true, true);
	if (code == 0)
		code = make_secret(deed, secret);
	if (code != 0)
		return code;
	int result = passwd_edit_set(deed->path, deed->user, secret, &why);
	secret_wipe(secret, sizeof secret);
	return result == 0 ? 0 : failed(deed, result, &why);
}

static int remove_user(const struct deed *deed)
{
	struct passwd_error why = {0};
	int result = passwd_edit_remove(deed->path, deed->user, &why);
	if (result == -ESRCH)
		return message(EX_NOUSER, "%s: no user %s", deed->path, deed->user);
	return result == 0 ? 0 : failed(deed, result, &why);
}

/* User, how the secret is stored, home, and why nobody can log in if that is so; tabs between. */
static int list(const struct deed *deed)
{
	static const char *const schemes[] = {"plain", "crypt", "scram-sha-256", "verify"};
	struct passwd_error why = {0};
	struct passwd *passwd;

	int result = passwd_load(deed->path, &why, &passwd);
	if (result != 0)
		return failed(deed, result, &why);
	for (size_t i = 0; i < passwd_count(passwd); i++) {
		const struct passwd_entry *entry = passwd_at(passwd, i);
		const char *state = passwd_state_text(entry->state);
		printf("%s\t%s\t%s%s%s\n", entry->user, schemes[entry->scheme],
		       entry->home != NULL ? entry->home : "-", state != NULL ? "\t" : "",
		       state != NULL ? state : "");
	}
	passwd_unref(passwd);
	return 0;
}

static int verify_entry(const struct passwd *passwd, const struct passwd_entry *entry)
{
	char password[AUTH_PASSWORD_SIZE];
	size_t length = 0;

	if (entry->scheme == AUTH_SCHEME_VERIFY)
		return message(EX_DATAERR, "this user's password is checked by verify_command");
	int code = secret_read("password: ", false, password, &length);
	if (code != 0)
		return code;
	enum auth_result result = auth_verify(passwd, entry, password, length);
	secret_wipe(password, sizeof password);
	if (result == AUTH_TEMPORARY)
		return message(EX_TEMPFAIL, "the password cannot be checked now");
	return result == AUTH_OK ? 0 : message(EX_NOPERM, "no: this password does not log in");
}

static int verify(const struct deed *deed)
{
	struct passwd_error why = {0};
	struct passwd *passwd;

	int result = passwd_load(deed->path, &why, &passwd);
	if (result != 0)
		return failed(deed, result, &why);
	const struct passwd_entry *entry = passwd_lookup(passwd, deed->user, false);
	int code = entry == NULL ? message(EX_NOUSER, "%s: no user %s", deed->path, deed->user)
				 : verify_entry(passwd, entry);
	passwd_unref(passwd);
	return code;
}

static const struct {
	const char *name;
	int (*run)(const struct deed *);
	bool takes_user;
} deeds[] = {{"add", add, true},
	     {"set", set, true},
	     {"remove", remove_user, true},
	     {"list", list, false},
	     {"verify", verify, true}};

static int do_deed(const struct arguments *a, struct deed *deed)
{
	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
		if (strcmp(deeds[i].name, a->words[0]) != 0)
			continue;
		if (a->word_count != (deeds[i].takes_user ? 2 : 1))
			return message(EX_USAGE, "usage: pop3-emitter passwd [-f FILE] %s%s",
				       deeds[i].name, deeds[i].takes_user ? " USER" : "");
		deed->user = a->words[1];
		if (deeds[i].takes_user && !auth_user_is_valid(deed->user, strlen(deed->user)))
			return message(EX_DATAERR, "not a user name: it is empty or too long, or "
						   "has ':', a control character or '#' in front");
		return deeds[i].run(deed);
	}
	return message(EX_USAGE, "%s: must be add, set, remove, list or verify", a->words[0]);
}

static int run(const struct arguments *arguments)
{
	struct options options = {0};
	struct deed deed = {.path = arguments_value(arguments, "file"),
			    .scheme = arguments_value(arguments, "scheme"),
			    .fields = arguments_value(arguments, "fields")};

	if (deed.path == NULL) {
		int code = arguments_load(arguments, &options);
		if (code != 0)
			return code;
		deed.path = options.passwd;
	}
	int code = do_deed(arguments, &deed);
	options_fini(&options);
	return code;
}

static const struct cli_flag flags[] = {
	CLI_CONFIG,
	{.name = "file",
	 .letter = 'f',
	 .metavar = "FILE",
	 .help = "the passwd file, whatever the configuration says"},
	{.name = "scheme",
	 .metavar = "NAME",
	 .help = "how to store the secret: yescrypt, bcrypt, sha512-crypt, sha256-crypt, "
		 "scram-sha-256, plain, or verify: by verify_command (default yescrypt)"},
	{.name = "fields", .metavar = "TEXT", .help = "for add: uid:gid:gecos:home:shell:extra"},
	{.name = NULL},
};

const struct command command_passwd = {
	.name = "passwd",
	.usage = "[-f FILE] [--scheme NAME] add|set|remove|list|verify [USER]",
	.help = "Look after the users in the passwd file",
	.more = "The password is read from the terminal, twice, or as one line from stdin.\n",
	.settings = OPTION_PASSWD,
	.flags = flags,
	.words_min = 1,
	.words_max = 2,
	.secretive = true,
	.run = run,
};
