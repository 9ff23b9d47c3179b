/*
 * Commands and their replies in both states. Each dialog runs whole, byte by byte and pipelined,
 * each time with the same output.
 */
#include <stdio.h>
#include <string.h>

#include "unit/peer.h"

/* ---- AUTHORIZATION ---- */

static void user_and_pass_open_the_maildrop(void)
{
	static const struct turn turns[] = {
		{"USER alice", "+OK send PASS"},
		{"PASS secret", "+OK maildrop ready"},
		{"QUIT", "+OK bye"},
		TURN_END,
	};
	peer_dialog(NULL, turns, "authenticate PASS alice secret\nopen alice\nquit", "");
}

static void a_wrong_password_is_refused_and_the_user_forgotten(void)
{
	static const struct turn turns[] = {
		{"USER alice", "+OK send PASS"},
		{"PASS wrong", "-ERR [AUTH] authentication failed"},
		{"PASS secret", "-ERR send USER first"},
		{"USER alice", "+OK send PASS"},
		{"PASS secret ", "-ERR [AUTH] authentication failed"},
		TURN_LOGIN,
		TURN_END,
	};
	peer_dialog(NULL, turns,
		    "authenticate PASS alice wrong\nauthenticate PASS alice secret \n"
		    "authenticate PASS alice secret\nopen alice",
		    "");
}

static void pass_counts_only_right_after_user(void)
{
	static const struct turn turns[] = {
		{"PASS secret", "-ERR send USER first"},
		{"USER alice", "+OK send PASS"},
		{"NOOP", "-ERR command not valid in this state"},
		{"PASS secret", "-ERR send USER first"},
		{"USER alice", "+OK send PASS"},
		{"USER", "-ERR wrong arguments"},
		{"PASS secret", "-ERR send USER first"},
		{"USER bob", "+OK send PASS"},
		TURN_LOGIN,
		TURN_END,
	};
	peer_dialog(NULL, turns, "authenticate PASS alice secret\nopen alice", "");
}

static void a_bad_line_between_user_and_pass_forgets_the_user(void)
{
	static const struct turn turns[] = {
		{"USER alice", "+OK send PASS"},
		{"NO\x01OP", "-ERR line has control characters"},
		{"PASS secret", "-ERR send USER first"},
		TURN_END,
	};
	peer_dialog(NULL, turns, "", "");
}

static void keywords_are_case_insensitive_and_arguments_are_not(void)
{
	static const struct turn turns[] = {
		{"uSeR Alice", "+OK send PASS"},
		{"pass secret", "+OK maildrop ready"},
		{"stat", "+OK 3 77"},
		{"retr 3", "+OK 18 octets\nSubject: three\n\n."},
		TURN_END,
	};
	peer_dialog(NULL, turns, "authenticate PASS Alice secret\nopen Alice\nlist 0\nretrieve 3",
		    "");
}

static void commands_of_the_other_state_are_refused(void)
{
	static const char refused[] = "-ERR command not valid in this state";
	static const struct turn turns[] = {
		{"STAT", refused},
		{"LIST", refused},
		{"LIST 1", refused},
		{"RETR 1", refused},
		{"DELE 1", refused},
		{"NOOP", refused},
		{"RSET", refused},
		{"TOP 1 1", refused},
		{"UIDL", refused},
		{"APOP a b", "-ERR unknown command"},
		{"AUTH PLAIN", "-ERR unknown command"},
		{"", "-ERR unknown command"},
		{" NOOP", "-ERR unknown command"},
		TURN_LOGIN,
		{"USER alice", refused},
		{"PASS secret", refused},
		{"APOP a b", "-ERR unknown command"},
		{"HELO", "-ERR unknown command"},
		TURN_END,
	};
	peer_dialog(NULL, turns, "authenticate PASS alice secret\nopen alice", "");
}

