/*
 * AUTH with the mechanisms that end in `authenticate`: what listeners hear, what logs do not, the
 * list of mechanisms. The grammar is played by tests/protocol/scripts.
 */
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "proto/sasl.h"
#include "proto/state.h"
#include "unit/peer.h"

#define ALICE_SECRET "AGFsaWNlAHNlY3JldA==" /* NUL alice NUL secret */

static void messages_reach_authenticate_with_their_method(void)
{
	static const struct turn turns[] = {
		{"AUTH PLAIN " ALICE_SECRET, "+OK maildrop ready"},
		TURN_END,
	};
	static const struct turn login[] = {
		{"AUTH LOGIN", "+ VXNlcm5hbWU6"},
		{"YWxpY2U=", "+ UGFzc3dvcmQ6"},
		{"c2VjcmV0", "+OK maildrop ready"},
		TURN_END,
	};
	peer_dialog(NULL, turns, "authenticate PLAIN alice secret\nopen alice", NULL);
	peer_dialog(NULL, login, "authenticate LOGIN alice secret\nopen alice", NULL);
}

/* RFC 4616 section 4: both examples. */
static void messages_of_rfc_4616_are_understood(void)
{
	static const struct turn tim[] = {
		{"AUTH PLAIN", "+ "},
		{"AHRpbQB0YW5zdGFhZnRhbnN0YWFm", "-ERR [AUTH] authentication failed"},
		TURN_END,
	};
	static const struct turn kurt[] = {
		{"AUTH PLAIN VXJzZWwAS3VydAB4aXBqM3BsbXE=", "-ERR [AUTH] authentication failed"},
		TURN_END,
	};
	peer_dialog(NULL, tim, "authenticate PLAIN tim tanstaaftanstaaf", NULL);
	peer_dialog(NULL, kurt, "authenticate PLAIN Kurt xipj3plmq", NULL);
}

static void hear_authzid(struct pop3_authenticate *e, void *data)
{
	struct peer *p = data;
	CU_ASSERT_STRING_EQUAL(e->authzid == NULL ? "(none)" : e->authzid, p->texts[0]);
	CU_ASSERT_PTR_NULL(e->challenge);
	pop3_answer_auth(e, POP3_OK, NULL);
}

static void identity_asked_for_is_in_the_event(void)
{
	static const char *const cases[][2] = {
		{"AUTH PLAIN " ALICE_SECRET, "(none)"},
		{"AUTH PLAIN Ym9iAGFsaWNlAHNlY3JldA==", "bob"},
		{"AUTH PLAIN VXJzZWwAS3VydAB4aXBqM3BsbXE=", "Ursel"}, /* RFC 4616 section 4 */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer p;
		peer_init(&p);
		p.handlers.authenticate = hear_authzid;
		p.texts[0] = cases[i][1];
		peer_connect(&p);
		p.texts[0] = cases[i][1];
		text_clear(&p.received);
		peer_send(&p, cases[i][0]);
		CU_ASSERT(peer_got(&p, "+OK maildrop ready"));
		text_clear(&p.trace);
		peer_fini(&p);
		test_count(1);
	}
}

/* RFC 2195 section 2. */
static void cram_md5_matches_the_vector_of_its_rfc(void)
{
	struct pop3_authenticate e = {.user = "tim",
				      .method = "CRAM-MD5",
				      .password = "b913a602c7eda7a495b4e6e7334d3890",
				      .challenge = "<1896.697170952@postoffice.reston.mci.net>"};
	CU_ASSERT(pop3_matches(&e, "tanstaaftanstaaf", 16));
	CU_ASSERT_FALSE(pop3_matches(&e, "tanstaaftanstaa", 15));
	CU_ASSERT_FALSE(pop3_matches(&e, "", 0));
	e.password = "B913A602C7EDA7A495B4E6E7334D3890";
	CU_ASSERT_FALSE(pop3_matches(&e, "tanstaaftanstaaf", 16));
	e.password = "b913a602c7eda7a495b4e6e7334d3890";
	e.challenge = NULL;
	CU_ASSERT_FALSE(pop3_matches(&e, "tanstaaftanstaaf", 16));
}

static void offer_apop(struct peer *p)
{
	p->options.apop = POP3_APOP_FIXED;
	p->options.apop_value = "<1@x>";
}

