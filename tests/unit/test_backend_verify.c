/*
 * Users and tokens that a program judges, through a real server. The program is a script that
 * notes what it was asked: it knows everybody whose secret is "right", cannot tell of "later", and
 * thinks for ever about "hang".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "unit/backend_stage.h"

#define DENIED    "-ERR [AUTH] authentication failed\r\n"
#define TEMPORARY "-ERR [SYS/TEMP] "
#define READY     "+OK maildrop ready\r\n"
/* Of the challenges of RFC 7628 and of XOAUTH2: {"status":"invalid_token"} and so on. */
#define INVALID_TOKEN   "+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"
#define INVALID_REQUEST "+ eyJzdGF0dXMiOiJpbnZhbGlkX3JlcXVlc3QifQ==\r\n"
#define XOAUTH2_401     "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n"

static const char users[] = "alice:{VERIFY}\nbob:{PLAIN}builder\n"
			    "carol:$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5\n"
			    "eve:!{VERIFY}\n";

static const char script[] =
	"#!/bin/sh\n"
	"cd ${0%/*}\n"
	"set -- $(tr '\\0' ' ' <&3)\n"
	"echo $* >>asked\n"
	"case $2 in right) exit 0 ;; later) exit 111 ;; hang) sleep 1000 ;; esac\n"
	"exit 1\n";

/* A program and where it is; settings may be changed before stage_open(). */
static void prepare(struct stage *stage, const char *passwd)
{
	static char command[128];
	stage_init(stage, passwd);
	stage_put(stage, "program", script);
	snprintf(command, sizeof command, "%s/program", stage->maildir);
	CU_ASSERT_EQUAL(chmod(command, 0700), 0);
	stage->settings.verify = (struct verifier_rules){command, 60000};
	stage->settings.verify_processes = 2;
	stage->settings.verify_queue = 8;
}

static void read_asked(struct stage *stage, char text[2048])
{
	char path[128];
	snprintf(path, sizeof path, "%s/asked", stage->maildir);
	FILE *file = fopen(path, "re");
	text[0] = '\0';
	if (file == NULL)
		return;
	text[fread(text, 1, 2047, file)] = '\0';
	fclose(file);
}

/* All that was asked until now, and forget it. */
static void expect_asked(struct stage *stage, const char *lines)
{
	char path[128], text[2048];
	read_asked(stage, text);
	CU_ASSERT_STRING_EQUAL(text, lines);
	if (strcmp(text, lines) != 0)
		printf("asked \"%s\" instead of \"%s\"\n", text, lines);
	snprintf(path, sizeof path, "%s/asked", stage->maildir);
	unlink(path);
}

/* The same, of programs that have not answered yet. */
static void wait_until_asked(struct stage *stage, const char *lines)
{
	char text[2048];
	uint64_t end = clock_now() + 60000;
	for (read_asked(stage, text); strcmp(text, lines) != 0 && clock_now() < end;
	     read_asked(stage, text))
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	expect_asked(stage, lines);
}

static void log_in(struct stage *stage, const char *user, const char *password, const char *reply)
{
	struct client client;
	char line[256];
	client_init(&client, stage, true);
	snprintf(line, sizeof line, "USER %s\r\nPASS %s\r\n", user, password);
	client_says(&client, "", "");
	client_send(&client, line);
	client_says(&client, "", "+OK send PASS\r\n");
	client_says(&client, "", reply);
	client_ends(&client);
	client_fini(&client);
	test_count(1);
}

/* AUTH with this message; the first of what comes back is `reply`. */
static void auth(struct client *client, const char *mechanism, const char *message,
		 const char *reply)
{
	char line[1024], text[512];
	base64_encode(message, strlen(message), text);
	snprintf(line, sizeof line, "AUTH %s %s\r\n", mechanism, text);
	client_says(client, line, reply);
	test_count(1);
}

/* ---- Passwords ---- */

