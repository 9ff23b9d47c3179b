/*
 * Which maildrop belongs to an entry of the passwd file: `<home>/Maildir`, or, for an entry without
 * a home, `ROOT/<user>/Maildir` if there is a ROOT and the name can be part of a path.
 *
 * For an entry with a home the home must exist: it may be a mount that is missing. For one without
 * it is ROOT that must, since `ROOT/<user>` is made by the first delivery; until then the maildrop
 * is empty.
 */
#ifndef POP3_BACKEND_MAILDROPS_H
#define POP3_BACKEND_MAILDROPS_H

#include <limits.h>
#include <sys/types.h>

#include "auth/passwd.h"
#include "base/log.h"
#include "pop3_maildir.h"

/* Plain values, for the fields of struct store_grant with the same names. */
struct maildrop_path {
	char home[PATH_MAX];     /* the folder that must exist */
	char maildrop[PATH_MAX]; /* the Maildir */
};

/*
 * Find the maildrop of an entry. `root` may be NULL; the store works as `mail_user`. NULL: *path is
 * set; else why there is no maildrop, as a phrase for the operator: the entry's uid is another than
 * the mail user's, no home and no root, a name that is no path, a path that is too long.
 */
const char *maildrop_path_find(const struct passwd_entry *, const char *root, uid_t mail_user,
			       struct maildrop_path *path);
/*
 * Make the folder that holds the Maildir (mode 0700) if it is missing and its home is not it: so
 * that a delivery finds it. Blocks. NULL; else why not, as a phrase without a path: that and the
 * error are logged, for `user`.
 */
const char *maildrop_path_prepare(const struct maildrop_path *, const struct log_sink *,
				  const char *user);

/* Whose delivery it is, for the log; all borrowed. */
struct maildrop_delivery {
	const struct log_sink *sink;
	const char *user;
	const char *maildrop;
};

/*
 * For `failed` of struct pop3_maildir_options, with a struct maildrop_delivery as data: log the
 * failure. The path is left out of one that is the message's fault, since an MTA sends what a
 * program printed to the sender of a message that it returns.
 */
void maildrop_delivery_failed(const struct pop3_maildir_failure *, void *delivery);

#endif