/* The random octets of the peer are all alike: "<hhh…@example.org>". */
#define CHALLENGE "+ PGhoaGhoaGhoaGhoaGhoaGhoaGhoaGhoaEBleGFtcGxlLm9yZz4="
/* "alice" and the HMAC-MD5 of it with the key "secret". */
#define ANSWER "YWxpY2UgOTIwYmM5NDRhODBiMzNhOThjYjZkZGRlYzAwNDI0NTI="

static void cram_md5_challenges_and_checks_the_digest(void)
{
	static const struct turn turns[] = {
		{"AUTH CRAM-MD5", CHALLENGE},
		{"YWxpY2UgMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
		 "-ERR [AUTH] authentication failed"},
		{"AUTH CRAM-MD5", CHALLENGE},
		{"YWxpY2U=", "-ERR malformed response"},
		{"AUTH CRAM-MD5", CHALLENGE},
		{"", "-ERR malformed response"},
		{"AUTH CRAM-MD5 =", "-ERR malformed response"},
		{"AUTH CRAM-MD5 YWxpY2UgMA==", "-ERR malformed response"},
		{"AUTH CRAM-MD5", CHALLENGE},
		{ANSWER, "+OK maildrop ready"},
		TURN_END,
	};
	peer_dialog(offer_apop, turns, NULL, NULL);
}

static void a_deferred_digest_keeps_its_challenge(void)
{
	struct peer p;
	peer_init(&p);
	offer_apop(&p);
	peer_connect(&p);
	text_clear(&p.received);
	p.hold[EVENT_AUTHENTICATE] = true;
	peer_send(&p, "AUTH CRAM-MD5\n" ANSWER "\nSTAT");
	CU_ASSERT(peer_got(&p, CHALLENGE));
	peer_answer(&p, EVENT_AUTHENTICATE);
	CU_ASSERT(peer_got(&p, "+OK maildrop ready\n+OK 3 77"));
	text_clear(&p.trace);
	peer_fini(&p);
}

static void failures_count_as_failed_logins(void)
{
	struct peer p;
	peer_init(&p);
	p.options.limits.failed_logins = 2;
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "AUTH PLAIN AGFsaWNlAHdyb25n\nAUTH LOGIN YWxpY2U=\nd3Jvbmc=\nNOOP");
	CU_ASSERT(peer_got(&p, "-ERR [AUTH] authentication failed\n+ UGFzc3dvcmQ6\n"
			       "-ERR [AUTH] authentication failed"));
	CU_ASSERT(peer_is_closed(&p));
	text_clear(&p.trace);
	peer_fini(&p);
}

static void exchanges_without_end_count_as_bad_commands(void)
{
	struct peer p;
	peer_init(&p);
	p.options.limits.bad_commands = 3;
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "AUTH PLAIN\n*\nAUTH LOGIN !\nAUTH PLAIN =\nNOOP");
	CU_ASSERT(peer_got(&p, "+ \n-ERR authentication cancelled\n-ERR response is not base64\n"
			       "-ERR malformed response"));
	CU_ASSERT(peer_is_closed(&p));
	text_clear(&p.trace);
	peer_fini(&p);
}

static size_t count_lines(const struct peer_text *text)
{
	size_t count = 0;
	for (size_t i = 0; i < text->length; i++)
		count += text->octets[i] == '\n';
	return count;
}

