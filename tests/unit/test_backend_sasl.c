/* SCRAM and EXTERNAL through a real server: what is offered, who gets in, what is left behind. */
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/auth_private.h"
#include "base/base64.h"
#include "base/clock.h"
#include "unit/backend_stage.h"

#define DENIED "-ERR [AUTH] authentication failed\r\n"
#define READY  "+OK maildrop ready\r\n"

static const char users[] = "alice:{PLAIN}wonderland\nbob:{PLAIN}builder\neve:!{PLAIN}right\n";

/* A client of this user by libgsasl, over TLS. */
struct scram {
	struct client client;
	const char *user, *password;
	bool binds; /* one that can bind and does not would be taken for a downgrade */
	Gsasl *gsasl;
	Gsasl_session *session;
};

static void connect_by(struct client *client, struct stage *stage, bool tls,
		       const char *certificate)
{
	struct pop3_info info = {.peer = "192.0.2.1:4711", .tls = tls, .has_binding = tls};
	memset(info.binding, 7, sizeof info.binding);
	snprintf(info.certificate, sizeof info.certificate, "%s", certificate);
	*client = (struct client){.stage = stage};
	client->session = pop3_session_new(stage->server, &info, clock_now());
	CU_ASSERT_PTR_NOT_NULL_FATAL(client->session);
	client_says(client, "", "+OK POP3 server ready <sea@wonderland>\r\n");
}

static int on_property(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
	const struct scram *s = gsasl_callback_hook_get(gsasl);
	unsigned char binding[POP3_BINDING_SIZE];
	char text[BASE64_SIZE(sizeof binding)];
	switch (property) {
	case GSASL_AUTHID:
		return gsasl_property_set(session, property, s->user);
	case GSASL_PASSWORD:
		return gsasl_property_set(session, property, s->password);
	case GSASL_CB_TLS_EXPORTER:
		if (!s->binds)
			return GSASL_NO_CALLBACK;
		memset(binding, 7, sizeof binding);
		base64_encode(binding, sizeof binding, text);
		return gsasl_property_set(session, property, text);
	default:
		return GSASL_NO_CALLBACK;
	}
}

static void scram_init(struct scram *s, struct stage *stage, const char *mechanism,
		       const char *user, const char *password)
{
	*s = (struct scram){
		.user = user, .password = password, .binds = strstr(mechanism, "PLUS") != NULL};
	connect_by(&s->client, stage, true, "");
	CU_ASSERT_EQUAL_FATAL(gsasl_init(&s->gsasl), GSASL_OK);
	gsasl_callback_set(s->gsasl, on_property);
	gsasl_callback_hook_set(s->gsasl, s);
	CU_ASSERT_EQUAL_FATAL(gsasl_client_start(s->gsasl, mechanism, &s->session), GSASL_OK);
}

static void scram_fini(struct scram *s)
{
	gsasl_finish(s->session);
	gsasl_done(s->gsasl);
	client_fini(&s->client);
}

/* The text of the challenge that comes next. */
static void take_challenge(struct client *client, char text[2048])
{
	uint64_t end = clock_now() + 10000;
	while ((!client_heard(client) || memchr(client->received, '\n', client->length) == NULL) &&
	       clock_now() < end)
		nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
	CU_ASSERT_FATAL(client->length > 4 && client->length < 2048);
	CU_ASSERT_EQUAL_FATAL(memcmp(client->received, "+ ", 2), 0);
	memcpy(text, client->received + 2, client->length - 4);
	text[client->length - 4] = '\0';
	client->length = 0;
}

/* The next message of the client as a line; what it sends answers `challenge`. */
static void answer_line(struct scram *s, const char *begin, const char *challenge, char line[2048])
{
	char *out = NULL;
	int result = gsasl_step64(s->session, challenge, &out);
	CU_ASSERT_FATAL(result == GSASL_OK || result == GSASL_NEEDS_MORE);
	snprintf(line, 2048, "%s%s\r\n", begin, out);
	gsasl_free(out);
}

/* AUTH and the proof; with `good` the server's proof is taken and checked, else `end` comes. */
static void prove(struct scram *s, const char *mechanism, bool good, const char *end)
{
	char begin[64], line[2048], challenge[2048];
	snprintf(begin, sizeof begin, "AUTH %s ", mechanism);
	answer_line(s, begin, "", line);
	client_send(&s->client, line);
	take_challenge(&s->client, challenge);
	answer_line(s, "", challenge, line);
	if (!good) {
		client_says(&s->client, line, end);
		return;
	}
	client_send(&s->client, line);
	take_challenge(&s->client, challenge);
	answer_line(s, "", challenge, line);
	client_says(&s->client, line, end);
}