static void wrong_arguments_are_refused(void)
{
	static const char wrong[] = "-ERR wrong arguments",
			  invalid[] = "-ERR invalid message number";
	static const struct turn turns[] = {
		{"USER", wrong},
		{"USER a b", wrong},
		{"USER ", wrong},
		{"PASS", wrong},
		{"PASS ", wrong},
		{"CAPA 1", wrong},
		{"QUIT now", wrong},
		TURN_LOGIN,
		{"STAT 1", wrong},
		{"NOOP 1", wrong},
		{"NOOP ", wrong},
		{"RSET 1", wrong},
		{"RETR", wrong},
		{"DELE", wrong},
		{"TOP", wrong},
		{"TOP 1", wrong},
		{"TOP 1 ", wrong},
		{"TOP 1 -1", wrong},
		{"TOP 1 1 1", wrong},
		{"TOP 1 x", wrong},
		{"LIST ", invalid},
		{"LIST x", invalid},
		{"LIST -1", invalid},
		{"LIST +1", invalid},
		{"LIST 1 ", invalid},
		{"LIST  1", invalid},
		{"LIST 1x", invalid},
		{"RETR 1 2", invalid},
		{"UIDL 0x1", invalid},
		{"RETR 4294967296", invalid},
		{"DELE 1.0", invalid},
		{"TOP x 1", invalid},
		{"TOP 1 18446744073709551615", wrong},
		TURN_END,
	};
	peer_dialog(NULL, turns, "authenticate PASS alice secret\nopen alice", "");
}

static void message_numbers_that_do_not_exist_are_refused(void)
{
	static const char none[] = "-ERR no such message";
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"LIST 0", none},
		{"LIST 4", none},
		{"RETR 4294967295", none},
		{"DELE 4", none},
		{"TOP 4 1", none},
		{"UIDL 4", none},
		{"UIDL 0", none},
		{"STAT", "+OK 3 77"},
		{"LIST 4", none},
		{"RETR 5", none},
		{"UIDL 4", none},
		{"LIST 003", "+OK 3 18"},
		TURN_END,
	};
	peer_dialog(NULL, turns,
		    "authenticate PASS alice secret\nopen alice\nlist 4\nlist 4294967295\nlist 4\n"
		    "list 4\nuidl 4\nlist 0",
		    "");
}

static void quit_before_the_login_is_not_an_event(void)
{
	static const struct turn turns[] = {
		{"USER alice", "+OK send PASS"},
		{"QUIT", "+OK bye"},
		{"PASS secret\nNOOP", ""},
		TURN_END,
	};
	peer_dialog(NULL, turns, "", "");
}

