/*
 * PROXY headers and adopted sockets on a real server: what an embedding application sees of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/proxies.h"
#include "unit/net_host.h"

static const char *const here[] = {"127.0.0.0/8", "::1"};

/* What `connected` told last, and how often it came; of the host's lock. */
static struct pop3_info last;
static unsigned connections;

static void on_connected(struct pop3_connected *e, void *data)
{
	struct host *h = data;
	pthread_mutex_lock(&h->lock);
	last = *e->event.info;
	connections++;
	pthread_mutex_unlock(&h->lock);
}

static struct pop3_info expect_connections(struct host *h, unsigned count)
{
	pthread_mutex_lock(&h->lock);
	struct pop3_info info = last;
	CU_ASSERT_EQUAL(connections, count);
	pthread_mutex_unlock(&h->lock);
	return info;
}

static void equip(struct host *h)
{
	host_init(h);
	last = (struct pop3_info){0};
	connections = 0;
	h->handlers.connected = on_connected;
	h->options.proxy = (struct pop3_proxy){.networks = here, .count = 2};
}

static void connected_comes_after_the_header_as_its_client(void)
{
	struct host h;
	equip(&h);
	host_open(&h, "127.0.0.1:0");
	host_start(&h);
	int client = dial(&h);
	guest_writes(client, "PROXY TCP4 192.0.2.1 198.51.100.2 47");
	usleep(20000);
	expect_connections(&h, 0);
	guest_asks(client, "11 110\r\n", "+OK POP3 server ready\r\n");
	struct pop3_info seen = expect_connections(&h, 1);
	CU_ASSERT_STRING_EQUAL(seen.peer, "192.0.2.1:4711");
	CU_ASSERT_STRING_EQUAL(seen.local, "198.51.100.2:110");
	CU_ASSERT_STRING_EQUAL(seen.language, "i-default");
	CU_ASSERT_FALSE(seen.loopback || seen.tls);
	close(client);
	host_expect_log(&h, "peer=192.0.2.1:4711 reason=dropped");
	host_fini(&h);
}

static void header_that_is_none_emits_nothing(void)
{
	struct host h;
	equip(&h);
	host_open(&h, "127.0.0.1:0");
	host_start(&h);
	int client = dial(&h);
	guest_writes(client, "USER alice\r\n");
	char octet;
	CU_ASSERT(recv(client, &octet, 1, 0) <= 0);
	close(client);
	host_expect_log(&h, "error=does not begin with a PROXY header");
	expect_connections(&h, 0);
	host_fini(&h);
}

