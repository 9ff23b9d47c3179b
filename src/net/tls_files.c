/*
 * Certificates, keys and staples: read whole into memory, checked each by itself so that a message
 * can name the file that is wrong, then handed to GnuTLS. Keys are wiped after.
 */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/ocsp.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/secret.h"
#include "net/tls_private.h"

/* Room for a problem's text: what is wrong with a path, of which 400 octets are shown, or two. */
#define TEXT_SIZE 1024
/* "2026-01-31 12:00:00 UTC" and a NUL. */
#define MOMENT_SIZE 32

/* ---- Problems ---- */

void tls_report(const struct tls_report *report, bool fatal, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list arguments;
	if (report->problem == NULL)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	report->problem(text, fatal, report->data);
}

int tls_report_error(const struct tls_report *report, const char *name, int error)
{
	tls_report(report, true, "%.400s: %s", name, gnutls_strerror(error));
	return error == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
}

static const char *moment_text(time_t moment, char text[MOMENT_SIZE])
{
	struct tm parts;
	if (gmtime_r(&moment, &parts) == NULL ||
	    strftime(text, MOMENT_SIZE, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
		snprintf(text, MOMENT_SIZE, "an unknown time");
	return text;
}

/* ---- Reading ---- */

/* What a path or a PEM text holds; `owned` is what to wipe and free. */
struct piece {
	const char *name; /* for messages */
	gnutls_datum_t data;
	char *owned;
};

static void piece_fini(struct piece *p)
{
	if (p->owned != NULL)
		secret_wipe(p->owned, p->data.size);
	free(p->owned);
	*p = (struct piece){0};
}

static bool is_pem(const char *text)
{
	return strstr(text, "-----BEGIN ") != NULL;
}

/* Not waiting for a FIFO's writer: a reload happens on the thread that serves. */
static ssize_t read_file(const char *path, char *octets, size_t size)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (descriptor < 0)
		return -errno;
	ssize_t length = io_read_at(descriptor, octets, size, 0);
	close(descriptor);
	return length;
}

static int piece_read(struct piece *p, const char *path)
{
	char *octets = malloc(TLS_FILE_MAX + 1);
	if (octets == NULL)
		return -ENOMEM;
	ssize_t length = read_file(path, octets, TLS_FILE_MAX + 1);
	if (length > TLS_FILE_MAX)
		length = -EFBIG;
	if (length < 0) {
		secret_wipe(octets, TLS_FILE_MAX + 1);
		free(octets);
		return (int)length;
	}
	p->owned = octets;
	p->data = (gnutls_datum_t){(unsigned char *)octets, (unsigned)length};
	return 0;
}

/* `text` is a path or PEM; `what` stands for the name of the latter. */
static int piece_init(struct piece *p, const char *text, const char *what,
		      const struct tls_report *report)
{
	*p = (struct piece){.name = text};
	if (is_pem(text)) {
		p->name = what;
		p->data.data = (unsigned char *)(uintptr_t)text;
		p->data.size = (unsigned)strlen(text);
		return 0;
	}
	int error = piece_read(p, text);
	if (error < 0)
		tls_report(report, true, "%.400s: %s", text, strerror(-error));
	return error;
}

/* ---- Certificates ---- */

/* Clients will say what they think of it: a server that cannot be reached at all is no better. */
static void check_dates(const struct piece *p, gnutls_x509_crt_t certificate,
			const struct tls_report *report)
{
	char moment[MOMENT_SIZE];
	time_t now = time(NULL);
	time_t from = gnutls_x509_crt_get_activation_time(certificate);
	time_t until = gnutls_x509_crt_get_expiration_time(certificate);
	if (until < now)
		tls_report(report, false, "%.400s: the certificate expired at %s", p->name,
			   moment_text(until, moment));
	else if (from > now)
		tls_report(report, false, "%.400s: the certificate is not valid before %s", p->name,
			   moment_text(from, moment));
}

/* The certificates of a file. */
struct chain {
	gnutls_x509_crt_t *items;
	unsigned count;
};

static void chain_fini(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		gnutls_x509_crt_deinit(c->items[i]);
	gnutls_free(c->items);
}

static int chain_init(struct chain *c, const struct piece *p, const struct tls_report *report)
{
	*c = (struct chain){0};
	int error = gnutls_x509_crt_list_import2(&c->items, &c->count, &p->data,
						 GNUTLS_X509_FMT_PEM, 0);
	if (error >= 0)
		return 0;
	*c = (struct chain){0};
	tls_report(report, true, "%.400s: holds no PEM certificate that can be read: %s", p->name,
		   gnutls_strerror(error));
	return error == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
}

static int whole(gnutls_x509_crt_t certificate, gnutls_datum_t *der)
{
	return gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, der);
}

