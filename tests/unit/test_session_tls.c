/* STLS as the session sees it, without any TLS: the test says when the handshake has succeeded. */
#include <string.h>

#include "unit/peer.h"

static const struct pop3_info secured = {
	.tls = true,
	.tls_version = "TLS1.3",
	.tls_cipher = "TLS_AES_128_GCM_SHA256",
	.has_binding = true,
	.binding = {1, 2, 3},
	.certificate = "alice@example.org",
};

/* A client of another machine, where TLS can be had. */
static void offer(struct peer *p)
{
	p->info.loopback = false;
	p->info.stls = true;
}

static void connect_to(struct peer *p, enum pop3_require_tls require)
{
	peer_init(p);
	offer(p);
	p->options.require_tls = require;
	peer_connect(p);
	CU_ASSERT(peer_got(p, "+OK POP3 server ready"));
}

static void start_tls(struct peer *p)
{
	peer_send(p, "STLS");
	CU_ASSERT(peer_got(p, "+OK begin TLS"));
	CU_ASSERT(pop3_session_wants(p->session).start_tls);
	pop3_session_secured(p->session, &secured, p->now);
	CU_ASSERT_FALSE(pop3_session_wants(p->session).start_tls);
}

/* ---- Before and after ---- */

static void capa_offers_stls_before_tls_and_user_after_it(void)
{
	struct peer p;
	connect_to(&p, POP3_TLS_REMOTE);
	peer_send(&p, "CAPA");
	CU_ASSERT(peer_got(
		&p, "+OK\nTOP\nUIDL\nSTLS\nLANG\nUTF8\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\n"
		    "EXPIRE NEVER\nIMPLEMENTATION pop3-emitter\n."));
	start_tls(&p);
	peer_send(&p, "CAPA");
	CU_ASSERT(peer_got(&p, "+OK\nTOP\nUIDL\nUSER\nLANG\nUTF8\nSASL PLAIN "
			       "LOGIN\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\n"
			       "EXPIRE NEVER\nIMPLEMENTATION pop3-emitter\n."));
	text_clear(&p.trace);
	peer_fini(&p);
}

static void stls_is_offered_before_the_login_only(void)
{
	static const struct turn turns[] = {
		{"STLS now", "-ERR wrong arguments"},
		TURN_LOGIN,
		{"CAPA", "+OK\nTOP\nUIDL\nUSER\nLANG\nUTF8\nSASL PLAIN "
			 "LOGIN\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\n"
			 "EXPIRE NEVER\nIMPLEMENTATION pop3-emitter\n."},
		{"STLS", "-ERR command not valid in this state"},
		TURN_END,
	};
	struct peer p;
	connect_to(&p, POP3_TLS_NEVER);
	for (const struct turn *t = turns; t->send != NULL; t++) {
		peer_send(&p, t->send);
		CU_ASSERT(peer_got(&p, t->expect));
	}
	text_clear(&p.trace);
	peer_fini(&p);
}

static void stls_is_unknown_where_tls_cannot_be_had(void)
{
	static const struct turn turns[] = {
		{"STLS", "-ERR unknown command"},
		{"CAPA", "+OK\nTOP\nUIDL\nUSER\nLANG\nUTF8\nSASL PLAIN "
			 "LOGIN\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\n"
			 "EXPIRE NEVER\nIMPLEMENTATION pop3-emitter\n."},
		TURN_LOGIN,
		TURN_END,
	};
	peer_dialog(NULL, turns, NULL, "");
}

static void a_second_stls_is_refused(void)
{
	struct peer p;
	connect_to(&p, POP3_TLS_REMOTE);
	start_tls(&p);
	peer_send(&p, "STLS");
	CU_ASSERT(peer_got(&p, "-ERR TLS is active already"));
	peer_enter(&p);
	peer_send(&p, "STLS");
	CU_ASSERT(peer_got(&p, "-ERR TLS is active already"));
	peer_fini(&p);
}

