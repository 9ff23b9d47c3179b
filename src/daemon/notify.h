/*
 * What the service manager wants to know (systemd's Type=notify, see sd_notify(3)): that we serve,
 * reload, end. Datagrams to the unix socket that NOTIFY_SOCKET names; nothing waits for it.
 */
#ifndef POP3_DAEMON_NOTIFY_H
#define POP3_DAEMON_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

struct notify {
	int descriptor; /* -1: nobody wants to know */
	struct sockaddr_un address;
	socklen_t length;
};

/*
 * Take NOTIFY_SOCKET, a path or '@' and a name of the abstract name space, and unset it. What
 * cannot be used is a message, and nobody is told anything.
 */
void notify_init(struct notify *);
void notify_fini(struct notify *);
/* The service is up, or up again after a reload; `status` is for people. */
void notify_ready(const struct notify *, const char *status);
void notify_reloading(const struct notify *);
void notify_stopping(const struct notify *);

#endif
