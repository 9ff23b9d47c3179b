/*
 * Mode `refused`: clients that offer groups of finite fields alone, which the server has to refuse.
 * Their first octets are made once and sent again and again: for GnuTLS such a key costs thousands
 * of times what its refusal should.
 */
#include "load.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HELLO_MAX = 4096,
	ALERT = 7, /* octets: a head, the level, the reason (RFC 8446 sections 5.1 and 6) */
	ALERT_TYPE = 21,
	FATAL = 2,
	HANDSHAKE_FAILURE = 40,
};

struct hello {
	size_t length;
	char octets[HELLO_MAX];
};

static ssize_t keep(gnutls_transport_ptr_t data, const void *octets, size_t length)
{
	struct hello *hello = data;

	if (length > sizeof hello->octets - hello->length) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(hello->octets + hello->length, octets, length);
	hello->length += length;
	return (ssize_t)length;
}

static ssize_t nothing(gnutls_transport_ptr_t data, void *octets, size_t size)
{
	(void)data;
	(void)octets;
	(void)size;
	errno = EAGAIN;
	return -1;
}

/* What such a client sends first. 0, or a negative error of GnuTLS. */
static int say_hello(gnutls_session_t tls, gnutls_certificate_credentials_t credentials,
		     struct hello *hello)
{
	int error = gnutls_priority_set_direct(
		tls, "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048", NULL);

	if (error >= 0)
		error = gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, credentials);
	if (error < 0)
		return error;
	gnutls_transport_set_ptr(tls, hello);
	gnutls_transport_set_push_function(tls, keep);
	gnutls_transport_set_pull_function(tls, nothing);
	error = gnutls_handshake(tls);
	return error == GNUTLS_E_AGAIN ? 0 : error;
}

static int make_hello(struct hello *hello)
{
	gnutls_certificate_credentials_t credentials = NULL;
	gnutls_session_t tls = NULL;
	int error = gnutls_certificate_allocate_credentials(&credentials);

	if (error >= 0)
		error = gnutls_init(&tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	if (error >= 0)
		error = say_hello(tls, credentials, hello);
	if (tls != NULL)
		gnutls_deinit(tls);
	if (credentials != NULL)
		gnutls_certificate_free_credentials(credentials);
	if (error < 0)
		fprintf(stderr, "loadgen: hello: %s\n", gnutls_strerror(error));
	return error < 0 ? -1 : 0;
}

/* Whether the server says in the proper way that it will not. */
static bool is_refused(int fd)
{
	unsigned char alert[ALERT];
	ssize_t got = recv(fd, alert, sizeof alert, MSG_WAITALL);

	if (got == ALERT && alert[0] == ALERT_TYPE && alert[5] == FATAL &&
	    alert[6] == HANDSHAKE_FAILURE)
		return true;
	fprintf(stderr, "loadgen: not refused: %zd octets, the first is %d\n", got,
		got > 0 ? alert[0] : -1);
	return false;
}

int mode_refused(const struct options *options)
{
	static struct hello hello;
	uint64_t start;
	bool refused = true;

	if (make_hello(&hello) < 0)
		return 1;
	start = load_now();
	for (uint64_t i = 0; i < options->count && refused; i++) {
		int fd = load_connect(options, 0);

		refused =
			fd >= 0 && load_send(fd, hello.octets, hello.length) == 0 && is_refused(fd);
		if (fd >= 0)
			close(fd);
	}
	printf("refused=%llu nanoseconds=%llu\n", (unsigned long long)options->count,
	       (unsigned long long)(load_now() - start));
	return refused && options->count > 0 ? 0 : 1;
}
