/* The authenticator over a passwd file, on a real server. */
#include <stdio.h>
#include <string.h>

#include "backend/judge.h"
#include "base/clock.h"
#include "unit/backend_stage.h"

#define DENIED    "-ERR [AUTH] authentication failed\r\n"
#define TEMPORARY "-ERR [SYS/TEMP] try again later\r\n"
#define PERMANENT "-ERR [SYS/PERM] maildrop is not available\r\n"

static char users[2048];

/* The file of most tests; the hash is made once. */
static const char *passwd(void)
{
	static char secret[AUTH_SECRET_SIZE];
	if (secret[0] == '\0')
		CU_ASSERT_EQUAL_FATAL(auth_make_secret("sha256-crypt", "wonderland", 10, secret),
				      0);
	snprintf(users, sizeof users,
		 "alice:%s\n"
		 "bob:{PLAIN}builder\n"
		 "carol:{PLAIN}right:1001:::/home/carol\n"
		 "../dave:{PLAIN}right\n"
		 "eve:!{PLAIN}right\n"
		 "root:{PLAIN}right:0\n"
		 "frank:\n",
		 secret);
	return users;
}

static void login(struct client *client, const char *user, const char *password, const char *reply)
{
	char line[600];
	snprintf(line, sizeof line, "USER %s\r\n", user);
	client_says(client, line, "+OK send PASS\r\n");
	snprintf(line, sizeof line, "PASS %s\r\n", password);
	client_says(client, line, reply);
}

static void user_with_a_hash_and_user_with_a_plain_secret_log_in(void)
{
	struct stage stage;
	struct client alice, bob;
	stage_init(&stage, passwd());
	stage_open(&stage);
	client_init(&alice, &stage, true);
	client_init(&bob, &stage, true);
	client_logs_in(&alice, "alice", "wonderland");
	client_logs_in(&bob, "bob", "builder");
	CU_ASSERT_EQUAL(grants_count(stage.grants), 0);
	client_says(&alice, "QUIT\r\n", "+OK bye\r\n");
	client_says(&bob, "QUIT\r\n", "+OK bye\r\n");
	client_fini(&alice);
	client_fini(&bob);
	stage_fini(&stage);
}

static void unknown_wrong_and_disabled_get_the_same_answer(void)
{
	static const struct {
		const char *user, *password, *reason;
	} cases[] = {
		{"alice", "wrong", "wrong password"},
		{"bob", "wrong", "wrong password"},
		{"bob", "builder2", "wrong password"},
		{"bob", "builde", "wrong password"},
		{"nobody", "wonderland", "no such user"},
		{"Alice", "wonderland", "no such user"},
		{"alice@example.net", "wonderland", "no such user"},
		{"eve", "right", "login_refused"},
		{"root", "right", "login_refused"},
		{"frank", "x", "login_refused"},
	};
	struct stage stage;
	stage_init(&stage, passwd());
	stage_open(&stage);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client client;
		char user[64];
		client_init(&client, &stage, true);
		login(&client, cases[i].user, cases[i].password, DENIED);
		snprintf(user, sizeof user, "user=\"%s\"", cases[i].user);
		stage_expect_log(&stage, user, cases[i].reason);
		client_fini(&client);
	}
	test_count(sizeof cases / sizeof *cases);
	CU_ASSERT_EQUAL(grants_count(stage.grants), 0);
	stage_fini(&stage);
}

static void what_is_wrong_with_the_maildrop_is_said_after_a_correct_password_only(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, passwd());
	stage_open(&stage);
	client_init(&client, &stage, true);
	login(&client, "carol", "wrong", DENIED);
	stage_expect_log(&stage, "user=\"carol\"", "wrong password");
	login(&client, "carol", "right", PERMANENT);
	stage_expect_log(&stage, "user=\"carol\"", "the entry's uid is not the mail user's");
	login(&client, "../dave", "wrong", DENIED);
	stage_expect_log(&stage, "user=\"../dave\"", "wrong password");
	login(&client, "../dave", "right", PERMANENT);
	stage_expect_log(&stage, "user=\"../dave\"", "its name cannot be part of a path");
	client_fini(&client);
	CU_ASSERT_EQUAL(grants_count(stage.grants), 0);
	stage_fini(&stage);
}

