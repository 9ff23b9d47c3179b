/*
 * The options of a server: checked and loaded whole before any of them counts, so that a bad one
 * leaves everything as it was.
 */
#include "net/configure.h"

#include <errno.h>
#include <string.h>

#include "net/server.h"
#include "net/tls_config.h"

static const char invalid[] = "options: size, apop or require_tls is none of its values";

int pop3_options_check(const struct pop3_options *options,
		       void (*problem)(const char *text, bool fatal, void *data), void *data)
{
	const struct tls_report report = {problem, data};
	struct tls_config *config = NULL;
	struct pop3_options all;
	int error = settings_read(options, &all);
	if (error == 0)
		error = tls_config_new(&all, NULL, &report, &config);
	else if (problem != NULL)
		problem(invalid, true, data);
	if (error == 0)
		tls_config_unref(config);
	return error;
}

static void log_problem(const char *text, bool fatal, void *data)
{
	const struct pop3_options *o = data;
	const struct log_sink log = {o->log, o->log_data};
	LOG(&log, fatal ? POP3_LOG_ERROR : POP3_LOG_WARNING, "tls", LOG_TEXT("text", text));
}

/* Listeners that begin with TLS cannot do without; what they are called for has no other. */
static int load(const struct pop3_server *s, struct pop3_options *all, struct tls_config **config)
{
	const struct tls_report report = {log_problem, all};
	int error = tls_config_new(all, s->tls, &report, config);
	if (error < 0 || *config != NULL || s->tls_listeners == 0)
		return error;
	log_problem("cert and key: an address with implicit TLS needs them", true, all);
	return -EINVAL;
}

int server_load_tls(struct pop3_server *s, const struct pop3_options *options,
		    struct tls_config **config)
{
	struct pop3_options all;
	int error = settings_read(options, &all);
	if (error < 0) {
		all.log = all.log == NULL ? log_to_stderr : all.log;
		log_problem(invalid, true, &all);
		return error;
	}
	if (!all.tls.keep || s->tls == NULL)
		return load(s, &all, config);
	*config = tls_config_ref(s->tls);
	return 0;
}

int pop3_server_configure(struct pop3_server *s, const struct pop3_options *options)
{
	struct tls_config *config;
	int error = server_load_tls(s, options, &config);
	if (error < 0)
		return error;
	error = context_configure(&s->context, options);
	if (error < 0) {
		tls_config_unref(config);
		return error;
	}
	tls_config_unref(s->tls);
	s->tls = config;
	return 0;
}
