/*
 * Is a text UTF-8, by the formal syntax of RFC 3629 section 4? No code point in more octets than it
 * needs, no surrogate, none beyond U+10FFFF.
 */
#ifndef POP3_BASE_UTF8_H
#define POP3_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text that comes in pieces; zeroed at the beginning. */
struct utf8 {
	bool wrong;        /* it is no UTF-8, whatever follows */
	bool beyond_ascii; /* it has other octets than those of ASCII */
	uint8_t left;      /* octets that the character under way lacks */
	uint8_t low, high; /* what the next of them may be */
};

/* Take in the next octets, split wherever. */
void utf8_add(struct utf8 *, const char *text, size_t length);
/* Is it UTF-8 if it ends here? */
bool utf8_is_whole(const struct utf8 *);
/* Is a text as a whole? An empty one is. */
bool utf8_is_valid(const char *text, size_t length);
/* Has it only octets of ASCII? */
bool utf8_is_ascii(const char *text, size_t length);

#endif
