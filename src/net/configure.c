/*
 * The options of a server: checked and loaded whole before any of them counts, so that a bad one
 * leaves everything as it was.
 */
#include "net/configure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/proxies.h"
#include "net/server.h"
#include "net/tls_config.h"

static const char invalid[] = "options: size, apop or require_tls is none of its values";

/* Room for a problem's text. */
#define TEXT_SIZE 256

static int load_proxies(const struct pop3_options *all, const struct tls_report *report,
			struct proxies **proxies)
{
	char text[TEXT_SIZE];
	const char *wrong;
	int error = proxies_new(all, proxies, &wrong);
	if (error == -EINVAL && report->problem != NULL) {
		snprintf(text, sizeof text, "proxy: %s is no network", wrong);
		report->problem(text, true, report->data);
	}
	return error;
}

/* All problems are told, of proxies also where TLS has some. */
static int check(const struct pop3_options *all, const struct tls_report *report)
{
	struct tls_config *config = NULL;
	struct proxies *proxies = NULL;
	int first = tls_config_new(all, NULL, report, &config);
	int second = load_proxies(all, report, &proxies);
	tls_config_unref(config);
	proxies_free(proxies);
	return first < 0 ? first : second;
}

int pop3_options_check(const struct pop3_options *options,
		       void (*problem)(const char *text, bool fatal, void *data), void *data)
{
	const struct tls_report report = {problem, data};
	struct pop3_options all;
	int error = settings_read(options, &all);
	if (error == 0)
		return check(&all, &report);
	if (problem != NULL)
		problem(invalid, true, data);
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

int server_load_proxies(const struct pop3_options *options, struct proxies **proxies)
{
	struct pop3_options all;
	const struct tls_report report = {log_problem, &all};
	int error = settings_read(options, &all);
	return error < 0 ? error : load_proxies(&all, &report, proxies);
}

int pop3_server_configure(struct pop3_server *s, const struct pop3_options *options)
{
	struct tls_config *config = NULL;
	struct proxies *proxies = NULL;
	int error = server_load_tls(s, options, &config);
	if (error == 0)
		error = server_load_proxies(options, &proxies);
	if (error == 0)
		error = context_configure(&s->context, options);
	if (error < 0) {
		tls_config_unref(config);
		proxies_free(proxies);
		return error;
	}
	tls_config_unref(s->tls);
	proxies_free(s->proxies);
	s->tls = config;
	s->proxies = proxies;
	return 0;
}
