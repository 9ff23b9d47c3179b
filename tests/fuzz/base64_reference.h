/*
 * Base64 as RFC 4648 sections 3.2, 3.5 and 4 have it, next to base/base64.h and other in kind:
 * group by group, with no state between them.
 */
#ifndef POP3_TESTS_FUZZ_BASE64_REFERENCE_H
#define POP3_TESTS_FUZZ_BASE64_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline int base64_value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return 26 + c - 'a';
	if (c >= '0' && c <= '9')
		return 52 + c - '0';
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The octets of one group, or -1. Padding is for the last one, and its spare bits must be 0. */
static inline int base64_group(const uint8_t group[4], bool last, uint8_t out[3])
{
	int a = base64_value_of(group[0]), b = base64_value_of(group[1]);
	int c = base64_value_of(group[2]), d = base64_value_of(group[3]);
	if (a < 0 || b < 0)
		return -1;
	out[0] = (uint8_t)(a * 4 + b / 16);
	if (last && group[2] == '=' && group[3] == '=')
		return b % 16 == 0 ? 1 : -1;
	if (c < 0)
		return -1;
	out[1] = (uint8_t)(b % 16 * 16 + c / 4);
	if (last && group[3] == '=')
		return c % 4 == 0 ? 2 : -1;
	if (d < 0)
		return -1;
	out[2] = (uint8_t)(c % 4 * 64 + d);
	return 3;
}

/* What the text stands for, into as much room as the text has; -1: it is no base64. */
static inline int base64_reference(const uint8_t *text, size_t length, uint8_t *out)
{
	int total = 0;
	if (length % 4 != 0)
		return -1;
	for (size_t i = 0; i < length; i += 4) {
		uint8_t octets[3] = {0, 0, 0};
		int count = base64_group(text + i, i + 4 == length, octets);
		if (count < 0)
			return -1;
		memcpy(out + total, octets, (size_t)count);
		total += count;
	}
	return total;
}

#endif
