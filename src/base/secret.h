/* Memory that held a secret, and comparing secrets. */
#ifndef POP3_BASE_SECRET_H
#define POP3_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Overwrite; never optimised away. */
void secret_wipe(void *octets, size_t length);
/* Wipe a string and free it. NULL is fine. */
void secret_free(char *text);
/*
 * Are both the same? Takes a time that depends on the length of `given` alone, so that an attacker
 * who chooses `given` learns nothing of `known`, not even its length.
 */
bool secret_equal(const void *known, size_t known_length, const void *given, size_t given_length);

#endif
