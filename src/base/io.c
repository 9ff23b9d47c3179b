/* See io.h. */
#include "base/io.h"

#include <unistd.h>

ssize_t io_read(int descriptor, void *octets, size_t size)
{
	ssize_t got;
	IO_RETRY(got, read(descriptor, octets, size));
	return got < 0 ? -errno : got;
}

ssize_t io_read_at(int descriptor, void *octets, size_t size, uint64_t offset)
{
	char *next = octets;
	size_t length = 0;
	while (length < size) {
		ssize_t got;
		IO_RETRY(got,
			 pread(descriptor, next + length, size - length, (off_t)(offset + length)));
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
		ssize_t written;
		IO_RETRY(written, write(descriptor, next, length));
		if (written < 0)
			return -errno;
		next += written;
		length -= (size_t)written;
	}
	return 0;
}

int io_sync(int descriptor)
{
	int result;
	IO_RETRY(result, fsync(descriptor));
	return result < 0 ? -errno : 0;
}

int io_close(int descriptor)
{
	return close(descriptor) < 0 && errno != EINTR ? -errno : 0;
}
