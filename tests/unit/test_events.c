/*
 * The events as listeners see them: who hears what and in which order, answers that come to
 * nothing, copies that stand alone, application data, options of the sessions to come.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "unit/peer.h"
#include "unit/wiped.h"

/* ---- Order of listeners ---- */

static char word[64];

static void say(void *data)
{
	strcat(word, data);
}

static void pass_on(struct pop3_authenticate *e, void *data)
{
	(void)e;
	say(data);
}

static void take(struct pop3_authenticate *e, void *data)
{
	say(data);
	CU_ASSERT_EQUAL(pop3_answer_auth(e, POP3_OK, NULL), 0);
}

static void hear_closed(struct pop3_closed *e, void *data)
{
	(void)e;
	say(data);
}

static const struct pop3_handlers passing = {
	.size = sizeof passing, .authenticate = pass_on, .closed = hear_closed};
static const struct pop3_handlers taking = {
	.size = sizeof taking, .authenticate = take, .closed = hear_closed};

static char letters[] = "a\0b\0c\0d";

static void attach_to_session(struct pop3_connected *e, void *data)
{
	struct pop3_listener *own = data;
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(pop3_session_attach(e->session, &own[i]), 0);
}

static void the_first_that_answers_ends_a_request_and_all_hear_a_notification(void)
{
	struct pop3_listener own[2] = {{.handlers = &passing, .data = letters},
				       {.handlers = &passing, .data = letters + 2}};
	struct pop3_listener servers[2] = {{.handlers = &taking, .data = letters + 4},
					   {.handlers = &taking, .data = letters + 6}};
	const struct pop3_handlers connecting = {.size = sizeof connecting,
						 .connected = attach_to_session};
	struct pop3_listener first = {.handlers = &connecting, .data = own};
	struct peer p;
	peer_init(&p);
	p.handlers.connected = NULL;
	p.handlers.authenticate = NULL;
	peer_serve(&p);
	emitter_attach(&p.context.emitter, &first);
	for (int i = 0; i < 2; i++)
		emitter_attach(&p.context.emitter, &servers[i]);
	word[0] = '\0';
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "USER alice\nPASS x");
	CU_ASSERT(peer_got(&p, "+OK send PASS\n+OK maildrop ready"));
	/* A session's own listeners come first; the one that answers is the last to hear it. */
	CU_ASSERT_STRING_EQUAL(word, "abc");
	pop3_detach(&own[1]);
	pop3_session_end(p.session, POP3_REASON_LOST, p.now);
	CU_ASSERT_STRING_EQUAL(word, "abcacd");
	text_clear(&p.trace);
	peer_fini(&p);
}

/* ---- Answers that come to nothing ---- */

static void answer_twice(struct pop3_authenticate *e, void *data)
{
	(void)data;
	CU_ASSERT_EQUAL(pop3_fail(&e->event, POP3_OK, NULL), -EINVAL);
	CU_ASSERT_EQUAL(pop3_answer_auth(e, POP3_OK, NULL), 0);
	CU_ASSERT_EQUAL(pop3_answer_auth(e, POP3_DENIED, NULL), -EALREADY);
	CU_ASSERT_EQUAL(pop3_fail(&e->event, POP3_TEMPORARY, NULL), -EALREADY);
	CU_ASSERT_PTR_NULL(pop3_defer(&e->event));
}

static struct pop3_open *deferred;

static void defer_twice(struct pop3_open *e, void *data)
{
	(void)data;
	deferred = pop3_defer(&e->event);
	CU_ASSERT_PTR_NOT_NULL_FATAL(deferred);
	CU_ASSERT_PTR_NULL(pop3_defer(&e->event));
	CU_ASSERT_EQUAL(pop3_answer_open(e, POP3_IN_USE, NULL), -EALREADY);
}

static size_t releases;

static void count_release(void *state)
{
	(void)state;
	releases++;
}

