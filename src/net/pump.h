/* The parts of the pump: pump.c for octets as they are, pump_tls.c for those of TLS,
 * pump_proxy.c for what may come before both. */
#ifndef POP3_NET_PUMP_H
#define POP3_NET_PUMP_H

#include "net/connection.h"

/* Plaintext for the session, in memory that others will use; what it does not take yet is kept. */
void pump_feed(struct connection *, char *octets, size_t length);
/* The same with what was kept. True: some of it was taken. */
bool pump_feed_leftover(struct connection *);
/* The client's stream has come to its end. */
void pump_end_of_stream(struct connection *);
/* Lower what may be moved in this turn. */
void pump_spend(size_t *budget, size_t length);
/* What send(2) or recv(2) says if it fails. True: try again at once. */
bool pump_failed(struct connection *, bool *waits, bool value);

/* The connection has to begin with a PROXY header. True: something has moved. */
bool pump_proxy(struct connection *, size_t *budget);

/* The session wants TLS: the handshake begins, or the connection ends for lack of memory. */
void pump_tls_start(struct connection *);
/* Each returns whether something has moved. */
bool pump_tls_in(struct connection *, const struct pop3_wants *, size_t *budget);
bool pump_tls_out(struct connection *, size_t *budget);
/*
 * The session has nothing more to say. Has everything been sent, the end of TLS included, or is it
 * too late? Only then the socket is shut. Without TLS: true.
 */
bool pump_tls_is_flushed(struct connection *);

#endif