static void failures_of_the_login_have_their_codes(void)
{
	static const struct {
		enum event_kind kind;
		enum pop3_result result;
		const char *text, *reply;
	} cases[] = {
		{EVENT_AUTHENTICATE, POP3_DENIED, NULL, "-ERR [AUTH] authentication failed"},
		{EVENT_AUTHENTICATE, POP3_DENIED, "go away", "-ERR [AUTH] go away"},
		{EVENT_AUTHENTICATE, POP3_LOGIN_DELAY, NULL,
		 "-ERR [LOGIN-DELAY] too soon after the last login"},
		{EVENT_AUTHENTICATE, POP3_TEMPORARY, NULL, "-ERR [SYS/TEMP] try again later"},
		{EVENT_AUTHENTICATE, POP3_PERMANENT, "line\r\nend", "-ERR [SYS/PERM] line??end"},
		{EVENT_OPEN, POP3_IN_USE, NULL,
		 "-ERR [IN-USE] maildrop is locked by another session"},
		{EVENT_OPEN, POP3_TEMPORARY, "disk", "-ERR [SYS/TEMP] disk"},
		{EVENT_OPEN, POP3_PERMANENT, NULL, "-ERR [SYS/PERM] maildrop is not available"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer p;
		peer_init(&p);
		p.results[cases[i].kind] = cases[i].result;
		p.texts[cases[i].kind] = cases[i].text;
		peer_connect(&p);
		text_clear(&p.received);
		peer_send(&p, "USER alice\nPASS secret");
		char expected[256];
		snprintf(expected, sizeof expected, "+OK send PASS\n%s", cases[i].reply);
		CU_ASSERT(peer_got(&p, expected));
		/* The session goes on, and nothing was opened. */
		peer_send(&p, "STAT\nQUIT");
		CU_ASSERT(peer_got(&p, "-ERR command not valid in this state\n+OK bye"));
		CU_ASSERT(peer_is_closed(&p));
		CU_ASSERT_PTR_NULL(strstr(p.trace.octets, "closed"));
		peer_fini(&p);
		test_count(1);
	}
}

/* [AUTH], [IN-USE] and [LOGIN-DELAY] are for the login alone (RFC 2449 section 8, RFC 3206). */
static void failures_after_the_login_have_no_code_of_the_login(void)
{
	static const enum pop3_result results[] = {POP3_DENIED, POP3_IN_USE, POP3_LOGIN_DELAY};
	for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
		struct peer p;
		peer_login(&p);
		p.results[EVENT_UIDL] = results[i];
		p.results[EVENT_RETRIEVE] = results[i];
		p.texts[EVENT_RETRIEVE] = "not today";
		peer_send(&p, "UIDL\nRETR 1\nNOOP");
		CU_ASSERT(peer_got(&p, "-ERR [SYS/TEMP] try again later\n"
				       "-ERR [SYS/TEMP] not today\n+OK"));
		peer_fini(&p);
		test_count(1);
	}
}

static void the_listener_names_the_canonical_user(void)
{
	struct peer p;
	peer_init(&p);
	p.texts[EVENT_AUTHENTICATE] = "alice@example.org";
	peer_connect(&p);
	text_clear(&p.received);
	peer_enter(&p);
	peer_send(&p, "QUIT");
	CU_ASSERT(peer_got(&p, "+OK bye"));
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p,
			     "quit\nclosed alice@example.org quit messages 0 octets 0 deleted 0"));
	peer_fini(&p);
}

static void a_canonical_user_that_is_none_fails_the_login(void)
{
	static char long_name[POP3_USER_MAX + 2];
	const char *const names[] = {"", long_name};
	memset(long_name, 'x', POP3_USER_MAX + 1);
	for (size_t i = 0; i < 2; i++) {
		struct peer p;
		peer_init(&p);
		p.texts[EVENT_AUTHENTICATE] = names[i];
		peer_connect(&p);
		text_clear(&p.received);
		peer_send(&p, "USER alice\nPASS secret");
		CU_ASSERT(peer_got(&p, "+OK send PASS\n-ERR [SYS/PERM] maildrop is not available"));
		CU_ASSERT(peer_heard(&p, "authenticate PASS alice secret"));
		peer_fini(&p);
	}
}

/* ---- TRANSACTION ---- */

static void every_command_answers_as_it_should(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"STAT", "+OK 3 77"},
		{"LIST", "+OK 3 messages (77 octets)\n1 28\n2 31\n3 18\n."},
		{"LIST 2", "+OK 2 31"},
		{"UIDL", "+OK\n1 id-one\n2 id-two\n3 id-three\n."},
		{"UIDL 3", "+OK 3 id-three"},
		{"RETR 1", "+OK 28 octets\nSubject: one\n\nfirst body\n."},
		{"RETR 2", "+OK 31 octets\nSubject: two\n\n..dot\n...\nend\n."},
		{"TOP 1 0", "+OK\nSubject: one\n\n."},
		{"TOP 2 2", "+OK\nSubject: two\n\n..dot\n...\n."},
		{"TOP 2 99", "+OK\nSubject: two\n\n..dot\n...\nend\n."},
		{"NOOP", "+OK"},
		{"DELE 1", "+OK message deleted"},
		{"RSET", "+OK"},
		{"STAT", "+OK 3 77"},
		{"QUIT", "+OK bye"},
		TURN_END,
	};
	peer_dialog(NULL, turns,
		    "authenticate PASS alice secret\nopen alice\nlist 0\nuidl 0\nretrieve 1\n"
		    "retrieve 2\nretrieve 1 top 0\nretrieve 2 top 2\nretrieve 2 top 99\nquit",
		    "");
}

