/* See base64.h. */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(const void *octets, size_t length, char *text)
{
	const unsigned char *in = octets;
	char *out = text;

	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t group = (uint32_t)in[i] << 16;
		group |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		group |= left > 2 ? in[i + 2] : 0;
		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		*out++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[group & 63] : '=';
	}
	*out = '\0';
	return (size_t)(out - text);
}

/* The value of one digit, or 64: not a digit. */
static uint32_t digit_value(char digit)
{
	const char *place = digit == '\0' ? NULL : strchr(digits, digit);
	return place == NULL ? 64 : (uint32_t)(place - digits);
}

/* How many of the last group's four characters are padding. */
static size_t padding_of(const char *text, size_t length)
{
	if (length == 0 || text[length - 1] != '=')
		return 0;
	return text[length - 2] == '=' ? 2 : 1;
}

bool base64_decode(const char *text, size_t length, void *octets, size_t size, size_t *decoded)
{
	unsigned char *out = octets;
	if (length % 4 != 0)
		return false;
	size_t padding = padding_of(text, length);
	size_t total = length / 4 * 3 - padding;
	if (total > size)
		return false;

	uint32_t bits = 0;
	for (size_t i = 0; i < length - padding; i++) {
		uint32_t value = digit_value(text[i]);
		if (value == 64)
			return false;
		bits = (bits << 6 | value) & 0xFFFFFF;
		if (i % 4 != 0)
			*out++ = (unsigned char)(bits >> (6 - i % 4 * 2));
	}
	/* The digit before the padding has 4 or 2 bits that mean nothing: they must be 0. */
	if ((bits & ((1u << padding * 2) - 1)) != 0)
		return false;
	*decoded = total;
	return true;
}
