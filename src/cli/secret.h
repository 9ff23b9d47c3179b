/* Asking for a password. */
#ifndef POP3_CLI_SECRET_H
#define POP3_CLI_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/limits.h"

/*
 * Read a password: if stdin is a terminal from there, without echo and, if wanted, twice; else one
 * line of stdin, without its LF. 0: password[0, *length) is set, to be wiped by the caller, and a
 * NUL follows; it may be empty. Else a sysexits code after a message: EX_DATAERR (too long, not the
 * same twice, nothing there), EX_IOERR.
 */
int secret_read(const char *prompt, bool twice, char password[AUTH_PASSWORD_SIZE], size_t *length);

#endif
