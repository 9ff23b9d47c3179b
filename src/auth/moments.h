/*
 * A bounded table of moments by key: until when something is remembered of an address or a user.
 * It holds no key but a keyed hash of it, so its size does not depend on what clients send, and
 * nobody can choose keys that meet. When a place is needed the earliest moment of some few goes:
 * the one that would have been forgotten first anyway.
 */
#ifndef POP3_AUTH_MOMENTS_H
#define POP3_AUTH_MOMENTS_H

#include <stddef.h>
#include <stdint.h>

struct moments;

/* For about `entries` keys, 16 octets each that are touched only when used. NULL: out of memory. */
struct moments *moments_new(size_t entries);
/* NULL is fine. */
void moments_free(struct moments *);

/* What was set for the key; 0: nothing, or it is forgotten. */
uint64_t moments_get(const struct moments *, const void *key, size_t length);
/* 0 frees the place. */
void moments_set(struct moments *, const void *key, size_t length, uint64_t moment);

#endif
