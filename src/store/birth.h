/*
 * Is a file still the one that was listed? Its inode does not tell: once a file is gone, the next
 * one that is made may get it, under the same name. So when it was made is asked as well, where the
 * file system keeps that.
 */
#ifndef POP3_STORE_BIRTH_H
#define POP3_STORE_BIRTH_H

#include "store/folder.h"

/* When the files of a list were made, at the latest, by the file system's clock. */
struct births {
	struct timespec sure; /* what was made before this is the listed file */
	struct timespec last; /* what was made after this is another */
};

/*
 * A file has the device, inode and base name of a listed one that had this length: was it made
 * after the list, so that it is another? Between the two moments, which are milliseconds apart if
 * the folders were read, its length decides. A birth that is in the future tells nothing: a clock
 * was set back.
 */
bool births_exclude(const struct births *, const struct folder_file *, uint64_t length);

#endif
