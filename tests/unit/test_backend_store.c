/* The store over Maildirs, on a real server. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "unit/backend_stage.h"

#define PASSWD    "alice:{PLAIN}wonderland\nbob:{PLAIN}builder\n"
#define IN_USE    "-ERR [IN-USE] maildrop is locked by another session\r\n"
#define TEMPORARY "-ERR [SYS/TEMP] try again later\r\n"
#define NOT_GONE  "-ERR [SYS/TEMP] some deleted messages not removed\r\n"

/* alice has three messages of 3, 19 and 0 octets as sent. */
static void begin_with(struct stage *stage)
{
	stage_put(stage, "alice/Maildir/cur/1.a:2,S", "x\n");
	stage_put(stage, "alice/Maildir/new/2.b", "A: b\n\n.dot\nend");
	stage_put(stage, "alice/Maildir/new/3.c", "");
	stage_open(stage);
}

static void begin(struct stage *stage)
{
	stage_init(stage, PASSWD);
	begin_with(stage);
}

/* Another program moves message 2: it must be found again, which only a worker does. */
static void move_message(struct stage *stage)
{
	char from[256], to[256];
	snprintf(from, sizeof from, "%s/alice/Maildir/new/2.b", stage->maildir);
	snprintf(to, sizeof to, "%s/alice/Maildir/cur/2.b:2,S", stage->maildir);
	CU_ASSERT_EQUAL(rename(from, to), 0);
}

static void session_reads_lists_and_deletes(void)
{
	struct stage stage;
	struct client client;
	begin(&stage);
	client_init(&client, &stage, true);
	client_logs_in(&client, "alice", "wonderland");
	CU_ASSERT_EQUAL(store_backend_sessions(stage.store), 1);
	client_says(&client, "STAT\r\n", "+OK 3 22\r\n");
	client_says(&client, "LIST\r\n",
		    "+OK 3 messages (22 octets)\r\n1 3\r\n2 19\r\n3 0\r\n.\r\n");
	client_says(&client, "UIDL\r\n", "+OK\r\n1 1.a\r\n2 2.b\r\n3 3.c\r\n.\r\n");
	client_says(&client, "RETR 2\r\n", "+OK 19 octets\r\nA: b\r\n\r\n..dot\r\nend\r\n.\r\n");
	client_says(&client, "TOP 2 1\r\n", "+OK\r\nA: b\r\n\r\n..dot\r\n.\r\n");
	client_says(&client, "RETR 3\r\n", "+OK 0 octets\r\n.\r\n");
	client_says(&client, "DELE 1\r\n", "+OK message deleted\r\n");
	client_says(&client, "QUIT\r\n", "+OK bye\r\n");
	CU_ASSERT_FALSE(stage_has(&stage, "alice/Maildir/cur/1.a:2,S"));
	CU_ASSERT(stage_has(&stage, "alice/Maildir/new/2.b"));
	CU_ASSERT(stage_has(&stage, "alice/Maildir/new/3.c"));
	client_ends(&client);
	CU_ASSERT_EQUAL(store_backend_sessions(stage.store), 0);
	client_fini(&client);
	stage_fini(&stage);
}

static void single_values_need_no_whole_list(void)
{
	struct stage stage;
	struct client client;
	begin(&stage);
	client_init(&client, &stage, true);
	client_logs_in(&client, "alice", "wonderland");
	client_says(&client, "LIST 3\r\n", "+OK 3 0\r\n");
	client_says(&client, "UIDL 2\r\n", "+OK 2 2.b\r\n");
	client_says(&client, "LIST 4\r\n", "-ERR no such message\r\n");
	client_says(&client, "UIDL 4\r\n", "-ERR no such message\r\n");
	client_says(&client, "RETR 4\r\n", "-ERR no such message\r\n");
	client_says(&client, "DELE 3\r\n", "+OK message deleted\r\n");
	client_says(&client, "UIDL 3\r\n", "-ERR message is deleted\r\n");
	client_says(&client, "STAT\r\n", "+OK 2 22\r\n");
	client_fini(&client);
	stage_fini(&stage);
}

