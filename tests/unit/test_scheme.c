/* Secrets: published vectors of each scheme, what never matches, decoys, new secrets. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth/cost.h"
#include "auth/limits.h"
#include "auth/passwd.h"
#include "auth/scheme.h"
#include "auth/scram.h"
#include "auth/verify.h"
#include "base/base64.h"
#include "unit/suite.h"

/* RFC 7677 section 3 has this salt, count and password; the keys follow from them. */
#define PENCIL                                                                                     \
	"4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"              \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define YESCRYPT_HELLO "$y$j9T$abcdefgh$WtA2I5exIyQv5b7uDMgPs3N8zOQY6ZtcplRdKJSUiBC"
#define BCRYPT_HELLO   "$2b$05$abcdefghijklmnopqrstuu7nFISH/8YdwlXD3lw69A4iBUf6fvWAW"
#define SHA256_HELLO   "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
#define SHA512_HELLO                                                                               \
	"$6$rounds=10000$saltstringsaltst$OW1/"                                                    \
	"O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."

static enum auth_result check(const char *field, const char *password, size_t length)
{
	char text[1024];
	struct passwd_error error;
	struct passwd *p = NULL;
	snprintf(text, sizeof text, "u:%s\n", field);
	CU_ASSERT_EQUAL_FATAL(passwd_parse(text, strlen(text), &error, &p), 0);
	enum auth_result result = auth_verify(p, passwd_lookup(p, "u", false), password, length);
	passwd_unref(p);
	return result;
}

