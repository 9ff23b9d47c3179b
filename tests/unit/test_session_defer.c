/*
 * Events answered later: the order of replies, late answers, and the rule that each `open` answered
 * ok has one `closed`, after every outstanding answer, whatever happens to client and server.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit/peer.h"

#define CLOSED(reason) "closed alice " reason " messages 0 octets 0 deleted 0"

/* Connected; the kinds given (by EVENT_KINDS ended) are held. */
static void hold(struct peer *p, enum event_kind first, enum event_kind second)
{
	peer_init(p);
	if (first != EVENT_KINDS)
		p->hold[first] = true;
	if (second != EVENT_KINDS)
		p->hold[second] = true;
	peer_connect(p);
	text_clear(&p->received);
}

/* Logged in, then `kind` is held. */
static void login_and_hold(struct peer *p, enum event_kind kind)
{
	peer_login(p);
	p->hold[kind] = true;
}

/* ---- Order ---- */

static void pipelined_commands_wait_for_a_deferred_answer(void)
{
	for (enum peer_mode mode = PEER_WHOLE; mode < PEER_MODES; mode++) {
		struct peer p;
		hold(&p, EVENT_AUTHENTICATE, EVENT_LIST);
		p.mode = mode;
		peer_send(&p, "USER alice\nPASS secret\nNOOP\nSTAT\nNOOP\nRETR 3\nQUIT");
		CU_ASSERT(peer_got(&p, "+OK send PASS"));
		CU_ASSERT_EQUAL(p.unread.length, 6 + 6 + 6 + 8 + 6);
		CU_ASSERT_FALSE(pop3_session_wants(p.session).read);
		peer_answer(&p, EVENT_AUTHENTICATE);
		CU_ASSERT(peer_got(&p, "+OK maildrop ready\n+OK"));
		CU_ASSERT_EQUAL(p.unread.length, 6 + 8 + 6);
		CU_ASSERT(peer_heard(&p, "authenticate PASS alice secret\nopen alice\nlist 0"));
		peer_answer(&p, EVENT_LIST);
		CU_ASSERT(
			peer_got(&p, "+OK 3 77\n+OK\n+OK 18 octets\nSubject: three\n\n.\n+OK bye"));
		CU_ASSERT_EQUAL(p.unread.length, 0);
		CU_ASSERT(peer_is_closed(&p));
		peer_fini(&p);
		test_count(1);
	}
}

static void every_request_may_be_answered_later(void)
{
	static const struct {
		enum event_kind kind;
		const char *send, *expect;
	} steps[] = {
		{EVENT_CONNECTED, NULL, "+OK POP3 server ready"},
		{EVENT_AUTHENTICATE, "PASS secret", ""},
		{EVENT_OPEN, NULL, "+OK maildrop ready"},
		{EVENT_UIDL, "UIDL 2", "+OK 2 id-two"},
		{EVENT_UIDL, "UIDL", "+OK\n1 id-one\n2 id-two\n3 id-three\n."},
		{EVENT_LIST, "LIST", "+OK 3 messages (77 octets)\n1 28\n2 31\n3 18\n."},
		{EVENT_RETRIEVE, "TOP 1 0", "+OK\nSubject: one\n\n."},
		{EVENT_QUIT, "QUIT", "+OK bye"},
	};
	struct peer p;
	peer_init(&p);
	for (enum event_kind kind = 0; kind < EVENT_KINDS; kind++)
		p.hold[kind] = true;
	peer_connect(&p);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (i == 1) {
			peer_send(&p, "USER alice");
			CU_ASSERT(peer_got(&p, "+OK send PASS"));
		}
		if (steps[i].send != NULL)
			peer_send(&p, steps[i].send);
		CU_ASSERT(peer_got(&p, ""));
		CU_ASSERT_FALSE(pop3_session_wants(p.session).read);
		size_t wakes = p.wakes;
		peer_answer(&p, steps[i].kind);
		CU_ASSERT_EQUAL(p.wakes, wakes + 1);
		CU_ASSERT(peer_got(&p, steps[i].expect));
	}
	CU_ASSERT(peer_is_closed(&p));
	peer_fini(&p);
	test_count(8);
}

