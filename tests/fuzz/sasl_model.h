/*
 * What a server may answer to each line of a SASL exchange, as the RFCs have it (5034; 4616, 2195,
 * 5802; LOGIN as its draft), for a server of two users, "plain" and "stored", with one password:
 * nobody else gets in, they do who say all as it should be, and each line has one answer.
 */
#ifndef POP3_TESTS_FUZZ_SASL_MODEL_H
#define POP3_TESTS_FUZZ_SASL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base64_reference.h"
#include "fuzz.h"
#include "proto/limits.h"
#include "sasl_client.h"

/* Of the user whose keys are stored. */
#define STORED_SALT "W22ZaJ0SNY7soEsUEjb6gQ=="

enum may {
	MAY_CHALLENGE = 1,
	MAY_ENTER = 2,
	MAY_DENY = 4, /* "-ERR [AUTH] …" */
	MAY_REFUSE = 8,
};

/* The exchange as the model sees it. */
struct talk {
	const struct known_mechanism *mechanism; /* NULL: there is none */
	unsigned phase;                          /* messages that were good so far */
	char user[POP3_USER_MAX + 1];            /* LOGIN, SCRAM; "" if it can be nobody */
	bool odd_user;                           /* SCRAM: it may be another after SASLprep */
	bool odd_authzid, other_authzid;
	char challenge[SCRAM_ROOM]; /* CRAM-MD5, SCRAM: the server's last */
	size_t challenge_length;
	char bare[SCRAM_ROOM], header[SCRAM_ROOM];
	size_t bare_length, header_length;
	char signature[BASE64_SIZE(32) + 2]; /* "v=…" */
};

/* What the model thinks of a line. */
struct view {
	unsigned may;
	const char *refusal;   /* with MAY_REFUSE: the answer behind "-ERR " */
	const char *challenge; /* with MAY_CHALLENGE: this one; NULL: one of the server's own */
	unsigned lines;        /* with MAY_REFUSE: in the log; a denial is one, the rest none */
};

static struct model {
	bool bound; /* TLS, with a binding */
	struct talk talk;
	unsigned exchanges; /* begun */
} model;

/* ---- Who gets in ---- */

static bool has_password(const char *user)
{
	return strcmp(user, "plain") == 0 || strcmp(user, "stored") == 0;
}

static bool has_keys(const struct known_mechanism *m, const char *user)
{
	return strcmp(user, "plain") == 0 ||
	       (strcmp(user, "stored") == 0 && m->hash.mac == GNUTLS_MAC_SHA256);
}

/* Where a name of `authenticate` may stand. */
static bool is_name(const struct part *name)
{
	for (size_t i = 0; i < name->length; i++) {
		unsigned char c = (unsigned char)name->at[i];
		if (c <= 0x20 || c == 0x7f)
			return false;
	}
	return name->length > 0 && name->length <= POP3_USER_MAX;
}

static const struct view malformed = {MAY_REFUSE, "malformed response", NULL, 1};
static const struct view denied = {MAY_DENY, NULL, NULL, 0};
static const struct view enters = {MAY_ENTER, NULL, NULL, 0};

static struct view asks(const char *challenge)
{
	return (struct view){MAY_CHALLENGE, NULL, challenge, 0};
}

static void keep_name(const struct part *name)
{
	memcpy(model.talk.user, name->at, name->length);
	model.talk.user[name->length] = '\0';
}

static struct view view_password(const struct part *password)
{
	bool right = has_password(model.talk.user) && part_is(password, SASL_PASSWORD);
	return right ? enters : denied;
}

/* RFC 4616 section 2. */
static struct view view_plain(const struct part *r)
{
	const char *end = r->at + r->length;
	const char *first = memchr(r->at, '\0', r->length);
	const char *second =
		first == NULL ? NULL : memchr(first + 1, '\0', (size_t)(end - first - 1));
	if (second == NULL)
		return malformed;
	struct part authzid = {r->at, (size_t)(first - r->at)};
	struct part name = {first + 1, (size_t)(second - first - 1)};
	struct part password = {second + 1, (size_t)(end - second - 1)};
	if (memchr(password.at, '\0', password.length) != NULL || password.length == 0 ||
	    !is_name(&name) || (authzid.length > 0 && !is_name(&authzid)))
		return malformed;
	keep_name(&name);
	if (authzid.length > 0 && !part_is(&authzid, model.talk.user))
		return denied;
	return view_password(&password);
}

static struct view view_login(const struct part *r)
{
	bool text = r->length > 0 && memchr(r->at, '\0', r->length) == NULL;
	if (!text || (model.talk.phase == 0 && !is_name(r)))
		return malformed;
	if (model.talk.phase > 0)
		return view_password(r);
	keep_name(r);
	return asks("Password:");
}