static void capabilities_are_the_same_in_both_states(void)
{
	static const char all[] =
		"+OK\nTOP\nUIDL\nUSER\nLANG\nUTF8\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\n"
		"EXPIRE NEVER\nIMPLEMENTATION pop3-emitter\n.";
	static const struct turn turns[] = {{"CAPA", all}, TURN_LOGIN, {"CAPA", all}, TURN_END};
	peer_dialog(NULL, turns, NULL, "");
}

static void a_deleted_message_is_gone_from_every_reply(void)
{
	static const char deleted[] = "-ERR message is deleted";
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"DELE 2", "+OK message deleted"},
		{"STAT", "+OK 2 46"},
		{"LIST", "+OK 2 messages (46 octets)\n1 28\n3 18\n."},
		{"UIDL", "+OK\n1 id-one\n3 id-three\n."},
		{"LIST 2", deleted},
		{"UIDL 2", deleted},
		{"RETR 2", deleted},
		{"TOP 2 0", deleted},
		{"DELE 2", deleted},
		{"LIST 3", "+OK 3 18"},
		{"DELE 3", "+OK message deleted"},
		{"DELE 1", "+OK message deleted"},
		{"STAT", "+OK 0 0"},
		{"LIST", "+OK 0 messages (0 octets)\n."},
		{"UIDL", "+OK\n."},
		{"RSET", "+OK"},
		{"STAT", "+OK 3 77"},
		{"LIST 2", "+OK 2 31"},
		{"DELE 3\nDELE 1", "+OK message deleted\n+OK message deleted"},
		{"QUIT", "+OK bye"},
		TURN_END,
	};
	peer_dialog(NULL, turns,
		    "authenticate PASS alice secret\nopen alice\nlist 2\nlist 0\nuidl 0\nquit 1 3",
		    "");
}

static void the_whole_list_is_asked_for_once(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"LIST 3", "+OK 3 18"},
		{"LIST 3", "+OK 3 18"},
		{"LIST 1", "+OK 1 28"},
		{"DELE 2", "+OK message deleted"},
		{"UIDL 1", "+OK 1 id-one"},
		{"STAT", "+OK 2 46"},
		{"LIST", "+OK 2 messages (46 octets)\n1 28\n3 18\n."},
		{"UIDL", "+OK\n1 id-one\n3 id-three\n."},
		{"UIDL 3", "+OK 3 id-three"},
		{"UIDL", "+OK\n1 id-one\n3 id-three\n."},
		{"LIST 1", "+OK 1 28"},
		TURN_END,
	};
	peer_dialog(NULL, turns,
		    "authenticate PASS alice secret\nopen alice\nlist 3\nlist 1\nlist 2\nuidl 1\n"
		    "list 0\nuidl 0",
		    "");
}

static void without_uidl(struct peer *p)
{
	p->handlers.uidl = NULL;
}

static void uidl_without_a_listener_is_unknown(void)
{
	static const struct turn turns[] = {
		{"CAPA", "+OK\nTOP\nUSER\nLANG\nUTF8\nRESP-CODES\nAUTH-RESP-"
			 "CODE\nPIPELINING\nEXPIRE NEVER\n"
			 "IMPLEMENTATION pop3-emitter\n."},
		TURN_LOGIN,
		{"UIDL", "-ERR unknown command"},
		{"UIDL 1", "-ERR unknown command"},
		TURN_END,
	};
	peer_dialog(without_uidl, turns, NULL, "");
}

