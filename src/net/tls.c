/*
 * GnuTLS pulls from `input`, a bounded queue, and pushes into `block`, which comes from a pool and
 * goes back when it is empty: an idle session holds neither. GnuTLS never waits, for its functions
 * say EAGAIN; it never has to be told twice what to send, for nothing is written unless there is
 * room for a whole record.
 */
#include "net/tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "net/tls_private.h"

struct tls {
	gnutls_session_t session;
	struct tls_config *config;
	struct pool *blocks;
	struct buffer input;
	char *block; /* output; NULL while there is none */
	size_t start, length;
	gnutls_packet_t record; /* plaintext that has been read in part; NULL: none */
	size_t taken;           /* of it */
	enum tls_state state;
	const char *fault;
	size_t barren;       /* octets fed since the start, the handshake or the last plaintext */
	unsigned idle_steps; /* that brought nothing */
	bool closed;         /* our close_notify is out */
};

/* ---- What GnuTLS calls ---- */

static ssize_t refuse(struct tls *t, int error)
{
	gnutls_transport_set_errno(t->session, error);
	return -1;
}

static ssize_t pull(gnutls_transport_ptr_t data, void *octets, size_t size)
{
	struct tls *t = data;
	if (t->input.length == 0)
		return refuse(t, EAGAIN);
	if (size > t->input.length)
		size = t->input.length;
	memcpy(octets, buffer_data(&t->input), size);
	buffer_consume(&t->input, size);
	return (ssize_t)size;
}

/* Is there something to pull? Nobody waits for it. */
static int pull_timeout(gnutls_transport_ptr_t data, unsigned milliseconds)
{
	const struct tls *t = data;
	(void)milliseconds;
	return t->input.length > 0;
}

static ssize_t push(gnutls_transport_ptr_t data, const void *octets, size_t length)
{
	struct tls *t = data;
	if (t->block == NULL) {
		t->block = pool_take(t->blocks);
		t->start = 0;
	}
	if (t->block == NULL)
		return refuse(t, ENOMEM);
	if (t->start > 0 && t->blocks->block_size - t->start - t->length < length) {
		memmove(t->block, t->block + t->start, t->length);
		t->start = 0;
	}
	size_t room = t->blocks->block_size - t->start - t->length;
	if (room == 0)
		return refuse(t, EAGAIN);
	if (length > room)
		length = room;
	memcpy(t->block + t->start + t->length, octets, length);
	t->length += length;
	return (ssize_t)length;
}

/* RFC 7301: a client that names no protocol is fine, unless the generation says otherwise. One that
 * names others only has been refused before. */
static int on_client_hello(gnutls_session_t session, unsigned type, unsigned when,
			   unsigned incoming, const gnutls_datum_t *message)
{
	const struct tls *t = gnutls_session_get_ptr(session);
	gnutls_datum_t chosen;
	(void)type;
	(void)when;
	(void)message;
	if (incoming == 0 || !t->config->alpn_required ||
	    gnutls_alpn_get_selected_protocol(session, &chosen) == 0)
		return 0;
	return GNUTLS_E_NO_APPLICATION_PROTOCOL;
}

/* ---- Life ---- */

static int set_up(struct tls *t)
{
	static unsigned char name[] = "pop3";
	static const gnutls_datum_t protocol = {name, 4};
	const struct tls_config *c = t->config;
	const gnutls_datum_t ticket_key = {(unsigned char *)(uintptr_t)c->ticket_key,
					   sizeof c->ticket_key};
	int error = gnutls_priority_set(t->session, c->priorities);
	if (error >= 0)
		error = gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, c->credentials);
	if (error >= 0)
		error = gnutls_session_ticket_enable_server(t->session, &ticket_key);
	if (error >= 0)
		error = gnutls_alpn_set_protocols(t->session, &protocol, 1, GNUTLS_ALPN_MANDATORY);
	if (error < 0)
		return error;
	gnutls_certificate_server_set_request(t->session, c->client_certificate);
	gnutls_handshake_set_hook_function(t->session, GNUTLS_HANDSHAKE_CLIENT_HELLO,
					   GNUTLS_HOOK_POST, on_client_hello);
	gnutls_handshake_set_max_packet_length(t->session, TLS_BARREN_MAX);
	gnutls_session_set_ptr(t->session, t);
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_pull_function(t->session, pull);
	gnutls_transport_set_pull_timeout_function(t->session, pull_timeout);
	gnutls_transport_set_push_function(t->session, push);
	return 0;
}

