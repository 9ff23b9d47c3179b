/* Clients that do what clients do: leave half-way, do not read, come in hundreds, want files. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/connection.h"
#include "net/limits.h"
#include "net/loader.h"
#include "net/server.h"
#include "unit/net_host.h"

static void serve(struct host *h)
{
	host_open(h, "127.0.0.1:0");
	host_start(h);
}

/* `length`, a multiple of 64, octets: numbered lines, so that none is like another. */
static char *make_message(size_t length)
{
	char *octets = malloc(length + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(octets);
	for (size_t i = 0; i < length; i += 64)
		snprintf(octets + i, 65, "%062zu\r\n", i / 64);
	return octets;
}

/* ---- Half-close and going away ---- */

static void half_closed_client_gets_all_replies(void)
{
	struct host h;
	char last[65];
	host_init(&h);
	char *message = make_message(3u << 20);
	h.message = message;
	h.length = 3u << 20;
	serve(&h);
	int client = dial(&h);
	guest_writes(client, "USER a\r\nPASS secret\r\nRETR 1\r\nNOOP\r\nSTAT\r\n");
	shutdown(client, SHUT_WR);
	guest_reads(client, "+OK POP3 server ready\r\n+OK send PASS\r\n+OK maildrop ready\r\n"
			    "+OK 3145728 octets\r\n");
	guest_drains(client, last);
	CU_ASSERT_STRING_EQUAL(last + 64 - 23, ".\r\n+OK\r\n+OK 1 3145728\r\n");
	close(client);
	host_await(&h, &h.closed, 1);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_DROPPED);
	host_fini(&h);
	free(message);
}

static void reset_connection_is_lost(void)
{
	struct host h;
	struct linger reset = {.l_onoff = 1};
	host_init(&h);
	serve(&h);
	int client = dial_in(&h);
	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(client);
	host_await(&h, &h.closed, 1);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_LOST);
	host_fini(&h);
}

static void keep(struct pop3_event *copy, void *data)
{
	struct pop3_event **kept = data;
	*kept = copy;
}

/* Turns until poll(2) has nothing for a while; a loop that spins never gets there. */
static bool comes_to_rest(struct pop3_server *s)
{
	struct pollfd set[16];
	int timeout;
	for (int i = 0; i < 1000; i++) {
		size_t count = pop3_server_pollfds(s, set, 16, &timeout);
		int found = poll(set, (nfds_t)count, timeout < 0 || timeout > 50 ? 50 : timeout);
		pop3_server_dispatch(s, set, count);
		if (found == 0 && timeout != 0)
			return true;
	}
	return false;
}

