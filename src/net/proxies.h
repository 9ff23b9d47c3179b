/*
 * Which peers are proxies that begin with a PROXY header, and the header's way in: from accept(2)
 * until it is whole. See struct pop3_proxy.
 */
#ifndef POP3_NET_PROXIES_H
#define POP3_NET_PROXIES_H

#include "net/proxy.h"

struct connection;

/* Those of a server's options; replaced as a whole. NULL: there are none. */
struct proxies;

/* *proxies: what the options (defaults filled in) name, NULL if nothing. 0; -EINVAL: *wrong is the
 * text that is no network, the caller's; -ENOMEM. */
int proxies_new(const struct pop3_options *, struct proxies **proxies, const char **wrong);
void proxies_free(struct proxies *);
/* Must this peer begin with a header? */
bool proxies_hold(const struct proxies *, const struct address *peer);

/* A connection whose header is not here yet. */
struct arrival {
	struct proxy_parser parser;
	struct pop3_info info; /* of the connection itself */
	struct address peer;
	bool tls_first;
	bool believe_tls, alpn_required; /* as of when it was accepted */
};

/* NULL: out of memory. Freed by free(3). */
struct arrival *arrival_new(const struct proxies *, const struct address *peer,
			    const struct pop3_info *, bool tls_first);
/* What is known of the connection once the header is here. */
void arrival_describe(const struct arrival *, const struct proxy_header *, struct pop3_info *);
/* Not where the client has named another protocol to a proxy that is believed (ALPN), or none where
 * one is required: as where the handshake is ours, a browser must not be led to speak to us. */
bool arrival_may_begin(const struct arrival *, const struct proxy_header *);

#endif
