/* See octets.h. memchr(3) finds the line ends, as the C library's is vectorised. */
#include "store/octets.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

/* Read at once when counting; on the stack of a worker. */
#define READ_SIZE 16384

void octets_add(struct octets *o, const char *text, size_t length)
{
	if (length == 0)
		return;
	header_add(&o->header, text, length);
	const char *end = text + length;
	const char *line = memchr(text, '\n', length);
	if (line == text) {
		o->bare += o->last != '\r';
		line = memchr(text + 1, '\n', length - 1);
	}
	while (line != NULL) {
		o->bare += line[-1] != '\r';
		line = memchr(line + 1, '\n', (size_t)(end - line - 1));
	}
	o->length += length;
	o->last = end[-1];
}

uint64_t octets_total(const struct octets *o)
{
	uint64_t total = o->length + o->bare;
	return o->length > 0 && o->last != '\n' ? total + 2 : total;
}

/*
 * Go on behind a hole, which is NULs, if there is one here: a file may claim any length without
 * taking space, and counting it would keep a worker busy for as long as somebody likes. A file
 * system that knows no holes says that data come next.
 */
static void skip_hole(int descriptor, uint64_t length, struct octets *o)
{
	off_t data = lseek(descriptor, (off_t)o->length, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		data = lseek(descriptor, 0, SEEK_END); /* nothing else comes */
	if (data > (off_t)o->length)
		o->length = (uint64_t)data < length ? (uint64_t)data : length;
}

int octets_count(int descriptor, uint64_t length, struct octets *result)
{
	char buffer[READ_SIZE];
	struct octets o = {0};
	if (length > OCTETS_LENGTH_MAX)
		return -EFBIG;
	while (o.length < length) {
		size_t size = length - o.length < sizeof buffer ? (size_t)(length - o.length)
								: sizeof buffer;
		ssize_t got;
		IO_RETRY(got, pread(descriptor, buffer, size, (off_t)o.length));
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		octets_add(&o, buffer, (size_t)got);
		if (o.last == '\0')
			skip_hole(descriptor, length, &o);
	}
	*result = o;
	return 0;
}
