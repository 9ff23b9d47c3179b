/*
 * Networks of IP addresses as people write them: "192.0.2.0/24", "2001:db8::/32", an address alone,
 * and "unix" for who comes through a unix socket.
 */
#ifndef POP3_BASE_NETWORK_H
#define POP3_BASE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

/* An address in the form that IPv4 and IPv6 share: IPv4 is mapped (RFC 4291 section 2.5.5.2). */
#define NETWORK_OCTETS 16

struct network {
	unsigned char octets[NETWORK_OCTETS];
	unsigned bits; /* that count, from the first */
	bool local;    /* "unix" */
};

/* 0; -EINVAL: it is none, or has bits set behind those that count, which is a slip. */
int network_parse(const char *text, struct network *);
/* Is the address in it? NULL: one of a unix socket. */
bool network_holds(const struct network *, const unsigned char *octets);
/*
 * The address of a peer as struct pop3_info has it: "192.0.2.1:4711" and "[2001:db8::1]:4711"
 * without port and brackets, "unix" as it is. Its length; *address is where it begins in `peer`.
 */
size_t network_of_peer(const char *peer, const char **address);
/* octets[12..15] are an IPv4 address: the rest of the mapped form. */
void network_map_v4(unsigned char octets[NETWORK_OCTETS]);

#endif
