/* See scram.h. */
#include "auth/scram.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "auth/limits.h"
#include "auth/wiped_heap.h"
#include "base/base64.h"
#include "base/number.h"
#include "base/secret.h"
#include "base/utf8.h"

/* The text up to the next comma, which *text then stands behind; false: there is no comma. */
static bool field_next(const char **text, const char **field, size_t *length)
{
	const char *comma = strchr(*text, ',');
	if (comma == NULL)
		return false;
	*field = *text;
	*length = (size_t)(comma - *text);
	*text = comma + 1;
	return true;
}

static bool key_parse(const char *text, size_t length, unsigned char key[SCRAM_KEY_SIZE])
{
	size_t decoded;
	return base64_decode(text, length, key, SCRAM_KEY_SIZE, &decoded) &&
	       decoded == SCRAM_KEY_SIZE;
}

bool scram_parse(const char *text, struct scram_secret *secret)
{
	const char *field;
	size_t length;
	uint64_t iterations;

	if (!field_next(&text, &field, &length) ||
	    !number_parse(field, length, SCRAM_ITERATIONS_MAX, &iterations) ||
	    iterations < SCRAM_ITERATIONS_MIN)
		return false;
	secret->iterations = (uint32_t)iterations;
	if (!field_next(&text, &field, &length) ||
	    !base64_decode(field, length, secret->salt, SCRAM_SALT_MAX, &secret->salt_length) ||
	    secret->salt_length == 0)
		return false;
	return field_next(&text, &field, &length) && key_parse(field, length, secret->stored_key) &&
	       key_parse(text, strlen(text), secret->server_key);
}

struct hash {
	gnutls_mac_algorithm_t mac;
	gnutls_digest_algorithm_t digest;
	size_t size;
};

/*
 * Clients prepare a password beyond ASCII by SASLprep before it goes into a proof (RFC 5802 section
 * 2.2). OpaqueString, its successor (RFC 8265), makes the same of all but characters that are
 * another's compatible form. What cannot be prepared is taken as it is. False: out of memory.
 * `made` is wiped and freed by free_prepared(); its data is NULL if the text stays as it is.
 */
static bool prepare(const void *password, size_t length, gnutls_datum_t *made)
{
	made->data = NULL;
	if (utf8_is_ascii(password, length))
		return true;
	wiped_heap_begin();
	int error = gnutls_utf8_password_normalize(password, (unsigned)length, made,
						   GNUTLS_UTF8_IGNORE_ERRS);
	wiped_heap_end();
	return error >= 0;
}

static void free_prepared(gnutls_datum_t *made)
{
	if (made->data != NULL)
		secret_wipe(made->data, made->size);
	gnutls_free(made->data);
}

/*
 * RFC 5802 section 3: SaltedPassword = Hi(password, salt, i); StoredKey = H(HMAC(SaltedPassword,
 * "Client Key")); ServerKey = HMAC(SaltedPassword, "Server Key").
 */
static int derive(const struct hash *hash, const void *password, size_t length,
		  struct scram_secret *secret)
{
	static const char client[] = "Client Key";
	static const char server[] = "Server Key";
	unsigned char salted[SCRAM_KEY_SIZE];
	unsigned char key[SCRAM_KEY_SIZE];
	gnutls_datum_t prepared;
	gnutls_datum_t salt = {secret->salt, (unsigned int)secret->salt_length};
	if (!prepare(password, length, &prepared))
		return -ENOMEM;
	gnutls_datum_t phrase = prepared;
	if (prepared.data == NULL)
		phrase = (gnutls_datum_t){(void *)(uintptr_t)password, (unsigned)length};

	int failed = gnutls_pbkdf2(hash->mac, &phrase, &salt, secret->iterations, salted,
				   hash->size) < 0 ||
		     gnutls_hmac_fast(hash->mac, salted, hash->size, client, sizeof client - 1,
				      key) < 0 ||
		     gnutls_hash_fast(hash->digest, key, hash->size, secret->stored_key) < 0 ||
		     gnutls_hmac_fast(hash->mac, salted, hash->size, server, sizeof server - 1,
				      secret->server_key) < 0;
	free_prepared(&prepared);
	secret_wipe(salted, sizeof salted);
	secret_wipe(key, sizeof key);
	return failed ? -ENOMEM : 0;
}

int scram_derive(const void *password, size_t length, struct scram_secret *secret)
{
	static const struct hash sha256 = {GNUTLS_MAC_SHA256, GNUTLS_DIG_SHA256, SCRAM_KEY_SIZE};
	return derive(&sha256, password, length, secret);
}

int scram_derive_sha1(const void *password, size_t length, struct scram_secret *secret)
{
	static const struct hash sha1 = {GNUTLS_MAC_SHA1, GNUTLS_DIG_SHA1, SCRAM_SHA1_KEY_SIZE};
	return derive(&sha1, password, length, secret);
}

int scram_format(const struct scram_secret *secret, char *text, size_t size)
{
	char salt[BASE64_SIZE(SCRAM_SALT_MAX)];
	char stored[BASE64_SIZE(SCRAM_KEY_SIZE)];
	char server[BASE64_SIZE(SCRAM_KEY_SIZE)];

	base64_encode(secret->salt, secret->salt_length, salt);
	base64_encode(secret->stored_key, SCRAM_KEY_SIZE, stored);
	base64_encode(secret->server_key, SCRAM_KEY_SIZE, server);
	int length = snprintf(text, size, "%u,%s,%s,%s", (unsigned int)secret->iterations, salt,
			      stored, server);
	return length < 0 || (size_t)length >= size ? -ENOSPC : 0;
}
