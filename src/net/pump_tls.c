/*
 * Octets between a socket and its session when TLS is between them. The socket is read only when
 * all that was read has been decrypted, it is decrypted only when the session takes commands, and
 * the session's output is encrypted only while there is room for it: a client that sends or does
 * not read is slowed down as without TLS, and holds one block more.
 *
 * One record may hold several commands and one read several records: the stream is asked before the
 * socket is, which may be silent for ever.
 */
#include <errno.h>
#include <sys/socket.h>

#include "net/connection.h"
#include "net/pump.h"
#include "net/server.h"
#include "net/tls.h"

static void fail(struct connection *c)
{
	session_note_fault(c->session, tls_fault(c->tls));
	pop3_session_end(c->session, POP3_REASON_TLS, c->server->now);
}

void pump_tls_start(struct connection *c)
{
	c->output_by = POP3_NO_DEADLINE;
	c->tls = tls_new(c->tls_config, &c->server->context.blocks);
	if (c->tls != NULL)
		return;
	session_note_fault(c->session, "no memory for TLS");
	connection_end(c, POP3_REASON_ERROR);
}

/* ---- In ---- */

/* An end that the client has not announced may have been made by somebody else. */
static void cut_off(struct connection *c)
{
	session_note_fault(c->session, tls_state(c->tls) == TLS_SHAKING
					       ? "the stream ended in the TLS handshake"
					       : "the TLS stream was cut off");
	pump_end_of_stream(c);
}

static bool receive(struct connection *c, size_t *budget)
{
	ssize_t got = recv(c->watch.descriptor, c->server->scratch, SCRATCH_SIZE, 0);
	if (got < 0)
		return pump_failed(c, &c->readable, false);
	if (got == 0) {
		cut_off(c);
		return true;
	}
	c->readable = got == SCRATCH_SIZE || c->hung_up;
	pump_spend(budget, (size_t)got);
	if (tls_feed(c->tls, c->server->scratch, (size_t)got) < 0)
		connection_end(c, POP3_REASON_ERROR);
	return true;
}

/* It is costly, so in each turn only some go on. */
static bool shake(struct connection *c, size_t *budget)
{
	struct pop3_server *s = c->server;
	if (tls_is_hungry(c->tls))
		return c->readable && receive(c, budget);
	if (s->handshakes_left == 0) {
		connection_activate(c);
		return false;
	}
	s->handshakes_left--;
	int result = tls_shake(c->tls);
	if (result == 0) {
		struct pop3_info info = {.tls = true};
		tls_describe(c->tls, &info);
		pop3_session_secured(c->session, &info, s->now);
		return true;
	}
	if (result != -EAGAIN) {
		fail(c);
		return true;
	}
	return tls_is_hungry(c->tls);
}

bool pump_tls_in(struct connection *c, const struct pop3_wants *w, size_t *budget)
{
	struct pop3_server *s = c->server;
	if (c->at_end)
		return false;
	if (tls_state(c->tls) == TLS_SHAKING)
		return w->start_tls && shake(c, budget);
	if (!w->read)
		return false;
	if (c->leftover.length > 0)
		return pump_feed_leftover(c);
	ssize_t got = tls_read(c->tls, s->plaintext, sizeof s->plaintext);
	if (got > 0) {
		pump_spend(budget, (size_t)got);
		pump_feed(c, s->plaintext, (size_t)got);
		return true;
	}
	if (got == -EAGAIN)
		return tls_is_hungry(c->tls) && c->readable && receive(c, budget);
	if (got == 0)
		pump_end_of_stream(c);
	else
		fail(c);
	return true;
}

/* ---- Out ---- */

static bool is_writable(const struct connection *c)
{
	enum tls_state state = tls_state(c->tls);
	return state == TLS_OPEN || state == TLS_CLOSED;
}

/* For the session these octets are sent; if they stay here the connection's own deadline ends it.
 */
static bool encrypt(struct connection *c)
{
	bool moved = false;
	if (!is_writable(c))
		return false;
	for (;;) {
		size_t length;
		const void *octets = pop3_session_output(c->session, &length);
		ssize_t taken = length == 0 ? -EAGAIN : tls_write(c->tls, octets, length);
		if (taken >= 0) {
			pop3_session_sent(c->session, (size_t)taken, c->server->now);
			moved = true;
			continue;
		}
		if (taken != -EAGAIN)
			fail(c);
		return moved || taken != -EAGAIN;
	}
}

static void note_progress(struct connection *c, bool waiting)
{
	uint32_t patience = c->server->context.settings->options.timeouts.write;
	c->output_by = waiting ? c->server->now + patience : POP3_NO_DEADLINE;
}

static bool send_output(struct connection *c, size_t *budget)
{
	size_t length;
	const void *octets = tls_output(c->tls, &length);
	if (length == 0 || c->blocked)
		return false;
	ssize_t sent = send(c->watch.descriptor, octets, length, MSG_NOSIGNAL);
	if (sent < 0) {
		bool again = pump_failed(c, &c->blocked, true);
		if (c->open && c->output_by == POP3_NO_DEADLINE)
			note_progress(c, true);
		return again;
	}
	c->blocked = (size_t)sent < length;
	note_progress(c, c->blocked);
	pump_spend(budget, (size_t)sent);
	tls_sent(c->tls, (size_t)sent);
	return true;
}

/* Reading may just have found out that the socket is gone, and TLS with it. */
bool pump_tls_out(struct connection *c, size_t *budget)
{
	if (c->blocked || !c->open)
		return false;
	bool moved = encrypt(c);
	return send_output(c, budget) || moved;
}

/* ---- The end ---- */

/*
 * What is left may end a reply, which the client has as much time for as without TLS: `output_by`,
 * which runs while the socket takes nothing. An alert, or whatever is left of a session that has
 * ended itself, is not worth waiting for.
 */
bool pump_tls_is_flushed(struct connection *c)
{
	size_t left, budget = TURN_OCTETS_MAX;
	if (c->tls == NULL)
		return true;
	tls_close(c->tls);
	while (c->open && send_output(c, &budget))
		;
	if (!c->open)
		return true;
	tls_output(c->tls, &left);
	if (left == 0)
		return true;
	if (is_writable(c) && !pop3_session_wants(c->session).finished)
		return false;
	if (c->flush_until == 0)
		c->flush_until = c->server->now + LINGER_TIME;
	return c->server->now >= c->flush_until;
}
