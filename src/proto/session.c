/*
 * The life of a session: octets in, octets out, deadlines, the end. What commands do is in
 * authorization.c and transaction.c.
 */
#include "proto/session.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/secret.h"
#include "proto/apop.h"
#include "proto/state.h"

/* Ids are never used twice in a process, whatever number of servers is in it. */
static _Atomic uint64_t last_id;

/* ---- The begin ---- */

static void greet(struct pop3_session *s)
{
	s->greeted = true;
	s->idle_since = s->now;
	if (s->challenge == NULL)
		reply_ok(s, TEXT_READY);
	else
		reply(s, "+OK %s %s", session_text(s, TEXT_READY), s->challenge);
}

static void on_connected(struct pop3_session *s, struct answer *answer)
{
	if (!answer->given || answer->result == POP3_OK) {
		greet(s);
		return;
	}
	if (answer->result == POP3_TEMPORARY)
		reply_failure(s, answer->result, answer->text);
	else if (!answer->close)
		reply(s, "-ERR %s", answer->text);
	session_close(s, POP3_REASON_REFUSED);
}

int pop3_session_set_apop(struct pop3_session *s, const char *value)
{
	char challenge[POP3_CHALLENGE_SIZE];
	char *copy = NULL;
	if (value != NULL) {
		int error = apop_challenge(value, s->settings->hostname, challenge);
		if (error < 0)
			return error;
		copy = strdup(challenge);
		if (copy == NULL)
			return -ENOMEM;
	}
	free(s->challenge);
	s->challenge = copy;
	return 0;
}

/* The challenge by the options; a value that cannot be one is the application's mistake. */
static void set_standard_apop(struct pop3_session *s)
{
	const struct pop3_options *o = &s->settings->options;
	unsigned char random[APOP_RANDOM_OCTETS];
	char value[POP3_CHALLENGE_SIZE] = "";
	const char *chosen = value;

	switch (o->apop) {
	case POP3_APOP_OFF:
		return;
	case POP3_APOP_RANDOM:
		s->context->random(random, sizeof random);
		apop_random_value(random, value);
		break;
	case POP3_APOP_FIXED:
		chosen = o->apop_value;
		break;
	case POP3_APOP_FUNCTION:
		if (!o->apop_function(&s->info, value, sizeof value, o->apop_data))
			return;
		break;
	}
	int error = pop3_session_set_apop(s, chosen);
	if (error == -EINVAL)
		context_emit_error(s->context, s, "the APOP value is not usable");
	else if (error < 0)
		context_emit_error(s->context, s, "no memory for the APOP challenge");
}

void session_connect(struct pop3_session *s)
{
	set_standard_apop(s);
	struct pop3_connected event = {session_event(s), s, s->descriptor};
	session_ask(s, EVENT_CONNECTED, &event.event, on_connected);
}

void session_identify(struct pop3_session *s, const struct pop3_info *info)
{
	s->info = *info;
	session_forget_client(s);
}

struct pop3_session *session_new(struct context *c, const struct pop3_info *info, int descriptor,
				 void *owner, uint64_t now)
{
	struct pop3_session *s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	s->context = c;
	s->settings = settings_ref(c->settings);
	s->owner = owner;
	s->descriptor = descriptor;
	s->id = ++last_id;
	session_identify(s, info);
	s->now = now;
	s->started = now;
	s->idle_since = now;
	emitter_init(&s->emitter);
	list_init(&s->deferrals);
	return s;
}

void session_begin(struct pop3_session *s, bool tls_first, uint64_t now)
{
	s->now = now;
	s->begun = true;
	if (tls_first)
		session_start_tls(s);
	else
		session_connect(s);
}

void session_refuse(struct pop3_session *s, const char *why, bool silent)
{
	s->begun = true;
	session_note_fault(s, why);
	if (!silent)
		reply_failure(s, POP3_TEMPORARY, why);
	session_close(s, POP3_REASON_REFUSED);
}