static void answer_list_twice(struct pop3_list *e, void *data)
{
	static const uint64_t sizes[] = {5};
	(void)data;
	CU_ASSERT_EQUAL(pop3_answer_list_block(e, sizes, 1, count_release, NULL), 0);
	CU_ASSERT_EQUAL(releases, 0);
	CU_ASSERT_EQUAL(pop3_answer_list_block(e, sizes, 1, count_release, NULL), -EALREADY);
	CU_ASSERT_EQUAL(releases, 1);
	CU_ASSERT_EQUAL(pop3_answer_list(e, sizes, 1), -EALREADY);
}

static void answer_a_notification(struct pop3_closed *e, void *data)
{
	(void)data;
	CU_ASSERT_PTR_NULL(pop3_defer(&e->event));
	CU_ASSERT_EQUAL(pop3_fail(&e->event, POP3_TEMPORARY, NULL), -EALREADY);
	strcat(word, "closed");
}

static void an_event_has_one_answer(void)
{
	struct peer p;
	peer_init(&p);
	p.handlers.authenticate = answer_twice;
	p.handlers.open = defer_twice;
	p.handlers.list = answer_list_twice;
	p.handlers.closed = answer_a_notification;
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "USER alice\nPASS secret");
	CU_ASSERT_EQUAL(pop3_answer_open(deferred, POP3_OK, NULL), 0);
	peer_run(&p);
	CU_ASSERT(peer_got(&p, "+OK send PASS\n+OK maildrop ready"));
	releases = 0;
	word[0] = '\0';
	peer_send(&p, "STAT");
	CU_ASSERT(peer_got(&p, "+OK 1 5"));
	CU_ASSERT_EQUAL(releases, 1);
	pop3_session_free(p.session);
	p.session = NULL;
	CU_ASSERT_EQUAL(releases, 2);
	CU_ASSERT_STRING_EQUAL(word, "closed");
	peer_fini(&p);
}

static void give_one_of_a_block(struct pop3_list *e, void *data)
{
	static const uint64_t sizes[] = {9};
	(void)data;
	pop3_answer_list_block(e, sizes, 1, count_release, NULL);
}

static void give_one_id_of_a_block(struct pop3_uidl *e, void *data)
{
	static const uint32_t offsets[] = {3};
	(void)data;
	pop3_answer_uidl_block(e, &"abc\0def"[1], offsets, 1, count_release, NULL);
}

static void a_block_for_one_message_is_released_at_once(void)
{
	struct peer p;
	peer_init(&p);
	p.handlers.list = give_one_of_a_block;
	p.handlers.uidl = give_one_id_of_a_block;
	peer_connect(&p);
	text_clear(&p.received);
	peer_enter(&p);
	releases = 0;
	peer_send(&p, "LIST 7\nUIDL 7");
	CU_ASSERT(peer_got(&p, "+OK 7 9\n+OK 7 def"));
	CU_ASSERT_EQUAL(releases, 2);
	peer_fini(&p);
}

static void give_own_block(struct pop3_retrieve *e, void *data)
{
	(void)data;
	pop3_answer_block(e, "x", 1, count_release, NULL);
}

static void a_message_in_memory_is_released_when_it_is_sent(void)
{
	struct peer p;
	peer_init(&p);
	p.handlers.retrieve = give_own_block;
	p.messages[0].size = 3;
	peer_connect(&p);
	text_clear(&p.received);
	peer_enter(&p);
	releases = 0;
	peer_send(&p, "RETR 1\nTOP 1 0");
	CU_ASSERT(peer_got(&p, "+OK 3 octets\nx\n.\n+OK\nx\n."));
	CU_ASSERT_EQUAL(releases, 2);
	peer_fini(&p);
}

/* ---- Copies ---- */

