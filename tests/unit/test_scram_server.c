/*
 * The server's side of SCRAM against the client of libgsasl: right and wrong proofs, bindings and
 * downgrades, and what users are shown that do not exist. The keys are those of the RFCs' vectors.
 */
#include <gnutls/crypto.h>
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/scram.h"
#include "auth/scram_server.h"
#include "base/base64.h"
#include "unit/suite.h"

/* RFC 7677 section 3: user "user", password "pencil". */
#define STORED                                                                                     \
	"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"                                            \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"                                            \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const char users_stored[] = "user:" STORED "\nother:" STORED "\n";
static const char users_short[] = "user:{SCRAM-SHA-256}4096,QSXCR+Q6sek=,"
				  "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
				  "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n";
static const char users_plain[] = "user:{PLAIN}pencil\ngone:!{PLAIN}pencil\n"
				  "hash:$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/"
				  "GNooZaBBGWEc5\n";
static const unsigned char binding[32] = "0123456789abcdef0123456789abcde";

struct client {
	const char *user, *password, *authzid;
	const unsigned char *binding; /* 32 octets, or NULL */
	char shown[1024];             /* the first challenge */
};

static int on_client(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
	const struct client *c = gsasl_callback_hook_get(gsasl);
	char text[64];
	switch (property) {
	case GSASL_AUTHID:
		return gsasl_property_set(session, property, c->user);
	case GSASL_PASSWORD:
		return gsasl_property_set(session, property, c->password);
	case GSASL_AUTHZID:
		if (c->authzid == NULL)
			return GSASL_NO_CALLBACK;
		return gsasl_property_set(session, property, c->authzid);
	case GSASL_CB_TLS_EXPORTER:
		if (c->binding == NULL)
			return GSASL_NO_CALLBACK;
		base64_encode(c->binding, 32, text);
		return gsasl_property_set(session, property, text);
	default:
		return GSASL_NO_CALLBACK;
	}
}

/* Both sides, until one ends it. SCRAM_PROVEN: the client has checked the server's signature too.
 */
static enum scram_result talk(struct client *c, struct scram_server *server,
			      const struct passwd *passwd, Gsasl_session *session)
{
	enum scram_result result = SCRAM_CONTINUES;
	char *in = NULL, *out;
	size_t in_length = 0, out_length;
	for (int i = 0; i < 3 && result == SCRAM_CONTINUES; i++) {
		int step = gsasl_step(session, in, in_length, &out, &out_length);
		free(in);
		in = NULL;
		if (step != GSASL_NEEDS_MORE)
			return SCRAM_DENIED;
		result = scram_server_step(server, passwd, false, out, out_length, &in, &in_length);
		gsasl_free(out);
		if (i == 0 && in != NULL && in_length < sizeof c->shown)
			memcpy(c->shown, in, in_length + 1);
	}
	if (result == SCRAM_PROVEN) {
		CU_ASSERT_EQUAL(gsasl_step(session, in, in_length, &out, &out_length), GSASL_OK);
		gsasl_free(out);
	}
	free(in);
	return result;
}

static enum scram_result play(const char *users, const char *mechanism, struct client *c,
			      const unsigned char *server_binding)
{
	struct passwd_error error;
	struct passwd *passwd;
	Gsasl *gsasl;
	Gsasl_session *session;
	CU_ASSERT_EQUAL_FATAL(passwd_parse(users, strlen(users), &error, &passwd), 0);
	CU_ASSERT_EQUAL_FATAL(gsasl_init(&gsasl), GSASL_OK);
	gsasl_callback_set(gsasl, on_client);
	gsasl_callback_hook_set(gsasl, c);
	CU_ASSERT_EQUAL_FATAL(gsasl_client_start(gsasl, mechanism, &session), GSASL_OK);
	struct scram_service *service = scram_service_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(service);
	struct scram_server *server = scram_server_new(service, mechanism, server_binding, 32);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server);

	enum scram_result result = talk(c, server, passwd, session);
	if (result == SCRAM_PROVEN)
		CU_ASSERT_STRING_EQUAL(scram_server_user(server), c->user);
	scram_server_free(server);
	scram_service_free(service);
	gsasl_finish(session);
	gsasl_done(gsasl);
	passwd_unref(passwd);
	test_count(1);
	return result;
}