static void scram_lets_in_who_knows_the_password(void)
{
	static const char *const mechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
						 "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"};
	struct stage stage;
	stage_init(&stage, users);
	stage_open(&stage);
	for (size_t i = 0; i < 4; i++) {
		struct scram s;
		scram_init(&s, &stage, mechanisms[i], "bob", "builder");
		prove(&s, mechanisms[i], true, READY);
		client_says(&s.client, "QUIT\r\n", "+OK bye\r\n");
		client_ends(&s.client);
		scram_fini(&s);
		test_count(1);
	}
	CU_ASSERT_EQUAL(grants_count(stage.grants), 0);
	stage_fini(&stage);
}

static void scram_denies_wrong_unknown_and_disabled_alike(void)
{
	static const char *const cases[][2] = {
		{"bob", "wrong"}, {"nobody", "builder"}, {"eve", "right"}};
	struct stage stage;
	stage_init(&stage, users);
	stage_open(&stage);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct scram s;
		scram_init(&s, &stage, "SCRAM-SHA-256-PLUS", cases[i][0], cases[i][1]);
		prove(&s, "SCRAM-SHA-256-PLUS", false, DENIED);
		stage_expect_log(&stage, "method=SCRAM-SHA-256-PLUS", cases[i][0]);
		scram_fini(&s);
		test_count(1);
	}
	stage_fini(&stage);
}

static void failures_of_scram_are_counted_with_those_of_passwords(void)
{
	struct stage stage;
	struct scram s;
	stage_init(&stage, users);
	stage.settings.rules.penalty.address_failures = 1;
	stage.settings.rules.penalty.user_failures = 1;
	stage.settings.rules.penalty.recovery = 600000;
	stage_open(&stage);
	scram_init(&s, &stage, "SCRAM-SHA-256-PLUS", "bob", "wrong");
	prove(&s, "SCRAM-SHA-256-PLUS", false, DENIED);
	stage_expect_log(&stage, "login_refused", "wrong proof");
	client_says(&s.client, "USER bob\r\nPASS builder\r\n",
		    "+OK send PASS\r\n"
		    "-ERR [SYS/TEMP] too many failed logins, try again later\r\n");
	stage_expect_log(&stage, "login_refused", "too many failed logins from this address");
	scram_fini(&s);
	stage_fini(&stage);
}

/* ---- What is left of an exchange ---- */

enum way { WAY_VANISHES, WAY_CANCELS, WAY_NO_BASE64, WAY_CONTROL, WAY_TOO_LONG, WAYS };

/* At this step of the exchange: AUTH; the first message; the proof. */
static void come_to(struct scram *s, const char *mechanism, size_t step)
{
	char line[2048], challenge[2048] = "";
	snprintf(line, sizeof line, "AUTH %s\r\n", mechanism);
	client_says(&s->client, line, "+ \r\n");
	for (size_t i = 0; i < step; i++) {
		answer_line(s, "", challenge, line);
		client_send(&s->client, line);
		take_challenge(&s->client, challenge);
	}
}

static void leave(struct client *client, enum way way)
{
	static char line[12290];
	memset(line, 'A', sizeof line - 3);
	memcpy(line + sizeof line - 3, "\r\n", 3);
	switch (way) {
	case WAY_CANCELS:
		client_says(client, "*\r\n", "-ERR authentication cancelled\r\n");
		break;
	case WAY_NO_BASE64:
		client_says(client, "a\r\n", "-ERR response is not base64\r\n");
		stage_expect_log(client->stage, "event=sasl_refused", "not base64");
		break;
	case WAY_CONTROL:
		client_says(client, "\t\r\n", "-ERR line has control characters\r\n");
		stage_expect_log(client->stage, "event=sasl_refused", "control characters");
		break;
	case WAY_TOO_LONG:
		client_says(client, line, "-ERR line too long\r\n");
		stage_expect_log(client->stage, "event=sasl_refused", "too long");
		break;
	default:
		client_ends(client);
	}
}

static void an_exchange_that_is_left_at_any_step_leaves_nothing(void)
{
	static const char mechanism[] = "SCRAM-SHA-256-PLUS";
	struct stage stage;
	stage_init(&stage, users);
	stage_open(&stage);
	for (size_t step = 0; step <= 2; step++) {
		for (enum way way = 0; way < WAYS; way++) {
			struct scram s;
			scram_init(&s, &stage, mechanism, "bob", "builder");
			come_to(&s, mechanism, step);
			CU_ASSERT_EQUAL(exchanges_count(stage.auth->exchanges), 1);
			leave(&s.client, way);
			CU_ASSERT_EQUAL(exchanges_count(stage.auth->exchanges), 0);
			CU_ASSERT_EQUAL(grants_count(stage.grants), 0);
			scram_fini(&s);
			test_count(1);
		}
	}
	stage_fini(&stage);
}

