/* Socket addresses and their texts. Hosts are numeric; nothing is looked up. */
#ifndef POP3_NET_ADDRESS_H
#define POP3_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/network.h"
#include "pop3_emitter.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un path;
	} socket;
	socklen_t length;
	bool every; /* ":port": IPv4 and IPv6 alike */
};

/*
 * Room for the name under which the connections of an address are counted: an IPv4 address, or the
 * 64 bits that one IPv6 customer has.
 */
#define ADDRESS_KEY_SIZE 24

/* "127.0.0.1:110", "[::1]:110", ":110", "unix:/path". 0 or -EINVAL. */
int address_parse(const char *text, struct address *);
/* The same for every IPv4 address: what ":port" becomes on a machine without IPv6. */
void address_every_v4(struct address *);
/* The text, a mapped IPv4 address as IPv4; "unix" for a unix socket without a name. */
void address_format(const struct address *, char text[POP3_ADDRESS_SIZE]);
/* 0 for a unix socket. */
uint16_t address_port(const struct address *);
/* On this machine: 127/8, ::1, also mapped, and unix sockets. */
bool address_is_loopback(const struct address *);
/* The IP address, IPv4 mapped into IPv6; false for a unix socket. */
bool address_octets(const struct address *, unsigned char octets[NETWORK_OCTETS]);
/* A number that is the same for addresses that are counted together; 0 for unix sockets. */
uint64_t address_key(const struct address *);
/* The key as a name for a tally. */
void address_key_name(uint64_t key, char name[ADDRESS_KEY_SIZE]);

#endif