static void program_is_asked_about_its_users(void)
{
	struct stage stage;
	struct client client;
	prepare(&stage, users);
	stage_open(&stage);
	log_in(&stage, "alice", "right", READY);
	expect_asked(&stage, "alice right PASS 192.0.2.1\n");
	log_in(&stage, "alice", "wrong", DENIED);
	expect_asked(&stage, "alice wrong PASS 192.0.2.1\n");
	stage_expect_log(&stage, "user=\"alice\"", "wrong password");
	client_init(&client, &stage, true);
	client_says(&client, "AUTH PLAIN AGFsaWNlAHJpZ2h0\r\n", READY);
	client_ends(&client);
	client_fini(&client);
	expect_asked(&stage, "alice right PLAIN 192.0.2.1\n");
	client_init(&client, &stage, true);
	client_says(&client, "AUTH LOGIN YWxpY2U=\r\n", "+ UGFzc3dvcmQ6\r\n");
	client_says(&client, "cmlnaHQ=\r\n", READY);
	client_ends(&client);
	client_fini(&client);
	expect_asked(&stage, "alice right LOGIN 192.0.2.1\n");
	stage_fini(&stage);
}

static void program_that_cannot_tell_costs_no_failure(void)
{
	struct stage stage;
	prepare(&stage, users);
	stage.settings.rules.penalty.address_failures = 1;
	stage.settings.rules.penalty.user_failures = 1;
	stage.settings.rules.penalty.recovery = 600000;
	stage.settings.rules.on_loopback = true;
	stage_open(&stage);
	for (size_t i = 0; i < 3; i++) {
		log_in(&stage, "alice", "later", TEMPORARY);
		stage_expect_log(&stage, "event=verify_failed", "exit code 111");
	}
	log_in(&stage, "alice", "right", READY);
	/* A guess of bob's password is one, whatever the program says. */
	log_in(&stage, "bob", "later", TEMPORARY);
	stage_expect_log(&stage, "event=verify_failed", "exit code 111");
	log_in(&stage, "alice", "right", TEMPORARY);
	stage_expect_log(&stage, "login_refused", "too many failed logins");
	stage_fini(&stage);
}

/* Unknown, disabled and wrong without the program cost what a wrong password of alice costs. */
static void who_is_wrong_waits_for_the_program_as_well(void)
{
	static const struct {
		const char *user, *password, *reason;
	} cases[] = {{"nobody", "right", "no such user"},
		     {"nobody", "wrong", "no such user"},
		     {"eve", "right", "disabled"},
		     {"bob", "right", "wrong password"},
		     {"carol", "right", "wrong password"}};
	struct stage stage;
	char asked[64];
	prepare(&stage, users);
	stage_open(&stage);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		log_in(&stage, cases[i].user, cases[i].password, DENIED);
		stage_expect_log(&stage, cases[i].user, cases[i].reason);
		snprintf(asked, sizeof asked, "%s %s PASS 192.0.2.1\n", cases[i].user,
			 cases[i].password);
		expect_asked(&stage, asked);
	}
	CU_ASSERT_EQUAL(grants_count(stage.grants), 0);
	log_in(&stage, "nobody", "later", TEMPORARY);
	stage_expect_log(&stage, "event=verify_failed", "nobody");
	stage_fini(&stage);
}

/* Also where the program could not tell: else its users would be told from others when it is out
 * of order. Hashes are made where others' are, by turns. */
