/*
 * The other session: logged in before anything fails, in the middle of a RETR that it does not
 * read, so that the server has no spare memory. Whatever happens to others, it gets all of its
 * message afterwards, and answers to further commands.
 */
#ifndef POP3_TESTS_OOM_WITNESS_H
#define POP3_TESTS_OOM_WITNESS_H

#include "oom/client.h"

/* Large enough not to fit into the buffers of a socket whose client does not read. */
enum { WITNESS_OCTETS = 1 << 23, WITNESS_LINE = 64 };

/* The large message: WITNESS_OCTETS octets in lines of WITNESS_LINE. */
const char *witness_message(void);
/* Log in with these lines, begin to RETR message 1, which is the large one. */
void witness_begin(struct pop3_server *, uint16_t port, const char *user, const char *pass);
/* Judge that it lives: the rest of its message, NOOP, STAT, RETR; then it quits. */
void witness_end(const char *expected_stat);

#endif
