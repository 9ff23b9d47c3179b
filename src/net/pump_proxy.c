/*
 * The PROXY header on its way from the socket. Octets are looked at where they lie in the socket
 * and only those of the header are taken out: what follows may be TLS or commands, which have ways
 * of their own. Until the header is whole the session has not begun, and holds the deadline.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/secret.h"
#include "net/connection.h"
#include "net/proxies.h"
#include "net/pump.h"
#include "net/server.h"

static void give_up(struct connection *c, const char *why)
{
	session_note_fault(c->session, why);
	connection_end(c, POP3_REASON_REFUSED);
}

static void begin(struct connection *c, const struct proxy_header *h)
{
	struct pop3_server *s = c->server;
	struct arrival *a = c->arrival;
	struct pop3_info info;

	c->arrival = NULL;
	arrival_describe(a, h, &info);
	const struct address *client = h->unknown ? &a->peer : &h->source;
	const char *why = admission_identify(s, client, &info, &c->ticket);
	session_identify(c->session, &info);
	if (!arrival_may_begin(a, h))
		give_up(c, "the client does not speak POP3 (ALPN)");
	else if (why != NULL)
		session_refuse(c->session, why, a->tls_first);
	else
		session_begin(c->session, a->tls_first, s->now);
	free(a);
}

/* The octets have been seen already, so this does not wait and does not end early. */
static bool take_out(struct connection *c, size_t length)
{
	while (length > 0) {
		ssize_t got = recv(c->watch.descriptor, c->server->scratch, length, 0);
		if (got <= 0 && (got == 0 || errno != EINTR)) {
			connection_end(c, POP3_REASON_LOST);
			return false;
		}
		length -= got > 0 ? (size_t)got : 0;
	}
	return true;
}

static void look(struct connection *c, const char *octets, size_t length)
{
	struct arrival *a = c->arrival;
	struct proxy_header header;
	size_t taken;
	enum proxy_status status = proxy_feed(&a->parser, octets, length, &taken, &header);
	/* What stays may be a password. */
	secret_wipe(c->server->scratch, length);
	if (status == PROXY_WRONG) {
		give_up(c, a->parser.wrong);
		return;
	}
	if (!take_out(c, taken))
		return;
	c->readable = taken < length || length == SCRATCH_SIZE || c->hung_up;
	if (status == PROXY_DONE)
		begin(c, &header);
}

bool pump_proxy(struct connection *c, size_t *budget)
{
	if (!c->readable || pop3_session_wants(c->session).close)
		return false;
	ssize_t got = recv(c->watch.descriptor, c->server->scratch, SCRATCH_SIZE, MSG_PEEK);
	if (got < 0)
		return pump_failed(c, &c->readable, false);
	if (got == 0) {
		session_note_fault(c->session, c->arrival->parser.length == 0
						       ? "ended before its PROXY header"
						       : "ended within its PROXY header");
		pump_end_of_stream(c);
		return true;
	}
	pump_spend(budget, (size_t)got);
	look(c, c->server->scratch, (size_t)got);
	return true;
}
