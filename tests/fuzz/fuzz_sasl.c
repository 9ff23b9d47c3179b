/*
 * libFuzzer: SASL exchanges with a real session and the real server's side of SCRAM. The input has
 * lines that are sent as they stand, and orders ("@…") to a client that can finish each mechanism
 * and changes what the order says. A model beside it reads each line as the RFCs have it and knows
 * what may be answered: there is exactly one answer a line, nobody gets in without the secret,
 * whoever says all as it should be does get in, an exchange that fails is one line in the log
 * without a secret in it, and nothing is left of it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/passwd.h"
#include "auth/scram.h"
#include "auth/scram_server.h"
#include "auth/verify.h"
#include "base/base64.h"
#include "fuzz.h"
#include "host.h"
#include "proto/limits.h"
#include "proto/session.h"
#include "sasl_client.h"

int LLVMFuzzerInitialize(int *count, char ***arguments);
/* In place of libgsasl's: the same each time, so that a finding can be played again. */
__attribute__((visibility("default"))) int gsasl_nonce(char *octets, size_t length);

/* What goes wrong shows in one exchange or two; more of them would only cost time. */
#define EXCHANGES_MAX 2
#define STORED_SALT   "W22ZaJ0SNY7soEsUEjb6gQ=="

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
	const char *challenge; /* with MAY_CHALLENGE: this one; NULL = see take_challenge() */
	unsigned lines;        /* with MAY_REFUSE: in the log; a denial is one, the rest none */
};

static struct world {
	struct passwd *passwd;
	struct scram_service *service;
	struct context context;
	struct pop3_session *session;
	bool bound; /* TLS, with a binding */
	/* The application's exchange. */
	struct scram_server *scram;
	bool proven;
	/* The model's. */
	struct talk talk;
	bool logged_in, over;
	unsigned exchanges;
	bool in_auth; /* the line that was said is of an exchange, or of AUTH */
	unsigned logged;
	uint8_t cut;
	bool shows; /* FUZZ_SHOW is set: what is said is printed, to look at a finding */
	char answer[BLOCK_SIZE + 1];
	size_t answer_length;
} w;

/* ---- Of one iteration ---- */

int gnutls_pbkdf2(gnutls_mac_algorithm_t mac, const gnutls_datum_t *key, const gnutls_datum_t *salt,
		  unsigned iterations, void *output, size_t length)
{
	const struct scram_hash hash = {mac, GNUTLS_DIG_UNKNOWN, length};
	unsigned char out[32];
	CHECK(iterations >= 4096 && length <= sizeof out);
	scram_salted(&hash, key->data, key->size, salt->data, salt->size, out);
	memcpy(output, out, length);
	return 0;
}

int gsasl_nonce(char *octets, size_t length)
{
	for (size_t i = 0; i < length; i++)
		octets[i] = (char)(i * 37 + 1);
	return 0;
}

/* ---- The application, as the program's own is ---- */

static bool is_user(const char *user)
{
	const struct passwd_entry *entry = passwd_lookup(w.passwd, user, false);
	return entry != NULL && entry->state == PASSWD_USABLE;
}

static void check(struct pop3_authenticate *e, void *data)
{
	(void)data;
	const struct passwd_entry *entry = passwd_lookup(w.passwd, e->user, false);
	const char *plain = auth_plaintext(entry);
	bool good = strcmp(e->method, "PASS") != 0 && strcmp(e->method, "APOP") != 0;
	if (e->challenge != NULL)
		good = good && plain != NULL && pop3_matches(e, plain, strlen(plain));
	else
		good = good &&
		       auth_verify(w.passwd, entry, e->password, strlen(e->password)) == AUTH_OK;
	good = good && (e->authzid == NULL || strcmp(e->authzid, e->user) == 0);
	pop3_answer_auth(e, good ? POP3_OK : POP3_DENIED, NULL);
}

static void scram_end(void)
{
	scram_server_free(w.scram);
	w.scram = NULL;
}

