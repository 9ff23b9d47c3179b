/* SipHash-1-3: one round for each 8 octets, three at the end. */
#include "base/hash.h"

#include <endian.h>
#include <string.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotated(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static void round_of(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotated(s->v1, 13) ^ s->v0;
	s->v3 = rotated(s->v3, 16) ^ s->v2;
	s->v0 = rotated(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotated(s->v1, 17) ^ s->v2;
	s->v3 = rotated(s->v3, 21) ^ s->v0;
	s->v2 = rotated(s->v2, 32);
}

static void take(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	round_of(s);
	s->v0 ^= word;
}

uint64_t hash_keyed(const struct hash_key *key, const void *octets, size_t length)
{
	struct sip s = {.v0 = key->words[0] ^ 0x736f6d6570736575u,
			.v1 = key->words[1] ^ 0x646f72616e646f6du,
			.v2 = key->words[0] ^ 0x6c7967656e657261u,
			.v3 = key->words[1] ^ 0x7465646279746573u};
	const unsigned char *next = octets;
	uint64_t last = (uint64_t)length << 56;
	for (; length >= 8; length -= 8, next += 8) {
		uint64_t word;
		memcpy(&word, next, sizeof word);
		take(&s, le64toh(word));
	}
	for (size_t i = 0; i < length; i++)
		last |= (uint64_t)next[i] << 8 * i;
	take(&s, last);

	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		round_of(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
