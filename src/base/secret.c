/* See secret.h. */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

void secret_wipe(void *octets, size_t length)
{
	explicit_bzero(octets, length);
}

void secret_free(char *text)
{
	if (text != NULL)
		secret_wipe(text, strlen(text));
	free(text);
}

bool secret_equal(const void *known, size_t known_length, const void *given, size_t given_length)
{
	static const unsigned char nothing[1] = {0};
	const unsigned char *k = known_length == 0 ? nothing : known;
	const unsigned char *g = given;
	size_t last = known_length == 0 ? 0 : known_length - 1;
	volatile unsigned char difference = known_length != given_length;

	for (size_t i = 0; i < given_length; i++)
		difference = difference | (unsigned char)(k[i < last ? i : last] ^ g[i]);
	return difference == 0;
}
