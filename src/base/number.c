/* See number.h. */
#include "base/number.h"

#include <string.h>

bool number_parse(const char *text, size_t length, uint64_t maximum, uint64_t *value)
{
	uint64_t number = 0;
	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (digit > maximum || number > (maximum - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*value = number;
	return true;
}

size_t number_format(uint64_t value, char text[NUMBER_SIZE])
{
	char reversed[NUMBER_SIZE];
	size_t length = 0;
	do {
		reversed[length++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	for (size_t i = 0; i < length; i++)
		text[i] = reversed[length - 1 - i];
	text[length] = '\0';
	return length;
}