static void right_passwords_are_proven_and_wrong_ones_are_not(void)
{
	static const struct {
		const char *users, *mechanism, *user, *password;
		enum scram_result result;
	} cases[] = {
		{users_stored, "SCRAM-SHA-256", "user", "pencil", SCRAM_PROVEN},
		{users_stored, "SCRAM-SHA-256", "user", "pencil ", SCRAM_DENIED},
		{users_stored, "SCRAM-SHA-256", "nobody", "pencil", SCRAM_DENIED},
		{users_stored, "SCRAM-SHA-1", "user", "pencil", SCRAM_DENIED},
		{users_plain, "SCRAM-SHA-256", "user", "pencil", SCRAM_PROVEN},
		{users_plain, "SCRAM-SHA-1", "user", "pencil", SCRAM_PROVEN},
		{users_plain, "SCRAM-SHA-1", "user", "Pencil", SCRAM_DENIED},
		{users_plain, "SCRAM-SHA-1", "nobody", "pencil", SCRAM_DENIED},
		{users_plain, "SCRAM-SHA-256", "gone", "pencil", SCRAM_DENIED},
		{users_plain, "SCRAM-SHA-256", "hash", "Hello world!", SCRAM_DENIED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client c = {.user = cases[i].user, .password = cases[i].password};
		CU_ASSERT_EQUAL(play(cases[i].users, cases[i].mechanism, &c, NULL),
				cases[i].result);
	}
}

static void plus_needs_the_binding_of_this_connection(void)
{
	static const char *const mechanisms[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"};
	unsigned char other[32];
	memcpy(other, binding, sizeof other);
	other[31] ^= 1;
	for (size_t i = 0; i < 2; i++) {
		struct client c = {.user = "user", .password = "pencil", .binding = binding};
		CU_ASSERT_EQUAL(play(users_plain, mechanisms[i], &c, binding), SCRAM_PROVEN);
		CU_ASSERT_EQUAL(play(users_plain, mechanisms[i], &c, other), SCRAM_DENIED);
		CU_ASSERT_EQUAL(play(users_plain, mechanisms[i], &c, NULL), SCRAM_DENIED);
	}
}

/* One message of a client, as it stands. */
static enum scram_result first_step(const char *mechanism, const char *message,
				    const unsigned char *server_binding)
{
	struct passwd_error error;
	struct passwd *passwd;
	char *reply = NULL;
	size_t length;
	CU_ASSERT_EQUAL_FATAL(passwd_parse(users_plain, strlen(users_plain), &error, &passwd), 0);
	struct scram_service *service = scram_service_new();
	struct scram_server *server = scram_server_new(service, mechanism, server_binding, 32);
	enum scram_result result =
		scram_server_step(server, passwd, false, message, strlen(message), &reply, &length);
	if (result == SCRAM_CONTINUES)
		free(reply);
	scram_server_free(server);
	scram_service_free(service);
	passwd_unref(passwd);
	test_count(1);
	return result;
}

/* RFC 5802 section 6: "y" says that the client could bind and believes that the server cannot. */
static void a_downgrade_is_noticed(void)
{
	CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256", "y,,n=user,r=abcdef", binding), SCRAM_DENIED);
	CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256", "y,,n=user,r=abcdef", NULL), SCRAM_CONTINUES);
	CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256", "n,,n=user,r=abcdef", binding),
			SCRAM_CONTINUES);
	CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256-PLUS", "n,,n=user,r=abcdef", binding),
			SCRAM_DENIED);
	CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256-PLUS", "y,,n=user,r=abcdef", binding),
			SCRAM_DENIED);
	CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256-PLUS", "p=tls-unique,,n=user,r=abcdef", binding),
			SCRAM_DENIED);
}

/* RFC 5802 section 6: a binding of a kind that is not known, or under a name without -PLUS. */
static void a_binding_is_only_for_plus(void)
{
	static const char *const messages[] = {"p=tls-exporter,,n=user,r=abcdef",
					       "p=tls-unique,,n=user,r=abcdef",
					       "p=x,,n=user,r=abcdef"};
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256", messages[i], NULL), SCRAM_DENIED);
		CU_ASSERT_EQUAL(first_step("SCRAM-SHA-1", messages[i], binding), SCRAM_DENIED);
	}
	CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256-PLUS", messages[0], binding), SCRAM_CONTINUES);
	CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256-PLUS", messages[2], binding), SCRAM_DENIED);
}