static void entry_without_home_needs_a_maildir_root(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, passwd());
	stage.settings.maildir_root = NULL;
	stage_open(&stage);
	client_init(&client, &stage, true);
	login(&client, "bob", "builder", PERMANENT);
	stage_expect_log(&stage, "user=\"bob\"", "no maildir root is set");
	client_fini(&client);
	stage_fini(&stage);
}

static void apop_works_with_plain_secrets_alone(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, passwd());
	stage_open(&stage);
	client_init(&client, &stage, true);
	/* MD5 of "<sea@wonderland>wonderland": alice's password, but only its hash is known. */
	client_says(&client, "APOP alice 4e80532710359648d07a73121f94af9c\r\n", DENIED);
	stage_expect_log(&stage, "method=APOP", "the method needs a {PLAIN} secret");
	/* MD5 of the challenge and nothing: no hash may stand for an empty secret. */
	client_says(&client, "APOP alice c9bb8b99a1784d5776e46249cede70ed\r\n", DENIED);
	stage_expect_log(&stage, "method=APOP", "the method needs a {PLAIN} secret");
	client_says(&client, "APOP nobody c9bb8b99a1784d5776e46249cede70ed\r\n", DENIED);
	stage_expect_log(&stage, "method=APOP", "no such user");
	client_says(&client, "APOP nobody 4e80532710359648d07a73121f94af9c\r\n", DENIED);
	stage_expect_log(&stage, "method=APOP", "no such user");
	client_says(&client, "APOP eve 17b1cbb6da6cdb8ec229e5cdf2f7cfae\r\n", DENIED);
	stage_expect_log(&stage, "user=\"eve\"", "login_refused");
	client_says(&client, "APOP bob 4e80532710359648d07a73121f94af9c\r\n", DENIED);
	stage_expect_log(&stage, "method=APOP", "wrong password");
	client_says(&client, "APOP bob e3d30eed8e8321510b709ebf4fc3ebd6\r\n",
		    "+OK maildrop ready\r\n");
	client_fini(&client);
	stage_fini(&stage);
}

static void domain_is_stripped_where_that_is_set(void)
{
	struct stage stage;
	struct client client, again;
	stage_init(&stage, passwd());
	stage.settings.strip_domain = true;
	stage_open(&stage);
	stage_put(&stage, "bob/Maildir/new/1.a", "x\n");
	client_init(&client, &stage, true);
	client_init(&again, &stage, true);
	client_logs_in(&client, "bob@example.net", "builder");
	client_says(&client, "STAT\r\n", "+OK 1 3\r\n");
	/* It is bob's maildrop, by whichever name. */
	login(&again, "bob", "builder", "-ERR [IN-USE] maildrop is locked by another session\r\n");
	client_fini(&client);
	client_fini(&again);
	stage_fini(&stage);
}

static void changed_file_holds_at_the_next_login(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, passwd());
	stage_open(&stage);
	client_init(&client, &stage, true);
	stage_write_passwd(&stage, "bob:{PLAIN}fixer\n");
	login(&client, "bob", "builder", DENIED);
	stage_expect_log(&stage, "user=\"bob\"", "wrong password");
	client_logs_in(&client, "bob", "fixer");
	client_fini(&client);
	stage_fini(&stage);
}

static void broken_file_is_refused_once_and_the_users_stay(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, passwd());
	stage_open(&stage);
	client_init(&client, &stage, true);
	stage_write_passwd(&stage, "bob:{PLAIN}fixer\nnonsense\n");
	login(&client, "bob", "fixer", DENIED);
	stage_expect_log(&stage, "event=users", "line=2");
	stage_expect_log(&stage, "user=\"bob\"", "wrong password");
	client_logs_in(&client, "bob", "builder");
	client_fini(&client);

	stage_write_passwd(&stage, "bob:{PLAIN}fixer\n");
	client_init(&client, &stage, true);
	client_logs_in(&client, "bob", "fixer");
	client_fini(&client);
	stage_fini(&stage);
}

