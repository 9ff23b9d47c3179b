/*
 * See scram_server.h. libgsasl asks for what it needs by a callback: iterations and salt once it
 * knows the user, keys once it has the proof, the binding as soon as one is spoken of. It wipes
 * nothing, so what it frees is wiped here.
 */
#include "auth/scram_server.h"

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "auth/limits.h"
#include "auth/scram.h"
#include "auth/verify.h"
#include "auth/wiped_heap.h"
#include "base/base64.h"
#include "base/io.h"
#include "base/secret.h"

#define MACHINE_ID     "/etc/machine-id"
#define MACHINE_ID_MAX 64
#define BINDING_MAX    64
#define DIGEST_SIZE    32 /* of SHA-256 */

struct scram_service {
	Gsasl *gsasl;
	unsigned char key[DIGEST_SIZE]; /* of what unknown users are shown */
};

struct scram_server {
	struct scram_service *service;
	Gsasl_session *session;
	bool is_sha1;
	bool is_plus;
	char binding[BASE64_SIZE(BINDING_MAX)]; /* "" = none */
	/* For the callback, during a step. */
	const struct passwd *passwd;
	bool strip_domain;
	/* Once the user has been looked up. */
	char *user, *authzid;       /* prepared; NULL = none */
	enum scram_result trouble;  /* why that failed; SCRAM_CONTINUES: it did not */
	struct scram_secret secret; /* its keys, once `has_keys` */
	bool has_keys;
	bool has_derived;
	char *password; /* of which they are to be derived */
};

/* ---- Mechanisms ---- */

static const char *const names[] = {"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1",
				    "SCRAM-SHA-1-PLUS"};

bool scram_is_mechanism(const char *name)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static bool is_sha1(const char *name)
{
	return strncmp(name, "SCRAM-SHA-1", 11) == 0 && (name[11] == '\0' || name[11] == '-');
}

static bool secret_suits(bool sha1, const struct passwd_entry *entry)
{
	return entry->scheme == AUTH_SCHEME_PLAIN ||
	       (entry->scheme == AUTH_SCHEME_SCRAM_SHA_256 && !sha1);
}

bool scram_suits(const char *name, const struct passwd_entry *entry)
{
	return secret_suits(is_sha1(name), entry);
}

/* ---- What a user is shown ---- */

/* What follows from a user's name, for somebody who knows the key alone. */
struct fakes {
	unsigned char salt[DIGEST_SIZE];
	unsigned char key[DIGEST_SIZE];
};

static bool fake(const struct scram_service *service, const char *purpose, const char *user,
		 unsigned char out[DIGEST_SIZE])
{
	unsigned char key[DIGEST_SIZE];
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, service->key, sizeof service->key, purpose,
				strlen(purpose), key) == 0 &&
	       gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, sizeof key, user, strlen(user), out) == 0;
}

static void take_fake_salt(struct scram_server *server, const struct fakes *fakes, size_t length)
{
	server->secret.salt_length = length < DIGEST_SIZE ? length : DIGEST_SIZE;
	memcpy(server->secret.salt, fakes->salt, server->secret.salt_length);
}

/* The keys are to be derived of this text, with the usual iterations. */
static bool take_password(struct scram_server *server, const struct fakes *fakes,
			  const char *password)
{
	server->secret.iterations = SCRAM_ITERATIONS;
	take_fake_salt(server, fakes, SCRAM_SALT_SIZE);
	server->password = strdup(password);
	return server->password != NULL;
}

static bool take_stored(struct scram_server *server, const struct passwd_entry *entry)
{
	server->has_keys = scram_parse(entry->secret, &server->secret);
	return server->has_keys;
}

/* As most users are shown, but with keys that nobody has. */
static bool take_nobody(struct scram_server *server, const struct fakes *fakes)
{
	const struct passwd_entry *decoy = passwd_decoy(server->passwd);
	char password[BASE64_SIZE(DIGEST_SIZE)];
	if (decoy->scheme != AUTH_SCHEME_SCRAM_SHA_256 || server->is_sha1) {
		base64_encode(fakes->key, sizeof fakes->key, password);
		return take_password(server, fakes, password);
	}
	if (!take_stored(server, decoy))
		return false;
	memcpy(server->secret.stored_key, fakes->key, SCRAM_KEY_SIZE);
	memcpy(server->secret.server_key, fakes->key, SCRAM_KEY_SIZE);
	take_fake_salt(server, fakes, server->secret.salt_length);
	return true;
}