static void a_dropped_event_is_a_temporary_failure(void)
{
	struct peer p;
	hold(&p, EVENT_AUTHENTICATE, EVENT_KINDS);
	peer_send(&p, "USER alice\nPASS secret\nNOOP");
	pop3_drop(peer_take(&p, EVENT_AUTHENTICATE));
	CU_ASSERT(peer_got(&p, "+OK send PASS"));
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "-ERR [SYS/TEMP] try again later\n"
			       "-ERR command not valid in this state"));
	peer_fini(&p);
}

static void a_connection_whose_event_is_dropped_is_closed(void)
{
	struct peer p;
	hold(&p, EVENT_CONNECTED, EVENT_KINDS);
	peer_send(&p, "NOOP");
	pop3_drop(peer_take(&p, EVENT_CONNECTED));
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "-ERR [SYS/TEMP] try again later"));
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, ""));
	peer_fini(&p);
}

/* ---- The deadline of an answer ---- */

static void an_answer_that_takes_over_a_minute_is_a_temporary_failure(void)
{
	struct peer p;
	login_and_hold(&p, EVENT_LIST);
	p.now += 5000;
	peer_send(&p, "STAT\nNOOP");
	CU_ASSERT_EQUAL(pop3_session_wants(p.session).deadline, p.now + 60000);
	peer_wait(&p, 59999);
	CU_ASSERT(peer_got(&p, ""));
	peer_wait(&p, 1);
	CU_ASSERT(peer_got(&p, "-ERR [SYS/TEMP] try again later\n+OK"));
	CU_ASSERT(peer_failed(&p, "a deferred event was not answered in time"));
	/* The late answer changes nothing; the next command asks again. */
	p.hold[EVENT_LIST] = false;
	peer_answer(&p, EVENT_LIST);
	CU_ASSERT(peer_got(&p, ""));
	peer_send(&p, "STAT");
	CU_ASSERT(peer_got(&p, "+OK 3 77"));
	CU_ASSERT(peer_heard(&p, "list 0\nlist 0"));
	peer_fini(&p);
}

static bool is_open(int descriptor)
{
	return fcntl(descriptor, F_GETFD) >= 0;
}

static size_t releases;

static void count_release(void *state)
{
	(void)state;
	releases++;
}

static ssize_t never_pulled(void *state, void *buffer, size_t size)
{
	(void)state;
	(void)buffer;
	(void)size;
	CU_FAIL("a source that nobody wants was pulled");
	return 0;
}

static void a_late_message_is_only_released(void)
{
	struct peer p;
	login_and_hold(&p, EVENT_RETRIEVE);
	for (int form = 0; form < 3; form++) {
		int descriptor = memfd_create("message", MFD_CLOEXEC);
		peer_send(&p, "RETR 1");
		struct pop3_retrieve *e = peer_take(&p, EVENT_RETRIEVE);
		peer_wait(&p, 60000);
		CU_ASSERT(peer_got(&p, "-ERR [SYS/TEMP] try again later"));
		CU_ASSERT(peer_failed(&p, "a deferred event was not answered in time"));
		releases = 0;
		if (form == 0) {
			CU_ASSERT_EQUAL(pop3_answer_descriptor(e, descriptor, 0, 0, 0), 0);
		} else {
			close(descriptor);
			descriptor = -1;
		}
		if (form == 1)
			CU_ASSERT_EQUAL(pop3_answer_pull(e, never_pulled, count_release, NULL, 9),
					0);
		if (form == 2)
			CU_ASSERT_EQUAL(pop3_answer_block(e, "x", 1, count_release, NULL), 0);
		peer_run(&p);
		CU_ASSERT_FALSE(is_open(descriptor));
		CU_ASSERT_EQUAL(releases, form > 0);
		CU_ASSERT(peer_got(&p, ""));
	}
	peer_fini(&p);
	test_count(3);
}