/* Its socket reports POLLHUP for ever, while the session cannot read because it waits. */
static void unix_client_that_vanishes_does_not_spin_the_loop(void)
{
	struct host h;
	struct pop3_event *kept = NULL;
	char folder[] = "/tmp/pop3-unit-XXXXXX";
	char address[64];
	host_init(&h);
	h.defer = keep;
	h.defer_data = &kept;
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(address, sizeof address, "unix:%s/s", folder);
	host_open(&h, address);
	int client = dial(&h);
	guest_writes(client, "USER alice\r\nPASS secret\r\n");
	CU_ASSERT(comes_to_rest(h.server));
	CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
	guest_reads(client, "+OK POP3 server ready\r\n+OK send PASS\r\n");
	close(client);
	CU_ASSERT(comes_to_rest(h.server));
	h.opened++;
	CU_ASSERT_EQUAL(pop3_answer_open((struct pop3_open *)kept, POP3_OK, NULL), 0);
	CU_ASSERT(comes_to_rest(h.server));
	CU_ASSERT_EQUAL(h.closed, 1);
	host_fini(&h);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

/*
 * Another thread sets `pending`, the loop finds the work, and only then that thread writes: the
 * descriptor is readable while nothing is pending.
 */
static void wake_that_is_written_late_does_not_spin_the_loop(void)
{
	const uint64_t one = 1;
	struct host h;
	host_init(&h);
	host_open(&h, "127.0.0.1:0");
	CU_ASSERT(comes_to_rest(h.server));
	CU_ASSERT_EQUAL(write(h.server->waker.write_end, &one, sizeof one), sizeof one);
	CU_ASSERT(comes_to_rest(h.server));
	waker_wake(&h.server->waker);
	CU_ASSERT(comes_to_rest(h.server));
	host_fini(&h);
}

/* A disk that hangs: the read comes back long after the server gave up waiting. */
static void read_that_outlasts_the_stop_does_not_spin_the_loop(void)
{
	struct host h;
	host_init(&h);
	host_open(&h, "127.0.0.1:0");
	int client = dial(&h);
	CU_ASSERT(comes_to_rest(h.server));
	struct connection *c = list_entry(h.server->connections.next, struct connection, link);
	c->loading = true;
	atomic_store(&h.server->stop_at, clock_now() - STOP_GRACE - 1);
	CU_ASSERT(comes_to_rest(h.server));
	CU_ASSERT_FALSE(pop3_server_stopped(h.server));
	c->loading = false;
	connection_activate(c);
	CU_ASSERT(comes_to_rest(h.server));
	CU_ASSERT(pop3_server_stopped(h.server));
	close(client);
	host_fini(&h);
}

/* ---- Replies ---- */

static void pipelined_commands_are_answered_in_one_write(void)
{
	struct host h;
	char got[256];
	host_init(&h);
	serve(&h);
	int client = dial_in(&h);
	guest_writes(client, "NOOP\r\nSTAT\r\nNOOP\r\nLIST 1\r\nNOOP\r\n");
	/* One write of the server is one piece for a reader on this machine. */
	ssize_t length = recv(client, got, sizeof got - 1, 0);
	got[length < 0 ? 0 : length] = '\0';
	CU_ASSERT_STRING_EQUAL(got, "+OK\r\n+OK 1 23\r\n+OK\r\n+OK 1 23\r\n+OK\r\n");
	close(client);
	host_await(&h, &h.closed, 1);
	host_fini(&h);
}

/* Closed with octets unread a socket sends a reset, which on some systems destroys the reply. */
static void last_reply_is_followed_by_the_end_not_by_a_reset(void)
{
	struct host h;
	static char noise[120000];
	host_init(&h);
	serve(&h);
	memset(noise, 'x', sizeof noise);
	memcpy(noise, "QUIT\r\n", 6);
	for (int round = 0; round < 10; round++) {
		int client = dial_in(&h);
		CU_ASSERT(send(client, noise, sizeof noise, MSG_NOSIGNAL) > 0);
		guest_reads(client, "+OK bye\r\n");
		guest_at_end(client);
	}
	host_await(&h, &h.closed, 10);
	host_fini(&h);
	test_count(10);
}

static void client_that_stays_after_the_last_reply_is_closed(void)
{
	struct host h;
	static char noise[120000] = "QUIT\r\n";
	char octet = 0;
	host_init(&h);
	h.options.limits.connections = 1;
	serve(&h);
	int stays = dial_in(&h);
	CU_ASSERT(send(stays, noise, sizeof noise, MSG_NOSIGNAL) > 0);
	guest_reads(stays, "+OK bye\r\n");
	/* It holds the only place for LINGER_TIME, in which others are refused. */
	for (int i = 0; i < HOST_PATIENCE * 50 && octet != '+'; i++) {
		int next = dial(&h);
		CU_ASSERT_EQUAL(recv(next, &octet, 1, 0), 1);
		close(next);
		usleep(20000);
	}
	CU_ASSERT_EQUAL(octet, '+');
	close(stays);
	host_fini(&h);
}

static void client_that_never_reads_is_closed_after_the_write_timeout(void)
{
	struct host h;
	host_init(&h);
	h.options.timeouts.write = 200;
	char *message = make_message(64u << 20);
	h.message = message;
	h.length = 64u << 20;
	serve(&h);
	int client = dial_in(&h);
	guest_writes(client, "RETR 1\r\nRETR 1\r\n");
	host_await(&h, &h.closed, 1);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_TIMEOUT);
	close(client);
	host_fini(&h);
	free(message);
}

static void idle_client_is_closed_without_a_word(void)
{
	struct host h;
	host_init(&h);
	h.options.timeouts.idle = 100;
	serve(&h);
	int client = dial_in(&h);
	guest_at_end(client);
	host_await(&h, &h.closed, 1);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_TIMEOUT);
	host_fini(&h);
}

