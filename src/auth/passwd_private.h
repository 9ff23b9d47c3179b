/* What the files that make up the passwd module share; nobody else includes it. */
#ifndef POP3_AUTH_PASSWD_PRIVATE_H
#define POP3_AUTH_PASSWD_PRIVATE_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "auth/passwd.h"

struct passwd {
	atomic_uint references;
	char *text; /* the file, cut into strings where it stands */
	size_t length;
	struct passwd_entry *entries; /* in the order of the file */
	size_t count;
	size_t capacity;
	/* Open addressing by name: 1 + the index of an entry, 0 = free. At most half full. */
	uint32_t *slots;
	size_t slot_count; /* a power of two */
	const struct passwd_entry *kinds[PASSWD_KINDS_MAX];
	size_t kind_count;
	const struct passwd_entry *decoy; /* the kind of most */
	bool asks;                        /* an entry that can be used is {VERIFY} */
	struct passwd_stamp stamp;        /* zeroed if parsed from memory */
	mode_t mode;
};

/* Fill in the error and give `result` back. `text` is cut to fit. */
int passwd_error_set(struct passwd_error *, int result, size_t line, const char *text);
/*
 * As passwd_parse(), but text, which has room for `length + 1` octets, belongs to the module from
 * now on, whatever is returned: it is wiped and freed with the generation, or at once.
 */
int passwd_take(char *text, size_t length, struct passwd_error *, struct passwd **);
/*
 * Read an open file into fresh memory of *length + 1 octets, to be wiped and freed by the caller,
 * with the stamp and mode of exactly what was read. Errors as passwd_load(); the error's stamp is
 * set when it is this version of the file that is refused.
 */
int passwd_read(int file, struct passwd_error *, char **text, size_t *length, struct stat *status);
/* The stamp of what stat(2) said now. */
struct passwd_stamp passwd_stamp_make(const struct stat *);
/* Are both stamps of the same version? Never true for a fresh or a zeroed one. */
bool passwd_stamp_equal(const struct passwd_stamp *, const struct passwd_stamp *);

#endif
