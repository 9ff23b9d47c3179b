/*
 * Changing the passwd file. The new file is written aside in the same directory, synced and renamed
 * over the old one, with its owner and mode, under an flock(2) on the file: on any failure the old
 * file is still there, whole. Order, comments and all fields that are not changed stay as they are.
 * A symbolic link is followed. The file must be one that passwd_load() accepts, and what is written
 * is too. All of it blocks, also on a lock that another edit holds.
 *
 * Each function returns 0 or a negative errno value, and then *error says why.
 */
#ifndef POP3_AUTH_PASSWD_EDIT_H
#define POP3_AUTH_PASSWD_EDIT_H

#include "auth/passwd.h"

/*
 * Append a user. `secret` is the stored form with its {SCHEME}, as auth_make_secret() gives it;
 * `fields` what follows it without the colon between ("1000:1000::/home/alice"), NULL for nothing.
 * A missing file is created, mode 0600. -EEXIST: the user is there already. -EINVAL: the file, the
 * name, the secret or the fields are no good.
 */
int passwd_edit_add(const char *path, const char *user, const char *secret, const char *fields,
		    struct passwd_error *error);
/* Give a user another secret. -ESRCH: there is no such user. */
int passwd_edit_set(const char *path, const char *user, const char *secret,
		    struct passwd_error *error);
/* Remove a user's line. -ESRCH: there is no such user. */
int passwd_edit_remove(const char *path, const char *user, struct passwd_error *error);

#endif
