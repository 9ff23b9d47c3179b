/* Messages of OAUTHBEARER and XOAUTH2: what is taken out of them, and what is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/bearer.h"
#include "unit/suite.h"

#define TOKEN "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
/* RFC 7628 section 4.1. */
#define EXAMPLE                                                                                    \
	"n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer " TOKEN "\1\1"
#define XEXAMPLE "user=user@example.com\1auth=Bearer " TOKEN "\1\1"

typedef bool parser(const char *octets, size_t length, struct bearer *bearer);

/* Parsed out of memory of exactly this size, so that a sanitizer sees an octet read too many. */
static bool parses(parser *parse, const char *octets, size_t length, const char *user,
		   const char *token)
{
	struct bearer bearer;
	char *copy = malloc(length == 0 ? 1 : length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, octets, length);
	memset(&bearer, 'x', sizeof bearer);
	bool parsed = parse(copy, length, &bearer);
	if (parsed) {
		CU_ASSERT_STRING_EQUAL(bearer.user, user);
		CU_ASSERT_EQUAL(bearer.token_length, strlen(token));
		CU_ASSERT_EQUAL(memcmp(bearer.token, token, strlen(token)), 0);
	} else {
		CU_ASSERT_EQUAL(bearer.user[0], 'x');
	}
	free(copy);
	test_count(1);
	return parsed;
}

static void example_of_rfc_7628_is_understood(void)
{
	CU_ASSERT(parses(bearer_parse, EXAMPLE, sizeof EXAMPLE - 1, "user@example.com", TOKEN));
}

static void message_of_xoauth2_is_understood(void)
{
	CU_ASSERT(parses(xoauth2_parse, XEXAMPLE, sizeof XEXAMPLE - 1, "user@example.com", TOKEN));
}

static void message_that_is_cut_anywhere_is_none(void)
{
	for (size_t i = 0; i < sizeof EXAMPLE - 1; i++)
		CU_ASSERT(!parses(bearer_parse, EXAMPLE, i, "", ""));
	for (size_t i = 0; i < sizeof XEXAMPLE - 1; i++)
		CU_ASSERT(!parses(xoauth2_parse, XEXAMPLE, i, "", ""));
}

/* An octet behind the end, too. */
static void message_with_an_octet_too_many_is_none(void)
{
	CU_ASSERT(!parses(bearer_parse, EXAMPLE, sizeof EXAMPLE, "", ""));
	CU_ASSERT(!parses(xoauth2_parse, XEXAMPLE, sizeof XEXAMPLE, "", ""));
	CU_ASSERT(!parses(bearer_parse, EXAMPLE "\1", sizeof EXAMPLE, "", ""));
}

static void each_mechanism_has_its_own_messages(void)
{
	CU_ASSERT(!parses(xoauth2_parse, EXAMPLE, sizeof EXAMPLE - 1, "", ""));
	CU_ASSERT(!parses(bearer_parse, XEXAMPLE, sizeof XEXAMPLE - 1, "", ""));
}

struct sample {
	const char *message;
	const char *user; /* NULL: it is refused */
	const char *token;
};

static void check(parser *parse, const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct sample *s = &samples[i];
		bool good = parses(parse, s->message, strlen(s->message), s->user, s->token);
		if (good != (s->user != NULL))
			printf("wrong: sample %zu\n", i);
		CU_ASSERT_EQUAL(good, s->user != NULL);
	}
}

#define CHECK_ALL(parse, ...)                                                                      \
	check(parse, (const struct sample[]){__VA_ARGS__},                                         \
	      sizeof((const struct sample[]){__VA_ARGS__}) / sizeof(struct sample))

