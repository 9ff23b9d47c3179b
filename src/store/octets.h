/*
 * The size of a message as sent (RFC 1939 section 11): LF without CR before it becomes CRLF, CRLF
 * stays, CR without LF is data, a last line without an end gets CRLF, an empty file has no octets.
 * Byte-stuffing does not count.
 */
#ifndef POP3_STORE_OCTETS_H
#define POP3_STORE_OCTETS_H

#include <stddef.h>
#include <stdint.h>

#include "store/header.h"

/* A count under way; zeroed at the beginning. */
struct octets {
	struct header header; /* looked at on the way */
	uint64_t length;      /* octets seen */
	uint64_t bare;        /* LFs without a CR before them */
	char last;            /* the last octet seen */
};

/* Take in the next octets, split wherever. */
void octets_add(struct octets *, const char *text, size_t length);
/* The size as sent if the message ends here. */
uint64_t octets_total(const struct octets *);

/* The longest message: its size as sent can never overflow. */
#define OCTETS_LENGTH_MAX (UINT64_MAX / 4)

/*
 * Count a file's first `length` octets, or all if it has fewer, wherever its position is, which may
 * change. Holes take no time. 0 or a negative errno value; -EFBIG: more than a message can have.
 */
int octets_count(int descriptor, uint64_t length, struct octets *);

#endif
