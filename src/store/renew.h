/*
 * The index after a session: without the messages that QUIT has deleted, and with sizes that proved
 * wrong put right. The next login would find out the former by itself, but only if nothing changes
 * while it reads the folders: where mail arrives all the time it would list messages that are gone.
 */
#ifndef POP3_STORE_RENEW_H
#define POP3_STORE_RENEW_H

#include "store/maildrop.h"

/*
 * `gone`: `count` message numbers, ascending. The index stays as it is if it is not of this login
 * any more. What fails is logged, and does no harm.
 */
void renew_index(const struct maildrop *, const uint32_t *gone, size_t count);

#endif