/*
 * RFC 5802 section 5.1: names are prepared by SASLprep to be looked up; the proof is made with what
 * was sent. It is done here, as libgsasl leaves it to others.
 */
static enum scram_result prepare(struct scram_server *server, Gsasl_property property, char **name)
{
	const char *given = gsasl_property_fast(server->session, property);
	int error = given == NULL ? GSASL_OK
				  : gsasl_saslprep(given, GSASL_ALLOW_UNASSIGNED, name, NULL);
	if (error == GSASL_MALLOC_ERROR)
		return SCRAM_TEMPORARY;
	bool is_empty = *name == NULL || **name == '\0';
	return error != GSASL_OK || (given != NULL && is_empty) ? SCRAM_DENIED : SCRAM_CONTINUES;
}

/*
 * What only those need that do not exist is made for all: it would show in the time. With and
 * without its domain a name has one salt, where known ones have.
 */
static bool show_entry(struct scram_server *server)
{
	struct fakes fakes;
	char name[AUTH_USER_MAX + 1];
	const struct passwd_entry *entry =
		passwd_lookup(server->passwd, server->user, server->strip_domain);
	passwd_bare_name(server->user, server->strip_domain, name);
	const char *user = entry == NULL ? name : entry->user;
	if (!fake(server->service, "salt", user, fakes.salt) ||
	    !fake(server->service, "key", user, fakes.key))
		return false;
	if (entry == NULL || entry->state != PASSWD_USABLE || !secret_suits(server->is_sha1, entry))
		return take_nobody(server, &fakes);
	if (entry->scheme == AUTH_SCHEME_PLAIN)
		return take_password(server, &fakes, entry->secret);
	return take_stored(server, entry);
}

static int derive(struct scram_server *server, const char *password, struct scram_secret *secret)
{
	server->has_derived = true;
	return server->is_sha1 ? scram_derive_sha1(password, strlen(password), secret)
			       : scram_derive(password, strlen(password), secret);
}

/*
 * After a proof that was none: where keys are derived of some users' secrets, they have been
 * derived of something now.
 */
static void work_as_for_others(struct scram_server *server)
{
	struct scram_secret nothing = {.iterations = SCRAM_ITERATIONS,
				       .salt_length = SCRAM_SALT_SIZE};
	for (size_t i = 0; i < passwd_kind_count(server->passwd) && !server->has_derived; i++) {
		if (passwd_kind_at(server->passwd, i)->scheme == AUTH_SCHEME_PLAIN)
			(void)derive(server, "", &nothing);
	}
}

static enum scram_result look_up(struct scram_server *server)
{
	enum scram_result result = prepare(server, GSASL_AUTHID, &server->user);
	if (result == SCRAM_CONTINUES)
		result = prepare(server, GSASL_AUTHZID, &server->authzid);
	if (result == SCRAM_CONTINUES && !show_entry(server))
		result = SCRAM_TEMPORARY;
	return result;
}

/* ---- What libgsasl asks for ---- */

static int give_octets(Gsasl_session *session, Gsasl_property property, const unsigned char *octets,
		       size_t length)
{
	char text[BASE64_SIZE(SCRAM_SALT_MAX)];
	base64_encode(octets, length, text);
	int result = gsasl_property_set(session, property, text);
	secret_wipe(text, sizeof text);
	return result;
}

static int give_iterations(struct scram_server *server, Gsasl_session *session)
{
	char text[16];
	/* libgsasl would go on with what it has; see scram_server_step(). */
	server->trouble = look_up(server);
	if (server->trouble != SCRAM_CONTINUES)
		return GSASL_AUTHENTICATION_ERROR;
	snprintf(text, sizeof text, "%u", (unsigned)server->secret.iterations);
	return gsasl_property_set(session, GSASL_SCRAM_ITER, text);
}

