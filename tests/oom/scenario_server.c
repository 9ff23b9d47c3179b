/* The library over real sockets, driven by a loop of the caller's, over a store in memory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "oom/app.h"
#include "oom/files.h"
#include "oom/oom.h"
#include "oom/tls.h"
#include "oom/witness.h"

static struct pop3_server *server;
static struct client client = {.socket = -1};
static char unix_address[FILES_PATH + 8];

/* ---- A server's life ---- */

static const char *const proxies[] = {"127.0.0.1", "2001:db8::/32"};

static struct {
	int listened, listened_unix, listened_tls, adopted, checked, configured;
	bool served; /* a bare session said its greeting and answered CAPA */
} life;

static void prepare_life(void)
{
	char path[FILES_PATH];
	app_prepare();
	snprintf(unix_address, sizeof unix_address, "unix:%s", files_path(path, "socket"));
	memset(&life, 0, sizeof life);
}

static void serve_bare_session(void)
{
	const struct pop3_info info = {.peer = "nobody", .local = "nowhere", .loopback = true};
	char text[1024] = "";
	struct pop3_session *session = pop3_session_new(server, &info, 0);
	if (session == NULL)
		return;
	pop3_session_feed(session, "CAPA\r\nQU", 8, 0);
	pop3_session_feed(session, "IT\r\n", 4, 0);
	size_t length = pop3_session_pull(session, text, sizeof text - 1, 0);
	pop3_session_end(session, POP3_REASON_DROPPED, 0);
	CHECK(pop3_session_wants(session).finished);
	pop3_session_free(session);
	life.served = length > 0 && strstr(text, "X-LONG\r\n") != NULL;
}

/* A socket that another has bound; without success it is still ours. */
static int adopt(const struct pop3_listen *how)
{
	int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(made >= 0 && listen(made, 1) == 0);
	int result = pop3_server_adopt(server, made, how);
	if (result < 0)
		CHECK(close(made) == 0);
	return result;
}

static void run_life(void)
{
	const struct pop3_listen tls = {.size = sizeof tls, .tls = true};
	struct pop3_options options = app_options();
	tls_options(&options);
	options.proxy = (struct pop3_proxy){.networks = proxies, .count = 2};
	life.checked = pop3_options_check(&options, NULL, NULL);
	server = pop3_server_new("localhost", &options, &app.listener);
	if (server == NULL) {
		CHECK(errno == ENOMEM);
		return;
	}
	life.listened = pop3_server_listen(server, "127.0.0.1:0");
	life.listened_unix = pop3_server_listen(server, unix_address);
	life.listened_tls = pop3_server_listen_with(server, "127.0.0.1:0", &tls);
	life.adopted = adopt(&tls);
	options.apop_value = "<2@x>";
	life.configured = pop3_server_configure(server, &options);
	serve_bare_session();
}

static bool is_done_or_no_memory(int result)
{
	return result == 0 || result == -ENOMEM;
}

static void judge_life(bool whole)
{
	CHECK(is_done_or_no_memory(life.listened));
	CHECK(is_done_or_no_memory(life.listened_unix));
	CHECK(is_done_or_no_memory(life.listened_tls));
	CHECK(is_done_or_no_memory(life.adopted));
	CHECK(is_done_or_no_memory(life.checked));
	CHECK(is_done_or_no_memory(life.configured));
	CHECK(!whole || (life.listened_tls == 0 && life.adopted == 0 && life.checked == 0));
	CHECK(!whole || (life.listened == 0 && life.listened_unix == 0 && life.configured == 0));
	CHECK(!whole || life.served);
	pop3_server_free(server);
	server = NULL;
	app_judge();
}

/* ---- A session beside another ---- */

static struct {
	bool logged_in;
	bool refused; /* something was answered with -ERR, or not at all */
	bool quit_sent, quit_confirmed;
	bool marked[APP_MESSAGES + 1]; /* DELE was answered +OK */
} seen;

