/* See tls_config.h. */
#include "net/tls_config.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "net/tls_priorities.h"
#include "net/tls_private.h"

/* In bits and certificates: what a client may make us verify. */
#define CLIENT_KEY_MAX   8192
#define CLIENT_CHAIN_MAX 8

/* ---- Client certificates ---- */

/* Called in the handshake when the client has sent a certificate. */
static int verify_client(gnutls_session_t session)
{
	gnutls_typed_vdata_st data = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
				      .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
	unsigned status = 0;
	int error = gnutls_certificate_verify_peers(session, &data, 1, &status);
	return error < 0 || status != 0 ? GNUTLS_E_CERTIFICATE_ERROR : 0;
}

/* The same where it may send none, which is asked about, too. */
static int verify_if_any(gnutls_session_t session)
{
	unsigned count = 0;
	return gnutls_certificate_get_peers(session, &count) == NULL ? 0 : verify_client(session);
}

static int set_client_certificate(struct tls_config *c, const struct pop3_tls *tls,
				  const struct tls_report *report)
{
	static const gnutls_certificate_request_t requests[] = {
		[POP3_CERTIFICATE_NONE] = GNUTLS_CERT_IGNORE,
		[POP3_CERTIFICATE_OPTIONAL] = GNUTLS_CERT_REQUEST,
		[POP3_CERTIFICATE_REQUIRED] = GNUTLS_CERT_REQUIRE,
	};
	if ((unsigned)tls->client_certificate >= sizeof requests / sizeof *requests) {
		tls_report(report, true, "client_certificate: is none, optional or required");
		return -EINVAL;
	}
	c->client_certificate = requests[tls->client_certificate];
	if (tls->client_certificate == POP3_CERTIFICATE_NONE)
		return 0;
	if (tls->client_ca == NULL) {
		tls_report(report, true, "client_certificate: needs client_ca");
		return -EINVAL;
	}
	gnutls_certificate_set_verify_function(c->credentials,
					       tls->client_certificate == POP3_CERTIFICATE_REQUIRED
						       ? verify_client
						       : verify_if_any);
	gnutls_certificate_set_verify_limits(c->credentials, CLIENT_KEY_MAX, CLIENT_CHAIN_MAX);
	return tls_load_client_ca(c->credentials, tls->client_ca, report);
}

/* ---- Tickets (RFC 8446 section 4.6.1, RFC 5077) ---- */

static int set_ticket_key(struct tls_config *c, const struct tls_config *before,
			  const struct tls_report *report)
{
	gnutls_datum_t key;
	if (before != NULL && c->client_certificate == GNUTLS_CERT_IGNORE &&
	    before->client_certificate == GNUTLS_CERT_IGNORE) {
		memcpy(c->ticket_key, before->ticket_key, sizeof c->ticket_key);
		return 0;
	}
	int error = gnutls_session_ticket_key_generate(&key);
	if (error < 0)
		return tls_report_error(report, "ticket key", error);
	int result = key.size == sizeof c->ticket_key ? 0 : -EINVAL;
	if (result == 0)
		memcpy(c->ticket_key, key.data, sizeof c->ticket_key);
	else
		tls_report(report, true, "ticket key: has another size than it should");
	secret_wipe(key.data, key.size);
	gnutls_free(key.data);
	return result;
}

/* ---- The generation ---- */

/* All pairs are looked at, so that one run tells all that is wrong. */
static int load_certificates(struct tls_config *c, const struct pop3_options *o,
			     const struct tls_report *report)
{
	const struct pop3_certificate first = {o->cert, o->key, o->tls.ocsp};
	int result = tls_load_certificate(c->credentials, &first, report);
	for (size_t i = 0; i < o->tls.more_count; i++) {
		int next = tls_load_certificate(c->credentials, &o->tls.more[i], report);
		if (result == 0)
			result = next;
	}
	return result;
}

static int allocate(struct tls_config *c, const struct tls_report *report)
{
	int error = gnutls_certificate_allocate_credentials(&c->credentials);
	if (error < 0)
		return tls_report_error(report, "TLS", error);
	gnutls_certificate_set_flags(c->credentials, GNUTLS_CERTIFICATE_API_V2);
	error = gnutls_priority_init(&c->priorities, TLS_PRIORITIES, NULL);
	return error < 0 ? tls_report_error(report, "TLS priorities", error) : 0;
}

static int fill(struct tls_config *c, const struct pop3_options *o, const struct tls_config *before,
		const struct tls_report *report)
{
	int result = allocate(c, report);
	if (result < 0)
		return result;
	result = load_certificates(c, o, report);
	int second = set_client_certificate(c, &o->tls, report);
	if (result == 0)
		result = second;
	c->alpn_required = o->tls.alpn_required;
	return result < 0 ? result : set_ticket_key(c, before, report);
}

/* Whatever needs a certificate, with none to be had. */
static int check_bare(const struct pop3_options *o, const struct tls_report *report)
{
	const char *what = NULL;
	if (o->tls.more_count > 0)
		what = "more certificates: need a first one in cert and key";
	else if (o->tls.ocsp != NULL)
		what = "ocsp: needs cert and key";
	else if (o->tls.client_certificate != POP3_CERTIFICATE_NONE)
		what = "client_certificate: needs cert and key";
	else if (o->require_tls == POP3_TLS_ALWAYS && !(o->proxy.tls && o->proxy.count > 0))
		what = "require_tls: needs cert and key, or a proxy whose TLS is believed, or "
		       "nobody "
		       "could log in";
	if (what == NULL)
		return 0;
	tls_report(report, true, "%s", what);
	return -EINVAL;
}

int tls_config_new(const struct pop3_options *o, const struct tls_config *before,
		   const struct tls_report *report, struct tls_config **config)
{
	if (o->cert == NULL && o->key == NULL) {
		int result = check_bare(o, report);
		if (result == 0)
			*config = NULL;
		return result;
	}
	struct tls_config *c = calloc(1, sizeof *c);
	if (c == NULL) {
		tls_report(report, true, "TLS: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	c->references = 1;
	int result = fill(c, o, before, report);
	if (result < 0)
		tls_config_unref(c);
	else
		*config = c;
	return result;
}

struct tls_config *tls_config_ref(struct tls_config *c)
{
	if (c != NULL)
		c->references++;
	return c;
}

void tls_config_unref(struct tls_config *c)
{
	if (c == NULL || --c->references > 0)
		return;
	if (c->credentials != NULL)
		gnutls_certificate_free_credentials(c->credentials);
	if (c->priorities != NULL)
		gnutls_priority_deinit(c->priorities);
	secret_wipe(c->ticket_key, sizeof c->ticket_key);
	free(c);
}