static void names_are_decoded_and_bounded(void)
{
	char longest[400] = "n,a=";
	char name[AUTH_USER_MAX + 1] = "";
	memset(name, 'u', AUTH_USER_MAX);
	strcat(strcat(longest, name), ",\1auth=Bearer x\1\1");
	char longer[400] = "n,a=u";
	strcat(strcat(longer, name), ",\1auth=Bearer x\1\1");
	CHECK_ALL(bearer_parse, {"n,a=a=2Cb=3Dc,\1auth=Bearer x\1\1", "a,b=c", "x"},
		  {"n,a=a=2cb,\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=a=2,\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=a=,\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=a=20,\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=\xc3\xa4,\1auth=Bearer x\1\1", "\xc3\xa4", "x"},
		  {"n,a=a b,\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=a\tb,\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=a\1b,\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=a\x7f,\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=,\1auth=Bearer x\1\1", NULL, NULL}, {longest, name, "x"},
		  {longer, NULL, NULL});
	CHECK_ALL(xoauth2_parse, {"user=a=2Cb,c\1auth=Bearer x\1\1", "a=2Cb,c", "x"},
		  {"user=\1auth=Bearer x\1\1", NULL, NULL},
		  {"user=a b\1auth=Bearer x\1\1", NULL, NULL},
		  {"auth=Bearer x\1user=a\1\1", NULL, NULL});
	CU_ASSERT(!parses(xoauth2_parse, "user=a\0b\1auth=Bearer x\1\1", 24, "", ""));
}

/* RFC 5801 section 4: nobody binds to a channel here, and no other flag is known. */
static void header_is_taken_without_channel_binding_alone(void)
{
	CHECK_ALL(bearer_parse, {"y,a=u,\1auth=Bearer x\1\1", "u", "x"},
		  {"p=tls-exporter,a=u,\1auth=Bearer x\1\1", NULL, NULL},
		  {"F,n,a=u,\1auth=Bearer x\1\1", NULL, NULL},
		  {"N,a=u,\1auth=Bearer x\1\1", NULL, NULL}, {"n,,\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,u,\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=u,x\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=u\1auth=Bearer x\1\1", NULL, NULL}, {"\1", NULL, NULL});
}

static void keys_that_are_not_known_are_skipped(void)
{
	CHECK_ALL(bearer_parse, {"n,a=u,\1qs=a=b&c\1auth=Bearer x\1path=/ \t\r\n\1\1", "u", "x"},
		  {"n,a=u,\1host=\1auth=Bearer x\1\1", "u", "x"},
		  {"n,a=u,\1k\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=u,\1=v\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=u,\1k1=v\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=u,\1k=\x02\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=u,\1k=\xc3\xa4\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=u,\1port=65535\1auth=Bearer x\1\1", "u", "x"},
		  {"n,a=u,\1port=65536\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=u,\1port=1a\1auth=Bearer x\1\1", NULL, NULL},
		  {"n,a=u,\1port=\1auth=Bearer x\1\1", NULL, NULL});
}

/* RFC 6750 section 2.1. */
static void token_is_one_of_the_bearer_kind(void)
{
	CHECK_ALL(bearer_parse, {"n,a=u,\1auth=bEARER   aZ09-._~+/==\1\1", "u", "aZ09-._~+/=="},
		  {"n,a=u,\1auth=Bearer \1\1", NULL, NULL}, {"n,a=u,\1auth=Bearer\1\1", NULL, NULL},
		  {"n,a=u,\1auth=\1\1", NULL, NULL}, {"n,a=u,\1auth=Bearerx\1\1", NULL, NULL},
		  {"n,a=u,\1auth=Basic eA==\1\1", NULL, NULL},
		  {"n,a=u,\1auth=Bearer ==\1\1", NULL, NULL},
		  {"n,a=u,\1auth=Bearer a=b\1\1", NULL, NULL},
		  {"n,a=u,\1auth=Bearer a b\1\1", NULL, NULL},
		  {"n,a=u,\1auth=Bearer a,\1\1", NULL, NULL},
		  {"n,a=u,\1Auth=Bearer a\1\1", NULL, NULL}, {"n,a=u,\1\1", NULL, NULL},
		  {"n,a=u,\1auth=Bearer a\1auth=Bearer a\1\1", NULL, NULL});
	CU_ASSERT(!parses(bearer_parse, "n,a=u,\1auth=Bearer a\0\1\1", 23, "", ""));
}

static const struct test tests[] = {
	TEST(example_of_rfc_7628_is_understood),
	TEST(message_of_xoauth2_is_understood),
	TEST(message_that_is_cut_anywhere_is_none),
	TEST(message_with_an_octet_too_many_is_none),
	TEST(each_mechanism_has_its_own_messages),
	TEST(names_are_decoded_and_bounded),
	TEST(header_is_taken_without_channel_binding_alone),
	TEST(keys_that_are_not_known_are_skipped),
	TEST(token_is_one_of_the_bearer_kind),
	TEST_END,
};
const struct test_suite suite_bearer = {"bearer", tests};
