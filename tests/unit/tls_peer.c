/* See tls_peer.h. */
#include "unit/tls_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static ssize_t pull(gnutls_transport_ptr_t data, void *octets, size_t size)
{
	struct tls_peer *p = data;
	if (p->arrived_length == 0) {
		gnutls_transport_set_errno(p->client, EAGAIN);
		return -1;
	}
	if (size > p->arrived_length)
		size = p->arrived_length;
	memcpy(octets, p->arrived, size);
	p->arrived_length -= size;
	memmove(p->arrived, p->arrived + size, p->arrived_length);
	return (ssize_t)size;
}

static int pull_timeout(gnutls_transport_ptr_t data, unsigned milliseconds)
{
	const struct tls_peer *p = data;
	(void)milliseconds;
	return p->arrived_length > 0;
}

static ssize_t push(gnutls_transport_ptr_t data, const void *octets, size_t length)
{
	struct tls_peer *p = data;
	CU_ASSERT_FATAL(length <= TLS_PEER_ROOM - p->sent_length);
	memcpy(p->sent + p->sent_length, octets, length);
	p->sent_length += length;
	return (ssize_t)length;
}

static void hear(const char *text, bool fatal, void *data)
{
	struct tls_peer *p = data;
	size_t length = strlen(text);
	(void)fatal;
	CU_ASSERT_FATAL(length < sizeof p->problem);
	memcpy(p->problem, text, length + 1);
	p->problems++;
}

void tls_peer_init(struct tls_peer *p)
{
	*p = (struct tls_peer){.options = {.size = sizeof p->options}};
	p->options.cert = cert_server()->cert;
	p->options.key = cert_server()->key;
	pool_init(&p->pool, TLS_PEER_BLOCK, 1);
	p->sent = malloc(TLS_PEER_ROOM);
	p->arrived = malloc(TLS_PEER_ROOM);
	CU_ASSERT_FATAL(p->sent != NULL && p->arrived != NULL);
}

static void hang_up(struct tls_peer *p)
{
	tls_free(p->tls);
	if (p->client != NULL)
		gnutls_deinit(p->client);
	if (p->credentials != NULL)
		gnutls_certificate_free_credentials(p->credentials);
	p->tls = NULL;
	p->client = NULL;
	p->credentials = NULL;
	p->sent_length = p->arrived_length = 0;
	p->shaken = false;
	p->error = 0;
}

void tls_peer_fini(struct tls_peer *p)
{
	hang_up(p);
	tls_config_unref(p->config);
	pool_fini(&p->pool);
	gnutls_free(p->session.data);
	free(p->sent);
	free(p->arrived);
}

int tls_peer_configure(struct tls_peer *p)
{
	const struct tls_report report = {hear, p};
	return tls_config_new(&p->options, NULL, &report, &p->config);
}

static void equip(struct tls_peer *p)
{
	gnutls_datum_t ca = {(unsigned char *)(uintptr_t)cert_ca(), (unsigned)strlen(cert_ca())};
	gnutls_certificate_allocate_credentials(&p->credentials);
	CU_ASSERT_EQUAL(
		gnutls_certificate_set_x509_trust_mem(p->credentials, &ca, GNUTLS_X509_FMT_PEM), 1);
	if (p->certificate != NULL) {
		const char *cert = p->certificate->cert, *key = p->certificate->key;
		gnutls_datum_t c = {(unsigned char *)(uintptr_t)cert, (unsigned)strlen(cert)};
		gnutls_datum_t k = {(unsigned char *)(uintptr_t)key, (unsigned)strlen(key)};
		CU_ASSERT_EQUAL(gnutls_certificate_set_x509_key_mem(p->credentials, &c, &k,
								    GNUTLS_X509_FMT_PEM),
				0);
	}
	gnutls_credentials_set(p->client, GNUTLS_CRD_CERTIFICATE, p->credentials);
}

static void name_protocols(struct tls_peer *p)
{
	gnutls_datum_t names[2];
	unsigned count = 0;
	for (; count < 2 && p->alpn[count] != NULL; count++)
		names[count] = (gnutls_datum_t){(unsigned char *)(uintptr_t)p->alpn[count],
						(unsigned)strlen(p->alpn[count])};
	if (count > 0)
		gnutls_alpn_set_protocols(p->client, names, count, 0);
}

