/*
 * TLS for the scenarios: a certificate in two files of the scenario's folder, and the client's end
 * of the stream by GnuTLS, whose allocations are none of ours.
 */
#ifndef POP3_TESTS_OOM_TLS_H
#define POP3_TESTS_OOM_TLS_H

#include "oom/client.h"

/* Write the files, and let the options name them. */
void tls_options(struct pop3_options *);
/* The handshake on a connected client. False: the server is gone. */
bool tls_secure(struct client *);
/* In the place of recv(2), not waiting, and send(2). */
ssize_t tls_receive(struct client *, void *octets, size_t size);
void tls_send(struct client *, const void *octets, size_t length);
/* Nothing is left of the stream; none is fine. */
void tls_forget(struct client *);

#endif