static void client_that_sends_more_than_is_taken_is_slowed_down(void)
{
	struct host h;
	char last[65];
	host_init(&h);
	char *message = make_message(192000);
	h.message = message;
	h.length = 192000;
	serve(&h);
	int client = dial_in(&h);
	for (int i = 0; i < 200; i++)
		guest_writes(client, "RETR 1\r\n");
	guest_writes(client, "QUIT\r\n");
	size_t one = strlen("+OK 192000 octets\r\n") + 192000 + strlen(".\r\n");
	CU_ASSERT_EQUAL(guest_drains(client, last), 200 * one + strlen("+OK bye\r\n"));
	CU_ASSERT_STRING_EQUAL(last + 64 - 12, ".\r\n+OK bye\r\n");
	close(client);
	host_fini(&h);
	free(message);
}

/* ---- Crowds ---- */

#define CROWD 300

/* One turn in the test's own loop; returns how many descriptors the server polls. */
static size_t turn(struct pop3_server *s)
{
	struct pollfd set[CROWD + 8];
	int timeout;
	size_t count = pop3_server_pollfds(s, set, CROWD + 8, &timeout);
	CU_ASSERT_FATAL(count <= CROWD + 8);
	CU_ASSERT(poll(set, (nfds_t)count, 0) >= 0);
	pop3_server_dispatch(s, set, count);
	return count;
}

/* Write, and let the server take turns until all of the reply is there. */
static void ask_in_turns(struct pop3_server *s, int client, const char *text, const char *reply)
{
	char octets[256];
	ssize_t length = (ssize_t)strlen(reply);
	guest_writes(client, text);
	/* Loopback delivers at once, so it takes two or three. */
	for (int i = 0; i < 1000; i++) {
		turn(s);
		if (recv(client, octets, sizeof octets, MSG_PEEK | MSG_DONTWAIT) >= length)
			break;
	}
	guest_reads(client, reply);
}

static void idle_crowd_leaves_the_poll_set_and_is_still_served(void)
{
	struct host h;
	int clients[CROWD + 1];
	host_init(&h);
	h.options.limits.connections_per_user = CROWD + 1;
	host_open(&h, "127.0.0.1:0");
	for (int i = 0; i <= CROWD; i++) {
		clients[i] = dial(&h);
		ask_in_turns(h.server, clients[i], "USER alice\r\nPASS secret\r\n",
			     "+OK POP3 server ready\r\n+OK send PASS\r\n"
			     "+OK maildrop ready\r\n");
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i <= PARK_AFTER; i++)
			ask_in_turns(h.server, clients[CROWD], "NOOP\r\n", "+OK\r\n");
		CU_ASSERT(turn(h.server) <= PARK_ABOVE);
		for (int i = 0; i < CROWD; i += 7)
			ask_in_turns(h.server, clients[i], "STAT\r\n", "+OK 1 23\r\n");
	}
	pop3_server_stop(h.server, 0);
	while (!pop3_server_stopped(h.server))
		turn(h.server);
	for (int i = 0; i <= CROWD; i++)
		guest_at_end(clients[i]);
	host_fini(&h);
	test_count(CROWD);
}

/* ---- Where messages come from ---- */

/* Fetch the message twice and compare every octet. */
static void fetch(struct host *h)
{
	char head[64];
	size_t wanted = h->length + 3;
	char *got = malloc(wanted);
	CU_ASSERT_PTR_NOT_NULL_FATAL(got);
	int client = dial_in(h);
	snprintf(head, sizeof head, "+OK %zu octets\r\n", h->length);
	for (int i = 0; i < 2; i++) {
		guest_asks(client, "RETR 1\r\n", head);
		CU_ASSERT_EQUAL(recv(client, got, wanted, MSG_WAITALL), (ssize_t)wanted);
		CU_ASSERT_EQUAL(memcmp(got, h->message, h->length), 0);
		CU_ASSERT_EQUAL(memcmp(got + h->length, ".\r\n", 3), 0);
	}
	guest_asks(client, "QUIT\r\n", "+OK bye\r\n");
	guest_at_end(client);
	free(got);
}

static void fetch_from(enum host_source source, const char *path)
{
	struct host h;
	host_init(&h);
	char *message = make_message(640000);
	h.message = message;
	h.length = 640000;
	h.source = source;
	h.path = path;
	if (path != NULL) {
		int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		CU_ASSERT_FATAL(file >= 0);
		CU_ASSERT_EQUAL(write(file, message, h.length), (ssize_t)h.length);
		close(file);
	}
	serve(&h);
	fetch(&h);
	if (source == HOST_PULL)
		host_await(&h, &h.released, 2);
	host_fini(&h);
	free(message);
	if (path != NULL)
		unlink(path);
}

