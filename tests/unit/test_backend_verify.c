/* Users whose passwords a program judges, through a real server. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "unit/verify_stage.h"

static void program_is_asked_about_its_users(void)
{
	struct stage stage;
	struct client client;
	verify_prepare(&stage, verify_users);
	stage_open(&stage);
	verify_log_in(&stage, "alice", "right", READY);
	verify_expect_asked(&stage, "alice right PASS 192.0.2.1\n");
	verify_log_in(&stage, "alice", "wrong", DENIED);
	verify_expect_asked(&stage, "alice wrong PASS 192.0.2.1\n");
	stage_expect_log(&stage, "user=\"alice\"", "wrong password");
	client_init(&client, &stage, true);
	client_says(&client, "AUTH PLAIN AGFsaWNlAHJpZ2h0\r\n", READY);
	client_ends(&client);
	client_fini(&client);
	verify_expect_asked(&stage, "alice right PLAIN 192.0.2.1\n");
	client_init(&client, &stage, true);
	client_says(&client, "AUTH LOGIN YWxpY2U=\r\n", "+ UGFzc3dvcmQ6\r\n");
	client_says(&client, "cmlnaHQ=\r\n", READY);
	client_ends(&client);
	client_fini(&client);
	verify_expect_asked(&stage, "alice right LOGIN 192.0.2.1\n");
	stage_fini(&stage);
}

static void program_that_cannot_tell_costs_no_failure(void)
{
	struct stage stage;
	verify_prepare(&stage, verify_users);
	verify_no_second_try(&stage);
	stage_open(&stage);
	for (size_t i = 0; i < 3; i++) {
		verify_log_in(&stage, "alice", "later", TEMPORARY);
		stage_expect_log(&stage, "event=verify_failed", "exit code 111");
	}
	verify_log_in(&stage, "alice", "right", READY);
	/* A guess of bob's password is one, whatever the program says. */
	verify_log_in(&stage, "bob", "later", TEMPORARY);
	stage_expect_log(&stage, "event=verify_failed", "exit code 111");
	verify_log_in(&stage, "alice", "right", TEMPORARY);
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
	verify_prepare(&stage, verify_users);
	stage_open(&stage);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		verify_log_in(&stage, cases[i].user, cases[i].password, DENIED);
		stage_expect_log(&stage, cases[i].user, cases[i].reason);
		snprintf(asked, sizeof asked, "%s %s PASS 192.0.2.1\n", cases[i].user,
			 cases[i].password);
		verify_expect_asked(&stage, asked);
	}
	CU_ASSERT_EQUAL(grants_count(stage.grants), 0);
	verify_log_in(&stage, "nobody", "later", TEMPORARY);
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
	verify_prepare(&stage, verify_users);
	stage_open(&stage);
	gate_close(&gate, stage.crypt);
	verify_log_in(&stage, "alice", "right", READY);
	verify_expect_asked(&stage, "alice right PASS 192.0.2.1\n");
	for (size_t i = 0; i < 2; i++) {
		client_init(&clients[i], &stage, true);
		client_says(&clients[i], "USER alice\r\n", "+OK send PASS\r\n");
		snprintf(line, sizeof line, "PASS %s\r\n", cases[i].password);
		client_send(&clients[i], line);
		snprintf(line, sizeof line, "alice %s PASS 192.0.2.1\n", cases[i].password);
		verify_wait_until_asked(&stage, line);
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
	verify_prepare(&stage, verify_users);
	stage_open(&stage);
	verify_log_in(&stage, "bob", "builder", READY);
	verify_log_in(&stage, "carol", "Hello world!", READY);
	verify_expect_asked(&stage, "");
	stage_fini(&stage);
}