void tls_peer_connect(struct tls_peer *p)
{
	if (p->config == NULL)
		CU_ASSERT_EQUAL_FATAL(tls_peer_configure(p), 0);
	p->tls = tls_new(p->config, &p->pool);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p->tls);
	gnutls_init(&p->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_FORCE_CLIENT_CERT);
	equip(p);
	CU_ASSERT_EQUAL(gnutls_priority_set_direct(
				p->client, p->priorities == NULL ? "NORMAL" : p->priorities, NULL),
			0);
	name_protocols(p);
	if (p->name != NULL)
		gnutls_server_name_set(p->client, GNUTLS_NAME_DNS, p->name, strlen(p->name));
	gnutls_session_set_verify_cert(p->client, p->name, 0);
	if (p->session.size > 0)
		CU_ASSERT_EQUAL(
			gnutls_session_set_data(p->client, p->session.data, p->session.size), 0);
	gnutls_transport_set_ptr(p->client, p);
	gnutls_transport_set_pull_function(p->client, pull);
	gnutls_transport_set_pull_timeout_function(p->client, pull_timeout);
	gnutls_transport_set_push_function(p->client, push);
}

void tls_peer_reconnect(struct tls_peer *p)
{
	hang_up(p);
	tls_peer_connect(p);
}

static void shake_client(struct tls_peer *p)
{
	int result = p->shaken ? 0 : gnutls_handshake(p->client);
	if (result >= 0)
		p->shaken = true;
	else if (gnutls_error_is_fatal(result))
		p->error = result;
}

void tls_peer_to_server(struct tls_peer *p)
{
	size_t at = 0;
	while (at < p->sent_length) {
		size_t length = p->sent_length - at;
		if (p->piece > 0 && length > p->piece)
			length = p->piece;
		if (length > 16384)
			length = 16384;
		CU_ASSERT_EQUAL_FATAL(tls_feed(p->tls, p->sent + at, length), 0);
		at += length;
		if (tls_state(p->tls) == TLS_SHAKING)
			tls_shake(p->tls);
		if (tls_state(p->tls) != TLS_SHAKING)
			break;
	}
	p->sent_length -= at;
	memmove(p->sent, p->sent + at, p->sent_length);
}

void tls_peer_to_client(struct tls_peer *p)
{
	size_t length;
	const void *octets = tls_output(p->tls, &length);
	while (length > 0) {
		if (p->piece > 0 && length > p->piece)
			length = p->piece;
		CU_ASSERT_FATAL(length <= TLS_PEER_ROOM - p->arrived_length);
		memcpy(p->arrived + p->arrived_length, octets, length);
		p->arrived_length += length;
		tls_sent(p->tls, length);
		if (p->piece > 0)
			shake_client(p);
		octets = tls_output(p->tls, &length);
	}
}

bool tls_peer_shake(struct tls_peer *p)
{
	for (int i = 0; i < 8 && p->error == 0; i++) {
		shake_client(p);
		if (tls_state(p->tls) == TLS_SHAKING)
			tls_peer_to_server(p);
		tls_peer_to_client(p);
	}
	return p->shaken && tls_state(p->tls) == TLS_OPEN;
}

void tls_peer_says(struct tls_peer *p, const char *text)
{
	CU_ASSERT_EQUAL(gnutls_record_send(p->client, text, strlen(text)), (ssize_t)strlen(text));
}

bool tls_server_reads(struct tls_peer *p, const char *text)
{
	char got[32768];
	size_t length = 0, at = 0;
	while (at < p->sent_length) {
		size_t piece = p->piece > 0 ? p->piece : p->sent_length - at;
		if (piece > p->sent_length - at)
			piece = p->sent_length - at;
		CU_ASSERT_EQUAL_FATAL(tls_feed(p->tls, p->sent + at, piece), 0);
		at += piece;
		ssize_t part = tls_read(p->tls, got + length, sizeof got - 1 - length);
		while (part > 0) {
			length += (size_t)part;
			part = tls_read(p->tls, got + length, sizeof got - 1 - length);
		}
	}
	p->sent_length = 0;
	got[length] = '\0';
	return strcmp(got, text) == 0;
}

bool tls_client_reads(struct tls_peer *p, const char *text)
{
	char got[32768];
	size_t length = 0;
	p->piece = 0;
	tls_peer_to_client(p);
	ssize_t part = gnutls_record_recv(p->client, got, sizeof got - 1);
	while (part > 0 || part == GNUTLS_E_AGAIN) {
		if (part == GNUTLS_E_AGAIN && p->arrived_length == 0)
			break;
		length += part > 0 ? (size_t)part : 0;
		part = gnutls_record_recv(p->client, got + length, sizeof got - 1 - length);
	}
	got[length] = '\0';
	return strcmp(got, text) == 0;
}