static void events_after_the_handshake_tell_what_it_gave(void)
{
	struct peer p;
	connect_to(&p, POP3_TLS_REMOTE);
	start_tls(&p);
	p.hold[EVENT_AUTHENTICATE] = true;
	peer_send(&p, "USER alice\nPASS secret");
	const struct pop3_info *info = p.held[EVENT_AUTHENTICATE]->info;
	CU_ASSERT(info->tls && info->stls && info->has_binding && !info->loopback);
	CU_ASSERT_STRING_EQUAL(info->tls_version, "TLS1.3");
	CU_ASSERT_STRING_EQUAL(info->tls_cipher, "TLS_AES_128_GCM_SHA256");
	CU_ASSERT_STRING_EQUAL(info->certificate, "alice@example.org");
	CU_ASSERT_EQUAL(memcmp(info->binding, secured.binding, sizeof secured.binding), 0);
	CU_ASSERT_STRING_EQUAL(info->peer, p.info.peer);
	peer_answer(&p, EVENT_AUTHENTICATE);
	CU_ASSERT(peer_got(&p, "+OK send PASS\n+OK maildrop ready"));
	text_clear(&p.trace);
	pop3_session_end(p.session, POP3_REASON_LOST, p.now);
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, " tls=TLS1.3 cipher=TLS_AES_128_GCM_SHA256"));
	text_clear(&p.trace);
	peer_fini(&p);
}

static void user_is_forgotten_by_the_handshake(void)
{
	struct peer p;
	connect_to(&p, POP3_TLS_NEVER);
	peer_send(&p, "USER mallory");
	CU_ASSERT(peer_got(&p, "+OK send PASS"));
	start_tls(&p);
	peer_send(&p, "PASS secret");
	CU_ASSERT(peer_got(&p, "-ERR send USER first"));
	CU_ASSERT(peer_heard(&p, ""));
	peer_fini(&p);
}

static void language_is_forgotten_by_the_handshake(void)
{
	struct peer p;
	connect_to(&p, POP3_TLS_REMOTE);
	peer_send(&p, "LANG de\nSTLS");
	CU_ASSERT(peer_got(&p, "+OK de Sprache gewechselt\n+OK TLS beginnen"));
	pop3_session_secured(p.session, &secured, p.now);
	p.hold[EVENT_AUTHENTICATE] = true;
	peer_send(&p, "STAT now\nUSER alice\nPASS secret");
	CU_ASSERT(peer_got(&p, "-ERR command not valid in this state\n+OK send PASS"));
	CU_ASSERT_STRING_EQUAL(p.held[EVENT_AUTHENTICATE]->info->language, "i-default");
	pop3_drop(peer_take(&p, EVENT_AUTHENTICATE));
	peer_fini(&p);
}

/* RFC 6856 section 2.1. The mode stays, and so does the way to log in, where TLS is not required.
 */
static void stls_is_refused_after_utf8(void)
{
	static const struct turn turns[] = {
		{"UTF8", "+OK UTF-8 enabled"},
		{"STLS", "-ERR STLS must come before UTF8"},
		{"CAPA", "+OK\nTOP\nUIDL\nUSER\nLANG\nUTF8\nSASL PLAIN "
			 "LOGIN\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\n"
			 "EXPIRE NEVER\nIMPLEMENTATION pop3-emitter\n."},
		{"LANG fr", "+OK fr langue chang\xc3\xa9"
			    "e"},
		{"STLS", "-ERR STLS doit pr\xc3\xa9"
			 "c\xc3\xa9"
			 "der UTF8"},
		{"LANG en", "+OK en language changed"},
		TURN_LOGIN,
		TURN_END,
	};
	struct peer p;
	connect_to(&p, POP3_TLS_NEVER);
	for (const struct turn *t = turns; t->send != NULL; t++) {
		peer_send(&p, t->send);
		CU_ASSERT(peer_got(&p, t->expect));
		CU_ASSERT_FALSE(pop3_session_wants(p.session).start_tls);
	}
	text_clear(&p.trace);
	peer_fini(&p);
}

/* ---- Injection ---- */

/* The +OK is the last octet before TLS, and nothing that came with STLS is ever heard. */
static void commands_behind_stls_close_the_connection(void)
{
	static const char *const injected[] = {
		"STLS\r\nUSER mallory\r\nPASS secret\r\n",
		"CAPA\r\nSTLS\r\nDELE 1\r\n",
		"STLS\r\n\r\n",
		"STLS\r\nx",
		"STLS\n\x16\x03\x01",
	};
	for (size_t i = 0; i < sizeof injected / sizeof *injected; i++) {
		struct peer p;
		connect_to(&p, POP3_TLS_NEVER);
		peer_send_octets(&p, injected[i], strlen(injected[i]));
		CU_ASSERT_FALSE(pop3_session_wants(p.session).start_tls);
		CU_ASSERT(peer_is_closed(&p));
		text_clear(&p.received);
		CU_ASSERT(peer_heard(&p, ""));
		CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "reason=refused"));
		CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "octets behind STLS"));
		peer_fini(&p);
	}
	test_count(sizeof injected / sizeof *injected);
}

