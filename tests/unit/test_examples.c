/* What the event-oriented original shows in its README, done with this library. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "unit/peer.h"

/* ---- Five greetings ---- */

static bool make_value(const struct pop3_info *info, char *value, size_t size, void *data)
{
	CU_ASSERT_STRING_EQUAL(info->peer, "192.0.2.1:4711");
	CU_ASSERT_EQUAL(size, POP3_CHALLENGE_SIZE);
	if (data == NULL)
		return false;
	snprintf(value, size, "%s", (const char *)data);
	return true;
}

static void check_greeting(enum pop3_apop apop, const char *value, char *data, const char *greeting)
{
	struct peer p;
	peer_init(&p);
	p.options.apop = apop;
	p.options.apop_value = value;
	p.options.apop_function = make_value;
	p.options.apop_data = data;
	peer_connect(&p);
	CU_ASSERT(peer_got(&p, greeting));
	peer_send(&p, "APOP alice x");
	CU_ASSERT(peer_got(&p, strchr(greeting, '<') == NULL
				       ? "-ERR unknown command"
				       : "-ERR [AUTH] authentication failed"));
	peer_fini(&p);
	test_count(1);
}

static void there_are_five_greetings(void)
{
	static char made[] = "made", whole[] = "<a@b>";
	check_greeting(POP3_APOP_RANDOM, NULL, NULL,
		       "+OK POP3 server ready <hhhhhhhhhhhhhhhhhhhhhhhh@example.org>");
	check_greeting(POP3_APOP_OFF, NULL, NULL, "+OK POP3 server ready");
	check_greeting(POP3_APOP_FUNCTION, NULL, made, "+OK POP3 server ready <made@example.org>");
	check_greeting(POP3_APOP_FUNCTION, NULL, whole, "+OK POP3 server ready <a@b>");
	check_greeting(POP3_APOP_FUNCTION, NULL, NULL, "+OK POP3 server ready");
	check_greeting(POP3_APOP_FIXED, "sea", NULL, "+OK POP3 server ready <sea@example.org>");
	check_greeting(POP3_APOP_FIXED, "<pink@himalayan>", NULL,
		       "+OK POP3 server ready <pink@himalayan>");
}

static void an_apop_value_that_is_none_is_an_error_event(void)
{
	static char longest[POP3_CHALLENGE_SIZE], too_long[POP3_CHALLENGE_SIZE + 1];
	static const char *const values[] = {"",      "a b",   "a\r\nb",   "<a",
					     "a>",    "<>",    "<a>b",     "a<b",
					     "<a b>", "<<a>>", "\xc3\xa9", too_long};
	memset(too_long, 'x', sizeof too_long - 1);
	too_long[0] = '<';
	too_long[sizeof too_long - 2] = '>';
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct peer p;
		peer_init(&p);
		p.options.apop = POP3_APOP_FIXED;
		p.options.apop_value = values[i];
		peer_connect(&p);
		CU_ASSERT(peer_got(&p, "+OK POP3 server ready"));
		CU_ASSERT(peer_failed(&p, "the APOP value is not usable"));
		peer_send(&p, "APOP alice x");
		CU_ASSERT(peer_got(&p, "-ERR unknown command"));
		peer_fini(&p);
		test_count(1);
	}
	memset(longest, 'x', sizeof longest - 1);
	longest[0] = '<';
	longest[sizeof longest - 2] = '>';
	struct peer p;
	peer_init(&p);
	p.options.apop = POP3_APOP_FIXED;
	p.options.apop_value = longest;
	peer_connect(&p);
	CU_ASSERT_EQUAL(p.received.length, strlen("+OK POP3 server ready \r\n") + 127);
	text_clear(&p.received);
	/* The same octets without brackets need more room than there is. */
	CU_ASSERT_EQUAL(pop3_session_set_apop(p.session, longest + 1), -EINVAL);
	longest[sizeof longest - 2] = '\0';
	CU_ASSERT_EQUAL(pop3_session_set_apop(p.session, longest + 1), -EINVAL);
	peer_fini(&p);
}

static void set_own_apop(struct pop3_connected *e, void *data)
{
	(void)data;
	CU_ASSERT_EQUAL(pop3_session_set_apop(e->session, "not this"), -EINVAL);
	CU_ASSERT_EQUAL(pop3_session_set_apop(e->session, "own"), 0);
}