static void a_copy_stands_alone(void)
{
	struct peer p;
	int hung;
	peer_init(&p);
	p.hold[EVENT_CONNECTED] = true;
	p.hold[EVENT_AUTHENTICATE] = true;
	p.hold[EVENT_QUIT] = true;
	peer_connect(&p);
	struct pop3_connected *c = (struct pop3_connected *)(void *)p.held[EVENT_CONNECTED];
	CU_ASSERT_PTR_NULL(c->session);
	CU_ASSERT_EQUAL(c->descriptor, -1);
	pop3_session_set_data(p.session, &hung, NULL);
	peer_answer(&p, EVENT_CONNECTED);
	text_clear(&p.received);
	peer_send(&p, "USER alice\nPASS secret");
	struct pop3_authenticate *a =
		(struct pop3_authenticate *)(void *)p.held[EVENT_AUTHENTICATE];
	/* The session frees its own user; the copy keeps what was said. */
	CU_ASSERT_STRING_EQUAL(a->user, "alice");
	CU_ASSERT_STRING_EQUAL(a->method, "PASS");
	CU_ASSERT_STRING_EQUAL(a->password, "secret");
	CU_ASSERT_PTR_NULL(a->challenge);
	CU_ASSERT_PTR_NULL(a->authzid);
	CU_ASSERT_STRING_EQUAL(a->event.info->peer, "192.0.2.1:4711");
	CU_ASSERT_STRING_EQUAL(a->event.info->local, "192.0.2.2:110");
	CU_ASSERT_PTR_EQUAL(a->event.data, &hung);
	uint64_t id = a->event.id;
	CU_ASSERT(id > 0);
	peer_answer(&p, EVENT_AUTHENTICATE);
	peer_send(&p, "DELE 3\nDELE 1\nQUIT");
	struct pop3_quit *q = (struct pop3_quit *)(void *)p.held[EVENT_QUIT];
	text_clear(&p.received);
	text_clear(&p.trace);
	pop3_session_free(p.session);
	p.session = NULL;
	/* The session is gone; the copy is whole. */
	CU_ASSERT_EQUAL(q->event.id, id);
	CU_ASSERT_STRING_EQUAL(q->event.info->peer, "192.0.2.1:4711");
	CU_ASSERT_STRING_EQUAL(q->user, "alice");
	CU_ASSERT_EQUAL(q->count, 2);
	CU_ASSERT_EQUAL(q->messages[0], 1);
	CU_ASSERT_EQUAL(q->messages[1], 3);
	CU_ASSERT_EQUAL(pop3_answer_quit(peer_take(&p, EVENT_QUIT), 0), -ECANCELED);
	peer_fini(&p);
}

static void a_copy_of_a_password_is_wiped(void)
{
	struct peer p;
	peer_init(&p);
	p.hold[EVENT_AUTHENTICATE] = true;
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "USER alice\nPASS kept meanwhile");
	text_clear(&p.received);
	wiped_watch("kept meanwhile");
	peer_answer(&p, EVENT_AUTHENTICATE);
	CU_ASSERT(wiped_count() >= 1);
	wiped_watch(NULL);
	CU_ASSERT(peer_got(&p, "-ERR [AUTH] authentication failed"));
	peer_fini(&p);
}

/* Each time another password, of no other test: what is wiped may hold older memory, and for that
 * reason it may be more. */
static void a_line_with_a_password_is_wiped(void)
{
	for (enum peer_mode mode = PEER_WHOLE; mode <= PEER_BYTES; mode++) {
		struct peer p;
		char line[] = "PASS ?pen sesame", *password = strchr(line, '?');
		*password = (char)('0' + mode);
		peer_init(&p);
		p.mode = mode;
		peer_connect(&p);
		peer_send(&p, "USER alice");
		wiped_watch(password);
		peer_send(&p, line);
		/* The line that was executed, and the begin that was held. */
		CU_ASSERT(wiped_count() >= (mode == PEER_WHOLE ? 1 : 2));
		wiped_watch(NULL);
		text_clear(&p.received);
		peer_fini(&p);
	}
}

/* ---- Application data ---- */

static int datum, other_datum;