static void who_is_not_let_in_by_the_program_waits_for_the_hashes_as_well(void)
{
	static const struct {
		const char *password, *reply;
	} cases[] = {{"wrong", DENIED}, {"later", TEMPORARY}};
	struct stage stage;
	struct gate gate;
	struct client clients[2];
	char line[64];
	prepare(&stage, users);
	stage_open(&stage);
	gate_close(&gate, stage.crypt);
	log_in(&stage, "alice", "right", READY);
	expect_asked(&stage, "alice right PASS 192.0.2.1\n");
	for (size_t i = 0; i < 2; i++) {
		client_init(&clients[i], &stage, true);
		client_says(&clients[i], "USER alice\r\n", "+OK send PASS\r\n");
		snprintf(line, sizeof line, "PASS %s\r\n", cases[i].password);
		client_send(&clients[i], line);
		snprintf(line, sizeof line, "alice %s PASS 192.0.2.1\n", cases[i].password);
		wait_until_asked(&stage, line);
	}
	/* Were there no hash to wait for, they would hear now. */
	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	CU_ASSERT_FALSE(client_heard(&clients[0]));
	CU_ASSERT_FALSE(client_heard(&clients[1]));
	gate_open(&gate);
	for (size_t i = 0; i < 2; i++) {
		client_says(&clients[i], "", cases[i].reply);
		client_fini(&clients[i]);
	}
	stage_expect_log(&stage, "login_refused", "wrong password");
	stage_expect_log(&stage, "event=verify_failed", "exit code 111");
	stage_fini(&stage);
}

static void who_is_right_without_the_program_does_not_wait_for_it(void)
{
	struct stage stage;
	prepare(&stage, users);
	stage_open(&stage);
	log_in(&stage, "bob", "builder", READY);
	log_in(&stage, "carol", "Hello world!", READY);
	expect_asked(&stage, "");
	stage_fini(&stage);
}

static void nobody_is_asked_about_where_no_user_is_verified(void)
{
	struct stage stage;
	prepare(&stage, "bob:{PLAIN}builder\neve:!{VERIFY}\n");
	stage_open(&stage);
	log_in(&stage, "bob", "wrong", DENIED);
	stage_expect_log(&stage, "bob", "wrong password");
	log_in(&stage, "eve", "right", DENIED);
	stage_expect_log(&stage, "eve", "disabled");
	log_in(&stage, "nobody", "right", DENIED);
	stage_expect_log(&stage, "nobody", "no such user");
	expect_asked(&stage, "");
	stage_fini(&stage);
}

static void without_a_program_its_users_are_denied(void)
{
	struct stage stage;
	struct client client;
	prepare(&stage, users);
	stage.settings.verify.command = NULL;
	stage_open(&stage);
	log_in(&stage, "alice", "right", DENIED);
	stage_expect_log(&stage, "alice", "verify_command is not set");
	log_in(&stage, "nobody", "right", DENIED);
	stage_expect_log(&stage, "nobody", "no such user");
	client_init(&client, &stage, true);
	client_says(&client, "AUTH OAUTHBEARER =\r\n", "-ERR mechanism is not available\r\n");
	client_says(&client, "AUTH XOAUTH2 =\r\n", "-ERR mechanism is not available\r\n");
	client_fini(&client);
	stage_fini(&stage);
}

static void digests_are_not_for_users_of_the_program(void)
{
	struct stage stage;
	struct client client;
	prepare(&stage, users);
	stage_open(&stage);
	client_init(&client, &stage, true);
	client_says(&client, "APOP alice 0123456789abcdef0123456789abcdef\r\n", DENIED);
	stage_expect_log(&stage, "alice", "the method needs a {PLAIN} secret");
	client_says(&client, "AUTH\r\n",
		    "+OK\r\nCRAM-MD5\r\nPLAIN\r\nLOGIN\r\nOAUTHBEARER\r\nXOAUTH2\r\n.\r\n");
	client_fini(&client);
	expect_asked(&stage, "");
	stage_fini(&stage);
}

/* alice@example.org may be another person where the program looks. */
static void program_hears_the_name_of_the_entry(void)
{
	struct stage stage;
	struct client client;
	prepare(&stage, users);
	stage.settings.strip_domain = true;
	stage_open(&stage);
	log_in(&stage, "alice@example.org", "right", READY);
	expect_asked(&stage, "alice right PASS 192.0.2.1\n");
	client_init(&client, &stage, true);
	auth(&client, "XOAUTH2", "user=alice@example.org\1auth=Bearer right\1\1", READY);
	client_ends(&client);
	client_fini(&client);
	expect_asked(&stage, "alice right XOAUTH2 192.0.2.1\n");
	stage_fini(&stage);
}

