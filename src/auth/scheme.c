/* See scheme.h. One table says what each {NAME} is checked and made with. */
#include "auth/scheme.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "auth/scram.h"
#include "base/secret.h"

_Static_assert(AUTH_PASSWORD_SIZE == CRYPT_MAX_PASSPHRASE_SIZE, "the limit is libcrypt's");
_Static_assert(AUTH_SECRET_SIZE >= CRYPT_OUTPUT_SIZE + 32, "room for a {NAME} and the output");

/*
 * New hashes take 20 to 100 ms: libcrypt's own default for yescrypt does, its defaults for the
 * others are those of slower times.
 */
struct scheme_name {
	const char *name;
	enum auth_scheme scheme;
	const char *written; /* the {NAME} of new secrets; NULL: none are made */
	const char *prefix;  /* for crypt_gensalt(3) */
	unsigned long cost;  /* for crypt_gensalt(3); 0 = its default */
};

static const struct scheme_name names[] = {
	{"PLAIN", AUTH_SCHEME_PLAIN, "PLAIN", NULL, 0},
	{"CLEAR", AUTH_SCHEME_PLAIN, "PLAIN", NULL, 0},
	{"CLEARTEXT", AUTH_SCHEME_PLAIN, "PLAIN", NULL, 0},
	{"CRYPT", AUTH_SCHEME_CRYPT, "CRYPT", "$y$", 0},
	{"YESCRYPT", AUTH_SCHEME_CRYPT, "CRYPT", "$y$", 0},
	{"BLF-CRYPT", AUTH_SCHEME_CRYPT, "BLF-CRYPT", "$2b$", 10},
	{"BCRYPT", AUTH_SCHEME_CRYPT, "BLF-CRYPT", "$2b$", 10},
	{"SHA512-CRYPT", AUTH_SCHEME_CRYPT, "SHA512-CRYPT", "$6$", 100000},
	{"SHA256-CRYPT", AUTH_SCHEME_CRYPT, "SHA256-CRYPT", "$5$", 100000},
	{"MD5-CRYPT", AUTH_SCHEME_CRYPT, NULL, NULL, 0},
	{"DES-CRYPT", AUTH_SCHEME_CRYPT, NULL, NULL, 0},
	{"SCRAM-SHA-256", AUTH_SCHEME_SCRAM_SHA_256, "SCRAM-SHA-256", NULL, 0},
	{"VERIFY", AUTH_SCHEME_VERIFY, "VERIFY", NULL, 0},
};

static const struct scheme_name *name_find(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i].name) == length &&
		    strncasecmp(names[i].name, text, length) == 0)
			return &names[i];
	return NULL;
}

bool scheme_find(const char *text, size_t length, enum auth_scheme *scheme)
{
	const struct scheme_name *name = name_find(text, length);
	if (name == NULL)
		return false;
	*scheme = name->scheme;
	return true;
}

static bool crypt_accepts(const char *secret)
{
	int verdict = crypt_checksalt(secret);
	return verdict != CRYPT_SALT_INVALID && verdict != CRYPT_SALT_METHOD_DISABLED;
}

static bool scram_accepts(const char *secret)
{
	struct scram_secret scram;
	bool sound = scram_parse(secret, &scram);
	secret_wipe(&scram, sizeof scram);
	return sound;
}

bool scheme_accepts(enum auth_scheme scheme, const char *secret)
{
	switch (scheme) {
	case AUTH_SCHEME_PLAIN:
		return true;
	case AUTH_SCHEME_CRYPT:
		return crypt_accepts(secret);
	case AUTH_SCHEME_SCRAM_SHA_256:
		return scram_accepts(secret);
	case AUTH_SCHEME_VERIFY:
		return *secret == '\0';
	}
	return false;
}

/*
 * crypt(5): "$id$" comes first; then, with bcrypt, yescrypt and sha1crypt, the cost up to the next
 * `$`, with the SHA-2 methods perhaps "rounds=N$", with scrypt 11 characters. The rest is salt.
 */
static size_t crypt_cost_prefix(const char *secret)
{
	static const size_t scrypt_parameters = 11;
	const char *id_end = secret[0] == '$' ? strchr(secret + 1, '$') : NULL;
	if (id_end == NULL)
		return 0;
	size_t id = (size_t)(id_end + 1 - secret);
	if (strncmp(secret, "$7$", 3) == 0)
		return id + strnlen(id_end + 1, scrypt_parameters);
	bool costed = secret[1] == '2' || secret[1] == 'y' || secret[1] == 'g' ||
		      strncmp(secret, "$sha1", 5) == 0 || strncmp(id_end + 1, "rounds=", 7) == 0;
	const char *cost_end = costed ? strchr(id_end + 1, '$') : NULL;
	return cost_end == NULL ? id : (size_t)(cost_end + 1 - secret);
}

size_t scheme_cost_prefix(enum auth_scheme scheme, const char *secret)
{
	if (scheme == AUTH_SCHEME_CRYPT)
		return crypt_cost_prefix(secret);
	if (scheme == AUTH_SCHEME_SCRAM_SHA_256)
		return strcspn(secret, ",");
	return 0;
}

/* A password that crypt(3) and SCRAM can be asked about; the others are denied after equal work. */
static bool password_is_sound(const char *password, size_t length)
{
	return length > 0 && length < AUTH_PASSWORD_SIZE && memchr(password, '\0', length) == NULL;
}

