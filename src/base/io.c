/* See io.h. */
#include "base/io.h"

#include <errno.h>
#include <unistd.h>

ssize_t io_read_at(int descriptor, void *octets, size_t size, uint64_t offset)
{
	char *next = octets;
	size_t length = 0;
	while (length < size) {
		ssize_t got =
			pread(descriptor, next + length, size - length, (off_t)(offset + length));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

int io_write_all(int descriptor, const void *octets, size_t length)
{
	const char *next = octets;
	while (length > 0) {
		ssize_t written = write(descriptor, next, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		next += written;
		length -= (size_t)written;
	}
	return 0;
}
