/* The addresses that the daemon listens at, and the ready lines that tell them. */
#ifndef POP3_DAEMON_PORTS_H
#define POP3_DAEMON_PORTS_H

#include "daemon/options.h"
#include "pop3_emitter.h"

struct ports {
	struct pop3_listener listener; /* hears `listening` */
	char addresses[OPTIONS_LIST_MAX][POP3_ADDRESS_SIZE];
	size_t count; /* of addresses that are bound, with their real ports */
};

/* Is every address fit to carry plaintext passwords? 0, or a sysexits code after a message. */
int ports_check(const struct options *);
/*
 * Bind all addresses of `listen`. A unix socket is open to every local user, as a loopback port is.
 * 0, or a sysexits code after a message that names the address.
 */
int ports_open(struct ports *, struct pop3_server *, const struct options *);
/*
 * Print a line for each, `listening pop3 127.0.0.1:41873` or `listening unix /path`, and flush. Not
 * before clients would be served: whoever started us takes this line for it.
 */
void ports_announce(const struct ports *);

#endif
