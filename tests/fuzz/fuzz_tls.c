/*
 * A session behind the TLS stream, fed with ciphertext in pieces that the input chooses. Most
 * inputs are what a client sends in place of a handshake: none may reach the session. Those that
 * begin with 'H' come after a real handshake: records with commands, octets between them, records
 * with one octet changed. Checked: the session hears what was said, in order, and nothing else;
 * output stays bounded; nothing is deleted without a QUIT that was heard.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "fuzz.h"
#include "host.h"
#include "net/tls.h"
#include "proto/limits.h"
#include "proto/session.h"

int LLVMFuzzerInitialize(int *count, char ***arguments);

/* A handshake costs as much as a hundred other inputs: only some of those are run. */
#define HANDSHAKE_EVERY 32
#define ROOM            65536

static struct tls_config *config;

/* What the client has said, and what travels to it and from it. */
struct world {
	struct context context;
	struct pop3_session *session;
	struct tls *tls;
	gnutls_session_t client;
	char said[ROOM];
	size_t said_length;
	size_t heard; /* of these, by the session */
	uint8_t to_client[ROOM], to_server[ROOM];
	size_t to_client_length, to_server_length;
};

static struct world w;

/* ---- The certificate ---- */

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	static char key_pem[4096], cert_pem[4096];
	size_t key_size = sizeof key_pem - 1, cert_size = sizeof cert_pem - 1;
	const struct tls_report report = {NULL, NULL};
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	(void)count;
	(void)arguments;
	CHECK(gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&crt) == 0);
	CHECK(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					   GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
					   0) == 0);
	CHECK(gnutls_x509_crt_set_key(crt, key) == 0 && gnutls_x509_crt_set_version(crt, 3) == 0);
	CHECK(gnutls_x509_crt_set_serial(crt, "1", 1) == 0);
	CHECK(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 60) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400) == 0);
	CHECK(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0);
	CHECK(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, key_pem, &key_size) == 0);
	CHECK(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, cert_pem, &cert_size) == 0);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_crt_deinit(crt);
	const struct pop3_options options = {
		.size = sizeof options, .cert = cert_pem, .key = key_pem};
	CHECK(tls_config_new(&options, NULL, &report, &config) == 0);
	return 0;
}

/* ---- The application ---- */

static void check(struct pop3_authenticate *e, void *data)
{
	(void)data;
	CHECK(w.said_length > 0);
	pop3_answer_auth(e, POP3_OK, NULL);
}

static void list(struct pop3_list *e, void *data)
{
	static const uint64_t sizes[2] = {5, 5};
	(void)data;
	if (e->which == 0)
		pop3_answer_list(e, sizes, 2);
	else
		pop3_answer_list(e, sizes, e->which <= 2);
}

static void retrieve(struct pop3_retrieve *e, void *data)
{
	(void)data;
	pop3_answer_bytes(e, "abc\r\n", 5);
}

/* Was the word heard? What was said may hold NULs. */
static bool was_heard(const char *word)
{
	for (size_t i = 0; i + strlen(word) <= w.heard; i++)
		if (strncasecmp(w.said + i, word, strlen(word)) == 0)
			return true;
	return false;
}

static void quit(struct pop3_quit *e, void *data)
{
	(void)data;
	CHECK(was_heard("QUIT"));
	CHECK(e->count == 0 || was_heard("DELE"));
	pop3_answer_quit(e, 0);
}

static const struct pop3_handlers handlers = {.size = sizeof handlers,
					      .authenticate = check,
					      .list = list,
					      .retrieve = retrieve,
					      .quit = quit};

/* ---- The pump: what net/pump_tls.c does with a socket ---- */

static void collect(void)
{
	size_t length;
	const void *octets = tls_output(w.tls, &length);
	CHECK(length <= BLOCK_SIZE);
	/* A client that is not there takes all and forgets it. */
	if (w.client != NULL && length <= ROOM - w.to_client_length) {
		memcpy(w.to_client + w.to_client_length, octets, length);
		w.to_client_length += length;
	}
	tls_sent(w.tls, length);
}

static void answer(void)
{
	size_t length;
	const void *octets = pop3_session_output(w.session, &length);
	while (length > 0) {
		ssize_t taken = tls_write(w.tls, octets, length);
		collect();
		if (taken < 0)
			break;
		pop3_session_sent(w.session, (size_t)taken, 0);
		octets = pop3_session_output(w.session, &length);
	}
}

static void converse(void)
{
	static char text[16384];
	ssize_t got = tls_read(w.tls, text, sizeof text);
	while (got > 0) {
		CHECK((size_t)got <= w.said_length - w.heard);
		CHECK(memcmp(text, w.said + w.heard, (size_t)got) == 0);
		w.heard += (size_t)got;
		/* All answers are given at once, so the session takes everything. */
		size_t taken = pop3_session_feed(w.session, text, (size_t)got, 0);
		CHECK(taken == (size_t)got || !pop3_session_wants(w.session).read);
		answer();
		got = tls_read(w.tls, text, sizeof text);
	}
	collect();
}

static void serve(const uint8_t *octets, size_t length)
{
	if (tls_feed(w.tls, octets, length) < 0)
		return;
	if (tls_state(w.tls) == TLS_SHAKING && tls_shake(w.tls) == 0) {
		struct pop3_info info = {.tls = true};
		CHECK(w.client != NULL);
		tls_describe(w.tls, &info);
		pop3_session_secured(w.session, &info, 0);
		answer();
	}
	if (tls_state(w.tls) == TLS_OPEN)
		converse();
	collect();
}