/* ---- `open` and `closed` ---- */

/* USER and PASS, `open` is held, and the login has time. */
static void open_later(struct peer *p)
{
	peer_init(p);
	p->options.timeouts.login = 300000;
	p->hold[EVENT_OPEN] = true;
	peer_connect(p);
	text_clear(&p->received);
	peer_send(p, "USER alice\nPASS secret");
	CU_ASSERT(peer_got(p, "+OK send PASS"));
	CU_ASSERT(peer_heard(p, "authenticate PASS alice secret\nopen alice"));
}

static void a_late_open_is_closed_once_with_its_user(void)
{
	struct peer p;
	open_later(&p);
	peer_wait(&p, 60000);
	CU_ASSERT(peer_got(&p, "-ERR [SYS/TEMP] try again later"));
	CU_ASSERT(peer_failed(&p, "a deferred event was not answered in time"));
	CU_ASSERT_TRUE(pop3_session_wants(p.session).close);
	CU_ASSERT_FALSE(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, ""));
	peer_answer(&p, EVENT_OPEN);
	CU_ASSERT(peer_heard(&p, CLOSED("timeout")));
	CU_ASSERT(peer_is_closed(&p));
	peer_fini(&p);
}

static void a_late_authenticate_ends_the_session(void)
{
	struct peer p;
	peer_init(&p);
	p.options.timeouts.login = 300000;
	p.hold[EVENT_AUTHENTICATE] = true;
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "USER alice\nPASS secret\nUSER bob\nPASS secret");
	peer_wait(&p, 60000);
	CU_ASSERT(peer_got(&p, "+OK send PASS\n-ERR [SYS/TEMP] try again later"));
	CU_ASSERT(peer_failed(&p, "a deferred event was not answered in time"));
	CU_ASSERT(peer_heard(&p, "authenticate PASS alice secret"));
	peer_answer(&p, EVENT_AUTHENTICATE);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, ""));
	peer_fini(&p);
}

static void a_late_refusal_to_open_is_not_closed(void)
{
	struct peer p;
	open_later(&p);
	peer_wait(&p, 60000);
	CU_ASSERT(peer_got(&p, "-ERR [SYS/TEMP] try again later"));
	CU_ASSERT(peer_failed(&p, "a deferred event was not answered in time"));
	p.results[EVENT_OPEN] = POP3_IN_USE;
	peer_answer(&p, EVENT_OPEN);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, ""));
	peer_fini(&p);
}

static void a_client_that_leaves_while_open_is_pending_is_closed_after_the_answer(void)
{
	static const enum pop3_reason reasons[] = {POP3_REASON_LOST, POP3_REASON_DROPPED,
						   POP3_REASON_SHUTDOWN};
	static const char *const heard[] = {CLOSED("lost"), CLOSED("dropped"), CLOSED("shutdown")};
	for (size_t i = 0; i < 3; i++) {
		struct peer p;
		open_later(&p);
		pop3_session_end(p.session, reasons[i], p.now);
		CU_ASSERT_FALSE(pop3_session_wants(p.session).finished);
		CU_ASSERT(peer_heard(&p, ""));
		peer_answer(&p, EVENT_OPEN);
		CU_ASSERT(peer_is_closed(&p));
		CU_ASSERT(peer_heard(&p, heard[i]));
		CU_ASSERT(peer_got(&p, i == 1 ? "+OK maildrop ready" : ""));
		peer_fini(&p);
	}
	test_count(3);
}

