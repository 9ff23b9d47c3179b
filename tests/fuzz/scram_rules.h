/*
 * What RFC 5802 says of a client's two messages, for a fuzzer that stands beside the server: the
 * grammar of section 7 and the proof of section 3. There is a third verdict between right and
 * wrong: what the grammar does not know and cannot do harm, as it goes into the proof.
 */
#ifndef POP3_TESTS_FUZZ_SCRAM_RULES_H
#define POP3_TESTS_FUZZ_SCRAM_RULES_H

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/utf8.h"
#include "base64_reference.h"
#include "fuzz.h"

#define SCRAM_ROOM 16384

enum form { FORM_WRONG, FORM_ODD, FORM_RIGHT };

struct part {
	const char *at;
	size_t length;
};

struct scram_first_message {
	char flag;          /* n, y, or p: with tls-exporter */
	struct part header; /* up to the second comma and with it */
	struct part bare;   /* what follows it */
	struct part authzid, name, nonce;
};

struct scram_hash {
	gnutls_mac_algorithm_t mac;
	gnutls_digest_algorithm_t digest;
	size_t size;
};

static inline enum form form_of_both(enum form a, enum form b)
{
	return a < b ? a : b;
}

/* Up to the next comma, which *rest then stands behind; false: there is none, and no rest. */
static inline bool part_next(struct part *rest, struct part *part)
{
	const char *comma = rest->length == 0 ? NULL : memchr(rest->at, ',', rest->length);
	*part = *rest;
	if (comma == NULL) {
		rest->at += rest->length;
		rest->length = 0;
		return false;
	}
	part->length = (size_t)(comma - rest->at);
	rest->at = comma + 1;
	rest->length -= part->length + 1;
	return true;
}

static inline bool part_is(const struct part *part, const char *text)
{
	return part->length == strlen(text) && memcmp(part->at, text, part->length) == 0;
}

/* "x=" and a value of at least one octet, which is what remains of the part. */
static inline bool part_has_tag(struct part *part, char tag)
{
	if (part->length < 3 || part->at[0] != tag || part->at[1] != '=')
		return false;
	part->at += 2;
	part->length -= 2;
	return true;
}

/* saslname; what SASLprep (section 5.1) forbids or changes is not looked into beyond ASCII. */
static inline enum form form_of_name(const struct part *name)
{
	bool ascii = true;
	for (size_t i = 0; i < name->length; i++) {
		unsigned char c = (unsigned char)name->at[i];
		bool escaped = name->length - i >= 3 && (memcmp(name->at + i, "=2C", 3) == 0 ||
							 memcmp(name->at + i, "=3D", 3) == 0);
		if (c < 0x20 || c == 0x7f || (c == '=' && !escaped))
			return FORM_WRONG;
		ascii = ascii && c < 0x80;
	}
	if (!utf8_is_valid(name->at, name->length))
		return FORM_WRONG;
	return ascii ? FORM_RIGHT : FORM_ODD;
}

/* The name itself, with a NUL; false: it does not fit. */
static inline bool name_decode(const struct part *name, char *out, size_t size)
{
	size_t used = 0;
	for (size_t i = 0; i < name->length; i++) {
		char c = name->at[i];
		if (used + 1 >= size)
			return false;
		if (c == '=') {
			c = name->at[i + 1] == '2' ? ',' : '=';
			i += 2;
		}
		out[used++] = c;
	}
	out[used] = '\0';
	return true;
}

/* The grammar has printable ASCII alone, but whatever else comes goes into the proof. */
static inline enum form form_of_nonce(const struct part *nonce)
{
	for (size_t i = 0; i < nonce->length; i++) {
		unsigned char c = (unsigned char)nonce->at[i];
		if (c < 0x21 || c > 0x7e)
			return FORM_ODD;
	}
	return FORM_RIGHT;
}

/* attr-val; one with a letter that has a meaning of its own elsewhere is odd here. */
static inline enum form form_of_extension(const struct part *extension)
{
	static const char letters[] =
		"bdefghjkloqtuwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"; /* no a c i m n p r s v */
	if (extension->length >= 2 && memcmp(extension->at, "m=", 2) == 0)
		return FORM_WRONG;
	if (extension->length < 3 || extension->at[1] != '=' ||
	    memchr(letters, extension->at[0], sizeof letters - 1) == NULL ||
	    !utf8_is_valid(extension->at, extension->length))
		return FORM_ODD;
	return FORM_RIGHT;
}

static inline enum form form_of_extensions(struct part *rest, bool more)
{
	enum form form = FORM_RIGHT;
	struct part extension;
	while (more) {
		more = part_next(rest, &extension);
		form = form_of_both(form, form_of_extension(&extension));
	}
	return form;
}

