/*
 * Names and passwords in UTF-8 can be spelt in several ways ("ë" in one character or in two): they
 * are compared in one. RFC 6856 section 2.2 asks for SASLprep or its successor; this is
 * OpaqueString of RFC 8265, which keeps case, composes characters (NFC), makes every kind of blank
 * a plain one, and refuses control characters, unassigned code points and whatever is no UTF-8.
 */
#ifndef POP3_PROTO_PREPARE_H
#define POP3_PROTO_PREPARE_H

#include <stddef.h>

#include "pop3_emitter.h"

/* Room for a prepared text and its NUL. */
#define PREPARED_SIZE (POP3_USER_MAX + 1)

/*
 * Prepare `length` octets; the result ends with a NUL and *prepared_length is without it. It holds
 * a secret: the caller wipes it. 0; -EINVAL: it is refused, or has over POP3_USER_MAX octets;
 * -ENOMEM. ASCII stays as it is.
 */
int prepare_text(const void *text, size_t length, char prepared[PREPARED_SIZE],
		 size_t *prepared_length);

#endif