static void nothing_is_opened_for_a_client_that_has_left(void)
{
	struct peer p;
	hold(&p, EVENT_AUTHENTICATE, EVENT_KINDS);
	peer_send(&p, "USER alice\nPASS secret");
	CU_ASSERT(peer_got(&p, "+OK send PASS"));
	pop3_session_end(p.session, POP3_REASON_LOST, p.now);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).finished);
	peer_answer(&p, EVENT_AUTHENTICATE);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, "authenticate PASS alice secret"));
	peer_fini(&p);
}

static void a_refused_open_has_no_closed_when_the_client_has_left(void)
{
	struct peer p;
	open_later(&p);
	p.results[EVENT_OPEN] = POP3_IN_USE;
	pop3_session_end(p.session, POP3_REASON_LOST, p.now);
	peer_answer(&p, EVENT_OPEN);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, ""));
	peer_fini(&p);
}

static void an_open_that_nobody_answers_is_closed_too(void)
{
	struct peer p;
	peer_init(&p);
	p.handlers.open = NULL;
	peer_connect(&p);
	text_clear(&p.received);
	peer_enter(&p);
	pop3_session_end(p.session, POP3_REASON_LOST, p.now);
	CU_ASSERT(peer_heard(&p, CLOSED("lost")));
	peer_fini(&p);
}

static void closed_waits_for_a_pending_quit(void)
{
	static const enum pop3_reason reasons[] = {POP3_REASON_LOST, POP3_REASON_DROPPED};
	for (size_t i = 0; i < 2; i++) {
		struct peer p;
		login_and_hold(&p, EVENT_QUIT);
		peer_send(&p, "DELE 1\nDELE 2\nQUIT");
		CU_ASSERT(peer_got(&p, "+OK message deleted\n+OK message deleted"));
		CU_ASSERT(peer_heard(&p, "list 1\nlist 2\nquit 1 2"));
		pop3_session_end(p.session, reasons[i], p.now);
		peer_run(&p);
		CU_ASSERT_FALSE(pop3_session_wants(p.session).finished);
		CU_ASSERT(peer_heard(&p, ""));
		peer_answer(&p, EVENT_QUIT);
		CU_ASSERT(peer_got(&p, i == 0 ? "" : "+OK bye"));
		CU_ASSERT(peer_is_closed(&p));
		CU_ASSERT(peer_heard(&p, "closed alice quit messages 0 octets 0 deleted 2"));
		peer_fini(&p);
	}
	test_count(2);
}

static void a_quit_that_takes_too_long_fails_and_closed_still_waits(void)
{
	for (size_t remaining = 0; remaining <= 3; remaining += 3) {
		struct peer p;
		login_and_hold(&p, EVENT_QUIT);
		peer_send(&p, "DELE 1\nQUIT");
		CU_ASSERT(peer_got(&p, "+OK message deleted"));
		peer_wait(&p, 60000);
		CU_ASSERT(peer_got(&p, "-ERR [SYS/TEMP] some deleted messages not removed"));
		CU_ASSERT(peer_failed(&p, "a deferred event was not answered in time"));
		CU_ASSERT_FALSE(peer_is_closed(&p));
		CU_ASSERT(peer_heard(&p, "list 1\nquit 1"));
		p.remaining = remaining;
		peer_answer(&p, EVENT_QUIT);
		CU_ASSERT(peer_heard(&p, remaining == 0
						 ? "closed alice quit messages 0 octets 0 deleted 1"
						 : CLOSED("quit")));
		CU_ASSERT(peer_is_closed(&p));
		peer_fini(&p);
	}
	test_count(2);
}

static void closed_waits_for_an_expired_event(void)
{
	struct peer p;
	login_and_hold(&p, EVENT_LIST);
	peer_send(&p, "STAT");
	peer_wait(&p, 60000);
	CU_ASSERT(peer_got(&p, "-ERR [SYS/TEMP] try again later"));
	CU_ASSERT(peer_failed(&p, "a deferred event was not answered in time"));
	peer_send(&p, "QUIT");
	CU_ASSERT(peer_got(&p, "+OK bye"));
	CU_ASSERT_FALSE(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, "list 0\nquit"));
	peer_answer(&p, EVENT_LIST);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, CLOSED("quit")));
	peer_fini(&p);
}