/* ---- The end ---- */

void session_close(struct pop3_session *s, enum pop3_reason reason)
{
	if (!s->has_reason)
		s->reason = reason;
	s->has_reason = true;
	s->closing = true;
}

void session_terminate(struct pop3_session *s, enum pop3_reason reason)
{
	session_close(s, reason);
	s->ended = true;
	transfer_abort(s);
	output_discard(s);
	line_fini(&s->line);
	sasl_fini(s);
}

static void emit_closed(struct pop3_session *s)
{
	struct pop3_closed event = {.event = session_event(s),
				    .user = s->user,
				    .reason = s->reason,
				    .messages = s->messages,
				    .octets = s->octets,
				    .deleted = s->deleted,
				    .duration = s->now - s->started};
	session_notify(s, EVENT_CLOSED, &event.event);
}

/* What TLS and an error add is there only if there is something to say. The cipher: RFC 8314
 * section 4. */
static void log_closed(struct pop3_session *s)
{
	const struct pop3_field fields[] = {
		LOG_NUMBER("session", s->id),
		LOG_TEXT("user", s->state == POP3_AUTHORIZATION ? "" : s->user),
		LOG_TEXT("peer", s->info.peer),
		LOG_NUMBER("messages", s->messages),
		LOG_NUMBER("octets", s->octets),
		LOG_NUMBER("deleted", s->deleted),
		LOG_TEXT("reason", pop3_reason_name(s->reason)),
		LOG_NUMBER("milliseconds", s->now - s->started),
	};
	const size_t usual = sizeof fields / sizeof *fields;
	struct pop3_field all[sizeof fields / sizeof *fields + 3];
	size_t count = usual;
	memcpy(all, fields, sizeof fields);
	if (s->info.tls)
		all[count++] = (struct pop3_field)LOG_TEXT("tls", s->info.tls_version);
	if (s->info.tls && s->info.tls_cipher[0] != '\0')
		all[count++] = (struct pop3_field)LOG_TEXT("cipher", s->info.tls_cipher);
	if (s->fault != NULL)
		all[count++] = (struct pop3_field)LOG_TEXT("error", s->fault);
	log_write(&s->settings->log, POP3_LOG_INFO, "closed", all, count);
}

void session_uncount(struct pop3_session *s)
{
	if (s->counted)
		tally_remove(&s->context->users, s->user);
	s->counted = false;
}

void session_try_finish(struct pop3_session *s)
{
	if (!s->ended || s->finished || s->transfer.loading || !list_empty(&s->deferrals))
		return;
	s->finished = true;
	if (s->opened)
		emit_closed(s);
	log_closed(s);
	session_uncount(s);
	pop3_session_set_data(s, NULL, NULL);
}

void pop3_session_end(struct pop3_session *s, enum pop3_reason reason, uint64_t now)
{
	s->now = now;
	if (reason == POP3_REASON_DROPPED && !s->ended && !pop3_session_wants(s).close) {
		s->at_end = true;
		line_fini(&s->line);
		return;
	}
	session_terminate(s, s->at_end ? POP3_REASON_DROPPED : reason);
	session_try_finish(s);
}

void session_drain(struct pop3_session *s, uint64_t now)
{
	s->now = now;
	s->draining = true;
	if (s->pending == NULL && s->transfer.kind == TRANSFER_NONE)
		session_close(s, POP3_REASON_SHUTDOWN);
}

void pop3_session_free(struct pop3_session *s)
{
	if (s == NULL)
		return;
	if (!s->finished) {
		s->transfer.loading = false;
		session_terminate(s, POP3_REASON_SHUTDOWN);
		session_abandon(s);
		session_try_finish(s);
	}
	emitter_fini(&s->emitter);
	view_fini(&s->view);
	secret_free(s->challenge);
	free(s->user);
	settings_unref(s->settings);
	free(s);
}

/* ---- Octets in ---- */

