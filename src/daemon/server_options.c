/* Seconds become milliseconds; all else has the same meaning on both sides. */
#include "daemon/server_options.h"

#include <string.h>

#define MILLISECONDS 1000u

/* The words of the setting, in their order. */
static const char *const languages[] = {"en", "de", "fr"};

static enum pop3_utf8 utf8_mode(const struct options *options)
{
	if (options->utf8 == OPTION_UTF8_OFF)
		return POP3_UTF8_OFF;
	return options->utf8_user ? POP3_UTF8_USER : POP3_UTF8_ON;
}

/* The names of the i-th certificate's files. "-" stands for no staple. */
static struct pop3_certificate certificate_at(const struct options *options, size_t i)
{
	const char *ocsp = i < options->ocsp.count ? options->ocsp.items[i] : NULL;
	return (struct pop3_certificate){
		.cert = options->cert.items[i],
		.key = options->key.items[i],
		.ocsp = ocsp == NULL || strcmp(ocsp, "-") == 0 ? NULL : ocsp,
	};
}

static void set_tls(const struct options *options, struct server_settings *settings)
{
	struct pop3_options *o = &settings->options;
	o->require_tls = (enum pop3_require_tls)options->require_tls;
	o->tls.client_certificate = (enum pop3_client_certificate)options->client_certificate;
	o->tls.client_ca = options->client_ca;
	o->tls.alpn_required = options->alpn == OPTION_ALPN_REQUIRED;
	o->proxy.networks = (const char *const *)options->proxy.items;
	o->proxy.count = options->proxy.count;
	o->proxy.tls = options->proxy_tls;
	if (options->cert.count == 0)
		return;
	struct pop3_certificate first = certificate_at(options, 0);
	o->cert = first.cert;
	o->key = first.key;
	o->tls.ocsp = first.ocsp;
	o->tls.more = settings->more;
	o->tls.more_count = options->cert.count - 1;
	for (size_t i = 1; i < options->cert.count; i++)
		settings->more[i - 1] = certificate_at(options, i);
}

void server_options(const struct options *options, bool apop, const struct log_sink *log,
		    struct server_settings *settings)
{
	*settings = (struct server_settings){
		.options = {
			.size = sizeof(struct pop3_options),
			.log = log->write,
			.log_data = log->data,
			.debug = options->debug,
			.apop = apop ? POP3_APOP_RANDOM : POP3_APOP_OFF,
			.timeouts =
				{
					.handshake = options->handshake_timeout * MILLISECONDS,
					.login = options->login_timeout * MILLISECONDS,
					.idle = options->idle_timeout * MILLISECONDS,
					.write = options->write_timeout * MILLISECONDS,
					.answer = options->answer_timeout * MILLISECONDS,
				},
			.limits =
				{
					.connections = options->max_connections,
					.connections_per_address =
						options->max_connections_per_address,
					.connections_per_user = options->max_connections_per_user,
					.failed_logins = options->max_failed_logins,
					.bad_commands = options->max_bad_commands,
					.on_loopback = options->limits_on_loopback,
				},
			.utf8 = utf8_mode(options),
			.language = languages[options->language],
		}};
	set_tls(options, settings);
}

struct maildrop_options store_options(const struct options *options)
{
	struct maildrop_options store = {
		.mark_seen = options->mark_seen,
		.index_directory = options->index_dir,
		.strict_utf8 = options->utf8 == OPTION_UTF8_STRICT,
		.uidl = {.format = (enum uidl_format)options->uidl_format}};
	/* The check of the setting has seen to its length. */
	memcpy(store.uidl.pattern, options->dovecot_uidl_format,
	       strlen(options->dovecot_uidl_format) + 1);
	return store;
}
