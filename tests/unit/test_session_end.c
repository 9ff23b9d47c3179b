/* How sessions end: deadlines by a clock that the test moves, half-close, drain, refusal. */
#include <string.h>

#include "unit/peer.h"

static uint64_t deadline(struct peer *p)
{
	return pop3_session_wants(p->session).deadline;
}

/* Nothing is sent when time is up, nothing deleted. */
static void expect_timeout(struct peer *p, const char *heard)
{
	CU_ASSERT(peer_got(p, ""));
	CU_ASSERT(pop3_session_wants(p->session).close);
	CU_ASSERT(pop3_session_wants(p->session).finished);
	CU_ASSERT_EQUAL(deadline(p), POP3_NO_DEADLINE);
	CU_ASSERT_PTR_NOT_NULL(strstr(p->log.octets, "reason=timeout"));
	CU_ASSERT(peer_heard(p, heard));
	peer_fini(p);
}

/* ---- Deadlines ---- */

static void a_login_may_take_60_seconds_in_total(void)
{
	struct peer p;
	peer_init(&p);
	peer_connect(&p);
	text_clear(&p.received);
	CU_ASSERT_EQUAL(deadline(&p), 61000);
	for (int i = 0; i < 5; i++) {
		peer_wait(&p, 10000);
		peer_send(&p, "USER alice");
		CU_ASSERT(peer_got(&p, "+OK send PASS"));
		CU_ASSERT_EQUAL(deadline(&p), 61000);
	}
	peer_wait(&p, 9999);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).close);
	peer_wait(&p, 1);
	expect_timeout(&p, "");
}

static void an_idle_session_ends_after_ten_minutes(void)
{
	struct peer p;
	peer_login(&p);
	CU_ASSERT_EQUAL(deadline(&p), 601000);
	peer_wait(&p, 400000);
	peer_send(&p, "DELE 1");
	CU_ASSERT(peer_got(&p, "+OK message deleted"));
	CU_ASSERT_EQUAL(deadline(&p), 1001000);
	/* Octets that are no command do not count. */
	peer_wait(&p, 599999);
	peer_send_octets(&p, "NOO", 3);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).close);
	peer_wait(&p, 1);
	expect_timeout(&p, "list 1\nclosed alice timeout messages 0 octets 0 deleted 0");
}

static void a_session_that_waits_or_sends_is_not_idle(void)
{
	struct peer p;
	peer_login(&p);
	p.now += 300000;
	p.deaf = true;
	peer_send(&p, "NOOP");
	CU_ASSERT_EQUAL(deadline(&p), p.now + 60000);
	p.now += 50000;
	p.deaf = false;
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "+OK"));
	CU_ASSERT_EQUAL(deadline(&p), p.now + 600000);
	p.hold[EVENT_LIST] = true;
	peer_send(&p, "STAT");
	CU_ASSERT_EQUAL(deadline(&p), p.now + 60000);
	p.now += 20000;
	peer_answer(&p, EVENT_LIST);
	CU_ASSERT(peer_got(&p, "+OK 3 77"));
	CU_ASSERT_EQUAL(deadline(&p), p.now + 600000);
	peer_fini(&p);
}

static void a_client_that_takes_nothing_for_a_minute_is_cut_off(void)
{
	struct peer p;
	peer_login(&p);
	p.now += 5000;
	p.deaf = true;
	peer_send(&p, "RETR 1");
	CU_ASSERT_EQUAL(deadline(&p), p.now + 60000);
	/* One octet is progress; another command is none. */
	peer_wait(&p, 59000);
	char octet;
	CU_ASSERT_EQUAL(pop3_session_pull(p.session, &octet, 1, p.now), 1);
	CU_ASSERT_EQUAL(deadline(&p), p.now + 60000);
	peer_wait(&p, 30000);
	peer_send(&p, "NOOP");
	CU_ASSERT_EQUAL(deadline(&p), p.now + 30000);
	peer_wait(&p, 29999);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).close);
	peer_wait(&p, 1);
	expect_timeout(&p,
		       "list 1\nretrieve 1\nclosed alice timeout messages 1 octets 28 deleted 0");
}

static void timeouts_can_be_set(void)
{
	struct peer p;
	peer_init(&p);
	p.options.timeouts =
		(struct pop3_timeouts){.login = 1000, .idle = 2000, .write = 3000, .answer = 4000};
	peer_connect(&p);
	text_clear(&p.received);
	CU_ASSERT_EQUAL(deadline(&p), 2000);
	peer_enter(&p);
	CU_ASSERT_EQUAL(deadline(&p), 3000);
	p.deaf = true;
	peer_send(&p, "NOOP");
	CU_ASSERT_EQUAL(deadline(&p), 4000);
	p.deaf = false;
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "+OK"));
	p.hold[EVENT_LIST] = true;
	peer_send(&p, "STAT");
	CU_ASSERT_EQUAL(deadline(&p), 5000);
	peer_answer(&p, EVENT_LIST);
	CU_ASSERT(peer_got(&p, "+OK 3 77"));
	peer_fini(&p);
}

