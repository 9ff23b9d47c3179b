/*
 * The exchanges of RFC 5802 section 5 and RFC 7677 section 3, octet by octet. What a server makes
 * up is put in place of what libgsasl would take: its nonce; and for SHA-1, of which the program
 * keeps no secrets, the salt with what follows from it.
 */
#include <dlfcn.h>
#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "auth/scram.h"
#include "auth/scram_server.h"
#include "base/base64.h"
#include "unit/suite.h"

#define FOR_LIBGSASL __attribute__((visibility("default")))

int gsasl_base64_to(const char *in, size_t length, char **out, size_t *out_length) FOR_LIBGSASL;
int gsasl_property_set(Gsasl_session *, Gsasl_property, const char *) FOR_LIBGSASL;

struct vector {
	const char *mechanism, *users, *server_nonce;
	const char *salt; /* NULL: that of the secret */
	const char *client_first, *server_first, *client_final, *server_final;
};

static const struct vector vectors[] = {
	{.mechanism = "SCRAM-SHA-1",
	 .users = "user:{PLAIN}pencil\n",
	 .server_nonce = "3rfcNHYJY1ZVvWVs7j",
	 .salt = "QSXCR+Q6sek8bf92",
	 .client_first = "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
	 .server_first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
	 .client_final = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
			 "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
	 .server_final = "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
	{.mechanism = "SCRAM-SHA-256",
	 .users = "user:{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
		  "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		  "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n",
	 .server_nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	 .client_first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	 .server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
			 "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	 .client_final = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
			 "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	 .server_final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
};

/* ---- In place of libgsasl's ---- */

static const char *next_nonce;         /* what the next encoding gives; NULL = the usual */
static const struct vector *in_effect; /* whose salt is shown; NULL = the usual */

typedef int property_set(Gsasl_session *, Gsasl_property, const char *);

/* A server's nonce is base64 of random octets; nothing else is encoded when it begins. */
int gsasl_base64_to(const char *in, size_t length, char **out, size_t *out_length)
{
	*out = next_nonce != NULL ? strdup(next_nonce) : malloc(BASE64_SIZE(length));
	if (*out == NULL)
		return GSASL_MALLOC_ERROR;
	if (next_nonce == NULL)
		base64_encode(in, length, *out);
	if (out_length != NULL)
		*out_length = strlen(*out);
	return GSASL_OK;
}

static void vector_key(const struct vector *v, bool is_stored, char text[64])
{
	struct scram_secret secret = {.iterations = 4096};
	CU_ASSERT(base64_decode(v->salt, strlen(v->salt), secret.salt, sizeof secret.salt,
				&secret.salt_length));
	CU_ASSERT_EQUAL(scram_derive_sha1("pencil", 6, &secret), 0);
	base64_encode(is_stored ? secret.stored_key : secret.server_key, SCRAM_SHA1_KEY_SIZE, text);
}

int gsasl_property_set(Gsasl_session *session, Gsasl_property property, const char *value)
{
	void *symbol = dlsym(RTLD_NEXT, "gsasl_property_set");
	property_set *original;
	char key[64];
	memcpy(&original, &symbol, sizeof original);
	bool is_key = property == GSASL_SCRAM_STOREDKEY || property == GSASL_SCRAM_SERVERKEY;
	if (in_effect != NULL && property == GSASL_SCRAM_ITER)
		value = "4096";
	if (in_effect != NULL && property == GSASL_SCRAM_SALT)
		value = in_effect->salt;
	if (in_effect != NULL && is_key) {
		vector_key(in_effect, property == GSASL_SCRAM_STOREDKEY, key);
		value = key;
	}
	return original(session, property, value);
}

/* ---- The exchanges ---- */

static struct scram_server *begin(struct scram_service *service, const struct vector *v)
{
	next_nonce = v->server_nonce;
	struct scram_server *server = scram_server_new(service, v->mechanism, NULL, 0);
	next_nonce = NULL;
	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	return server;
}

static void expect_step(struct scram_server *server, const struct passwd *passwd, const char *said,
			enum scram_result result, const char *answer)
{
	char *reply = NULL;
	size_t length = 0;
	CU_ASSERT_EQUAL_FATAL(
		scram_server_step(server, passwd, false, said, strlen(said), &reply, &length),
		result);
	CU_ASSERT_STRING_EQUAL(reply, answer);
	CU_ASSERT_EQUAL(length, strlen(answer));
	free(reply);
}

static void exchanges_are_those_of_the_rfcs(void)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		const struct vector *v = &vectors[i];
		struct passwd_error error;
		struct passwd *passwd;
		CU_ASSERT_EQUAL_FATAL(passwd_parse(v->users, strlen(v->users), &error, &passwd), 0);
		struct scram_service *service = scram_service_new();
		struct scram_server *server = begin(service, v);
		in_effect = v->salt == NULL ? NULL : v;
		expect_step(server, passwd, v->client_first, SCRAM_CONTINUES, v->server_first);
		expect_step(server, passwd, v->client_final, SCRAM_PROVEN, v->server_final);
		in_effect = NULL;
		CU_ASSERT_STRING_EQUAL(scram_server_user(server), "user");
		scram_server_free(server);
		scram_service_free(service);
		passwd_unref(passwd);
		test_count(1);
	}
}

static const struct test tests[] = {
	TEST(exchanges_are_those_of_the_rfcs),
	TEST_END,
};

const struct test_suite suite_scram_vectors = {"scram_vectors", tests};
