/* See tls.h. */
#include "oom/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "oom/files.h"
#include "oom/oom.h"

enum { PEM_SIZE = 4096, DAY = 86400 };

static char cert[PEM_SIZE], key[PEM_SIZE];
static char cert_path[FILES_PATH], key_path[FILES_PATH];

static void make_certificate(void)
{
	size_t key_size = sizeof key - 1, cert_size = sizeof cert - 1;
	gnutls_x509_privkey_t private;
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_init(&private);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_privkey_generate(private, GNUTLS_PK_ECDSA,
				     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_set_key(crt, private);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "1", 1);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - DAY);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + DAY);
	CHECK(gnutls_x509_crt_sign2(crt, crt, private, GNUTLS_DIG_SHA256, 0) == 0);
	CHECK(gnutls_x509_privkey_export(private, GNUTLS_X509_FMT_PEM, key, &key_size) == 0);
	CHECK(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, cert, &cert_size) == 0);
	gnutls_x509_privkey_deinit(private);
	gnutls_x509_crt_deinit(crt);
}

void tls_options(struct pop3_options *options)
{
	if (cert[0] == '\0') {
		make_certificate();
		files_write("cert.pem", cert, strlen(cert));
		files_write("key.pem", key, strlen(key));
	}
	options->cert = files_path(cert_path, "cert.pem");
	options->key = files_path(key_path, "key.pem");
}

static ssize_t pull(gnutls_transport_ptr_t data, void *octets, size_t size)
{
	struct client *c = data;
	ssize_t got = recv(c->socket, octets, size, MSG_DONTWAIT);
	if (got < 0)
		gnutls_transport_set_errno(c->tls, errno);
	return got;
}

static ssize_t push(gnutls_transport_ptr_t data, const void *octets, size_t length)
{
	struct client *c = data;
	ssize_t sent = send(c->socket, octets, length, MSG_NOSIGNAL);
	if (sent < 0)
		gnutls_transport_set_errno(c->tls, errno);
	return sent;
}

static int pull_timeout(gnutls_transport_ptr_t data, unsigned milliseconds)
{
	(void)data;
	(void)milliseconds;
	return 1;
}

bool tls_secure(struct client *c)
{
	static gnutls_certificate_credentials_t credentials;
	int result = GNUTLS_E_AGAIN;
	if (credentials == NULL)
		gnutls_certificate_allocate_credentials(&credentials);
	gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	gnutls_set_default_priority(c->tls);
	gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_ptr(c->tls, c);
	gnutls_transport_set_pull_function(c->tls, pull);
	gnutls_transport_set_pull_timeout_function(c->tls, pull_timeout);
	gnutls_transport_set_push_function(c->tls, push);
	for (int i = 0; i < 1000 && result < 0 && gnutls_error_is_fatal(result) == 0; i++) {
		result = gnutls_handshake(c->tls);
		server_step(c->server, 1);
	}
	return result == 0;
}

ssize_t tls_receive(struct client *c, void *octets, size_t size)
{
	ssize_t got = gnutls_record_recv(c->tls, octets, size);
	if (got == GNUTLS_E_AGAIN)
		errno = EAGAIN;
	else if (got < 0)
		errno = ECONNRESET;
	return got < 0 ? -1 : got;
}

void tls_send(struct client *c, const void *octets, size_t length)
{
	(void)!gnutls_record_send(c->tls, octets, length);
}

void tls_forget(struct client *c)
{
	if (c->tls != NULL)
		gnutls_deinit(c->tls);
	c->tls = NULL;
}
