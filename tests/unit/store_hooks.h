/*
 * Other programs, at the worst moments: this program's own renameat2(2), unlinkat(2),
 * getdents64(2), fstatat(2) and statx(2) let a test do something first, fail, or tell another
 * inode, since whether inodes are used again depends on the file system.
 */
#ifndef POP3_TESTS_UNIT_STORE_HOOKS_H
#define POP3_TESTS_UNIT_STORE_HOOKS_H

#include <sys/types.h>

/* The names of the message that these tests are about have this in them; deeds and errors are for
 * calls with such a name. */
#define MARKED "1.M1.x"

#define HOOKS_MAX 8

/* Zeroed: nothing happens. */
struct hooks {
	/* Done before the next calls of renameat2(2) and unlinkat(2), one each. */
	void (*deeds[HOOKS_MAX])(void);
	/* What the next calls of renameat2(2) fail with, 0: that one does not. */
	int rename_errors[HOOKS_MAX];
	int unlink_error;
	/* Done each time before the first names of cur/ are read, after those of new/. */
	void (*before_cur)(void);
	/* One inode is told to be another. */
	ino_t real, told;
};
extern struct hooks hooks;

/* All that was planned must have happened; forget the rest. */
void hooks_end(void);

/* Replace new/MARKED by a file that will be told to have its inode. */
void hooks_replace_with_inode(const char *text);

#endif
