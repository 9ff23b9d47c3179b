/* Certificates of a CA of the tests, made when they are first asked for; PEM texts. */
#ifndef POP3_TESTS_UNIT_TLS_CERTS_H
#define POP3_TESTS_UNIT_TLS_CERTS_H

#include <stdbool.h>

/* What a certificate is to be. */
struct cert_wish {
	const char *name; /* common name, and a DNS name where `mail` is NULL */
	const char *mail; /* rfc822Name */
	bool rsa;         /* else ECDSA P-256 */
	bool client;      /* its purpose; else a server's */
	bool expired;
};

/* Both NUL-terminated; free() each. */
struct cert_pair {
	char *cert, *key;
};

/* Signed by the CA. */
struct cert_pair cert_make(const struct cert_wish *);
void cert_free(struct cert_pair *);
/* Kept for the whole run: a server's, ECDSA, named test.example; another; and the CA. */
const struct cert_pair *cert_server(void);
const struct cert_pair *cert_other(void);
const char *cert_ca(void);

#endif