static void set_no_apop(struct pop3_connected *e, void *data)
{
	(void)data;
	CU_ASSERT_EQUAL(pop3_session_set_apop(e->session, NULL), 0);
}

static void a_connected_listener_sets_the_challenge(void)
{
	struct peer p;
	peer_init(&p);
	p.options.apop = POP3_APOP_RANDOM;
	p.handlers.connected = set_own_apop;
	peer_connect(&p);
	CU_ASSERT(peer_got(&p, "+OK POP3 server ready <own@example.org>"));
	peer_fini(&p);
	peer_init(&p);
	p.options.apop = POP3_APOP_RANDOM;
	p.handlers.connected = set_no_apop;
	peer_connect(&p);
	CU_ASSERT(peer_got(&p, "+OK POP3 server ready"));
	peer_fini(&p);
}

/* ---- One listener for PASS and APOP ---- */

static void know_tanstaaf(struct pop3_authenticate *e, void *data)
{
	(void)data;
	bool right = strcmp(e->user, "mrose") == 0 && pop3_matches(e, "tanstaaf", 8);
	pop3_answer_auth(e, right ? POP3_OK : POP3_DENIED, NULL);
}

static void as_in_the_rfc(struct peer *p)
{
	p->options.apop = POP3_APOP_FIXED;
	p->options.apop_value = "<1896.697170952@dbc.mtview.ca.us>";
	p->handlers.authenticate = know_tanstaaf;
}

static void one_listener_serves_pass_and_apop(void)
{
	static const char denied[] = "-ERR [AUTH] authentication failed";
	/* RFC 1939 section 7. */
	static const struct turn apop[] = {
		{"APOP mrose c4c9334bac560ecc979e58001b3e22fa", denied},
		{"APOP mrose C4C9334BAC560ECC979E58001B3E22FB", denied},
		{"APOP mrose c4c9334bac560ecc979e58001b3e22f", denied},
		{"APOP mrose tanstaaf", denied},
		{"APOP rose c4c9334bac560ecc979e58001b3e22fb", denied},
		{"APOP mrose", "-ERR wrong arguments"},
		{"APOP mrose a b", "-ERR wrong arguments"},
		{"APOP", "-ERR wrong arguments"},
		{"APOP mrose c4c9334bac560ecc979e58001b3e22fb", "+OK maildrop ready"},
		{"APOP mrose c4c9334bac560ecc979e58001b3e22fb",
		 "-ERR command not valid in this state"},
		{"STAT", "+OK 3 77"},
		TURN_END,
	};
	static const struct turn pass[] = {
		{"USER mrose", "+OK send PASS"},
		{"PASS c4c9334bac560ecc979e58001b3e22fb", denied},
		{"USER mrose", "+OK send PASS"},
		{"PASS tanstaaf", "+OK maildrop ready"},
		TURN_END,
	};
	peer_dialog(as_in_the_rfc, apop, "open mrose\nlist 0", "");
	peer_dialog(as_in_the_rfc, pass, "open mrose", "");
}

static void an_apop_login_may_be_answered_later(void)
{
	struct peer p;
	peer_init(&p);
	p.options.apop = POP3_APOP_FIXED;
	p.options.apop_value = "<1896.697170952@dbc.mtview.ca.us>";
	p.hold[EVENT_AUTHENTICATE] = true;
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "APOP mrose c4c9334bac560ecc979e58001b3e22fb");
	struct pop3_authenticate *e = peer_take(&p, EVENT_AUTHENTICATE);
	CU_ASSERT_STRING_EQUAL(e->challenge, "<1896.697170952@dbc.mtview.ca.us>");
	CU_ASSERT_TRUE(pop3_matches(e, "tanstaaf", 8));
	CU_ASSERT_FALSE(pop3_matches(e, "tanstaaf", 7));
	pop3_answer_auth(e, POP3_OK, NULL);
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "+OK maildrop ready"));
	peer_fini(&p);
}

static void without_authenticate(struct peer *p)
{
	p->handlers.authenticate = NULL;
}

