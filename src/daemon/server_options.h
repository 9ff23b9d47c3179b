/* From the program's settings to the options of the library and of the store. */
#ifndef POP3_DAEMON_SERVER_OPTIONS_H
#define POP3_DAEMON_SERVER_OPTIONS_H

#include "base/log.h"
#include "daemon/options.h"
#include "store/maildrop.h"

/* The options, and what they point to. */
struct server_settings {
	struct pop3_options options;
	struct pop3_certificate more[OPTIONS_LIST_MAX];
};

/* Borrows the settings' texts and the sink's data. APOP is offered if `apop` says so. */
void server_options(const struct options *, bool apop, const struct log_sink *,
		    struct server_settings *);

/* Borrows the index directory's path. */
struct maildrop_options store_options(const struct options *);

#endif