static void maildrop_is_one_sessions_until_it_quits_or_is_gone(void)
{
	struct stage stage;
	struct client first, second, other;
	begin(&stage);
	client_init(&first, &stage, true);
	client_init(&second, &stage, true);
	client_init(&other, &stage, true);
	client_logs_in(&first, "alice", "wonderland");
	client_says(&second, "USER alice\r\n", "+OK send PASS\r\n");
	client_says(&second, "PASS wonderland\r\n", IN_USE);
	client_logs_in(&other, "bob", "builder");

	/* Free again when "+OK bye" is there, not only when the connection is closed. */
	client_says(&first, "QUIT\r\n", "+OK bye\r\n");
	client_logs_in(&second, "alice", "wonderland");
	client_fini(&first);

	client_says(&second, "DELE 1\r\n", "+OK message deleted\r\n");
	client_fini(&second);
	CU_ASSERT(stage_has(&stage, "alice/Maildir/cur/1.a:2,S"));
	client_init(&first, &stage, true);
	client_logs_in(&first, "alice", "wonderland");
	client_says(&first, "DELE 1\r\n", "+OK message deleted\r\n");
	client_says(&first, "QUIT\r\n", "+OK bye\r\n");
	client_init(&second, &stage, true);
	client_logs_in(&second, "alice", "wonderland");
	client_says(&second, "STAT\r\n", "+OK 2 19\r\n");
	client_fini(&first);
	client_fini(&second);
	client_fini(&other);
	stage_fini(&stage);
}

static void same_connection_may_try_again_after_a_failed_open(void)
{
	struct stage stage;
	struct client first, second;
	begin(&stage);
	client_init(&first, &stage, true);
	client_init(&second, &stage, true);
	client_logs_in(&first, "alice", "wonderland");
	for (int i = 0; i < 20; i++) {
		client_says(&second, "USER alice\r\n", "+OK send PASS\r\n");
		client_says(&second, "PASS wonderland\r\n", IN_USE);
	}
	client_fini(&first);
	client_logs_in(&second, "alice", "wonderland");
	client_fini(&second);
	test_count(20);
	stage_fini(&stage);
}

static void broken_maildrop_is_never_an_empty_one(void)
{
	struct stage stage;
	struct client client;
	char path[256];
	begin(&stage);
	snprintf(path, sizeof path, "%s/bob/Maildir/new", stage.maildir);
	CU_ASSERT_EQUAL(remove(path), 0);
	client_init(&client, &stage, true);
	client_says(&client, "USER bob\r\n", "+OK send PASS\r\n");
	client_says(&client, "PASS builder\r\n", TEMPORARY);
	stage_expect_log(&stage, "event=store", "cannot list the maildrop");
	CU_ASSERT_EQUAL(store_backend_sessions(stage.store), 0);
	client_fini(&client);
	stage_fini(&stage);
}

static void user_without_a_folder_has_an_empty_maildrop(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, PASSWD "carol:{PLAIN}x\n");
	stage_open(&stage);
	client_init(&client, &stage, true);
	client_logs_in(&client, "carol", "x");
	client_says(&client, "STAT\r\n", "+OK 0 0\r\n");
	client_says(&client, "UIDL\r\n", "+OK\r\n.\r\n");
	client_says(&client, "QUIT\r\n", "+OK bye\r\n");
	CU_ASSERT_FALSE(stage_has(&stage, "carol"));
	client_fini(&client);
	stage_fini(&stage);
}

static void missing_maildir_root_is_temporary(void)
{
	struct stage stage;
	struct client client;
	stage_init(&stage, PASSWD);
	stage.settings.maildir_root = "/tmp/pop3-unit-nowhere";
	stage_open(&stage);
	client_init(&client, &stage, true);
	client_says(&client, "USER bob\r\n", "+OK send PASS\r\n");
	client_says(&client, "PASS builder\r\n", TEMPORARY);
	stage_expect_log(&stage, "event=store", "bob");
	client_fini(&client);
	stage_fini(&stage);
}

static void vanished_message_is_no_such_message_and_counts_as_gone(void)
{
	struct stage stage;
	struct client client;
	char path[256];
	begin(&stage);
	client_init(&client, &stage, true);
	client_logs_in(&client, "alice", "wonderland");
	snprintf(path, sizeof path, "%s/alice/Maildir/new/2.b", stage.maildir);
	CU_ASSERT_EQUAL(remove(path), 0);
	client_says(&client, "RETR 2\r\n", "-ERR no such message\r\n");
	client_says(&client, "DELE 2\r\n", "+OK message deleted\r\n");
	client_says(&client, "QUIT\r\n", "+OK bye\r\n");
	client_fini(&client);
	stage.log[0] = '\0'; /* how often the store tells of it is its own business */
	stage_fini(&stage);
}

