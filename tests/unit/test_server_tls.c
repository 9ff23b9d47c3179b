/* TLS on real sockets: both ways to begin it, silence, back-pressure, reload, what cuts it. */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/net_host.h"
#include "unit/tls_certs.h"

struct guest {
	int socket;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
};

static void equip(struct host *h)
{
	host_init(h);
	h->options.cert = cert_server()->cert;
	h->options.key = cert_server()->key;
}

static void open_server(struct host *h, bool tls)
{
	const struct pop3_listen how = {.size = sizeof how, .tls = tls};
	h->server = pop3_server_new("test.example", &h->options, &h->listener);
	CU_ASSERT_PTR_NOT_NULL_FATAL(h->server);
	CU_ASSERT_EQUAL_FATAL(pop3_server_listen_with(h->server, "127.0.0.1:0", &how), 0);
}

static void serve(struct host *h, bool tls)
{
	open_server(h, tls);
	host_start(h);
}

/* ---- A client ---- */

static void shake(struct guest *g)
{
	gnutls_datum_t ca = {(unsigned char *)(uintptr_t)cert_ca(), (unsigned)strlen(cert_ca())};
	gnutls_certificate_allocate_credentials(&g->credentials);
	gnutls_certificate_set_x509_trust_mem(g->credentials, &ca, GNUTLS_X509_FMT_PEM);
	gnutls_init(&g->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
	gnutls_set_default_priority(g->session);
	gnutls_credentials_set(g->session, GNUTLS_CRD_CERTIFICATE, g->credentials);
	gnutls_session_set_verify_cert(g->session, "test.example", 0);
	gnutls_transport_set_int(g->session, g->socket);
	CU_ASSERT_EQUAL(gnutls_handshake(g->session), 0);
}

static void say(struct guest *g, const char *text)
{
	CU_ASSERT_EQUAL(gnutls_record_send(g->session, text, strlen(text)), (ssize_t)strlen(text));
}

static ssize_t take(struct guest *g, char *octets, size_t size)
{
	ssize_t got = GNUTLS_E_AGAIN;
	/* Tickets come between. */
	for (int i = 0; i < 4 && got == GNUTLS_E_AGAIN; i++)
		got = gnutls_record_recv(g->session, octets, size);
	return got;
}

static void expect(struct guest *g, const char *text)
{
	char got[4096];
	size_t length = 0;
	while (length < strlen(text)) {
		ssize_t part = take(g, got + length, strlen(text) - length);
		if (part <= 0)
			break;
		length += (size_t)part;
	}
	got[length] = '\0';
	CU_ASSERT_STRING_EQUAL(got, text);
}

static void ask(struct guest *g, const char *text, const char *reply)
{
	say(g, text);
	expect(g, reply);
}

static void part(struct guest *g)
{
	gnutls_deinit(g->session);
	gnutls_certificate_free_credentials(g->credentials);
	close(g->socket);
}

static struct guest arrive(const struct host *h, bool tls)
{
	struct guest g = {.socket = dial(h)};
	if (!tls) {
		guest_reads(g.socket, "+OK POP3 server ready\r\n");
		guest_asks(g.socket, "STLS\r\n", "+OK begin TLS\r\n");
	}
	shake(&g);
	if (tls)
		expect(&g, "+OK POP3 server ready\r\n");
	return g;
}

static struct guest log_in(const struct host *h, bool tls)
{
	struct guest g = arrive(h, tls);
	ask(&g, "USER alice\r\n", "+OK send PASS\r\n");
	ask(&g, "PASS secret\r\n", "+OK maildrop ready\r\n");
	return g;
}

/* ---- Both ways ---- */

static void stls_and_implicit_tls_serve_whole_sessions(void)
{
	for (int tls = 0; tls < 2; tls++) {
		struct host h;
		char octet;
		equip(&h);
		serve(&h, tls);
		struct guest g = log_in(&h, tls);
		ask(&g, "RETR 1\r\n", "+OK 23 octets\r\nSubject: one\r\n\r\n..text\r\n.\r\n");
		ask(&g, "QUIT\r\n", "+OK bye\r\n");
		/* The end is announced. */
		CU_ASSERT_EQUAL(take(&g, &octet, 1), 0);
		part(&g);
		host_await(&h, &h.closed, 1);
		CU_ASSERT_EQUAL(h.reason, POP3_REASON_QUIT);
		host_expect_log(&h, "tls=TLS1.3 cipher=TLS_");
		host_fini(&h);
	}
}

static void many_commands_in_one_record_are_all_answered(void)
{
	struct host h;
	char commands[6 * 2000 + 1] = "";
	equip(&h);
	serve(&h, true);
	struct guest g = log_in(&h, true);
	for (int i = 0; i < 2000; i++)
		memcpy(commands + 6 * i, "NOOP\r\n", 7);
	say(&g, commands);
	for (int i = 0; i < 500; i++)
		expect(&g, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
	part(&g);
	host_fini(&h);
}

/* The answer comes late, the socket is silent meanwhile: what is left of the record waits in TLS.
 */
static void keep(struct pop3_event *copy, void *data)
{
	*(struct pop3_event **)data = copy;
}

static void commands_behind_a_late_answer_are_served_from_a_silent_socket(void)
{
	struct host h;
	struct pop3_event *copy = NULL;
	equip(&h);
	h.defer = keep;
	h.defer_data = &copy;
	h.handlers.closed = NULL;
	serve(&h, true);
	struct guest g = arrive(&h, true);
	say(&g, "USER alice\r\nPASS secret\r\nNOOP\r\nSTAT\r\n");
	say(&g, "NOOP\r\n");
	expect(&g, "+OK send PASS\r\n");
	usleep(50000);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	struct pop3_open *open = (struct pop3_open *)(void *)copy;
	CU_ASSERT_EQUAL(pop3_answer_open(open, POP3_OK, NULL), 0);
	expect(&g, "+OK maildrop ready\r\n+OK\r\n+OK 1 23\r\n+OK\r\n");
	part(&g);
	host_fini(&h);
}

static void a_large_message_arrives_whole_however_slowly_it_is_read(void)
{
	static char got[16384];
	const size_t size = 6u << 20;
	struct host h;
	struct guest g;
	char *message = malloc(size + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	for (size_t i = 0; i < size; i += 64)
		snprintf(message + i, 65, "%062zu\r\n", i / 64);
	for (enum host_source source = HOST_BYTES; source <= HOST_PULL; source++) {
		size_t at = 0;
		equip(&h);
		h.message = message;
		h.length = size;
		h.source = source;
		serve(&h, true);
		g = log_in(&h, true);
		ask(&g, "RETR 1\r\n", "+OK 6291456 octets\r\n");
		while (at < size) {
			size_t want = size - at < sizeof got ? size - at : sizeof got;
			ssize_t length = take(&g, got, want);
			CU_ASSERT_FATAL(length > 0);
			CU_ASSERT_FATAL(memcmp(got, message + at, (size_t)length) == 0);
			at += (size_t)length;
			if (at % (1u << 20) < 4096)
				usleep(1000);
		}
		ask(&g, "NOOP\r\n", ".\r\n+OK\r\n");
		part(&g);
		host_fini(&h);
	}
	free(message);
}

static void a_client_that_reads_nothing_ends_by_the_write_timeout(void)
{
	const size_t size = 24u << 20;
	struct host h;
	char *message = malloc(size + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	memset(message, 'x', size);
	message[size] = '\0';
	equip(&h);
	h.message = message;
	h.length = size;
	h.options.timeouts.write = 300;
	serve(&h, true);
	struct guest g = log_in(&h, true);
	say(&g, "RETR 1\r\n");
	host_await(&h, &h.closed, 1);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_TIMEOUT);
	part(&g);
	host_fini(&h);
	free(message);
}

/* ---- Ends ---- */

static void the_log_tells_an_announced_end_from_a_cut(void)
{
	struct host h;
	equip(&h);
	serve(&h, true);
	struct guest g = log_in(&h, true);
	gnutls_bye(g.session, GNUTLS_SHUT_WR);
	host_await(&h, &h.closed, 1);
	part(&g);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_DROPPED);
	CU_ASSERT_EQUAL(host_logged(&h, "cut off"), 0);
	g = log_in(&h, true);
	part(&g);
	host_await(&h, &h.closed, 2);
	CU_ASSERT_EQUAL(h.reason, POP3_REASON_DROPPED);
	host_expect_log(&h, "error=the TLS stream was cut off");
	host_fini(&h);
}

static void reset(int client)
{
	struct linger now = {.l_onoff = 1};
	setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(client);
}

/* Reading finds out, in the handshake and after it, with output waiting and without. */
static void a_reset_at_any_moment_ends_that_connection_alone(void)
{
	struct host h;
	equip(&h);
	serve(&h, true);
	struct guest other = log_in(&h, true);
	for (int i = 0; i < 30; i++) {
		int client = dial(&h);
		if (i % 3 > 0)
			CU_ASSERT_EQUAL(send(client, "\x16\x03\x01\x02\x00\x01", (size_t)i % 3 * 3,
					     MSG_NOSIGNAL),
					i % 3 * 3);
		if (i % 2 > 0)
			usleep(2000);
		reset(client);
	}
	for (int i = 0; i < 10; i++) {
		struct guest g = log_in(&h, true);
		if (i % 2 > 0)
			say(&g, "RETR 1\r\nNOOP\r\n");
		reset(dup(g.socket));
		gnutls_deinit(g.session);
		gnutls_certificate_free_credentials(g.credentials);
		reset(g.socket);
	}
	host_await(&h, &h.closed, 10);
	ask(&other, "NOOP\r\n", "+OK\r\n");
	part(&other);
	host_fini(&h);
}

static void a_handshake_that_never_ends_is_ended(void)
{
	for (int tls = 0; tls < 2; tls++) {
		struct host h;
		equip(&h);
		h.options.timeouts.handshake = 200;
		serve(&h, tls);
		int client = dial(&h);
		if (!tls) {
			guest_reads(client, "+OK POP3 server ready\r\n");
			guest_asks(client, "STLS\r\n", "+OK begin TLS\r\n");
		}
		CU_ASSERT_EQUAL(send(client, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
		guest_at_end(client);
		host_expect_log(&h, "the TLS handshake took too long");
		host_fini(&h);
	}
}

static void plaintext_at_a_tls_port_gets_an_alert_and_one_log_line(void)
{
	struct host h;
	unsigned char alert[8];
	equip(&h);
	serve(&h, true);
	int client = dial(&h);
	guest_writes(client, "USER mallory\r\n");
	CU_ASSERT_EQUAL(recv(client, alert, sizeof alert, MSG_WAITALL), 7);
	CU_ASSERT_EQUAL(alert[0], 21);
	close(client);
	host_expect_log(&h, "reason=tls");
	CU_ASSERT_EQUAL(host_logged(&h, "closed"), 1);
	host_fini(&h);
}

/* ---- Clients that pause ---- */

/*
 * The session is over but for what is on its way to a client that pauses. The replies go from what
 * the kernel takes to what it does not: with some of them only ciphertext is left to be sent.
 */
#define PAUSED      24
#define PAUSED_STEP 400u /* lines, of 64 octets with CRLF */
#define PAUSE       (2500 * 1000)

static char *make_lines(size_t count)
{
	char *message = malloc(64 * (count + 1) + 3);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	snprintf(message, 67, "Subject: %053d\r\n\r\n", 1);
	for (size_t i = 0; i < count; i++)
		snprintf(message + 66 + 64 * i, 65, "%062zu\r\n", i);
	return message;
}

/* A whole reply to TOP, and then the announced end. */
static void read_top(struct guest *g, size_t lines)
{
	static char got[64 * (PAUSED * PAUSED_STEP + 2)];
	const size_t size = 5 + 66 + 64 * lines + 3;
	size_t at = 0;
	ssize_t length = take(g, got, sizeof got);
	while (length > 0) {
		at += (size_t)length;
		length = take(g, got + at, sizeof got - at);
	}
	CU_ASSERT_EQUAL(length, 0);
	CU_ASSERT_EQUAL(at, size);
	CU_ASSERT(at == size && memcmp(got + at - 5, "\r\n.\r\n", 5) == 0);
}

/* Either the client ends its stream, or the server is stopped and has time to drain. */
static void pause_before_reading(bool half_closed)
{
	struct host h;
	struct guest guests[PAUSED];
	char command[32];
	char *message = make_lines(PAUSED * PAUSED_STEP);
	equip(&h);
	h.message = message;
	h.length = strlen(message);
	h.options.limits.connections_per_user = PAUSED;
	serve(&h, true);
	for (unsigned i = 0; i < PAUSED; i++) {
		guests[i] = log_in(&h, true);
		snprintf(command, sizeof command, "TOP 1 %u\r\n", (i + 1) * PAUSED_STEP);
		say(&guests[i], command);
		if (half_closed) {
			gnutls_bye(guests[i].session, GNUTLS_SHUT_WR);
			shutdown(guests[i].socket, SHUT_WR);
		}
	}
	usleep(100000);
	if (!half_closed)
		pop3_server_stop(h.server, HOST_PATIENCE * 1000);
	usleep(PAUSE);
	for (unsigned i = 0; i < PAUSED; i++) {
		read_top(&guests[i], (i + 1) * PAUSED_STEP);
		part(&guests[i]);
	}
	host_await(&h, &h.closed, PAUSED);
	host_fini(&h);
	free(message);
	test_count(PAUSED);
}

static void a_client_that_ends_its_stream_and_pauses_gets_the_whole_reply(void)
{
	pause_before_reading(true);
}

static void a_client_that_pauses_in_a_shutdown_gets_the_whole_reply(void)
{
	pause_before_reading(false);
}

/* One turn of the loop, which somebody else drives. */
static void turn(struct host *h)
{
	struct pollfd set[8];
	int timeout;
	size_t count = pop3_server_pollfds(h->server, set, 8, &timeout);
	CU_ASSERT_FATAL(count <= 8);
	CU_ASSERT(poll(set, (nfds_t)count, timeout) >= 0);
	pop3_server_dispatch(h->server, set, count);
}

static void no_handshake_goes_on_in_a_shutdown(void)
{
	struct host h;
	equip(&h);
	open_server(&h, true);
	int client = dial(&h);
	turn(&h);
	guest_writes(client, "USER mallory\r\n");
	pop3_server_stop(h.server, HOST_PATIENCE * 1000);
	turn(&h);
	/* No alert either. */
	guest_at_end(client);
	host_expect_log(&h, "reason=shutdown");
	host_fini(&h);
}

/* ---- Options ---- */

static void bad_certificates_are_refused_and_leave_all_as_it_was(void)
{
	struct host h;
	struct pop3_options bad;
	equip(&h);
	bad = h.options;
	bad.key = cert_other()->key;
	CU_ASSERT_PTR_NULL(pop3_server_new("test.example", &bad, &h.listener));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_EQUAL(host_logged(&h, "tls text=key (in memory): is not the key"), 1);
	open_server(&h, true);
	CU_ASSERT_EQUAL(pop3_server_configure(h.server, &bad), -EINVAL);
	bad.cert = bad.key = NULL;
	CU_ASSERT_EQUAL(pop3_server_configure(h.server, &bad), -EINVAL);
	CU_ASSERT_EQUAL(host_logged(&h, "an address with implicit TLS needs them"), 1);
	bad.tls.keep = true;
	CU_ASSERT_EQUAL(pop3_server_configure(h.server, &bad), 0);
	host_start(&h);
	struct guest g = log_in(&h, true);
	part(&g);
	host_fini(&h);
}

static void configure_at_once(struct pop3_connected *e, void *data)
{
	struct host *h = data;
	struct pop3_options others = h->options;
	(void)e;
	others.cert = cert_other()->cert;
	others.key = cert_other()->key;
	CU_ASSERT_EQUAL(pop3_server_configure(h->server, &others), 0);
}

/* shake() checks the name; the options of the session and its certificate are of one moment. */
static void a_connection_keeps_the_certificate_it_came_with(void)
{
	struct host h;
	equip(&h);
	h.handlers.connected = configure_at_once;
	serve(&h, false);
	struct guest g = log_in(&h, false);
	part(&g);
	host_fini(&h);
}

static void implicit_tls_without_a_certificate_is_refused(void)
{
	struct host h;
	const struct pop3_listen how = {.size = sizeof how, .tls = true};
	host_init(&h);
	h.server = pop3_server_new("test.example", &h.options, &h.listener);
	CU_ASSERT_EQUAL(pop3_server_listen_with(h.server, "127.0.0.1:0", &how), -EINVAL);
	host_fini(&h);
}

static void keeping_what_is_not_there_loads_what_is_named(void)
{
	struct host h;
	host_init(&h);
	const char *cert = cert_server()->cert, *key = cert_server()->key;
	h.server = pop3_server_new("test.example", &h.options, &h.listener);
	h.options.cert = cert;
	h.options.key = key;
	h.options.tls.keep = true;
	CU_ASSERT_EQUAL(pop3_server_configure(h.server, &h.options), 0);
	pop3_server_free(h.server);
	open_server(&h, true);
	host_start(&h);
	struct guest g = log_in(&h, true);
	part(&g);
	host_fini(&h);
}

static void invalid_options_are_named_in_the_log(void)
{
	struct host h;
	equip(&h);
	open_server(&h, true);
	h.options.require_tls = (enum pop3_require_tls)9;
	CU_ASSERT_EQUAL(pop3_server_configure(h.server, &h.options), -EINVAL);
	CU_ASSERT_EQUAL(
		host_logged(&h,
			    "tls text=options: size, apop or require_tls is none of its values"),
		1);
	host_fini(&h);
}

static void hear(const char *text, bool fatal, void *data)
{
	CU_ASSERT(fatal);
	snprintf(data, 256, "%s", text);
}

static void options_can_be_checked_without_a_server(void)
{
	char text[256] = "";
	struct pop3_options o = {
		.size = sizeof o, .cert = cert_server()->cert, .key = cert_server()->key};
	CU_ASSERT_EQUAL(pop3_options_check(&o, hear, text), 0);
	CU_ASSERT_STRING_EQUAL(text, "");
	o.key = "/nowhere/key.pem";
	CU_ASSERT_EQUAL(pop3_options_check(&o, hear, text), -ENOENT);
	CU_ASSERT_STRING_EQUAL(text, "/nowhere/key.pem: No such file or directory");
	CU_ASSERT_EQUAL(pop3_options_check(&o, NULL, NULL), -ENOENT);
	o.require_tls = (enum pop3_require_tls)9;
	CU_ASSERT_EQUAL(pop3_options_check(&o, NULL, NULL), -EINVAL);
	CU_ASSERT_EQUAL(pop3_options_check(NULL, NULL, NULL), 0);
}

const struct test_suite suite_server_tls = {
	.name = "server_tls",
	.tests =
		(const struct test[]){
			TEST(stls_and_implicit_tls_serve_whole_sessions),
			TEST(many_commands_in_one_record_are_all_answered),
			TEST(commands_behind_a_late_answer_are_served_from_a_silent_socket),
			TEST(a_large_message_arrives_whole_however_slowly_it_is_read),
			TEST(a_client_that_reads_nothing_ends_by_the_write_timeout),
			TEST(the_log_tells_an_announced_end_from_a_cut),
			TEST(a_reset_at_any_moment_ends_that_connection_alone),
			TEST(a_handshake_that_never_ends_is_ended),
			TEST(plaintext_at_a_tls_port_gets_an_alert_and_one_log_line),
			TEST(a_client_that_ends_its_stream_and_pauses_gets_the_whole_reply),
			TEST(a_client_that_pauses_in_a_shutdown_gets_the_whole_reply),
			TEST(no_handshake_goes_on_in_a_shutdown),
			TEST(bad_certificates_are_refused_and_leave_all_as_it_was),
			TEST(a_connection_keeps_the_certificate_it_came_with),
			TEST(implicit_tls_without_a_certificate_is_refused),
			TEST(keeping_what_is_not_there_loads_what_is_named),
			TEST(invalid_options_are_named_in_the_log),
			TEST(options_can_be_checked_without_a_server),
			TEST_END,
		},
};