static struct view view_cram(const struct part *r, bool initial)
{
	const struct part challenge = {model.talk.challenge, model.talk.challenge_length};
	char want[64];
	size_t name = r->length;
	if (initial || memchr(r->at, '\0', r->length) != NULL)
		return malformed;
	while (name > 0 && r->at[name - 1] != ' ')
		name--;
	struct part user = {r->at, name == 0 ? 0 : name - 1};
	struct part digest = {r->at + name, r->length - name};
	if (!is_name(&user) || digest.length == 0)
		return malformed;
	cram_digest(SASL_PASSWORD, &challenge, want);
	return part_is(&user, "plain") && part_is(&digest, want) ? enters : denied;
}

/* ---- SCRAM ---- */

static void view_names(const struct scram_first_message *m)
{
	struct talk *t = &model.talk;
	char authzid[POP3_USER_MAX + 1] = "";
	if (!name_decode(&m->name, t->user, sizeof t->user))
		t->user[0] = '\0';
	t->odd_user = form_of_name(&m->name) == FORM_ODD;
	t->odd_authzid = t->odd_user || form_of_name(&m->authzid) == FORM_ODD;
	t->other_authzid =
		m->authzid.length > 0 && (!name_decode(&m->authzid, authzid, sizeof authzid) ||
					  strcmp(authzid, t->user) != 0);
}

static struct view view_first(const struct part *r)
{
	struct talk *t = &model.talk;
	struct scram_first_message m;
	enum form form = scram_read_first(r->at, r->length, &m);
	if (form == FORM_WRONG || (m.flag == 'p') != t->mechanism->plus ||
	    (m.flag == 'y' && model.bound))
		return denied;
	view_names(&m);
	memcpy(t->bare, m.bare.at, m.bare.length);
	t->bare_length = m.bare.length;
	memcpy(t->header, m.header.at, m.header.length);
	t->header_length = m.header.length;
	/* The nonce comes back, and a challenge has its limit. */
	bool certain = form == FORM_RIGHT && m.nonce.length < POP3_SASL_CHALLENGE_MAX - 100;
	return (struct view){certain ? MAY_CHALLENGE : MAY_CHALLENGE | MAY_DENY, NULL, NULL, 0};
}

/* Does the proof of what was said show that this user is there? If so, the signature is made. */
static bool proves(const char *user, const struct part *said, const struct part *proof)
{
	static char message[3 * SCRAM_ROOM];
	struct talk *t = &model.talk;
	const struct scram_hash *hash = &t->mechanism->hash;
	const struct part challenge = {t->challenge, t->challenge_length};
	unsigned char salt[64], salted[32], want[32], signature[32];
	struct part encoded = value_in(&challenge, "s");
	size_t salt_length;
	if (!has_keys(t->mechanism, user))
		return false;
	CHECK(base64_decode(encoded.at, encoded.length, salt, sizeof salt, &salt_length));
	int length =
		snprintf(message, sizeof message, "%.*s,%.*s,%.*s", (int)t->bare_length, t->bare,
			 (int)challenge.length, challenge.at, (int)said->length, said->at);
	scram_salted(hash, SASL_PASSWORD, 6, salt, salt_length, salted);
	scram_client_proof(hash, salted, message, (size_t)length, want);
	if (!part_encodes(proof, want, hash->size))
		return false;
	scram_server_signature(hash, salted, message, (size_t)length, signature);
	memcpy(t->signature, "v=", 2);
	base64_encode(signature, hash->size, t->signature + 2);
	return true;
}

static struct view view_final(const struct part *r)
{
	static char bound_octets[SCRAM_ROOM + POP3_BINDING_SIZE];
	struct talk *t = &model.talk;
	const struct part challenge = {t->challenge, t->challenge_length};
	struct part nonce = value_in(&challenge, "r"), said, proof;
	struct part bound = {bound_octets, t->header_length};
	memcpy(bound_octets, t->header, t->header_length);
	if (t->mechanism->plus) {
		memset(bound_octets + bound.length, 9, POP3_BINDING_SIZE);
		bound.length += POP3_BINDING_SIZE;
	}
	enum form form = scram_read_final(r->at, r->length, &bound, &nonce, &said, &proof);
	if (form == FORM_WRONG)
		return denied;
	bool good = proves(t->user, &said, &proof) ||
		    (t->odd_user &&
		     (proves("plain", &said, &proof) || proves("stored", &said, &proof)));
	if (!good)
		return denied;
	struct view view = asks(t->signature);
	/* A user that is not there has a salt, too, but no proof is right for it. */
	if (form == FORM_ODD || t->odd_user)
		view = (struct view){MAY_CHALLENGE | MAY_DENY, NULL, t->signature, 0};
	return view;
}

static struct view view_last(const struct part *r)
{
	const struct talk *t = &model.talk;
	if (r->length > 0)
		return denied;
	if (t->odd_authzid)
		return (struct view){MAY_ENTER | MAY_DENY, NULL, NULL, 0};
	return t->other_authzid ? denied : enters;
}

static struct view view_scram(const struct part *r)
{
	switch (model.talk.phase) {
	case 0:
		return view_first(r);
	case 1:
		return view_final(r);
	default:
		return view_last(r);
	}
}

