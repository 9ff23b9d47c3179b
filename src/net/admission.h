/*
 * Who may connect: the limits on connections, and what to do when the system has no more
 * descriptors or memory. Complaints are logged once in a while, with a count.
 */
#ifndef POP3_NET_ADMISSION_H
#define POP3_NET_ADMISSION_H

#include "base/tally.h"
#include "net/address.h"
#include "net/timers.h"

struct pop3_server;

/* Something that may happen often and is logged seldom. */
struct complaint {
	uint64_t next; /* not logged before */
	uint64_t held; /* how often it was not logged */
};

struct admission {
	struct tally addresses;   /* open sockets by address */
	size_t sockets;           /* open sockets of connections */
	struct timer pause_timer; /* listeners rest until then */
	bool paused;
	struct complaint refusals;
	struct complaint failures;
};

/* What a connection counts under. */
struct admission_ticket {
	uint64_t key;
	bool keyed; /* counted by address */
};

/*
 * May this peer connect? Then it is counted until admission_leave(), and the oldest stranger may
 * have had to go for it. If not, it has been logged, and the socket is to be closed after
 * ADMISSION_REFUSAL. `peer` NULL: a proxy, whose client will be counted by admission_identify().
 */
bool admission_enter(struct pop3_server *, const struct address *peer, const struct pop3_info *,
		     struct admission_ticket *);
/* A proxy has told whose connection it is, which is counted by that address from now on. NULL, or
 * why not, in words for the client; then it is counted in total alone. */
const char *admission_identify(struct pop3_server *, const struct address *client,
			       const struct pop3_info *, struct admission_ticket *);
/* The socket of a connection is closed; listeners that rest for lack of descriptors start again. */
void admission_leave(struct pop3_server *, const struct admission_ticket *);
/*
 * Close the oldest connection that has not logged in, so that who only holds a place cannot keep
 * out who wants in. False: all have, or came just now.
 */
bool admission_evict(struct pop3_server *);
/* What a refused client is told (RFC 3206 section 4: it may pass). */
#define ADMISSION_REFUSAL "-ERR [SYS/TEMP] too many connections\r\n"

/* accept(2) or what follows it failed for lack of something: let listeners rest a little. */
void admission_pause(struct pop3_server *, const char *what, int error);
/* Their rest is over. */
void admission_resume(struct pop3_server *);
void admission_fini(struct admission *);

#endif