/* May another command be taken up? */
static bool is_ready(const struct pop3_session *s)
{
	return s->greeted && !s->to_secure && s->pending == NULL &&
	       s->transfer.kind == TRANSFER_NONE && !s->throttled && !s->closing && !s->draining &&
	       !s->at_end;
}

/* Where a response is expected, all else ends the exchange. */
static void take_whole(struct pop3_session *s, char *text)
{
	if (s->exchange != NULL)
		sasl_respond(s, text);
	else
		command_execute(s, text);
}

static enum line_rule line_rule(const struct pop3_session *s)
{
	if (s->exchange != NULL)
		return LINES_LONG;
	return s->state == POP3_AUTHORIZATION ? LINES_LONG_AUTH : LINES_SHORT;
}

/* A request of HTTP is often longer than any command. */
static bool is_foreign(struct pop3_session *s, enum line_status status, const char *text)
{
	bool http = status == LINE_WHOLE && session_hears_http(text);
	if (http)
		session_note_fault(s, "speaks HTTP");
	else if (status == LINE_TOO_LONG)
		session_note_fault(s, "the first line is too long");
	return http || status == LINE_TOO_LONG;
}

static void take_line(struct pop3_session *s, enum line_status status, char *text)
{
	bool first = !s->spoken;
	s->spoken = true;
	s->idle_since = s->now;
	if (first && is_foreign(s, status, text)) {
		session_terminate(s, POP3_REASON_REFUSED);
		return;
	}
	switch (status) {
	case LINE_WHOLE:
		take_whole(s, text);
		break;
	case LINE_TOO_LONG:
		sasl_refuse(s, "response is too long");
		s->user_given = false;
		reply_bad_command(s, TEXT_LINE_TOO_LONG);
		break;
	case LINE_CONTROL:
		sasl_refuse(s, "response has control characters");
		s->user_given = false;
		reply_bad_command(s, TEXT_CONTROL_CHARACTERS);
		break;
	case LINE_NO_MEMORY:
		session_terminate(s, POP3_REASON_ERROR);
		break;
	case LINE_NONE:
		break;
	}
}

size_t pop3_session_feed(struct pop3_session *s, const void *octets, size_t length, uint64_t now)
{
	const char *next = octets;
	size_t left = length;
	char text[LINE_LONG_MAX + 1];
	bool secret = session_is_secret(s);
	s->now = now;

	if (s->to_secure && length > 0)
		session_refuse_injection(s);
	while (is_ready(s)) {
		enum line_status status = line_next(&s->line, line_rule(s), &next, &left, text);
		if (status == LINE_NONE)
			break;
		s->behind = left;
		take_line(s, status, text);
		transfer_run(s);
	}
	if (secret)
		secret_wipe(text, sizeof text);
	/* After the last command nothing is read any more, but it is taken, so that it does not
	 * stay. */
	return s->closing ? length : length - left;
}

/* ---- Octets out ---- */

const void *pop3_session_output(struct pop3_session *s, size_t *length)
{
	*length = s->output.length;
	return s->output.block == NULL ? "" : s->output.block + s->output.start;
}

void pop3_session_sent(struct pop3_session *s, size_t length, uint64_t now)
{
	struct output *o = &s->output;
	s->now = now;
	if (length == 0)
		return;
	s->progress = now;
	o->start += length;
	o->length -= length;
	if (o->length <= OUTPUT_HIGH / 2)
		s->throttled = false;
	if (o->length == 0) {
		s->idle_since = now;
		if (s->transfer.kind == TRANSFER_NONE)
			output_discard(s);
	}
	transfer_run(s);
}

size_t pop3_session_pull(struct pop3_session *s, void *buffer, size_t size, uint64_t now)
{
	size_t length;
	const void *octets = pop3_session_output(s, &length);
	if (length > size)
		length = size;
	memcpy(buffer, octets, length);
	pop3_session_sent(s, length, now);
	return length;
}

