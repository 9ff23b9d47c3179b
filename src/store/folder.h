/*
 * The folders of a Maildir and what is done with files in them, always relative to a descriptor and
 * never through a symbolic link.
 */
#ifndef POP3_STORE_FOLDER_H
#define POP3_STORE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum folder { FOLDER_NEW, FOLDER_CUR, FOLDER_TMP };

/* "new", "cur", "tmp". */
const char *folder_name(enum folder);

/* The folder's descriptor, or a negative errno value. */
int folder_open(int maildir, enum folder);

/* An open Maildir, by its directory. */
struct maildir {
	int descriptor;
	uint64_t device; /* that the directory lies on */
};

/* Fill *maildir from its directory's descriptor. 0 or a negative errno value. */
int maildir_init(int descriptor, struct maildir *maildir);

/*
 * Is this the same file as another? Device and inode in one number of FOLDER_IDENTITY_BITS, the
 * device as seen from the Maildir's, so that it stays the same when the file system is mounted
 * anew. Two files of one device never have the same, as inodes are smaller; nor do, but for a
 * chance nobody can arrange, files of different devices.
 */
#define FOLDER_IDENTITY_BITS 56
uint64_t folder_identity(const struct maildir *, const struct stat *);

/* A name in a folder. */
struct folder_entry {
	enum folder folder;
	int descriptor; /* of the folder */
	const char *name;
	/* What the directory says of the file: on a file system that is made of several, stat(2)
	 * may say otherwise. */
	uint64_t identity;
	bool regular; /* a regular file for certain */
};

/* Called with each name; returns 0 to go on. */
typedef int folder_visit(void *state, const struct folder_entry *);

/* Names that begin so are of files that are being removed; see remove.h. */
#define FOLDER_ASIDE ".pop3-emitter."

/*
 * Visit each name in a folder that does not begin with a dot, or begins with FOLDER_ASIDE, in no
 * order, until a visit returns other than 0. Returns what the last visit returned, or a negative
 * errno value.
 */
int folder_read(const struct maildir *, enum folder, folder_visit *visit, void *state);
/*
 * The same in new/, then in cur/; so a message on its way from one to the other is seen at least
 * once.
 */
int folder_read_both(const struct maildir *, folder_visit *visit, void *state);

/* fstatat(2) without following links: 0 or a negative errno value. */
int folder_stat(int folder, const char *name, struct stat *);
/* fstat(2): 0 or a negative errno value. */
int folder_status(int descriptor, struct stat *);

/* What a name stands for. */
struct folder_file {
	uint64_t identity;
	uint64_t length;
	uint64_t links; /* names of the same file */
	bool regular;
	bool has_birth;
	struct timespec birth;   /* when the file was made, where the file system keeps that */
	struct timespec changed; /* its ctime */
};

/* The same as folder_stat(), and more where the kernel tells it: 0 or a negative errno value. */
int folder_look(const struct maildir *, int folder, const char *name, struct folder_file *);

/* Open for reading, without following links or waiting: a descriptor or a negative errno value. */
int folder_open_file(int folder, const char *name);
/*
 * Make a file that must not be there yet, of mode 0600: a descriptor for writing or a negative
 * errno value.
 */
int folder_create(int folder, const char *name);
/* Remove a name of a file. 0 or a negative errno value. */
int folder_delete(int folder, const char *name);
/*
 * The same as folder_open_file() for a path below a Maildir, but only if all of it is in the
 * kernel's memory, so that the disk is never waited for. -EAGAIN: it is not, or the kernel cannot
 * tell (Linux 5.12 can).
 */
int folder_open_cached(int maildir, const char *path);

/*
 * Move a file to another folder or name; never replaces one. 0; -EEXIST: the name is taken; else a
 * negative errno value, and the file has its old name or, on a network file system that says no
 * more, both.
 */
int folder_move(int from, const char *name, int to, const char *new_name);
/* The same for a new name that nobody else takes: a look at it will do. */
int folder_rename(int from, const char *name, int to, const char *new_name);
/* fsync(2) of a directory; one whose file system knows no such thing counts as synced. */
int folder_sync(int folder);

#endif