/* Without memory one command fails, in a way that says it may pass, or the session is over. */
static bool note(bool good)
{
	const char *standard = seen.logged_in ? "-ERR [SYS/TEMP] " : "-ERR [SYS/";
	if (!good && client.socket >= 0)
		CHECK(strncmp(client.status, standard, strlen(standard)) == 0);
	seen.refused |= !good;
	return good;
}

/* STLS by the client itself; its login goes on with the challenge of the greeting. */
static bool use_stls;

static void start_server(void)
{
	struct pop3_options options = app_options();
	app_prepare();
	tls_options(&options);
	use_stls = client.tls_first = false;
	client.header = NULL;
	memset(&seen, 0, sizeof seen);
	server = pop3_server_new("localhost", &options, &app.listener);
	CHECK(server != NULL && pop3_server_listen(server, "127.0.0.1:0") == 0);
	witness_begin(server, app.port, "USER witness", "PASS secret");
}

static void prepare_direct(void)
{
	start_server();
	client.between = NULL;
}

static void prepare_deferred(void)
{
	start_server();
	app.defer = true;
	client.between = app_answer;
}

static void prepare_stls(void)
{
	prepare_direct();
	use_stls = true;
}

static void prepare_implicit(void)
{
	const struct pop3_listen tls = {.size = sizeof tls, .tls = true};
	prepare_direct();
	CHECK(pop3_server_listen_with(server, "127.0.0.1:0", &tls) == 0);
	client.tls_first = true;
}

/* The witness is here already. */
static void prepare_proxied(void)
{
	struct pop3_options options = app_options();
	prepare_implicit();
	tls_options(&options);
	options.proxy = (struct pop3_proxy){.networks = proxies, .count = 2};
	CHECK(pop3_server_configure(server, &options) == 0);
	client.header = "PROXY TCP4 127.0.0.1 127.0.0.1 4711 110\r\n";
}

/* False: the connection is over. */
static bool start_tls(void)
{
	if (!use_stls || (note(client_ask(&client, "STLS")) && tls_secure(&client)))
		return true;
	client_forget(&client);
	seen.refused = true;
	return false;
}

/* By APOP, unless its challenge was what there was no memory for. */
static void log_in(void)
{
	bool offered = strstr(client.status, " <1@x>") != NULL;
	seen.refused |= !offered;
	if (!start_tls())
		return;
	note(client_fetch(&client, "CAPA"));
	if (offered && !app.defer)
		seen.logged_in = client_ask(&client, "APOP alice 37257aa37904a2ac86c6572e6528a18c");
	else if (note(client_ask(&client, "USER alice")))
		seen.logged_in = client_ask(&client, "PASS secret");
	note(seen.logged_in);
}

static void read_lists(void)
{
	if (note(client_ask(&client, "LIST 4")))
		CHECK(strcmp(client.status, "+OK 4 10\r\n") == 0);
	if (note(client_ask(&client, "STAT")))
		CHECK(strcmp(client.status, "+OK 6000 8948578\r\n") == 0);
	if (note(client_fetch(&client, "LIST")))
		CHECK(client.lines == APP_MESSAGES);
	if (note(client_ask(&client, "UIDL 4")))
		CHECK(strcmp(client.status, "+OK 4 id4\r\n") == 0);
	if (note(client_fetch(&client, "UIDL")))
		CHECK(client.lines == APP_MESSAGES);
}

static void read_messages(void)
{
	if (note(client_fetch(&client, "RETR 2")))
		CHECK(client.octets == APP_FILE_OCTETS);
	if (note(client_fetch(&client, "RETR 3")))
		CHECK(client.octets == APP_PULL_OCTETS);
	if (note(client_fetch(&client, "RETR 4")))
		CHECK(client.octets == 10);
	if (note(client_fetch(&client, "TOP 2 1")))
		CHECK(client.lines > 0);
	if (note(client_fetch(&client, "XLONG")))
		CHECK(client.octets == APP_LONG_OCTETS + 2);
	note(client_ask(&client, "XSAY hello"));
}

static void mark(unsigned msgno)
{
	char line[32];
	snprintf(line, sizeof line, "DELE %u", msgno);
	seen.marked[msgno] = note(client_ask(&client, line));
}