#define SEE(name)                                                                                  \
	static void see_##name(struct pop3_##name *e, void *data)                                  \
	{                                                                                          \
		(void)data;                                                                        \
		CU_ASSERT_PTR_EQUAL(e->event.data, &datum);                                        \
		CU_ASSERT_EQUAL(releases, 0);                                                      \
		strcat(word, "x");                                                                 \
	}

SEE(capabilities)
SEE(authenticate)
SEE(open)
SEE(list)
SEE(uidl)
SEE(retrieve)
SEE(quit)
SEE(closed)
SEE(error)
SEE(command)

static void hang_on(struct pop3_connected *e, void *data)
{
	(void)data;
	CU_ASSERT_PTR_NULL(e->event.data);
	pop3_session_set_data(e->session, &other_datum, count_release);
	releases = 0;
	pop3_session_set_data(e->session, &datum, count_release);
	CU_ASSERT_EQUAL(releases, 1);
	releases = 0;
	pop3_accept(e);
}

static void application_data_is_in_every_event_and_released_once(void)
{
	const struct pop3_handlers seeing = {.size = sizeof seeing,
					     .capabilities = see_capabilities,
					     .authenticate = see_authenticate,
					     .open = see_open,
					     .list = see_list,
					     .uidl = see_uidl,
					     .retrieve = see_retrieve,
					     .quit = see_quit,
					     .closed = see_closed,
					     .error = see_error,
					     .command = see_command};
	struct pop3_listener seer = {.handlers = &seeing};
	struct peer p;
	peer_init(&p);
	p.messages[0].size = 1;
	p.handlers.connected = hang_on;
	peer_serve(&p);
	emitter_attach(&p.context.emitter, &seer);
	pop3_detach(&p.listener);
	emitter_attach(&p.context.emitter, &p.listener);
	word[0] = '\0';
	peer_connect(&p);
	peer_send(&p, "CAPA\nUSER alice\nPASS secret\nLIST\nUIDL\nRETR 1\nQUIT");
	text_clear(&p.received);
	CU_ASSERT(peer_is_closed(&p));
	/* 7 commands; CAPA, authenticate, open, list, uidl, retrieve, the error, quit, closed. */
	CU_ASSERT_STRING_EQUAL(word, "xxxxxxxxxxxxxxxx");
	CU_ASSERT_EQUAL(releases, 1);
	CU_ASSERT(peer_failed(&p, "message 1 has 28 octets, 1 were announced"));
	peer_fini(&p);
	CU_ASSERT_EQUAL(releases, 1);
}

static void application_data_is_released_when_nobody_logs_in(void)
{
	struct peer p;
	peer_init(&p);
	p.handlers.connected = hang_on;
	peer_connect(&p);
	text_clear(&p.received);
	peer_fini(&p);
	CU_ASSERT_EQUAL(releases, 1);
}

/* ---- Capabilities ---- */

static void change_list(struct pop3_capabilities *e, void *data)
{
	char line[16];
	(void)data;
	CU_ASSERT_EQUAL(e->state, POP3_AUTHORIZATION);
	pop3_capability_remove(e, "EXPIRE");
	pop3_capability_remove(e, "EXPIRE");
	pop3_capability_remove(e, "TO");
	pop3_capability_remove(e, "PIPELINING");
	CU_ASSERT_EQUAL(pop3_capability_add(e, "X-DEAR READER"), 0);
	CU_ASSERT_EQUAL(pop3_capability_add(e, ""), -EINVAL);
	CU_ASSERT_EQUAL(pop3_capability_add(e, " X"), -EINVAL);
	CU_ASSERT_EQUAL(pop3_capability_add(e, "."), -EINVAL);
	CU_ASSERT_EQUAL(pop3_capability_add(e, "X\r\nY"), -EINVAL);
	CU_ASSERT_EQUAL(pop3_capability_add(e, "X\xff"), -EINVAL);
	int i = 0, error = 0;
	while (error == 0) {
		snprintf(line, sizeof line, "N%d", i++);
		error = pop3_capability_add(e, line);
	}
	CU_ASSERT_EQUAL(error, -ENOSPC);
	CU_ASSERT_EQUAL(e->count, POP3_CAPABILITIES_MAX);
	while (i > 0) {
		snprintf(line, sizeof line, "N%d", --i);
		pop3_capability_remove(e, line);
	}
	/* With CRLF it must fit a response of 512 octets; two such lines are more than all may
	 * have. */
	char longest[512] = "";
	memset(longest, 'x', 511);
	CU_ASSERT_EQUAL(pop3_capability_add(e, longest), -EINVAL);
	longest[510] = '\0';
	CU_ASSERT_EQUAL(pop3_capability_add(e, longest), 0);
	CU_ASSERT_EQUAL(pop3_capability_add(e, longest), -ENOSPC);
	pop3_capability_remove(e, longest);
}

