/* See proxies.h. */
#include "net/proxies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/network.h"

struct proxies {
	bool tls;
	bool alpn_required;
	size_t count;
	struct network networks[];
};

int proxies_new(const struct pop3_options *o, struct proxies **proxies, const char **wrong)
{
	*proxies = NULL;
	if (o->proxy.count == 0)
		return 0;
	struct proxies *p = calloc(1, sizeof *p + o->proxy.count * sizeof *p->networks);
	if (p == NULL)
		return -ENOMEM;
	p->tls = o->proxy.tls;
	p->alpn_required = o->tls.alpn_required;
	for (; p->count < o->proxy.count; p->count++) {
		const char *text = o->proxy.networks[p->count];
		if (network_parse(text, &p->networks[p->count]) < 0) {
			*wrong = text;
			free(p);
			return -EINVAL;
		}
	}
	*proxies = p;
	return 0;
}

void proxies_free(struct proxies *p)
{
	free(p);
}

bool proxies_hold(const struct proxies *p, const struct address *peer)
{
	unsigned char octets[NETWORK_OCTETS];
	if (p == NULL)
		return false;
	bool ip = address_octets(peer, octets);
	for (size_t i = 0; i < p->count; i++)
		if (network_holds(&p->networks[i], ip ? octets : NULL))
			return true;
	return false;
}

struct arrival *arrival_new(const struct proxies *p, const struct address *peer,
			    const struct pop3_info *info, bool tls_first)
{
	struct arrival *a = calloc(1, sizeof *a);
	if (a == NULL)
		return NULL;
	a->info = *info;
	a->peer = *peer;
	a->tls_first = tls_first;
	a->believe_tls = p->tls && !tls_first;
	a->alpn_required = p->alpn_required;
	return a;
}

static bool believes_tls(const struct arrival *a, const struct proxy_header *h)
{
	return h->tls && a->believe_tls;
}

void arrival_describe(const struct arrival *a, const struct proxy_header *h, struct pop3_info *info)
{
	*info = a->info;
	if (h->unknown)
		return;
	address_format(&h->source, info->peer);
	address_format(&h->destination, info->local);
	/* The client is on the proxy's machine, which has to be ours, too. */
	info->loopback = a->info.loopback && address_is_loopback(&h->source);
	info->proxied = true;
	if (!believes_tls(a, h))
		return;
	info->tls = true;
	info->stls = false;
	memcpy(info->tls_version, h->tls_version, sizeof info->tls_version);
	memcpy(info->tls_cipher, h->tls_cipher, sizeof info->tls_cipher);
	memcpy(info->certificate, h->certificate, sizeof info->certificate);
}

bool arrival_may_begin(const struct arrival *a, const struct proxy_header *h)
{
	if (!believes_tls(a, h))
		return true;
	return h->alpn ? h->alpn_pop3 : !a->alpn_required;
}
