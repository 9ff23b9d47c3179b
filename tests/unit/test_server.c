/* A server on real sockets: addresses, the levels of driving it, answers that come later, stop. */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit/net_host.h"

/* ---- Addresses ---- */

static void converse(const struct host *h)
{
	int client = dial_in(h);
	guest_asks(client, "STAT\r\n", "+OK 1 23\r\n");
	guest_asks(client, "RETR 1\r\n", "+OK 23 octets\r\nSubject: one\r\n\r\n..text\r\n.\r\n");
	guest_asks(client, "QUIT\r\n", "+OK bye\r\n");
	guest_at_end(client);
}

static void serve_at(const char *address, const char *prefix)
{
	struct host h;
	host_init(&h);
	host_open(&h, address);
	CU_ASSERT_EQUAL(strncmp(h.address, prefix, strlen(prefix)), 0);
	host_start(&h);
	converse(&h);
	host_stop(&h, 1000);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_QUIT);
	host_fini(&h);
}

static void make_folder(char folder[32])
{
	strcpy(folder, "/tmp/pop3-unit-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static void server_serves_ipv4_ipv6_and_unix_sockets(void)
{
	char folder[32], address[64];
	make_folder(folder);
	snprintf(address, sizeof address, "unix:%s/socket", folder);
	serve_at("127.0.0.1:0", "127.0.0.1:");
	serve_at("[::1]:0", "[::1]:");
	serve_at(address, address);
	/* Its file is gone, so the folder is empty. */
	CU_ASSERT_EQUAL(rmdir(folder), 0);
	test_count(3);
}

static void every_address_means_ipv4_and_ipv6(void)
{
	struct host h;
	host_init(&h);
	host_open(&h, ":0");
	CU_ASSERT(h.port != 0);
	host_start(&h);
	snprintf(h.address, sizeof h.address, "127.0.0.1:%u", h.port);
	converse(&h);
	host_expect_log(&h, "peer=127.0.0.1:");
	snprintf(h.address, sizeof h.address, "[::1]:%u", h.port);
	converse(&h);
	host_expect_log(&h, "peer=[::1]:");
	host_fini(&h);
}

static void listening_tells_the_real_port_of_each_address(void)
{
	struct host h;
	host_init(&h);
	host_open(&h, "127.0.0.1:0");
	uint16_t first = h.port;
	CU_ASSERT(first != 0);
	CU_ASSERT_EQUAL(pop3_server_listen(h.server, "127.0.0.1:0"), 0);
	CU_ASSERT(h.port != 0 && h.port != first);
	host_start(&h);
	converse(&h);
	snprintf(h.address, sizeof h.address, "127.0.0.1:%u", first);
	converse(&h);
	host_fini(&h);
}

static void address_that_cannot_be_listened_at_is_an_error(void)
{
	struct host h;
	char used[POP3_ADDRESS_SIZE];
	host_init(&h);
	host_open(&h, "127.0.0.1:0");
	memcpy(used, h.address, sizeof used);
	CU_ASSERT_EQUAL(pop3_server_listen(h.server, used), -EADDRINUSE);
	CU_ASSERT_EQUAL(pop3_server_listen(h.server, "localhost:0"), -EINVAL);
	CU_ASSERT_EQUAL(pop3_server_listen(h.server, "unix:/nowhere/at/all"), -ENOENT);
	CU_ASSERT_EQUAL(pop3_server_listen(h.server, "192.0.2.1:0"), -EADDRNOTAVAIL);
	host_fini(&h);
}

static void unix_socket_is_replaced_only_if_nobody_listens(void)
{
	struct host first, second;
	char folder[32], address[80], path[64];
	struct sockaddr_un stale = {.sun_family = AF_UNIX};
	make_folder(folder);
	snprintf(path, sizeof path, "%s/socket", folder);
	snprintf(address, sizeof address, "unix:%s", path);
	memcpy(stale.sun_path, path, sizeof path);
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(bind(dead, (const struct sockaddr *)&stale, sizeof stale), 0);
	close(dead);

	host_init(&first);
	host_open(&first, address);
	host_start(&first);
	host_init(&second);
	host_open(&second, "127.0.0.1:0");
	CU_ASSERT_EQUAL(pop3_server_listen(second.server, address), -EADDRINUSE);
	host_fini(&second);
	converse(&first);
	host_fini(&first);

	/* A file that is no socket is never touched. */
	FILE *file = fopen(path, "w");
	fclose(file);
	host_init(&second);
	host_open(&second, "127.0.0.1:0");
	CU_ASSERT_EQUAL(pop3_server_listen(second.server, address), -EADDRINUSE);
	host_fini(&second);
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

/* ---- Level 2 ---- */

/* One turn of a loop that is ours. */
static void turn(struct pop3_server *s)
{
	struct pollfd set[64];
	int timeout;
	size_t count = pop3_server_pollfds(s, set, 64, &timeout);
	CU_ASSERT_FATAL(count <= 64);
	CU_ASSERT(poll(set, (nfds_t)count, timeout < 0 || timeout > 1000 ? 1000 : timeout) >= 0);
	pop3_server_dispatch(s, set, count);
}

struct talk {
	const struct host *host;
	int write_end;
};

static void *talk_main(void *data)
{
	struct talk *t = data;
	converse(t->host);
	CU_ASSERT_EQUAL(write(t->write_end, "x", 1), 1);
	return NULL;
}

static void server_runs_in_the_callers_poll_loop(void)
{
	struct host h;
	pthread_t thread;
	int ends[2];
	int timeout;
	struct pollfd done = {.events = POLLIN};
	host_init(&h);
	host_open(&h, "127.0.0.1:0");
	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	/* Too little room is told. */
	CU_ASSERT(pop3_server_pollfds(h.server, NULL, 0, &timeout) > 0);
	CU_ASSERT_EQUAL(timeout, -1);
	struct talk talk = {&h, ends[1]};
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, talk_main, &talk), 0);
	done.fd = ends[0];
	while (poll(&done, 1, 0) == 0)
		turn(h.server);
	pthread_join(thread, NULL);
	CU_ASSERT_FALSE(pop3_server_stopped(h.server));
	pop3_server_stop(h.server, 1000);
	while (!pop3_server_stopped(h.server))
		turn(h.server);
	close(ends[0]);
	close(ends[1]);
	host_fini(&h);
}

static void server_for_bare_sessions_opens_no_descriptor(void)
{
	struct host h;
	struct pop3_info info = {.peer = "nobody"};
	size_t length;
	host_init(&h);
	h.server = pop3_server_new("test.example", &h.options, &h.listener);
	CU_ASSERT_PTR_NOT_NULL_FATAL(h.server);
	int next = dup(0);
	close(next);
	struct pop3_session *session = pop3_session_new(h.server, &info, 0);
	pop3_session_feed(session, "CAPA\r\n", 6, 0);
	const char *output = pop3_session_output(session, &length);
	CU_ASSERT(length > 23 && memcmp(output, "+OK POP3 server ready\r\n", 23) == 0);
	int again = dup(0);
	close(again);
	CU_ASSERT_EQUAL(again, next);
	pop3_session_free(session);
	host_fini(&h);
}

/* ---- Answers that come later ---- */

struct later {
	struct host *host;
	sem_t ready;
	struct pop3_event *copy;
};

static void keep(struct pop3_event *copy, void *data)
{
	struct later *l = data;
	l->copy = copy;
	sem_post(&l->ready);
}

static void *answer_later(void *data)
{
	struct later *l = data;
	sem_wait(&l->ready);
	usleep(50000);
	pthread_mutex_lock(&l->host->lock);
	l->host->opened++;
	pthread_mutex_unlock(&l->host->lock);
	CU_ASSERT_EQUAL(pop3_answer_open((struct pop3_open *)l->copy, POP3_OK, NULL), 0);
	return NULL;
}

static void later_init(struct later *l, struct host *h)
{
	*l = (struct later){.host = h};
	sem_init(&l->ready, 0, 0);
	host_init(h);
	h->defer = keep;
	h->defer_data = l;
	host_open(h, "127.0.0.1:0");
	host_start(h);
}

static void deferred_answer_comes_from_another_thread(void)
{
	struct host h;
	struct later later;
	pthread_t thread;
	later_init(&later, &h);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, answer_later, &later), 0);
	int client = dial(&h);
	/* The commands behind the one that waits keep their order. */
	guest_asks(client, "USER alice\r\nPASS secret\r\nNOOP\r\nQUIT\r\n",
		   "+OK POP3 server ready\r\n+OK send PASS\r\n+OK maildrop ready\r\n+OK\r\n"
		   "+OK bye\r\n");
	guest_at_end(client);
	pthread_join(thread, NULL);
	host_fini(&h);
	sem_destroy(&later.ready);
}

