/* The TLS files of the settings: what is wrong with them, told to whoever is there to hear it. */
#ifndef POP3_DAEMON_CERTIFICATES_H
#define POP3_DAEMON_CERTIFICATES_H

#include "base/log.h"
#include "daemon/options.h"

/* As now, before the start: each problem that forbids it is a message. 0, or a sysexits code. */
int certificates_check(const struct options *);
/*
 * Read them once more as the user that serves, after root's rights are gone: what that user cannot
 * read a reload could not either. `tell` hears of each, with the way to mend it. Returns how many.
 */
unsigned certificates_check_reread(const struct options *, const char *user,
				   void (*tell)(const char *text, void *data), void *data);
/* For a reload: each problem is an error in the log. True: there is none. */
bool certificates_check_reload(const struct options *, const struct log_sink *);

#endif
