/* See address.h. */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

#define UNIX_PREFIX "unix:"

/* ---- From text ---- */

static int parse_unix(const char *path, struct address *a)
{
	size_t length = strlen(path);
	if (length == 0 || length >= sizeof a->socket.path.sun_path)
		return -EINVAL;
	a->socket.path.sun_family = AF_UNIX;
	memcpy(a->socket.path.sun_path, path, length + 1);
	a->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return 0;
}

static int parse_v4(const char *host, in_port_t port, struct address *a)
{
	a->socket.v4.sin_family = AF_INET;
	a->socket.v4.sin_port = port;
	a->length = sizeof a->socket.v4;
	return inet_pton(AF_INET, host, &a->socket.v4.sin_addr) == 1 ? 0 : -EINVAL;
}

/* `host` with its brackets. */
static int parse_v6(char *host, in_port_t port, struct address *a)
{
	size_t length = strlen(host);
	if (length < 2 || host[length - 1] != ']')
		return -EINVAL;
	host[length - 1] = '\0';
	a->socket.v6.sin6_family = AF_INET6;
	a->socket.v6.sin6_port = port;
	a->length = sizeof a->socket.v6;
	return inet_pton(AF_INET6, host + 1, &a->socket.v6.sin6_addr) == 1 ? 0 : -EINVAL;
}

static void every_v6(in_port_t port, struct address *a)
{
	a->socket.v6.sin6_family = AF_INET6;
	a->socket.v6.sin6_port = port;
	a->socket.v6.sin6_addr = in6addr_any;
	a->length = sizeof a->socket.v6;
	a->every = true;
}

int address_parse(const char *text, struct address *address)
{
	struct address a = {0};
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port;
	int error = 0;

	if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
		error = parse_unix(text + strlen(UNIX_PREFIX), &a);
	} else {
		const char *colon = strrchr(text, ':');
		if (colon == NULL || (size_t)(colon - text) >= sizeof host ||
		    !number_parse(colon + 1, strlen(colon + 1), UINT16_MAX, &port))
			return -EINVAL;
		memcpy(host, text, (size_t)(colon - text));
		host[colon - text] = '\0';
		in_port_t network_port = htons((uint16_t)port);
		if (*host == '\0')
			every_v6(network_port, &a);
		else if (*host == '[')
			error = parse_v6(host, network_port, &a);
		else
			error = parse_v4(host, network_port, &a);
	}
	if (error == 0)
		*address = a;
	return error;
}

void address_every_v4(struct address *a)
{
	in_port_t port = a->socket.v6.sin6_port;
	*a = (struct address){.every = true, .length = sizeof a->socket.v4};
	a->socket.v4.sin_family = AF_INET;
	a->socket.v4.sin_port = port;
	a->socket.v4.sin_addr.s_addr = htonl(INADDR_ANY);
}

/* ---- To text ---- */

/* The IPv4 address in it, in host order, if it has one. */
static bool v4_of(const struct address *a, uint32_t *v4)
{
	const unsigned char *octets = a->socket.v6.sin6_addr.s6_addr;
	uint32_t network;
	if (a->socket.any.sa_family == AF_INET)
		network = a->socket.v4.sin_addr.s_addr;
	else if (a->socket.any.sa_family == AF_INET6 &&
		 IN6_IS_ADDR_V4MAPPED(&a->socket.v6.sin6_addr))
		memcpy(&network, octets + 12, sizeof network);
	else
		return false;
	*v4 = ntohl(network);
	return true;
}

uint16_t address_port(const struct address *a)
{
	switch (a->socket.any.sa_family) {
	case AF_INET:
		return ntohs(a->socket.v4.sin_port);
	case AF_INET6:
		return ntohs(a->socket.v6.sin6_port);
	default:
		return 0;
	}
}

static void format_unix(const struct address *a, char text[POP3_ADDRESS_SIZE])
{
	size_t start = offsetof(struct sockaddr_un, sun_path);
	const char *path = a->socket.path.sun_path;
	/* A client's socket has no name, or one in the abstract name space. */
	if (a->length <= start || *path == '\0')
		snprintf(text, POP3_ADDRESS_SIZE, "unix");
	else
		snprintf(text, POP3_ADDRESS_SIZE, UNIX_PREFIX "%.*s", (int)(a->length - start),
			 path);
}

void address_format(const struct address *a, char text[POP3_ADDRESS_SIZE])
{
	char host[INET6_ADDRSTRLEN] = "";
	uint32_t v4;
	if (v4_of(a, &v4)) {
		snprintf(text, POP3_ADDRESS_SIZE, "%u.%u.%u.%u:%u", v4 >> 24, (v4 >> 16) & 255,
			 (v4 >> 8) & 255, v4 & 255, address_port(a));
	} else if (a->socket.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->socket.v6.sin6_addr, host, sizeof host);
		snprintf(text, POP3_ADDRESS_SIZE, "[%s]:%u", host, address_port(a));
	} else {
		format_unix(a, text);
	}
}

/* ---- What kind it is ---- */

bool address_is_loopback(const struct address *a)
{
	uint32_t v4;
	if (v4_of(a, &v4))
		return v4 >> 24 == 127;
	return a->socket.any.sa_family != AF_INET6 || IN6_IS_ADDR_LOOPBACK(&a->socket.v6.sin6_addr);
}

bool address_octets(const struct address *a, unsigned char octets[NETWORK_OCTETS])
{
	if (a->socket.any.sa_family == AF_INET6) {
		memcpy(octets, &a->socket.v6.sin6_addr, NETWORK_OCTETS);
		return true;
	}
	if (a->socket.any.sa_family != AF_INET)
		return false;
	network_map_v4(octets);
	memcpy(octets + NETWORK_OCTETS - sizeof(struct in_addr), &a->socket.v4.sin_addr,
	       sizeof(struct in_addr));
	return true;
}

/* An IPv4 address is taken from 0/32, which no IPv6 network is in. */
uint64_t address_key(const struct address *a)
{
	uint32_t v4;
	if (v4_of(a, &v4))
		return v4;
	if (a->socket.any.sa_family != AF_INET6)
		return 0;
	uint64_t key = 0;
	for (size_t i = 0; i < 8; i++)
		key = key << 8 | a->socket.v6.sin6_addr.s6_addr[i];
	return key;
}

void address_key_name(uint64_t key, char name[ADDRESS_KEY_SIZE])
{
	snprintf(name, ADDRESS_KEY_SIZE, "%llx", (unsigned long long)key);
}