/* What a handshake would carry of them: their DER, or that of their names. Is there room for it? */
static int check_size(const struct chain *c, const struct piece *p,
		      int (*part)(gnutls_x509_crt_t, gnutls_datum_t *), size_t size_max,
		      const struct tls_report *report)
{
	size_t size = 0;
	for (unsigned i = 0; i < c->count; i++) {
		gnutls_datum_t der;
		int error = part(c->items[i], &der);
		if (error < 0)
			return tls_report_error(report, p->name, error);
		size += der.size;
		gnutls_free(der.data);
	}
	if (size <= size_max)
		return 0;
	tls_report(report, true,
		   "%.400s: a handshake would carry %zu octets of %s, and has room for %zu",
		   p->name, size, part == whole ? "certificates" : "names of CAs", size_max);
	return -EINVAL;
}

/* Is there a certificate in it, and what is to be said of it? */
static int check_chain(const struct piece *p, const struct tls_report *report)
{
	struct chain chain;
	int result = chain_init(&chain, p, report);
	if (result == 0)
		result = check_size(&chain, p, whole, TLS_CHAIN_MAX, report);
	if (result == 0)
		check_dates(p, chain.items[0], report);
	chain_fini(&chain);
	return result;
}

/* A key that no signature in our priorities is made with would leave clients without a handshake.
 */
static bool is_usable(gnutls_x509_privkey_t key)
{
	unsigned bits = 0;
	switch (gnutls_x509_privkey_get_pk_algorithm2(key, &bits)) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_EDDSA_ED25519:
		return true;
	case GNUTLS_PK_ECDSA:
		return bits == 256 || bits == 384;
	default:
		return false;
	}
}

static int check_key(const struct piece *p, const struct tls_report *report)
{
	gnutls_x509_privkey_t key;
	bool usable = false;
	int error = gnutls_x509_privkey_init(&key);
	if (error == 0) {
		error = gnutls_x509_privkey_import2(key, &p->data, GNUTLS_X509_FMT_PEM, NULL, 0);
		usable = error >= 0 && is_usable(key);
		gnutls_x509_privkey_deinit(key);
	}
	if (usable)
		return 0;
	if (error >= 0)
		tls_report(report, true,
			   "%.400s: no client could use the key; TLS here is for RSA, ECDSA P-256 "
			   "or P-384, or Ed25519",
			   p->name);
	else if (error == GNUTLS_E_DECRYPTION_FAILED)
		tls_report(report, true, "%.400s: the key is encrypted, and nobody can be asked",
			   p->name);
	else
		tls_report(report, true, "%.400s: holds no PEM key that can be read: %s", p->name,
			   gnutls_strerror(error));
	return error == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
}

