/*
 * A TLS client over memory, by GnuTLS as any program would use it: what it sends lies in `sent`,
 * what it is to receive is put into `arrived`. Nothing waits.
 */
#ifndef POP3_TESTS_UNIT_TLS_PEER_H
#define POP3_TESTS_UNIT_TLS_PEER_H

#include <gnutls/gnutls.h>

#include "base/pool.h"
#include "net/tls.h"
#include "unit/suite.h"
#include "unit/tls_certs.h"

#define TLS_PEER_ROOM  (1u << 20)
#define TLS_PEER_BLOCK 65536

struct tls_peer {
	/* May be set between tls_peer_init() and the first move. */
	const char *priorities; /* NULL = NORMAL */
	const char *name;       /* for SNI; NULL = none */
	const char *alpn[2];
	const struct cert_pair *certificate;
	size_t piece;           /* octets that travel at once; 0 = all */
	gnutls_datum_t session; /* to resume; empty = none */

	struct pop3_options options;
	struct tls_config *config;
	struct tls *tls; /* the server's end */
	struct pool pool;
	gnutls_session_t client;
	gnutls_certificate_credentials_t credentials;
	unsigned char *sent, *arrived;
	size_t sent_length, arrived_length;
	bool shaken; /* the client's handshake is over */
	int error;   /* of the client's handshake, fatal */
	char problem[512];
	unsigned problems;
};

/* Both ends with the standard certificate. */
void tls_peer_init(struct tls_peer *);
void tls_peer_fini(struct tls_peer *);
/* Make what is missing: the generation (0 or its error), then both ends. */
int tls_peer_configure(struct tls_peer *);
void tls_peer_connect(struct tls_peer *);
/* Another connection to the same generation. */
void tls_peer_reconnect(struct tls_peer *);
/* Octets to and from, until nothing moves. True: both are through with the handshake. */
bool tls_peer_shake(struct tls_peer *);
/* Hand over to the server what the client has sent; the reverse. */
void tls_peer_to_server(struct tls_peer *);
void tls_peer_to_client(struct tls_peer *);
/* The client says something in one record. */
void tls_peer_says(struct tls_peer *, const char *text);
/* Is this the next that the server reads, or the client? */
bool tls_server_reads(struct tls_peer *, const char *text);
bool tls_client_reads(struct tls_peer *, const char *text);

#endif
