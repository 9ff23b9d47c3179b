/* See sasl.h. What the mechanisms do is in mechanism.c. */
#include "proto/sasl.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/secret.h"
#include "proto/state.h"

static void exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	secret_free(x->user);
	secret_wipe(x, sizeof *x);
	free(x);
}

void sasl_abort(struct pop3_session *s)
{
	struct pop3_sasl event = {.event = session_event(s), .mechanism = "", .abort = true};
	session_notify(s, EVENT_SASL, &event.event);
}

void sasl_fini(struct pop3_session *s)
{
	struct exchange *x = s->exchange;
	s->exchange = NULL;
	if (x != NULL && x->is_open)
		sasl_abort(s);
	exchange_free(x);
}

/*
 * The client ends it. What a listener said to a response may have been that a secret is wrong (RFC
 * 7628 section 3.2.2): who leaves then has failed to log in as who hears the "no" has, or more
 * could be tried on one connection. It is for reply_bad_command() to see whether it was the last.
 */
static void leave(struct pop3_session *s)
{
	if (s->exchange != NULL && s->exchange->has_responded)
		s->failed_logins++;
	sasl_fini(s);
}

void sasl_refuse(struct pop3_session *s, const char *reason)
{
	if (s->exchange != NULL)
		LOG(&s->settings->log, POP3_LOG_INFO, "sasl_refused", LOG_NUMBER("session", s->id),
		    LOG_TEXT("peer", s->info.peer), LOG_TEXT("method", s->exchange->name),
		    LOG_TEXT("reason", reason));
	leave(s);
}

/* ---- The ends of a step ---- */

void sasl_challenge(struct pop3_session *s, const char *octets, size_t length)
{
	s->exchange->step++;
	reply_challenge(s, octets, length);
}

void sasl_fail(struct pop3_session *s)
{
	sasl_refuse(s, "malformed response");
	reply_bad_command(s, TEXT_MALFORMED_RESPONSE);
}

void sasl_authenticate(struct pop3_session *s, const char *user, const char *password,
		       const char *authzid)
{
	struct exchange *x = s->exchange;
	const struct credentials credentials = {
		.method = x->name,
		.user = user,
		.password = password,
		.challenge = x->challenge[0] == '\0' ? NULL : x->challenge,
		.authzid = authzid == NULL || *authzid == '\0' ? NULL : authzid};
	/* It is over before the answer, whatever that does to the session. */
	s->exchange = NULL;
	session_authenticate(s, &credentials);
	exchange_free(x);
}

/* ---- Responses ---- */

/* A listener's challenge, or the end. */
static void on_sasl(struct pop3_session *s, struct answer *answer)
{
	if (answer->source.kind == SOURCE_NONE) {
		sasl_fini(s);
		session_conclude_login(s, answer, "no listener answers sasl");
		return;
	}
	s->exchange->is_open = true;
	sasl_challenge(s, answer->source.octets, (size_t)answer->source.left);
}

static void ask_listeners(struct pop3_session *s, const struct response *response)
{
	struct exchange *x = s->exchange;
	struct pop3_sasl event = {.event = session_event(s),
				  .mechanism = x->name,
				  .step = x->step,
				  .octets = response->octets,
				  .length = response->length};
	x->is_open = false;
	x->has_responded |= response->octets != NULL;
	session_ask(s, EVENT_SASL, &event.event, on_sasl);
}

static void step(struct pop3_session *s, struct response *response)
{
	if (s->exchange->mechanism == NULL)
		ask_listeners(s, response);
	else
		s->exchange->mechanism->step(s, s->exchange, response);
}

/* In place: what is decoded is never longer than what it is decoded from. */
static void step_encoded(struct pop3_session *s, char *text)
{
	struct response response = {.octets = text};
	size_t length = strlen(text);
	if (!base64_decode(text, length, text, length, &response.length)) {
		sasl_refuse(s, "response is not base64");
		reply_bad_command(s, TEXT_NOT_BASE64);
		return;
	}
	text[response.length] = '\0';
	step(s, &response);
}

static void log_response(struct pop3_session *s)
{
	if (s->settings->options.debug)
		LOG(&s->settings->log, POP3_LOG_DEBUG, "received", LOG_NUMBER("session", s->id),
		    LOG_TEXT("response", "(hidden)"));
}

/* RFC 5034 section 4: "*" cancels; an empty line is a response of no octets. */
void sasl_respond(struct pop3_session *s, char *text)
{
	log_response(s);
	if (strcmp(text, "*") == 0) {
		leave(s);
		reply_bad_command(s, TEXT_CANCELLED);
		return;
	}
	step_encoded(s, text);
}

/* ---- AUTH ---- */

/* The names that CAPA shows behind SASL; "" if there are none. */
static const char *offered(const struct pop3_capabilities *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(list->lines[i], "SASL ", 5) == 0)
			return list->lines[i] + 5;
	}
	return "";
}

/* The word at *rest, which moves behind it; its length, 0 at the end. */
static size_t next_word(const char **rest, const char **word)
{
	*word = *rest + strspn(*rest, " ");
	size_t length = strcspn(*word, " ");
	*rest = *word + length;
	return length;
}

static void list_offered(struct pop3_session *s, const char *names)
{
	const char *word;
	reply(s, "+OK");
	for (size_t length = next_word(&names, &word); length > 0;
	     length = next_word(&names, &word))
		reply(s, "%.*s", (int)length, word);
	reply(s, ".");
}

static bool is_offered(const char *names, const char *name)
{
	const char *word;
	for (size_t length = next_word(&names, &word); length > 0;
	     length = next_word(&names, &word)) {
		if (length == strlen(name) && memcmp(word, name, length) == 0)
			return true;
	}
	return false;
}

/* It is one that is offered, so it tells nothing of the client. */
static void log_mechanism(struct pop3_session *s)
{
	if (s->settings->options.debug)
		LOG(&s->settings->log, POP3_LOG_DEBUG, "exchange", LOG_NUMBER("session", s->id),
		    LOG_TEXT("mechanism", s->exchange->name));
}

static void begin(struct pop3_session *s, const char *name, char *initial)
{
	struct response none = {NULL, 0};
	struct exchange *x = calloc(1, sizeof *x);
	if (x == NULL) {
		session_terminate(s, POP3_REASON_ERROR);
		return;
	}
	secret_free(s->user);
	s->user = NULL;
	s->exchange = x;
	memcpy(x->name, name, strlen(name) + 1);
	x->mechanism = mechanism_find(name);
	log_mechanism(s);
	if (initial == NULL) {
		step(s, &none);
	} else if (strcmp(initial, "=") == 0) {
		*initial = '\0';
		step_encoded(s, initial);
	} else {
		step_encoded(s, initial);
	}
}

/* Without a mechanism, which RFC 5034 does not know but clients send, it lists them. */
void command_auth(struct pop3_session *s, struct arguments *a)
{
	struct pop3_capabilities list;
	capabilities_collect(s, &list);
	if (a->first == NULL) {
		list_offered(s, offered(&list));
		return;
	}
	for (char *c = a->first; *c != '\0'; c++) {
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	}
	if (strlen(a->first) > MECHANISM_NAME_MAX || !is_offered(offered(&list), a->first))
		reply_bad_command(s, TEXT_UNKNOWN_MECHANISM);
	else
		begin(s, a->first, a->second);
}