static void a_listener_changes_the_capabilities(void)
{
	struct peer p;
	peer_init(&p);
	p.handlers.capabilities = change_list;
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "CAPA");
	CU_ASSERT(peer_got(
		&p,
		"+OK\nTOP\nUIDL\nUSER\nLANG\nUTF8\nSASL PLAIN LOGIN\nRESP-CODES\nAUTH-RESP-CODE\n"
		"IMPLEMENTATION pop3-emitter\nX-DEAR READER\n."));
	peer_fini(&p);
}

/* ---- Tables, options, addresses ---- */

static void a_table_of_an_older_application_is_cut_at_its_size(void)
{
	struct pop3_handlers old = {.size = offsetof(struct pop3_handlers, open),
				    .authenticate = take,
				    .closed = hear_closed};
	struct pop3_listener l = {.handlers = &old, .data = letters};
	struct peer p;
	peer_init(&p);
	p.handlers.authenticate = NULL;
	peer_serve(&p);
	emitter_attach(&p.context.emitter, &l);
	word[0] = '\0';
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "USER alice\nPASS x");
	CU_ASSERT(peer_got(&p, "+OK send PASS\n+OK maildrop ready"));
	pop3_session_end(p.session, POP3_REASON_LOST, p.now);
	CU_ASSERT_STRING_EQUAL(word, "a");
	text_clear(&p.trace);
	peer_fini(&p);
}

static void hear_listening(struct pop3_listening *e, void *data)
{
	(void)data;
	CU_ASSERT_EQUAL(e->event.id, 0);
	CU_ASSERT_PTR_NULL(e->event.info);
	snprintf(word, sizeof word, "%s %u", e->address, e->port);
}

static void listening_tells_address_and_port(void)
{
	struct peer p;
	peer_init(&p);
	p.handlers.listening = hear_listening;
	peer_serve(&p);
	context_emit_listening(&p.context, "[::1]:4711", 4711, false);
	CU_ASSERT_STRING_EQUAL(word, "[::1]:4711 4711");
	peer_fini(&p);
}

