/*
 * The same forms as pop3_server_listen() takes; what it says decides whether a password may cross
 * a network in the clear, so everything that is not surely loopback is open.
 */
#include "daemon/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "base/number.h"

/* The longest numeric host, brackets not included. */
#define HOST_MAX INET6_ADDRSTRLEN

static enum address_kind unix_kind(const char *path)
{
	struct sockaddr_un address;
	if (*path != '/' || strlen(path) >= sizeof address.sun_path)
		return ADDRESS_NONE;
	return ADDRESS_UNIX;
}

static enum address_kind inet6_kind(const char *host)
{
	struct in6_addr address;
	if (inet_pton(AF_INET6, host, &address) != 1)
		return ADDRESS_NONE;
	return IN6_IS_ADDR_LOOPBACK(&address) ? ADDRESS_LOOPBACK : ADDRESS_OPEN;
}

static enum address_kind inet_kind(const char *host)
{
	struct in_addr address;
	if (inet_pton(AF_INET, host, &address) != 1)
		return ADDRESS_NONE;
	return ntohl(address.s_addr) >> 24 == 127 ? ADDRESS_LOOPBACK : ADDRESS_OPEN;
}

enum address_kind address_kind(const char *text)
{
	if (strncmp(text, "unix:", 5) == 0)
		return unix_kind(text + 5);

	const char *colon = strrchr(text, ':');
	uint64_t port;
	if (colon == NULL || !number_parse(colon + 1, strlen(colon + 1), UINT16_MAX, &port))
		return ADDRESS_NONE;
	if (colon == text)
		return ADDRESS_OPEN;

	bool bracketed = *text == '[' && colon[-1] == ']' && colon - text >= 2;
	size_t length = (size_t)(colon - text) - (bracketed ? 2 : 0);
	char host[HOST_MAX + 1];
	if (length > HOST_MAX)
		return ADDRESS_NONE;
	memcpy(host, text + bracketed, length);
	host[length] = '\0';
	return bracketed ? inet6_kind(host) : inet_kind(host);
}
