/* See verified.h: sets of SET_SIZE places, chosen by the digest. */
#include "auth/verified.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "auth/limits.h"
#include "base/secret.h"

/* HMAC-SHA-256. */
#define DIGEST_SIZE 32
#define SET_SIZE    4

struct place {
	unsigned char digest[DIGEST_SIZE];
	uint64_t until; /* 0: free */
};

struct verified {
	unsigned char key[DIGEST_SIZE];
	struct place places[VERIFIED_ENTRIES];
};

_Static_assert((VERIFIED_ENTRIES & (VERIFIED_ENTRIES - 1)) == 0, "a power of two");

struct verified *verified_new(void)
{
	struct verified *v = calloc(1, sizeof *v);
	if (v != NULL && getrandom(v->key, sizeof v->key, 0) != sizeof v->key) {
		free(v);
		return NULL;
	}
	return v;
}

void verified_free(struct verified *v)
{
	if (v == NULL)
		return;
	secret_wipe(v, sizeof *v);
	free(v);
}

/* Each text with its final NUL, so that no two logins are one text. */
static bool digest_of(const struct verified *v, const struct verified_login *login,
		      unsigned char digest[DIGEST_SIZE])
{
	gnutls_hmac_hd_t hmac;
	if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, v->key, sizeof v->key) < 0)
		return false;
	bool done = gnutls_hmac(hmac, login->user, strlen(login->user) + 1) == 0 &&
		    gnutls_hmac(hmac, login->secret, strlen(login->secret) + 1) == 0 &&
		    gnutls_hmac(hmac, login->password, strlen(login->password) + 1) == 0;
	gnutls_hmac_deinit(hmac, digest);
	return done;
}

/* The number of the first place of its set. */
static size_t set_of(const unsigned char digest[DIGEST_SIZE])
{
	uint64_t number;
	memcpy(&number, digest, sizeof number);
	return (size_t)(number & (VERIFIED_ENTRIES - 1)) & ~(size_t)(SET_SIZE - 1);
}

bool verified_knows(const struct verified *v, const struct verified_login *login, uint64_t now)
{
	unsigned char digest[DIGEST_SIZE];
	bool known = false;
	if (!digest_of(v, login, digest))
		return false;
	const struct place *set = v->places + set_of(digest);
	for (size_t i = 0; i < SET_SIZE; i++)
		known |= set[i].until > now &&
			 secret_equal(set[i].digest, DIGEST_SIZE, digest, DIGEST_SIZE);
	secret_wipe(digest, sizeof digest);
	return known;
}

/* Its own place, or the one that is forgotten first. */
static struct place *place_for(struct place *set, const unsigned char digest[DIGEST_SIZE])
{
	struct place *first = set;
	for (size_t i = 0; i < SET_SIZE; i++) {
		if (secret_equal(set[i].digest, DIGEST_SIZE, digest, DIGEST_SIZE))
			return &set[i];
		if (set[i].until < first->until)
			first = &set[i];
	}
	return first;
}

void verified_note(struct verified *v, const struct verified_login *login, uint64_t until)
{
	unsigned char digest[DIGEST_SIZE];
	if (!digest_of(v, login, digest))
		return;
	struct place *place = place_for(v->places + set_of(digest), digest);
	memcpy(place->digest, digest, DIGEST_SIZE);
	place->until = until;
	secret_wipe(digest, sizeof digest);
}