/* ---- The client ends its stream ---- */

static void a_half_closed_client_gets_every_answer(void)
{
	for (enum event_kind kind = EVENT_LIST; kind <= EVENT_RETRIEVE; kind += 2) {
		struct peer p;
		peer_login(&p);
		p.deaf = true;
		p.hold[kind] = true;
		peer_send(&p, "NOOP");
		peer_send(&p, kind == EVENT_LIST ? "STAT" : "RETR 3");
		pop3_session_end(p.session, POP3_REASON_DROPPED, p.now);
		CU_ASSERT_FALSE(pop3_session_wants(p.session).read);
		CU_ASSERT_FALSE(pop3_session_wants(p.session).close);
		peer_answer(&p, kind);
		p.deaf = false;
		peer_run(&p);
		CU_ASSERT(peer_got(&p, kind == EVENT_LIST
					       ? "+OK\n+OK 3 77"
					       : "+OK\n+OK 18 octets\nSubject: three\n\n."));
		text_clear(&p.trace);
		CU_ASSERT(peer_is_closed(&p));
		CU_ASSERT(peer_heard(
			&p, kind == EVENT_LIST
				    ? "closed alice dropped messages 0 octets 0 deleted 0"
				    : "closed alice dropped messages 1 octets 18 deleted 0"));
		peer_fini(&p);
		test_count(1);
	}
}

static void a_connection_that_breaks_sends_nothing_more(void)
{
	struct peer p;
	size_t length;
	peer_login(&p);
	p.deaf = true;
	peer_send(&p, "RETR 1");
	pop3_session_end(p.session, POP3_REASON_LOST, p.now);
	pop3_session_output(p.session, &length);
	CU_ASSERT_EQUAL(length, 0);
	CU_ASSERT(pop3_session_wants(p.session).finished);
	pop3_session_end(p.session, POP3_REASON_ERROR, p.now);
	pop3_session_tick(p.session, p.now + 1000000);
	CU_ASSERT(peer_heard(
		&p, "list 1\nretrieve 1\nclosed alice lost messages 1 octets 28 deleted 0"));
	peer_fini(&p);
}

static void what_follows_quit_is_ignored(void)
{
	struct peer p;
	peer_login(&p);
	p.deaf = true;
	peer_send(&p, "QUIT\nDELE 1\nNOOP");
	CU_ASSERT_EQUAL(p.unread.length, 0);
	CU_ASSERT_EQUAL(pop3_session_feed(p.session, "NOOP\r\n", 6, p.now), 6);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).read);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).close);
	p.deaf = false;
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "+OK bye"));
	CU_ASSERT(peer_is_closed(&p));
	peer_fini(&p);
}

/* ---- The server stops ---- */

static void a_drained_session_between_commands_ends_at_once(void)
{
	struct peer p;
	peer_login(&p);
	session_drain(p.session, p.now);
	CU_ASSERT(peer_got(&p, ""));
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, "closed alice shutdown messages 0 octets 0 deleted 0"));
	peer_fini(&p);
}

static void a_drained_session_ends_after_the_reply_under_way(void)
{
	struct peer p;
	peer_login(&p);
	p.hold[EVENT_LIST] = true;
	peer_send(&p, "STAT\nDELE 1");
	session_drain(p.session, p.now);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).close);
	peer_answer(&p, EVENT_LIST);
	CU_ASSERT(peer_got(&p, "+OK 3 77"));
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, "list 0\nclosed alice shutdown messages 0 octets 0 deleted 0"));
	peer_fini(&p);
}

static void a_drained_message_is_sent_whole(void)
{
	static char octets[3 * BLOCK_SIZE];
	struct peer p;
	memset(octets, 'x', sizeof octets);
	peer_login(&p);
	p.messages[0] = (struct peer_message){octets, sizeof octets, sizeof octets + 2, "id"};
	p.deaf = true;
	peer_send(&p, "RETR 1\nNOOP");
	session_drain(p.session, p.now);
	p.deaf = false;
	peer_run(&p);
	CU_ASSERT_EQUAL(p.received.length,
			strlen("+OK 196610 octets\r\n") + sizeof octets + strlen("\r\n.\r\n"));
	text_clear(&p.received);
	text_clear(&p.trace);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, "closed alice shutdown messages 1 octets 196610 deleted 0"));
	peer_fini(&p);
}