static void message_that_another_program_moved_is_still_read(void)
{
	struct stage stage;
	struct client client;
	begin(&stage);
	client_init(&client, &stage, true);
	client_logs_in(&client, "alice", "wonderland");
	move_message(&stage);
	client_says(&client, "RETR 2\r\n", "+OK 19 octets\r\nA: b\r\n\r\n..dot\r\nend\r\n.\r\n");
	client_fini(&client);
	stage_fini(&stage);
}

static void retrieved_messages_become_seen_only_where_that_is_set(void)
{
	for (int seen = 0; seen < 2; seen++) {
		struct stage stage;
		struct client client;
		begin(&stage);
		const struct maildrop_options options = {.mark_seen = seen != 0};
		store_backend_configure(stage.store, &options);
		client_init(&client, &stage, true);
		client_logs_in(&client, "alice", "wonderland");
		client_says(&client, "RETR 3\r\n", "+OK 0 octets\r\n.\r\n");
		client_says(&client, "TOP 2 0\r\n", "+OK\r\nA: b\r\n\r\n.\r\n");
		client_says(&client, "QUIT\r\n", "+OK bye\r\n");
		CU_ASSERT_EQUAL(stage_has(&stage, "alice/Maildir/cur/3.c:2,S"), seen != 0);
		CU_ASSERT_EQUAL(stage_has(&stage, "alice/Maildir/new/3.c"), seen == 0);
		CU_ASSERT(stage_has(&stage, "alice/Maildir/new/2.b"));
		client_fini(&client);
		stage_fini(&stage);
	}
	test_count(2);
}

static void dropped_client_marks_nothing_as_seen(void)
{
	struct stage stage;
	struct client client;
	begin(&stage);
	const struct maildrop_options options = {.mark_seen = true};
	store_backend_configure(stage.store, &options);
	client_init(&client, &stage, true);
	client_logs_in(&client, "alice", "wonderland");
	client_says(&client, "RETR 3\r\n", "+OK 0 octets\r\n.\r\n");
	client_ends(&client);
	CU_ASSERT(stage_has(&stage, "alice/Maildir/new/3.c"));
	client_fini(&client);
	stage_fini(&stage);
}

static void other_unique_ids_are_for_the_sessions_that_open_from_then_on(void)
{
	struct stage stage;
	struct client before, after;
	begin(&stage);
	stage_put(&stage, "alice/Maildir/dovecot-uidlist", "3 V1700000000 N5 G0\n1 :1.a\n4 :2.b\n");
	stage_put(&stage, "bob/Maildir/dovecot-uidlist", "3 V1700000000 N2\n1 :1.z\n");
	stage_put(&stage, "bob/Maildir/new/1.z", "x");
	client_init(&before, &stage, true);
	client_logs_in(&before, "alice", "wonderland");

	struct maildrop_options options = {.uidl = {.format = UIDL_DOVECOT}};
	store_backend_configure(stage.store, &options);
	client_init(&after, &stage, true);
	client_logs_in(&after, "bob", "builder");
	client_says(&before, "UIDL\r\n", "+OK\r\n1 1.a\r\n2 2.b\r\n3 3.c\r\n.\r\n");
	client_says(&after, "UIDL\r\n", "+OK\r\n1 000000016553f100\r\n.\r\n");
	client_fini(&before);

	memcpy(options.uidl.pattern, "%v.%u", sizeof "%v.%u");
	store_backend_configure(stage.store, &options);
	client_init(&before, &stage, true);
	client_logs_in(&before, "alice", "wonderland");
	client_says(&before, "UIDL\r\n",
		    "+OK\r\n1 1700000000.1\r\n2 1700000000.4\r\n3 3.c\r\n.\r\n");
	client_says(&before, "UIDL 2\r\n", "+OK 2 1700000000.4\r\n");
	client_fini(&before);
	client_fini(&after);
	stage_fini(&stage);
}

static void broken_list_of_unique_ids_is_told_the_client_as_permanent(void)
{
	struct stage stage;
	struct client client;
	begin(&stage);
	const struct maildrop_options options = {.uidl = {.format = UIDL_DOVECOT}};
	store_backend_configure(stage.store, &options);
	stage_put(&stage, "alice/Maildir/dovecot-uidlist", "3 V1700000000 N5 G0\n1 :1.a\nx\n");
	client_init(&client, &stage, true);
	client_says(&client, "USER alice\r\n", "+OK send PASS\r\n");
	client_says(&client, "PASS wonderland\r\n",
		    "-ERR [SYS/PERM] maildrop is not available\r\n");
	stage_expect_log(&stage, "event=store", "dovecot-uidlist:3");
	/* Repaired while the server runs. */
	stage_put(&stage, "alice/Maildir/dovecot-uidlist", "3 V1700000000 N5 G0\n1 :1.a\n");
	client_logs_in(&client, "alice", "wonderland");
	client_says(&client, "UIDL 1\r\n", "+OK 1 000000016553f100\r\n");
	client_fini(&client);
	stage_fini(&stage);
}

