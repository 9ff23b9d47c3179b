/* The backend behind the library: passwd file, Maildirs, workers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/auth_backend.h"
#include "backend/store_backend.h"
#include "oom/files.h"
#include "oom/oom.h"
#include "oom/witness.h"

enum { MAIL = 5, GRANTS = 8, QUEUE = 8, DELAY = 1, PASSWD_SIZE = 2048 };

static struct pop3_server *server;
static struct grants *grants;
static struct workers *store_workers, *crypt_workers;
static struct store_backend *store;
static struct auth_backend *auth;
static struct client client = {.socket = -1};
static uint16_t port;

static struct {
	bool logged_in, refused, marked, quit_sent, quit_confirmed;
} seen;

static const char short_mail[] = "Subject: One\n\nOne line\n";
/* What another server left: the unique-ids of some of alice's messages. */
static const char uidlist[] = "3 V1700000000 N4 G0\n1 :1.M1.host\n2 :3.M3.host\n3 P :4.M4.host\n";

static void log_nothing(const struct pop3_record *record, void *data)
{
	(void)record;
	(void)data;
}

static const struct log_sink sink = {.write = log_nothing};

static void on_listening(struct pop3_listening *e, void *data)
{
	(void)data;
	port = e->port;
}

static const struct pop3_handlers port_handlers = {.size = sizeof port_handlers,
						   .listening = on_listening};
static struct pop3_listener port_listener;

/* ---- Files ---- */

static void make_maildir(const char *user)
{
	static const char *const parts[] = {"", "/Maildir", "/Maildir/tmp", "/Maildir/new",
					    "/Maildir/cur"};
	char name[FILES_PATH];
	files_remove(user);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		snprintf(name, sizeof name, "%s%s", user, parts[i]);
		files_folder(name);
	}
}

/* alice's password is hashed, bob's is not; `comment` makes it another file. */
static void write_passwd(const char *comment)
{
	char text[PASSWD_SIZE];
	const char *folder = oom_folder();
	int length =
		snprintf(text, sizeof text,
			 "# %s\nalice:{CRYPT}$6$rounds=1000$saltsalt$pQWBrsgA00L1zt0NV83o5Uy3u2"
			 "ESn9flfn/e0RE60Qd3XQ98aH6gvroXwANv1Mme759YpleQlaVoQ6O/meimK1"
			 "::::%s/alice\nbob:{PLAIN}builder::::%s/bob\n",
			 comment, folder, folder);
	files_write("passwd", text, (size_t)length);
}

static void prepare_files(void)
{
	char name[FILES_PATH];
	make_maildir("alice");
	make_maildir("bob");
	for (int i = 1; i <= MAIL; i++) {
		snprintf(name, sizeof name, "alice/Maildir/new/%d.M%d.host", i, i);
		files_write(name, short_mail, sizeof short_mail - 1);
	}
	files_write("alice/Maildir/dovecot-uidlist", uidlist, sizeof uidlist - 1);
	files_write("bob/Maildir/cur/1.M1.host:2,S", witness_message(), WITNESS_OCTETS);
	write_passwd("first");
	memset(&seen, 0, sizeof seen);
}

/* ---- Start and end ---- */

static int start_auth(void)
{
	static char path[FILES_PATH];
	const struct auth_settings settings = {
		.passwd = files_path(path, "passwd"),
		.maildir_root = oom_folder(),
		.mail_user = getuid(),
		.rules = {.on_loopback = true, .delay_max = DELAY, .failure_delay = DELAY}};
	struct passwd_error error = {0};
	if (auth == NULL)
		return auth_backend_new(&settings, crypt_workers, grants, &sink, &error, &auth);
	return auth_backend_reload(auth, &settings, &error);
}

static bool start_backend(void)
{
	grants = grants_new(GRANTS);
	store_workers = workers_new(2, QUEUE);
	crypt_workers = workers_new(1, QUEUE);
	if (grants == NULL || store_workers == NULL || crypt_workers == NULL)
		return false;
	const struct maildrop_options options = {.mark_seen = true,
						 .uidl = {.format = UIDL_DOVECOT}};
	store = store_backend_new(store_workers, grants, &sink, &options);
	return store != NULL && start_auth() == 0;
}

static void end_backend(void)
{
	pop3_server_free(server);
	workers_free(store_workers);
	workers_free(crypt_workers);
	store_backend_free(store);
	auth_backend_free(auth);
	grants_free(grants);
	server = NULL;
	store_workers = NULL;
	crypt_workers = NULL;
	store = NULL;
	auth = NULL;
	grants = NULL;
}

