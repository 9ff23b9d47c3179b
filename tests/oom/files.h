/* Small files in the folder of the scenario, without an allocation. */
#ifndef POP3_TESTS_OOM_FILES_H
#define POP3_TESTS_OOM_FILES_H

#include <stdbool.h>
#include <stddef.h>

enum { FILES_PATH = 256 };

/* The path of a name below oom_folder(), in `path`; returns it. */
const char *files_path(char path[FILES_PATH], const char *name);
/* Write it anew. */
void files_write(const char *name, const char *octets, size_t length);
/* Does it hold exactly that? */
bool files_hold(const char *name, const char *text);
void files_folder(const char *name);
/* How many entries a folder has, "." and ".." not counted; -1: there is none. */
int files_count(const char *name);
/* A file in new/ or cur/ of that Maildir whose name starts with `id`. */
bool files_have_mail(const char *maildir, const char *id);
/* Remove the folder and all in it, if it is there. */
void files_remove(const char *name);

#endif
