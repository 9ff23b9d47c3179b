/*
 * Deleting or moving a file by what it is. unlink(2) deletes what has the name at that moment, and
 * another program may have put another message there since the look at it. So a file is first
 * renamed to a name that only we use, in the same folder; then looked at; and then deleted, or
 * renamed back:
 *
 *	QUIT                                    another program
 *	look at new/X: the message
 *	                                        rename tmp/Y to new/X
 *	rename new/X to new/.pop3-emitter.X
 *	look at it: another file
 *	rename it back to new/X
 *
 * For some microseconds Y has no name that a mail program sees; one that reads the folder just then
 * takes it for deleted, and finds it the next time. If a third file has taken its name, too, it
 * gets the same base name with other flags.
 *
 * A process that is killed in between leaves the file under our name. Then the folder has changed
 * since the index was made, so the next login reads it, and puts the file back whatever it is. So a
 * message whose deletion was not confirmed is there again, and none is lost.
 */
#ifndef POP3_STORE_REMOVE_H
#define POP3_STORE_REMOVE_H

#include "store/birth.h"
#include "store/folder.h"

/* The file that is meant. */
struct remove_wanted {
	uint64_t identity;
	uint64_t length; /* when it was listed */
	const struct births *births;
};

struct removed {
	bool touched;    /* the folder was changed, whether or not that came to something */
	bool more_names; /* of the deleted or moved file */
	bool reborn;     /* with -ESTALE: the other file has its very inode, so it is gone */
	bool aside;      /* with any error: what had the name could not be renamed back */
};

/*
 * Delete the name if it is the wanted file's. 0; -ENOENT: there is no such name; -ESTALE: it is
 * another file's, and stays; else a negative errno value, and it stays. *removed is always set.
 * Must hold the maildrop's lock.
 *
 * Where no second name can be had, on a full disk or for a name that is too long, the name is
 * deleted right after a look at it: else nobody could make room any more.
 */
int remove_name(const struct maildir *, int folder, const char *name, const struct remove_wanted *,
		struct removed *removed);

/*
 * Likewise move it to another folder, under a name that nothing has. -EEXIST: something has it.
 */
int remove_to(const struct maildir *, int folder, const char *name, const struct remove_wanted *,
	      int to, const char *new_name, struct removed *removed);

/*
 * Rename a file that begins with FOLDER_ASIDE back; never replaces one. 0 or a negative errno
 * value: it stays as it is. Must hold the maildrop's lock.
 */
int remove_undo(int folder, const char *aside);

#endif
