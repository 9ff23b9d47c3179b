/* See lock.h. flock(2) needs no file, works on a read-only mount and ends with the descriptor. */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/io.h"

static int lock_once(int (*lock)(int, int), int descriptor)
{
	int result;
	IO_RETRY(result, lock(descriptor, LOCK_EX | LOCK_NB));
	return result < 0 ? -errno : 0;
}

/* NFS turns flock(2) into a lock that needs a descriptor to write with: EBADF for a directory. */
static bool refuses_directories(int error)
{
	return error == -EBADF || error == -ENOLCK || error == -EOPNOTSUPP || error == -EINVAL ||
	       error == -ENOSYS || error == -EISDIR;
}

int lock_take_by(int (*lock)(int, int), int directory, int *file)
{
	int error = lock_once(lock, directory);
	if (!refuses_directories(error)) {
		if (error == 0)
			*file = -1;
		return error;
	}

	/* The file stays: removing it would let two sessions lock two files of one name. */
	int descriptor;
	IO_RETRY(descriptor, openat(directory, LOCK_FILE,
				    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
	if (descriptor < 0)
		return -errno;
	error = lock_once(lock, descriptor);
	if (error < 0) {
		close(descriptor);
		return error;
	}
	*file = descriptor;
	return 0;
}

int lock_take(int directory, int *file)
{
	return lock_take_by(flock, directory, file);
}
