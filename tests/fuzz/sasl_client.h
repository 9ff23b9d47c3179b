/*
 * A client of all mechanisms that can finish, and that changes one of its messages where an order
 * says so: before it makes its proof, so that this is right for what it said; after that; or in the
 * base64 of it.
 */
#ifndef POP3_TESTS_FUZZ_SASL_CLIENT_H
#define POP3_TESTS_FUZZ_SASL_CLIENT_H

#include <stdio.h>

#include "base/base64.h"
#include "pop3_emitter.h"
#include "scram_rules.h"

#define SASL_PASSWORD "secret"
#define CLIENT_NONCE  "fyko+d2lbbFgONRv9qkxdawL"

enum mechanism_kind { KIND_PLAIN, KIND_LOGIN, KIND_CRAM, KIND_SCRAM };

struct known_mechanism {
	const char *name;
	enum mechanism_kind kind;
	bool plus;
	struct scram_hash hash;
};

#define HASH_1                                                                                     \
	{                                                                                          \
		GNUTLS_MAC_SHA1, GNUTLS_DIG_SHA1, 20                                               \
	}
#define HASH_256                                                                                   \
	{                                                                                          \
		GNUTLS_MAC_SHA256, GNUTLS_DIG_SHA256, 32                                           \
	}

static const struct known_mechanism known_mechanisms[] = {
	{"PLAIN", KIND_PLAIN, false, {0}},
	{"LOGIN", KIND_LOGIN, false, {0}},
	{"CRAM-MD5", KIND_CRAM, false, {0}},
	{"SCRAM-SHA-1", KIND_SCRAM, false, HASH_1},
	{"SCRAM-SHA-256", KIND_SCRAM, false, HASH_256},
	{"SCRAM-SHA-1-PLUS", KIND_SCRAM, true, HASH_1},
	{"SCRAM-SHA-256-PLUS", KIND_SCRAM, true, HASH_256},
};
#define KNOWN_MECHANISMS (sizeof known_mechanisms / sizeof *known_mechanisms)

static const char *const client_users[] = {"plain", "stored", "gone", "nobody"};

/* What is changed, and how: `at` and `value` are where and by what, `text` what is put in. */
struct change {
	size_t step; /* 0-based number of the message */
	char kind;   /* '.' = nothing */
	uint8_t at, value;
	struct part text;
};

/* A line "@…" of the input; the digits of what is missing are 0. */
struct order {
	const struct known_mechanism *mechanism;
	const char *user;
	bool initial; /* the first message goes with AUTH */
	bool wrong;   /* another password */
	bool acts_as; /* names itself as who it wants to act for */
	bool doubts;  /* SCRAM: says "y" */
	size_t steps; /* so many messages, then it leaves off */
	struct change change;
};

struct sasl_client {
	const struct order *order;
	unsigned char binding[POP3_BINDING_SIZE];
	char bare[SCRAM_ROOM]; /* SCRAM: client-first-message-bare */
	size_t bare_length;
	char header[SCRAM_ROOM];
	size_t header_length;
};

static inline struct order order_read(const uint8_t *octets, size_t length)
{
	uint8_t digits[8] = {'0', '0', '1', '9', '0', '.', '0', '0'};
	memcpy(digits, octets, length < sizeof digits ? length : sizeof digits);
	size_t head = length < sizeof digits ? length : sizeof digits;
	unsigned how = digits[2] - (unsigned)'0';
	return (struct order){
		.mechanism = &known_mechanisms[(uint8_t)(digits[0] - '0') % KNOWN_MECHANISMS],
		.user = client_users[(uint8_t)(digits[1] - '0') % 4],
		.initial = (how & 1) != 0,
		.wrong = (how & 2) != 0,
		.acts_as = (how & 4) != 0,
		.doubts = (how & 8) != 0,
		.steps = (uint8_t)(digits[3] - '0') % 10,
		.change = {.step = (uint8_t)(digits[4] - '0') % 3,
			   .kind = (char)digits[5],
			   .at = digits[6],
			   .value = digits[7],
			   .text = {(const char *)octets + head, length - head}},
	};
}

/* ---- Changes ---- */