static void password_that_was_right_is_remembered_where_that_is_set(void)
{
	struct stage stage;
	prepare(&stage, users);
	stage.settings.rules.remember = 3600000;
	stage_open(&stage);
	log_in(&stage, "alice", "right", READY);
	log_in(&stage, "alice", "right", READY);
	expect_asked(&stage, "alice right PASS 192.0.2.1\n");
	log_in(&stage, "alice", "wrong", DENIED);
	stage_expect_log(&stage, "alice", "wrong password");
	stage_fini(&stage);
}

/* The crypt worker and the handler are free; so is one asker. */
static void programs_that_hang_hold_up_nobody_else(void)
{
	struct stage stage;
	struct client hanging[2], last;
	prepare(&stage, users);
	stage.settings.verify.timeout = 60000;
	stage_open(&stage);
	for (size_t i = 0; i < 2; i++) {
		client_init_from(&hanging[i], &stage, "192.0.2.9:1", true);
		client_says(&hanging[i], "USER alice\r\n", "+OK send PASS\r\n");
		client_send(&hanging[i], "PASS hang\r\n");
		wait_until_asked(&stage, "alice hang PASS 192.0.2.9\n");
	}
	client_init(&last, &stage, true);
	client_says(&last, "USER alice\r\n", "+OK send PASS\r\n");
	client_send(&last, "PASS right\r\n");
	uint64_t begun = clock_now();
	log_in(&stage, "bob", "builder", READY);
	log_in(&stage, "carol", "Hello world!", READY);
	CU_ASSERT(clock_now() - begun < 30000);
	/* Both askers wait for programs, so the third waits for them. */
	CU_ASSERT_FALSE(client_heard(&last));
	client_fini(&last);
	client_fini(&hanging[0]);
	client_fini(&hanging[1]);
	/* And the server goes at once. */
	pop3_server_free(stage.server);
	stage.server = NULL;
	workers_stop(stage.crypt);
	auth_backend_free(stage.auth);
	stage.auth = NULL;
	CU_ASSERT(clock_now() - begun < 30000);
	stage_fini(&stage);
}

/* ---- Tokens ---- */

static void token_lets_in_every_user_whom_the_program_knows(void)
{
	static const struct {
		const char *mechanism, *message, *asked;
	} cases[] = {
		{"OAUTHBEARER", "n,a=alice,\1host=h\1port=110\1auth=Bearer right\1\1", "alice"},
		{"OAUTHBEARER", "y,a=bob,\1auth=bearer right\1\1", "bob"},
		{"XOAUTH2", "user=alice\1auth=Bearer right\1\1", "alice"},
		{"XOAUTH2", "user=bob\1auth=Bearer right\1\1", "bob"},
	};
	struct stage stage;
	prepare(&stage, users);
	stage_open(&stage);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client client;
		char line[512], asked[64], text[256];
		snprintf(asked, sizeof asked, "%s right %s 192.0.2.1\n", cases[i].asked,
			 cases[i].mechanism);
		client_init(&client, &stage, true);
		auth(&client, cases[i].mechanism, cases[i].message, READY);
		client_ends(&client);
		client_fini(&client);
		expect_asked(&stage, asked);
		/* Without an initial response. */
		base64_encode(cases[i].message, strlen(cases[i].message), text);
		client_init(&client, &stage, true);
		snprintf(line, sizeof line, "AUTH %s\r\n", cases[i].mechanism);
		client_says(&client, line, "+ \r\n");
		snprintf(line, sizeof line, "%s\r\n", text);
		client_says(&client, line, READY);
		client_ends(&client);
		client_fini(&client);
		expect_asked(&stage, asked);
	}
	CU_ASSERT_EQUAL(grants_count(stage.grants), 0);
	stage_fini(&stage);
}