static void octets_fed_after_stls_and_before_tls_close_the_connection(void)
{
	struct peer p;
	connect_to(&p, POP3_TLS_NEVER);
	p.deaf = true;
	peer_send(&p, "STLS");
	CU_ASSERT_FALSE(pop3_session_wants(p.session).start_tls);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).read);
	CU_ASSERT_EQUAL(pop3_session_feed(p.session, "DELE 1\r\n", 8, p.now), 8);
	p.deaf = false;
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "+OK begin TLS"));
	CU_ASSERT_FALSE(pop3_session_wants(p.session).start_tls);
	CU_ASSERT(peer_is_closed(&p));
	peer_fini(&p);
}

static void tls_starts_only_when_the_ok_has_been_sent(void)
{
	struct peer p;
	char octets[64];
	connect_to(&p, POP3_TLS_REMOTE);
	p.deaf = true;
	peer_send(&p, "STLS");
	for (size_t sent = 0; sent < strlen("+OK begin TLS\r\n"); sent++) {
		CU_ASSERT_FALSE(pop3_session_wants(p.session).start_tls);
		CU_ASSERT_EQUAL(pop3_session_pull(p.session, octets, 1, p.now), 1);
	}
	CU_ASSERT(pop3_session_wants(p.session).start_tls);
	CU_ASSERT_EQUAL(pop3_session_pull(p.session, octets, sizeof octets, p.now), 0);
	peer_fini(&p);
}

/* ---- Who must use it ---- */

static void passwords_before_tls_are_refused_with_what_to_do(void)
{
	static const char *const lines[] = {"USER alice", "PASS secret", "APOP alice digest",
					    "AUTH PLAIN", "AUTH"};
	struct peer p;
	connect_to(&p, POP3_TLS_REMOTE);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		peer_send(&p, lines[i]);
		CU_ASSERT(peer_got(&p, "-ERR TLS is required here: send STLS first"));
	}
	CU_ASSERT(peer_heard(&p, ""));
	start_tls(&p);
	peer_enter(&p);
	peer_fini(&p);
}

static void answer_command(struct pop3_command *e, void *data)
{
	struct peer *p = data;
	p->remaining++;
	if (strcmp(e->verb, "XPING") == 0 || strcmp(e->verb, "AUTH") == 0)
		pop3_answer_command(e, true, "pong");
}

static void no_handler_hears_a_password_that_needs_tls_first(void)
{
	static const char *const lines[] = {"USER alice", "PASS secret", "APOP alice digest",
					    "AUTH PLAIN AGFsaWNlAHNlY3JldA=="};
	struct peer p;
	peer_init(&p);
	offer(&p);
	p.handlers.command = answer_command;
	peer_connect(&p);
	CU_ASSERT(peer_got(&p, "+OK POP3 server ready"));
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		peer_send(&p, lines[i]);
		CU_ASSERT(peer_got(&p, "-ERR TLS is required here: send STLS first"));
	}
	CU_ASSERT_EQUAL(p.remaining, 0);
	peer_send(&p, "XPING");
	CU_ASSERT(peer_got(&p, "+OK pong"));
	start_tls(&p);
	peer_send(&p, "AUTH PLAIN AGFsaWNlAHNlY3JldA==");
	CU_ASSERT(peer_got(&p, "+OK pong"));
	peer_fini(&p);
}

static void clients_of_this_machine_need_no_tls_unless_always(void)
{
	struct peer p;
	peer_init(&p);
	p.info.stls = true;
	p.info.loopback = true;
	peer_connect(&p);
	CU_ASSERT(peer_got(&p, "+OK POP3 server ready"));
	peer_enter(&p);
	peer_fini(&p);

	peer_init(&p);
	p.info.loopback = true;
	p.options.require_tls = POP3_TLS_ALWAYS;
	peer_connect(&p);
	CU_ASSERT(peer_got(&p, "+OK POP3 server ready"));
	peer_send(&p, "USER alice");
	CU_ASSERT(peer_got(&p, "-ERR TLS is required here, and this port has none"));
	peer_fini(&p);
}

static void a_first_line_of_http_closes_the_connection(void)
{
	static const char *const lines[] = {"GET / HTTP/1.1", "POST /x HTTP/1.0",
					    "OPTIONS * HTTP/2"};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct peer p;
		connect_to(&p, POP3_TLS_NEVER);
		peer_send(&p, lines[i]);
		CU_ASSERT(peer_got(&p, ""));
		CU_ASSERT(peer_is_closed(&p));
		CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "speaks HTTP"));
		peer_fini(&p);
	}
	struct peer p;
	connect_to(&p, POP3_TLS_NEVER);
	peer_send(&p, "CAPA x\nGET / HTTP/1.1");
	CU_ASSERT(peer_got(&p, "-ERR wrong arguments\n-ERR unknown command"));
	peer_fini(&p);
}