/* ---- The server goes ---- */

static void free_session(struct peer *p)
{
	pop3_session_free(p->session);
	p->session = NULL;
}

static void a_freed_session_cancels_its_pending_open(void)
{
	struct peer p;
	open_later(&p);
	free_session(&p);
	CU_ASSERT(peer_heard(&p, ""));
	CU_ASSERT_EQUAL(pop3_answer_open(peer_take(&p, EVENT_OPEN), POP3_OK, NULL), -ECANCELED);
	context_collect(&p.context, p.now);
	CU_ASSERT(peer_heard(&p, ""));
	peer_fini(&p);
}

static void a_freed_session_closes_an_open_that_has_just_been_answered(void)
{
	struct peer p;
	open_later(&p);
	CU_ASSERT_EQUAL(pop3_answer_open(peer_take(&p, EVENT_OPEN), POP3_OK, NULL), 0);
	free_session(&p);
	CU_ASSERT(peer_heard(&p, CLOSED("shutdown")));
	context_collect(&p.context, p.now);
	CU_ASSERT(peer_heard(&p, ""));
	peer_fini(&p);
}

static void a_freed_session_is_closed_at_once(void)
{
	static const enum event_kind kinds[] = {EVENT_LIST, EVENT_UIDL, EVENT_RETRIEVE};
	static const char *const commands[] = {"STAT", "UIDL", "RETR 1"};
	for (size_t i = 0; i < 3; i++) {
		struct peer p;
		login_and_hold(&p, kinds[i]);
		peer_send(&p, commands[i]);
		text_clear(&p.trace);
		free_session(&p);
		CU_ASSERT(peer_heard(&p, CLOSED("shutdown")));
		CU_ASSERT_EQUAL(pop3_fail(peer_take(&p, kinds[i]), POP3_TEMPORARY, NULL),
				-ECANCELED);
		peer_fini(&p);
	}
	test_count(3);
}

static void an_answer_after_the_server_is_gone_is_cancelled_and_released(void)
{
	struct peer p;
	int descriptor = memfd_create("message", MFD_CLOEXEC);
	login_and_hold(&p, EVENT_RETRIEVE);
	peer_send(&p, "RETR 1");
	struct pop3_retrieve *e = peer_take(&p, EVENT_RETRIEVE);
	peer_fini(&p);
	CU_ASSERT_EQUAL(e->which, 1);
	CU_ASSERT_STRING_EQUAL(e->user, "alice");
	CU_ASSERT_EQUAL(pop3_answer_descriptor(e, descriptor, 0, 0, 0), -ECANCELED);
	CU_ASSERT_FALSE(is_open(descriptor));
}

/* ---- A thread answers while the session ends ---- */

struct opener {
	_Atomic(struct pop3_open *) event;
	atomic_bool stop;
	unsigned long accepted; /* answers that somebody waited for */
};

static void *open_at_once(void *data)
{
	struct opener *o = data;
	while (!o->stop) {
		struct pop3_open *e = atomic_exchange(&o->event, NULL);
		if (e == NULL)
			sched_yield();
		else
			o->accepted += pop3_answer_open(e, POP3_OK, NULL) == 0;
	}
	return NULL;
}

static void count_closed(struct pop3_closed *e, void *data)
{
	(void)data;
	CU_ASSERT_STRING_EQUAL(e->user, "alice");
	releases++;
}