static void missing_file_leaves_the_users_as_they_were(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, passwd());
	stage_open(&stage);
	CU_ASSERT_EQUAL(remove(stage.passwd), 0);
	client_init(&client, &stage, true);
	client_logs_in(&client, "bob", "builder");
	stage_expect_log(&stage, "event=users", "No such file");
	client_fini(&client);
	stage_fini(&stage);
}

static void reload_takes_new_settings_or_none(void)
{
	struct stage stage;
	struct client client;
	struct passwd_error error;
	stage_init(&stage, passwd());
	stage_open(&stage);
	client_init(&client, &stage, true);
	struct auth_settings settings = stage.settings;
	settings.strip_domain = true;
	settings.passwd = "/nonexistent/passwd";
	CU_ASSERT_EQUAL(auth_backend_reload(stage.auth, &settings, &error), -2);
	CU_ASSERT_EQUAL(error.line, 0);
	login(&client, "bob@x", "builder", DENIED);
	stage_expect_log(&stage, "user=\"bob@x\"", "no such user");
	settings.passwd = stage.passwd;
	CU_ASSERT_EQUAL(auth_backend_reload(stage.auth, &settings, &error), 0);
	client_logs_in(&client, "bob@x", "builder");
	client_fini(&client);
	stage_fini(&stage);
}

static void broken_file_at_the_start_names_its_line(void)
{
	struct stage stage;
	struct passwd_error error;
	struct auth_backend *backend = NULL;
	const struct log_sink sink = {NULL, NULL};
	stage_init(&stage, "bob:{PLAIN}builder\nalice:{NOSUCH}x\n");
	CU_ASSERT_EQUAL(auth_backend_new(&stage.settings, NULL, NULL, &sink, &error, &backend),
			-22);
	CU_ASSERT_EQUAL(error.line, 2);
	CU_ASSERT_PTR_NULL(backend);
	stage_fini(&stage);
}

static void login_that_finds_the_queue_full_may_try_again(void)
{
	struct stage stage;
	struct client first, second;
	struct gate gate;
	stage_init(&stage, passwd());
	stage.crypt_queue = 1;
	stage_open(&stage);
	client_init(&first, &stage, true);
	client_init(&second, &stage, true);
	gate_close(&gate, stage.crypt);
	client_send(&first, "USER alice\r\nPASS wonderland\r\n");
	login(&second, "alice", "wonderland", TEMPORARY);
	login(&second, "alice", "wonderland", TEMPORARY);
	stage_expect_log(&stage, "event=login_overload", "count=1");
	/* A plain secret needs no queue. */
	client_logs_in(&second, "bob", "builder");
	gate_open(&gate);
	client_says(&first, "", "+OK send PASS\r\n+OK maildrop ready\r\n");
	client_fini(&first);
	client_fini(&second);
	stage_fini(&stage);
}

static void login_that_loses_its_place_to_another_address_is_logged(void)
{
	struct stage stage;
	struct client many[2], other;
	struct gate gate;
	stage_init(&stage, passwd());
	stage.crypt_queue = 2;
	stage_open(&stage);
	client_init_from(&other, &stage, "192.0.2.2:4711", false);
	gate_close(&gate, stage.crypt);
	for (int i = 0; i < 2; i++) {
		client_init(&many[i], &stage, false);
		client_says(&many[i], "USER alice\r\nPASS wrong\r\n", "+OK send PASS\r\n");
	}
	client_says(&other, "USER alice\r\nPASS wonderland\r\n", "+OK send PASS\r\n");
	client_says(&many[1], "", TEMPORARY);
	stage_expect_log(&stage, "event=login_overload", "count=1");
	gate_open(&gate);
	client_says(&other, "", "+OK maildrop ready\r\n");
	client_says(&many[0], "", DENIED);
	stage_expect_log(&stage, "user=\"alice\"", "wrong password");
	client_fini(&many[0]);
	client_fini(&many[1]);
	client_fini(&other);
	stage_fini(&stage);
}