static void serve_in_pieces(const uint8_t *octets, size_t length, size_t piece)
{
	for (size_t at = 0; at < length && tls_state(w.tls) != TLS_FAILED; at += piece)
		serve(octets + at, length - at < piece ? length - at : piece);
}

/* ---- A real client ---- */

static ssize_t pull(gnutls_transport_ptr_t data, void *octets, size_t size)
{
	(void)data;
	if (w.to_client_length == 0) {
		gnutls_transport_set_errno(w.client, EAGAIN);
		return -1;
	}
	size = size < w.to_client_length ? size : w.to_client_length;
	memcpy(octets, w.to_client, size);
	w.to_client_length -= size;
	memmove(w.to_client, w.to_client + size, w.to_client_length);
	return (ssize_t)size;
}

static ssize_t push(gnutls_transport_ptr_t data, const void *octets, size_t length)
{
	(void)data;
	CHECK(length <= ROOM - w.to_server_length);
	memcpy(w.to_server + w.to_server_length, octets, length);
	w.to_server_length += length;
	return (ssize_t)length;
}

static int pull_timeout(gnutls_transport_ptr_t data, unsigned milliseconds)
{
	(void)data;
	(void)milliseconds;
	return w.to_client_length > 0;
}

static void hand_over(size_t piece)
{
	static uint8_t octets[ROOM];
	size_t length = w.to_server_length;
	memcpy(octets, w.to_server, length);
	w.to_server_length = 0;
	serve_in_pieces(octets, length, piece);
}

static void shake_hands(gnutls_certificate_credentials_t credentials, bool tls12)
{
	CHECK(gnutls_init(&w.client, GNUTLS_CLIENT | GNUTLS_NONBLOCK) == 0);
	CHECK(gnutls_priority_set_direct(w.client,
					 tls12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2"
					       : "NORMAL:-VERS-ALL:+VERS-TLS1.3",
					 NULL) == 0);
	gnutls_credentials_set(w.client, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_pull_function(w.client, pull);
	gnutls_transport_set_pull_timeout_function(w.client, pull_timeout);
	gnutls_transport_set_push_function(w.client, push);
	int result = gnutls_handshake(w.client);
	for (int i = 0; i < 4 && result < 0; i++) {
		CHECK(result == GNUTLS_E_AGAIN);
		hand_over(ROOM);
		result = gnutls_handshake(w.client);
	}
	hand_over(ROOM);
	CHECK(result == 0 && tls_state(w.tls) == TLS_OPEN);
}

/* A record with these octets, one of its octets changed where `flip` is not negative. */
static void say(const uint8_t *text, size_t length, int flip, size_t piece)
{
	if (length == 0 || gnutls_record_send(w.client, text, length) != (ssize_t)length)
		return;
	if (flip >= 0)
		w.to_server[(size_t)flip % w.to_server_length] ^= 1;
	CHECK(length < ROOM - w.said_length);
	memcpy(w.said + w.said_length, text, length);
	w.said_length += length;
	hand_over(piece);
}

/* Operations: a kind, a length, that many octets. */
static void talk(const uint8_t *data, size_t size, size_t piece)
{
	size_t at = 0;
	while (size - at >= 2 && tls_state(w.tls) == TLS_OPEN && w.said_length < ROOM / 2) {
		uint8_t kind = data[at] % 8;
		size_t length = data[at + 1];
		at += 2;
		if (length > size - at)
			length = size - at;
		if (kind == 0) {
			serve_in_pieces(data + at, length, piece);
		} else if (kind == 1) {
			say(data + at, length, (int)length, piece);
		} else if (kind == 2) {
			gnutls_session_key_update(w.client, 0);
		} else if (kind == 3) {
			gnutls_bye(w.client, GNUTLS_SHUT_WR);
			hand_over(piece);
		} else {
			say(data + at, length, -1, piece);
		}
		at += length;
	}
}

static void run_after_handshake(const uint8_t *data, size_t size, size_t piece)
{
	gnutls_certificate_credentials_t credentials;
	CHECK(gnutls_certificate_allocate_credentials(&credentials) == 0);
	shake_hands(credentials, piece % 2 == 0);
	talk(data, size, piece);
	gnutls_deinit(w.client);
	w.client = NULL;
	gnutls_certificate_free_credentials(credentials);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned turn;
	if (size < 2 || (data[0] == 'H' && turn++ % HANDSHAKE_EVERY != 0))
		return 0;
	const struct pop3_options options = {.size = sizeof options, .log = host_log};
	const struct pop3_info info = {.peer = "fuzz", .local = "fuzz"};
	struct pop3_listener listener = {.handlers = &handlers};
	size_t piece = data[1] == 0 ? ROOM : data[1];
	w.said_length = w.heard = w.to_client_length = w.to_server_length = 0;
	CHECK(context_init(&w.context, "fuzz", &options, host_random, host_wake, NULL) == 0);
	CHECK(emitter_attach(&w.context.emitter, &listener) == 0);
	w.session = session_new(&w.context, &info, -1, NULL, 0);
	w.tls = tls_new(config, &w.context.blocks);
	CHECK(w.session != NULL && w.tls != NULL);
	session_begin(w.session, true, 0);
	if (data[0] == 'H')
		run_after_handshake(data + 2, size - 2, piece);
	else
		serve_in_pieces(data + 2, size - 2, piece);
	tls_free(w.tls);
	pop3_session_end(w.session, POP3_REASON_LOST, 0);
	CHECK(pop3_session_wants(w.session).finished);
	pop3_session_free(w.session);
	context_fini(&w.context);
	return 0;
}