static size_t password_cut(size_t length)
{
	return length < AUTH_PASSWORD_SIZE ? length : AUTH_PASSWORD_SIZE - 1;
}

/* struct crypt_data is 32 KiB, which is too much for a worker's stack. */
static enum auth_result crypt_verify(const char *secret, const char *password, size_t length)
{
	enum auth_result result = AUTH_TEMPORARY;
	struct crypt_data *work = calloc(1, sizeof *work);
	if (work == NULL)
		return result;
	if (length > 0)
		memcpy(work->input, password, password_cut(length));
	const char *hash = crypt_rn(work->input, secret, work, (int)sizeof *work);
	if (hash != NULL) {
		bool equal = secret_equal(secret, strlen(secret), hash, strlen(hash));
		result = equal && password_is_sound(password, length) ? AUTH_OK : AUTH_DENIED;
	}
	secret_wipe(work, sizeof *work);
	free(work);
	return result;
}

static enum auth_result scram_verify(const char *secret, const char *password, size_t length)
{
	struct scram_secret known;
	if (!scram_parse(secret, &known))
		return AUTH_TEMPORARY;
	struct scram_secret given = known;
	enum auth_result result = AUTH_TEMPORARY;
	if (scram_derive(password, password_cut(length), &given) == 0) {
		bool equal = secret_equal(known.stored_key, SCRAM_KEY_SIZE, given.stored_key,
					  SCRAM_KEY_SIZE);
		result = equal && password_is_sound(password, length) ? AUTH_OK : AUTH_DENIED;
	}
	secret_wipe(&known, sizeof known);
	secret_wipe(&given, sizeof given);
	return result;
}

enum auth_result scheme_verify(enum auth_scheme scheme, const char *secret, const void *password,
			       size_t length)
{
	const char *given = length == 0 ? "" : password;
	switch (scheme) {
	case AUTH_SCHEME_PLAIN:
		return secret_equal(secret, strlen(secret), given, length) && length > 0
			       ? AUTH_OK
			       : AUTH_DENIED;
	case AUTH_SCHEME_CRYPT:
		return crypt_verify(secret, given, length);
	case AUTH_SCHEME_SCRAM_SHA_256:
		return scram_verify(secret, given, length);
	case AUTH_SCHEME_VERIFY:
		return AUTH_DENIED;
	}
	return AUTH_TEMPORARY;
}

static int plain_make(const char *password, size_t length, char *out, size_t size)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)password[i];
		if (c < 0x20 || c == 0x7F || c == ':')
			return -EDOM;
	}
	if (length >= size)
		return -EDOM;
	memcpy(out, password, length);
	out[length] = '\0';
	return 0;
}

static int crypt_make(const struct scheme_name *name, const char *password, size_t length,
		      char *out, size_t size)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	if (crypt_gensalt_rn(name->prefix, name->cost, NULL, 0, setting, sizeof setting) == NULL)
		return -errno;
	struct crypt_data *work = calloc(1, sizeof *work);
	if (work == NULL)
		return -ENOMEM;
	memcpy(work->input, password, length);
	int result = 0;
	const char *hash = crypt_rn(work->input, setting, work, (int)sizeof *work);
	if (hash == NULL)
		result = -errno;
	else if (strlen(hash) >= size)
		result = -ENOSPC;
	else
		memcpy(out, hash, strlen(hash) + 1);
	secret_wipe(work, sizeof *work);
	free(work);
	return result;
}

static int scram_make(const char *password, size_t length, char *out, size_t size)
{
	struct scram_secret secret = {.iterations = SCRAM_ITERATIONS,
				      .salt_length = SCRAM_SALT_SIZE};
	if (getrandom(secret.salt, SCRAM_SALT_SIZE, 0) != SCRAM_SALT_SIZE)
		return -EIO;
	int result = scram_derive(password, length, &secret);
	if (result == 0)
		result = scram_format(&secret, out, size);
	secret_wipe(&secret, sizeof secret);
	return result;
}

int auth_make_secret(const char *name, const void *password, size_t length,
		     char out[AUTH_SECRET_SIZE])
{
	char made[AUTH_SECRET_SIZE];
	const struct scheme_name *n =
		name == NULL ? name_find("YESCRYPT", 8) : name_find(name, strlen(name));
	if (n == NULL || n->written == NULL)
		return -EINVAL;
	if (n->scheme == AUTH_SCHEME_VERIFY ? length > 0 : !password_is_sound(password, length))
		return -EDOM;

	size_t used = (size_t)snprintf(made, sizeof made, "{%s}", n->written);
	char *rest = made + used;
	size_t room = sizeof made - used;
	int result = 0;
	if (n->scheme == AUTH_SCHEME_PLAIN)
		result = plain_make(password, length, rest, room);
	else if (n->scheme == AUTH_SCHEME_CRYPT)
		result = crypt_make(n, password, length, rest, room);
	else if (n->scheme == AUTH_SCHEME_SCRAM_SHA_256)
		result = scram_make(password, length, rest, room);
	if (result == 0)
		memcpy(out, made, strlen(made) + 1);
	secret_wipe(made, sizeof made);
	return result;
}

bool auth_stores_password(const char *name)
{
	const struct scheme_name *n = name == NULL ? NULL : name_find(name, strlen(name));
	return n == NULL || n->scheme != AUTH_SCHEME_VERIFY;
}
