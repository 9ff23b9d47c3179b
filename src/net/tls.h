/*
 * TLS of one client as a stream over memory: ciphertext goes in and comes out, plaintext comes out
 * and goes in. There is no descriptor and no clock in it; whoever owns it moves the octets.
 *
 * Nothing here waits: -EAGAIN means that ciphertext has to come or go first. After any call there
 * may be output, also after those that failed (an alert) or only read (an answer to the client).
 */
#ifndef POP3_NET_TLS_H
#define POP3_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/pool.h"
#include "net/tls_config.h"

struct tls;

enum tls_state {
	TLS_SHAKING, /* tls_shake() */
	TLS_OPEN,    /* tls_read() and tls_write() */
	TLS_CLOSED,  /* the client has sent its close_notify; tls_write() still works */
	TLS_FAILED,  /* see tls_fault(); what output there is may still be sent */
};

/* The server's end. It takes a reference of the generation, and blocks for output, of at least
 * TLS_RECORD_MAX octets, from `blocks`. NULL: no memory. */
struct tls *tls_new(struct tls_config *, struct pool *blocks);
/* NULL is fine. */
void tls_free(struct tls *);
enum tls_state tls_state(const struct tls *);
/* Why it failed; a text that stays valid in any case. NULL: it has not. */
const char *tls_fault(const struct tls *);

/* Ciphertext from the client, all or nothing. 0, -ENOSPC (it was not hungry), -ENOMEM. */
int tls_feed(struct tls *, const void *octets, size_t length);
/* Everything that was fed has been used, so more may be fed: at most TLS_INPUT_MAX octets. */
bool tls_is_hungry(const struct tls *);
/* Ciphertext for the client; valid until the next call. *length may be 0. */
const void *tls_output(const struct tls *, size_t *length);
/* So many of them are sent. */
void tls_sent(struct tls *, size_t length);

/* Go on with the handshake. 0: it is over and the stream is open; -EAGAIN; -EPROTO: it failed. */
int tls_shake(struct tls *);
/*
 * Up to `size` octets of plaintext. 0: the client has closed its side properly; a stream that ends
 * without that has been cut off. -EAGAIN; -EPROTO: it failed.
 */
ssize_t tls_read(struct tls *, void *octets, size_t size);
/* Encrypt some of these. How many; -EAGAIN: output has to go first; -EPROTO: it failed. */
ssize_t tls_write(struct tls *, const void *octets, size_t length);
/* Nothing more will be written: say so to the client (close_notify), once. */
void tls_close(struct tls *);

/* What is known of an open stream: `tls`, `tls_version`, `tls_cipher`, the channel binding and the
 * client certificate. The rest is left alone. */
void tls_describe(const struct tls *, struct pop3_info *);

#endif