/* The index of the pair in the credentials, or a negative errno value. */
static int add_pair(gnutls_certificate_credentials_t credentials, const struct piece *cert,
		    const struct piece *key, const struct tls_report *report)
{
	int index = gnutls_certificate_set_x509_key_mem2(credentials, &cert->data, &key->data,
							 GNUTLS_X509_FMT_PEM, NULL, 0);
	if (index >= 0)
		return index;
	if (index != GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return tls_report_error(report, cert->name, index);
	tls_report(report, true, "%.400s: is not the key of the certificate in %.400s", key->name,
		   cert->name);
	return -EINVAL;
}

static int load_pair(gnutls_certificate_credentials_t credentials, const struct pop3_certificate *c,
		     const struct tls_report *report)
{
	struct piece cert, key = {0};
	int result = piece_init(&cert, c->cert, "cert (in memory)", report);
	if (result == 0)
		result = check_chain(&cert, report);
	/* The key is looked at in any case, so that one run tells all that is wrong. */
	int second = piece_init(&key, c->key, "key (in memory)", report);
	if (second == 0)
		second = check_key(&key, report);
	if (result == 0)
		result = second;
	if (result == 0)
		result = add_pair(credentials, &cert, &key, report);
	piece_fini(&cert);
	piece_fini(&key);
	return result;
}

/* ---- Staples (OCSP, RFC 6066 section 8) ---- */

/* Clients refuse a server whose staple is old, though its certificate is good. */
static int check_staple(const struct piece *p, gnutls_x509_crt_fmt_t form,
			const struct tls_report *report)
{
	gnutls_ocsp_resp_t response;
	time_t next = -1;
	unsigned status = 0;
	if (p->data.size > TLS_STAPLE_MAX) {
		tls_report(report, true, "%.400s: has %u octets, and a handshake room for %u",
			   p->name, p->data.size, TLS_STAPLE_MAX);
		return -EINVAL;
	}
	int error = gnutls_ocsp_resp_init(&response);
	if (error < 0)
		return tls_report_error(report, p->name, error);
	error = gnutls_ocsp_resp_import2(response, &p->data, form);
	if (error >= 0)
		error = gnutls_ocsp_resp_get_single(response, 0, NULL, NULL, NULL, NULL, &status,
						    NULL, &next, NULL, NULL);
	gnutls_ocsp_resp_deinit(response);
	if (error < 0) {
		tls_report(report, true, "%.400s: holds no OCSP response that can be read: %s",
			   p->name, gnutls_strerror(error));
		return error == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
	}
	if (status == GNUTLS_OCSP_CERT_REVOKED) {
		tls_report(report, true,
			   "%.400s: the OCSP response says that the certificate is revoked",
			   p->name);
		return -EINVAL;
	}
	if (next == (time_t)-1 || next >= time(NULL))
		return 0;
	char moment[MOMENT_SIZE];
	tls_report(report, true, "%.400s: the OCSP response expired at %s", p->name,
		   moment_text(next, moment));
	return -EINVAL;
}

static int load_staple(gnutls_certificate_credentials_t credentials, unsigned index,
		       const char *text, const struct tls_report *report)
{
	struct piece p;
	int result = piece_init(&p, text, "ocsp (in memory)", report);
	if (result == 0) {
		bool pem = p.data.size > 11 && memcmp(p.data.data, "-----BEGIN ", 11) == 0;
		gnutls_x509_crt_fmt_t form = pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER;
		result = check_staple(&p, form, report);
		if (result == 0) {
			int error = gnutls_certificate_set_ocsp_status_request_mem(
				credentials, &p.data, index, form);
			if (error < 0)
				result = tls_report_error(report, p.name, error);
		}
	}
	piece_fini(&p);
	return result;
}

/* ---- Both ---- */

int tls_load_certificate(gnutls_certificate_credentials_t credentials,
			 const struct pop3_certificate *c, const struct tls_report *report)
{
	if (c->cert == NULL || c->key == NULL) {
		tls_report(report, true, "%s",
			   c->key == NULL ? "cert: needs a key with it"
					  : "key: needs a cert with it");
		return -EINVAL;
	}
	int index = load_pair(credentials, c, report);
	if (index < 0 || c->ocsp == NULL)
		return index < 0 ? index : 0;
	return load_staple(credentials, (unsigned)index, c->ocsp, report);
}

int tls_load_client_ca(gnutls_certificate_credentials_t credentials, const char *file,
		       const struct tls_report *report)
{
	struct piece p;
	int result = piece_init(&p, file, "client_ca (in memory)", report);
	struct chain chain = {0};
	if (result == 0)
		result = chain_init(&chain, &p, report);
	if (result == 0)
		result = check_size(&chain, &p, gnutls_x509_crt_get_raw_dn, TLS_CA_NAMES_MAX,
				    report);
	if (result == 0) {
		int error = gnutls_certificate_set_x509_trust(credentials, chain.items,
							      (int)chain.count);
		if (error < 0)
			result = tls_report_error(report, p.name, error);
	}
	chain_fini(&chain);
	piece_fini(&p);
	return result;
}