static void no_authenticate_listener_is_an_error_event_and_err(void)
{
	static const struct turn turns[] = {
		{"USER alice", "+OK send PASS"},
		{"PASS secret", "-ERR [SYS/PERM] authentication is not available"},
		{"STAT", "-ERR command not valid in this state"},
		TURN_END,
	};
	peer_dialog(without_authenticate, turns, "", "no listener answers authenticate");
}

/* ---- A connected listener that looks at the peer ---- */

static void refuse_documentation_nets(struct pop3_connected *e, void *data)
{
	CU_ASSERT_PTR_NOT_NULL(e->session);
	CU_ASSERT_EQUAL(e->descriptor, -1);
	CU_ASSERT_FALSE(e->event.info->loopback);
	if (strncmp(e->event.info->peer, "192.0.2.", 8) == 0)
		pop3_refuse(e, data);
}

static void a_connected_listener_refuses_a_peer(void)
{
	static char text[] = "not from there";
	struct pop3_handlers refusing = {.size = sizeof refusing,
					 .connected = refuse_documentation_nets};
	struct pop3_listener l = {.handlers = &refusing, .data = text};
	struct peer p;
	peer_init(&p);
	p.handlers.connected = NULL;
	peer_serve(&p);
	emitter_attach(&p.context.emitter, &l);
	peer_connect(&p);
	CU_ASSERT(peer_got(&p, "-ERR not from there"));
	CU_ASSERT(peer_is_closed(&p));
	pop3_session_free(p.session);
	strcpy(p.info.peer, "198.51.100.1:1");
	peer_connect(&p);
	CU_ASSERT(peer_got(&p, "+OK POP3 server ready"));
	peer_fini(&p);
}

/* ---- Commands ---- */

static char deleted[64];

static void delete_at_once(struct pop3_command *e, void *data)
{
	(void)data;
	CU_ASSERT_EQUAL(e->state, POP3_TRANSACTION);
	CU_ASSERT_STRING_EQUAL(e->verb, "DELE");
	strcat(deleted, e->arguments);
	if (strcmp(e->arguments, "9") == 0)
		pop3_answer_command(e, false, "no such message here");
	else
		pop3_answer_command(e, true, "gone already");
}

static void delete_soon(struct peer *p)
{
	p->handlers.command = delete_at_once;
	p->handlers.verbs = "DELE";
	deleted[0] = '\0';
}

static void a_dele_handler_deletes_at_once(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"dele 2", "+OK gone already"},
		{"DELE 9", "-ERR no such message here"},
		{"NOOP", "+OK"},
		{"QUIT", "+OK bye"},
		TURN_END,
	};
	peer_dialog(delete_soon, turns, "authenticate PASS alice secret\nopen alice\nquit", "");
	CU_ASSERT_STRING_EQUAL(deleted, "29");
}

static void answer_own_verbs(struct pop3_command *e, void *data)
{
	static const char lines[] = ".first\nsecond";
	(void)data;
	if (strcmp(e->verb, "XDATE") == 0)
		pop3_answer_command(e, true, "1997-08-29");
	else if (strcmp(e->verb, "XBARE") == 0)
		pop3_answer_command(e, strcmp(e->arguments, "yes") == 0, NULL);
	else if (strcmp(e->verb, "XLIST") == 0)
		pop3_answer_multiline(e, "some lines", lines, sizeof lines - 1);
	else if (strcmp(e->verb, "XNONE") == 0)
		pop3_answer_multiline(e, NULL, NULL, 0);
	else if (strcmp(e->verb, "XFAIL") == 0)
		pop3_fail(&e->event, POP3_TEMPORARY, NULL);
	else
		CU_ASSERT_STRING_EQUAL(e->verb, "NOOP");
}

static void add_own_capability(struct pop3_capabilities *e, void *data)
{
	(void)data;
	if (e->state == POP3_TRANSACTION)
		pop3_capability_add(e, "XDATE");
}

static void own_verbs(struct peer *p)
{
	p->handlers.command = answer_own_verbs;
	p->handlers.verbs = "XDATE  XLIST XNONE XBARE XFAIL NOOP";
	p->handlers.capabilities = add_own_capability;
}

