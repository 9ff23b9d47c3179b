/*
 * The passwd file: `user:{SCHEME}secret:uid:gid:gecos:home:shell:extra`, one line a user. Only user
 * and secret are required; trailing fields may be left out. A secret without {SCHEME} that starts
 * with `$` is crypt(3). A secret of {VERIFY} is empty: a program is asked. Lines that are empty or
 * start with `#` mean nothing.
 *
 * A `struct passwd` is one immutable generation of the file, counted by reference; its strings are
 * wiped when the last reference goes. All functions may be called from any thread; those that take
 * a path touch the disk.
 */
#ifndef POP3_AUTH_PASSWD_H
#define POP3_AUTH_PASSWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "auth/limits.h"
#include "auth/scheme.h"

struct passwd;

/* Can somebody log in with this entry? All but PASSWD_USABLE are denied as if unknown. */
enum passwd_state {
	PASSWD_USABLE,
	PASSWD_DISABLED, /* the secret starts with `!` or `*` */
	PASSWD_EMPTY,    /* there is no secret */
	PASSWD_ROOT,     /* uid 0 */
	PASSWD_COSTLY,   /* checking the hash would hold up all others, see cost.h */
};

/* One user. Borrowed from its generation: valid while a reference to that is held. */
struct passwd_entry {
	const char *user;
	const char *secret; /* what follows {SCHEME}; for verification only, never for a log */
	const char *home;   /* an absolute path; NULL if the field is missing or empty */
	uint32_t line;      /* 1-based */
	uid_t uid;          /* if has_uid */
	bool has_uid;       /* the field is there and not empty */
	enum auth_scheme scheme;
	enum passwd_state state;
};

/* Which version of which file: what stat(2) said, or why it failed. Private. */
struct passwd_stamp {
	struct timespec mtime, ctime;
	off_t size;
	ino_t inode;
	dev_t device;
	int error;  /* errno of stat or open, else 0 */
	bool fresh; /* changed so lately that a further change might not show in the times */
};

/* Why a file was refused, to be shown as `path:line: text` (`path: text` if line is 0). */
struct passwd_error {
	uint32_t line;
	char text[160]; /* holds nothing of a secret */
	struct passwd_stamp stamp;
};

/*
 * Read and check the file. 0 and *passwd with one reference, the caller's. Else *error says why and
 * nothing is kept: -EINVAL (a line is wrong, or it is no regular file), -EFBIG (more than
 * PASSWD_FILE_MAX), -EAGAIN (it kept changing while it was read), -ENOMEM, or what open or read
 * said. One wrong line refuses the whole file.
 */
int passwd_load(const char *path, struct passwd_error *error, struct passwd **passwd);
/* The same for text in memory; the text is copied. -EINVAL, -EFBIG, -ENOMEM. */
int passwd_parse(const char *text, size_t length, struct passwd_error *error,
		 struct passwd **passwd);

/* One more reference; returns its argument. */
struct passwd *passwd_ref(struct passwd *);
/* One less; the last one wipes and frees. NULL is fine. */
void passwd_unref(struct passwd *);

/*
 * The entry of a user, or NULL. Names are case-sensitive. The whole name is looked up first; then,
 * with `strip_domain`, the part before the last '@'. The entry's `user` is the canonical name.
 */
const struct passwd_entry *passwd_lookup(const struct passwd *, const char *user,
					 bool strip_domain);
/*
 * The name that all of a user's names have in common, whether the user exists or not: with
 * `strip_domain` without its domain, else as it is; cut after AUTH_USER_MAX octets.
 */
void passwd_bare_name(const char *user, bool strip_domain, char name[AUTH_USER_MAX + 1]);
/* How many entries there are, and entry `index` (0-based) in the order of the file. */
size_t passwd_count(const struct passwd *);
const struct passwd_entry *passwd_at(const struct passwd *, size_t index);
/*
 * One usable entry for each kind of secret in the file: of two entries of a kind the checks cost
 * the same. If the file has no usable entry there is one kind, of the default method and nobody's.
 * The first PASSWD_KINDS_MAX of a file are known; at least one. `kind` is 0-based.
 */
size_t passwd_kind_count(const struct passwd *);
const struct passwd_entry *passwd_kind_at(const struct passwd *, size_t kind);
/* Is the entry of the kind of that one? */
bool passwd_same_kind(const struct passwd_entry *, const struct passwd_entry *);
/* The kind that most users have: what a user that is unknown is taken for. Never NULL. */
const struct passwd_entry *passwd_decoy(const struct passwd *);
/* Is there a usable entry whose password is checked by a program, {VERIFY}? */
bool passwd_asks(const struct passwd *);

/* For `check`: why nobody can log in with the entry, as a phrase; NULL if somebody can. */
const char *passwd_state_text(enum passwd_state);
/* The permission bits that the file had; 0 if it was parsed from memory. */
mode_t passwd_mode(const struct passwd *);

/*
 * Is the file at the path another than the one this generation was read from? One stat(2); also
 * true when the file cannot be examined.
 */
bool passwd_changed(const struct passwd *, const char *path);
/*
 * Is the file at the path still the very one that was refused with this error? So that a caller
 * loads and reports a broken file once, not at each login:
 * `if (passwd_changed(p, path) && !passwd_refused(&error, path)) load`. False for a zeroed error.
 */
bool passwd_refused(const struct passwd_error *, const char *path);

#endif
