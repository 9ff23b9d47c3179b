/* See settings.h. */
#include "proto/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct pop3_timeouts default_timeouts = {
	.handshake = 10000, .login = 60000, .idle = 600000, .write = 60000, .answer = 60000};
static const struct pop3_limits default_limits = {.connections = 10000,
						  .connections_per_address = 50,
						  .connections_per_user = 10,
						  .failed_logins = 3,
						  .bad_commands = 10};

static void set_default(uint32_t *value, uint32_t standard)
{
	if (*value == 0)
		*value = standard;
}

static void fill_in(struct pop3_options *o)
{
	set_default(&o->timeouts.handshake, default_timeouts.handshake);
	set_default(&o->timeouts.login, default_timeouts.login);
	set_default(&o->timeouts.idle, default_timeouts.idle);
	set_default(&o->timeouts.write, default_timeouts.write);
	set_default(&o->timeouts.answer, default_timeouts.answer);
	set_default(&o->limits.connections, default_limits.connections);
	set_default(&o->limits.connections_per_address, default_limits.connections_per_address);
	set_default(&o->limits.connections_per_user, default_limits.connections_per_user);
	set_default(&o->limits.failed_logins, default_limits.failed_logins);
	set_default(&o->limits.bad_commands, default_limits.bad_commands);
	if (o->log == NULL) {
		o->log = log_to_stderr;
		o->log_data = NULL;
	}
}

static bool has_valid_utf8(const struct pop3_options *o)
{
	return o->utf8 == POP3_UTF8_ON || o->utf8 == POP3_UTF8_USER || o->utf8 == POP3_UTF8_OFF;
}

/* The language for a tag, NULL: the one that sessions begin with. */
static bool choose_language(const char *tag, enum language *language)
{
	*language = LANGUAGE_DEFAULT;
	return tag == NULL || language_find(tag, language);
}

static bool is_valid(const struct pop3_options *o)
{
	enum language language;
	if ((unsigned)o->require_tls > POP3_TLS_NEVER || !has_valid_utf8(o) ||
	    !choose_language(o->language, &language))
		return false;
	switch (o->apop) {
	case POP3_APOP_RANDOM:
	case POP3_APOP_OFF:
		return true;
	case POP3_APOP_FIXED:
		return o->apop_value != NULL;
	case POP3_APOP_FUNCTION:
		return o->apop_function != NULL;
	}
	return false;
}

int settings_read(const struct pop3_options *given, struct pop3_options *all)
{
	*all = (struct pop3_options){.size = sizeof *all};
	if (given != NULL) {
		if (given->size == 0 || given->size > sizeof *all)
			return -EINVAL;
		memcpy(all, given, given->size);
	}
	if (!is_valid(all))
		return -EINVAL;
	fill_in(all);
	return 0;
}

int settings_new(const char *hostname, const struct pop3_options *options,
		 struct settings **settings)
{
	struct pop3_options all;
	int error = settings_read(options, &all);
	if (error < 0)
		return error;
	/* Of the caller: whoever needs them has used them by now. */
	all.cert = NULL;
	all.key = NULL;
	all.tls = (struct pop3_tls){0};
	all.proxy = (struct pop3_proxy){.tls = all.proxy.tls};

	struct settings *s = calloc(1, sizeof *s);
	if (s == NULL)
		return -ENOMEM;
	s->references = 1;
	s->options = all;
	choose_language(all.language, &s->language);
	s->options.language = NULL; /* the caller's, and no longer needed */
	s->log = (struct log_sink){all.log, all.log_data};
	s->hostname = strdup(hostname);
	s->options.apop_value = all.apop_value == NULL ? NULL : strdup(all.apop_value);
	if (s->hostname == NULL || (all.apop_value != NULL && s->options.apop_value == NULL)) {
		settings_unref(s);
		return -ENOMEM;
	}
	*settings = s;
	return 0;
}

struct settings *settings_ref(struct settings *s)
{
	s->references++;
	return s;
}

void settings_unref(struct settings *s)
{
	if (s == NULL || --s->references > 0)
		return;
	/* Ours, whatever the public type says of it. */
	free((void *)(uintptr_t)s->options.apop_value);
	free(s->hostname);
	free(s);
}
