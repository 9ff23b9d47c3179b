/*
 * The users as the authenticator knows them: the passwd file and the settings, one immutable
 * generation at a time, replaced when the file changes. All functions may be called from any
 * thread.
 */
#ifndef POP3_BACKEND_USERS_H
#define POP3_BACKEND_USERS_H

#include "backend/auth_backend.h"

/* One generation. */
struct users {
	unsigned references; /* private */
	struct passwd *passwd;
	struct auth_settings settings;
	bool suits_scram_sha256, suits_scram_sha1; /* there are users, and it suits each */
};

struct users_file;

/* As auth_backend_new(). */
int users_file_new(const struct auth_settings *, const struct log_sink *, struct passwd_error *,
		   struct users_file **);
/* NULL is fine. Generations that are held live on. */
void users_file_free(struct users_file *);

/* The current generation; the reference is the caller's. */
struct users *users_hold(struct users_file *);
void users_release(struct users_file *, struct users *);

/* Has the file changed, other than to one that was refused before? One or two stat(2). */
bool users_are_stale(struct users_file *, const struct users *);
/* users_hold(), but if so it is read before. A file that is refused is logged and changes nothing.
 * Blocks. */
struct users *users_hold_fresh(struct users_file *);
/* As auth_backend_reload(). Blocks. */
int users_reload(struct users_file *, const struct auth_settings *, struct passwd_error *);

#endif
