/* Finding a message of the frozen list again. */
#ifndef POP3_STORE_SEEK_H
#define POP3_STORE_SEEK_H

#include <sys/stat.h>

#include "store/folder.h"
#include "store/maildrop_list.h"

/*
 * Open a message's file: under the name it had, else wherever it has been moved. If it is gone for
 * certain, one that another program has put in its place, under the same base name, is the message
 * too, unless `exact` is asked for.
 * The descriptor becomes the caller's, *status is its fstat(2). 0; -ENOENT: it is gone for certain;
 * -EAGAIN: not found, but the folders kept changing; -ESTALE: a folder is gone; else a negative
 * errno value.
 */
int seek_open(const struct maildir *, const struct maildrop_entry *, bool exact, int *descriptor,
	      struct stat *status);
/*
 * The same without ever waiting for the disk: 0, if the very file of the list is under the name it
 * had and the kernel knows it; else -EAGAIN, and seek_open() has to be asked.
 */
int seek_open_cached(const struct maildir *, const struct maildrop_entry *, int *descriptor,
		     struct stat *status);

#endif
