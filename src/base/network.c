/* See network.h. */
#include "base/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/number.h"

#define V4_OCTETS 4u
#define V4_OFFSET (NETWORK_OCTETS - V4_OCTETS)

void network_map_v4(unsigned char octets[NETWORK_OCTETS])
{
	memset(octets, 0, V4_OFFSET - 2);
	memset(octets + V4_OFFSET - 2, 0xff, 2);
}

static bool has_bit(const unsigned char *octets, unsigned bit)
{
	return (octets[bit / 8] & 0x80u >> bit % 8) != 0;
}

/* The address of `host`; *first is the bit that its own prefix length counts from. */
static bool parse_host(const char *host, unsigned char octets[NETWORK_OCTETS], unsigned *first)
{
	*first = 0;
	if (strchr(host, ':') != NULL)
		return inet_pton(AF_INET6, host, octets) == 1;
	*first = V4_OFFSET * 8;
	network_map_v4(octets);
	return inet_pton(AF_INET, host, octets + V4_OFFSET) == 1;
}

int network_parse(const char *text, struct network *network)
{
	struct network n = {.local = strcmp(text, "unix") == 0};
	char host[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	unsigned first;
	uint64_t bits;

	if (n.local) {
		*network = n;
		return 0;
	}
	if (length >= sizeof host)
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (!parse_host(host, n.octets, &first))
		return -EINVAL;
	bits = NETWORK_OCTETS * 8 - first;
	if (text[length] == '/' &&
	    !number_parse(text + length + 1, strlen(text + length + 1), bits, &bits))
		return -EINVAL;
	n.bits = first + (unsigned)bits;
	for (unsigned bit = n.bits; bit < NETWORK_OCTETS * 8; bit++)
		if (has_bit(n.octets, bit))
			return -EINVAL;
	*network = n;
	return 0;
}

bool network_holds(const struct network *n, const unsigned char *octets)
{
	if (n->local || octets == NULL)
		return n->local && octets == NULL;
	unsigned whole = n->bits / 8;
	if (memcmp(n->octets, octets, whole) != 0)
		return false;
	for (unsigned bit = whole * 8; bit < n->bits; bit++)
		if (has_bit(n->octets, bit) != has_bit(octets, bit))
			return false;
	return true;
}

size_t network_of_peer(const char *peer, const char **address)
{
	const char *colon = strrchr(peer, ':');
	size_t length = colon == NULL ? strlen(peer) : (size_t)(colon - peer);
	*address = peer;
	if (length < 2 || peer[0] != '[' || peer[length - 1] != ']')
		return length;
	*address = peer + 1;
	return length - 2;
}