static void malformed_messages_are_denied(void)
{
	CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256", "n,a=u=2C=3D,n=us=3Der,r=a=b", NULL),
			SCRAM_CONTINUES);
	static const char *const messages[] = {"",
					       "n",
					       "n,,",
					       "n,,n=user",
					       "n,,r=abcdef",
					       "n,,n=,r=abcdef",
					       "x,,n=user,r=abcdef",
					       "n,n=user,r=abcdef",
					       "n,,m=ext,n=user,r=abcdef",
					       "n,,n=us=er,r=abcdef",
					       "n,,n=us=,r=abcdef",
					       "n,a=us=2,n=user,r=abcdef"};
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
		CU_ASSERT_EQUAL(first_step("SCRAM-SHA-256", messages[i], NULL), SCRAM_DENIED);
}

/* ---- A client by hand, which knows the password ---- */

#define ITERATIONS 4096
#define SALT       "W22ZaJ0SNY7soEsUEjb6gQ=="

struct hand {
	const char *name;   /* of the user, as it is sent */
	const char *first;  /* attributes behind the first message's own */
	const char *bound;  /* the value of c=, which is "biws" for the header "n,," */
	const char *nonce;  /* what is put behind the server's nonce */
	const char *second; /* attributes before the proof */
};

/* RFC 5802 section 3: the client's key under HMAC(StoredKey, message). */
static void make_proof(const char *message, char text[BASE64_SIZE(32)])
{
	unsigned char salt[32], salted[32], key[32], stored[32], proof[32];
	size_t length;
	CU_ASSERT(base64_decode(SALT, strlen(SALT), salt, sizeof salt, &length));
	const gnutls_datum_t password = {(unsigned char *)"pencil", 6};
	const gnutls_datum_t salt_of = {salt, (unsigned)length};
	gnutls_pbkdf2(GNUTLS_MAC_SHA256, &password, &salt_of, ITERATIONS, salted, sizeof salted);
	gnutls_hmac_fast(GNUTLS_MAC_SHA256, salted, sizeof salted, "Client Key", 10, key);
	gnutls_hash_fast(GNUTLS_DIG_SHA256, key, sizeof key, stored);
	gnutls_hmac_fast(GNUTLS_MAC_SHA256, stored, sizeof stored, message, strlen(message), proof);
	for (size_t i = 0; i < sizeof proof; i++)
		proof[i] ^= key[i];
	base64_encode(proof, sizeof proof, text);
}

/* The whole exchange, with the right proof of whatever is said in it. */
static enum scram_result play_by_hand(const struct hand *h)
{
	struct passwd_error error;
	struct passwd *passwd;
	char bare[128], first[136], last[512], message[1024], proof[BASE64_SIZE(32)];
	char *shown = NULL, *reply = NULL;
	size_t length;
	CU_ASSERT_EQUAL_FATAL(passwd_parse(users_stored, strlen(users_stored), &error, &passwd), 0);
	struct scram_service *service = scram_service_new();
	struct scram_server *server = scram_server_new(service, "SCRAM-SHA-256", NULL, 0);

	snprintf(bare, sizeof bare, "n=%s,r=abcdef%s", h->name, h->first);
	snprintf(first, sizeof first, "n,,%s", bare);
	enum scram_result result =
		scram_server_step(server, passwd, false, first, strlen(first), &shown, &length);
	if (result == SCRAM_CONTINUES) {
		int nonce = (int)strcspn(shown, ",");
		int end = snprintf(last, sizeof last, "c=%s,%.*s%s%s", h->bound, nonce, shown,
				   h->nonce, h->second);
		snprintf(message, sizeof message, "%s,%s,%s", bare, shown, last);
		make_proof(message, proof);
		snprintf(last + end, sizeof last - (size_t)end, ",p=%s", proof);
		result = scram_server_step(server, passwd, false, last, strlen(last), &reply,
					   &length);
		if (result == SCRAM_PROVEN)
			CU_ASSERT_STRING_EQUAL(scram_server_user(server), "user");
	}
	if (result != SCRAM_DENIED)
		free(reply);
	free(shown);
	scram_server_free(server);
	scram_service_free(service);
	passwd_unref(passwd);
	test_count(1);
	return result;
}

static void a_proof_is_for_the_nonce_and_header_of_its_exchange(void)
{
	static const struct hand right = {"user", "", "biws", "", ""};
	struct hand h = right;
	CU_ASSERT_EQUAL(play_by_hand(&h), SCRAM_PROVEN);
	h.nonce = "x";
	CU_ASSERT_EQUAL(play_by_hand(&h), SCRAM_DENIED);
	h = right;
	h.bound = "eSws"; /* "y,,", which was not said */
	CU_ASSERT_EQUAL(play_by_hand(&h), SCRAM_DENIED);
	h.bound = "biwsAA=="; /* "n,," and data of a channel */
	CU_ASSERT_EQUAL(play_by_hand(&h), SCRAM_DENIED);
}

