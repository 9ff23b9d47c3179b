/*
 * SCRAM-SHA-256 secrets (RFC 5802 section 3, RFC 7677) in the form that Dovecot stores:
 * `iterations,salt,StoredKey,ServerKey`, the last three in base64. Passwords beyond ASCII are taken
 * in the form of OpaqueString (RFC 8265), so that it does not matter how a keyboard makes their
 * letters.
 */
#ifndef POP3_AUTH_SCRAM_H
#define POP3_AUTH_SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRAM_KEY_SIZE      32
#define SCRAM_SHA1_KEY_SIZE 20
#define SCRAM_SALT_MAX      64
#define SCRAM_SALT_SIZE     16 /* of new secrets */

struct scram_secret {
	uint32_t iterations;
	unsigned char salt[SCRAM_SALT_MAX];
	size_t salt_length;
	unsigned char stored_key[SCRAM_KEY_SIZE];
	unsigned char server_key[SCRAM_KEY_SIZE];
};

/* Parse the stored form. False: malformed, or iterations out of range; *secret is then undefined.
 */
bool scram_parse(const char *text, struct scram_secret *secret);
/*
 * Fill in stored_key and server_key from the password and the secret's iterations and salt. 0, or
 * -ENOMEM: the digest library failed.
 */
int scram_derive(const void *password, size_t length, struct scram_secret *secret);
/* The same for SCRAM-SHA-1: SCRAM_SHA1_KEY_SIZE octets of each key. */
int scram_derive_sha1(const void *password, size_t length, struct scram_secret *secret);
/* Write the stored form and a NUL; -ENOSPC if `size` is too small. */
int scram_format(const struct scram_secret *, char *text, size_t size);

#endif
