/* See tls_certs.h. */
#include "unit/tls_certs.h"

#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY 86400

static struct {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	char *pem;
	struct cert_pair server, other;
} ca;

static void must(int result)
{
	if (result < 0)
		abort();
}

/* A copy of our own, so that free() is right for it. */
static char *text_of(gnutls_datum_t *data)
{
	char *text = strndup((const char *)data->data, data->size);
	gnutls_free(data->data);
	if (text == NULL)
		abort();
	return text;
}

static gnutls_x509_privkey_t make_key(bool rsa)
{
	gnutls_x509_privkey_t key;
	gnutls_pk_algorithm_t algorithm = rsa ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA;
	unsigned bits = rsa ? 2048 : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
	must(gnutls_x509_privkey_init(&key));
	must(gnutls_x509_privkey_generate(key, algorithm, bits, 0));
	return key;
}

static gnutls_x509_crt_t begin(gnutls_x509_privkey_t key, const char *name, time_t from,
			       time_t until)
{
	static unsigned char serial;
	gnutls_x509_crt_t crt;
	serial++;
	must(gnutls_x509_crt_init(&crt));
	must(gnutls_x509_crt_set_version(crt, 3));
	must(gnutls_x509_crt_set_serial(crt, &serial, sizeof serial));
	must(gnutls_x509_crt_set_activation_time(crt, from));
	must(gnutls_x509_crt_set_expiration_time(crt, until));
	if (name != NULL)
		must(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
						   (unsigned)strlen(name)));
	must(gnutls_x509_crt_set_key(crt, key));
	return crt;
}

static char *pem_of(gnutls_x509_crt_t crt)
{
	gnutls_datum_t data;
	must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &data));
	return text_of(&data);
}

static void free_ca(void)
{
	cert_free(&ca.server);
	cert_free(&ca.other);
	gnutls_x509_crt_deinit(ca.crt);
	gnutls_x509_privkey_deinit(ca.key);
	free(ca.pem);
}

static void need_ca(void)
{
	time_t now = time(NULL);
	if (ca.pem != NULL)
		return;
	ca.key = make_key(false);
	ca.crt = begin(ca.key, "Test CA", now - DAY, now + DAY);
	must(gnutls_x509_crt_set_basic_constraints(ca.crt, 1, -1));
	must(gnutls_x509_crt_set_key_usage(ca.crt, GNUTLS_KEY_KEY_CERT_SIGN));
	must(gnutls_x509_crt_sign2(ca.crt, ca.crt, ca.key, GNUTLS_DIG_SHA256, 0));
	ca.pem = pem_of(ca.crt);
	atexit(free_ca);
}

static void add_name(gnutls_x509_crt_t crt, const struct cert_wish *wish)
{
	gnutls_x509_subject_alt_name_t type =
		wish->mail != NULL ? GNUTLS_SAN_RFC822NAME : GNUTLS_SAN_DNSNAME;
	const char *name = wish->mail != NULL ? wish->mail : wish->name;
	must(gnutls_x509_crt_set_subject_alt_name(crt, type, name, (unsigned)strlen(name),
						  GNUTLS_FSAN_SET));
}

struct cert_pair cert_make(const struct cert_wish *wish)
{
	struct cert_pair pair;
	gnutls_datum_t data;
	time_t now = time(NULL);
	need_ca();
	gnutls_x509_privkey_t key = make_key(wish->rsa);
	gnutls_x509_crt_t crt =
		begin(key, wish->name, now - 2 * DAY, wish->expired ? now - DAY : now + DAY);
	if (wish->mail != NULL || !wish->client)
		add_name(crt, wish);
	must(gnutls_x509_crt_set_key_purpose_oid(
		crt, wish->client ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER, 0));
	must(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	must(gnutls_x509_crt_sign2(crt, ca.crt, ca.key, GNUTLS_DIG_SHA256, 0));
	pair.cert = pem_of(crt);
	must(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &data));
	pair.key = text_of(&data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return pair;
}

void cert_free(struct cert_pair *pair)
{
	free(pair->cert);
	free(pair->key);
	*pair = (struct cert_pair){NULL, NULL};
}

static const struct cert_pair *kept(struct cert_pair *pair, const char *name)
{
	need_ca();
	if (pair->cert == NULL)
		*pair = cert_make(&(struct cert_wish){.name = name});
	return pair;
}

const struct cert_pair *cert_server(void)
{
	return kept(&ca.server, "test.example");
}

const struct cert_pair *cert_other(void)
{
	return kept(&ca.other, "other.example");
}

const char *cert_ca(void)
{
	need_ca();
	return ca.pem;
}