static inline enum form form_of_header(struct part *rest, struct scram_first_message *m)
{
	struct part flag;
	if (!part_next(rest, &flag))
		return FORM_WRONG;
	if (!part_is(&flag, "n") && !part_is(&flag, "y") && !part_is(&flag, "p=tls-exporter"))
		return FORM_WRONG;
	m->flag = flag.at[0];
	if (!part_next(rest, &m->authzid))
		return FORM_WRONG;
	if (m->authzid.length == 0)
		return FORM_RIGHT;
	return part_has_tag(&m->authzid, 'a') ? form_of_name(&m->authzid) : FORM_WRONG;
}

/* client-first-message */
static inline enum form scram_read_first(const char *octets, size_t length,
					 struct scram_first_message *m)
{
	struct part rest = {octets, length};
	*m = (struct scram_first_message){0};
	if (memchr(octets, '\0', length) != NULL)
		return FORM_WRONG;
	enum form form = form_of_header(&rest, m);
	if (form == FORM_WRONG)
		return FORM_WRONG;
	m->header = (struct part){octets, length - rest.length};
	m->bare = rest;
	if (!part_next(&rest, &m->name) || !part_has_tag(&m->name, 'n'))
		return FORM_WRONG;
	form = form_of_both(form, form_of_name(&m->name));
	bool more = part_next(&rest, &m->nonce);
	if (!part_has_tag(&m->nonce, 'r'))
		return FORM_WRONG;
	form = form_of_both(form, form_of_nonce(&m->nonce));
	return form_of_both(form, form_of_extensions(&rest, more));
}

/* Is the part the base64 of these octets? */
static inline bool part_encodes(const struct part *part, const void *octets, size_t length)
{
	static uint8_t decoded[SCRAM_ROOM];
	CHECK(part->length <= sizeof decoded);
	int total = base64_reference((const uint8_t *)part->at, part->length, decoded);
	return total == (int)length && memcmp(decoded, octets, length) == 0;
}

/*
 * client-final-message. `bound` is what c= must stand for, `nonce` the whole one. *said is what the
 * proof is of, *proof its base64.
 */
static inline enum form scram_read_final(const char *octets, size_t length,
					 const struct part *bound, const struct part *nonce,
					 struct part *said, struct part *proof)
{
	struct part rest = {octets, length}, part;
	size_t end = length;
	if (memchr(octets, '\0', length) != NULL)
		return FORM_WRONG;
	while (end > 0 && octets[end - 1] != ',')
		end--;
	*proof = (struct part){octets + end, length - end};
	if (end < 2 || !part_has_tag(proof, 'p'))
		return FORM_WRONG;
	*said = rest = (struct part){octets, end - 1};
	if (!part_next(&rest, &part) || !part_has_tag(&part, 'c') ||
	    !part_encodes(&part, bound->at, bound->length))
		return FORM_WRONG;
	bool more = part_next(&rest, &part);
	if (!part_has_tag(&part, 'r') || part.length != nonce->length ||
	    memcmp(part.at, nonce->at, part.length) != 0)
		return FORM_WRONG;
	return form_of_extensions(&rest, more);
}

/* ---- Keys and proofs (section 3), of one iteration: the number is the work alone ---- */

static inline void scram_hmac(const struct scram_hash *hash, const void *key, size_t length,
			      const void *text, size_t text_length, unsigned char out[32])
{
	CHECK(gnutls_hmac_fast(hash->mac, key, length, text, text_length, out) == 0);
}

/* Hi(password, salt, 1) */
static inline void scram_salted(const struct scram_hash *hash, const void *password, size_t length,
				const void *salt, size_t salt_length, unsigned char out[32])
{
	unsigned char first[1024];
	CHECK(salt_length + 4 <= sizeof first);
	memcpy(first, salt, salt_length);
	memcpy(first + salt_length, "\0\0\0\1", 4);
	scram_hmac(hash, password, length, first, salt_length + 4, out);
}

static inline void scram_client_proof(const struct scram_hash *hash, const unsigned char *salted,
				      const char *message, size_t length, unsigned char proof[32])
{
	unsigned char key[32], stored[32];
	scram_hmac(hash, salted, hash->size, "Client Key", 10, key);
	CHECK(gnutls_hash_fast(hash->digest, key, hash->size, stored) == 0);
	scram_hmac(hash, stored, hash->size, message, length, proof);
	for (size_t i = 0; i < hash->size; i++)
		proof[i] ^= key[i];
}

static inline void scram_server_signature(const struct scram_hash *hash,
					  const unsigned char *salted, const char *message,
					  size_t length, unsigned char signature[32])
{
	unsigned char key[32];
	scram_hmac(hash, salted, hash->size, "Server Key", 10, key);
	scram_hmac(hash, key, hash->size, message, length, signature);
}

#endif