/* ---- What it waits for ---- */

static uint64_t handshake_deadline(const struct pop3_session *s)
{
	if (!s->begun)
		return s->started + s->settings->options.timeouts.handshake;
	return s->to_secure ? s->secure_by : POP3_NO_DEADLINE;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t login_deadline(const struct pop3_session *s)
{
	bool logged_in = s->state != POP3_AUTHORIZATION;
	return logged_in ? POP3_NO_DEADLINE : s->started + s->settings->options.timeouts.login;
}

static uint64_t write_deadline(const struct pop3_session *s)
{
	if (s->output.length == 0)
		return POP3_NO_DEADLINE;
	return s->progress + s->settings->options.timeouts.write;
}

/* Only while nothing is pending or queued (RFC 1939 section 3). */
static uint64_t idle_deadline(const struct pop3_session *s)
{
	if (s->pending != NULL || s->transfer.kind != TRANSFER_NONE || s->output.length > 0)
		return POP3_NO_DEADLINE;
	return s->idle_since + s->settings->options.timeouts.idle;
}

static uint64_t deadline(const struct pop3_session *s)
{
	if (s->ended)
		return POP3_NO_DEADLINE;
	uint64_t first = s->pending == NULL ? POP3_NO_DEADLINE : s->answer_by;
	first = earlier(first, handshake_deadline(s));
	first = earlier(first, login_deadline(s));
	first = earlier(first, write_deadline(s));
	return earlier(first, idle_deadline(s));
}

struct pop3_wants pop3_session_wants(const struct pop3_session *s)
{
	bool quiet =
		s->pending == NULL && s->transfer.kind == TRANSFER_NONE && s->output.length == 0;
	bool over = s->closing || s->at_end;
	return (struct pop3_wants){
		.read = is_ready(s),
		.write = s->output.length > 0,
		.load = transfer_wants_load(s),
		.start_tls = s->to_secure && quiet && !over,
		.close = s->ended || (over && quiet),
		.finished = s->finished,
		.deadline = deadline(s),
	};
}

void pop3_session_tick(struct pop3_session *s, uint64_t now)
{
	context_collect(s->context, now);
	s->now = now;
	if (s->ended)
		return;
	if (s->pending != NULL && now >= s->answer_by)
		session_expire(s);
	if (now >= handshake_deadline(s))
		session_note_fault(s, s->begun ? "the TLS handshake took too long"
					       : "the PROXY header took too long");
	if (now >= handshake_deadline(s) || now >= login_deadline(s) || now >= write_deadline(s) ||
	    now >= idle_deadline(s)) {
		session_terminate(s, POP3_REASON_TIMEOUT);
		session_try_finish(s);
	}
}

/* ---- Small things ---- */

void *session_owner(const struct pop3_session *s)
{
	return s->owner;
}

bool session_is_secret(const struct pop3_session *s)
{
	return s->state == POP3_AUTHORIZATION;
}

int pop3_session_attach(struct pop3_session *s, struct pop3_listener *l)
{
	return emitter_attach(&s->emitter, l);
}

void pop3_detach(struct pop3_listener *l)
{
	emitter_detach(l);
}

void pop3_session_set_data(struct pop3_session *s, void *data, void (*release)(void *data))
{
	void *old = s->data;
	void (*release_old)(void *data) = s->release_data;
	s->data = data;
	s->release_data = release;
	if (release_old != NULL)
		release_old(old);
}

const char *pop3_reason_name(enum pop3_reason reason)
{
	static const char *const names[] = {"quit",  "dropped",  "timeout", "lost", "refused",
					    "error", "shutdown", "tls",     "limit"};
	return names[reason];
}

void session_log_refused(struct context *c, const struct pop3_info *info, const char *why)
{
	LOG(&c->settings->log, POP3_LOG_WARNING, "refused", LOG_TEXT("peer", info->peer),
	    LOG_TEXT("local", info->local), LOG_TEXT("why", why));
}
