/* See admission.h. */
#include "net/admission.h"

#include <stdio.h>
#include <string.h>

#include "net/connection.h"
#include "net/limits.h"
#include "net/listener.h"
#include "net/server.h"

/* ---- Complaints ---- */

/* True: log it, together with *held others that were not logged. */
static bool is_due(struct complaint *c, uint64_t now, uint64_t *held)
{
	if (now < c->next) {
		c->held++;
		return false;
	}
	*held = c->held;
	c->held = 0;
	c->next = now + COMPLAINT_PAUSE;
	return true;
}

static void add_count(char *text, size_t size, uint64_t held)
{
	size_t length = strlen(text);
	if (held > 0)
		snprintf(text + length, size - length, " (and %llu times more before)",
			 (unsigned long long)held);
}

static void refuse(struct pop3_server *s, const struct pop3_info *info, const char *why)
{
	char text[128];
	uint64_t held;
	if (!is_due(&s->admission.refusals, s->now, &held))
		return;
	snprintf(text, sizeof text, "%s", why);
	add_count(text, sizeof text, held);
	session_log_refused(&s->context, info, text);
}

/* ---- Limits ---- */

const char *admission_identify(struct pop3_server *s, const struct address *client,
			       const struct pop3_info *info, struct admission_ticket *ticket)
{
	const struct pop3_limits *limits = &s->context.settings->options.limits;
	char name[ADDRESS_KEY_SIZE];

	*ticket = (struct admission_ticket){.key = address_key(client)};
	if (!limits->on_loopback && info->loopback)
		return NULL;
	address_key_name(ticket->key, name);
	if (tally_count(&s->admission.addresses, name) >= limits->connections_per_address)
		return "too many connections from this address";
	if (tally_add(&s->admission.addresses, name) < 0)
		return "out of memory";
	ticket->keyed = true;
	return NULL;
}

static void uncount_address(struct admission *a, const struct admission_ticket *ticket)
{
	char name[ADDRESS_KEY_SIZE];
	if (!ticket->keyed)
		return;
	address_key_name(ticket->key, name);
	tally_remove(&a->addresses, name);
}

/* The address first: who has too many connections already must not cost another one its place. */
bool admission_enter(struct pop3_server *s, const struct address *peer,
		     const struct pop3_info *info, struct admission_ticket *ticket)
{
	struct admission *a = &s->admission;
	const struct pop3_limits *limits = &s->context.settings->options.limits;
	const char *fault = NULL;

	*ticket = (struct admission_ticket){0};
	if (peer != NULL)
		fault = admission_identify(s, peer, info, ticket);
	if (fault != NULL) {
		refuse(s, info, fault);
		return false;
	}
	if (a->sockets >= limits->connections && !admission_evict(s)) {
		uncount_address(a, ticket);
		refuse(s, info, "too many connections");
		return false;
	}
	a->sockets++;
	return true;
}

bool admission_evict(struct pop3_server *s)
{
	if (list_empty(&s->strangers))
		return false;
	struct connection *oldest = list_entry(s->strangers.next, struct connection, stranger);
	if (s->now - oldest->since < EVICTION_AGE)
		return false;
	connection_end(oldest, POP3_REASON_LIMIT);
	return true;
}

void admission_leave(struct pop3_server *s, const struct admission_ticket *ticket)
{
	uncount_address(&s->admission, ticket);
	s->admission.sockets--;
	admission_resume(s);
}

/* ---- Shortage ---- */

void admission_pause(struct pop3_server *s, const char *what, int error)
{
	struct admission *a = &s->admission;
	char text[192];
	uint64_t held;

	if (is_due(&a->failures, s->now, &held)) {
		snprintf(text, sizeof text, "cannot take a connection: %s: %s", what,
			 strerror(error));
		add_count(text, sizeof text, held);
		context_emit_error(&s->context, NULL, text);
	}
	if (!a->paused)
		listeners_pause(s);
	a->paused = true;
	timers_set(&s->timers, &a->pause_timer, s->now + ACCEPT_PAUSE);
}

void admission_resume(struct pop3_server *s)
{
	if (!s->admission.paused)
		return;
	s->admission.paused = false;
	timers_clear(&s->timers, &s->admission.pause_timer);
	if (!s->stopping)
		listeners_resume(s);
}

void admission_fini(struct admission *a)
{
	tally_fini(&a->addresses);
}
