/*
 * libFuzzer: any octets as a message of OAUTHBEARER or XOAUTH2. What is accepted has a user that
 * USER could name and a token that lies in the message, and is refused when its last octet is
 * gone; what is refused leaves nothing behind.
 */
#include <stdbool.h>
#include <string.h>

#include "auth/bearer.h"
#include "fuzz.h"

static void check_user(const char *user)
{
	size_t length = strlen(user);
	CHECK(length > 0 && length <= AUTH_USER_MAX);
	for (size_t i = 0; i < length; i++)
		CHECK((unsigned char)user[i] > 0x20 && user[i] != 0x7f);
}

static void check_token(const struct bearer *bearer, const char *octets, size_t length)
{
	CHECK(bearer->token >= octets && bearer->token_length > 0);
	CHECK(bearer->token_length <= length - (size_t)(bearer->token - octets));
	for (size_t i = 0; i < bearer->token_length; i++)
		CHECK((unsigned char)bearer->token[i] > 0x20 && bearer->token[i] < 0x7f);
}

static bool check(bool (*parse)(const char *, size_t, struct bearer *), const char *octets,
		  size_t length)
{
	struct bearer bearer = {.user = "?"};
	if (!parse(octets, length, &bearer)) {
		CHECK(strcmp(bearer.user, "?") == 0 && bearer.token == NULL);
		return false;
	}
	check_user(bearer.user);
	check_token(&bearer, octets, length);
	CHECK(!parse(octets, length - 1, &bearer));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly this size, so that the sanitizer sees an octet read too many. */
	char *octets = malloc(size == 0 ? 1 : size);
	CHECK(octets != NULL);
	if (size > 0)
		memcpy(octets, data, size);
	bool is_bearer = check(bearer_parse, octets, size);
	bool is_xoauth2 = check(xoauth2_parse, octets, size);
	CHECK(!is_bearer || !is_xoauth2);
	free(octets);
	return 0;
}
