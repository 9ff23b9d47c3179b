/*
 * One client: a socket, a session, and what is on its way between them. The session may outlive the
 * socket while answers are outstanding, and the socket the session while the last reply lingers;
 * the record goes when both are gone. A quiet connection holds no memory but this record and its
 * session.
 */
#ifndef POP3_NET_CONNECTION_H
#define POP3_NET_CONNECTION_H

#include "base/buffer.h"
#include "net/admission.h"
#include "net/loader.h"
#include "net/loop.h"
#include "net/timers.h"

struct connection {
	struct pop3_link link;     /* in the server's list of connections, or of those over */
	struct pop3_link active;   /* in the server's list of those to be pumped */
	struct pop3_link stranger; /* in the server's list of those that have not logged in */
	struct watch watch;
	struct timer timer;
	struct pop3_server *server;
	struct pop3_session *session;  /* NULL once it is finished and freed */
	struct buffer leftover;        /* read, and not taken by the session yet */
	struct arrival *arrival;       /* its PROXY header is due; NULL: it is not */
	struct tls_config *tls_config; /* of when it was accepted; NULL: no TLS */
	struct tls *tls;               /* between socket and session; NULL: nothing is */
	uint64_t output_by;            /* with tls: when its output must have moved on */
	uint64_t flush_until;          /* an alert must be out; 0: that is not due */
	struct load_job job;
	struct admission_ticket ticket;
	uint64_t since; /* when it was accepted */
	uint64_t linger_until;
	uint32_t linger_left; /* octets still dropped while lingering */
	bool open;            /* there is a socket */
	bool readable;        /* reading may give something */
	bool blocked;         /* the socket takes no output until POLLOUT */
	bool broken;          /* an error was found while nothing was to be read */
	bool hung_up;         /* both directions are shut; the watch has been removed */
	bool at_end;          /* the client's stream has ended */
	bool lingering;
	bool loading;    /* the job is with the loader */
	bool no_try_now; /* loader_try() cannot tell on this client's file system */
};

/*
 * A client has been accepted. Emits `connected`, with `tls_first` after the handshake, with an
 * arrival after the header. 0, then descriptor, ticket and arrival are the connection's; -ENOMEM.
 */
int connection_open(struct pop3_server *, int descriptor, const struct pop3_info *,
		    const struct admission_ticket *, bool tls_first, struct arrival *);
/* There may be something to do: it is pumped in this turn or the next. */
void connection_activate(struct connection *);
/* Move octets both ways, then see what is wanted next and what is over. */
void connection_serve(struct connection *);
/* Its timer went off. */
void connection_expire(struct connection *);
/* Its job has come back from the loader. */
void connection_loaded(struct connection *);
/* End the session and close the socket at once. */
void connection_end(struct connection *, enum pop3_reason);
/* End everything, also what is outstanding, and free; not while the job is with the loader. */
void connection_free(struct connection *);

/* pump.c: between socket and session, until nothing moves or it is the others' turn. */
void connection_pump(struct connection *);
/* The socket is gone for the client. */
void connection_close(struct connection *);

#endif