static void right_password_opens_each_scheme_and_wrong_ones_do_not(void)
{
	static const struct {
		const char *field;
		const char *password;
	} cases[] = {
		{"{PLAIN}Hello world!", "Hello world!"},
		{YESCRYPT_HELLO, "Hello world!"},
		{"{CRYPT}" YESCRYPT_HELLO, "Hello world!"},
		{"{YESCRYPT}" YESCRYPT_HELLO, "Hello world!"},
		{"{BLF-CRYPT}" BCRYPT_HELLO, "Hello world!"},
		{"{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
		{"{SHA256-CRYPT}" SHA256_HELLO, "Hello world!"},
		{"{SHA512-CRYPT}" SHA512_HELLO, "Hello world!"},
		{"{MD5-CRYPT}$1$saltsalt$le8lFSqqnPaRFOlmAZpvH1", "Hello world!"},
		{"{CRYPT}abMbH7WsHr7wQ", "Hello wo"},
		{"{SCRAM-SHA-256}" PENCIL, "pencil"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *password = cases[i].password;
		size_t length = strlen(password);
		char other[64];
		CU_ASSERT_EQUAL(check(cases[i].field, password, length), AUTH_OK);
		snprintf(other, sizeof other, "%s", password);
		other[0] ^= 1;
		CU_ASSERT_EQUAL(check(cases[i].field, other, length), AUTH_DENIED);
		CU_ASSERT_EQUAL(check(cases[i].field, password, length - 1), AUTH_DENIED);
		CU_ASSERT_EQUAL(check(cases[i].field, "", 0), AUTH_DENIED);
		CU_ASSERT_EQUAL(check(cases[i].field, NULL, 0), AUTH_DENIED);
	}
	test_count(sizeof cases / sizeof *cases);
}

static void password_with_nul_never_matches(void)
{
	static const char sha256[] = "{SHA256-CRYPT}" SHA256_HELLO;
	static const char scram[] = "{SCRAM-SHA-256}" PENCIL;
	static const char *const fields[] = {"{PLAIN}abc", scram, sha256};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		CU_ASSERT_EQUAL(check(fields[i], "abc\0", 4), AUTH_DENIED);
		CU_ASSERT_EQUAL(check(fields[i], "pencil\0", 7), AUTH_DENIED);
		CU_ASSERT_EQUAL(check(fields[i], "Hello world!\0more", 17), AUTH_DENIED);
	}
}

static void password_too_long_for_crypt_is_denied(void)
{
	static char password[4000];
	memset(password, 'x', sizeof password);
	CU_ASSERT_EQUAL(check("{SHA256-CRYPT}" SHA256_HELLO, password, sizeof password),
			AUTH_DENIED);
	CU_ASSERT_EQUAL(check("{CRYPT}" BCRYPT_HELLO, password, 512), AUTH_DENIED);
	CU_ASSERT_EQUAL(check("{CRYPT}" BCRYPT_HELLO, password, 511), AUTH_DENIED);
	CU_ASSERT_EQUAL(check("{SCRAM-SHA-256}" PENCIL, password, sizeof password), AUTH_DENIED);
}

static void crypt_error_is_temporary_and_never_a_wrong_password(void)
{
	CU_ASSERT_EQUAL(check("{CRYPT}$y$j9$abc", "x", 1), AUTH_TEMPORARY);
	CU_ASSERT_EQUAL(check("{CRYPT}$6$rounds=abc$ab", "x", 1), AUTH_TEMPORARY);
}

static void disabled_empty_and_root_entries_deny_their_own_password(void)
{
	CU_ASSERT_EQUAL(check("!{PLAIN}abc", "abc", 3), AUTH_DENIED);
	CU_ASSERT_EQUAL(check("!{PLAIN}abc", "!{PLAIN}abc", 11), AUTH_DENIED);
	CU_ASSERT_EQUAL(check("*", "*", 1), AUTH_DENIED);
	CU_ASSERT_EQUAL(check("", "", 0), AUTH_DENIED);
	CU_ASSERT_EQUAL(check("{PLAIN}", "", 0), AUTH_DENIED);
	CU_ASSERT_EQUAL(check("{PLAIN}abc:0", "abc", 3), AUTH_DENIED);
	CU_ASSERT_EQUAL(check("{CRYPT}!" BCRYPT_HELLO, "Hello world!", 12), AUTH_DENIED);
	CU_ASSERT_EQUAL(check(BCRYPT_HELLO ":0", "Hello world!", 12), AUTH_DENIED);
	test_count(8);
}

static struct passwd *parse(const char *text)
{
	struct passwd_error error;
	struct passwd *p = NULL;
	CU_ASSERT_EQUAL_FATAL(passwd_parse(text, strlen(text), &error, &p), 0);
	return p;
}

static void unknown_user_is_taken_for_one_like_most(void)
{
	struct passwd *p = parse("a:{PLAIN}1\n"
				 "b:" BCRYPT_HELLO "\n"
				 "c:{CRYPT}$2b$06$abcdefghijklmnopqrstuu\n"
				 "d:{BLF-CRYPT}$2b$05$zbcdefghijklmnopqrstuu\n"
				 "e:!\n"
				 "f:{PLAIN}1:0\n"
				 "g:{PLAIN}\n");
	CU_ASSERT_STRING_EQUAL(passwd_decoy(p)->user, "b");
	CU_ASSERT_EQUAL_FATAL(passwd_kind_count(p), 3);
	CU_ASSERT_STRING_EQUAL(passwd_kind_at(p, 0)->user, "a");
	CU_ASSERT_STRING_EQUAL(passwd_kind_at(p, 1)->user, "b");
	CU_ASSERT_STRING_EQUAL(passwd_kind_at(p, 2)->user, "c");
	CU_ASSERT(passwd_same_kind(passwd_at(p, 1), passwd_at(p, 3)));
	/* A comparison is enough if it ends well. */
	CU_ASSERT(auth_is_cheap(p, passwd_lookup(p, "a", false), "1", 1));
	CU_ASSERT_FALSE(auth_is_cheap(p, passwd_lookup(p, "a", false), "2", 1));
	CU_ASSERT_FALSE(auth_is_cheap(p, passwd_lookup(p, "b", false), "Hello world!", 12));
	CU_ASSERT_FALSE(auth_is_cheap(p, passwd_lookup(p, "f", false), "1", 1));
	CU_ASSERT_FALSE(auth_is_cheap(p, NULL, "1", 1));
	/* Nobody's password opens nothing, whoever has it. */
	CU_ASSERT_EQUAL(auth_verify(p, NULL, "Hello world!", 12), AUTH_DENIED);
	CU_ASSERT_EQUAL(auth_verify(p, passwd_lookup(p, "e", false), "Hello world!", 12),
			AUTH_DENIED);
	CU_ASSERT_EQUAL(auth_verify(p, passwd_lookup(p, "a", false), "Hello world!", 12),
			AUTH_DENIED);
	CU_ASSERT_EQUAL(auth_verify(p, passwd_lookup(p, "b", false), "1", 1), AUTH_DENIED);
	CU_ASSERT_EQUAL(auth_verify(p, passwd_lookup(p, "b", false), "Hello world!", 12), AUTH_OK);
	CU_ASSERT_EQUAL(auth_verify(p, passwd_lookup(p, "a", false), "1", 1), AUTH_OK);
	passwd_unref(p);
}

/* Files with more kinds than are known have users that take longer; they can still log in. */
static void users_of_more_kinds_than_are_known_can_log_in(void)
{
	char text[4096] = "";
	size_t length = 0;
	for (unsigned i = 0; i < PASSWD_KINDS_MAX; i++)
		length += (size_t)snprintf(text + length, sizeof text - length,
					   "u%u:{CRYPT}$5$rounds=%u$saltstring\n", i, 1001 + i);
	snprintf(text + length, sizeof text - length, "last:" BCRYPT_HELLO "\n");
	struct passwd *p = parse(text);
	CU_ASSERT_EQUAL(passwd_kind_count(p), PASSWD_KINDS_MAX);
	const struct passwd_entry *last = passwd_lookup(p, "last", false);
	CU_ASSERT_EQUAL(auth_verify(p, last, "Hello world!", 12), AUTH_OK);
	CU_ASSERT_EQUAL(auth_verify(p, last, "Hello world", 11), AUTH_DENIED);
	passwd_unref(p);
}

static void unknown_user_is_cheap_where_all_secrets_are_plain(void)
{
	struct passwd *p = parse("a:{PLAIN}1\nb:{PLAIN}2\nc:!\n");
	CU_ASSERT(auth_is_cheap(p, NULL, "1", 1));
	CU_ASSERT(auth_is_cheap(p, passwd_lookup(p, "c", false), "1", 1));
	CU_ASSERT_EQUAL(auth_verify(p, NULL, "1", 1), AUTH_DENIED);
	CU_ASSERT_EQUAL(auth_verify(p, NULL, "", 0), AUTH_DENIED);
	passwd_unref(p);
}

static void unknown_user_of_an_empty_file_is_denied_after_a_hash(void)
{
	struct passwd *p = parse("# nobody\n");
	CU_ASSERT_FALSE(auth_is_cheap(p, NULL, "x", 1));
	CU_ASSERT_EQUAL(auth_verify(p, NULL, "x", 1), AUTH_DENIED);
	passwd_unref(p);
}

static void only_usable_plain_entries_have_a_plaintext(void)
{
	struct passwd *p = parse("a:{PLAIN}abc\nb:{PLAIN}abc:0\nc:" BCRYPT_HELLO "\nd:!\n");
	CU_ASSERT_STRING_EQUAL(auth_plaintext(passwd_lookup(p, "a", false)), "abc");
	CU_ASSERT_PTR_NULL(auth_plaintext(passwd_lookup(p, "b", false)));
	CU_ASSERT_PTR_NULL(auth_plaintext(passwd_lookup(p, "c", false)));
	CU_ASSERT_PTR_NULL(auth_plaintext(passwd_lookup(p, "d", false)));
	CU_ASSERT_PTR_NULL(auth_plaintext(NULL));
	passwd_unref(p);
}

static void cost_prefix_ends_where_the_salt_begins(void)
{
	static const struct {
		const char *secret;
		size_t length;
	} cases[] = {
		{YESCRYPT_HELLO, 7},
		{BCRYPT_HELLO, 7},
		{SHA256_HELLO, 3},
		{SHA512_HELLO, 16},
		{"abMbH7WsHr7wQ", 0},
		{"$1$saltsalt$le8lFSqqnPaRFOlmAZpvH1", 3},
		{"$gy$j9T$salt$x", 8},
		{"$7$CU..../....SodiumChloride$x", 14},
		{"$7$CU", 5},
		{"$sha1$1000$salt$x", 11},
		{"$", 0},
		{"", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CU_ASSERT_EQUAL(scheme_cost_prefix(AUTH_SCHEME_CRYPT, cases[i].secret),
				cases[i].length);
	CU_ASSERT_EQUAL(scheme_cost_prefix(AUTH_SCHEME_SCRAM_SHA_256, PENCIL), 4);
	CU_ASSERT_EQUAL(scheme_cost_prefix(AUTH_SCHEME_PLAIN, "abc"), 0);
}

static void new_secret_opens_with_its_password_alone(void)
{
	static const struct {
		const char *name;
		const char *begins;
	} cases[] = {
		{NULL, "{CRYPT}$y$j9T$"},
		{"yescrypt", "{CRYPT}$y$j9T$"},
		{"crypt", "{CRYPT}$y$j9T$"},
		{"bcrypt", "{BLF-CRYPT}$2b$10$"},
		{"BLF-CRYPT", "{BLF-CRYPT}$2b$10$"},
		{"sha512-crypt", "{SHA512-CRYPT}$6$rounds=100000$"},
		{"sha256-crypt", "{SHA256-CRYPT}$5$rounds=100000$"},
		{"PLAIN", "{PLAIN}open sesame"},
		{"scram-sha-256", "{SCRAM-SHA-256}20000,"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char secret[AUTH_SECRET_SIZE];
		CU_ASSERT_EQUAL_FATAL(auth_make_secret(cases[i].name, "open sesame", 11, secret),
				      0);
		CU_ASSERT_EQUAL(strncmp(secret, cases[i].begins, strlen(cases[i].begins)), 0);
		CU_ASSERT_EQUAL(check(secret, "open sesame", 11), AUTH_OK);
		CU_ASSERT_EQUAL(check(secret, "open sesamE", 11), AUTH_DENIED);
	}
	test_count(sizeof cases / sizeof *cases);
}

static void two_new_secrets_of_one_password_differ(void)
{
	char first[AUTH_SECRET_SIZE];
	char second[AUTH_SECRET_SIZE];
	CU_ASSERT_EQUAL(auth_make_secret("scram-sha-256", "x", 1, first), 0);
	CU_ASSERT_EQUAL(auth_make_secret("scram-sha-256", "x", 1, second), 0);
	CU_ASSERT_STRING_NOT_EQUAL(first, second);
	CU_ASSERT_EQUAL(auth_make_secret(NULL, "x", 1, first), 0);
	CU_ASSERT_EQUAL(auth_make_secret(NULL, "x", 1, second), 0);
	CU_ASSERT_STRING_NOT_EQUAL(first, second);
}

static void new_secret_is_refused_for_what_cannot_be_stored(void)
{
	char out[AUTH_SECRET_SIZE] = "untouched";
	static char password[600];
	memset(password, 'x', sizeof password);
	CU_ASSERT_EQUAL(auth_make_secret("rot13", "x", 1, out), -EINVAL);
	CU_ASSERT_EQUAL(auth_make_secret("md5-crypt", "x", 1, out), -EINVAL);
	CU_ASSERT_EQUAL(auth_make_secret("", "x", 1, out), -EINVAL);
	CU_ASSERT_EQUAL(auth_make_secret(NULL, "", 0, out), -EDOM);
	CU_ASSERT_EQUAL(auth_make_secret(NULL, "a\0b", 3, out), -EDOM);
	CU_ASSERT_EQUAL(auth_make_secret(NULL, password, 512, out), -EDOM);
	CU_ASSERT_EQUAL(auth_make_secret("plain", "a:b", 3, out), -EDOM);
	CU_ASSERT_EQUAL(auth_make_secret("plain", "a\nb", 3, out), -EDOM);
	CU_ASSERT_EQUAL(auth_make_secret("plain", password, 511, out), -EDOM);
	CU_ASSERT_STRING_EQUAL(out, "untouched");
	CU_ASSERT_EQUAL(auth_make_secret("plain", password, 504, out), 0);
	CU_ASSERT_EQUAL(strlen(out), 511);
}

static void scram_keys_are_those_of_rfc_7677(void)
{
	struct scram_secret secret;
	char text[AUTH_SECRET_SIZE];
	CU_ASSERT_FATAL(scram_parse(PENCIL, &secret));
	CU_ASSERT_EQUAL(secret.iterations, 4096);
	CU_ASSERT_EQUAL(secret.salt_length, 16);
	memset(secret.stored_key, 0, sizeof secret.stored_key);
	memset(secret.server_key, 0, sizeof secret.server_key);
	CU_ASSERT_EQUAL(scram_derive("pencil", 6, &secret), 0);
	CU_ASSERT_EQUAL(scram_format(&secret, text, sizeof text), 0);
	CU_ASSERT_STRING_EQUAL(text, PENCIL);
	CU_ASSERT_EQUAL(scram_format(&secret, text, sizeof PENCIL - 1), -ENOSPC);
}

static void malformed_scram_secret_is_refused(void)
{
	static const char key[] = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=";
	static const char *const starts[] = {
		"4095,AAAA",
		"10000001,AAAA",
		"+4096,AAAA",
		"4096,",
		"4096,AAA",
		",AAAA",
		"99999999999999999999,AAAA",
		"4096,A=AA",
	};
	struct scram_secret secret;
	char text[300];
	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
		snprintf(text, sizeof text, "%s,%s,%s", starts[i], key, key);
		CU_ASSERT_FALSE(scram_parse(text, &secret));
	}
	snprintf(text, sizeof text, "4096,AAAA,%s,%s", key, key);
	CU_ASSERT(scram_parse(text, &secret));
	snprintf(text, sizeof text, "4096,AAAA,%s,%s,", key, key);
	CU_ASSERT_FALSE(scram_parse(text, &secret));
	snprintf(text, sizeof text, "4096,AAAA,%s", key);
	CU_ASSERT_FALSE(scram_parse(text, &secret));
	snprintf(text, sizeof text, "4096,AAAA,%s,AAAA", key);
	CU_ASSERT_FALSE(scram_parse(text, &secret));
	test_count(12);
}

static void base64_is_strict_in_both_directions(void)
{
	/* RFC 4648 section 10. */
	static const char *const vectors[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
	};
	static const char *const wrong[] = {
		"Z",    "Zg",       "Zg=",  "Zh==",         "Zm9=", "Z===",
		"====", "Zg==Zg==", "Zm 9", "Zm9v\n\n\n\n", "Zm-_", "=Zg="};
	char text[32];
	char octets[32];
	size_t length;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		size_t plain = strlen(vectors[i][0]);
		size_t coded = strlen(vectors[i][1]);
		CU_ASSERT_EQUAL(base64_encode(vectors[i][0], plain, text), coded);
		CU_ASSERT_STRING_EQUAL(text, vectors[i][1]);
		CU_ASSERT(base64_decode(vectors[i][1], coded, octets, plain, &length));
		CU_ASSERT_EQUAL(length, plain);
		CU_ASSERT_EQUAL(memcmp(octets, vectors[i][0], plain), 0);
		if (plain > 0)
			CU_ASSERT_FALSE(
				base64_decode(vectors[i][1], coded, octets, plain - 1, &length));
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CU_ASSERT_FALSE(
			base64_decode(wrong[i], strlen(wrong[i]), octets, sizeof octets, &length));
}

static void cost_of_a_secret_is_read_from_its_parameters(void)
{
	static const struct {
		const char *secret;
		enum secret_cost cost;
	} cases[] = {
		{"$2b$09$abcdefghijklmnopqrstuu", COST_WEAK},
		{"$2b$10$abcdefghijklmnopqrstuu", COST_FAIR},
		{"$2y$16$abcdefghijklmnopqrstuu", COST_FAIR},
		{"$2b$17$abcdefghijklmnopqrstuu", COST_EXCESSIVE},
		{"$6$salt$hash", COST_FAIR},
		{"$6$rounds=4999$salt$hash", COST_WEAK},
		{"$5$rounds=5000$salt$hash", COST_FAIR},
		{"$6$rounds=10000000$salt$hash", COST_FAIR},
		{"$6$rounds=10000001$salt$hash", COST_EXCESSIVE},
		{"$6$rounds=99999999999999999999$salt$hash", COST_EXCESSIVE},
		/* 16 MiB, the default; 512 MiB; 1 GiB; 512 KiB. */
		{"$y$j9T$salt$hash", COST_FAIR},
		{"$y$jET$salt$hash", COST_FAIR},
		{"$y$jFT$salt$hash", COST_EXCESSIVE},
		{"$y$j65$salt$hash", COST_WEAK},
		{"$gy$j9T$salt$hash", COST_FAIR},
		/* scrypt with N = 2^14 and r = 32: 64 MiB; N = 2^18: 1 GiB; r = 1: 2 MiB. */
		{"$7$CU..../....salt$hash", COST_FAIR},
		{"$7$GU..../....salt$hash", COST_EXCESSIVE},
		{"$7$C/..../....salt$hash", COST_FAIR},
		/* N = 2^30 and r = 2^27, or p = 2^27: 2^64 octets. p = 8: 512 MiB; p = 9. */
		{"$7$S....6/....salt$hash", COST_EXCESSIVE},
		{"$7$S/........6salt$hash", COST_EXCESSIVE},
		{"$7$CU....6....salt$hash", COST_FAIR},
		{"$7$CU....7....salt$hash", COST_EXCESSIVE},
		/* Nobody can read these. */
		{"$2b$", COST_FAIR},
		{"$2b$xx$abcdefghijklmnopqrstuu", COST_FAIR},
		{"$7$", COST_FAIR},
		{"$7$CU...", COST_FAIR},
		{"$7$CU..../...", COST_FAIR},
		{"$7$CU..:./....salt$hash", COST_FAIR},
		{"$1$saltsalt$le8lFSqqnPaRFOlmAZpvH1", COST_WEAK},
		{"abJnggxhB/yWI", COST_WEAK},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CU_ASSERT_EQUAL(secret_cost(AUTH_SCHEME_CRYPT, cases[i].secret), cases[i].cost);
	CU_ASSERT_EQUAL(secret_cost(AUTH_SCHEME_PLAIN, "x"), COST_FAIR);
	test_count(sizeof cases / sizeof *cases + 1);
}

/* What the program makes itself must not be found wanting. */
static void new_secrets_are_neither_weak_nor_costly(void)
{
	static const char *const schemes[] = {"yescrypt", "bcrypt", "sha512-crypt", "sha256-crypt"};
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		char secret[AUTH_SECRET_SIZE];
		CU_ASSERT_EQUAL_FATAL(auth_make_secret(schemes[i], "wonderland", 10, secret), 0);
		CU_ASSERT_EQUAL(secret_cost(AUTH_SCHEME_CRYPT, strchr(secret, '}') + 1), COST_FAIR);
	}
	test_count(4);
}

/* Of {VERIFY} the file knows nothing, and nothing is worked on: who is asked is somebody else. */
static void secret_that_is_verified_elsewhere_is_opened_by_nothing_here(void)
{
	struct passwd_error error;
	struct passwd *p = NULL;
	static const char text[] = "u:{verify}\nlocked:!{VERIFY}\nroot:{VERIFY}:0\n";
	CU_ASSERT_EQUAL_FATAL(passwd_parse(text, sizeof text - 1, &error, &p), 0);
	const struct passwd_entry *entry = passwd_lookup(p, "u", false);
	CU_ASSERT_EQUAL(entry->scheme, AUTH_SCHEME_VERIFY);
	CU_ASSERT_EQUAL(entry->state, PASSWD_USABLE);
	CU_ASSERT_PTR_NULL(auth_plaintext(entry));
	CU_ASSERT_EQUAL(passwd_lookup(p, "locked", false)->state, PASSWD_DISABLED);
	CU_ASSERT_EQUAL(passwd_lookup(p, "root", false)->state, PASSWD_ROOT);
	CU_ASSERT_EQUAL(auth_verify(p, entry, "", 0), AUTH_DENIED);
	CU_ASSERT_EQUAL(auth_verify(p, entry, "x", 1), AUTH_DENIED);
	CU_ASSERT_EQUAL(auth_verify(p, NULL, "x", 1), AUTH_DENIED);
	passwd_unref(p);
}

static void file_knows_whether_a_program_is_asked(void)
{
	static const struct {
		const char *text;
		bool asks;
	} cases[] = {{"a:{PLAIN}x\nb:{VERIFY}\n", true},
		     {"a:{PLAIN}x\nb:!{VERIFY}\n", false},
		     {"a:{PLAIN}x\nb:{VERIFY}:0\n", false},
		     {"", false}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct passwd_error error;
		struct passwd *p = NULL;
		CU_ASSERT_EQUAL_FATAL(
			passwd_parse(cases[i].text, strlen(cases[i].text), &error, &p), 0);
		CU_ASSERT_EQUAL(passwd_asks(p), cases[i].asks);
		passwd_unref(p);
	}
}

static void scheme_without_a_password_is_made_without_one(void)
{
	char secret[AUTH_SECRET_SIZE];
	CU_ASSERT_FALSE(auth_stores_password("Verify"));
	CU_ASSERT(auth_stores_password(NULL));
	CU_ASSERT(auth_stores_password("plain"));
	CU_ASSERT(auth_stores_password("nonsense"));
	CU_ASSERT_EQUAL(auth_make_secret("verify", "", 0, secret), 0);
	CU_ASSERT_STRING_EQUAL(secret, "{VERIFY}");
	CU_ASSERT_EQUAL(auth_make_secret("verify", "x", 1, secret), -EDOM);
}

static const struct test tests[] = {
	TEST(cost_of_a_secret_is_read_from_its_parameters),
	TEST(new_secrets_are_neither_weak_nor_costly),
	TEST(right_password_opens_each_scheme_and_wrong_ones_do_not),
	TEST(password_with_nul_never_matches),
	TEST(password_too_long_for_crypt_is_denied),
	TEST(crypt_error_is_temporary_and_never_a_wrong_password),
	TEST(disabled_empty_and_root_entries_deny_their_own_password),
	TEST(unknown_user_is_taken_for_one_like_most),
	TEST(users_of_more_kinds_than_are_known_can_log_in),
	TEST(unknown_user_is_cheap_where_all_secrets_are_plain),
	TEST(unknown_user_of_an_empty_file_is_denied_after_a_hash),
	TEST(only_usable_plain_entries_have_a_plaintext),
	TEST(cost_prefix_ends_where_the_salt_begins),
	TEST(new_secret_opens_with_its_password_alone),
	TEST(two_new_secrets_of_one_password_differ),
	TEST(new_secret_is_refused_for_what_cannot_be_stored),
	TEST(secret_that_is_verified_elsewhere_is_opened_by_nothing_here),
	TEST(file_knows_whether_a_program_is_asked),
	TEST(scheme_without_a_password_is_made_without_one),
	TEST(scram_keys_are_those_of_rfc_7677),
	TEST(malformed_scram_secret_is_refused),
	TEST(base64_is_strict_in_both_directions),
	TEST_END,
};

const struct test_suite suite_scheme = {.name = "scheme", .tests = tests};