/* ---- Clients and servers that go at the wrong moment ---- */

static void client_that_leaves_during_open_leaves_no_lock(void)
{
	struct stage stage;
	struct client client;
	struct gate gate;
	begin(&stage);
	client_init(&client, &stage, true);
	gate_close(&gate, stage.disk);
	client_send(&client, "USER alice\r\nPASS wonderland\r\n");
	pop3_session_end(client.session, POP3_REASON_LOST, clock_now());
	CU_ASSERT_EQUAL(store_backend_sessions(stage.store), 1);
	gate_open(&gate);
	client_ends(&client); /* `open` was answered, `closed` came */
	CU_ASSERT_EQUAL(store_backend_sessions(stage.store), 0);
	client_fini(&client);

	/* The same when the session is freed at once, and nobody will hear the answer. */
	client_init(&client, &stage, true);
	gate_close(&gate, stage.disk);
	client_send(&client, "USER alice\r\nPASS wonderland\r\n");
	client_fini(&client);
	gate_open(&gate);
	gate_pass(stage.disk); /* the open is over */
	CU_ASSERT_EQUAL(store_backend_sessions(stage.store), 0);
	client_init(&client, &stage, true);
	client_logs_in(&client, "alice", "wonderland");
	client_fini(&client);
	stage_fini(&stage);
}

static void client_that_leaves_during_retrieve_leaves_no_lock(void)
{
	struct stage stage;
	struct client client;
	struct gate gate;
	begin(&stage);
	client_init(&client, &stage, true);
	client_logs_in(&client, "alice", "wonderland");
	move_message(&stage);
	gate_close(&gate, stage.disk);
	client_send(&client, "RETR 2\r\n");
	client_fini(&client);
	gate_open(&gate);
	gate_pass(stage.disk); /* the retrieve is over */
	CU_ASSERT_EQUAL(store_backend_sessions(stage.store), 0);
	client_init(&client, &stage, true);
	client_logs_in(&client, "alice", "wonderland");
	client_fini(&client);
	stage_fini(&stage);
}

static void server_may_go_while_maildrops_are_opened_read_and_committed(void)
{
	static const char *const steps[] = {"PASS wonderland\r\n", "RETR 2\r\n", "QUIT\r\n"};
	for (size_t step = 0; step < 3; step++) {
		for (int queued = 0; queued < 2; queued++) {
			struct stage stage;
			struct client client;
			struct gate gate;
			begin(&stage);
			client_init(&client, &stage, true);
			if (step == 0)
				client_says(&client, "USER alice\r\n", "+OK send PASS\r\n");
			else
				client_logs_in(&client, "alice", "wonderland");
			if (step == 2)
				client_says(&client, "DELE 1\r\n", "+OK message deleted\r\n");
			if (step == 1)
				move_message(&stage);
			gate_close(&gate, stage.disk);
			client_send(&client, steps[step]);
			client_fini(&client);
			pop3_server_free(stage.server);
			stage.server = NULL;
			if (queued) {
				gate_open_at_the_end(&gate, stage.disk);
			} else {
				gate_open(&gate);
				gate_pass(stage.disk);
				CU_ASSERT_EQUAL(store_backend_sessions(stage.store), 0);
			}
			/* Either way all is given back; the runner counts descriptors. */
			stage_fini(&stage);
		}
	}
	test_count(6);
}

static void late_open_holds_no_lock(void)
{
	struct stage stage;
	struct client client;
	struct gate gate;
	stage_init(&stage, PASSWD);
	stage.options.timeouts.answer = 1000;
	stage_open(&stage);
	client_init(&client, &stage, true);
	gate_close(&gate, stage.disk);
	client_send(&client, "USER alice\r\nPASS wonderland\r\n");
	pop3_session_tick(client.session, clock_now() + 2000);
	client_says(&client, "", "+OK send PASS\r\n" TEMPORARY);
	stage_expect_log(&stage, "event=error", "not answered in time");
	gate_open(&gate);
	client_ends(&client);
	CU_ASSERT_EQUAL(store_backend_sessions(stage.store), 0);
	client_fini(&client);
	stage_fini(&stage);
}