static void deferred_answer_after_the_client_left_closes_the_maildrop(void)
{
	struct host h;
	struct later later;
	struct linger reset = {.l_onoff = 1};
	later_init(&later, &h);
	int client = dial(&h);
	guest_asks(client, "USER alice\r\nPASS secret\r\n", "+OK POP3 server ready\r\n");
	sem_wait(&later.ready);
	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(client);
	CU_ASSERT_EQUAL(h.closed, 0);
	sem_post(&later.ready);
	answer_later(&later);
	host_await(&h, &h.closed, 1);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_LOST);
	host_fini(&h);
	sem_destroy(&later.ready);
}

static void deferred_answer_finds_no_server_and_is_canceled(void)
{
	struct host h;
	struct later later;
	later_init(&later, &h);
	int client = dial(&h);
	guest_asks(client, "USER alice\r\nPASS secret\r\n", "+OK POP3 server ready\r\n");
	sem_wait(&later.ready);
	host_stop(&h, 0);
	host_fini(&h);
	struct pop3_open *open = (struct pop3_open *)later.copy;
	CU_ASSERT_EQUAL(pop3_answer_open(open, POP3_OK, NULL), -ECANCELED);
	close(client);
	sem_destroy(&later.ready);
}

/* ---- Stop ---- */

static void stop_closes_idle_sessions_and_refuses_new_ones(void)
{
	struct host h;
	host_init(&h);
	host_open(&h, "127.0.0.1:0");
	host_start(&h);
	int client = dial_in(&h);
	/* A drain time longer than any test: only sessions under way use it. */
	host_stop(&h, 3600000);
	guest_at_end(client);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_SHUTDOWN);
	CU_ASSERT_EQUAL(pop3_server_listen(h.server, "127.0.0.1:0"), -ECANCELED);
	host_fini(&h);
}