static void run_session(void)
{
	struct pop3_options options = app_options();
	if (!client_open(&client, server, app.port)) {
		seen.refused = true;
		return;
	}
	log_in();
	if (!seen.logged_in)
		return;
	read_lists();
	read_messages();
	mark(4);
	mark(APP_MESSAGES);
	options.apop_value = "<3@x>";
	tls_options(&options);
	int configured = pop3_server_configure(server, &options);
	CHECK(is_done_or_no_memory(configured));
	seen.refused |= configured < 0;
	note(client_ask(&client, "NOOP"));
	seen.quit_sent = client.socket >= 0;
	seen.quit_confirmed = client_ask(&client, "QUIT");
	seen.refused |= !seen.quit_confirmed;
}

/* Nothing goes that was not marked with an +OK, nor without QUIT; and +OK to QUIT means gone. */
static void judge_deletion(void)
{
	for (unsigned i = 1; i <= APP_MESSAGES; i++) {
		CHECK(!app.deleted[i] || (seen.marked[i] && seen.quit_sent));
		CHECK(!seen.quit_confirmed || app.deleted[i] == seen.marked[i]);
	}
}

static void judge_session(bool whole)
{
	CHECK(!whole || !seen.refused);
	CHECK(!whole || app.failures == 0);
	judge_deletion();
	app_answer();
	app.defer = false;
	if (client.socket >= 0)
		client_close(&client);
	witness_end("+OK 6000 8948578\r\n");
	app_answer();
	pop3_server_free(server);
	server = NULL;
	app_answer();
	app_judge();
}

/* ---- Clients that leave before the answer ---- */

static bool reach(const char *line)
{
	bool login = strcmp(line, "PASS secret") == 0;
	return client_open(&client, server, app.port) && client_ask(&client, "USER alice") &&
	       (login || client_ask(&client, "PASS secret"));
}

/* Its line is answered after it has gone. */
static void leave_at(const char *line)
{
	if (reach(line)) {
		client_send(&client, line, strlen(line));
		client_send(&client, "\r\n", 2);
		for (int i = 0; i < 3; i++)
			server_step(server, 0);
	}
	client_close(&client);
	app_answer();
	for (int i = 0; i < 3; i++)
		server_step(server, 0);
}

static void run_leaving(void)
{
	static const char *const lasts[] = {"PASS secret", "STAT", "UIDL", "RETR 2", "RETR 3"};
	for (size_t i = 0; i < sizeof lasts / sizeof *lasts; i++)
		leave_at(lasts[i]);
	/* The last one is still there when the server goes. */
	if (!reach("RETR 2"))
		return;
	client_send(&client, "RETR 2\r\n", 8);
	for (int i = 0; i < 3; i++)
		server_step(server, 0);
}

static void judge_leaving(bool whole)
{
	(void)whole;
	app.defer = false;
	witness_end("+OK 6000 8948578\r\n");
	pop3_server_free(server);
	server = NULL;
	app_answer(); /* -ECANCELED, and what it hands over is released */
	client_forget(&client);
	judge_deletion();
	app_judge();
}

const struct scenario server_scenarios[] = {
	{"server_without_memory_fails_cleanly_and_leaks_nothing", prepare_life, run_life,
	 judge_life},
	{"session_without_memory_harms_no_other_session", prepare_direct, run_session,
	 judge_session},
	{"session_of_deferred_answers_without_memory_harms_no_other_session", prepare_deferred,
	 run_session, judge_session},
	{"stls_session_without_memory_harms_no_other_session", prepare_stls, run_session,
	 judge_session},
	{"tls_session_without_memory_harms_no_other_session", prepare_implicit, run_session,
	 judge_session},
	{"proxied_session_without_memory_harms_no_other_session", prepare_proxied, run_session,
	 judge_session},
	{"client_leaving_a_deferred_answer_without_memory_leaks_nothing", prepare_deferred,
	 run_leaving, judge_leaving},
	{0},
};
