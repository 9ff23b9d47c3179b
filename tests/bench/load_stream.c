/*
 * A connection of the crowd, plain or under TLS. One read of the socket brings many records: they
 * are taken by GnuTLS out of memory that all streams share, since it would itself read the socket
 * twice for each. No certificate is checked: what is measured is the server, and whoever listens on
 * this port of loopback has been started by the bench.
 *
 * X25519 alone is offered, so that one key is made for a handshake, not one for each group.
 */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char priorities[] = "NONE:+VERS-TLS1.3:+ECDHE-ECDSA:+AES-128-GCM:+AEAD:+GROUP-X25519:"
				 "+SIGN-ECDSA-SECP256R1-SHA256:+CTYPE-ALL:+COMP-NULL";

/* A partial record stays in GnuTLS and comes out with the next read, which is why there is room for
 * one more, and for the one that is asked for in vain. */
static char received[LOAD_RECEIVE_MAX];
static char decrypted[LOAD_CIPHER_MAX + 2 * LOAD_RECORD_MAX];

/* What has been received and not been taken by GnuTLS yet; empty between two calls. */
static const char *taken;
static size_t left;

static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t parsed;

/* ---- What GnuTLS calls ---- */

static ssize_t pull(gnutls_transport_ptr_t data, void *octets, size_t size)
{
	(void)data;
	if (left == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (size > left)
		size = left;
	memcpy(octets, taken, size);
	taken += size;
	left -= size;
	return (ssize_t)size;
}

static int pull_timeout(gnutls_transport_ptr_t data, unsigned milliseconds)
{
	(void)data;
	(void)milliseconds;
	return left > 0;
}

static ssize_t push(gnutls_transport_ptr_t data, const void *octets, size_t length)
{
	return send((int)(intptr_t)data, octets, length, MSG_NOSIGNAL);
}

/* ---- Handshakes ---- */

static int complain(const char *what, int error)
{
	fprintf(stderr, "loadgen: %s: %s\n", what, gnutls_strerror(error));
	return -1;
}

static int prepare(void)
{
	int error;

	if (parsed != NULL)
		return 0;
	error = gnutls_certificate_allocate_credentials(&credentials);
	if (error >= 0)
		error = gnutls_priority_init(&parsed, priorities, NULL);
	return error < 0 ? complain("TLS", error) : 0;
}

static int set_up(struct stream *stream, const struct ticket *ticket)
{
	int on = 1;
	int error =
		gnutls_init(&stream->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_KEY_SHARE_TOP);

	if (error >= 0)
		error = gnutls_priority_set(stream->tls, parsed);
	if (error >= 0)
		error = gnutls_credentials_set(stream->tls, GNUTLS_CRD_CERTIFICATE, credentials);
	if (error >= 0 && ticket != NULL && ticket->data != NULL)
		error = gnutls_session_set_data(stream->tls, ticket->data, ticket->size);
	if (error < 0)
		return complain("TLS", error);
	/* Its last part of the handshake goes out in two writes. */
	setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	/* Streams are copied: GnuTLS must not know where they are. */
	gnutls_transport_set_int(stream->tls, stream->fd);
	gnutls_transport_set_pull_function(stream->tls, pull);
	gnutls_transport_set_pull_timeout_function(stream->tls, pull_timeout);
	gnutls_transport_set_push_function(stream->tls, push);
	return 0;
}

/* Goes as far as what was received allows. 0: it is over; -1 with errno. */
static int shake(struct stream *stream)
{
	int error;

	do {
		error = gnutls_handshake(stream->tls);
	} while (error < 0 && gnutls_error_is_fatal(error) == 0 && left > 0);
	if (error >= 0) {
		stream->shaking = false;
		return 0;
	}
	errno = EAGAIN;
	if (gnutls_error_is_fatal(error) == 0)
		return -1;
	complain("handshake", error);
	errno = EPROTO;
	return -1;
}

/* ---- Life ---- */

/* The first octets are the client's, so the connection has to stand before they are sent. */
static int begin_tls(struct stream *stream, const struct ticket *ticket)
{
	if (prepare() < 0 || set_up(stream, ticket) < 0 ||
	    fcntl(stream->fd, F_SETFL, O_NONBLOCK) < 0)
		return -1;
	return shake(stream) == 0 || errno == EAGAIN ? 0 : -1;
}

int stream_open(struct stream *stream, const struct options *options, const struct ticket *ticket)
{
	*stream = (struct stream){.shaking = options->tls != 0};
	stream->fd = load_connect(options, options->tls ? 0 : SOCK_NONBLOCK);
	if (stream->fd < 0)
		return -1;
	if (options->tls && begin_tls(stream, ticket) < 0) {
		stream_close(stream);
		return -1;
	}
	return 0;
}

void stream_close(struct stream *stream)
{
	if (stream->tls != NULL)
		gnutls_deinit(stream->tls);
	if (stream->fd >= 0)
		close(stream->fd);
	stream->tls = NULL;
	stream->fd = -1;
}

/* ---- Octets ---- */

int stream_send(struct stream *stream, const char *text, size_t length)
{
	ssize_t sent;

	if (stream->tls == NULL)
		return load_send(stream->fd, text, length);
	sent = gnutls_record_send(stream->tls, text, length);
	if (sent == (ssize_t)length)
		return 0;
	return sent < 0 ? complain("send", (int)sent) : -1;
}

/* Decrypts all that was received. Octets of plaintext, 0 at the end, -1 with errno. */
static ssize_t decrypt(struct stream *stream)
{
	size_t length = 0;
	ssize_t got = 0;

	if (stream->shaking && shake(stream) < 0)
		return -1;
	/* A call that brings nothing may have taken a ticket. */
	while (length + LOAD_RECORD_MAX <= sizeof decrypted) {
		got = gnutls_record_recv(stream->tls, decrypted + length,
					 sizeof decrypted - length);
		if (got > 0)
			length += (size_t)got;
		else if (got != GNUTLS_E_AGAIN || left == 0)
			break;
	}
	if (length > 0 || got == 0)
		return (ssize_t)length;
	errno = EAGAIN;
	if (got == GNUTLS_E_AGAIN)
		return -1;
	complain("receive", (int)got);
	errno = EPROTO;
	return -1;
}

ssize_t stream_receive(struct stream *stream, const char **data)
{
	size_t most = stream->tls == NULL ? sizeof received : LOAD_CIPHER_MAX;
	ssize_t got = recv(stream->fd, received, most, 0);

	*data = received;
	if (got <= 0 || stream->tls == NULL)
		return got;
	taken = received;
	left = (size_t)got;
	*data = decrypted;
	got = decrypt(stream);
	left = 0;
	return got;
}

/* ---- Tickets ---- */

bool stream_is_resumed(const struct stream *stream)
{
	return stream->tls != NULL && gnutls_session_is_resumed(stream->tls) != 0;
}

void ticket_keep(struct ticket *ticket, const struct stream *stream)
{
	gnutls_datum_t data;

	ticket_free(ticket);
	if ((gnutls_session_get_flags(stream->tls) & GNUTLS_SFLAGS_SESSION_TICKET) == 0 ||
	    gnutls_session_get_data2(stream->tls, &data) < 0)
		return;
	ticket->data = data.data;
	ticket->size = data.size;
}

void ticket_free(struct ticket *ticket)
{
	gnutls_free(ticket->data);
	*ticket = (struct ticket){0};
}
