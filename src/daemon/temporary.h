/* Temporary folders. */
#ifndef POP3_DAEMON_TEMPORARY_H
#define POP3_DAEMON_TEMPORARY_H

#include <limits.h>

/* Make a folder of mode 0700 in $TMPDIR, else /tmp. 0 and its path, or a negative errno value. */
int temporary_make(char path[PATH_MAX]);
/* Remove it with all that is in it; links are removed, not followed. 0 or a negative errno value.
 */
int temporary_remove(const char *path);

#endif