static inline bool changes(const struct order *order, size_t step, char kind)
{
	return order->change.kind == kind && order->change.step == step;
}

/* Put octets in at a place, in a buffer of SCRAM_ROOM; what does not fit is left out. */
static inline void put_in(char *buffer, size_t *length, size_t at, const char *text, size_t size)
{
	if (size > SCRAM_ROOM - *length)
		size = SCRAM_ROOM - *length;
	memmove(buffer + at + size, buffer + at, *length - at);
	memcpy(buffer + at, text, size);
	*length += size;
}

/* One of five changes of octets; `kinds` has a letter for each. */
static inline void change_octets(const struct order *order, size_t step, const char *kinds,
				 char *buffer, size_t *length)
{
	const struct change *c = &order->change;
	size_t at = *length == 0 ? 0 : c->at % *length;
	size_t left = *length - at;
	if (changes(order, step, kinds[0]) && *length > 0) {
		buffer[at] = (char)(buffer[at] ^ c->value);
	} else if (changes(order, step, kinds[1])) {
		put_in(buffer, length, at, c->text.at, c->text.length);
	} else if (changes(order, step, kinds[2])) {
		size_t gone = c->value < left ? c->value : left;
		memmove(buffer + at, buffer + at + gone, left - gone);
		*length -= gone;
	} else if (changes(order, step, kinds[3])) {
		*length = at;
	} else if (changes(order, step, kinds[4])) {
		put_in(buffer, length, *length, c->text.at, c->text.length);
	}
}

static inline void add(char *buffer, size_t *length, const char *text, size_t size)
{
	put_in(buffer, length, *length, text, size);
}

static inline void add_text(char *buffer, size_t *length, const char *text)
{
	add(buffer, length, text, strlen(text));
}

/* The text of the change if it is of this kind, else the usual one. */
static inline void add_or(const struct order *order, size_t step, char kind, const char *usual,
			  char *buffer, size_t *length)
{
	if (changes(order, step, kind))
		add(buffer, length, order->change.text.at, order->change.text.length);
	else
		add_text(buffer, length, usual);
}

/* ---- Messages ---- */

static inline const char *client_password(const struct order *order)
{
	return order->wrong ? "Secret" : SASL_PASSWORD;
}

static inline void client_plain(const struct order *order, char *out, size_t *length)
{
	add_or(order, 0, 'a', order->acts_as ? order->user : "", out, length);
	add(out, length, "", 1);
	add_or(order, 0, 'n', order->user, out, length);
	add(out, length, "", 1);
	add_or(order, 0, 'p', client_password(order), out, length);
}