/* The server's first message, which answers view_first(). */
static void check_server_first(const char *octets, size_t length)
{
	struct talk *t = &model.talk;
	const struct part bare = {t->bare, t->bare_length};
	const struct part whole = {octets, length};
	struct part nonce = value_in(&bare, "r"), shown = value_in(&whole, "r");
	struct part salt = value_in(&whole, "s"), iterations = value_in(&whole, "i");
	CHECK(shown.length > nonce.length && memcmp(shown.at, nonce.at, nonce.length) == 0);
	const struct part own = {shown.at + nonce.length, shown.length - nonce.length};
	CHECK(form_of_nonce(&own) == FORM_RIGHT);
	CHECK(salt.length == 24);
	CHECK(length == strlen("r=,s=,i=") + shown.length + salt.length + iterations.length);
	if (!t->odd_user && strcmp(t->user, "stored") == 0 && has_keys(t->mechanism, t->user))
		CHECK(part_is(&salt, STORED_SALT) && part_is(&iterations, "4096"));
	else
		CHECK(part_is(&iterations, "4096") || part_is(&iterations, "20000"));
}

/* ---- Lines ---- */

/* `r` is NULL if nothing came with AUTH. */
static struct view view_message(const struct part *r, bool initial)
{
	static const char *const prompts[] = {"", "Username:", NULL, ""};
	enum mechanism_kind kind = model.talk.mechanism->kind;
	if (r == NULL)
		return asks(prompts[kind]);
	switch (kind) {
	case KIND_PLAIN:
		return view_plain(r);
	case KIND_LOGIN:
		return view_login(r);
	case KIND_CRAM:
		return view_cram(r, initial);
	default:
		return view_scram(r);
	}
}

static struct view view_response(const char *text, size_t length, bool initial)
{
	static uint8_t octets[SCRAM_ROOM];
	CHECK(length <= sizeof octets);
	int decoded = base64_reference((const uint8_t *)text, length, octets);
	if (decoded < 0)
		return (struct view){MAY_REFUSE, "response is not base64", NULL, 1};
	const struct part r = {(const char *)octets, (size_t)decoded};
	return view_message(&r, initial);
}

static struct view refuses(const char *text, unsigned lines)
{
	return (struct view){MAY_REFUSE, text, NULL, lines};
}

/* A word up to the blank or the end; false: there is none. */
static bool word_next(struct part *rest, struct part *word)
{
	const char *blank = rest->length == 0 ? NULL : memchr(rest->at, ' ', rest->length);
	word->at = rest->at;
	word->length = blank == NULL ? rest->length : (size_t)(blank - rest->at);
	size_t taken = word->length + (blank != NULL);
	rest->at += taken;
	rest->length -= taken;
	return word->length > 0 && !(blank != NULL && rest->length == 0);
}

/* Without touching the large buffers, whose lengths say what is in them. */
static void begin_talk(const struct known_mechanism *mechanism)
{
	struct talk *t = &model.talk;
	t->mechanism = mechanism;
	t->phase = 0;
	model.exchanges++;
	t->user[0] = '\0';
	t->odd_user = t->odd_authzid = t->other_authzid = false;
	t->challenge_length = t->bare_length = t->header_length = 0;
}

/* What follows "AUTH ". */
static struct view view_auth(const char *text, size_t length)
{
	struct part rest = {text, length}, name, initial = {"", 0};
	bool right = word_next(&rest, &name);
	bool has_initial = right && rest.length > 0;
	if (has_initial)
		right = word_next(&rest, &initial) && rest.length == 0;
	if (!right)
		return refuses("wrong arguments", 0);
	const struct known_mechanism *found = NULL;
	for (size_t i = 0; i < KNOWN_MECHANISMS; i++) {
		const struct known_mechanism *m = &known_mechanisms[i];
		if (name.length == strlen(m->name) &&
		    strncasecmp(name.at, m->name, name.length) == 0 && (!m->plus || model.bound))
			found = m;
	}
	if (found == NULL)
		return refuses("mechanism is not available", 0);
	begin_talk(found);
	if (!has_initial)
		return view_message(NULL, true);
	if (part_is(&initial, "="))
		initial.length = 0;
	return view_response(initial.at, initial.length, true);
}

static bool has_control(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}

static bool is_auth(const char *text, size_t length)
{
	return length >= 5 && strncasecmp(text, "AUTH ", 5) == 0;
}

/* A line without its end, of which there are `end` octets. */
static struct view view_line(const char *text, size_t length, size_t end)
{
	bool exchange = model.talk.mechanism != NULL;
	bool may_be_long = exchange || is_auth(text, length);
	if (length + end > (may_be_long ? LINE_LONG_MAX : LINE_MAX_OCTETS))
		return refuses("line too long", exchange);
	if (has_control(text, length))
		return refuses("line has control characters", exchange);
	if (exchange && length == 1 && *text == '*')
		return refuses("authentication cancelled", 0);
	if (exchange)
		return view_response(text, length, false);
	if (is_auth(text, length))
		return view_auth(text + 5, length - 5);
	return (struct view){.may = 0}; /* the fuzzer of sessions knows */
}

#endif