static void options_that_make_no_sense_are_refused(void)
{
	struct peer p;
	peer_init(&p);
	peer_serve(&p);
	struct settings *before = p.context.settings;
	const struct pop3_options wrong[] = {
		{.size = 0},
		{.size = sizeof(struct pop3_options) + 1},
		{.size = sizeof(struct pop3_options), .apop = POP3_APOP_FIXED},
		{.size = sizeof(struct pop3_options), .apop = POP3_APOP_FUNCTION},
		{.size = sizeof(struct pop3_options), .apop = (enum pop3_apop)77},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CU_ASSERT_EQUAL(context_configure(&p.context, &wrong[i]), -EINVAL);
	CU_ASSERT_PTR_EQUAL(p.context.settings, before);
	struct context other;
	CU_ASSERT_EQUAL(context_init(&other, "h", &wrong[0], NULL, NULL, NULL), -EINVAL);
	peer_fini(&p);
}

/* An application that was built when the struct was smaller. */
static void options_of_an_older_size_leave_the_rest_at_its_default(void)
{
	struct peer p;
	peer_init(&p);
	peer_serve(&p);
	const struct pop3_options old = {.size = offsetof(struct pop3_options, timeouts),
					 .debug = true,
					 .timeouts = {.idle = 1},
					 .limits = {.connections = 1}};
	CU_ASSERT_EQUAL(context_configure(&p.context, &old), 0);
	const struct pop3_options *now = &p.context.settings->options;
	CU_ASSERT_TRUE(now->debug);
	CU_ASSERT_EQUAL(now->timeouts.idle, 600000);
	CU_ASSERT_EQUAL(now->limits.connections, 10000);
	peer_fini(&p);
}

static void new_options_hold_for_the_sessions_to_come(void)
{
	struct peer p;
	peer_init(&p);
	p.options.apop = POP3_APOP_FIXED;
	p.options.apop_value = "old";
	peer_connect(&p);
	CU_ASSERT(peer_got(&p, "+OK POP3 server ready <old@example.org>"));
	struct pop3_session *first = p.session;
	p.options.apop = POP3_APOP_OFF;
	p.options.timeouts.login = 5000;
	CU_ASSERT_EQUAL(context_configure(&p.context, &p.options), 0);
	peer_connect(&p);
	CU_ASSERT(peer_got(&p, "+OK POP3 server ready"));
	CU_ASSERT_EQUAL(pop3_session_wants(p.session).deadline, 6000);
	CU_ASSERT_EQUAL(pop3_session_wants(first).deadline, 61000);
	pop3_session_free(first);
	peer_fini(&p);
}

static void session_ids_are_never_used_twice(void)
{
	struct peer p, q;
	uint64_t last = 0;
	for (int i = 0; i < 3; i++) {
		peer_login(&p);
		peer_login(&q);
		p.hold[EVENT_LIST] = q.hold[EVENT_LIST] = true;
		peer_send(&p, "STAT");
		peer_send(&q, "STAT");
		uint64_t first = p.held[EVENT_LIST]->id;
		CU_ASSERT(first > last);
		last = q.held[EVENT_LIST]->id;
		CU_ASSERT(last > first);
		pop3_drop(peer_take(&p, EVENT_LIST));
		pop3_drop(peer_take(&q, EVENT_LIST));
		peer_fini(&p);
		peer_fini(&q);
	}
}

static void a_session_has_its_owner_and_is_secret_until_the_login(void)
{
	struct peer p;
	peer_init(&p);
	peer_serve(&p);
	p.session = session_new(&p.context, &p.info, -1, &datum, p.now);
	session_begin(p.session, false, p.now);
	CU_ASSERT_PTR_EQUAL(session_owner(p.session), &datum);
	peer_run(&p);
	text_clear(&p.received);
	CU_ASSERT_TRUE(session_is_secret(p.session));
	peer_enter(&p);
	CU_ASSERT_FALSE(session_is_secret(p.session));
	peer_fini(&p);
	pop3_session_free(NULL);
}

static const struct test tests[] = {
	TEST(the_first_that_answers_ends_a_request_and_all_hear_a_notification),
	TEST(an_event_has_one_answer),
	TEST(a_block_for_one_message_is_released_at_once),
	TEST(a_message_in_memory_is_released_when_it_is_sent),
	TEST(a_copy_stands_alone),
	TEST(a_copy_of_a_password_is_wiped),
	TEST(a_line_with_a_password_is_wiped),
	TEST(application_data_is_in_every_event_and_released_once),
	TEST(application_data_is_released_when_nobody_logs_in),
	TEST(a_listener_changes_the_capabilities),
	TEST(a_table_of_an_older_application_is_cut_at_its_size),
	TEST(listening_tells_address_and_port),
	TEST(options_that_make_no_sense_are_refused),
	TEST(options_of_an_older_size_leave_the_rest_at_its_default),
	TEST(new_options_hold_for_the_sessions_to_come),
	TEST(session_ids_are_never_used_twice),
	TEST(a_session_has_its_owner_and_is_secret_until_the_login),
	TEST_END,
};

const struct test_suite suite_events = {"events", tests};