static void nobody_is_asked_about_where_no_user_is_verified(void)
{
	struct stage stage;
	verify_prepare(&stage, "bob:{PLAIN}builder\neve:!{VERIFY}\n");
	stage_open(&stage);
	verify_log_in(&stage, "bob", "wrong", DENIED);
	stage_expect_log(&stage, "bob", "wrong password");
	verify_log_in(&stage, "eve", "right", DENIED);
	stage_expect_log(&stage, "eve", "disabled");
	verify_log_in(&stage, "nobody", "right", DENIED);
	stage_expect_log(&stage, "nobody", "no such user");
	verify_expect_asked(&stage, "");
	stage_fini(&stage);
}

static void without_a_program_its_users_are_denied(void)
{
	struct stage stage;
	struct client client;
	verify_prepare(&stage, verify_users);
	stage.settings.verify.command = NULL;
	stage_open(&stage);
	verify_log_in(&stage, "alice", "right", DENIED);
	stage_expect_log(&stage, "alice", "verify_command is not set");
	verify_log_in(&stage, "nobody", "right", DENIED);
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
	verify_prepare(&stage, verify_users);
	stage_open(&stage);
	client_init(&client, &stage, true);
	client_says(&client, "APOP alice 0123456789abcdef0123456789abcdef\r\n", DENIED);
	stage_expect_log(&stage, "alice", "the method needs a {PLAIN} secret");
	client_says(&client, "AUTH\r\n",
		    "+OK\r\nCRAM-MD5\r\nPLAIN\r\nLOGIN\r\nOAUTHBEARER\r\nXOAUTH2\r\n.\r\n");
	client_fini(&client);
	verify_expect_asked(&stage, "");
	stage_fini(&stage);
}

/* alice@example.org may be another person where the program looks. */
static void program_hears_the_name_of_the_entry(void)
{
	struct stage stage;
	struct client client;
	verify_prepare(&stage, verify_users);
	stage.settings.strip_domain = true;
	stage_open(&stage);
	verify_log_in(&stage, "alice@example.org", "right", READY);
	verify_expect_asked(&stage, "alice right PASS 192.0.2.1\n");
	client_init(&client, &stage, true);
	verify_auth(&client, "XOAUTH2", "user=alice@example.org\1auth=Bearer right\1\1", READY);
	client_ends(&client);
	client_fini(&client);
	verify_expect_asked(&stage, "alice right XOAUTH2 192.0.2.1\n");
	stage_fini(&stage);
}

static void password_that_was_right_is_remembered_where_that_is_set(void)
{
	struct stage stage;
	verify_prepare(&stage, verify_users);
	stage.settings.rules.remember = 3600000;
	stage_open(&stage);
	verify_log_in(&stage, "alice", "right", READY);
	verify_log_in(&stage, "alice", "right", READY);
	verify_expect_asked(&stage, "alice right PASS 192.0.2.1\n");
	verify_log_in(&stage, "alice", "wrong", DENIED);
	stage_expect_log(&stage, "alice", "wrong password");
	stage_fini(&stage);
}

/* The crypt worker and the handler are free; so is one asker. */
static void programs_that_hang_hold_up_nobody_else(void)
{
	struct stage stage;
	struct client hanging[2], last;
	verify_prepare(&stage, verify_users);
	stage.settings.verify.timeout = 60000;
	stage_open(&stage);
	for (size_t i = 0; i < 2; i++) {
		client_init_from(&hanging[i], &stage, "192.0.2.9:1", true);
		client_says(&hanging[i], "USER alice\r\n", "+OK send PASS\r\n");
		client_send(&hanging[i], "PASS hang\r\n");
		verify_wait_until_asked(&stage, "alice hang PASS 192.0.2.9\n");
	}
	client_init(&last, &stage, true);
	client_says(&last, "USER alice\r\n", "+OK send PASS\r\n");
	client_send(&last, "PASS right\r\n");
	uint64_t begun = clock_now();
	verify_log_in(&stage, "bob", "builder", READY);
	verify_log_in(&stage, "carol", "Hello world!", READY);
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
	TEST_END,
};

const struct test_suite suite_backend_verify = {"backend_verify", tests};