/* RFC 5802 section 5.1: those that are not known are ignored, "m" fails. */
static void unknown_extensions_are_ignored_and_mandatory_ones_fail(void)
{
	struct hand h = {"user", ",x=1,y=2", "biws", "", ",z=3"};
	CU_ASSERT_EQUAL(play_by_hand(&h), SCRAM_PROVEN);
	h.second = ",m=3";
	CU_ASSERT_EQUAL(play_by_hand(&h), SCRAM_DENIED);
	h = (struct hand){"user", ",m=1", "biws", "", ""};
	CU_ASSERT_EQUAL(play_by_hand(&h), SCRAM_DENIED);
}

/* RFC 5802 section 5.1: prepared to be looked up, as it came in the proof. */
static void user_names_are_prepared(void)
{
	struct hand h = {"us\xC2\xAD"
			 "er",
			 "", "biws", "", ""}; /* a soft hyphen, which goes */
	CU_ASSERT_EQUAL(play_by_hand(&h), SCRAM_PROVEN);
	h.name = "us\x07"
		 "er";
	CU_ASSERT_EQUAL(play_by_hand(&h), SCRAM_DENIED);
	h.name = "\xC2\xAD"; /* nothing is left */
	CU_ASSERT_EQUAL(play_by_hand(&h), SCRAM_DENIED);
}

/* The challenge behind the nonces: ",s=…,i=…" */
static void shown_to(const char *users, const char *mechanism, const char *user, char out[256])
{
	struct client c = {.user = user, .password = "x"};
	play(users, mechanism, &c, NULL);
	const char *salt = strstr(c.shown, ",s=");
	CU_ASSERT_PTR_NOT_NULL_FATAL(salt);
	CU_ASSERT_FATAL(strlen(salt) < 256);
	memcpy(out, salt, strlen(salt) + 1);
}

