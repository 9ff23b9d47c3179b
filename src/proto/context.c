/* See context.h. */
#include "proto/context.h"

#include <errno.h>

#include "proto/limits.h"
#include "proto/state.h"

int context_init(struct context *c, const char *hostname, const struct pop3_options *options,
		 void (*random)(void *octets, size_t length), void (*wake)(void *data), void *data)
{
	*c = (struct context){.random = random, .data = data};
	int error = settings_new(hostname, options, &c->settings);
	if (error < 0)
		return error;
	c->port = port_new(wake, data);
	if (c->port == NULL) {
		settings_unref(c->settings);
		return -ENOMEM;
	}
	emitter_init(&c->emitter);
	pool_init(&c->blocks, BLOCK_SIZE, BLOCKS_SPARE);
	return 0;
}

void context_fini(struct context *c)
{
	port_close(c->port);
	emitter_fini(&c->emitter);
	settings_unref(c->settings);
	tally_fini(&c->users);
	pool_fini(&c->blocks);
}

int context_configure(struct context *c, const struct pop3_options *options)
{
	struct settings *settings;
	int error = settings_new(c->settings->hostname, options, &settings);
	if (error < 0)
		return error;
	settings_unref(c->settings);
	c->settings = settings;
	return 0;
}

void context_collect(struct context *c, uint64_t now)
{
	struct deferral *d = port_take(c->port);
	while (d != NULL) {
		struct pop3_session *s = d->origin;
		s->now = now;
		session_answered(s, d);
		if (c->answered != NULL)
			c->answered(s, c->data);
		d = port_take(c->port);
	}
}

void context_emit_listening(struct context *c, const char *address, uint16_t port, bool tls)
{
	struct pop3_listening event = {.address = address, .port = port, .tls = tls};
	event_emit(EVENT_LISTENING, NULL, &c->emitter, &event);
}

void context_emit_error(struct context *c, struct pop3_session *s, const char *text)
{
	context_emit_wrong_size(c, s, 0, text);
}

void context_emit_wrong_size(struct context *c, struct pop3_session *s, uint32_t message,
			     const char *text)
{
	struct pop3_error event = {.text = text, .message = message};
	if (s != NULL)
		event.event = session_event(s);
	if (event_emit(EVENT_ERROR, s == NULL ? NULL : &s->emitter, &c->emitter, &event) > 0)
		return;
	const struct log_sink *log = s == NULL ? &c->settings->log : &s->settings->log;
	if (s == NULL)
		LOG(log, POP3_LOG_ERROR, "error", LOG_TEXT("text", text));
	else
		LOG(log, POP3_LOG_ERROR, "error", LOG_NUMBER("session", s->id),
		    LOG_TEXT("text", text));
}