/* RFC 2195 section 2. */
static inline void cram_digest(const char *password, const struct part *challenge, char hex[33])
{
	unsigned char digest[16];
	CHECK(gnutls_hmac_fast(GNUTLS_MAC_MD5, password, strlen(password), challenge->at,
			       challenge->length, digest) == 0);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static inline void client_cram(const struct order *order, const struct part *challenge, char *out,
			       size_t *length)
{
	char hex[33];
	cram_digest(client_password(order), challenge, hex);
	add_or(order, 0, 'n', order->user, out, length);
	add_text(out, length, " ");
	add_or(order, 0, 'p', hex, out, length);
}

static inline void client_first(struct sasl_client *c, char *out, size_t *length)
{
	const struct order *order = c->order;
	const char *flag = order->mechanism->plus ? "p=tls-exporter" : order->doubts ? "y" : "n";
	add_or(order, 0, 'f', flag, out, length);
	add_text(out, length, ",");
	if (order->acts_as) {
		add_text(out, length, "a=");
		add_or(order, 0, 'a', order->user, out, length);
	}
	add_text(out, length, ",n=");
	add_or(order, 0, 'n', order->user, out, length);
	add_text(out, length, ",r=");
	add_or(order, 0, 'r', CLIENT_NONCE, out, length);
	add_or(order, 0, 'x', "", out, length);
	change_octets(order, 0, "oidtz", out, length);

	/* As it stands after that: the header goes up to the second comma. */
	size_t at = 0, commas = 0;
	while (at < *length && commas < 2)
		commas += out[at++] == ',';
	c->header_length = at;
	memcpy(c->header, out, at);
	c->bare_length = *length - at;
	memcpy(c->bare, out + at, c->bare_length);
}

/* The value of the part that begins with the tag, or nothing. */
static inline struct part value_in(const struct part *message, const char *tag)
{
	struct part rest = *message, part;
	bool more = true;
	while (more) {
		more = part_next(&rest, &part);
		if (part_has_tag(&part, tag[0]))
			return part;
	}
	return (struct part){"", 0};
}

static inline void add_bound(struct sasl_client *c, char *out, size_t *length)
{
	static char bound[SCRAM_ROOM], text[BASE64_SIZE(SCRAM_ROOM)];
	size_t size = 0;
	add(bound, &size, c->header, c->header_length);
	if (c->header_length > 0 && c->header[0] == 'p')
		add(bound, &size, (const char *)c->binding, sizeof c->binding);
	change_octets(c->order, 1, "BIDTZ", bound, &size);
	base64_encode(bound, size, text);
	add_text(out, length, text);
}

static inline void add_proof(struct sasl_client *c, const struct part *challenge, char *out,
			     size_t *length)
{
	static char message[SCRAM_ROOM];
	const struct order *order = c->order;
	const struct scram_hash *hash = &order->mechanism->hash;
	unsigned char salt[1024], salted[32], proof[32];
	struct part encoded = value_in(challenge, "s");
	size_t salt_length = 0, size = 0;
	char text[BASE64_SIZE(sizeof proof)];
	CHECK(base64_decode(encoded.at, encoded.length, salt, sizeof salt, &salt_length));
	add(message, &size, c->bare, c->bare_length);
	add_text(message, &size, ",");
	add(message, &size, challenge->at, challenge->length);
	add_text(message, &size, ",");
	add(message, &size, out, *length);
	scram_salted(hash, client_password(order), 6, salt, salt_length, salted);
	scram_client_proof(hash, salted, message, size, proof);
	if (changes(order, 1, 'q'))
		proof[order->change.at % hash->size] ^= order->change.value;
	base64_encode(proof, hash->size, text);
	add_text(out, length, ",p=");
	add_or(order, 1, 'p', text, out, length);
}

static inline void client_final(struct sasl_client *c, const struct part *challenge, char *out,
				size_t *length)
{
	const struct order *order = c->order;
	struct part nonce = value_in(challenge, "r");
	add_text(out, length, "c=");
	add_bound(c, out, length);
	add_text(out, length, ",r=");
	add(out, length, nonce.at, nonce.length);
	add_or(order, 1, 'r', "", out, length);
	add_or(order, 1, 'x', "", out, length);
	change_octets(order, 1, "oidtz", out, length);
	add_proof(c, challenge, out, length);
}

/* Message number `step` of the exchange, in a buffer of SCRAM_ROOM. */
static inline void client_message(struct sasl_client *c, size_t step, const struct part *challenge,
				  char *out, size_t *length)
{
	const struct order *order = c->order;
	*length = 0;
	switch (order->mechanism->kind) {
	case KIND_PLAIN:
		client_plain(order, out, length);
		break;
	case KIND_LOGIN:
		add_text(out, length, step == 0 ? order->user : client_password(order));
		break;
	case KIND_CRAM:
		client_cram(order, challenge, out, length);
		break;
	case KIND_SCRAM:
		if (step == 0)
			client_first(c, out, length);
		else if (step == 1)
			client_final(c, challenge, out, length);
		break;
	}
	/* Behind the proof: SCRAM's own changes are made before it. */
	change_octets(order, step, "OUVWX", out, length);
}

/* The same as a line without its end. */
static inline void client_encode(const struct order *order, size_t step, const char *message,
				 size_t length, char *line, size_t *line_length)
{
	static char text[BASE64_SIZE(SCRAM_ROOM)];
	base64_encode(message, length, text);
	*line_length = 0;
	add_text(line, line_length, text);
	change_octets(order, step, "12345", line, line_length);
	if (changes(order, step, 'l')) {
		memset(text, 'A', sizeof text);
		add(line, line_length, text, order->change.value * 64u);
	}
}

#endif
