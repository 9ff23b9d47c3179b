/*
 * The header of the PROXY protocol, versions 1 and 2: what a proxy says of its client before the
 * client's first octet. A pure parser, fed with what is at hand; it takes no octet behind the
 * header and holds no more than the longest header.
 */
#ifndef POP3_NET_PROXY_H
#define POP3_NET_PROXY_H

#include "net/address.h"

/* Version 1 is one line, its CRLF included; the protocol's own limit. */
#define PROXY_V1_MAX 107
/* Version 2 begins with so many octets, which tell the length of the rest. */
#define PROXY_V2_FIXED 16
/*
 * The most of that rest. The field could say 65,535; two unix paths, a name from a certificate and
 * all types of fields that are known come to a quarter of this.
 */
#define PROXY_V2_REST_MAX 4096
#define PROXY_HEADER_MAX  (PROXY_V2_FIXED + PROXY_V2_REST_MAX)

enum proxy_status { PROXY_MORE, PROXY_DONE, PROXY_WRONG };

/* What a header says. */
struct proxy_header {
	/* LOCAL (the proxy speaks for itself) or a family that it does not know: the addresses of
	 * the connection hold, and nothing else is said. */
	bool unknown;
	struct address source;      /* the client */
	struct address destination; /* where it connected to */
	bool alpn;                  /* the client has named a protocol, */
	bool alpn_pop3;             /* and it is POP3 */
	bool tls;                   /* the client speaks TLS with the proxy */
	/* Version and cipher as the proxy names them, "TLSv1.3"; and the common name of the
	 * client's certificate, if it has been verified. Printable, "" if not told or too long. */
	char tls_version[POP3_TLS_VERSION_SIZE];
	char tls_cipher[POP3_TLS_CIPHER_SIZE];
	char certificate[POP3_USER_MAX + 1];
};

/* A header on its way. Zeroed, it waits for the first octet. */
struct proxy_parser {
	size_t length; /* octets held */
	unsigned char octets[PROXY_HEADER_MAX];
	const char *wrong; /* with PROXY_WRONG: a phrase for the log; static */
};

/*
 * Take octets of a header; *taken: how many were, all with PROXY_MORE, none behind the header with
 * PROXY_DONE, which alone sets *header. What cannot become a header is PROXY_WRONG with the first
 * octet that shows it. After DONE or WRONG nothing more is to be fed.
 */
enum proxy_status proxy_feed(struct proxy_parser *, const void *octets, size_t length,
			     size_t *taken, struct proxy_header *header);

#endif