static void message_is_the_same_from_every_source(void)
{
	char disk[] = "/var/tmp/pop3-unit-XXXXXX";
	char memory[] = "/dev/shm/pop3-unit-XXXXXX";
	int descriptor = mkstemp(disk);
	CU_ASSERT_FATAL(descriptor >= 0);
	close(descriptor);
	descriptor = mkstemp(memory);
	CU_ASSERT_FATAL(descriptor >= 0);
	close(descriptor);
	fetch_from(HOST_BYTES, NULL);
	fetch_from(HOST_PULL, NULL);
	fetch_from(HOST_FILE, disk);
	fetch_from(HOST_FILE, memory);
	test_count(4);
}

/* A directory: reading it at once fails, and so does reading it on a thread. */
static void file_that_cannot_be_read_closes_without_the_dot(void)
{
	struct host h;
	host_init(&h);
	h.source = HOST_FILE;
	h.path = "/tmp";
	serve(&h);
	int client = dial_in(&h);
	guest_asks(client, "RETR 1\r\n", "+OK 23 octets\r\n");
	guest_at_end(client);
	host_await(&h, &h.closed, 1);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_ERROR);
	host_expect_log(&h, "text=message 1: its file cannot be read");
	host_fini(&h);
}

/* pread(2) of a pipe fails at once. */
static void loader_brings_back_results_and_errors(void)
{
	struct loader loader;
	struct waker waker;
	struct load_job bad = {.load = {.size = 4}}, good = {.load = {.size = 4}};
	char bad_octets[4], good_octets[4];
	int ends[2];
	char path[] = "/tmp/pop3-unit-XXXXXX";
	int file = mkstemp(path);
	CU_ASSERT_FATAL(file >= 0);
	unlink(path);
	CU_ASSERT_EQUAL(write(file, "mail", 4), 4);
	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	waker_init(&waker);
	CU_ASSERT_EQUAL(waker_open(&waker), 0);
	loader_init(&loader, &waker);

	bad.load.descriptor = ends[0];
	bad.load.buffer = bad_octets;
	good.load.descriptor = file;
	good.load.buffer = good_octets;
	loader_submit(&loader, &bad);
	loader_submit(&loader, &good);
	int back = 0;
	struct pollfd woken = {.fd = waker.read_end, .events = POLLIN};
	while (back < 2) {
		CU_ASSERT_FATAL(poll(&woken, 1, HOST_PATIENCE * 1000) == 1);
		waker_take(&waker);
		for (struct load_job *job = loader_take(&loader); job != NULL;
		     job = loader_take(&loader))
			back++;
	}
	CU_ASSERT_EQUAL(bad.result, -ESPIPE);
	CU_ASSERT_EQUAL(good.result, 4);
	CU_ASSERT_EQUAL(memcmp(good_octets, "mail", 4), 0);
	loader_stop(&loader);
	loader_fini(&loader);
	waker_fini(&waker);
	close(ends[0]);
	close(ends[1]);
	close(file);
}

static const struct test tests[] = {
	TEST(half_closed_client_gets_all_replies),
	TEST(reset_connection_is_lost),
	TEST(unix_client_that_vanishes_does_not_spin_the_loop),
	TEST(wake_that_is_written_late_does_not_spin_the_loop),
	TEST(read_that_outlasts_the_stop_does_not_spin_the_loop),
	TEST(pipelined_commands_are_answered_in_one_write),
	TEST(last_reply_is_followed_by_the_end_not_by_a_reset),
	TEST(client_that_stays_after_the_last_reply_is_closed),
	TEST(client_that_never_reads_is_closed_after_the_write_timeout),
	TEST(idle_client_is_closed_without_a_word),
	TEST(client_that_sends_more_than_is_taken_is_slowed_down),
	TEST(idle_crowd_leaves_the_poll_set_and_is_still_served),
	TEST(message_is_the_same_from_every_source),
	TEST(file_that_cannot_be_read_closes_without_the_dot),
	TEST(loader_brings_back_results_and_errors),
	TEST_END,
};
const struct test_suite suite_server_clients = {"server_clients", tests};