static void an_empty_response_is_the_end_of_what_is_proven_alone(void)
{
	static const char *const answers[] = {DENIED, DENIED, READY};
	static const char mechanism[] = "SCRAM-SHA-256-PLUS";
	struct stage stage;
	stage_init(&stage, users);
	stage_open(&stage);
	for (size_t step = 0; step <= 2; step++) {
		struct scram s;
		scram_init(&s, &stage, mechanism, "bob", "builder");
		come_to(&s, mechanism, step);
		client_says(&s.client, "\r\n", answers[step]);
		if (step < 2)
			stage_expect_log(&stage, "event=login_refused", "reason=");
		CU_ASSERT_EQUAL(exchanges_count(stage.auth->exchanges), 0);
		client_ends(&s.client);
		scram_fini(&s);
		test_count(1);
	}
	stage_fini(&stage);
}

static void external_that_is_left_leaves_nothing(void)
{
	struct stage stage;
	stage_init(&stage, users);
	stage_open(&stage);
	for (enum way way = 0; way < WAYS; way++) {
		struct client client;
		connect_by(&client, &stage, true, "bob");
		client_says(&client, "AUTH EXTERNAL\r\n", "+ \r\n");
		CU_ASSERT_EQUAL(exchanges_count(stage.auth->exchanges), 1);
		leave(&client, way);
		CU_ASSERT_EQUAL(exchanges_count(stage.auth->exchanges), 0);
		client_fini(&client);
		test_count(1);
	}
	stage_fini(&stage);
}

static void scram_is_offered_where_it_suits_every_user(void)
{
	static const struct {
		const char *users;
		bool tls;
		const char *offered;
	} cases[] = {
		{users, false, "SCRAM-SHA-256\r\nSCRAM-SHA-1\r\n"},
		{users, true,
		 "SCRAM-SHA-256-PLUS\r\nSCRAM-SHA-256\r\nSCRAM-SHA-1-PLUS\r\nSCRAM-SHA-1\r\n"},
		{"a:{PLAIN}x\nb:$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5\n", true,
		 ""},
		{"a:{PLAIN}x\nb:{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
		 "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		 "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n",
		 false, "SCRAM-SHA-256\r\n"},
		{"", true, ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct stage stage;
		struct client client;
		char expected[256];
		stage_init(&stage, cases[i].users);
		stage_open(&stage);
		connect_by(&client, &stage, cases[i].tls, "");
		snprintf(expected, sizeof expected, "+OK\r\nCRAM-MD5\r\nPLAIN\r\nLOGIN\r\n%s.\r\n",
			 cases[i].offered);
		client_says(&client, "AUTH\r\n", expected);
		client_fini(&client);
		stage_fini(&stage);
		test_count(1);
	}
}

/* base64 of "bob" and "alice" */
static void external_lets_in_whom_the_certificate_names(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, users);
	stage_open(&stage);
	connect_by(&client, &stage, true, "bob");
	client_says(&client, "AUTH EXTERNAL YWxpY2U=\r\n", DENIED);
	stage_expect_log(&stage, "method=EXTERNAL", "wants to act for another user");
	client_says(&client, "AUTH EXTERNAL\r\n", "+ \r\n");
	client_says(&client, "Ym9i\r\n", READY);
	client_says(&client, "QUIT\r\n", "+OK bye\r\n");
	client_ends(&client);
	client_fini(&client);
	connect_by(&client, &stage, true, "bob");
	client_says(&client, "AUTH EXTERNAL =\r\n", READY);
	client_fini(&client);
	connect_by(&client, &stage, true, "eve");
	client_says(&client, "AUTH EXTERNAL =\r\n", DENIED);
	stage_expect_log(&stage, "user=\"eve\"", "login_refused");
	client_fini(&client);
	connect_by(&client, &stage, true, "");
	client_says(&client, "AUTH EXTERNAL =\r\n", "-ERR mechanism is not available\r\n");
	client_fini(&client);
	connect_by(&client, &stage, false, "bob");
	client_says(&client, "AUTH EXTERNAL =\r\n", "-ERR mechanism is not available\r\n");
	client_fini(&client);
	stage_fini(&stage);
}

static const struct test tests[] = {
	TEST(scram_lets_in_who_knows_the_password),
	TEST(scram_denies_wrong_unknown_and_disabled_alike),
	TEST(failures_of_scram_are_counted_with_those_of_passwords),
	TEST(an_exchange_that_is_left_at_any_step_leaves_nothing),
	TEST(an_empty_response_is_the_end_of_what_is_proven_alone),
	TEST(external_that_is_left_leaves_nothing),
	TEST(scram_is_offered_where_it_suits_every_user),
	TEST(external_lets_in_whom_the_certificate_names),
	TEST_END,
};

const struct test_suite suite_backend_sasl = {"backend_sasl", tests};