/* Cancelling is the client's right, and no line. */
static void each_malformed_exchange_is_one_answer_and_one_line(void)
{
	static const struct {
		const char *said, *answer, *reason;
	} cases[] = {
		{"AUTH PLAIN AGFsaWNl!", "-ERR response is not base64",
		 "method=PLAIN reason=\"response is not base64\""},
		{"AUTH PLAIN\nAGFsaWNl!", "+ \n-ERR response is not base64",
		 "method=PLAIN reason=\"response is not base64\""},
		{"AUTH PLAIN AGFsaWNl", "-ERR malformed response",
		 "method=PLAIN reason=\"malformed response\""},
		{"AUTH LOGIN =", "-ERR malformed response",
		 "method=LOGIN reason=\"malformed response\""},
		{"AUTH LOGIN YWxpY2U=\nYQBi", "+ UGFzc3dvcmQ6\n-ERR malformed response",
		 "method=LOGIN reason=\"malformed response\""},
		{"AUTH LOGIN\nAGFs\001", "+ VXNlcm5hbWU6\n-ERR line has control characters",
		 "method=LOGIN reason=\"response has control characters\""},
		{"AUTH PLAIN\n*", "+ \n-ERR authentication cancelled", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer p;
		peer_init(&p);
		peer_connect(&p);
		text_clear(&p.received);
		peer_send(&p, cases[i].said);
		CU_ASSERT(peer_got(&p, cases[i].answer));
		CU_ASSERT_EQUAL(count_lines(&p.log), cases[i].reason != NULL);
		if (cases[i].reason != NULL) {
			CU_ASSERT_PTR_NOT_NULL_FATAL(p.log.octets);
			CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, cases[i].reason));
			CU_ASSERT_PTR_NULL(strstr(p.log.octets, "AGFs"));
		}
		text_clear(&p.trace);
		peer_fini(&p);
		test_count(1);
	}
}

static void a_response_that_is_too_long_is_one_answer_and_one_line(void)
{
	static char said[13000];
	struct peer p;
	memcpy(said, "AUTH PLAIN\n", 11);
	memset(said + 11, 'A', sizeof said - 12);
	peer_init(&p);
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, said);
	CU_ASSERT(peer_got(&p, "+ \n-ERR line too long"));
	CU_ASSERT_EQUAL(count_lines(&p.log), 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p.log.octets);
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "reason=\"response is too long\""));
	text_clear(&p.trace);
	peer_fini(&p);
}

static void debug_hides_challenges_and_responses(void)
{
	struct peer p;
	peer_init(&p);
	p.options.debug = true;
	offer_apop(&p);
	peer_connect(&p);
	peer_send(&p, "AUTH PLAIN\n" ALICE_SECRET "\nQUIT");
	peer_send(&p, "AUTH CRAM-MD5");
	CU_ASSERT_PTR_NULL(strstr(p.log.octets, "AGFsaWNl"));
	CU_ASSERT_PTR_NULL(strstr(p.log.octets, "secret"));
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "response=\"(hidden)\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "line=\"+ (hidden)\""));
	text_clear(&p.received);
	text_clear(&p.trace);
	peer_fini(&p);
}

static void a_session_that_ends_within_an_exchange_leaves_nothing(void)
{
	struct peer p;
	peer_init(&p);
	peer_connect(&p);
	peer_send(&p, "AUTH LOGIN\nYWxpY2U=");
	peer_send_octets(&p, "c2Vj", 4);
	CU_ASSERT_PTR_NOT_NULL(p.session->exchange);
	pop3_session_end(p.session, POP3_REASON_LOST, p.now);
	CU_ASSERT_PTR_NULL(p.session->exchange);
	text_clear(&p.received);
	text_clear(&p.trace);
	peer_fini(&p);
}

/* ---- The list ---- */

static void change_mechanisms(struct pop3_capabilities *e, void *data)
{
	(void)data;
	CU_ASSERT_EQUAL(pop3_mechanism_add(e, "X-ONE"), 0);
	CU_ASSERT_EQUAL(pop3_capability_add(e, "X-LINE"), 0);
	CU_ASSERT_EQUAL(pop3_mechanism_add(e, "X-TWO_2"), 0);
	CU_ASSERT_EQUAL(pop3_mechanism_add(e, "x-three"), -EINVAL);
	CU_ASSERT_EQUAL(pop3_mechanism_add(e, "X ONE"), -EINVAL);
	CU_ASSERT_EQUAL(pop3_mechanism_add(e, ""), -EINVAL);
	CU_ASSERT_EQUAL(pop3_mechanism_add(e, "A23456789012345678901"), -EINVAL);
}

static void remove_mechanisms(struct pop3_capabilities *e, void *data)
{
	(void)data;
	pop3_capability_remove(e, "SASL");
}