/* Whether the proxy is on this machine, the client's address, and what the session is told. */
static void loopback_needs_client_and_proxy_on_this_machine(void)
{
	static const struct {
		bool local;
		const char *client;
		bool expected;
	} cases[] = {
		{true, "127.0.0.1:1", true},   {true, "[::1]:1", true},
		{true, "unix:/a", true},       {true, "192.0.2.1:1", false},
		{false, "127.0.0.1:1", false}, {false, "[::1]:1", false},
		{false, "unix:/a", false},     {false, "[::ffff:127.0.0.1]:1", false},
		{false, "192.0.2.1:1", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct arrival a = {.info.loopback = cases[i].local};
		struct proxy_header h = {0};
		struct pop3_info info;
		CU_ASSERT_EQUAL_FATAL(address_parse(cases[i].client, &h.source), 0);
		h.destination = h.source;
		arrival_describe(&a, &h, &info);
		CU_ASSERT_EQUAL(info.loopback, cases[i].expected);
		h.unknown = true;
		arrival_describe(&a, &h, &info);
		CU_ASSERT_EQUAL(info.loopback, cases[i].local);
	}
}

static void absent_alpn_is_refused_where_it_is_required(void)
{
	struct proxy_header h = {.tls = true};
	struct arrival a = {.believe_tls = true, .alpn_required = true};
	CU_ASSERT_FALSE(arrival_may_begin(&a, &h));
	h.alpn = h.alpn_pop3 = true;
	CU_ASSERT(arrival_may_begin(&a, &h));
	h.alpn = h.alpn_pop3 = false;
	a.alpn_required = false;
	CU_ASSERT(arrival_may_begin(&a, &h));
	a = (struct arrival){.alpn_required = true};
	CU_ASSERT(arrival_may_begin(&a, &h));
}

static void hear(const char *text, bool fatal, void *data)
{
	char *heard = data;
	CU_ASSERT(fatal);
	memcpy(heard, text, strlen(text) + 1);
}

static void what_is_no_network_is_refused_with_its_name(void)
{
	static const char *const wrong[] = {"127.0.0.1", "127.0.0.1/8"};
	struct host h;
	char heard[256] = "";
	equip(&h);
	h.options.proxy = (struct pop3_proxy){.networks = wrong, .count = 2};
	CU_ASSERT_EQUAL(pop3_options_check(&h.options, hear, heard), -EINVAL);
	CU_ASSERT_STRING_EQUAL(heard, "proxy: 127.0.0.1/8 is no network");
	CU_ASSERT_PTR_NULL(pop3_server_new("test.example", &h.options, &h.listener));
	CU_ASSERT_EQUAL(errno, EINVAL);
	host_expect_log(&h, "proxy: 127.0.0.1/8 is no network");

	h.options.proxy = (struct pop3_proxy){0};
	host_open(&h, "127.0.0.1:0");
	h.options.proxy = (struct pop3_proxy){.networks = wrong, .count = 2};
	CU_ASSERT_EQUAL(pop3_server_configure(h.server, &h.options), -EINVAL);
	host_start(&h);
	close(dial_in(&h));
	host_fini(&h);
}

/* ---- Sockets of others ---- */

static int bound(bool listens)
{
	struct address address;
	CU_ASSERT_EQUAL_FATAL(address_parse("127.0.0.1:0", &address), 0);
	int made = socket(AF_INET, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL_FATAL(bind(made, &address.socket.any, address.length), 0);
	if (listens)
		CU_ASSERT_EQUAL_FATAL(listen(made, 10), 0);
	return made;
}

static void listening_socket_of_another_is_served(void)
{
	const struct pop3_listen how = {.size = sizeof how};
	struct host h;
	host_init(&h);
	h.server = pop3_server_new("test.example", &h.options, &h.listener);
	CU_ASSERT_PTR_NOT_NULL_FATAL(h.server);
	int made = bound(true);
	int kept = dup(made);
	CU_ASSERT_EQUAL_FATAL(pop3_server_adopt(h.server, made, &how), 0);
	CU_ASSERT(h.port != 0);
	CU_ASSERT((fcntl(made, F_GETFL) & O_NONBLOCK) != 0);
	CU_ASSERT((fcntl(made, F_GETFD) & FD_CLOEXEC) != 0);
	host_start(&h);
	close(dial_in(&h));
	host_fini(&h);
	CU_ASSERT_EQUAL(fcntl(made, F_GETFD), -1);
	/* Whoever has bound it has it still. */
	int later = dial(&h);
	close(later);
	close(kept);
}

static void what_does_not_listen_stays_with_the_caller(void)
{
	const struct pop3_listen how = {.size = sizeof how};
	const struct pop3_listen tls = {.size = sizeof tls, .tls = true};
	const struct pop3_listen sizeless = {0};
	int pair[2];
	struct host h;
	host_init(&h);
	h.server = pop3_server_new("test.example", &h.options, &h.listener);
	CU_ASSERT_PTR_NOT_NULL_FATAL(h.server);
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	int idle = bound(false);
	int good = bound(true);
	CU_ASSERT_EQUAL(pop3_server_adopt(h.server, idle, &how), -EINVAL);
	CU_ASSERT_EQUAL(pop3_server_adopt(h.server, pair[0], &how), -EINVAL);
	CU_ASSERT_EQUAL(pop3_server_adopt(h.server, -1, &how), -EINVAL);
	CU_ASSERT_EQUAL(pop3_server_adopt(h.server, good, &tls), -EINVAL);
	CU_ASSERT_EQUAL(pop3_server_adopt(h.server, good, &sizeless), -EINVAL);
	pop3_server_stop(h.server, 0);
	CU_ASSERT_EQUAL(pop3_server_adopt(h.server, good, &how), -ECANCELED);
	host_fini(&h);
	CU_ASSERT_EQUAL(close(idle) + close(good) + close(pair[0]) + close(pair[1]), 0);
}

static const struct test tests[] = {
	TEST(connected_comes_after_the_header_as_its_client),
	TEST(header_that_is_none_emits_nothing),
	TEST(loopback_needs_client_and_proxy_on_this_machine),
	TEST(absent_alpn_is_refused_where_it_is_required),
	TEST(what_is_no_network_is_refused_with_its_name),
	TEST(listening_socket_of_another_is_served),
	TEST(what_does_not_listen_stays_with_the_caller),
	TEST_END,
};
const struct test_suite suite_server_proxy = {"server_proxy", tests};
