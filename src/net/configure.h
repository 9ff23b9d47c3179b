/* The options of a server that are files: see pop3_options_check(), pop3_server_configure(). */
#ifndef POP3_NET_CONFIGURE_H
#define POP3_NET_CONFIGURE_H

#include "pop3_emitter.h"

struct proxies;
struct tls_config;

/* What TLS is made with by these options (NULL = defaults); *config NULL: there is none. 0, or an
 * error as pop3_options_check(); its text is in the log. */
int server_load_tls(struct pop3_server *, const struct pop3_options *, struct tls_config **config);
/* Likewise the proxies. */
int server_load_proxies(const struct pop3_options *, struct proxies **proxies);

#endif