static void listeners_change_the_mechanisms(void)
{
	struct peer p;
	peer_init(&p);
	p.handlers.capabilities = change_mechanisms;
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "AUTH\nCAPA");
	CU_ASSERT(peer_got(&p, "+OK\nPLAIN\nLOGIN\nX-ONE\nX-TWO_2\n.\n+OK\nTOP\nUIDL\nUSER\nLANG\n"
			       "UTF8\nSASL PLAIN LOGIN X-ONE X-TWO_2\nRESP-CODES\nAUTH-RESP-CODE\n"
			       "PIPELINING\nEXPIRE NEVER\nIMPLEMENTATION pop3-emitter\nX-LINE\n."));
	p.handlers.capabilities = remove_mechanisms;
	peer_send(&p, "AUTH\nAUTH PLAIN " ALICE_SECRET);
	CU_ASSERT(peer_got(&p, "+OK\n.\n-ERR mechanism is not available"));
	text_clear(&p.trace);
	peer_fini(&p);
}

static void a_list_of_mechanisms_is_bounded(void)
{
	struct pop3_capabilities e = {.count = 0};
	char name[] = "MECHANISM-00-0123456";
	int result = 0;
	size_t added = 0;
	for (; result == 0 && added < 100; added++) {
		name[10] = (char)('0' + added / 10);
		name[11] = (char)('0' + added % 10);
		result = pop3_mechanism_add(&e, name);
	}
	CU_ASSERT_EQUAL(result, -ENOSPC);
	CU_ASSERT_EQUAL(e.count, 1);
	CU_ASSERT(strlen(e.lines[0]) <= RESPONSE_MAX - 2);
	/* "SASL", then 21 octets each. */
	CU_ASSERT_EQUAL(strlen(e.lines[0]), 4 + 21 * (added - 1));
}

/* ---- Mechanisms of listeners ---- */

/* What the listener of X-ECHO does: it challenges with what it got; "end" ends it. */
struct echo {
	bool hold;
	struct pop3_sasl *held;
	size_t aborts;
	uint32_t step;
	enum pop3_result result;
};

static struct echo echo;

static void answer_echo(struct pop3_sasl *e)
{
	int result;
	if (e->octets == NULL)
		result = pop3_answer_challenge(e, "", 0);
	else if (e->length == 3 && memcmp(e->octets, "end", 3) == 0)
		result = pop3_answer_sasl(e, echo.result, "alice");
	else
		result = pop3_answer_challenge(e, e->octets, e->length);
	CU_ASSERT_EQUAL(result, 0);
}

static void hear_sasl(struct pop3_sasl *e, void *data)
{
	(void)data;
	if (e->abort) {
		echo.aborts++;
		return;
	}
	CU_ASSERT_STRING_EQUAL(e->mechanism, "X-ECHO");
	CU_ASSERT_EQUAL(e->step, echo.step++);
	if (echo.hold)
		echo.held = pop3_defer(&e->event);
	else
		answer_echo(e);
}

static void offer_echo(struct pop3_capabilities *e, void *data)
{
	(void)data;
	pop3_mechanism_add(e, "X-ECHO");
}

static void connect_echo(struct peer *p)
{
	peer_init(p);
	echo = (struct echo){.hold = false};
	p->options.timeouts.answer = 5000;
	p->handlers.capabilities = offer_echo;
	p->handlers.sasl = hear_sasl;
	peer_connect(p);
	text_clear(&p->received);
}

static void finish_echo(struct peer *p, size_t aborts)
{
	text_clear(&p->trace);
	peer_fini(p);
	CU_ASSERT_EQUAL(echo.aborts, aborts);
}

static void a_listener_leads_an_exchange_to_its_end(void)
{
	struct peer p;
	connect_echo(&p);
	peer_send(&p, "AUTH X-ECHO\nYQBi\n\nZW5k\nSTAT");
	CU_ASSERT(peer_got(&p, "+ \n+ YQBi\n+ \n+OK maildrop ready\n+OK 3 77"));
	CU_ASSERT(peer_heard(&p, "open alice\nlist 0"));
	finish_echo(&p, 0);
}

static void a_deferred_step_has_its_octets(void)
{
	struct peer p;
	connect_echo(&p);
	echo.hold = true;
	peer_send(&p, "AUTH X-ECHO YQBi\nZW5k");
	CU_ASSERT(peer_got(&p, ""));
	CU_ASSERT_EQUAL(echo.held->length, 3);
	CU_ASSERT_EQUAL(memcmp(echo.held->octets, "a\0b", 3), 0);
	echo.hold = false;
	answer_echo(echo.held);
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "+ YQBi\n+OK maildrop ready"));
	finish_echo(&p, 0);
}

