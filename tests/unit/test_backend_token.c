/* Tokens (OAUTHBEARER, RFC 7628, and XOAUTH2) that a program judges, through a real server. */
#include <stdio.h>
#include <string.h>

#include "backend/auth_private.h"
#include "base/base64.h"
#include "base/clock.h"
#include "unit/verify_stage.h"

/* {"status":"invalid_token"} and so on. */
#define INVALID_TOKEN   "+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"
#define INVALID_REQUEST "+ eyJzdGF0dXMiOiJpbnZhbGlkX3JlcXVlc3QifQ==\r\n"
#define XOAUTH2_401     "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n"

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
	verify_prepare(&stage, verify_users);
	stage_open(&stage);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client client;
		char line[512], asked[64], text[256];
		snprintf(asked, sizeof asked, "%s right %s 192.0.2.1\n", cases[i].asked,
			 cases[i].mechanism);
		client_init(&client, &stage, true);
		verify_auth(&client, cases[i].mechanism, cases[i].message, READY);
		client_ends(&client);
		client_fini(&client);
		verify_expect_asked(&stage, asked);
		/* Without an initial response. */
		base64_encode(cases[i].message, strlen(cases[i].message), text);
		client_init(&client, &stage, true);
		snprintf(line, sizeof line, "AUTH %s\r\n", cases[i].mechanism);
		client_says(&client, line, "+ \r\n");
		snprintf(line, sizeof line, "%s\r\n", text);
		client_says(&client, line, READY);
		client_ends(&client);
		client_fini(&client);
		verify_expect_asked(&stage, asked);
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
	verify_prepare(&stage, verify_users);
	stage_open(&stage);
	client_init(&client, &stage, true);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t d = 0; d < 3; d++) {
			const char *message = cases[i].message;
			if (*message == '\0')
				client_says(&client, "AUTH OAUTHBEARER =\r\n", cases[i].challenge);
			else
				verify_auth(&client, cases[i].mechanism, message,
					    cases[i].challenge);
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
		verify_prepare(&stage, verify_users);
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
	verify_prepare(&stage, "bob:{PLAIN}builder\neve:!{PLAIN}x\n");
	stage_open(&stage);
	client_init(&client, &stage, true);
	verify_auth(&client, "XOAUTH2", "user=nobody\1auth=Bearer right\1\1", XOAUTH2_401);
	client_says(&client, "\r\n", DENIED);
	stage_expect_log(&stage, "nobody", "no such user");
	verify_auth(&client, "XOAUTH2", "user=eve\1auth=Bearer right\1\1", XOAUTH2_401);
	client_says(&client, "\r\n", DENIED);
	stage_expect_log(&stage, "eve", "disabled");
	verify_expect_asked(&stage,
			    "nobody right XOAUTH2 192.0.2.1\neve right XOAUTH2 192.0.2.1\n");
	client_fini(&client);
	stage_fini(&stage);
}

static void token_that_the_program_cannot_tell_of_may_be_tried_again(void)
{
	struct stage stage;
	struct client client;
	verify_prepare(&stage, verify_users);
	stage_open(&stage);
	client_init(&client, &stage, true);
	verify_auth(&client, "OAUTHBEARER", "n,a=alice,\1auth=Bearer later\1\1", TEMPORARY);
	stage_expect_log(&stage, "event=verify_failed", "OAUTHBEARER");
	client_fini(&client);
	stage_fini(&stage);
}

static void tokens_are_never_remembered(void)
{
	struct stage stage;
	verify_prepare(&stage, verify_users);
	stage.settings.rules.remember = 3600000;
	stage_open(&stage);
	for (size_t i = 0; i < 2; i++) {
		struct client client;
		client_init(&client, &stage, true);
		verify_auth(&client, "XOAUTH2", "user=alice\1auth=Bearer right\1\1", READY);
		client_ends(&client);
		client_fini(&client);
		verify_expect_asked(&stage, "alice right XOAUTH2 192.0.2.1\n");
	}
	stage_fini(&stage);
}

static void wrong_tokens_are_counted_with_wrong_passwords(void)
{
	struct stage stage;
	struct client client;
	verify_prepare(&stage, verify_users);
	verify_no_second_try(&stage);
	stage_open(&stage);
	client_init(&client, &stage, true);
	verify_auth(&client, "XOAUTH2", "user=alice\1auth=Bearer wrong\1\1", XOAUTH2_401);
	client_says(&client, "\r\n", DENIED);
	stage_expect_log(&stage, "login_refused", "wrong token");
	verify_auth(&client, "XOAUTH2", "user=alice\1auth=Bearer right\1\1", TEMPORARY);
	stage_expect_log(&stage, "login_refused", "too many failed logins");
	client_fini(&client);
	stage_fini(&stage);
}

/* Say a wrong token; the milliseconds until it is refused. */
static uint64_t time_refusal(struct stage *stage, bool loopback)
{
	struct client client;
	client_init(&client, stage, loopback);
	uint64_t begun = clock_now();
	verify_auth(&client, "XOAUTH2", "user=alice\1auth=Bearer wrong\1\1", XOAUTH2_401);
	uint64_t taken = clock_now() - begun;
	client_says(&client, "\r\n", DENIED);
	stage_expect_log(stage, "login_refused", "wrong token");
	client_fini(&client);
	return taken;
}

/* What the challenge tells, it tells when the "no" would be due; on loopback that is at once. */
static void refusal_of_a_token_waits_for_the_failure_delay(void)
{
	struct stage stage;
	verify_prepare(&stage, verify_users);
	stage.settings.rules.failure_delay = 600000;
	stage_open(&stage);
	CU_ASSERT(time_refusal(&stage, true) < 60000);
	stage_fini(&stage);
	verify_prepare(&stage, verify_users);
	stage.settings.rules.failure_delay = 400;
	stage.options.require_tls = POP3_TLS_NEVER;
	stage_open(&stage);
	CU_ASSERT(time_refusal(&stage, false) >= 400);
	stage_fini(&stage);
}

static void exchange_that_is_left_after_the_refusal_leaves_nothing(void)
{
	struct stage stage;
	struct client client;
	verify_prepare(&stage, verify_users);
	stage_open(&stage);
	client_init(&client, &stage, true);
	verify_auth(&client, "XOAUTH2", "user=alice\1auth=Bearer wrong\1\1", XOAUTH2_401);
	stage_expect_log(&stage, "login_refused", "wrong token");
	client_says(&client, "*\r\n", "-ERR authentication cancelled\r\n");
	CU_ASSERT_EQUAL(exchanges_count(stage.auth->exchanges), 0);
	client_says(&client, "AUTH XOAUTH2\r\n", "+ \r\n");
	client_ends(&client);
	client_fini(&client);
	CU_ASSERT_EQUAL(exchanges_count(stage.auth->exchanges), 0);
	client_init(&client, &stage, true);
	client_says(&client, "AUTH OAUTHBEARER =\r\n", INVALID_REQUEST);
	stage_expect_log(&stage, "login_refused", "malformed");
	CU_ASSERT_EQUAL(exchanges_count(stage.auth->exchanges), 1);
	client_ends(&client);
	client_fini(&client);
	CU_ASSERT_EQUAL(exchanges_count(stage.auth->exchanges), 0);
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
	verify_prepare(&stage, verify_users);
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
		verify_auth(&client, "XOAUTH2", "user=alice\1auth=Bearer wrong\1\1", XOAUTH2_401);
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

const struct test_suite suite_backend_token = {"backend_token", tests};
