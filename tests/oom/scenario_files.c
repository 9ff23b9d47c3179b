/* What the program does beside serving: passwd editing, delivery, reading its configuration. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "auth/passwd_edit.h"
#include "auth/verify.h"
#include "backend/maildrops.h"
#include "daemon/account.h"
#include "daemon/options.h"
#include "oom/files.h"
#include "oom/oom.h"
#include "pop3_maildir.h"

static bool is_done_or_no_memory(int result)
{
	return result == 0 || result == -ENOMEM;
}

/* ---- passwd ---- */

enum { EDITS = 4 };

static int edits[EDITS];
static bool edits_are_right;

static void prepare_edits(void)
{
	static const char text[] = "# users\nalice:{PLAIN}one::::/home/alice\nbob:{PLAIN}two\n";
	files_remove("users");
	files_folder("users");
	files_write("users/passwd", text, sizeof text - 1);
	edits_are_right = true;
}

/* After each edit the file is what the edits that succeeded make of it. */
static void expect_file(void)
{
	char text[256];
	snprintf(text, sizeof text, "# users\nalice:{PLAIN}%s::::/home/alice\n%s%s",
		 edits[1] == 0 ? "new" : "one", edits[2] == 0 ? "" : "bob:{PLAIN}two\n",
		 edits[0] == 0 ? "carol:{PLAIN}three::::/home/carol\n" : "");
	if (!files_hold("users/passwd", text) || files_count("users") != 1)
		edits_are_right = false;
}

static void run_edits(void)
{
	struct passwd_error error = {0};
	char path[FILES_PATH], secret[AUTH_SECRET_SIZE] = "";
	files_path(path, "users/passwd");
	for (int i = 0; i < EDITS; i++)
		edits[i] = -ENOMEM;
	expect_file();
	edits[0] = passwd_edit_add(path, "carol", "{PLAIN}three", ":::/home/carol", &error);
	expect_file();
	edits[1] = passwd_edit_set(path, "alice", "{PLAIN}new", &error);
	expect_file();
	edits[2] = passwd_edit_remove(path, "bob", &error);
	expect_file();
	edits[3] = auth_make_secret("sha256-crypt", "secret", 6, secret);
}

static void judge_edits(bool whole)
{
	CHECK(edits_are_right);
	for (int i = 0; i < EDITS; i++) {
		CHECK(is_done_or_no_memory(edits[i]));
		CHECK(!whole || edits[i] == 0);
	}
}

/* ---- deliver ---- */

static const char mail[] = "Subject: Delivered\n\nText\n";
static int loaded;
static enum pop3_maildir_result delivered;

static void prepare_delivery(void)
{
	char text[FILES_PATH + 64];
	files_remove("home");
	files_folder("home");
	int length = snprintf(text, sizeof text, "alice:{PLAIN}one::::%s/home\n", oom_folder());
	files_write("passwd", text, (size_t)length);
	files_write("mail", mail, sizeof mail - 1);
}

static void run_delivery(void)
{
	static struct maildrop_path place;
	struct passwd_error error = {0};
	struct passwd *passwd;
	char path[FILES_PATH];

	delivered = POP3_MAILDIR_TEMPORARY;
	loaded = passwd_load(files_path(path, "passwd"), &error, &passwd);
	if (loaded < 0)
		return;
	const struct passwd_entry *entry = passwd_lookup(passwd, "alice", false);
	CHECK(entry != NULL && maildrop_path_find(entry, NULL, getuid(), &place) == NULL);
	passwd_unref(passwd);
	const struct pop3_maildir_options options = {.size = sizeof options, .home = place.home};
	int input = open(files_path(path, "mail"), O_RDONLY | O_CLOEXEC);
	delivered = pop3_maildir_deliver_from(place.maildrop, &options, input);
	close(input);
}

static void judge_delivery(bool whole)
{
	CHECK(is_done_or_no_memory(loaded));
	CHECK(delivered == POP3_MAILDIR_OK || delivered == POP3_MAILDIR_TEMPORARY);
	CHECK(!whole || delivered == POP3_MAILDIR_OK);
	int count = files_count("home/Maildir/new");
	CHECK(delivered == POP3_MAILDIR_OK ? count == 1 : count <= 0);
	CHECK(files_count("home/Maildir/tmp") <= 0);
}

/* ---- Configuration ---- */

static int configured, account_found;
static unsigned problems;

static void prepare_configuration(void)
{
	static const char text[] = "listen = 127.0.0.1:1110, [::1]:1110\n"
				   "passwd = /etc/pop3-emitter/passwd\n"
				   "hostname = mail.example\nidle_timeout = 300\n";
	files_write("conf", text, sizeof text - 1);
	problems = 0;
}

static void count_problem(const char *place, unsigned line, const char *text, void *data)
{
	(void)place;
	(void)line;
	(void)text;
	(void)data;
	problems++;
}

static void run_configuration(void)
{
	static char variable[] = "POP3_EMITTER_MAILDIR=/var/mail/pop3";
	char *environment[] = {variable, NULL};
	char path[FILES_PATH];
	const struct option_flag flags[] = {{option_find("listen"), "127.0.0.1:0"},
					    {option_find("user"), "nobody"}};
	const struct option_input input = {.file = files_path(path, "conf"),
					   .environment = environment,
					   .flags = flags,
					   .flag_count = 2};
	const struct option_report hears = {.problem = count_problem};
	struct options options;
	struct account account;

	configured = options_load(&input, &hears, &options);
	if (configured == 0) {
		CHECK(options.listen.count == 1 && options.idle_timeout == 300);
		CHECK(strcmp(options.maildir, "/var/mail/pop3") == 0);
		options_fini(&options);
	}
	account_found = account_find("nobody", &account);
}

static void judge_configuration(bool whole)
{
	CHECK(configured == 0 || configured == EX_OSERR);
	CHECK(configured == 0 || problems > 0);
	CHECK(is_done_or_no_memory(account_found));
	CHECK(!whole || (configured == 0 && problems == 0 && account_found == 0));
}

const struct scenario file_scenarios[] = {
	{"passwd_edit_without_memory_leaves_the_file_as_it_was", prepare_edits, run_edits,
	 judge_edits},
	{"delivery_without_memory_leaves_nothing_behind", prepare_delivery, run_delivery,
	 judge_delivery},
	{"configuration_without_memory_is_refused", prepare_configuration, run_configuration,
	 judge_configuration},
	{0},
};