static void without_list(struct peer *p)
{
	p->handlers.list = NULL;
	p->count = 0;
}

static void a_maildrop_without_a_list_is_empty(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"LIST 1", "-ERR no such message"},
		{"STAT", "+OK 0 0"},
		{"LIST", "+OK 0 messages (0 octets)\n."},
		{"UIDL", "+OK\n."},
		{"RETR 1", "-ERR no such message"},
		TURN_END,
	};
	peer_dialog(without_list, turns, NULL, "");
}

static void without_retrieve(struct peer *p)
{
	p->handlers.retrieve = NULL;
}

static void a_message_that_nobody_gives_is_an_error(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"RETR 1", "-ERR message is not available"},
		{"TOP 1 1", "-ERR message is not available"},
		{"NOOP", "+OK"},
		TURN_END,
	};
	peer_dialog(without_retrieve, turns, NULL, "");
}

static void fail_all(struct peer *p)
{
	p->results[EVENT_LIST] = POP3_TEMPORARY;
	p->results[EVENT_UIDL] = POP3_PERMANENT;
	p->texts[EVENT_UIDL] = "no ids";
}

static void failures_of_the_lists_are_told(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"STAT", "-ERR [SYS/TEMP] try again later"},
		{"LIST", "-ERR [SYS/TEMP] try again later"},
		{"LIST 1", "-ERR [SYS/TEMP] try again later"},
		{"DELE 1", "-ERR [SYS/TEMP] try again later"},
		{"UIDL", "-ERR [SYS/PERM] no ids"},
		{"UIDL 1", "-ERR [SYS/PERM] no ids"},
		{"QUIT", "+OK bye"},
		TURN_END,
	};
	peer_dialog(fail_all, turns, NULL, "");
}

static void fail_retrieve(struct peer *p)
{
	p->results[EVENT_RETRIEVE] = POP3_PERMANENT;
	p->texts[EVENT_RETRIEVE] = "unreadable";
}

static void failures_of_a_message_are_told(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN,
		{"RETR 1", "-ERR [SYS/PERM] unreadable"},
		{"TOP 1 0", "-ERR [SYS/PERM] unreadable"},
		{"NOOP", "+OK"},
		TURN_END,
	};
	peer_dialog(fail_retrieve, turns, NULL, "");
}

static void no_retrieve_such_message(struct peer *p)
{
	p->results[EVENT_RETRIEVE] = POP3_NO_SUCH_MESSAGE;
}

static void a_message_that_vanished_does_not_exist(void)
{
	static const struct turn turns[] = {
		TURN_LOGIN, {"RETR 1", "-ERR no such message"}, {"LIST 1", "+OK 1 28"}, TURN_END};
	peer_dialog(no_retrieve_such_message, turns, NULL, "");
}

/* ---- QUIT ---- */

static void some_remain(struct peer *p)
{
	p->remaining = 1;
}

static void quit_fails(struct peer *p)
{
	p->results[EVENT_QUIT] = POP3_TEMPORARY;
}

static void without_quit(struct peer *p)
{
	p->handlers.quit = NULL;
}

static void quit_tells_the_truth(void)
{
	static const char failed[] = "-ERR [SYS/TEMP] some deleted messages not removed";
	static const struct turn ok[] = {
		TURN_LOGIN,
		{"DELE 1\nDELE 3", "+OK message deleted\n+OK message deleted"},
		{"QUIT", "+OK bye"},
		TURN_END};
	static const struct turn bad[] = {
		TURN_LOGIN,
		{"DELE 1\nDELE 3", "+OK message deleted\n+OK message deleted"},
		{"QUIT", failed},
		TURN_END};
	peer_dialog(NULL, ok, NULL, "");
	peer_dialog(without_quit, ok, NULL, "");
	peer_dialog(some_remain, bad, NULL, "");
	peer_dialog(quit_fails, bad, NULL, "");
}

