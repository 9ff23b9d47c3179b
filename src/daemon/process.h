/* What the program does with its own process before it serves. */
#ifndef POP3_DAEMON_PROCESS_H
#define POP3_DAEMON_PROCESS_H

#include "daemon/account.h"
#include "daemon/options.h"

/* umask 077, as many descriptors as the system allows, few malloc arenas. */
void process_prepare(void);

/*
 * As whom mail is served: as root the account of `user`, which must be set and not be root's; else
 * our own, and `user` may only say the same. 0, or a sysexits code after a message.
 */
int process_account(const struct options *, struct account *account);
/* As whom a folder's mail is served when nothing says otherwise: its owner, who must not be root.
 * 0, or a sysexits code after a message. */
int process_owner(const char *folder, struct account *account);
/* As root become the account, else nothing. 0, or a sysexits code after a message. */
int process_drop(const struct account *);

/*
 * After process_drop(): can the command that is asked about passwords be run as this account? 0, or
 * EX_CONFIG after a message.
 */
int process_check_command(const struct options *, const struct account *);

#endif
