/*
 * Is a message internationalized (RFC 6532): is there UTF-8 beyond ASCII in its header? The header
 * ends with the first empty line (RFC 5322 section 2.1), as TOP has it; without one all is header.
 * A header that is no UTF-8 as a whole is in some other encoding, which nobody can tell, or broken:
 * then the message is not meant, for UTF-8 mode would not make it any better.
 */
#ifndef POP3_STORE_HEADER_H
#define POP3_STORE_HEADER_H

#include "base/utf8.h"

/* A header that comes in pieces; zeroed at the beginning. */
struct header {
	struct utf8 utf8;
	bool in_line;  /* the line under way is not empty */
	bool after_cr; /* but for a CR */
	bool over;     /* what follows is the body */
};

/* Take in the next octets of the message, split wherever; those of the body cost nothing. */
void header_add(struct header *, const char *text, size_t length);
/* Is it, if it ends here or is over? */
bool header_is_international(const struct header *);

/*
 * Read a file's header from its first `length` octets with pread(2). 0, *international is set; or a
 * negative errno value. Memory does not depend on the header; a message without an empty line is
 * read whole.
 */
int header_look(int descriptor, uint64_t length, bool *international);

#endif
