/*
 * The server's side of SCRAM-SHA-256 and SCRAM-SHA-1 (RFC 5802, 7677) and their -PLUS forms with
 * tls-exporter (RFC 9266), by libgsasl. It is given keys, never passwords: those of a
 * {SCRAM-SHA-256} secret, or those that are derived of a {PLAIN} one, with a salt of the user's
 * own.
 *
 * A user that is unknown, disabled, or whose secret does not suit gets the salt and the iterations
 * that one that suits would have, always the same, after the same work, and fails in the end.
 */
#ifndef POP3_AUTH_SCRAM_SERVER_H
#define POP3_AUTH_SCRAM_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/passwd.h"

/* What all exchanges share; used by any thread at once. */
struct scram_service;
/* One exchange; used by one thread at a time. */
struct scram_server;

enum scram_result {
	SCRAM_CONTINUES, /* the reply is a challenge */
	SCRAM_PROVEN,    /* likewise, and the client knows the secret */
	SCRAM_DENIED,    /* it does not, or what it sent is wrong */
	SCRAM_TEMPORARY, /* out of memory */
};

/*
 * Salts of unknown users are made with the machine's id, so that they stay the same over restarts;
 * where there is none, with random octets. NULL: out of memory.
 */
struct scram_service *scram_service_new(void);
/* All its exchanges must be freed. NULL is fine. */
void scram_service_free(struct scram_service *);

/* Is it one of the four? */
bool scram_is_mechanism(const char *name);
/* Does the mechanism suit the entry's secret? */
bool scram_suits(const char *name, const struct passwd_entry *);

/* `binding`: the octets of tls-exporter, `size` of them; NULL = there is none. NULL: no memory. */
struct scram_server *scram_server_new(struct scram_service *, const char *mechanism,
				      const unsigned char *binding, size_t size);
void scram_server_free(struct scram_server *);
/*
 * The next message of the client, with a NUL behind its octets. The user is looked up, once, in the
 * generation of that step. With the first two results *reply, with a NUL behind its *reply_length
 * octets, is the caller's to free. The step with the client's proof may take tens of milliseconds.
 */
enum scram_result scram_server_step(struct scram_server *, const struct passwd *, bool strip_domain,
				    const char *octets, size_t length, char **reply,
				    size_t *reply_length);
/* Who the client says it is, and whom it wants to act for, both prepared; NULL before it has. */
const char *scram_server_user(const struct scram_server *);
const char *scram_server_authzid(const struct scram_server *);

#endif
