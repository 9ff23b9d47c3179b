/*
 * The daemon: an ordinary application of the library with the listeners of src/backend. It binds,
 * drops privileges, reads the users, says that it is ready, and serves.
 */
#ifndef POP3_DAEMON_SERVE_H
#define POP3_DAEMON_SERVE_H

#include "daemon/options.h"

/*
 * Serve until SIGTERM or SIGINT. The input is kept: SIGHUP reads it again. Returns a code of
 * sysexits(3), 0 after a drain; problems at the start are told on stderr, later ones in the log.
 */
int serve(const struct option_input *);

#endif
