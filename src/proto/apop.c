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

static bool matches_digest(const struct pop3_authenticate *e, const void *secret, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[MD5_OCTETS];
	char hex[MD5_HEX];
	gnutls_hash_hd_t hash;

	/* RFC 1939 asks for MD5; GnuTLS refuses it in FIPS mode unless told that this is no
	 * signature. */
	GNUTLS_FIPS140_SET_LAX_MODE();
	bool made = gnutls_hash_init(&hash, GNUTLS_DIG_MD5) == 0;
	if (made) {
		gnutls_hash(hash, e->challenge, strlen(e->challenge));
		gnutls_hash(hash, secret, length);
		gnutls_hash_deinit(hash, digest);
	}
	GNUTLS_FIPS140_SET_STRICT_MODE();
	if (!made)
		return false;
	for (size_t i = 0; i < MD5_OCTETS; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	bool equal = secret_equal(hex, MD5_HEX, e->password, strlen(e->password));
	secret_wipe(digest, sizeof digest);
	secret_wipe(hex, sizeof hex);
	return equal;
}

/*
 * A client may have prepared a password beyond ASCII, as it must after "UTF8 USER" (RFC 6856
 * section 2.2), or not, as those do that know nothing of it.
 */
static bool matches_apop(const struct pop3_authenticate *e, const void *secret, size_t length)
{
	char prepared[PREPARED_SIZE];
	size_t prepared_length;
	if (matches_digest(e, secret, length))
		return true;
	if (utf8_is_ascii(secret, length) ||
	    prepare_text(secret, length, prepared, &prepared_length) < 0)
		return false;
	bool matches = matches_digest(e, prepared, prepared_length);
	secret_wipe(prepared, sizeof prepared);
	return matches;
}

bool pop3_matches(const struct pop3_authenticate *e, const void *secret, size_t length)
{
	if (strcmp(e->method, "APOP") == 0)
		return e->challenge != NULL && matches_apop(e, secret, length);
	return secret_equal(secret, length, e->password, strlen(e->password));
}