/* RFC 7628 section 3.2.3: the challenge, the response that means nothing, one "no". */
static void wrong_token_is_told_in_a_challenge_and_then_denied_once(void)
{
	static const struct {
		const char *mechanism, *message, *challenge, *reason;
	} cases[] = {
		{"OAUTHBEARER", "n,a=alice,\1auth=Bearer wrong\1\1", INVALID_TOKEN, "wrong token"},
		{"OAUTHBEARER", "n,a=nobody,\1auth=Bearer right\1\1", INVALID_TOKEN,
		 "no such user"},
		{"OAUTHBEARER", "n,a=eve,\1auth=Bearer right\1\1", INVALID_TOKEN, "disabled"},
		{"OAUTHBEARER", "n,a=alice,\1auth=Bearer right\1", INVALID_REQUEST, "malformed"},
		{"OAUTHBEARER", "", INVALID_REQUEST, "malformed"},
		{"XOAUTH2", "user=alice\1auth=Bearer wrong\1\1", XOAUTH2_401, "wrong token"},
		{"XOAUTH2", "user=nobody\1auth=Bearer right\1\1", XOAUTH2_401, "no such user"},
		{"XOAUTH2", "user=alice\1\1",
		 "+ eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n", "malformed"},
	};
	static const char *const dummies[] = {"AQ==\r\n", "\r\n", "eA==\r\n"};
	struct stage stage;
	struct client client;
	prepare(&stage, users);
	stage_open(&stage);
	client_init(&client, &stage, true);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t d = 0; d < 3; d++) {
			const char *message = cases[i].message;
			if (*message == '\0')
				client_says(&client, "AUTH OAUTHBEARER =\r\n", cases[i].challenge);
			else
				auth(&client, cases[i].mechanism, message, cases[i].challenge);
			stage_expect_log(&stage, cases[i].mechanism, cases[i].reason);
			client_says(&client, dummies[d], DENIED);
		}
	}
	CU_ASSERT_FALSE(client_heard(&client));
	client_fini(&client);
	stage_fini(&stage);
}

static void tokens_are_offered_where_passwords_are(void)
{
	static const struct {
		bool tls, loopback;
		enum pop3_require_tls require;
		bool offered;
	} cases[] = {{true, false, POP3_TLS_REMOTE, true},
		     {false, true, POP3_TLS_REMOTE, true},
		     {false, false, POP3_TLS_REMOTE, false},
		     {false, false, POP3_TLS_NEVER, true}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct stage stage;
		struct client client = {0};
		struct pop3_info info = {.peer = "192.0.2.1:4711",
					 .stls = true,
					 .tls = cases[i].tls,
					 .loopback = cases[i].loopback};
		prepare(&stage, users);
		stage.options.require_tls = cases[i].require;
		stage_open(&stage);
		client.stage = &stage;
		client.session = pop3_session_new(stage.server, &info, clock_now());
		CU_ASSERT_PTR_NOT_NULL_FATAL(client.session);
		client_says(&client, "", "+OK POP3 server ready <sea@wonderland>\r\n");
		client_says(&client, "AUTH\r\n",
			    cases[i].offered
				    ? "+OK\r\nCRAM-"
				      "MD5\r\nPLAIN\r\nLOGIN\r\nOAUTHBEARER\r\nXOAUTH2\r\n.\r\n"
				    : "-ERR ");
		client_fini(&client);
		stage_fini(&stage);
		test_count(1);
	}
}