static void denied_login_far_away_waits_for_the_failure_delay(void)
{
	struct stage stage;
	struct client near, far;
	stage_init(&stage, passwd());
	stage.settings.rules.failure_delay = 300;
	stage_open(&stage);
	client_init(&near, &stage, true);
	client_init(&far, &stage, false);
	static const char *const names[] = {"bob", "alice", "nobody"};
	for (size_t i = 0; i < 3; i++) {
		uint64_t before = clock_now();
		login(&far, names[i], "wrong", DENIED);
		CU_ASSERT(clock_now() - before >= 300);
		stage_expect_log(&stage, "peer=192.0.2.1:4711", "login_refused");
	}
	/* Nobody else waits meanwhile, and neither does who knows the password. */
	struct client other;
	client_init(&other, &stage, false);
	client_says(&far, "USER bob\r\n", "+OK send PASS\r\n");
	client_send(&far, "PASS wrong\r\n");
	CU_ASSERT_FALSE(client_heard(&far));
	login(&near, "bob", "wrong", DENIED);
	client_logs_in(&other, "bob", "builder");
	client_says(&far, "", DENIED);
	stage_expect_log(&stage, "user=\"bob\"", "wrong password");
	stage_expect_log(&stage, "user=\"bob\"", "wrong password");
	client_fini(&near);
	client_fini(&far);
	client_fini(&other);
	stage_fini(&stage);
}

static void delay_holds_on_loopback_where_that_is_set(void)
{
	struct stage stage;
	struct client near;
	stage_init(&stage, passwd());
	stage.settings.rules.failure_delay = 100;
	stage.settings.rules.on_loopback = true;
	stage_open(&stage);
	client_init(&near, &stage, true);
	uint64_t before = clock_now();
	login(&near, "bob", "wrong", DENIED);
	CU_ASSERT(clock_now() - before >= 100);
	stage_expect_log(&stage, "user=\"bob\"", "wrong password");
	client_fini(&near);
	stage_fini(&stage);
}

static void server_may_go_while_a_password_is_checked_or_denied(void)
{
	struct stage stage;
	struct client checked, queued, denied;
	struct gate gate;
	stage_init(&stage, passwd());
	stage.settings.rules.failure_delay = 30000;
	stage_open(&stage);
	client_init(&checked, &stage, true);
	client_init(&queued, &stage, true);
	client_init(&denied, &stage, false);
	client_send(&denied, "USER bob\r\nPASS wrong\r\n");
	gate_pass(stage.crypt);
	stage_expect_log(&stage, "user=\"bob\"", "wrong password");
	gate_close(&gate, stage.crypt);
	client_send(&checked, "USER alice\r\nPASS wonderland\r\n");
	client_send(&queued, "USER alice\r\nPASS wonderland\r\n");
	client_fini(&checked);
	client_fini(&queued);
	client_fini(&denied);
	pop3_server_free(stage.server);
	stage.server = NULL;
	gate_open_at_the_end(&gate, stage.crypt);
	stage_fini(&stage);
}

static void client_that_leaves_during_the_check_leaves_no_grant(void)
{
	struct stage stage;
	struct client client;
	struct gate gate;
	stage_init(&stage, passwd());
	stage_open(&stage);
	client_init(&client, &stage, true);
	gate_close(&gate, stage.crypt);
	client_send(&client, "USER alice\r\nPASS wonderland\r\n");
	client_fini(&client);
	gate_open(&gate);
	gate_pass(stage.crypt); /* the check is over */
	CU_ASSERT_EQUAL(grants_count(stage.grants), 0);
	stage_fini(&stage);
}

#define THROTTLED "-ERR [SYS/TEMP] too many failed logins, try again later\r\n"