static void a_custom_command_has_its_line_in_capa(void)
{
	static const struct turn turns[] = {
		{"CAPA",
		 "+OK\nTOP\nUIDL\nUSER\nLANG\nUTF8\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\n"
		 "EXPIRE NEVER\nIMPLEMENTATION pop3-emitter\n."},
		{"xdate", "+OK 1997-08-29"},
		TURN_LOGIN,
		{"CAPA",
		 "+OK\nTOP\nUIDL\nUSER\nLANG\nUTF8\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\n"
		 "EXPIRE NEVER\nIMPLEMENTATION pop3-emitter\nXDATE\n."},
		{"XDATE now", "+OK 1997-08-29"},
		{"XBARE yes", "+OK"},
		{"XBARE", "-ERR"},
		{"XLIST", "+OK some lines\n..first\nsecond\n."},
		{"XNONE", "+OK\n."},
		{"XFAIL", "-ERR [SYS/TEMP] try again later"},
		{"NOOP", "+OK"},
		{"XOTHER", "-ERR unknown command"},
		{"XDAT", "-ERR unknown command"},
		TURN_END,
	};
	peer_dialog(own_verbs, turns, "authenticate PASS alice secret\nopen alice", "");
}

static void lines_of_a_custom_command_are_no_octets_of_messages(void)
{
	struct peer p;
	peer_init(&p);
	own_verbs(&p);
	peer_connect(&p);
	text_clear(&p.received);
	peer_enter(&p);
	peer_send(&p, "XLIST\nQUIT");
	CU_ASSERT(peer_got(&p, "+OK some lines\n..first\nsecond\n.\n+OK bye"));
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, "quit\nclosed alice quit messages 0 octets 0 deleted 0"));
	peer_fini(&p);
}

static struct pop3_command *later;

static void answer_later(struct pop3_command *e, void *data)
{
	(void)data;
	later = pop3_defer(&e->event);
}

static void a_custom_command_may_be_answered_later(void)
{
	struct peer p;
	peer_init(&p);
	p.handlers.command = answer_later;
	p.handlers.verbs = "XSLOW";
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "XSLOW a b\nCAPA x");
	CU_ASSERT_PTR_NULL(later->session);
	CU_ASSERT_STRING_EQUAL(later->verb, "XSLOW");
	CU_ASSERT_STRING_EQUAL(later->arguments, "a b");
	CU_ASSERT_EQUAL(pop3_answer_multiline(later, "at last", "x", 1), 0);
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "+OK at last\nx\n.\n-ERR wrong arguments"));
	/* A multi-line answer that nobody waits for is released. */
	peer_send(&p, "XSLOW");
	peer_wait(&p, 60000);
	CU_ASSERT_EQUAL(pop3_answer_multiline(later, "too late", "x", 1), 0);
	peer_run(&p);
	CU_ASSERT(peer_failed(&p, "a deferred event was not answered in time"));
	text_clear(&p.received);
	peer_fini(&p);
}

static void long_texts_of_a_listener_are_cut(void)
{
	static char text[301];
	struct peer p;
	memset(text, 'x', 300);
	peer_init(&p);
	p.results[EVENT_AUTHENTICATE] = POP3_PERMANENT;
	p.texts[EVENT_AUTHENTICATE] = text;
	peer_connect(&p);
	peer_send(&p, "USER alice");
	text_clear(&p.received);
	peer_send(&p, "PASS secret");
	CU_ASSERT_EQUAL(p.received.length, strlen("-ERR [SYS/PERM] \r\n") + 200);
	text_clear(&p.received);
	peer_fini(&p);
}

static const struct test tests[] = {
	TEST(there_are_five_greetings),
	TEST(an_apop_value_that_is_none_is_an_error_event),
	TEST(a_connected_listener_sets_the_challenge),
	TEST(one_listener_serves_pass_and_apop),
	TEST(an_apop_login_may_be_answered_later),
	TEST(no_authenticate_listener_is_an_error_event_and_err),
	TEST(a_connected_listener_refuses_a_peer),
	TEST(a_dele_handler_deletes_at_once),
	TEST(a_custom_command_has_its_line_in_capa),
	TEST(lines_of_a_custom_command_are_no_octets_of_messages),
	TEST(a_custom_command_may_be_answered_later),
	TEST(long_texts_of_a_listener_are_cut),
	TEST_END,
};

const struct test_suite suite_examples = {"examples", tests};