static void program_is_asked_about_the_tokens_of_strangers_as_well(void)
{
	struct stage stage;
	struct client client;
	prepare(&stage, "bob:{PLAIN}builder\neve:!{PLAIN}x\n");
	stage_open(&stage);
	client_init(&client, &stage, true);
	auth(&client, "XOAUTH2", "user=nobody\1auth=Bearer right\1\1", XOAUTH2_401);
	client_says(&client, "\r\n", DENIED);
	stage_expect_log(&stage, "nobody", "no such user");
	auth(&client, "XOAUTH2", "user=eve\1auth=Bearer right\1\1", XOAUTH2_401);
	client_says(&client, "\r\n", DENIED);
	stage_expect_log(&stage, "eve", "disabled");
	expect_asked(&stage, "nobody right XOAUTH2 192.0.2.1\neve right XOAUTH2 192.0.2.1\n");
	client_fini(&client);
	stage_fini(&stage);
}

static void token_that_the_program_cannot_tell_of_may_be_tried_again(void)
{
	struct stage stage;
	struct client client;
	prepare(&stage, users);
	stage_open(&stage);
	client_init(&client, &stage, true);
	auth(&client, "OAUTHBEARER", "n,a=alice,\1auth=Bearer later\1\1", TEMPORARY);
	stage_expect_log(&stage, "event=verify_failed", "OAUTHBEARER");
	client_fini(&client);
	stage_fini(&stage);
}

static void tokens_are_never_remembered(void)
{
	struct stage stage;
	prepare(&stage, users);
	stage.settings.rules.remember = 3600000;
	stage_open(&stage);
	for (size_t i = 0; i < 2; i++) {
		struct client client;
		client_init(&client, &stage, true);
		auth(&client, "XOAUTH2", "user=alice\1auth=Bearer right\1\1", READY);
		client_ends(&client);
		client_fini(&client);
		expect_asked(&stage, "alice right XOAUTH2 192.0.2.1\n");
	}
	stage_fini(&stage);
}

static void wrong_tokens_are_counted_with_wrong_passwords(void)
{
	struct stage stage;
	struct client client;
	prepare(&stage, users);
	stage.settings.rules.penalty.address_failures = 1;
	stage.settings.rules.penalty.user_failures = 1;
	stage.settings.rules.penalty.recovery = 600000;
	stage.settings.rules.on_loopback = true;
	stage_open(&stage);
	client_init(&client, &stage, true);
	auth(&client, "XOAUTH2", "user=alice\1auth=Bearer wrong\1\1", XOAUTH2_401);
	client_says(&client, "\r\n", DENIED);
	stage_expect_log(&stage, "login_refused", "wrong token");
	auth(&client, "XOAUTH2", "user=alice\1auth=Bearer right\1\1", TEMPORARY);
	stage_expect_log(&stage, "login_refused", "too many failed logins");
	client_fini(&client);
	stage_fini(&stage);
}

/* What the challenge tells, it tells when the "no" would be due. */
static void refusal_of_a_token_waits_for_the_failure_delay(void)
{
	struct stage stage;
	struct client client;
	prepare(&stage, users);
	stage.settings.rules.failure_delay = 400;
	stage_open(&stage);
	client_init(&client, &stage, true);
	uint64_t begun = clock_now();
	auth(&client, "XOAUTH2", "user=alice\1auth=Bearer wrong\1\1", XOAUTH2_401);
	CU_ASSERT(clock_now() - begun < 400); /* not on loopback */
	client_says(&client, "\r\n", DENIED);
	stage_expect_log(&stage, "login_refused", "wrong token");
	client_fini(&client);
	stage.options.require_tls = POP3_TLS_NEVER;
	client_init(&client, &stage, false);
	begun = clock_now();
	auth(&client, "XOAUTH2", "user=alice\1auth=Bearer wrong\1\1", XOAUTH2_401);
	CU_ASSERT(clock_now() - begun >= 400);
	stage_expect_log(&stage, "login_refused", "wrong token");
	client_says(&client, "\r\n", DENIED);
	client_fini(&client);
	stage_fini(&stage);
}