static int give_key(struct scram_server *server, Gsasl_session *session, Gsasl_property property)
{
	struct scram_secret *secret = &server->secret;
	size_t size = server->is_sha1 ? SCRAM_SHA1_KEY_SIZE : SCRAM_KEY_SIZE;
	if (!server->has_keys) {
		if (derive(server, server->password, secret) < 0)
			return GSASL_CRYPTO_ERROR;
		server->has_keys = true;
	}
	return give_octets(
		session, property,
		property == GSASL_SCRAM_STOREDKEY ? secret->stored_key : secret->server_key, size);
}

static int on_property(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
	struct scram_server *server = gsasl_session_hook_get(session);
	(void)gsasl;
	if (server == NULL)
		return GSASL_NO_CALLBACK;
	switch (property) {
	case GSASL_SCRAM_ITER:
		return give_iterations(server, session);
	case GSASL_SCRAM_SALT:
		return give_octets(session, property, server->secret.salt,
				   server->secret.salt_length);
	case GSASL_SCRAM_STOREDKEY:
	case GSASL_SCRAM_SERVERKEY:
		return give_key(server, session, property);
	case GSASL_CB_TLS_EXPORTER:
		if (server->binding[0] == '\0')
			return GSASL_NO_CALLBACK;
		return gsasl_property_set(session, property, server->binding);
	default:
		return GSASL_NO_CALLBACK;
	}
}

/* ---- The service ---- */

static bool make_key(unsigned char key[DIGEST_SIZE])
{
	static const char purpose[] = "pop3-emitter: SCRAM of unknown users";
	char id[MACHINE_ID_MAX];
	int descriptor = open(MACHINE_ID, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t length = descriptor < 0 ? -1 : io_read_at(descriptor, id, sizeof id, 0);
	if (descriptor >= 0)
		close(descriptor);
	if (length < 32)
		return getrandom(key, DIGEST_SIZE, 0) == DIGEST_SIZE;
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, id, (size_t)length, purpose, sizeof purpose - 1,
				key) == 0;
}

struct scram_service *scram_service_new(void)
{
	struct scram_service *service = calloc(1, sizeof *service);
	if (service == NULL)
		return NULL;
	if (gsasl_init(&service->gsasl) != GSASL_OK || !make_key(service->key)) {
		scram_service_free(service);
		return NULL;
	}
	gsasl_callback_set(service->gsasl, on_property);
	return service;
}

void scram_service_free(struct scram_service *service)
{
	if (service == NULL)
		return;
	if (service->gsasl != NULL)
		gsasl_done(service->gsasl);
	secret_wipe(service, sizeof *service);
	free(service);
}

/* ---- An exchange ---- */

struct scram_server *scram_server_new(struct scram_service *service, const char *mechanism,
				      const unsigned char *binding, size_t size)
{
	struct scram_server *server = calloc(1, sizeof *server);
	if (server == NULL)
		return NULL;
	server->service = service;
	server->is_sha1 = is_sha1(mechanism);
	server->is_plus = strstr(mechanism, "-PLUS") != NULL;
	if (binding != NULL && size <= BINDING_MAX)
		base64_encode(binding, size, server->binding);
	if (gsasl_server_start(service->gsasl, mechanism, &server->session) != GSASL_OK) {
		free(server);
		return NULL;
	}
	gsasl_session_hook_set(server->session, server);
	return server;
}

void scram_server_free(struct scram_server *server)
{
	if (server == NULL)
		return;
	wiped_heap_begin();
	gsasl_finish(server->session);
	free(server->user);
	free(server->authzid);
	wiped_heap_end();
	secret_free(server->password);
	secret_wipe(server, sizeof *server);
	free(server);
}

/*
 * RFC 5802 section 5.1: a name with "=" but for "=2C" and "=3D" fails the authentication. Names are
 * the second and the third field of the first message; libgsasl lets this pass.
 */
