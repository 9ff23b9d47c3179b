/* Finding a message of the frozen list again. */
#ifndef POP3_STORE_SEEK_H
#define POP3_STORE_SEEK_H

#include <sys/stat.h>

#include "store/maildrop_list.h"

/*
 * Open a message's file: under the name it had, else wherever it has been moved, but no other file.
 * The descriptor becomes the caller's, *status is its fstat(2). 0; -ENOENT: it is gone for certain;
 * -EAGAIN: not found, but the folders kept changing; else a negative errno value.
 */
int seek_open(int maildir, const struct maildrop_entry *, int *descriptor, struct stat *status);

#endif