/* ---- The backend's own life ---- */

static bool started, reloaded;

static void run_life(void)
{
	reloaded = false;
	started = start_backend();
	if (!started)
		return;
	write_passwd("second");
	reloaded = start_auth() == 0;
}

static void judge_life(bool whole)
{
	CHECK(!whole || (started && reloaded));
	end_backend();
}

/* ---- A session beside another ---- */

static void prepare_session(void)
{
	const struct pop3_options options = {.size = sizeof options, .log = log_nothing};
	prepare_files();
	CHECK(start_backend());
	port_listener = (struct pop3_listener){.handlers = &port_handlers};
	server = pop3_server_new("localhost", &options, &port_listener);
	CHECK(server != NULL);
	CHECK(pop3_server_attach(server, auth_backend_listener(auth)) == 0);
	CHECK(pop3_server_attach(server, store_backend_listener(store)) == 0);
	CHECK(pop3_server_listen(server, "127.0.0.1:0") == 0);
	witness_begin(server, port, "USER bob", "PASS builder");
	/* So that the next login has to read it. */
	write_passwd("second");
}

static bool note(bool good)
{
	if (!good && client.socket >= 0)
		CHECK(strncmp(client.status, "-ERR [SYS/TEMP] ", 16) == 0);
	seen.refused |= !good;
	return good;
}

/* With a wrong password first: the answer to it comes from yet another thread. */
static bool log_in(void)
{
	if (!client_open(&client, server, port) || !note(client_ask(&client, "USER alice")))
		return false;
	bool accepted = client_ask(&client, "PASS wrong");
	CHECK(!accepted);
	if (client.socket < 0)
		return false;
	if (strncmp(client.status, "-ERR [AUTH] ", 12) != 0)
		note(false);
	return note(client_ask(&client, "USER alice")) &&
	       note(client_ask(&client, "PASS wonderland"));
}

static void run_session(void)
{
	seen.logged_in = log_in();
	seen.refused |= !seen.logged_in;
	if (!seen.logged_in)
		return;
	if (note(client_ask(&client, "STAT")))
		CHECK(strcmp(client.status, "+OK 5 130\r\n") == 0);
	if (note(client_fetch(&client, "LIST")))
		CHECK(client.lines == MAIL);
	if (note(client_fetch(&client, "UIDL")))
		CHECK(client.lines == MAIL);
	for (int i = 0; i < 2; i++)
		if (note(client_fetch(&client, i == 0 ? "RETR 2" : "TOP 3 0")))
			CHECK(client.octets == (i == 0 ? 26 : 16));
	seen.marked = note(client_ask(&client, "DELE 1"));
	seen.quit_sent = client.socket >= 0;
	seen.quit_confirmed = client_ask(&client, "QUIT");
	seen.refused |= !seen.quit_confirmed;
}

static void judge_mail(void)
{
	char id[40];
	bool first = files_have_mail("alice/Maildir", "1.M1.host");
	CHECK(first || (seen.marked && seen.quit_sent));
	CHECK(!seen.quit_confirmed || first == !seen.marked);
	for (int i = 2; i <= MAIL; i++) {
		snprintf(id, sizeof id, "%d.M%d.host", i, i);
		CHECK(files_have_mail("alice/Maildir", id));
	}
}

/* A new session of the same user: the lock is free again, and nothing is missing. */
static void judge_next_login(void)
{
	bool first = files_have_mail("alice/Maildir", "1.M1.host");
	CHECK(client_open(&client, server, port));
	CHECK(client_ask(&client, "USER alice"));
	CHECK(client_ask(&client, "PASS wonderland"));
	CHECK(client_ask(&client, "STAT"));
	CHECK(strcmp(client.status, first ? "+OK 5 130\r\n" : "+OK 4 104\r\n") == 0);
	CHECK(client_ask(&client, "QUIT"));
	client_close(&client);
}

static void judge_session(bool whole)
{
	CHECK(!whole || !seen.refused);
	if (client.socket >= 0)
		client_close(&client);
	while (store_backend_sessions(store) > 1)
		server_step(server, 1);
	judge_mail();
	judge_next_login();
	witness_end("+OK 1 8388608\r\n");
	end_backend();
}

const struct scenario backend_scenarios[] = {
	{"backend_without_memory_does_not_start_and_leaks_nothing", prepare_files, run_life,
	 judge_life},
	{"maildrop_session_without_memory_loses_no_mail", prepare_session, run_session,
	 judge_session},
	{0},
};
