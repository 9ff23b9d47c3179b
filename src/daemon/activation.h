/*
 * Socket activation: listening sockets that the service manager (systemd and others) has bound for
 * us and left open from descriptor 3 on, see sd_listen_fds(3).
 */
#ifndef POP3_DAEMON_ACTIVATION_H
#define POP3_DAEMON_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/options.h"
#include "pop3_emitter.h"

/* As many as can be configured. */
#define ACTIVATION_MAX ((size_t)2 * OPTIONS_LIST_MAX)

struct activation_socket {
	int descriptor;
	bool tls; /* it is named "pop3s": TLS comes first */
	/* Its own address in the form of `listen`, for the checks that those undergo. */
	char address[POP3_ADDRESS_SIZE];
};

struct activation {
	size_t count; /* 0: there are none */
	struct activation_socket sockets[ACTIVATION_MAX];
};

/*
 * Take what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES describe, and unset all three, so that no
 * child takes it for its own. Variables for another process mean nothing. The names are "pop3" and
 * "pop3s"; without names all are "pop3". 0, or a sysexits code after a message. Once a process,
 * before other descriptors are opened.
 */
int activation_take(struct activation *);
/* Are there any? Then they take the place of `listen` and `listen_tls`. NULL: no. */
bool activation_is_used(const struct activation *);

#endif