static void a_failure_of_a_listener_is_a_failed_login(void)
{
	struct peer p;
	connect_echo(&p);
	echo.result = POP3_DENIED;
	peer_send(&p, "AUTH X-ECHO ZW5k");
	CU_ASSERT(peer_got(&p, "-ERR [AUTH] alice"));
	CU_ASSERT_EQUAL(p.session->failed_logins, 1);
	finish_echo(&p, 0);
}

static void an_exchange_that_does_not_go_on_is_aborted_once(void)
{
	static const char *const ends[] = {"*", "!", "\x01"};
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct peer p;
		connect_echo(&p);
		peer_send(&p, "AUTH X-ECHO YQ==");
		peer_send(&p, ends[i]);
		CU_ASSERT_EQUAL(echo.aborts, 1);
		text_clear(&p.received);
		finish_echo(&p, 1);
	}
	struct peer p;
	connect_echo(&p);
	peer_send(&p, "AUTH X-ECHO YQ==");
	text_clear(&p.received);
	finish_echo(&p, 1);
	test_count(4);
}

static void a_challenge_that_comes_too_late_is_aborted(void)
{
	struct peer p;
	connect_echo(&p);
	echo.hold = true;
	peer_send(&p, "AUTH X-ECHO YQ==");
	peer_wait(&p, 5000);
	CU_ASSERT(peer_got(&p, "-ERR [SYS/TEMP] try again later"));
	CU_ASSERT(peer_failed(&p, "a deferred event was not answered in time"));
	CU_ASSERT_EQUAL(echo.aborts, 0);
	answer_echo(echo.held);
	peer_run(&p);
	finish_echo(&p, 1);
}

static void a_mechanism_that_nobody_answers_is_an_error(void)
{
	struct peer p;
	connect_echo(&p);
	p.handlers.sasl = NULL;
	peer_send(&p, "AUTH X-ECHO YQ==");
	CU_ASSERT(peer_got(&p, "-ERR [SYS/PERM] authentication is not available"));
	CU_ASSERT(peer_failed(&p, "no listener answers sasl"));
	finish_echo(&p, 0);
}

static void an_answer_without_a_user_lets_nobody_in(void)
{
	struct peer p;
	connect_echo(&p);
	echo.hold = true;
	peer_send(&p, "AUTH X-ECHO YQ==");
	char octets[POP3_SASL_CHALLENGE_MAX + 1] = "";
	CU_ASSERT_EQUAL(pop3_answer_challenge(echo.held, octets, sizeof octets), -EMSGSIZE);
	CU_ASSERT_EQUAL(pop3_answer_sasl(echo.held, POP3_OK, NULL), 0);
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "-ERR [SYS/PERM] maildrop is not available"));
	finish_echo(&p, 0);
}

static const struct test tests[] = {
	TEST(a_listener_leads_an_exchange_to_its_end),
	TEST(a_deferred_step_has_its_octets),
	TEST(a_failure_of_a_listener_is_a_failed_login),
	TEST(an_exchange_that_does_not_go_on_is_aborted_once),
	TEST(a_challenge_that_comes_too_late_is_aborted),
	TEST(a_mechanism_that_nobody_answers_is_an_error),
	TEST(an_answer_without_a_user_lets_nobody_in),
	TEST(messages_reach_authenticate_with_their_method),
	TEST(messages_of_rfc_4616_are_understood),
	TEST(identity_asked_for_is_in_the_event),
	TEST(cram_md5_matches_the_vector_of_its_rfc),
	TEST(cram_md5_challenges_and_checks_the_digest),
	TEST(a_deferred_digest_keeps_its_challenge),
	TEST(failures_count_as_failed_logins),
	TEST(exchanges_without_end_count_as_bad_commands),
	TEST(each_malformed_exchange_is_one_answer_and_one_line),
	TEST(a_response_that_is_too_long_is_one_answer_and_one_line),
	TEST(debug_hides_challenges_and_responses),
	TEST(a_session_that_ends_within_an_exchange_leaves_nothing),
	TEST(listeners_change_the_mechanisms),
	TEST(a_list_of_mechanisms_is_bounded),
	TEST_END,
};

const struct test_suite suite_sasl = {"sasl", tests};