static void unknown_users_are_shown_what_others_are(void)
{
	char known[256], nobody[256], again[256], other[256];
	shown_to(users_stored, "SCRAM-SHA-256", "user", known);
	CU_ASSERT_STRING_EQUAL(known, ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	shown_to(users_stored, "SCRAM-SHA-256", "nobody", nobody);
	shown_to(users_stored, "SCRAM-SHA-256", "nobody", again);
	shown_to(users_stored, "SCRAM-SHA-256", "somebody", other);
	CU_ASSERT_EQUAL(strlen(nobody), strlen(known));
	CU_ASSERT_STRING_EQUAL(nobody + strlen(nobody) - 7, ",i=4096");
	CU_ASSERT_STRING_NOT_EQUAL(nobody, other);
	CU_ASSERT_STRING_NOT_EQUAL(nobody, known);
	/* Salts of another program, of another length. */
	shown_to(users_short, "SCRAM-SHA-256", "user", known);
	CU_ASSERT_STRING_EQUAL(known, ",s=QSXCR+Q6sek=,i=4096");
	shown_to(users_short, "SCRAM-SHA-256", "nobody", nobody);
	CU_ASSERT_EQUAL(strlen(nobody), strlen(known));
	/* With plain secrets all are alike, and a user is shown the same before and after it is
	 * there. */
	shown_to(users_plain, "SCRAM-SHA-1", "user", known);
	shown_to("user2:{PLAIN}pencil\n", "SCRAM-SHA-1", "user", again);
	CU_ASSERT_STRING_EQUAL(known, again);
	CU_ASSERT_STRING_EQUAL(known + strlen(known) - 8, ",i=20000");
}

/* Is the salt of unknown users the same after a restart? Not where the machine has no id. */
static void unknown_users_are_shown_the_same_after_a_restart(void)
{
	char first[256], second[256];
	shown_to(users_stored, "SCRAM-SHA-256", "nobody", first);
	shown_to(users_stored, "SCRAM-SHA-256", "nobody", second);
	FILE *id = fopen("/etc/machine-id", "r");
	bool has_id = id != NULL && fseek(id, 0, SEEK_END) == 0 && ftell(id) >= 32;
	if (id != NULL)
		fclose(id);
	CU_ASSERT_EQUAL(strcmp(first, second) == 0, has_id);
}

/* RFC 5802 section 2.2: "ü" is one letter, whoever has typed it. */
static void passwords_are_prepared(void)
{
	static const char apart[] = "user:{PLAIN}gru\xCC\x88n\n";
	static const char mechanisms[][16] = {"SCRAM-SHA-256", "SCRAM-SHA-1"};
	struct scram_secret one = {.iterations = 4096, .salt_length = 8};
	struct scram_secret other = one;
	for (size_t i = 0; i < 2; i++) {
		struct client c = {.user = "user", .password = "gr\xC3\xBCn"};
		CU_ASSERT_EQUAL(play(apart, mechanisms[i], &c, NULL), SCRAM_PROVEN);
		c.password = "grun";
		CU_ASSERT_EQUAL(play(apart, mechanisms[i], &c, NULL), SCRAM_DENIED);
	}
	CU_ASSERT_EQUAL(scram_derive("gru\xCC\x88n", 6, &one), 0);
	CU_ASSERT_EQUAL(scram_derive("gr\xC3\xBCn", 5, &other), 0);
	CU_ASSERT_EQUAL(memcmp(one.stored_key, other.stored_key, sizeof one.stored_key), 0);
	/* What is no UTF-8 is taken as it is. */
	CU_ASSERT_EQUAL(scram_derive("gr\xFCn", 4, &one), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(one.stored_key, other.stored_key, sizeof one.stored_key), 0);
}

/* ---- The RFCs' vectors ---- */

/* RFC 5802 section 3: the proof is the client's key under HMAC(StoredKey, AuthMessage). */
static void check_vector(gnutls_mac_algorithm_t mac, gnutls_digest_algorithm_t digest, size_t size,
			 const struct scram_secret *secret, const char *message, const char *proof,
			 const char *signature)
{
	unsigned char key[32], made[32], hashed[32];
	char text[64];
	size_t length;
	gnutls_hmac_fast(mac, secret->stored_key, size, message, strlen(message), made);
	CU_ASSERT(base64_decode(proof, strlen(proof), key, sizeof key, &length));
	CU_ASSERT_EQUAL(length, size);
	for (size_t i = 0; i < size; i++)
		key[i] ^= made[i];
	gnutls_hash_fast(digest, key, size, hashed);
	CU_ASSERT_EQUAL(memcmp(hashed, secret->stored_key, size), 0);
	gnutls_hmac_fast(mac, secret->server_key, size, message, strlen(message), made);
	base64_encode(made, size, text);
	CU_ASSERT_STRING_EQUAL(text, signature);
	test_count(1);
}

/* RFC 5802 section 5 and RFC 7677 section 3. */
static void keys_are_those_of_the_vectors(void)
{
	struct scram_secret secret = {.iterations = 4096};
	CU_ASSERT(base64_decode("QSXCR+Q6sek8bf92", 16, secret.salt, sizeof secret.salt,
				&secret.salt_length));
	CU_ASSERT_EQUAL(scram_derive_sha1("pencil", 6, &secret), 0);
	check_vector(GNUTLS_MAC_SHA1, GNUTLS_DIG_SHA1, 20, &secret,
		     "n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
		     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
		     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
		     "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ=");

	secret = (struct scram_secret){.iterations = 4096};
	CU_ASSERT(base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==", 24, secret.salt, sizeof secret.salt,
				&secret.salt_length));
	CU_ASSERT_EQUAL(scram_derive("pencil", 6, &secret), 0);
	check_vector(GNUTLS_MAC_SHA256, GNUTLS_DIG_SHA256, 32, &secret,
		     "n=user,r=rOprNGfwEbeRWgbNEkqO,"
		     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		     "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
		     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
		     "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		     "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

static const struct test tests[] = {
	TEST(right_passwords_are_proven_and_wrong_ones_are_not),
	TEST(plus_needs_the_binding_of_this_connection),
	TEST(a_downgrade_is_noticed),
	TEST(a_binding_is_only_for_plus),
	TEST(malformed_messages_are_denied),
	TEST(a_proof_is_for_the_nonce_and_header_of_its_exchange),
	TEST(unknown_extensions_are_ignored_and_mandatory_ones_fail),
	TEST(user_names_are_prepared),
	TEST(unknown_users_are_shown_what_others_are),
	TEST(unknown_users_are_shown_the_same_after_a_restart),
	TEST(passwords_are_prepared),
	TEST(keys_are_those_of_the_vectors),
	TEST_END,
};

const struct test_suite suite_scram_server = {"scram_server", tests};
