/* read(2) and write(2) that end only when all is done: what EINTR and short transfers call for. */
#ifndef POP3_BASE_IO_H
#define POP3_BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Up to `size` octets of a file from `offset` on. How many there are, or a negative errno value. */
ssize_t io_read_at(int descriptor, void *octets, size_t size, uint64_t offset);
/* All of them, at the file's position. 0 or a negative errno value; then some may be written. */
int io_write_all(int descriptor, const void *octets, size_t length);

#endif