/* How the session ends differs from round to round. */
static void race(struct peer *p, struct opener *o, unsigned long round)
{
	static const char login[] = "USER alice\r\nPASS secret\r\n";
	p->session = session_new(&p->context, &p->info, -1, NULL, p->now);
	session_begin(p->session, false, p->now);
	pop3_session_feed(p->session, login, sizeof login - 1, p->now);
	atomic_store(&o->event, peer_take(p, EVENT_OPEN));
	for (volatile unsigned long k = 0; k < round % 100; k++)
		;
	if (round % 3 == 0)
		pop3_session_end(p->session, POP3_REASON_LOST, p->now);
	while (round % 3 != 1 && !pop3_session_wants(p->session).finished &&
	       session_is_secret(p->session)) {
		sched_yield();
		context_collect(&p->context, p->now);
	}
	free_session(p);
	while (atomic_load(&o->event) != NULL)
		sched_yield();
}

static void an_open_answered_in_a_race_is_closed_exactly_if_it_was_accepted(void)
{
	const unsigned long rounds = test_setting("POP3_RACES", 3000);
	struct opener o = {.accepted = 0};
	struct peer p;
	pthread_t thread;
	peer_init(&p);
	p.hold[EVENT_OPEN] = true;
	p.handlers.closed = count_closed;
	peer_serve(&p);
	releases = 0;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, open_at_once, &o), 0);
	for (unsigned long i = 0; i < rounds; i++)
		race(&p, &o, i);
	o.stop = true;
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(releases, o.accepted);
	CU_ASSERT(o.accepted >= rounds / 2);
	peer_fini(&p);
	test_count(rounds);
}

/* ---- Reading a file goes on ---- */

/* A session that has given its window away for a read. */
static int begin_load(struct peer *p)
{
	struct pop3_load load;
	peer_login(p);
	p->hold[EVENT_RETRIEVE] = true;
	peer_send(p, "RETR 1");
	int descriptor = memfd_create("message", MFD_CLOEXEC);
	pop3_answer_descriptor(peer_take(p, EVENT_RETRIEVE), descriptor, 0, 28, 28);
	context_collect(&p->context, p->now);
	CU_ASSERT(pop3_session_load(p->session, &load));
	CU_ASSERT_EQUAL(load.descriptor, descriptor);
	CU_ASSERT_EQUAL(load.offset, 0);
	CU_ASSERT_EQUAL(load.size, 28);
	memcpy(load.buffer, "Subject: first\r\n\r\nthe body\r\n", 28);
	CU_ASSERT_FALSE(pop3_session_load(p->session, &load));
	CU_ASSERT_FALSE(pop3_session_wants(p->session).load);
	text_clear(&p->trace);
	return descriptor;
}

static void closed_waits_for_a_file_that_is_being_read(void)
{
	struct peer p;
	int descriptor = begin_load(&p);
	pop3_session_end(p.session, POP3_REASON_LOST, p.now);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).finished);
	CU_ASSERT(is_open(descriptor));
	CU_ASSERT(peer_heard(&p, ""));
	pop3_session_loaded(p.session, 28, p.now);
	CU_ASSERT_FALSE(is_open(descriptor));
	CU_ASSERT(pop3_session_wants(p.session).finished);
	CU_ASSERT(peer_heard(&p, CLOSED("lost")));
	peer_fini(&p);
}

/* A disk that is slow is not a client that takes nothing. */
static void the_time_of_a_read_is_not_the_clients(void)
{
	struct peer p;
	begin_load(&p);
	p.deaf = false;
	peer_run(&p);
	text_clear(&p.received);
	p.deaf = true;
	peer_wait(&p, 70000);
	pop3_session_loaded(p.session, 28, p.now);
	CU_ASSERT_TRUE(pop3_session_wants(p.session).write);
	CU_ASSERT_EQUAL(pop3_session_wants(p.session).deadline, p.now + 60000);
	peer_wait(&p, 59999);
	CU_ASSERT_FALSE(pop3_session_wants(p.session).close);
	peer_wait(&p, 1);
	CU_ASSERT(peer_is_closed(&p));
	CU_ASSERT(peer_heard(&p, "closed alice timeout messages 1 octets 28 deleted 0"));
	peer_fini(&p);
}