static void scram_admit(struct pop3_sasl *e)
{
	const char *user = scram_server_user(w.scram);
	const char *authzid = scram_server_authzid(w.scram);
	bool good = e->length == 0 && is_user(user) &&
		    (authzid == NULL || *authzid == '\0' || strcmp(authzid, user) == 0);
	pop3_answer_sasl(e, good ? POP3_OK : POP3_DENIED, good ? user : NULL);
	scram_end();
}

static void scram_step(struct pop3_sasl *e)
{
	char *reply = NULL;
	size_t length = 0;
	enum scram_result result =
		scram_server_step(w.scram, w.passwd, false, e->octets, e->length, &reply, &length);
	w.proven = result == SCRAM_PROVEN;
	if (result == SCRAM_DENIED) {
		pop3_answer_sasl(e, POP3_DENIED, NULL);
		scram_end();
	} else {
		CHECK(result == SCRAM_PROVEN || result == SCRAM_CONTINUES);
		CHECK(reply != NULL && strlen(reply) == length);
		if (pop3_answer_challenge(e, reply, length) != 0) {
			pop3_answer_sasl(e, POP3_DENIED, NULL);
			scram_end();
		}
	}
	free(reply);
}

static void hear_sasl(struct pop3_sasl *e, void *data)
{
	const struct pop3_info *info = e->event.info;
	(void)data;
	if (e->abort) {
		CHECK(w.scram != NULL);
		scram_end();
		return;
	}
	CHECK((e->step == 0) == (w.scram == NULL));
	CHECK(e->octets == NULL || e->octets[e->length] == '\0');
	if (w.scram == NULL) {
		w.proven = false;
		w.scram = scram_server_new(w.service, e->mechanism,
					   info->has_binding ? info->binding : NULL,
					   sizeof info->binding);
		CHECK(w.scram != NULL);
	}
	if (e->octets == NULL)
		pop3_answer_challenge(e, "", 0);
	else if (w.proven)
		scram_admit(e);
	else
		scram_step(e);
}

static void offer(struct pop3_capabilities *e, void *data)
{
	(void)data;
	for (size_t i = 0; i < KNOWN_MECHANISMS; i++) {
		const struct known_mechanism *m = &known_mechanisms[i];
		if (m->kind == KIND_SCRAM && (!m->plus || e->event.info->has_binding))
			CHECK(pop3_mechanism_add(e, m->name) == 0);
	}
}

static const struct pop3_handlers handlers = {
	.size = sizeof handlers, .authenticate = check, .capabilities = offer, .sasl = hear_sasl};

/* No secret, as it is or in base64; but a client may put one where its name belongs. */
static void check_field(const struct pop3_field *field)
{
	if (field->text == NULL || strcmp(field->name, "user") == 0)
		return;
	CHECK(strstr(field->text, SASL_PASSWORD) == NULL);
	CHECK(strstr(field->text, "c2VjcmV0") == NULL);
}

static void hear_log(const struct pop3_record *record, void *data)
{
	(void)data;
	for (size_t i = 0; i < record->count && w.in_auth; i++)
		check_field(&record->fields[i]);
	w.logged += record->level != POP3_LOG_DEBUG;
}

/* ---- The model: who gets in ---- */

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
	memcpy(w.talk.user, name->at, name->length);
	w.talk.user[name->length] = '\0';
}

static struct view view_password(const struct part *password)
{
	bool right = has_password(w.talk.user) && part_is(password, SASL_PASSWORD);
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
	if (authzid.length > 0 && !part_is(&authzid, w.talk.user))
		return denied;
	return view_password(&password);
}

static struct view view_login(const struct part *r)
{
	bool text = r->length > 0 && memchr(r->at, '\0', r->length) == NULL;
	if (!text || (w.talk.phase == 0 && !is_name(r)))
		return malformed;
	if (w.talk.phase > 0)
		return view_password(r);
	keep_name(r);
	return asks("Password:");
}

