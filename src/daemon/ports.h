/* The addresses that the daemon listens at, and the ready lines that tell them. */
#ifndef POP3_DAEMON_PORTS_H
#define POP3_DAEMON_PORTS_H

#include "daemon/activation.h"
#include "daemon/options.h"
#include "pop3_emitter.h"

/* An address that is bound, with its real port. */
struct port {
	char address[POP3_ADDRESS_SIZE];
	bool tls; /* it comes first */
};

struct ports {
	struct pop3_listener listener; /* hears `listening` */
	struct port all[2 * OPTIONS_LIST_MAX];
	size_t count;
};

/*
 * Is every address of `listen` that plaintext passwords could come to, by `how`, fit for them? The
 * first that is not, or NULL. Addresses and allow_plaintext are those of `where`; sockets that were
 * passed to us take the place of the addresses (NULL: there are none).
 */
const char *ports_unfit(const struct options *where, const struct activation *,
			const struct options *how);
/* What is wrong with such an address. */
extern const char ports_unfit_text[];
/* The same for a start: 0, or a sysexits code after a message. */
int ports_check(const struct options *, const struct activation *);
/*
 * Bind all addresses of `listen` and `listen_tls`, or serve the sockets that were passed to us. A
 * unix socket that is bound here is open to every local user, as a loopback port is. 0, or a
 * sysexits code after a message that names the address.
 */
int ports_open(struct ports *, struct pop3_server *, const struct options *,
	       const struct activation *);
/*
 * Print a line for each, `listening pop3 127.0.0.1:41873`, `listening pop3s …` or `listening unix
 * /path` (`listening pop3s unix:/path` with TLS), and flush. Not before clients would be served:
 * whoever started us takes this line for it.
 */
void ports_announce(const struct ports *);

#endif
