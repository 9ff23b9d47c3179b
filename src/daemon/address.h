/* Addresses to listen at, as text, before any socket is made. */
#ifndef POP3_DAEMON_ADDRESS_H
#define POP3_DAEMON_ADDRESS_H

enum address_kind {
	ADDRESS_NONE,     /* no address */
	ADDRESS_UNIX,     /* "unix:/path" */
	ADDRESS_LOOPBACK, /* "127.…:port", "[::1]:port" */
	ADDRESS_OPEN,     /* any other host, or ":port", which is every address */
};

/* What the text is. Hosts are numeric: a name could change what it means after the check. */
enum address_kind address_kind(const char *text);

#endif