static struct view view_cram(const struct part *r, bool initial)
{
	const struct part challenge = {w.talk.challenge, w.talk.challenge_length};
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

/* ---- The model: SCRAM ---- */

static void view_names(const struct scram_first_message *m)
{
	struct talk *t = &w.talk;
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
	struct talk *t = &w.talk;
	struct scram_first_message m;
	enum form form = scram_read_first(r->at, r->length, &m);
	if (form == FORM_WRONG || (m.flag == 'p') != t->mechanism->plus ||
	    (m.flag == 'y' && w.bound))
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
	struct talk *t = &w.talk;
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
	struct talk *t = &w.talk;
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
	const struct talk *t = &w.talk;
	if (r->length > 0)
		return denied;
	if (t->odd_authzid)
		return (struct view){MAY_ENTER | MAY_DENY, NULL, NULL, 0};
	return t->other_authzid ? denied : enters;
}

static struct view view_scram(const struct part *r)
{
	switch (w.talk.phase) {
	case 0:
		return view_first(r);
	case 1:
		return view_final(r);
	default:
		return view_last(r);
	}
}

/* ---- The model: lines ---- */

/* `r` is NULL if nothing came with AUTH. */
static struct view view_message(const struct part *r, bool initial)
{
	static const char *const prompts[] = {"", "Username:", NULL, ""};
	enum mechanism_kind kind = w.talk.mechanism->kind;
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
	struct talk *t = &w.talk;
	t->mechanism = mechanism;
	t->phase = 0;
	w.exchanges++;
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
		    strncasecmp(name.at, m->name, name.length) == 0 && (!m->plus || w.bound))
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
	bool exchange = w.talk.mechanism != NULL;
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

/* ---- Answers ---- */

static void take_server_first(const char *octets, size_t length)
{
	struct talk *t = &w.talk;
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

static void take_challenge(const struct view *view)
{
	struct talk *t = &w.talk;
	size_t encoded = w.answer_length - 4;
	CHECK(view->may & MAY_CHALLENGE);
	int length =
		base64_reference((const uint8_t *)w.answer + 2, encoded, (uint8_t *)t->challenge);
	CHECK(length >= 0 && length < SCRAM_ROOM);
	t->challenge_length = (size_t)length;
	t->challenge[length] = '\0';
	if (view->challenge != NULL) {
		CHECK(strcmp(t->challenge, view->challenge) == 0);
		t->phase += *view->challenge != '\0' && strcmp(view->challenge, "Username:") != 0;
	} else if (t->mechanism->kind == KIND_CRAM) {
		CHECK(t->challenge[0] == '<' && t->challenge[length - 1] == '>');
	} else {
		take_server_first(t->challenge, t->challenge_length);
		t->phase++;
	}
}

static bool answer_is(const char *text)
{
	size_t length = strlen(text);
	return w.answer_length == length + 2 && memcmp(w.answer, text, length) == 0;
}

/* The end of an exchange, or of a line that began none. */
static void take_end(const struct view *view, unsigned logged)
{
	char refusal[128];
	snprintf(refusal, sizeof refusal, "-ERR %s", view->refusal == NULL ? "" : view->refusal);
	if (answer_is("+OK maildrop ready")) {
		CHECK((view->may & MAY_ENTER) && logged == 0);
		w.logged_in = true;
	} else if (answer_is("-ERR [AUTH] authentication failed")) {
		CHECK((view->may & MAY_DENY) && logged == 1);
	} else {
		CHECK((view->may & MAY_REFUSE) && answer_is(refusal) && logged == view->lines);
	}
	CHECK(w.scram == NULL);
	w.talk.mechanism = NULL;
}

/* One line, its end "\r\n", or one of "\n" where nothing is to be chosen. */
static void drain(void)
{
	size_t got;
	w.answer_length = 0;
	do {
		got = pop3_session_pull(w.session, w.answer + w.answer_length,
					BLOCK_SIZE - w.answer_length, 0);
		w.answer_length += got;
	} while (got > 0);
	w.answer[w.answer_length] = '\0';
}

static void check_other(void)
{
	const char *end = strstr(w.answer, "\r\n");
	CHECK(w.answer_length >= 5 && end != NULL);
	CHECK(memcmp(w.answer, "+OK", 3) == 0 || memcmp(w.answer, "-ERR", 4) == 0);
	CHECK(strstr(w.answer, "maildrop ready") == NULL);
	w.over = pop3_session_wants(w.session).close;
}

/* Say a line in two pieces, and compare what is answered with the model's view. */
static void say(const char *text, size_t length)
{
	static char line[SCRAM_ROOM + 2];
	/* A CR that is there already is half of the line's end. */
	size_t kept = length > 0 && text[length - 1] == '\r' ? length - 1 : length;
	size_t whole = kept + 2, cut = (size_t)w.cut * 7 % (whole + 1);
	CHECK(whole <= sizeof line);
	memcpy(line, text, kept);
	memcpy(line + kept, "\r\n", 2);
	struct view view = view_line(text, kept, whole - kept);
	w.logged = 0;
	w.in_auth = view.may != 0;
	CHECK(pop3_session_feed(w.session, line, cut, 0) == cut);
	CHECK(pop3_session_feed(w.session, line + cut, whole - cut, 0) == whole - cut);
	drain();
	if (w.shows)
		printf("C: %.*sS: %s(%u lines; may %u: %s)\n", (int)whole, line, w.answer, w.logged,
		       view.may, view.refusal != NULL ? view.refusal : "");
	if (view.may == 0) {
		check_other();
		return;
	}
	const char *end = memchr(w.answer, '\n', w.answer_length);
	CHECK(end != NULL && end == w.answer + w.answer_length - 1 && end[-1] == '\r');
	if (memcmp(w.answer, "+ ", 2) == 0) {
		CHECK(w.logged == 0);
		take_challenge(&view);
	} else {
		take_end(&view, w.logged);
	}
}

/* ---- Orders ---- */

/* An order that changes nothing, of somebody who may come in. */
static bool must_enter(const struct order *o)
{
	bool suits = o->mechanism->kind == KIND_SCRAM  ? has_keys(o->mechanism, o->user)
		     : o->mechanism->kind == KIND_CRAM ? strcmp(o->user, "plain") == 0
						       : has_password(o->user);
	bool downgrade =
		o->mechanism->kind == KIND_SCRAM && o->doubts && w.bound && !o->mechanism->plus;
	return o->change.kind == '.' && o->steps == 9 && suits && !o->wrong && !downgrade &&
	       (!o->mechanism->plus || w.bound);
}

/* Message number `step`, behind AUTH or as a response. */
static void say_message(struct sasl_client *c, size_t step, const char *begin)
{
	static char message[SCRAM_ROOM], encoded[SCRAM_ROOM], line[SCRAM_ROOM];
	const struct part challenge = {w.talk.challenge, w.talk.challenge_length};
	size_t length, encoded_length, line_length = 0;
	client_message(c, step, &challenge, message, &length);
	client_encode(c->order, step, message, length, encoded, &encoded_length);
	add_text(line, &line_length, begin);
	if (*begin != '\0' && encoded_length == 0)
		add_text(line, &line_length, "=");
	add(line, &line_length, encoded, encoded_length);
	/* What was put in may have line ends: then it is two lines or more. */
	for (size_t at = 0; at <= line_length && !w.over && !w.logged_in;) {
		const char *end = memchr(line + at, '\n', line_length - at);
		size_t size = end == NULL ? line_length - at : (size_t)(end - line) - at;
		say(line + at, size);
		at += size + 1;
	}
}

static void carry_out(const struct order *order)
{
	static struct sasl_client c;
	char begin[64];
	c.order = order;
	c.bare_length = c.header_length = 0;
	memset(c.binding, 9, sizeof c.binding);
	bool initial = order->initial && order->mechanism->kind != KIND_CRAM && order->steps > 0;
	snprintf(begin, sizeof begin, "AUTH %s%s", order->mechanism->name, initial ? " " : "");
	if (initial)
		say_message(&c, 0, begin);
	else
		say(begin, strlen(begin));
	for (size_t i = initial; i < order->steps && w.talk.mechanism != NULL && !w.over; i++)
		say_message(&c, i, "");
	CHECK(!must_enter(order) || w.logged_in);
}

/* ---- A run ---- */

/* Languages would change the texts; the fuzzer of sessions has them. */
static bool is_left_out(const uint8_t *text, size_t length)
{
	return length >= 4 && strncasecmp((const char *)text, "LANG", 4) == 0;
}

static bool is_done(void)
{
	return w.over || w.logged_in || (w.exchanges == EXCHANGES_MAX && w.talk.mechanism == NULL);
}

static void take_input(const uint8_t *data, size_t size)
{
	say("NOOP", 4); /* a first line may be a browser's */
	for (size_t at = 0; at < size && !is_done();) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t length = end == NULL ? size - at : (size_t)(end - data) - at;
		if (data[at] == '@' && w.talk.mechanism == NULL) {
			struct order order = order_read(data + at + 1, length - 1);
			carry_out(&order);
		} else if (w.talk.mechanism != NULL || !is_left_out(data + at, length)) {
			say((const char *)data + at, length);
		}
		at += length + 1;
	}
	if (w.logged_in)
		CHECK(pop3_session_wants(w.session).read && w.scram == NULL);
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	static char text[1024];
	struct scram_secret secret = {.iterations = SCRAM_ITERATIONS_MIN};
	struct passwd_error error;
	char stored[BASE64_SIZE(SCRAM_KEY_SIZE)], server[BASE64_SIZE(SCRAM_KEY_SIZE)];
	(void)count;
	(void)arguments;
	CHECK(base64_decode(STORED_SALT, strlen(STORED_SALT), secret.salt, sizeof secret.salt,
			    &secret.salt_length));
	CHECK(scram_derive(SASL_PASSWORD, strlen(SASL_PASSWORD), &secret) == 0);
	base64_encode(secret.stored_key, SCRAM_KEY_SIZE, stored);
	base64_encode(secret.server_key, SCRAM_KEY_SIZE, server);
	int length = snprintf(text, sizeof text,
			      "plain:{PLAIN}" SASL_PASSWORD "\ngone:!{PLAIN}" SASL_PASSWORD
			      "\nstored:{SCRAM-SHA-256}%u," STORED_SALT ",%s,%s\n",
			      SCRAM_ITERATIONS_MIN, stored, server);
	CHECK(passwd_parse(text, (size_t)length, &error, &w.passwd) == 0);
	w.service = scram_service_new();
	CHECK(w.service != NULL);
	w.shows = getenv("FUZZ_SHOW") != NULL;
	setvbuf(stdout, NULL, _IOLBF, 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const struct pop3_options options = {
		.size = sizeof options,
		.log = hear_log,
		.debug = (data[0] & 2) != 0,
		.apop = POP3_APOP_FIXED,
		.apop_value = "<1@fuzz>",
		.limits = {.failed_logins = 100000, .bad_commands = 100000}};
	struct pop3_info info = {.peer = "fuzz", .local = "fuzz", .loopback = true};
	struct pop3_listener listener = {.handlers = &handlers};
	w.bound = info.tls = info.has_binding = (data[0] & 1) != 0;
	memset(info.binding, 9, sizeof info.binding);
	w.talk.mechanism = NULL;
	w.logged_in = w.over = false;
	w.exchanges = 0;
	w.cut = data[1];
	CHECK(context_init(&w.context, "fuzz", &options, host_random, host_wake, NULL) == 0);
	CHECK(emitter_attach(&w.context.emitter, &listener) == 0);
	w.session = session_new(&w.context, &info, -1, NULL, 0);
	CHECK(w.session != NULL);
	session_begin(w.session, false, 0);
	drain();
	take_input(data + 2, size - 2);
	pop3_session_end(w.session, POP3_REASON_LOST, 0);
	CHECK(pop3_session_wants(w.session).finished && w.scram == NULL);
	pop3_session_free(w.session);
	context_fini(&w.context);
	return 0;
}
