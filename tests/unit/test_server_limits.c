/* Limits on connections, refusals, and a process that has no more descriptors. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/limits.h"
#include "net/server.h"
#include "unit/net_host.h"

#define REFUSAL "-ERR [SYS/TEMP] too many connections\r\n"

/* A place is free as soon as the server has seen that its client has closed, too. */
static int dial_in_at_last(const struct host *h)
{
	char got[64];
	for (int tries = 0; tries < 1000; tries++) {
		int client = dial(h);
		if (recv(client, got, sizeof got, 0) > 3 && memcmp(got, "+OK", 3) == 0) {
			guest_asks(client, "USER alice\r\n", "+OK send PASS\r\n");
			guest_asks(client, "PASS secret\r\n", "+OK maildrop ready\r\n");
			return client;
		}
		close(client);
		usleep(5000);
	}
	CU_FAIL("the place does not become free");
	return -1;
}

static void connections_over_the_limit_are_refused_with_a_reason(void)
{
	struct host h;
	host_init(&h);
	h.options.limits.connections = 2;
	host_open(&h, "127.0.0.1:0");
	host_start(&h);
	int one = dial_in(&h);
	int two = dial_in(&h);
	for (int i = 0; i < 5; i++) {
		int client = dial(&h);
		guest_reads(client, REFUSAL);
		guest_at_end(client);
	}
	guest_asks(one, "QUIT\r\n", "+OK bye\r\n");
	guest_at_end(one);
	int three = dial_in_at_last(&h);
	guest_asks(two, "QUIT\r\n", "+OK bye\r\n");
	guest_asks(three, "QUIT\r\n", "+OK bye\r\n");
	guest_at_end(two);
	guest_at_end(three);
	/* Repeats are counted, not repeated. */
	CU_ASSERT_EQUAL(host_logged(&h, "refused peer=127.0.0.1:"), 1);
	CU_ASSERT_EQUAL(host_logged(&h, "why=too many connections\n"), 1);
	host_fini(&h);
}

static void connections_of_an_address_are_limited_where_asked(void)
{
	struct host h;
	for (int on_loopback = 0; on_loopback < 2; on_loopback++) {
		host_init(&h);
		h.options.limits.connections_per_address = 1;
		h.options.limits.on_loopback = on_loopback;
		host_open(&h, "127.0.0.1:0");
		host_start(&h);
		int one = dial_in(&h);
		int two = dial(&h);
		guest_reads(two, on_loopback ? REFUSAL : "+OK POP3 server ready\r\n");
		close(two);
		guest_asks(one, "QUIT\r\n", "+OK bye\r\n");
		guest_at_end(one);
		int three = dial_in_at_last(&h);
		close(three);
		host_await(&h, &h.closed, 2);
		CU_ASSERT_EQUAL(host_logged(&h, "too many connections from this address"),
				(unsigned)on_loopback);
		host_fini(&h);
	}
	test_count(2);
}

static int greeted(const struct host *h)
{
	int client = dial(h);
	guest_reads(client, "+OK POP3 server ready\r\n");
	return client;
}

static void when_all_places_are_taken_the_oldest_stranger_goes(void)
{
	struct host h;
	host_init(&h);
	h.options.limits.connections = 3;
	host_open(&h, "127.0.0.1:0");
	host_start(&h);
	int member = dial_in(&h);
	int first = greeted(&h);
	int second = greeted(&h);
	usleep(EVICTION_AGE * 1000);
	int third = greeted(&h);
	guest_at_end(first);
	/* The others, the member above all, stay. */
	guest_asks(second, "QUIT\r\n", "+OK bye\r\n");
	guest_asks(third, "QUIT\r\n", "+OK bye\r\n");
	guest_asks(member, "NOOP\r\n", "+OK\r\n");
	close(first);
	close(second);
	close(third);
	close(member);
	host_await(&h, &h.closed, 1);
	CU_ASSERT_EQUAL(host_logged(&h, "reason=limit"), 1);
	CU_ASSERT_EQUAL(host_logged(&h, "too many connections"), 0);
	host_fini(&h);
}

static void who_has_too_many_connections_takes_nobodys_place(void)
{
	struct host h;
	host_init(&h);
	h.options.limits.connections = 2;
	h.options.limits.connections_per_address = 2;
	h.options.limits.on_loopback = true;
	host_open(&h, "127.0.0.1:0");
	host_start(&h);
	int one = greeted(&h);
	int two = greeted(&h);
	usleep(EVICTION_AGE * 1000);
	int three = dial(&h);
	guest_reads(three, REFUSAL);
	guest_asks(one, "QUIT\r\n", "+OK bye\r\n");
	guest_asks(two, "QUIT\r\n", "+OK bye\r\n");
	close(one);
	close(two);
	close(three);
	host_expect_log(&h, "too many connections from this address");
	CU_ASSERT_EQUAL(host_logged(&h, "reason=limit"), 0);
	host_fini(&h);
}

