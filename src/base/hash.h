/*
 * A keyed hash for tables whose keys others choose: without the key nobody can find many that fall
 * into one slot, so such a table stays as fast as it should be.
 */
#ifndef POP3_BASE_HASH_H
#define POP3_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Random octets that stay secret. */
struct hash_key {
	uint64_t words[2];
};

/* SipHash-1-3. */
uint64_t hash_keyed(const struct hash_key *, const void *octets, size_t length);

#endif
