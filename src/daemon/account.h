/* Accounts, and becoming one for good. */
#ifndef POP3_DAEMON_ACCOUNT_H
#define POP3_DAEMON_ACCOUNT_H

#include <stddef.h>
#include <sys/types.h>

/* The longest account name, its NUL included; longer ones are refused. */
#define ACCOUNT_NAME_SIZE 256

struct account {
	char name[ACCOUNT_NAME_SIZE]; /* "" if the uid has none */
	uid_t uid;
	gid_t gid;
};

/* The account of a name. 0; -ENOENT: there is none; or what the name service said. */
int account_find(const char *name, struct account *account);
/* The account of a uid; one without a name has the gid given here and no supplementary groups. */
int account_of(uid_t, gid_t, struct account *account);

/*
 * As root: become the account, with its groups, for good; checked afterwards, and no set-uid
 * program can change it again. 0; -EPERM: the account is root, or the way back is open; or what
 * the system said. After a failure the process is in a state in between and must end. Call it while
 * there is one thread.
 */
int account_become(const struct account *);

#endif