static void refuse_with_text(struct pop3_connected *e, void *data)
{
	(void)data;
	CU_ASSERT(e->descriptor >= 0);
	pop3_refuse(e, "not you");
}

static void refuse_silently(struct pop3_connected *e, void *data)
{
	(void)data;
	pop3_refuse(e, NULL);
}

static void connected_listener_can_refuse(void)
{
	struct host h;
	for (int i = 0; i < 2; i++) {
		host_init(&h);
		h.handlers.connected = i == 0 ? refuse_with_text : refuse_silently;
		host_open(&h, "127.0.0.1:0");
		host_start(&h);
		int client = dial(&h);
		if (i == 0)
			guest_reads(client, "-ERR not you\r\n");
		guest_at_end(client);
		host_expect_log(&h, "reason=refused");
		host_fini(&h);
	}
	test_count(2);
}

/* ---- No more descriptors ---- */

/* Take all descriptors but `spare`. */
static void exhaust(int spare)
{
	struct rlimit limit = {.rlim_cur = 64, .rlim_max = 64};
	int taken[64];
	int count = 0;
	setrlimit(RLIMIT_NOFILE, &limit);
	int descriptor = dup(0);
	while (descriptor >= 0) {
		taken[count++] = descriptor;
		descriptor = dup(0);
	}
	while (spare-- > 0 && count > 0)
		close(taken[--count]);
}

/* Turns of the loop within some time; a busy loop makes thousands. */
static int turns_in(struct pop3_server *s, uint64_t milliseconds)
{
	struct pollfd set[16];
	int timeout;
	int turns = 0;
	uint64_t end = clock_now() + milliseconds;
	while (clock_now() < end) {
		size_t count = pop3_server_pollfds(s, set, 16, &timeout);
		poll(set, (nfds_t)count, timeout < 0 || timeout > 50 ? 50 : timeout);
		pop3_server_dispatch(s, set, count);
		turns++;
	}
	return turns;
}

static bool has_greeting(int client)
{
	char octets[64];
	return recv(client, octets, sizeof octets, MSG_DONTWAIT) > 0;
}

#define LOGIN "USER alice\r\nPASS secret\r\n"

/* A client that has sent something before it is accepted. */
static int dial_with(struct host *h, const char *text)
{
	int client = dial(h);
	CU_ASSERT_EQUAL(send(client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	return client;
}

/* In a process of its own. 0, or the number of what went wrong. */
static int starve(void)
{
	struct host h;
	host_init(&h);
	host_open(&h, "127.0.0.1:0");
	int one = dial_with(&h, LOGIN);
	int two = dial_with(&h, LOGIN);
	int three = dial_with(&h, LOGIN);
	exhaust(1);
	int turns = turns_in(h.server, 600);
	if (turns > 60)
		return 1;
	if (!has_greeting(one) || has_greeting(two) || has_greeting(three))
		return 2;
	if (host_logged(&h, "text=cannot take a connection: accept: Too many open files\n") != 1)
		return 3;
	/* A connection that closes makes room for the next one at once. */
	close(one);
	turns_in(h.server, 200);
	if (!has_greeting(two))
		return 4;
	close(two);
	turns_in(h.server, 200);
	if (!has_greeting(three))
		return 5;
	close(three);
	pop3_server_free(h.server);
	return 0;
}

/* The same with clients that do not log in: each newcomer takes the place of the one before. */
static int crowd_out(void)
{
	struct host h;
	host_init(&h);
	host_open(&h, "127.0.0.1:0");
	int guests[3] = {dial(&h), dial(&h), dial(&h)};
	exhaust(1);
	if (turns_in(h.server, 3 * EVICTION_AGE + 300) > 60)
		return 1;
	for (int i = 0; i < 3; i++)
		if (!has_greeting(guests[i]))
			return 2;
	pop3_server_free(h.server);
	return host_logged(&h, "reason=limit") == 2 ? 0 : 3;
}

static void run_apart(int (*run)(void))
{
	int status = 0;
	pid_t child = fork();
	CU_ASSERT_FATAL(child >= 0);
	if (child == 0)
		_exit(run());
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT(WIFEXITED(status));
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

static void lack_of_descriptors_neither_spins_nor_ends_the_server(void)
{
	run_apart(starve);
}

static void lack_of_descriptors_is_met_by_closing_who_has_not_logged_in(void)
{
	run_apart(crowd_out);
}

static const struct test tests[] = {
	TEST(connections_over_the_limit_are_refused_with_a_reason),
	TEST(connections_of_an_address_are_limited_where_asked),
	TEST(connected_listener_can_refuse),
	TEST(lack_of_descriptors_neither_spins_nor_ends_the_server),
	TEST(lack_of_descriptors_is_met_by_closing_who_has_not_logged_in),
	TEST(when_all_places_are_taken_the_oldest_stranger_goes),
	TEST(who_has_too_many_connections_takes_nobodys_place),
	TEST_END,
};
const struct test_suite suite_server_limits = {"server_limits", tests};