static void address_with_too_many_failures_is_not_looked_at(void)
{
	struct stage stage;
	struct client guesser, neighbour;
	stage_init(&stage, passwd());
	stage.settings.rules.penalty =
		(struct penalty_rules){.address_failures = 3, .recovery = 3600000};
	stage_open(&stage);
	client_init(&guesser, &stage, false);
	client_init(&neighbour, &stage, true);
	login(&guesser, "bob", "wrong", DENIED);
	login(&guesser, "alice", "wrong", DENIED);
	login(&guesser, "nobody", "wrong", DENIED);
	for (int i = 0; i < 3; i++)
		stage_expect_log(&stage, "event=login_refused", "reason=");
	/* Also with the right password: else the answer would tell which it is. */
	login(&guesser, "bob", "builder", THROTTLED);
	stage_expect_log(&stage, "user=\"bob\"", "too many failed logins from this address");
	login(&guesser, "alice", "wonderland", THROTTLED);
	stage_expect_log(&stage, "user=\"alice\"", "too many failed logins from this address");
	client_logs_in(&neighbour, "alice", "wonderland");
	client_fini(&guesser);
	client_fini(&neighbour);
	stage_fini(&stage);
}

/* The names that one user has where domains are stripped are no buckets of their own. */
static void guesses_at_a_user_by_names_with_domains_are_counted_together(void)
{
	static const char *const names[] = {"bob@a.example", "bob@b.example", "nobody@a.example",
					    "nobody@b.example"};
	struct stage stage;
	struct client guesser;
	stage_init(&stage, passwd());
	stage.settings.strip_domain = true;
	stage.settings.rules.penalty =
		(struct penalty_rules){.user_failures = 2, .recovery = 3600000};
	stage_open(&stage);
	client_init(&guesser, &stage, false);
	for (size_t i = 0; i < 4; i++) {
		struct client c;
		client_init(&c, &stage, false);
		login(&c, names[i], "wrong", DENIED);
		stage_expect_log(&stage, "event=login_refused", "reason=");
		client_fini(&c);
	}
	/* Of those that exist and of those that do not alike. */
	login(&guesser, "bob@c.example", "builder", THROTTLED);
	stage_expect_log(&stage, "user=\"bob@c.example\"", "too many failed logins of this user");
	login(&guesser, "nobody@c.example", "wrong", THROTTLED);
	stage_expect_log(&stage, "user=\"nobody@c.example\"",
			 "too many failed logins of this user");
	client_logs_in(&guesser, "alice@a.example", "wonderland");
	client_fini(&guesser);
	stage_fini(&stage);
}

static void right_logins_at_the_same_time_all_get_in(void)
{
	/* "wonderland"; cheap, so that fifty of them are checked in time under valgrind, too. */
	static const char secret[] =
		"$6$rounds=1000$saltsalt$pQWBrsgA00L1zt0NV83o5Uy3u2ESn9flfn/e0RE60Qd3XQ98aH6gvro"
		"XwANv1Mme759YpleQlaVoQ6O/meimK1";
	static struct client clients[50];
	static char many[8192];
	struct stage stage;
	struct gate gate;
	size_t length = 0;
	for (int i = 0; i < 50; i++)
		length += (size_t)snprintf(many + length, sizeof many - length, "u%d:%s\n", i,
					   secret);
	stage_init(&stage, many);
	stage.crypt_queue = 50;
	stage.settings.rules.penalty =
		(struct penalty_rules){.address_failures = 3, .recovery = 3600000};
	stage_open(&stage);
	gate_close(&gate, stage.crypt);
	for (int i = 0; i < 50; i++) {
		char line[64];
		client_init(&clients[i], &stage, false);
		snprintf(line, sizeof line, "USER u%d\r\nPASS wonderland\r\n", i);
		client_send(&clients[i], line);
	}
	gate_open(&gate);
	for (int i = 0; i < 50; i++) {
		client_says(&clients[i], "", "+OK send PASS\r\n+OK maildrop ready\r\n");
		client_fini(&clients[i]);
	}
	stage_fini(&stage);
}