/* Such as a request of HTTP with a long path, and its end is not seen. */
static void a_first_line_that_is_too_long_closes_the_connection(void)
{
	char line[512];
	struct peer p;
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	memcpy(line, "POST /", 6);
	memcpy(line + 400, " HTTP/1.1\nCAPA", 15);
	connect_to(&p, POP3_TLS_NEVER);
	peer_send(&p, line);
	CU_ASSERT(peer_got(&p, ""));
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "reason=refused"));
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "the first line is too long"));
	peer_fini(&p);
}

/* ---- Deadlines ---- */

static void a_handshake_may_take_ten_seconds(void)
{
	struct peer p;
	connect_to(&p, POP3_TLS_REMOTE);
	peer_wait(&p, 3000);
	peer_send(&p, "STLS");
	CU_ASSERT(peer_got(&p, "+OK begin TLS"));
	peer_wait(&p, 9999);
	CU_ASSERT(pop3_session_wants(p.session).start_tls);
	peer_wait(&p, 1);
	CU_ASSERT(pop3_session_wants(p.session).finished);
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "reason=timeout"));
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "the TLS handshake took too long"));
	peer_fini(&p);
}

/* ---- Implicit TLS ---- */

static void nothing_is_said_or_heard_before_implicit_tls(void)
{
	struct peer p;
	peer_init(&p);
	p.now = 1000000000;
	p.hold[EVENT_CONNECTED] = true;
	peer_serve(&p);
	p.session = session_new(&p.context, &p.info, -1, NULL, p.now);
	session_begin(p.session, true, p.now);
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "") && peer_heard(&p, ""));
	CU_ASSERT(pop3_session_wants(p.session).start_tls);
	CU_ASSERT_EQUAL(pop3_session_wants(p.session).deadline, p.now + 10000);
	CU_ASSERT_PTR_NULL(p.held[EVENT_CONNECTED]);
	pop3_session_secured(p.session, &secured, p.now);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p.held[EVENT_CONNECTED]);
	CU_ASSERT(p.held[EVENT_CONNECTED]->info->tls);
	peer_answer(&p, EVENT_CONNECTED);
	CU_ASSERT(peer_got(&p, "+OK POP3 server ready"));
	peer_send(&p, "STLS");
	CU_ASSERT(peer_got(&p, "-ERR TLS is active already"));
	peer_enter(&p);
	peer_fini(&p);
}

static void a_handshake_that_fails_is_one_log_line(void)
{
	struct peer p;
	peer_init(&p);
	p.now = 1000000000;
	peer_serve(&p);
	p.session = session_new(&p.context, &p.info, -1, NULL, p.now);
	session_begin(p.session, true, p.now);
	session_note_fault(p.session, "no cipher in common");
	pop3_session_end(p.session, POP3_REASON_TLS, p.now);
	CU_ASSERT(pop3_session_wants(p.session).finished);
	CU_ASSERT(peer_heard(&p, ""));
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "reason=tls"));
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "no cipher in common"));
	CU_ASSERT_PTR_EQUAL(strchr(p.log.octets, '\n'), p.log.octets + p.log.length - 1);
	peer_fini(&p);
}

const struct test_suite suite_session_tls = {
	.name = "session_tls",
	.tests =
		(const struct test[]){
			TEST(capa_offers_stls_before_tls_and_user_after_it),
			TEST(stls_is_offered_before_the_login_only),
			TEST(stls_is_unknown_where_tls_cannot_be_had),
			TEST(a_second_stls_is_refused),
			TEST(events_after_the_handshake_tell_what_it_gave),
			TEST(user_is_forgotten_by_the_handshake),
			TEST(language_is_forgotten_by_the_handshake),
			TEST(stls_is_refused_after_utf8),
			TEST(commands_behind_stls_close_the_connection),
			TEST(octets_fed_after_stls_and_before_tls_close_the_connection),
			TEST(tls_starts_only_when_the_ok_has_been_sent),
			TEST(passwords_before_tls_are_refused_with_what_to_do),
			TEST(no_handler_hears_a_password_that_needs_tls_first),
			TEST(clients_of_this_machine_need_no_tls_unless_always),
			TEST(a_first_line_of_http_closes_the_connection),
			TEST(a_first_line_that_is_too_long_closes_the_connection),
			TEST(a_handshake_may_take_ten_seconds),
			TEST(nothing_is_said_or_heard_before_implicit_tls),
			TEST(a_handshake_that_fails_is_one_log_line),
			TEST_END,
		},
};
