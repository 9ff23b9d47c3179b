/* See apop.h. */
#include "proto/apop.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/utf8.h"
#include "proto/prepare.h"

#define MD5_OCTETS 16
#define MD5_HEX    (2 * MD5_OCTETS)

/* Are all octets of it allowed inside the brackets? */
static bool is_clean(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c <= 0x20 || c >= 0x7f || c == '<' || c == '>')
			return false;
	}
	return length > 0;
}

int apop_challenge(const char *value, const char *hostname, char challenge[POP3_CHALLENGE_SIZE])
{
	size_t length = strlen(value);
	if (length > 2 && value[0] == '<' && value[length - 1] == '>') {
		if (!is_clean(value + 1, length - 2) || length >= POP3_CHALLENGE_SIZE)
			return -EINVAL;
		memcpy(challenge, value, length + 1);
		return 0;
	}
	if (!is_clean(value, length) || !is_clean(hostname, strlen(hostname)))
		return -EINVAL;
	char whole[POP3_CHALLENGE_SIZE];
	int written = snprintf(whole, sizeof whole, "<%s@%s>", value, hostname);
	if (written < 0 || (size_t)written >= sizeof whole)
		return -EINVAL;
	memcpy(challenge, whole, (size_t)written + 1);
	return 0;
}

void apop_random_value(const unsigned char random[APOP_RANDOM_OCTETS],
		       char value[APOP_RANDOM_OCTETS + 1])
{
	/* 32 characters, so that every one is equally likely: 120 bits in all. */
	static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
	for (size_t i = 0; i < APOP_RANDOM_OCTETS; i++)
		value[i] = alphabet[random[i] & 31];
	value[APOP_RANDOM_OCTETS] = '\0';
}

/* RFC 1939 section 7: MD5 of challenge and secret. */
static bool digest_apop(const struct pop3_authenticate *e, const void *secret, size_t length,
			unsigned char digest[MD5_OCTETS])
{
	gnutls_hash_hd_t hash;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_MD5) != 0)
		return false;
	gnutls_hash(hash, e->challenge, strlen(e->challenge));
	gnutls_hash(hash, secret, length);
	gnutls_hash_deinit(hash, digest);
	return true;
}

/* RFC 2195 section 2: HMAC-MD5 of the challenge, with the secret as the key. */
static bool digest_cram(const struct pop3_authenticate *e, const void *secret, size_t length,
			unsigned char digest[MD5_OCTETS])
{
	return gnutls_hmac_fast(GNUTLS_MAC_MD5, secret, length, e->challenge, strlen(e->challenge),
				digest) == 0;
}

/* Both send the digest in lower case. */
static bool equals_hex(const unsigned char digest[MD5_OCTETS], const char *given)
{
	static const char digits[] = "0123456789abcdef";
	char hex[MD5_HEX];
	for (size_t i = 0; i < MD5_OCTETS; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	bool equal = secret_equal(hex, MD5_HEX, given, strlen(given));
	secret_wipe(hex, sizeof hex);
	return equal;
}

typedef bool digest_function(const struct pop3_authenticate *, const void *secret, size_t length,
			     unsigned char digest[MD5_OCTETS]);

static bool matches_digest(digest_function *make, const struct pop3_authenticate *e,
			   const void *secret, size_t length)
{
	unsigned char digest[MD5_OCTETS];
	if (e->challenge == NULL)
		return false;
	/* The RFCs ask for MD5; GnuTLS refuses it in FIPS mode unless told that this is no
	 * signature. */
	GNUTLS_FIPS140_SET_LAX_MODE();
	bool made = make(e, secret, length, digest);
	GNUTLS_FIPS140_SET_STRICT_MODE();
	bool equal = made && equals_hex(digest, e->password);
	secret_wipe(digest, sizeof digest);
	return equal;
}

/*
 * A client may have prepared a password beyond ASCII, as it must after "UTF8 USER" (RFC 6856
 * section 2.2), or not, as those do that know nothing of it.
 */
static bool matches_either(digest_function *make, const struct pop3_authenticate *e,
			   const void *secret, size_t length)
{
	char prepared[PREPARED_SIZE];
	size_t prepared_length;
	if (matches_digest(make, e, secret, length))
		return true;
	if (utf8_is_ascii(secret, length) ||
	    prepare_text(secret, length, prepared, &prepared_length) < 0)
		return false;
	bool matches = matches_digest(make, e, prepared, prepared_length);
	secret_wipe(prepared, sizeof prepared);
	return matches;
}

bool pop3_matches(const struct pop3_authenticate *e, const void *secret, size_t length)
{
	if (strcmp(e->method, "APOP") == 0)
		return matches_either(digest_apop, e, secret, length);
	if (strcmp(e->method, "CRAM-MD5") == 0)
		return matches_either(digest_cram, e, secret, length);
	return secret_equal(secret, length, e->password, strlen(e->password));
}