static void guesses_at_the_same_time_are_kept_to_the_limit(void)
{
	struct stage stage;
	struct client guesser, guessing[3];
	struct gate gate;
	stage_init(&stage, passwd());
	stage.settings.rules.penalty =
		(struct penalty_rules){.address_failures = 3, .recovery = 3600000};
	stage_open(&stage);
	client_init(&guesser, &stage, false);
	login(&guesser, "bob", "wrong", DENIED);
	stage_expect_log(&stage, "user=\"bob\"", "wrong password");
	gate_close(&gate, stage.crypt);
	for (int i = 0; i < 3; i++)
		client_init(&guessing[i], &stage, false);
	for (int i = 0; i < 2; i++)
		client_send(&guessing[i], "USER alice\r\nPASS wrong\r\n");
	login(&guessing[2], "alice", "wrong",
	      "-ERR [SYS/TEMP] too many logins at once, try again later\r\n");
	stage_expect_log(&stage, "user=\"alice\"", "too many logins at once from this address");
	gate_open(&gate);
	for (int i = 0; i < 2; i++) {
		client_says(&guessing[i], "", "+OK send PASS\r\n" DENIED);
		stage_expect_log(&stage, "user=\"alice\"", "wrong password");
	}
	login(&guesser, "bob", "builder", THROTTLED);
	stage_expect_log(&stage, "user=\"bob\"", "too many failed logins from this address");
	for (int i = 0; i < 3; i++)
		client_fini(&guessing[i]);
	client_fini(&guesser);
	stage_fini(&stage);
}

static void login_that_is_no_guess_costs_no_penalty(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, passwd());
	stage.settings.rules.penalty =
		(struct penalty_rules){.address_failures = 1, .recovery = 3600000};
	stage_open(&stage);
	client_init(&client, &stage, false);
	for (int i = 0; i < 3; i++) {
		login(&client, "carol", "right", PERMANENT);
		stage_expect_log(&stage, "user=\"carol\"", "uid");
	}
	client_logs_in(&client, "alice", "wonderland");
	client_says(&client, "QUIT\r\n", "+OK bye\r\n");
	client_fini(&client);
	client_init(&client, &stage, false);
	client_logs_in(&client, "bob", "builder");
	client_fini(&client);
	stage_fini(&stage);
}

static void login_that_comes_too_soon_is_told_so(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, passwd());
	stage.settings.rules.login_delay = 3600000;
	stage_open(&stage);
	client_init(&client, &stage, true);
	client_says(&client, "CAPA\r\n",
		    "+OK\r\nTOP\r\nUIDL\r\nUSER\r\nLANG\r\nUTF8\r\nSASL CRAM-MD5 PLAIN "
		    "LOGIN\r\nRESP-CODES\r\n"
		    "AUTH-RESP-CODE\r\nPIPELINING\r\n"
		    "EXPIRE NEVER\r\nIMPLEMENTATION pop3-emitter\r\nLOGIN-DELAY 3600\r\n.\r\n");
	client_logs_in(&client, "bob", "builder");
	client_says(&client, "QUIT\r\n", "+OK bye\r\n");
	client_fini(&client);
	client_init(&client, &stage, true);
	/* RFC 2449 section 8.1.1; only who knows the password hears of it. */
	login(&client, "bob", "wrong", DENIED);
	stage_expect_log(&stage, "user=\"bob\"", "wrong password");
	login(&client, "bob", "builder", "-ERR [LOGIN-DELAY] too soon after the last login\r\n");
	stage_expect_log(&stage, "user=\"bob\"", "too soon after the last login");
	client_logs_in(&client, "alice", "wonderland");
	client_fini(&client);
	stage_fini(&stage);
}

