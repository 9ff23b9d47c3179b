/*
 * The lock of a maildrop: one session at a time, gone with the process however that ends.
 */
#ifndef POP3_STORE_LOCK_H
#define POP3_STORE_LOCK_H

/* The lock file, in the Maildir, of file systems that refuse to lock a directory (NFS). */
#define LOCK_FILE ".pop3-emitter.lock"

/*
 * Lock a Maildir's descriptor without waiting. 0: locked until `directory` is closed, and *file is
 * -1; or, where directories cannot be locked, until *file is closed, which is the caller's then.
 * -EWOULDBLOCK: somebody else has it. Else a negative errno value.
 */
int lock_take(int directory, int *file);

/* The same with another flock(2), which a test brings. */
int lock_take_by(int (*lock)(int descriptor, int operation), int directory, int *file);

#endif
