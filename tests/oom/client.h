/*
 * A POP3 client in the same thread as its server: each wait of the client is a few turns of the
 * server's loop. It remembers what has been confirmed to it. No allocation.
 */
#ifndef POP3_TESTS_OOM_CLIENT_H
#define POP3_TESTS_OOM_CLIENT_H

#include <stddef.h>

#include "pop3_emitter.h"

enum { CLIENT_BUFFER = 1 << 16, CLIENT_LINE = 600 };

struct client {
	struct pop3_server *server;
	void (*between)(void);          /* between two turns of the server; may be NULL */
	int socket;                     /* -1: not connected, or gone */
	struct gnutls_session_int *tls; /* over it, see tls.h; NULL: nothing is */
	bool tls_first;                 /* client_open() begins with the handshake */
	const char *header;             /* and before it with this, in two halves; NULL: not */
	char status[CLIENT_LINE];
	uint64_t lines;  /* of the last multi-line reply, without its dot */
	uint64_t octets; /* of these, with their ends */
	char buffer[CLIENT_BUFFER];
	size_t start, length;
};

/* One turn, waiting at most `wait` milliseconds. */
void server_step(struct pop3_server *, int wait);

/* Connect and read the greeting. False: not connected, see `socket`. */
bool client_open(struct client *, struct pop3_server *, uint16_t port);
/* Close, and let the server notice. */
void client_close(struct client *);
/* Close alone; the server may be gone. */
void client_forget(struct client *);
/* Send a line in two halves; read the reply. True: +OK. False: -ERR, or the server is gone. */
bool client_ask(struct client *, const char *line);
/* The same with a multi-line reply. */
bool client_fetch(struct client *, const char *line);
/* Read one more reply, for commands that were sent ahead. */
bool client_reply(struct client *, bool multiline);
void client_send(struct client *, const char *octets, size_t length);

#endif
