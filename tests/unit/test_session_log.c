/* What must not be seen: octets of the client in replies, secrets in the log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/peer.h"

#define MARKER "zebra"

/* A client may send its marker in any wrong way: no reply has it. */
static void no_octet_of_the_client_is_echoed(void)
{
	static const char *const before[] = {
		MARKER,
		MARKER " " MARKER,
		" " MARKER,
		"USER " MARKER,
		"USER " MARKER " " MARKER,
		"PASS " MARKER,
		"USER alice\nPASS " MARKER,
		"APOP " MARKER " " MARKER,
		"CAPA " MARKER,
		"STAT " MARKER,
		"QUIT " MARKER,
		"\x01" MARKER,
	};
	static const char *const after[] = {
		MARKER,         "STAT " MARKER, "LIST " MARKER,  "UIDL " MARKER,     "RETR " MARKER,
		"DELE " MARKER, "TOP " MARKER,  "TOP 1 " MARKER, "TOP " MARKER " 1", "NOOP " MARKER,
		"RSET " MARKER, "USER " MARKER, "PASS " MARKER,  "\x7f" MARKER,
	};
	struct peer p;
	peer_init(&p);
	peer_connect(&p);
	for (size_t i = 0; i < sizeof before / sizeof *before; i++)
		peer_send(&p, before[i]);
	peer_send(&p, "USER alice\nPASS secret");
	for (size_t i = 0; i < sizeof after / sizeof *after; i++)
		peer_send(&p, after[i]);
	char line[600] = "";
	while (strlen(line) < 500)
		strcat(line, MARKER);
	peer_send(&p, line);
	CU_ASSERT_PTR_NOT_NULL(strstr(p.received.octets, "+OK maildrop ready"));
	CU_ASSERT_PTR_NOT_NULL(strstr(p.received.octets, "-ERR line too long"));
	CU_ASSERT_PTR_NULL(strstr(p.received.octets, MARKER));
	text_clear(&p.received);
	peer_fini(&p);
	test_count(27);
}

static void debug_with_apop(struct peer *p)
{
	peer_init(p);
	p->options.debug = true;
	p->options.apop = POP3_APOP_FIXED;
	p->options.apop_value = "<1@x>";
	peer_connect(p);
}

static void debug_hides_the_arguments_of_pass_apop_and_auth(void)
{
	static const char *const lines[] = {
		"PASS " MARKER,
		"pass " MARKER,
		"pAsS  " MARKER " " MARKER,
		"APOP alice " MARKER,
		"apop " MARKER,
		"AUTH PLAIN " MARKER,
		"auth " MARKER,
		" PASS " MARKER,
		"PASS\t" MARKER,
		"USER alice\nPASS " MARKER,
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct peer p;
		debug_with_apop(&p);
		peer_send(&p, lines[i]);
		CU_ASSERT_PTR_NULL(strstr(p.log.octets, MARKER));
		text_clear(&p.received);
		peer_fini(&p);
		test_count(1);
	}
}

static void debug_shows_all_else(void)
{
	struct peer p;
	debug_with_apop(&p);
	char session[64];
	peer_send(&p, "USER alice\nPASS secret\nretr 1");
	text_clear(&p.received);
	snprintf(session, sizeof session, "session=%llu level=debug event=",
		 (unsigned long long)strtoull(p.log.octets + strlen("session="), NULL, 10));
	static const char *const ends[] = {
		"sent line=\"+OK POP3 server ready <1@x>\"",
		"received verb=USER arguments=alice",
		"sent line=\"+OK send PASS\"",
		"received verb=PASS arguments=\"(hidden)\"",
		"sent line=\"+OK maildrop ready\"",
		"received verb=RETR arguments=1",
		"sent line=\"+OK 28 octets\"",
	};
	char expected[1024] = "";
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		strcat(expected, session);
		strcat(expected, ends[i]);
		strcat(expected, "\n");
	}
	CU_ASSERT_STRING_EQUAL(p.log.octets, expected);
	peer_fini(&p);
}

static void debug_tells_the_mechanism_that_auth_begins(void)
{
	struct peer p;
	debug_with_apop(&p);
	peer_send(&p, "auth plain " MARKER "\nAUTH " MARKER);
	text_clear(&p.received);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(p.log.octets, " level=debug event=exchange mechanism=PLAIN\n"));
	CU_ASSERT_PTR_NULL(strstr(p.log.octets, MARKER));
	peer_fini(&p);
}

static void without_debug_a_session_is_quiet_until_its_end(void)
{
	struct peer p;
	peer_login(&p);
	peer_send(&p, "RETR 1\nNOSUCH");
	text_clear(&p.received);
	CU_ASSERT_EQUAL(p.log.length, 0);
	peer_fini(&p);
}

static void a_failed_login_is_logged_without_the_password(void)
{
	struct peer p;
	peer_init(&p);
	peer_connect(&p);
	peer_send(&p, "USER eve\"\nPASS " MARKER);
	text_clear(&p.received);
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets,
				      " level=warning event=login user=\"eve\\\"\" "
				      "peer=192.0.2.1:4711 step=authenticate result=denied\n"));
	CU_ASSERT_PTR_NULL(strstr(p.log.octets, MARKER));
	peer_fini(&p);
}

static void an_error_that_nobody_hears_goes_to_the_log(void)
{
	struct peer p;
	peer_init(&p);
	p.handlers.error = NULL;
	p.handlers.authenticate = NULL;
	peer_connect(&p);
	peer_send(&p, "USER alice\nPASS secret");
	text_clear(&p.received);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(p.log.octets,
		       " level=error event=error text=\"no listener answers authenticate\"\n"));
	text_clear(&p.log);
	context_emit_error(&p.context, NULL, "of no session");
	CU_ASSERT_STRING_EQUAL(p.log.octets, "level=error event=error text=\"of no session\"\n");
	peer_fini(&p);
}

static const struct test tests[] = {
	TEST(no_octet_of_the_client_is_echoed),
	TEST(debug_hides_the_arguments_of_pass_apop_and_auth),
	TEST(debug_shows_all_else),
	TEST(debug_tells_the_mechanism_that_auth_begins),
	TEST(without_debug_a_session_is_quiet_until_its_end),
	TEST(a_failed_login_is_logged_without_the_password),
	TEST(an_error_that_nobody_hears_goes_to_the_log),
	TEST_END,
};

const struct test_suite suite_session_log = {"session_log", tests};