static void big_message(struct host *h, size_t length)
{
	char *octets = malloc(length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(octets);
	for (size_t i = 0; i < length; i++)
		octets[i] = i % 64 == 63 ? '\n' : i % 64 == 62 ? '\r' : 'x';
	h->message = octets;
	h->length = length;
}

static void stop_lets_a_transfer_end(void)
{
	struct host h;
	char last[65];
	host_init(&h);
	big_message(&h, 20u << 20);
	host_open(&h, "127.0.0.1:0");
	host_start(&h);
	int client = dial_in(&h);
	guest_asks(client, "RETR 1\r\nNOOP\r\n", "+OK 20971520 octets\r\n");
	pop3_server_stop(h.server, 3600000);
	CU_ASSERT_EQUAL(guest_drains(client, last), (20u << 20) + 3);
	CU_ASSERT_STRING_EQUAL(last + 64 - 5, "\r\n.\r\n");
	close(client);
	host_stop(&h, 3600000);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_SHUTDOWN);
	host_fini(&h);
	free((void *)(uintptr_t)h.message);
}

static void second_stop_shortens_the_drain(void)
{
	struct host h;
	host_init(&h);
	big_message(&h, 64u << 20);
	host_open(&h, "127.0.0.1:0");
	host_start(&h);
	int client = dial_in(&h);
	guest_asks(client, "RETR 1\r\n", "+OK 67108864 octets\r\n");
	pop3_server_stop(h.server, 3600000);
	/* The client does not read on: only the second call can end this. */
	host_stop(&h, 50);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_SHUTDOWN);
	close(client);
	host_fini(&h);
	free((void *)(uintptr_t)h.message);
}

static struct pop3_server *signalled;

static void on_signal(int number)
{
	(void)number;
	pop3_server_stop(signalled, 0);
}

static void stop_works_in_a_signal_handler(void)
{
	struct host h;
	struct sigaction action = {.sa_handler = on_signal}, before;
	host_init(&h);
	host_open(&h, "127.0.0.1:0");
	signalled = h.server;
	sigaction(SIGUSR1, &action, &before);
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(pop3_server_run(h.server), 0);
	sigaction(SIGUSR1, &before, NULL);
	host_fini(&h);
}

static void free_ends_the_sessions_that_are_open(void)
{
	struct host h;
	host_init(&h);
	host_open(&h, "127.0.0.1:0");
	int client = dial(&h);
	guest_writes(client, "USER alice\r\nPASS secret\r\n");
	while (h.opened == 0)
		turn(h.server);
	pop3_server_free(h.server);
	h.server = NULL;
	CU_ASSERT_EQUAL(h.closed, 1);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_SHUTDOWN);
	guest_reads(client, "+OK POP3 server ready\r\n+OK send PASS\r\n+OK maildrop ready\r\n");
	guest_at_end(client);
	host_fini(&h);
}

static const struct test tests[] = {
	TEST(server_serves_ipv4_ipv6_and_unix_sockets),
	TEST(every_address_means_ipv4_and_ipv6),
	TEST(listening_tells_the_real_port_of_each_address),
	TEST(address_that_cannot_be_listened_at_is_an_error),
	TEST(unix_socket_is_replaced_only_if_nobody_listens),
	TEST(server_runs_in_the_callers_poll_loop),
	TEST(server_for_bare_sessions_opens_no_descriptor),
	TEST(deferred_answer_comes_from_another_thread),
	TEST(deferred_answer_after_the_client_left_closes_the_maildrop),
	TEST(deferred_answer_finds_no_server_and_is_canceled),
	TEST(stop_closes_idle_sessions_and_refuses_new_ones),
	TEST(stop_lets_a_transfer_end),
	TEST(second_stop_shortens_the_drain),
	TEST(stop_works_in_a_signal_handler),
	TEST(free_ends_the_sessions_that_are_open),
	TEST_END,
};
const struct test_suite suite_server = {"server", tests};
