/* Listening sockets of a server, and the connections that arrive at them. */
#ifndef POP3_NET_LISTENER_H
#define POP3_NET_LISTENER_H

#include <stdbool.h>

struct pop3_server;

/* Listen at an address (see pop3_server_listen_with()); emits `listening`. 0 or a negative errno
 * value. */
int listener_open(struct pop3_server *, const char *address, bool tls);
/* The same at a socket that listens already, see pop3_server_adopt(). */
int listener_adopt(struct pop3_server *, int descriptor, bool tls);
/* Close all; unix sockets that were opened here are unlinked. */
void listeners_close(struct pop3_server *);
/* Leave arriving connections in the kernel's queue for a while. */
void listeners_pause(struct pop3_server *);
void listeners_resume(struct pop3_server *);

#endif