static void exchange_that_is_left_after_the_refusal_leaves_nothing(void)
{
	struct stage stage;
	struct client client;
	prepare(&stage, users);
	stage_open(&stage);
	client_init(&client, &stage, true);
	auth(&client, "XOAUTH2", "user=alice\1auth=Bearer wrong\1\1", XOAUTH2_401);
	stage_expect_log(&stage, "login_refused", "wrong token");
	client_says(&client, "*\r\n", "-ERR authentication cancelled\r\n");
	client_says(&client, "AUTH XOAUTH2\r\n", "+ \r\n");
	client_ends(&client);
	client_fini(&client);
	client_init(&client, &stage, true);
	client_says(&client, "AUTH OAUTHBEARER =\r\n", INVALID_REQUEST);
	stage_expect_log(&stage, "login_refused", "malformed");
	client_ends(&client);
	client_fini(&client);
	/* It is the leak checkers' to see that all exchanges are gone. */
	stage_fini(&stage);
}

/* The challenge has told that the token is wrong; not to hear the "no" does not make it cheaper. */
static void who_leaves_after_the_refusal_has_failed_to_log_in(void)
{
	static const struct {
		const char *leaves, *answer, *line;
	} cases[] = {
		{"*\r\n", "-ERR authentication cancelled\r\n", NULL},
		{"!\r\n", "-ERR response is not base64\r\n", "response is not base64"},
		{"\x01\r\n", "-ERR line has control characters\r\n", "control characters"},
	};
	struct stage stage;
	struct client client;
	prepare(&stage, users);
	stage.options.limits.failed_logins = 3;
	stage_open(&stage);
	client_init(&client, &stage, true);
	/* Before a response there was nothing to be told. */
	for (size_t i = 0; i < 3; i++) {
		client_says(&client, "AUTH XOAUTH2\r\n", "+ \r\n");
		client_says(&client, "*\r\n", "-ERR authentication cancelled\r\n");
	}
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_FALSE(pop3_session_wants(client.session).close);
		auth(&client, "XOAUTH2", "user=alice\1auth=Bearer wrong\1\1", XOAUTH2_401);
		stage_expect_log(&stage, "login_refused", "wrong token");
		client_says(&client, cases[i].leaves, cases[i].answer);
		if (cases[i].line != NULL)
			stage_expect_log(&stage, "sasl_refused", cases[i].line);
	}
	CU_ASSERT(pop3_session_wants(client.session).close);
	client_fini(&client);
	stage_fini(&stage);
}

static const struct test tests[] = {
	TEST(program_is_asked_about_its_users),
	TEST(program_that_cannot_tell_costs_no_failure),
	TEST(who_is_wrong_waits_for_the_program_as_well),
	TEST(who_is_not_let_in_by_the_program_waits_for_the_hashes_as_well),
	TEST(who_is_right_without_the_program_does_not_wait_for_it),
	TEST(nobody_is_asked_about_where_no_user_is_verified),
	TEST(without_a_program_its_users_are_denied),
	TEST(digests_are_not_for_users_of_the_program),
	TEST(program_hears_the_name_of_the_entry),
	TEST(password_that_was_right_is_remembered_where_that_is_set),
	TEST(programs_that_hang_hold_up_nobody_else),
	TEST(token_lets_in_every_user_whom_the_program_knows),
	TEST(wrong_token_is_told_in_a_challenge_and_then_denied_once),
	TEST(tokens_are_offered_where_passwords_are),
	TEST(program_is_asked_about_the_tokens_of_strangers_as_well),
	TEST(token_that_the_program_cannot_tell_of_may_be_tried_again),
	TEST(tokens_are_never_remembered),
	TEST(wrong_tokens_are_counted_with_wrong_passwords),
	TEST(refusal_of_a_token_waits_for_the_failure_delay),
	TEST(exchange_that_is_left_after_the_refusal_leaves_nothing),
	TEST(who_leaves_after_the_refusal_has_failed_to_log_in),
	TEST_END,
};

const struct test_suite suite_backend_verify = {"backend_verify", tests};
