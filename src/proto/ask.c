/*
 * Asking the listeners. An answer given in the handler is acted on as soon as the emission is over;
 * a deferred one when it comes back through the port. A deferral whose time is up stays in
 * `deferrals` until its answer comes, because `closed` must not be emitted before.
 */
#include "base/list.h"
#include "proto/state.h"

struct pop3_event session_event(struct pop3_session *s)
{
	return (struct pop3_event){.id = s->id, .info = &s->info, .data = s->data};
}

bool session_hears(struct pop3_session *s, enum event_kind kind)
{
	return event_has_handler(kind, &s->emitter, &s->context->emitter);
}

void session_notify(struct pop3_session *s, enum event_kind kind, struct pop3_event *event)
{
	event_emit(kind, &s->emitter, &s->context->emitter, event);
}

bool session_ask(struct pop3_session *s, enum event_kind kind, struct pop3_event *event,
		 answer_function *then)
{
	struct answer answer = {0};
	struct pop3_request request;
	request_init(&request, event_request_type(kind), &answer, s->context->port, s);
	event->request = &request;
	event_emit(kind, &s->emitter, &s->context->emitter, event);
	if (request.state != REQUEST_DEFERRED) {
		then(s, &answer);
		event_request_type(kind)->release(&answer);
		return answer.given;
	}
	s->pending = request.deferral;
	s->then = then;
	s->answer_by = s->now + s->settings->options.timeouts.answer;
	list_insert(&s->deferrals, &s->pending->place);
	return true;
}

/* An answer that the client will not hear of: only what it has done in the maildrop matters. */
static void honour_late(struct pop3_session *s, struct deferral *d)
{
	const struct answer *answer = deferral_answer(d);
	if (answer->result != POP3_OK)
		return;
	if (event_is(d, EVENT_SASL) && answer->source.kind != SOURCE_NONE)
		sasl_abort(s);
	if (event_is(d, EVENT_OPEN))
		s->opened = true;
	if (event_is(d, EVENT_QUIT))
		session_count_deleted(s, answer->remaining);
}

void session_answered(struct pop3_session *s, struct deferral *d)
{
	list_remove(&d->place);
	bool awaited = d == s->pending && !s->ended;
	if (d == s->pending)
		s->pending = NULL;
	if (awaited) {
		s->idle_since = s->now;
		s->then(s, deferral_answer(d));
	} else {
		honour_late(s, d);
	}
	deferral_free(d);
	transfer_run(s);
	session_try_finish(s);
}

void session_expire(struct pop3_session *s)
{
	struct answer late = {.given = true, .result = POP3_TEMPORARY};
	/*
	 * After a login that is late the session cannot go on: a second one might succeed, and what
	 * the first still does would then seem to be done for it.
	 */
	if (event_is(s->pending, EVENT_AUTHENTICATE) || event_is(s->pending, EVENT_SASL) ||
	    event_is(s->pending, EVENT_OPEN))
		session_close(s, POP3_REASON_TIMEOUT);
	context_emit_error(s->context, s, "a deferred event was not answered in time");
	s->pending = NULL;
	s->idle_since = s->now;
	s->then(s, &late);
	transfer_run(s);
}

void session_abandon(struct pop3_session *s)
{
	s->pending = NULL;
	while (!list_empty(&s->deferrals)) {
		struct deferral *d = list_entry(s->deferrals.next, struct deferral, place);
		list_remove(&d->place);
		if (!deferral_abandon(d))
			continue;
		honour_late(s, d);
		deferral_free(d);
	}
}