static void hanging_disk_delays_one_message_and_deletes_nothing_unasked(void)
{
	struct stage stage;
	struct client client;
	struct gate gate;
	stage_init(&stage, PASSWD);
	stage.options.timeouts.answer = 1000;
	begin_with(&stage);
	client_init(&client, &stage, true);
	client_logs_in(&client, "alice", "wonderland");
	client_says(&client, "DELE 1\r\n", "+OK message deleted\r\n");
	move_message(&stage);
	gate_close(&gate, stage.disk);
	client_send(&client, "RETR 2\r\n");
	pop3_session_tick(client.session, clock_now() + 2000);
	client_says(&client, "", TEMPORARY);
	stage_expect_log(&stage, "event=error", "not answered in time");
	/* The first is still under way: no second beside it. */
	client_says(&client, "RETR 3\r\n", TEMPORARY);
	client_says(&client, "QUIT\r\n", NOT_GONE);
	gate_open(&gate);
	client_ends(&client);
	CU_ASSERT_EQUAL(store_backend_sessions(stage.store), 0);
	CU_ASSERT(stage_has(&stage, "alice/Maildir/cur/1.a:2,S"));
	client_fini(&client);
	stage_fini(&stage);
}

/* ---- Another authenticator ---- */

static void grants_bobs_maildrop(struct pop3_authenticate *event, void *data)
{
	struct stage *stage = data;
	char maildrop[256];
	snprintf(maildrop, sizeof maildrop, "%s/bob/Maildir", stage->maildir);
	const struct store_grant grant = {
		.session = event->event.id, .user = "robert", .maildrop = maildrop};
	if (strcmp(event->user, "forgetful") != 0)
		CU_ASSERT_EQUAL(grants_put(stage->grants, &grant, clock_now()), 0);
	pop3_answer_auth(event, POP3_OK, "robert");
}

static void another_authenticator_needs_only_a_grant(void)
{
	static const struct pop3_handlers handlers = {.size = sizeof handlers,
						      .authenticate = grants_bobs_maildrop};
	struct stage stage;
	struct client client;
	struct pop3_listener listener = {.handlers = &handlers, .data = &stage};
	stage_init(&stage, PASSWD);
	stage_put(&stage, "bob/Maildir/new/1.a", "x");
	stage_open(&stage);
	pop3_detach(auth_backend_listener(stage.auth));
	CU_ASSERT_EQUAL(pop3_server_attach(stage.server, &listener), 0);
	client_init(&client, &stage, true);
	client_says(&client, "USER forgetful\r\n", "+OK send PASS\r\n");
	client_says(&client, "PASS x\r\n", TEMPORARY);
	stage_expect_log(&stage, "event=open_refused", "nobody granted");
	client_logs_in(&client, "anybody", "x");
	client_says(&client, "RETR 1\r\n", "+OK 3 octets\r\nx\r\n.\r\n");
	client_fini(&client);
	stage_fini(&stage);
}

static const struct test tests[] = {
	TEST(session_reads_lists_and_deletes),
	TEST(single_values_need_no_whole_list),
	TEST(maildrop_is_one_sessions_until_it_quits_or_is_gone),
	TEST(same_connection_may_try_again_after_a_failed_open),
	TEST(broken_maildrop_is_never_an_empty_one),
	TEST(user_without_a_folder_has_an_empty_maildrop),
	TEST(missing_maildir_root_is_temporary),
	TEST(vanished_message_is_no_such_message_and_counts_as_gone),
	TEST(message_that_another_program_moved_is_still_read),
	TEST(retrieved_messages_become_seen_only_where_that_is_set),
	TEST(dropped_client_marks_nothing_as_seen),
	TEST(other_unique_ids_are_for_the_sessions_that_open_from_then_on),
	TEST(broken_list_of_unique_ids_is_told_the_client_as_permanent),
	TEST(client_that_leaves_during_open_leaves_no_lock),
	TEST(client_that_leaves_during_retrieve_leaves_no_lock),
	TEST(server_may_go_while_maildrops_are_opened_read_and_committed),
	TEST(late_open_holds_no_lock),
	TEST(hanging_disk_delays_one_message_and_deletes_nothing_unasked),
	TEST(another_authenticator_needs_only_a_grant),
	TEST_END,
};

const struct test_suite suite_backend_store = {.name = "backend_store", .tests = tests};