static void a_quit_under_way_is_carried_out_by_a_drain(void)
{
	struct peer p;
	peer_login(&p);
	p.hold[EVENT_QUIT] = true;
	peer_send(&p, "DELE 1\nQUIT");
	session_drain(p.session, p.now);
	peer_answer(&p, EVENT_QUIT);
	CU_ASSERT(peer_got(&p, "+OK message deleted\n+OK bye"));
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(
		peer_heard(&p, "list 1\nquit 1\nclosed alice quit messages 0 octets 0 deleted 1"));
	peer_fini(&p);
}

static void a_login_under_way_is_answered_by_a_drain(void)
{
	struct peer p;
	peer_init(&p);
	p.hold[EVENT_AUTHENTICATE] = true;
	p.hold[EVENT_OPEN] = true;
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "USER alice\nPASS secret");
	session_drain(p.session, p.now);
	peer_answer(&p, EVENT_AUTHENTICATE);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).close);
	peer_answer(&p, EVENT_OPEN);
	CU_ASSERT(peer_got(&p, "+OK send PASS\n+OK maildrop ready"));
	text_clear(&p.trace);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, "closed alice shutdown messages 0 octets 0 deleted 0"));
	peer_fini(&p);
}

/* ---- Refused ---- */

static void check_refused(const char *text, const char *got, bool later)
{
	struct peer p;
	peer_init(&p);
	p.results[EVENT_CONNECTED] = POP3_DENIED;
	p.texts[EVENT_CONNECTED] = text;
	p.hold[EVENT_CONNECTED] = later;
	peer_connect(&p);
	peer_send(&p, "CAPA");
	if (later) {
		CU_ASSERT_FALSE(pop3_session_wants(p.session).close);
		peer_answer(&p, EVENT_CONNECTED);
	}
	CU_ASSERT(peer_got(&p, got));
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT_PTR_NOT_NULL(strstr(p.log.octets, "reason=refused"));
	CU_ASSERT(peer_heard(&p, ""));
	peer_fini(&p);
	test_count(1);
}

static void a_connection_may_be_refused_with_and_without_a_text(void)
{
	check_refused(NULL, "", false);
	check_refused("go away", "-ERR go away", false);
	check_refused(NULL, "", true);
	check_refused("go\taway", "-ERR go?away", true);
}

static void a_refused_connection_is_one_line_in_the_log(void)
{
	struct peer p;
	peer_init(&p);
	peer_serve(&p);
	session_log_refused(&p.context, &p.info, "too many");
	CU_ASSERT_STRING_EQUAL(p.log.octets, "level=warning event=refused peer=192.0.2.1:4711 "
					     "local=192.0.2.2:110 why=\"too many\"\n");
	peer_fini(&p);
}

static void the_end_of_a_session_is_one_line_in_the_log(void)
{
	struct peer p;
	peer_login(&p);
	p.now += 1500;
	peer_send(&p, "RETR 1\nTOP 2 0\nDELE 1\nQUIT");
	text_clear(&p.received);
	CU_ASSERT(peer_is_closed(&p));
	const char *closed = strstr(p.log.octets, " level=info event=closed");
	CU_ASSERT_PTR_NOT_NULL_FATAL(closed);
	CU_ASSERT_STRING_EQUAL(closed, " level=info event=closed user=\"alice\" "
				       "peer=192.0.2.1:4711 messages=1 octets=44 deleted=1 "
				       "reason=quit milliseconds=1500\n");
	peer_fini(&p);
}

static const struct test tests[] = {
	TEST(a_login_may_take_60_seconds_in_total),
	TEST(an_idle_session_ends_after_ten_minutes),
	TEST(a_session_that_waits_or_sends_is_not_idle),
	TEST(a_client_that_takes_nothing_for_a_minute_is_cut_off),
	TEST(timeouts_can_be_set),
	TEST(a_half_closed_client_gets_every_answer),
	TEST(a_connection_that_breaks_sends_nothing_more),
	TEST(what_follows_quit_is_ignored),
	TEST(a_drained_session_between_commands_ends_at_once),
	TEST(a_drained_session_ends_after_the_reply_under_way),
	TEST(a_drained_message_is_sent_whole),
	TEST(a_quit_under_way_is_carried_out_by_a_drain),
	TEST(a_login_under_way_is_answered_by_a_drain),
	TEST(a_connection_may_be_refused_with_and_without_a_text),
	TEST(a_refused_connection_is_one_line_in_the_log),
	TEST(the_end_of_a_session_is_one_line_in_the_log),
	TEST_END,
};

const struct test_suite suite_session_end = {"session_end", tests};
