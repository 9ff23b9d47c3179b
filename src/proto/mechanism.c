/* The mechanisms that end in `authenticate`: PLAIN, LOGIN, CRAM-MD5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/apop.h"
#include "proto/state.h"

/* ---- What a client may send ---- */

/* A name goes where one of USER goes: it has no blanks and no control octets. */
static bool is_name(const char *text)
{
	size_t length = strlen(text);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c <= 0x20 || c == 0x7f)
			return false;
	}
	return length > 0 && length <= POP3_USER_MAX;
}

/* Is it one text, with no NUL within? */
static bool is_text(const struct response *r)
{
	return strlen(r->octets) == r->length;
}

/* ---- PLAIN (RFC 4616): [authzid] NUL authcid NUL passwd ---- */

static void step_plain(struct pop3_session *s, struct exchange *x, struct response *r)
{
	if (r->octets == NULL) {
		sasl_challenge(s, "", 0);
		return;
	}
	(void)x;
	const char *end = r->octets + r->length;
	const char *authzid = r->octets;
	const char *authcid = authzid + strlen(authzid) + 1;
	const char *password = authcid < end ? authcid + strlen(authcid) + 1 : end;
	bool whole = password < end && password + strlen(password) == end;
	if (!whole || !is_name(authcid) || (*authzid != '\0' && !is_name(authzid)))
		sasl_fail(s);
	else
		sasl_authenticate(s, authcid, password, authzid);
}

/* ---- LOGIN: the name, then the password. It never became a standard. ---- */

static void take_name(struct pop3_session *s, struct exchange *x, const struct response *r)
{
	static const char prompt[] = "Password:";
	if (!is_text(r) || !is_name(r->octets)) {
		sasl_fail(s);
		return;
	}
	x->user = strdup(r->octets);
	if (x->user == NULL)
		session_terminate(s, POP3_REASON_ERROR);
	else
		sasl_challenge(s, prompt, sizeof prompt - 1);
}

/* Some clients send the name with AUTH. */
static void step_login(struct pop3_session *s, struct exchange *x, struct response *r)
{
	static const char prompt[] = "Username:";
	if (r->octets == NULL)
		sasl_challenge(s, prompt, sizeof prompt - 1);
	else if (x->user == NULL)
		take_name(s, x, r);
	else if (!is_text(r) || r->length == 0)
		sasl_fail(s);
	else
		sasl_authenticate(s, x->user, r->octets, NULL);
}

/* ---- CRAM-MD5 (RFC 2195): a challenge; name, blank, digest ---- */

/* It needs what APOP needs, and is offered where that is. */
static bool cram_is_available(struct pop3_session *s)
{
	return s->challenge != NULL;
}

/* "<random@hostname>", other for each exchange. */
static bool make_challenge(struct pop3_session *s, struct exchange *x)
{
	unsigned char random[APOP_RANDOM_OCTETS];
	char value[APOP_RANDOM_OCTETS + 1];
	s->context->random(random, sizeof random);
	apop_random_value(random, value);
	return apop_challenge(value, s->settings->hostname, x->challenge) == 0;
}

static void send_challenge(struct pop3_session *s, struct exchange *x)
{
	if (make_challenge(s, x)) {
		sasl_challenge(s, x->challenge, strlen(x->challenge));
		return;
	}
	context_emit_error(s->context, s, "the host name cannot be in a challenge");
	sasl_fini(s);
	reply_failure(s, POP3_PERMANENT, NULL);
}

static void step_cram(struct pop3_session *s, struct exchange *x, struct response *r)
{
	bool first = x->step == 0;
	if (first && r->octets == NULL) {
		send_challenge(s, x);
		return;
	}
	/* RFC 5034 section 4: what comes before the challenge cannot be an answer to it. */
	char *blank = first || !is_text(r) ? NULL : strrchr(r->octets, ' ');
	if (blank != NULL)
		*blank = '\0';
	if (blank == NULL || !is_name(r->octets) || blank[1] == '\0')
		sasl_fail(s);
	else
		sasl_authenticate(s, r->octets, blank + 1, NULL);
}

/* ---- The table ---- */

static bool is_always_available(struct pop3_session *s)
{
	(void)s;
	return true;
}

/* In the order in which they are announced. */
static const struct mechanism mechanisms[] = {
	{"CRAM-MD5", cram_is_available, step_cram},
	{"PLAIN", is_always_available, step_plain},
	{"LOGIN", is_always_available, step_login},
};

#define MECHANISM_COUNT (sizeof mechanisms / sizeof *mechanisms)

const struct mechanism *mechanism_find(const char *name)
{
	for (size_t i = 0; i < MECHANISM_COUNT; i++) {
		if (strcmp(mechanisms[i].name, name) == 0)
			return &mechanisms[i];
	}
	return NULL;
}

void mechanism_add_available(struct pop3_session *s, struct pop3_capabilities *list)
{
	if (!session_hears(s, EVENT_AUTHENTICATE))
		return;
	for (size_t i = 0; i < MECHANISM_COUNT; i++) {
		if (mechanisms[i].available(s))
			pop3_mechanism_add(list, mechanisms[i].name);
	}
}
