/* What the files tls*.c share: the generation, and loading its parts from files or memory. */
#ifndef POP3_NET_TLS_PRIVATE_H
#define POP3_NET_TLS_PRIVATE_H

#include <gnutls/gnutls.h>

#include "net/limits.h"
#include "net/tls_config.h"

struct tls_config {
	unsigned references;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priorities;
	gnutls_certificate_request_t client_certificate;
	bool alpn_required;
	unsigned char ticket_key[TLS_TICKET_KEY_SIZE];
};

/* Each: 0, or a negative errno value after a fatal problem that names the file. */

/* A certificate chain with its key and, if there is one, its staple. */
int tls_load_certificate(gnutls_certificate_credentials_t, const struct pop3_certificate *,
			 const struct tls_report *);
/* Those who may have signed client certificates. */
int tls_load_client_ca(gnutls_certificate_credentials_t, const char *file,
		       const struct tls_report *);
/* Report a problem of GnuTLS with something; returns the errno value for it. */
int tls_report_error(const struct tls_report *, const char *name, int error);
__attribute__((format(printf, 3, 4))) void tls_report(const struct tls_report *, bool fatal,
						      const char *format, ...);

#endif