static bool has_bad_name(const char *message)
{
	size_t field = 0;
	for (const char *c = message; *c != '\0'; c++) {
		bool is_tag = c > message && c[-1] == ',' && c[0] != '\0' && c[1] == '=';
		if (*c == ',')
			field++;
		else if (is_tag)
			c++;
		else if (*c == '=' && (field == 1 || field == 2) && strncmp(c, "=2C", 3) != 0 &&
			 strncmp(c, "=3D", 3) != 0)
			return true;
	}
	return false;
}

/*
 * The same section: an extension "m=" fails, wherever it stands; libgsasl sees it in one place of
 * the first message alone. No value has a comma in it.
 */
static bool has_mandatory_extension(const char *message)
{
	return strstr(message, ",m=") != NULL;
}

/*
 * RFC 5802 section 6: who binds says so by the mechanism's name, too. libgsasl takes a binding of
 * any kind where the name has none, and would answer as if it knew it.
 */
static bool has_bad_flag(const struct scram_server *server, const char *message)
{
	return message[0] == 'p' && !server->is_plus;
}

/*
 * RFC 5802 section 5.1: a name of which SASLprep leaves nothing fails. libgsasl finds that, too,
 * but does not free what it made for it: whoever sent such names would take all memory in time.
 */
static bool leaves_nothing(const char *name, size_t length)
{
	char *prepared = NULL;
	char *copy = strndup(name, length);
	bool nothing = copy != NULL &&
		       gsasl_saslprep(copy, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) == GSASL_OK &&
		       *prepared == '\0';
	gsasl_free(prepared);
	free(copy);
	return nothing;
}

/* The name is the third field. */
static bool has_empty_name(const char *message)
{
	const char *comma = strchr(message, ',');
	const char *name = comma == NULL ? NULL : strchr(comma + 1, ',');
	return name != NULL && strncmp(name, ",n=", 3) == 0 &&
	       leaves_nothing(name + 3, strcspn(name + 3, ","));
}

/* What libgsasl lets pass, or would wait behind for more; it reads up to a NUL. */
static bool is_acceptable(const struct scram_server *server, const char *message, size_t length)
{
	if (length == 0 || memchr(message, '\0', length) != NULL ||
	    has_mandatory_extension(message))
		return false;
	return scram_server_user(server) != NULL ||
	       (!has_bad_flag(server, message) && !has_bad_name(message) &&
		!has_empty_name(message));
}

static enum scram_result result_of(int gsasl)
{
	switch (gsasl) {
	case GSASL_OK:
		return SCRAM_PROVEN;
	case GSASL_NEEDS_MORE:
		return SCRAM_CONTINUES;
	case GSASL_MALLOC_ERROR:
	case GSASL_CRYPTO_ERROR:
		return SCRAM_TEMPORARY;
	default:
		return SCRAM_DENIED;
	}
}

static enum scram_result ask_gsasl(struct scram_server *server, const char *octets, size_t length,
				   char **reply, size_t *reply_length)
{
	enum scram_result result =
		result_of(gsasl_step(server->session, octets, length, reply, reply_length));
	if (server->trouble == SCRAM_CONTINUES)
		return result;
	if (result == SCRAM_PROVEN || result == SCRAM_CONTINUES)
		gsasl_free(*reply);
	*reply = NULL;
	return server->trouble;
}

enum scram_result scram_server_step(struct scram_server *server, const struct passwd *passwd,
				    bool strip_domain, const char *octets, size_t length,
				    char **reply, size_t *reply_length)
{
	bool is_proof = scram_server_user(server) != NULL;
	if (!is_acceptable(server, octets, length))
		return SCRAM_DENIED;
	server->passwd = passwd;
	server->strip_domain = strip_domain;
	wiped_heap_begin();
	enum scram_result result = ask_gsasl(server, octets, length, reply, reply_length);
	wiped_heap_end();
	if (is_proof && result == SCRAM_DENIED)
		work_as_for_others(server);
	server->passwd = NULL;
	return result;
}

const char *scram_server_user(const struct scram_server *server)
{
	if (server->user != NULL)
		return server->user;
	return gsasl_property_fast(server->session, GSASL_AUTHID);
}

const char *scram_server_authzid(const struct scram_server *server)
{
	return server->authzid;
}
