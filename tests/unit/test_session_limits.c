/* How many mistakes one connection may make. */
#include <string.h>

#include "unit/peer.h"

#define DENIED "-ERR [AUTH] authentication failed"

/* A server with the limits that nobody chose. */
static void begin(struct peer *p)
{
	peer_init(p);
	p->options.limits = (struct pop3_limits){0};
	peer_connect(p);
	CU_ASSERT(peer_got(p, "+OK POP3 server ready"));
}

static void fail_to_log_in(struct peer *p)
{
	peer_send(p, "USER alice\nPASS wrong");
	CU_ASSERT(peer_got(p, "+OK send PASS\n" DENIED));
}

static void the_third_failed_login_is_the_last(void)
{
	struct peer p;
	begin(&p);
	p.results[EVENT_AUTHENTICATE] = POP3_DENIED;
	fail_to_log_in(&p);
	fail_to_log_in(&p);
	CU_ASSERT_FALSE(peer_is_closed(&p));
	fail_to_log_in(&p);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "reason=limit"));
	text_clear(&p.trace);
	peer_fini(&p);
}

static void what_follows_the_last_failed_login_is_not_taken_up(void)
{
	struct peer p;
	begin(&p);
	p.results[EVENT_AUTHENTICATE] = POP3_DENIED;
	fail_to_log_in(&p);
	fail_to_log_in(&p);
	p.hold[EVENT_AUTHENTICATE] = true;
	peer_send(&p, "USER alice\nPASS wrong\nUSER alice\nPASS secret\nCAPA");
	CU_ASSERT(peer_got(&p, "+OK send PASS"));
	peer_answer(&p, EVENT_AUTHENTICATE);
	CU_ASSERT(peer_got(&p, DENIED));
	CU_ASSERT(peer_is_closed(&p));
	text_clear(&p.trace);
	peer_fini(&p);
}

static void a_login_that_fails_for_another_reason_is_no_failed_one(void)
{
	static const enum pop3_result results[] = {POP3_IN_USE, POP3_LOGIN_DELAY, POP3_TEMPORARY,
						   POP3_PERMANENT};
	struct peer p;
	begin(&p);
	for (size_t i = 0; i < 8; i++) {
		p.results[EVENT_AUTHENTICATE] = results[i % 4];
		peer_send(&p, "USER alice\nPASS secret");
		text_clear(&p.received);
	}
	CU_ASSERT_FALSE(peer_is_closed(&p));
	p.results[EVENT_AUTHENTICATE] = POP3_OK;
	peer_enter(&p);
	peer_send(&p, "QUIT");
	text_clear(&p.received);
	text_clear(&p.trace);
	peer_fini(&p);
}

static void the_tenth_line_that_is_no_command_is_the_last(void)
{
	/* Unknown, of the other state, malformed, with a control octet; after the login, too. */
	static const char *const lines[] = {"XYZZY",   "STAT", "USER", "QUIT now",
					    "TOP 1 1", "",     "a\tb", "PASS"};
	struct peer p;
	begin(&p);
	for (size_t i = 0; i < 8; i++) {
		peer_send(&p, lines[i]);
		CU_ASSERT_NSTRING_EQUAL(p.received.octets, "-ERR ", 5);
		text_clear(&p.received);
	}
	peer_enter(&p);
	peer_send(&p, "RETR 99\nRETR 1x");
	CU_ASSERT(peer_got(&p, "-ERR no such message\n-ERR invalid message number"));
	CU_ASSERT_FALSE(peer_is_closed(&p));
	peer_send(&p, "DELE 1\nLAST\nQUIT");
	CU_ASSERT(peer_got(&p, "+OK message deleted\n-ERR unknown command"));
	CU_ASSERT(peer_is_closed(&p));
	/* Without a QUIT nothing is deleted. */
	CU_ASSERT_PTR_NULL(strstr(p.trace.octets, "quit"));
	text_clear(&p.trace);
	peer_fini(&p);
}

static const struct test tests[] = {
	TEST(the_third_failed_login_is_the_last),
	TEST(what_follows_the_last_failed_login_is_not_taken_up),
	TEST(a_login_that_fails_for_another_reason_is_no_failed_one),
	TEST(the_tenth_line_that_is_no_command_is_the_last),
	TEST_END,
};

const struct test_suite suite_session_limits = {"session_limits", tests};
