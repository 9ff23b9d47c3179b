/* Certificates, client certificates and tickets: what is loaded, what is said of what is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/tls_peer.h"

#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

/* ---- Files ---- */

static char folder[32];

static void make_folder(void)
{
	memcpy(folder, "/tmp/pop3-unit-XXXXXX", sizeof "/tmp/pop3-unit-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static const char *path_of(const char *name, char path[64])
{
	snprintf(path, 64, "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	char path[64];
	int file = open(path_of(name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CU_ASSERT_EQUAL(write(file, text, strlen(text)), (ssize_t)strlen(text));
	close(file);
}

static void remove_file(const char *name)
{
	char path[64];
	CU_ASSERT_EQUAL(unlink(path_of(name, path)), 0);
}

/* Loading fails with `result` and one message, which begins with `place` and holds `text`. */
static void expect_problem(struct tls_peer *p, int result, const char *place, const char *text)
{
	p->problems = 0;
	CU_ASSERT_EQUAL(tls_peer_configure(p), result);
	CU_ASSERT_EQUAL(p->problems, 1);
	if (strncmp(p->problem, place, strlen(place)) != 0 || strstr(p->problem, text) == NULL)
		printf("%s\n", p->problem);
	CU_ASSERT_EQUAL(strncmp(p->problem, place, strlen(place)), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(p->problem, text));
	CU_ASSERT_PTR_NULL(p->config);
}

static void pair_is_read_from_files_as_from_memory(void)
{
	struct tls_peer p;
	char cert[64], key[64];
	make_folder();
	write_file("cert.pem", cert_server()->cert);
	write_file("key.pem", cert_server()->key);
	tls_peer_init(&p);
	p.options.cert = path_of("cert.pem", cert);
	p.options.key = path_of("key.pem", key);
	p.name = "test.example";
	tls_peer_connect(&p);
	CU_ASSERT(tls_peer_shake(&p));
	tls_peer_fini(&p);
	remove_file("cert.pem");
	remove_file("key.pem");
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void whatever_is_wrong_with_a_file_is_said_with_its_name(void)
{
	struct tls_peer p;
	char cert[64], key[64], bad[64], other[64];
	make_folder();
	write_file("cert.pem", cert_server()->cert);
	write_file("key.pem", cert_server()->key);
	write_file("bad.pem", "no PEM at all\n");
	write_file("other.pem", cert_other()->key);
	path_of("bad.pem", bad);
	path_of("other.pem", other);
	tls_peer_init(&p);
	const char *good = p.options.cert = path_of("cert.pem", cert);
	const char *good_key = p.options.key = path_of("key.pem", key);

	p.options.cert = "/nowhere/cert.pem";
	expect_problem(&p, -ENOENT, "/nowhere/cert.pem: ", "No such file");
	p.options.cert = bad;
	expect_problem(&p, -EINVAL, bad, "holds no PEM certificate");
	p.options.cert = good;
	p.options.key = bad;
	expect_problem(&p, -EINVAL, bad, "holds no PEM key");
	p.options.key = other;
	expect_problem(&p, -EINVAL, other, "is not the key of the certificate in ");
	p.options.key = folder;
	expect_problem(&p, -EISDIR, folder, "Is a directory");
	p.options.key = NULL;
	expect_problem(&p, -EINVAL, "cert: ", "needs a key");
	p.options.key = good_key;
	p.options.tls.ocsp = bad;
	expect_problem(&p, -EINVAL, bad, "holds no OCSP response");
	p.options.tls.ocsp = NULL;
	p.options.tls.client_certificate = POP3_CERTIFICATE_OPTIONAL;
	expect_problem(&p, -EINVAL, "client_certificate: ", "needs client_ca");
	p.options.tls.client_ca = bad;
	expect_problem(&p, -EINVAL, bad, "");
	test_count(9);

	tls_peer_fini(&p);
	remove_file("cert.pem");
	remove_file("key.pem");
	remove_file("bad.pem");
	remove_file("other.pem");
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

/* No priority of ours has a signature for it. Those that are allowed fail for another reason. */
static void keys_that_no_client_could_use_are_refused(void)
{
	static const struct {
		gnutls_pk_algorithm_t kind;
		unsigned bits;
		const char *text;
	} keys[] = {
		{GNUTLS_PK_EDDSA_ED448, 456, "is for RSA, ECDSA P-256 or P-384, or Ed25519"},
		{GNUTLS_PK_RSA_PSS, 2048, "is for RSA, ECDSA P-256 or P-384, or Ed25519"},
		{GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1),
		 "is for RSA, ECDSA P-256 or P-384, or Ed25519"},
		{GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1),
		 "is not the key of the certificate"},
		{GNUTLS_PK_EDDSA_ED25519, 256, "is not the key of the certificate"},
		{GNUTLS_PK_RSA, 2048, "is not the key of the certificate"},
	};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct tls_peer p;
		gnutls_x509_privkey_t key;
		gnutls_datum_t data;
		gnutls_x509_privkey_init(&key);
		CU_ASSERT_EQUAL(gnutls_x509_privkey_generate(key, keys[i].kind, keys[i].bits, 0),
				0);
		CU_ASSERT_EQUAL(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
								  GNUTLS_PKCS_PLAIN, &data),
				0);
		tls_peer_init(&p);
		p.options.key = (const char *)data.data;
		expect_problem(&p, -EINVAL, "key (in memory): ", keys[i].text);
		tls_peer_fini(&p);
		gnutls_free(data.data);
		gnutls_x509_privkey_deinit(key);
	}
	test_count(sizeof keys / sizeof *keys);
}

/* The end of the text is what is wrong. */
static void a_long_path_leaves_room_for_what_is_wrong(void)
{
	struct tls_peer p;
	char path[700];
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	tls_peer_init(&p);
	p.options.cert = path;
	expect_problem(&p, -ENAMETOOLONG, "xxxx", "xxx: File name too long");
	tls_peer_fini(&p);
}

static void what_needs_a_certificate_is_refused_without_one(void)
{
	struct tls_peer p;
	tls_peer_init(&p);
	p.options.cert = p.options.key = NULL;
	CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
	CU_ASSERT_PTR_NULL(p.config);
	p.options.require_tls = POP3_TLS_ALWAYS;
	expect_problem(&p, -EINVAL, "require_tls: ", "needs cert and key");
	p.options.require_tls = POP3_TLS_REMOTE;
	p.options.tls.client_certificate = POP3_CERTIFICATE_REQUIRED;
	expect_problem(&p, -EINVAL, "client_certificate: ", "needs cert and key");
	tls_peer_fini(&p);
}

static void an_expired_certificate_is_a_warning(void)
{
	struct tls_peer p;
	struct cert_pair old = cert_make(&(struct cert_wish){.name = "old", .expired = true});
	tls_peer_init(&p);
	p.options.cert = old.cert;
	p.options.key = old.key;
	CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
	CU_ASSERT_EQUAL(p.problems, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(p.problem, "the certificate expired at 20"));
	tls_peer_fini(&p);
	cert_free(&old);
}

/* ---- Several certificates ---- */

static bool shakes(struct tls_peer *p, const char *name, const char *priorities)
{
	p->name = name;
	p->priorities = priorities;
	tls_peer_reconnect(p);
	return tls_peer_shake(p);
}

/* The client checks the name, so a handshake that succeeds has had the right one. */
static void certificate_is_chosen_by_the_name_asked_for(void)
{
	struct tls_peer p;
	const struct pop3_certificate more[] = {{cert_other()->cert, cert_other()->key, NULL}};
	tls_peer_init(&p);
	p.options.tls.more = more;
	p.options.tls.more_count = 1;
	CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
	CU_ASSERT(shakes(&p, "test.example", TLS12));
	CU_ASSERT(shakes(&p, "other.example", TLS12));
	CU_ASSERT(shakes(&p, "test.example", TLS13));
	CU_ASSERT(shakes(&p, "other.example", TLS13));
	CU_ASSERT_FALSE(shakes(&p, "nobody.example", TLS13));
	tls_peer_fini(&p);
}

static void certificate_is_chosen_by_what_the_client_can_verify(void)
{
	struct tls_peer p;
	struct cert_pair rsa = cert_make(&(struct cert_wish){.name = "test.example", .rsa = true});
	const struct pop3_certificate more[] = {{rsa.cert, rsa.key, NULL}};
	tls_peer_init(&p);
	p.options.tls.more = more;
	p.options.tls.more_count = 1;
	CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
	CU_ASSERT(shakes(&p, "test.example", TLS12 ":-KX-ALL:+ECDHE-RSA"));
	CU_ASSERT(shakes(&p, "test.example", TLS12 ":-KX-ALL:+ECDHE-ECDSA"));
	/* The CA's own signature is ECDSA: only the server's is restricted. */
	CU_ASSERT(shakes(&p, "test.example",
			 TLS13 ":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-ECDSA-SHA256"));
	tls_peer_fini(&p);
	cert_free(&rsa);
}

/* ---- Client certificates ---- */

/* The identity that a client with this certificate has; NULL: refused. */
static const char *identity(struct tls_peer *p, const struct cert_pair *certificate,
			    const char *priorities)
{
	static struct pop3_info info;
	char octet;
	p->certificate = certificate;
	p->priorities = priorities;
	tls_peer_reconnect(p);
	/* In TLS 1.3 a client believes in its handshake before the server does. */
	if (!tls_peer_shake(p) || tls_read(p->tls, &octet, 1) != -EAGAIN)
		return NULL;
	memset(&info, 'x', sizeof info);
	tls_describe(p->tls, &info);
	return info.certificate;
}

static void client_certificates_are_verified_and_name_their_client(void)
{
	static const char *const versions[] = {TLS12, TLS13};
	struct cert_pair mail = cert_make(
		&(struct cert_wish){.name = "Alice", .mail = "alice@test.example", .client = true});
	struct cert_pair common = cert_make(&(struct cert_wish){.name = "bob", .client = true});
	struct cert_pair expired =
		cert_make(&(struct cert_wish){.name = "bob", .client = true, .expired = true});
	for (size_t i = 0; i < 2; i++) {
		struct tls_peer p;
		tls_peer_init(&p);
		p.options.tls.client_ca = cert_ca();
		p.options.tls.client_certificate = POP3_CERTIFICATE_OPTIONAL;
		CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
		CU_ASSERT_STRING_EQUAL(identity(&p, &mail, versions[i]), "alice@test.example");
		CU_ASSERT_STRING_EQUAL(identity(&p, &common, versions[i]), "bob");
		CU_ASSERT_STRING_EQUAL(identity(&p, NULL, versions[i]), "");
		CU_ASSERT_PTR_NULL(identity(&p, &expired, versions[i]));
		/* For servers, not for clients. */
		CU_ASSERT_PTR_NULL(identity(&p, cert_other(), versions[i]));
		tls_config_unref(p.config);
		p.config = NULL;
		p.options.tls.client_certificate = POP3_CERTIFICATE_REQUIRED;
		CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
		CU_ASSERT_STRING_EQUAL(identity(&p, &mail, versions[i]), "alice@test.example");
		CU_ASSERT_PTR_NULL(identity(&p, NULL, versions[i]));
		tls_peer_fini(&p);
	}
	test_count(14);
	cert_free(&mail);
	cert_free(&common);
	cert_free(&expired);
}

static void no_client_certificate_is_asked_for_unless_that_is_set(void)
{
	static const char *const versions[] = {TLS12, TLS13};
	for (size_t i = 0; i < 2; i++) {
		struct tls_peer p;
		tls_peer_init(&p);
		CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
		CU_ASSERT_STRING_EQUAL(identity(&p, cert_other(), versions[i]), "");
		CU_ASSERT_EQUAL(gnutls_certificate_client_get_request_status(p.client), 0);
		tls_peer_fini(&p);
	}
}

/* Trusted by nobody: a CA that is not ours has signed it, here itself. */
static void a_client_certificate_of_a_foreign_ca_is_refused(void)
{
	struct tls_peer p;
	struct cert_pair mail = cert_make(&(struct cert_wish){.name = "Alice", .client = true});
	tls_peer_init(&p);
	p.options.tls.client_ca = cert_server()->cert;
	p.options.tls.client_certificate = POP3_CERTIFICATE_OPTIONAL;
	CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
	CU_ASSERT_PTR_NULL(identity(&p, &mail, TLS13));
	CU_ASSERT_PTR_NULL(identity(&p, &mail, TLS12));
	tls_peer_fini(&p);
	cert_free(&mail);
}

/* ---- Tickets ---- */

static void keep_ticket(struct tls_peer *p)
{
	/* In TLS 1.3 it comes after the handshake. */
	char octets[8];
	for (int i = 0; i < 4; i++)
		gnutls_record_recv(p->client, octets, sizeof octets);
	gnutls_free(p->session.data);
	CU_ASSERT_EQUAL(gnutls_session_get_data2(p->client, &p->session), 0);
}

static void tickets_resume_within_a_process_and_not_after_it(void)
{
	static const char *const versions[] = {TLS12, TLS13};
	for (size_t i = 0; i < 2; i++) {
		struct tls_peer p;
		const struct tls_report report = {NULL, NULL};
		struct tls_config *next;
		tls_peer_init(&p);
		CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
		CU_ASSERT(shakes(&p, "test.example", versions[i]));
		keep_ticket(&p);
		CU_ASSERT(shakes(&p, "test.example", versions[i]));
		CU_ASSERT(gnutls_session_is_resumed(p.client));

		/* After a reload. */
		CU_ASSERT_EQUAL(tls_config_new(&p.options, p.config, &report, &next), 0);
		tls_config_unref(p.config);
		p.config = next;
		CU_ASSERT(shakes(&p, "test.example", versions[i]));
		CU_ASSERT(gnutls_session_is_resumed(p.client));

		/* After a restart. */
		CU_ASSERT_EQUAL(tls_config_new(&p.options, NULL, &report, &next), 0);
		tls_config_unref(p.config);
		p.config = next;
		CU_ASSERT(shakes(&p, "test.example", versions[i]));
		CU_ASSERT_FALSE(gnutls_session_is_resumed(p.client));
		tls_peer_fini(&p);
	}
	test_count(6);
}

/* RFC 7301 section 3.2: what was agreed on before counts for nothing. */
static void a_ticket_does_not_bring_its_protocol(void)
{
	static const char *const versions[] = {TLS12, TLS13};
	for (size_t i = 0; i < 2; i++) {
		struct tls_peer p;
		tls_peer_init(&p);
		p.options.tls.alpn_required = true;
		p.alpn[0] = "pop3";
		CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
		CU_ASSERT(shakes(&p, "test.example", versions[i]));
		keep_ticket(&p);
		CU_ASSERT(shakes(&p, "test.example", versions[i]));
		CU_ASSERT(gnutls_session_is_resumed(p.client));
		p.alpn[0] = "h2";
		CU_ASSERT_FALSE(shakes(&p, "test.example", versions[i]));
		p.alpn[0] = NULL;
		CU_ASSERT_FALSE(shakes(&p, "test.example", versions[i]));
		tls_peer_fini(&p);
		test_count(3);
	}
}

/* Whom a former CA has vouched for must not come back by a ticket. */
static void a_reload_that_asks_for_client_certificates_forgets_tickets(void)
{
	struct tls_peer p;
	const struct tls_report report = {NULL, NULL};
	struct cert_pair mail = cert_make(&(struct cert_wish){.name = "Alice", .client = true});
	struct tls_config *next;
	tls_peer_init(&p);
	p.certificate = &mail;
	p.options.tls.client_ca = cert_ca();
	p.options.tls.client_certificate = POP3_CERTIFICATE_OPTIONAL;
	CU_ASSERT_EQUAL(tls_peer_configure(&p), 0);
	CU_ASSERT(shakes(&p, "test.example", TLS13));
	keep_ticket(&p);
	CU_ASSERT_STRING_EQUAL(identity(&p, &mail, TLS13), "Alice");
	CU_ASSERT(gnutls_session_is_resumed(p.client));

	p.options.tls.client_ca = cert_server()->cert;
	CU_ASSERT_EQUAL(tls_config_new(&p.options, p.config, &report, &next), 0);
	tls_config_unref(p.config);
	p.config = next;
	CU_ASSERT_PTR_NULL(identity(&p, &mail, TLS13));
	tls_peer_fini(&p);
	cert_free(&mail);
}

const struct test_suite suite_tls_config = {
	.name = "tls_config",
	.tests =
		(const struct test[]){
			TEST(pair_is_read_from_files_as_from_memory),
			TEST(whatever_is_wrong_with_a_file_is_said_with_its_name),
			TEST(keys_that_no_client_could_use_are_refused),
			TEST(a_long_path_leaves_room_for_what_is_wrong),
			TEST(what_needs_a_certificate_is_refused_without_one),
			TEST(an_expired_certificate_is_a_warning),
			TEST(certificate_is_chosen_by_the_name_asked_for),
			TEST(certificate_is_chosen_by_what_the_client_can_verify),
			TEST(client_certificates_are_verified_and_name_their_client),
			TEST(no_client_certificate_is_asked_for_unless_that_is_set),
			TEST(a_client_certificate_of_a_foreign_ca_is_refused),
			TEST(tickets_resume_within_a_process_and_not_after_it),
			TEST(a_ticket_does_not_bring_its_protocol),
			TEST(a_reload_that_asks_for_client_certificates_forgets_tickets),
			TEST_END,
		},
};
