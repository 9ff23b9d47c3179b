/*
 * What TLS sessions are made with: certificates, keys, staples, the CA of client certificates, the
 * ticket key, and what is allowed in a handshake. An immutable, counted generation: a session keeps
 * the one it began with, so a reload changes none that is under way. For one thread.
 */
#ifndef POP3_NET_TLS_CONFIG_H
#define POP3_NET_TLS_CONFIG_H

#include "pop3_emitter.h"

struct tls_config;

/* Hears of each problem: a text that names the file. `fatal`: it cannot be used so. */
struct tls_report {
	void (*problem)(const char *text, bool fatal, void *data);
	void *data;
};

/*
 * Read and check everything that the options name. 0 and *config (NULL without cert and key); else
 * -EINVAL (something does not fit), -ENOMEM, or what reading a file said, after at least one fatal
 * problem. `before`, which may be NULL, is the generation that this one follows: clients go on
 * resuming sessions, unless client certificates are asked for, which may be judged differently now.
 */
int tls_config_new(const struct pop3_options *, const struct tls_config *before,
		   const struct tls_report *, struct tls_config **config);
struct tls_config *tls_config_ref(struct tls_config *);
/* Frees with the last reference. NULL is fine. */
void tls_config_unref(struct tls_config *);

#endif
