/* Strict numbers: digits only, no sign, no blank, no overflow. */
#ifndef POP3_BASE_NUMBER_H
#define POP3_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for the decimal digits of a uint64_t and a NUL. */
#define NUMBER_SIZE 21

/* All of text[0, length) is one decimal number <= maximum: true and *value is set. Leading zeros
 * are digits like any other. */
bool number_parse(const char *text, size_t length, uint64_t maximum, uint64_t *value);
/* Write the digits and a NUL; returns how many digits. */
size_t number_format(uint64_t value, char text[NUMBER_SIZE]);

#endif
