/*
 * System calls that end only when all is done. A signal may end any of them early, with EINTR or,
 * of a transfer, with a part; some file systems (NFS, FUSE) do that to calls that never wait
 * elsewhere.
 */
#ifndef POP3_BASE_IO_H
#define POP3_BASE_IO_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Make a system call, anew for as long as signals end it; `result` is what it returned in the end.
 */
#define IO_RETRY(result, call)                                                                     \
	do {                                                                                       \
		(result) = (call);                                                                 \
	} while ((result) < 0 && errno == EINTR)

/* What there is to read, as read(2): how many octets, 0 at the end, or a negative errno value. */
ssize_t io_read(int descriptor, void *octets, size_t size);
/* Up to `size` octets of a file from `offset` on. How many there are, or a negative errno value. */
ssize_t io_read_at(int descriptor, void *octets, size_t size, uint64_t offset);
/* All of them, at the file's position. 0 or a negative errno value; then some may be written. */
int io_write_all(int descriptor, const void *octets, size_t length);
/* fsync(2). 0 or a negative errno value. */
int io_sync(int descriptor);
/*
 * close(2), of which a file system may say only now that what was written is lost: 0 or a negative
 * errno value. It is closed in any case, also after EINTR: to try again could close the descriptor
 * that another thread has just been given.
 */
int io_close(int descriptor);

#endif