/* How many the session counts as deleted. */
static void check_deleted(void (*set_up)(struct peer *), const char *closed)
{
	struct peer p;
	peer_init(&p);
	if (set_up != NULL)
		set_up(&p);
	peer_connect(&p);
	text_clear(&p.received);
	peer_enter(&p);
	peer_send(&p, "DELE 1\nDELE 3\nQUIT");
	text_clear(&p.received);
	text_clear(&p.trace);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, closed));
	peer_fini(&p);
	test_count(1);
}

static void all_remain(struct peer *p)
{
	p->remaining = 99;
}

static void only_what_is_gone_counts_as_deleted(void)
{
	check_deleted(NULL, "closed alice quit messages 0 octets 0 deleted 2");
	check_deleted(without_quit, "closed alice quit messages 0 octets 0 deleted 2");
	check_deleted(some_remain, "closed alice quit messages 0 octets 0 deleted 1");
	check_deleted(all_remain, "closed alice quit messages 0 octets 0 deleted 0");
	check_deleted(quit_fails, "closed alice quit messages 0 octets 0 deleted 0");
}

static void dropped_connection_deletes_nothing(void)
{
	static const enum pop3_reason reasons[] = {POP3_REASON_DROPPED, POP3_REASON_LOST,
						   POP3_REASON_SHUTDOWN};
	static const char *const heard[] = {
		"list 1\nclosed alice dropped messages 0 octets 0 deleted 0",
		"list 1\nclosed alice lost messages 0 octets 0 deleted 0",
		"list 1\nclosed alice shutdown messages 0 octets 0 deleted 0"};
	for (size_t i = 0; i < 3; i++) {
		struct peer p;
		peer_login(&p);
		peer_send(&p, "DELE 1");
		CU_ASSERT(peer_got(&p, "+OK message deleted"));
		/* A QUIT without its end is none. */
		peer_send_octets(&p, "QUIT", 4);
		pop3_session_end(p.session, reasons[i], p.now);
		CU_ASSERT_FALSE(pop3_session_wants(p.session).read);
		CU_ASSERT(peer_is_closed(&p));
		CU_ASSERT(peer_heard(&p, heard[i]));
		peer_fini(&p);
	}
	test_count(3);
}

static const struct test tests[] = {
	TEST(user_and_pass_open_the_maildrop),
	TEST(a_wrong_password_is_refused_and_the_user_forgotten),
	TEST(pass_counts_only_right_after_user),
	TEST(a_bad_line_between_user_and_pass_forgets_the_user),
	TEST(keywords_are_case_insensitive_and_arguments_are_not),
	TEST(commands_of_the_other_state_are_refused),
	TEST(wrong_arguments_are_refused),
	TEST(message_numbers_that_do_not_exist_are_refused),
	TEST(quit_before_the_login_is_not_an_event),
	TEST(failures_of_the_login_have_their_codes),
	TEST(failures_after_the_login_have_no_code_of_the_login),
	TEST(the_listener_names_the_canonical_user),
	TEST(a_canonical_user_that_is_none_fails_the_login),
	TEST(every_command_answers_as_it_should),
	TEST(capabilities_are_the_same_in_both_states),
	TEST(a_deleted_message_is_gone_from_every_reply),
	TEST(the_whole_list_is_asked_for_once),
	TEST(uidl_without_a_listener_is_unknown),
	TEST(a_maildrop_without_a_list_is_empty),
	TEST(a_message_that_nobody_gives_is_an_error),
	TEST(failures_of_the_lists_are_told),
	TEST(failures_of_a_message_are_told),
	TEST(a_message_that_vanished_does_not_exist),
	TEST(quit_tells_the_truth),
	TEST(only_what_is_gone_counts_as_deleted),
	TEST(dropped_connection_deletes_nothing),
	TEST_END,
};

const struct test_suite suite_session = {"session", tests};