struct tls *tls_new(struct tls_config *config, struct pool *blocks)
{
	struct tls *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->config = tls_config_ref(config);
	t->blocks = blocks;
	buffer_init(&t->input, TLS_INPUT_MAX);
	int error = gnutls_init(&t->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	if (error < 0)
		t->session = NULL;
	else
		error = set_up(t);
	if (error < 0) {
		tls_free(t);
		return NULL;
	}
	return t;
}

static gnutls_datum_t record_octets(const struct tls *t)
{
	gnutls_datum_t octets;
	gnutls_packet_get(t->record, &octets, NULL);
	return octets;
}

/* It may have held a password, and GnuTLS would free it as it is. */
static void drop_record(struct tls *t)
{
	if (t->record == NULL)
		return;
	gnutls_datum_t octets = record_octets(t);
	secret_wipe(octets.data, octets.size);
	gnutls_packet_deinit(t->record);
	t->record = NULL;
	t->taken = 0;
}

void tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	drop_record(t);
	if (t->session != NULL)
		gnutls_deinit(t->session);
	buffer_fini(&t->input);
	pool_give(t->blocks, t->block);
	tls_config_unref(t->config);
	free(t);
}

enum tls_state tls_state(const struct tls *t)
{
	return t->state;
}

const char *tls_fault(const struct tls *t)
{
	return t->fault;
}

/* ---- Ciphertext ---- */

int tls_feed(struct tls *t, const void *octets, size_t length)
{
	t->barren += length;
	return buffer_append(&t->input, octets, length);
}

bool tls_is_hungry(const struct tls *t)
{
	return t->input.length == 0;
}

const void *tls_output(const struct tls *t, size_t *length)
{
	*length = t->length;
	return t->block == NULL ? "" : t->block + t->start;
}

void tls_sent(struct tls *t, size_t length)
{
	t->start += length;
	t->length -= length;
	if (t->length > 0)
		return;
	pool_give(t->blocks, t->block);
	t->block = NULL;
}

/* ---- The end ---- */

/*
 * The last that the client hears is a fatal alert or close_notify, or our end would look like a cut
 * (RFC 5246 section 7.2.1, RFC 8446 section 6.1). GnuTLS knows none for warnings without end, takes
 * an end in the handshake for an error of its own, and refuses renegotiation by a warning.
 */
static void send_alert(struct tls *t, int error)
{
	bool ends = error == GNUTLS_E_SESSION_EOF || error == GNUTLS_E_REHANDSHAKE;
	if (!ends && gnutls_error_is_fatal(error) == 0)
		(void)gnutls_alert_send(t->session, GNUTLS_AL_FATAL, GNUTLS_A_UNEXPECTED_MESSAGE);
	else if (error != GNUTLS_E_SESSION_EOF)
		(void)gnutls_alert_send_appropriate(t->session, error);
	if (ends)
		(void)gnutls_alert_send(t->session, GNUTLS_AL_WARNING, GNUTLS_A_CLOSE_NOTIFY);
}

/* The client is told why, unless it is its own alert that we hear of. */
static int fail(struct tls *t, int error)
{
	bool alert = error == GNUTLS_E_FATAL_ALERT_RECEIVED;
	t->fault = alert ? gnutls_alert_get_name(gnutls_alert_get(t->session))
			 : gnutls_strerror(error);
	if (t->fault == NULL)
		t->fault = "an alert without a name";
	if (!alert && t->state != TLS_FAILED)
		send_alert(t, error);
	t->state = TLS_FAILED;
	return -EPROTO;
}

void tls_close(struct tls *t)
{
	if (t->closed || t->state == TLS_SHAKING || t->state == TLS_FAILED)
		return;
	t->closed = true;
	(void)gnutls_bye(t->session, GNUTLS_SHUT_WR);
}

/*
 * What a call of GnuTLS that brought nothing means: 0 = call again, else a negative errno value. It
 * also says AGAIN after a record that was for itself, with `before` octets of input before it.
 * Renegotiation (TLS 1.2) is refused; key updates (TLS 1.3) GnuTLS itself bounds to a few a second.
 * But it keeps a handshake message that comes in parts, however long it says it is.
 */
static int judge(struct tls *t, int error, size_t before)
{
	if (error == GNUTLS_E_AGAIN && t->input.length > 0 && t->input.length < before)
		return 0;
	if (error == GNUTLS_E_AGAIN && t->barren > TLS_BARREN_MAX)
		return fail(t, GNUTLS_E_HANDSHAKE_TOO_LARGE);
	if (error == GNUTLS_E_AGAIN)
		return -EAGAIN;
	if (error == GNUTLS_E_REHANDSHAKE || gnutls_error_is_fatal(error) != 0 ||
	    ++t->idle_steps > TLS_IDLE_STEPS_MAX)
		return fail(t, error);
	return 0;
}

/* ---- The handshake ---- */

