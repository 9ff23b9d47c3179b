/*
 * Where a Maildir lies. Only here is a path of one opened; all else is relative to its descriptor.
 * Nothing is logged: a failure comes with a phrase that says what it is about.
 */
#ifndef POP3_STORE_PLACE_H
#define POP3_STORE_PLACE_H

/*
 * Open the Maildir at a path as a directory descriptor, which becomes the caller's. `home` is the
 * folder that must exist; NULL = the one that holds the Maildir. 0 with *descriptor = -1: home
 * exists, and nothing with the Maildir's name is in it. Else a negative errno value, with *problem;
 * -ENOENT: home is missing, or the Maildir is a dangling link. The last name may be a symbolic
 * link: it is the administrator's.
 */
int place_open(const char *maildir, const char *home, int *descriptor, const char **problem);

/*
 * The same, but a Maildir that is missing is made, with new/, cur/ and tmp/, of mode 0700 and
 * synced. Home must exist. 0 comes with a descriptor. A Maildir gets its name when it has new/ and
 * cur/, so that whatever ends this leaves none or one that opens.
 */
int place_make(const char *maildir, const char *home, int *descriptor, const char **problem);

#endif
