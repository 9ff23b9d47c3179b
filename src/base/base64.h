/* Base64 (RFC 4648 section 4), strict: padding required, nothing between, no spare bits set. */
#ifndef POP3_BASE_BASE64_H
#define POP3_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Room for the encoding of `length` octets and a NUL. */
#define BASE64_SIZE(length) (((length) + 2) / 3 * 4 + 1)

/* Writes the encoding and a NUL; `text` has BASE64_SIZE(length). Returns its length. */
size_t base64_encode(const void *octets, size_t length, char *text);
/*
 * Decodes all of text[0, length) into at most `size` octets; true and *decoded, or false: not
 * base64, or too long (`octets` may be written to). `octets` may be `text`.
 */
bool base64_decode(const char *text, size_t length, void *octets, size_t size, size_t *decoded);

#endif