static void a_session_may_be_freed_while_a_file_is_read(void)
{
	struct peer p;
	int descriptor = begin_load(&p);
	free_session(&p);
	CU_ASSERT_FALSE(is_open(descriptor));
	CU_ASSERT(peer_heard(&p, CLOSED("shutdown")));
	peer_fini(&p);
}

/* ---- The limit of sessions per user ---- */

static void a_user_has_at_most_so_many_sessions(void)
{
	struct peer p;
	struct pop3_session *sessions[2];
	peer_init(&p);
	p.options.limits.connections_per_user = 2;
	for (int i = 0; i < 2; i++) {
		peer_connect(&p);
		text_clear(&p.received);
		peer_enter(&p);
		sessions[i] = p.session;
	}
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "USER alice\nPASS secret\nUSER bob\nPASS secret");
	CU_ASSERT(peer_got(&p, "+OK send PASS\n-ERR [IN-USE] too many sessions of this user\n"
			       "+OK send PASS\n+OK maildrop ready"));
	free_session(&p);
	pop3_session_free(sessions[0]);
	peer_connect(&p);
	text_clear(&p.received);
	peer_enter(&p);
	pop3_session_free(sessions[1]);
	peer_fini(&p);
}

static void sessions_about_to_open_count_for_the_limit(void)
{
	struct peer p;
	peer_init(&p);
	p.options.limits.connections_per_user = 1;
	p.hold[EVENT_OPEN] = true;
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "USER alice\nPASS secret");
	struct pop3_session *first = p.session;
	struct pop3_open *open = peer_take(&p, EVENT_OPEN);
	text_clear(&p.received);
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "USER alice\nPASS secret");
	CU_ASSERT(peer_got(&p, "+OK send PASS\n-ERR [IN-USE] too many sessions of this user"));
	/* The first one fails: its place is free again. */
	CU_ASSERT_EQUAL(pop3_answer_open(open, POP3_TEMPORARY, NULL), 0);
	p.hold[EVENT_OPEN] = false;
	peer_run(&p);
	peer_enter(&p);
	pop3_session_free(first);
	peer_fini(&p);
}

static const struct test tests[] = {
	TEST(pipelined_commands_wait_for_a_deferred_answer),
	TEST(every_request_may_be_answered_later),
	TEST(a_dropped_event_is_a_temporary_failure),
	TEST(a_connection_whose_event_is_dropped_is_closed),
	TEST(an_answer_that_takes_over_a_minute_is_a_temporary_failure),
	TEST(a_late_message_is_only_released),
	TEST(a_late_open_is_closed_once_with_its_user),
	TEST(a_late_authenticate_ends_the_session),
	TEST(a_late_refusal_to_open_is_not_closed),
	TEST(a_client_that_leaves_while_open_is_pending_is_closed_after_the_answer),
	TEST(nothing_is_opened_for_a_client_that_has_left),
	TEST(a_refused_open_has_no_closed_when_the_client_has_left),
	TEST(an_open_that_nobody_answers_is_closed_too),
	TEST(closed_waits_for_a_pending_quit),
	TEST(a_quit_that_takes_too_long_fails_and_closed_still_waits),
	TEST(closed_waits_for_an_expired_event),
	TEST(a_freed_session_cancels_its_pending_open),
	TEST(a_freed_session_closes_an_open_that_has_just_been_answered),
	TEST(a_freed_session_is_closed_at_once),
	TEST(an_answer_after_the_server_is_gone_is_cancelled_and_released),
	TEST(an_open_answered_in_a_race_is_closed_exactly_if_it_was_accepted),
	TEST(closed_waits_for_a_file_that_is_being_read),
	TEST(the_time_of_a_read_is_not_the_clients),
	TEST(a_session_may_be_freed_while_a_file_is_read),
	TEST(a_user_has_at_most_so_many_sessions),
	TEST(sessions_about_to_open_count_for_the_limit),
	TEST_END,
};

const struct test_suite suite_session_defer = {"session_defer", tests};