/* While the only worker is busy, who waits for it has no answer. */
static void remembered_password_needs_no_worker(void)
{
	for (int remembers = 0; remembers < 2; remembers++) {
		struct stage stage;
		struct client client;
		struct gate gate;
		stage_init(&stage, passwd());
		stage.settings.rules.remember = remembers ? 3600000 : 0;
		stage.crypt_queue = 1;
		stage_open(&stage);
		client_init(&client, &stage, true);
		client_logs_in(&client, "alice", "wonderland");
		client_says(&client, "QUIT\r\n", "+OK bye\r\n");
		client_fini(&client);
		gate_close(&gate, stage.crypt);
		struct client other;
		client_init(&other, &stage, true);
		client_send(&other, "USER alice\r\nPASS wrong\r\n");
		client_init(&client, &stage, true);
		login(&client, "alice", "wonderland",
		      remembers ? "+OK maildrop ready\r\n" : TEMPORARY);
		if (!remembers)
			stage_expect_log(&stage, "event=login_overload", "count=1");
		gate_open(&gate);
		client_says(&other, "", "+OK send PASS\r\n" DENIED);
		stage_expect_log(&stage, "user=\"alice\"", "wrong password");
		client_fini(&other);
		client_fini(&client);
		stage_fini(&stage);
	}
	test_count(2);
}

/* However many others have taken its place since it was asked. */
static void remembered_password_is_not_hashed_where_it_was_found(void)
{
	struct stage stage;
	struct passwd_error error;
	struct users generation = {0};
	stage_init(&stage, passwd());
	CU_ASSERT_EQUAL_FATAL(passwd_load(stage.passwd, &error, &generation.passwd), 0);
	generation.settings = stage.settings;
	generation.settings.rules.remember = 3600000;
	const struct court court = {
		.grants = grants_new(1), .throttle = throttle_new(), .users = &generation};
	const struct pop3_authenticate event = {.user = "alice", .password = "forgotten since"};
	const struct passwd_entry *entry = judge_entry(&generation, &event);
	CU_ASSERT_EQUAL(judge_effort(&court, entry, &event, 1), JUDGE_HASHES);
	CU_ASSERT_EQUAL(judge(&court, entry, &event, JUDGE_HASHES, 1).result, POP3_DENIED);
	/* It would be denied if it were hashed. */
	CU_ASSERT_EQUAL(judge(&court, entry, &event, JUDGE_REMEMBERS, 1).result, POP3_OK);
	grants_free(court.grants);
	throttle_free(court.throttle);
	passwd_unref(generation.passwd);
	stage_fini(&stage);
}

static const struct test tests[] = {
	TEST(user_with_a_hash_and_user_with_a_plain_secret_log_in),
	TEST(unknown_wrong_and_disabled_get_the_same_answer),
	TEST(what_is_wrong_with_the_maildrop_is_said_after_a_correct_password_only),
	TEST(entry_without_home_needs_a_maildir_root),
	TEST(apop_works_with_plain_secrets_alone),
	TEST(domain_is_stripped_where_that_is_set),
	TEST(changed_file_holds_at_the_next_login),
	TEST(broken_file_is_refused_once_and_the_users_stay),
	TEST(missing_file_leaves_the_users_as_they_were),
	TEST(reload_takes_new_settings_or_none),
	TEST(broken_file_at_the_start_names_its_line),
	TEST(login_that_finds_the_queue_full_may_try_again),
	TEST(login_that_loses_its_place_to_another_address_is_logged),
	TEST(denied_login_far_away_waits_for_the_failure_delay),
	TEST(delay_holds_on_loopback_where_that_is_set),
	TEST(server_may_go_while_a_password_is_checked_or_denied),
	TEST(client_that_leaves_during_the_check_leaves_no_grant),
	TEST(address_with_too_many_failures_is_not_looked_at),
	TEST(guesses_at_a_user_by_names_with_domains_are_counted_together),
	TEST(right_logins_at_the_same_time_all_get_in),
	TEST(guesses_at_the_same_time_are_kept_to_the_limit),
	TEST(login_that_is_no_guess_costs_no_penalty),
	TEST(login_that_comes_too_soon_is_told_so),
	TEST(remembered_password_needs_no_worker),
	TEST(remembered_password_is_not_hashed_where_it_was_found),
	TEST_END,
};

const struct test_suite suite_backend_auth = {.name = "backend_auth", .tests = tests};