int tls_shake(struct tls *t)
{
	int result = t->state == TLS_FAILED ? -EPROTO : 0;
	while (result == 0 && t->state == TLS_SHAKING) {
		size_t before = t->input.length;
		int error = gnutls_handshake(t->session);
		if (error < 0)
			result = judge(t, error, before);
		else
			t->state = TLS_OPEN;
	}
	if (result == 0)
		t->barren = 0;
	return result;
}

/* ---- Plaintext ---- */

/* Some of the record at hand, which is dropped once all of it is taken. */
static ssize_t take(struct tls *t, void *octets, size_t size)
{
	gnutls_datum_t all = record_octets(t);
	size_t left = all.size - t->taken;
	if (size > left)
		size = left;
	memcpy(octets, all.data + t->taken, size);
	t->taken += size;
	if (size == left)
		drop_record(t);
	return (ssize_t)size;
}

/* Whole records, in memory that can be wiped: gnutls_record_recv() leaves its own copy behind. */
ssize_t tls_read(struct tls *t, void *octets, size_t size)
{
	int result = t->state == TLS_FAILED ? -EPROTO : 0;
	if (t->state == TLS_SHAKING)
		return -EAGAIN;
	if (result == 0 && t->record != NULL)
		return take(t, octets, size);
	while (result == 0 && t->state != TLS_CLOSED) {
		size_t before = t->input.length;
		ssize_t got = gnutls_record_recv_packet(t->session, &t->record);
		if (got > 0) {
			t->barren = 0;
			return take(t, octets, size);
		}
		if (got == 0)
			t->state = TLS_CLOSED;
		else
			result = judge(t, (int)got, before);
	}
	return result;
}

ssize_t tls_write(struct tls *t, const void *octets, size_t length)
{
	if (t->state == TLS_FAILED)
		return -EPROTO;
	if (t->state == TLS_SHAKING || t->length + TLS_RECORD_MAX > t->blocks->block_size)
		return -EAGAIN;
	ssize_t sent = gnutls_record_send(t->session, octets, length);
	return sent >= 0 ? sent : fail(t, (int)sent);
}

/* ---- What is known ---- */

/* RFC 9266; in TLS 1.2 only where no other connection can have the same (section 2). */
static void describe_binding(const struct tls *t, struct pop3_info *info)
{
	gnutls_datum_t binding;
	info->has_binding = false;
	if (gnutls_protocol_get_version(t->session) == GNUTLS_TLS1_2 &&
	    gnutls_session_ext_master_secret_status(t->session) == 0)
		return;
	if (gnutls_session_channel_binding(t->session, GNUTLS_CB_TLS_EXPORTER, &binding) < 0)
		return;
	if (binding.size == sizeof info->binding) {
		memcpy(info->binding, binding.data, binding.size);
		info->has_binding = true;
	}
	gnutls_free(binding.data);
}

/* One that could be taken for another by whoever reads it only to a NUL is none. */
static bool is_plain(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] <= 0x20 || name[i] == 0x7f)
			return false;
	return length > 0;
}

/* The mail address in the certificate, else its common name; "" if there is neither. */
static void find_name(gnutls_x509_crt_t certificate, char name[POP3_USER_MAX + 1])
{
	size_t size;
	int type = 0;
	for (unsigned i = 0; type >= 0; i++) {
		size = POP3_USER_MAX + 1;
		type = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &size, NULL);
		/* A name that is too long is not the last one. */
		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
			type = GNUTLS_SAN_OTHERNAME;
		else if (type == GNUTLS_SAN_RFC822NAME)
			break;
	}
	if (type < 0) {
		size = POP3_USER_MAX + 1;
		type = gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
						     name, &size);
	}
	if (type < 0 || size > POP3_USER_MAX || !is_plain(name, size))
		size = 0;
	name[size] = '\0';
}

/* It has been verified in the handshake, or in the one that is resumed. */
static void describe_certificate(const struct tls *t, struct pop3_info *info)
{
	unsigned count = 0;
	gnutls_x509_crt_t certificate;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(t->session, &count);
	info->certificate[0] = '\0';
	if (t->config->client_certificate == GNUTLS_CERT_IGNORE || chain == NULL || count == 0 ||
	    gnutls_x509_crt_init(&certificate) < 0)
		return;
	if (gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) >= 0)
		find_name(certificate, info->certificate);
	gnutls_x509_crt_deinit(certificate);
}

static void copy_name(char *to, size_t size, const char *name)
{
	snprintf(to, size, "%s", name == NULL ? "" : name);
}

void tls_describe(const struct tls *t, struct pop3_info *info)
{
	copy_name(info->tls_version, sizeof info->tls_version,
		  gnutls_protocol_get_name(gnutls_protocol_get_version(t->session)));
	copy_name(info->tls_cipher, sizeof info->tls_cipher, gnutls_ciphersuite_get(t->session));
	info->tls = true;
	describe_binding(t, info);
	describe_certificate(t, info);
}
