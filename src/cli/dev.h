/* `dev` without its example part: folder, account, settings, ready lines. */
#ifndef POP3_CLI_DEV_H
#define POP3_CLI_DEV_H

#include <limits.h>

#include "backend/store_backend.h"
#include "cli/cli.h"
#include "daemon/logger.h"
#include "daemon/ports.h"

struct dev {
	const struct arguments *arguments;
	struct options options;
	struct logger logger;
	struct ports ports;
	char folder[PATH_MAX]; /* mailboxes are FOLDER/<user>/Maildir */
	bool temporary;        /* we made the folder */
	struct pop3_server *server;
	struct grants *grants;
	struct workers *workers;
	struct store_backend *store;
	struct pop3_listener login;
};

/* Each returns 0, or a sysexits code after a message. `given` is the folder on the command line or
 * NULL. */

/* Flags that contradict, the settings, and the folder that was given. */
int dev_prepare(struct dev *, const char *given);
/* As root nothing is served: the folder's owner does it, or nobody for a folder of our own. */
int dev_drop_root(const struct dev *, const char *given);
/* A temporary folder, if none was given. */
int dev_make_folder(struct dev *, const char *given);
/* Remove the temporary folder, if that was asked for. */
void dev_remove_folder(const struct dev *);
/* The ready lines. */
void dev_announce(const struct dev *);

#endif
