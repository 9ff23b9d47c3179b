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
#include "sasl_model.h"

int LLVMFuzzerInitialize(int *count, char ***arguments);
/* In place of libgsasl's: the same each time, so that a finding can be played again. */
__attribute__((visibility("default"))) int gsasl_nonce(char *octets, size_t length);

/* What goes wrong shows in one exchange or two; more of them would only cost time. */
#define EXCHANGES_MAX 2

static struct world {
	struct passwd *passwd;
	struct scram_service *service;
	struct context context;
	struct pop3_session *session;
	/* The application's exchange. */
	struct scram_server *scram;
	bool proven;
	bool logged_in, over;
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

/* ---- Answers ---- */

static void take_challenge(const struct view *view)
{
	struct talk *t = &model.talk;
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
		check_server_first(t->challenge, t->challenge_length);
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
	model.talk.mechanism = NULL;
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
		o->mechanism->kind == KIND_SCRAM && o->doubts && model.bound && !o->mechanism->plus;
	return o->change.kind == '.' && o->steps == 9 && suits && !o->wrong && !downgrade &&
	       (!o->mechanism->plus || model.bound);
}

/* Message number `step`, behind AUTH or as a response. */
static void say_message(struct sasl_client *c, size_t step, const char *begin)
{
	static char message[SCRAM_ROOM], encoded[SCRAM_ROOM], line[SCRAM_ROOM];
	const struct part challenge = {model.talk.challenge, model.talk.challenge_length};
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
	for (size_t i = initial; i < order->steps && model.talk.mechanism != NULL && !w.over; i++)
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
	return w.over || w.logged_in ||
	       (model.exchanges == EXCHANGES_MAX && model.talk.mechanism == NULL);
}

static void take_input(const uint8_t *data, size_t size)
{
	say("NOOP", 4); /* a first line may be a browser's */
	for (size_t at = 0; at < size && !is_done();) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t length = end == NULL ? size - at : (size_t)(end - data) - at;
		if (data[at] == '@' && model.talk.mechanism == NULL) {
			struct order order = order_read(data + at + 1, length - 1);
			carry_out(&order);
		} else if (model.talk.mechanism != NULL || !is_left_out(data + at, length)) {
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
	model.bound = info.tls = info.has_binding = (data[0] & 1) != 0;
	memset(info.binding, 9, sizeof info.binding);
	model.talk.mechanism = NULL;
	w.logged_in = w.over = false;
	model.exchanges = 0;
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
