/*
 * Octets between a socket and its session. All commands at hand are taken up before anything is
 * sent, so that pipelined commands are answered in one write; what the session produces is sent
 * when it takes no more.
 *
 * Back-pressure: nothing is read while the session takes nothing, so TCP slows down a client that
 * sends; the session stops producing while its output is full, so a client that does not read holds
 * one block.
 */
#include <errno.h>
#include <sys/socket.h>

#include "base/secret.h"
#include "net/connection.h"
#include "net/pump.h"
#include "net/server.h"

void pump_spend(size_t *budget, size_t length)
{
	*budget -= length < *budget ? length : *budget;
}

/* ---- In ---- */

bool pump_feed_leftover(struct connection *c)
{
	size_t taken = pop3_session_feed(c->session, buffer_data(&c->leftover), c->leftover.length,
					 c->server->now);
	buffer_consume(&c->leftover, taken);
	return taken > 0;
}

/* Before the login the octets may be a password, which must not stay in shared memory. */
void pump_feed(struct connection *c, char *octets, size_t length)
{
	bool secret = session_is_secret(c->session);
	size_t taken = pop3_session_feed(c->session, octets, length, c->server->now);
	if (taken < length && buffer_append(&c->leftover, octets + taken, length - taken) < 0)
		connection_end(c, POP3_REASON_ERROR);
	if (secret)
		secret_wipe(octets, length);
}

void pump_end_of_stream(struct connection *c)
{
	c->at_end = true;
	c->readable = false;
	pop3_session_end(c->session, POP3_REASON_DROPPED, c->server->now);
}

bool pump_failed(struct connection *c, bool *waits, bool value)
{
	if (errno == EINTR)
		return true;
	*waits = value;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		connection_end(c, POP3_REASON_LOST);
	return false;
}

static bool receive(struct connection *c, size_t *budget)
{
	ssize_t got = recv(c->watch.descriptor, c->server->scratch, SCRATCH_SIZE, 0);
	if (got > 0) {
		/* A short read has emptied the socket; asking again would only cost. */
		c->readable = got == SCRATCH_SIZE || c->hung_up;
		pump_spend(budget, (size_t)got);
		pump_feed(c, c->server->scratch, (size_t)got);
		return true;
	}
	if (got == 0) {
		pump_end_of_stream(c);
		return true;
	}
	return pump_failed(c, &c->readable, false);
}

static bool take_input(struct connection *c, const struct pop3_wants *w, size_t *budget)
{
	if (!w->read)
		return false;
	if (c->leftover.length > 0)
		return pump_feed_leftover(c);
	return c->readable && receive(c, budget);
}

/* ---- Files ---- */

static bool take_load(struct connection *c, const struct pop3_wants *w)
{
	struct load_job *job = &c->job;
	if (!w->load || c->loading)
		return false;
	if (!pop3_session_load(c->session, &job->load))
		return false;
	int error = c->no_try_now ? -EOPNOTSUPP : loader_try(job);
	if (error == 0) {
		pop3_session_loaded(c->session, job->result, c->server->now);
	} else {
		c->no_try_now = error == -EOPNOTSUPP;
		c->loading = true;
		loader_submit(&c->server->loader, job);
	}
	return true;
}

/* ---- Out ---- */

static bool give_output(struct connection *c, size_t *budget)
{
	size_t length;
	if (c->blocked)
		return false;
	const void *octets = pop3_session_output(c->session, &length);
	if (length == 0)
		return false;
	ssize_t sent = send(c->watch.descriptor, octets, length, MSG_NOSIGNAL);
	if (sent >= 0) {
		c->blocked = (size_t)sent < length;
		pump_spend(budget, (size_t)sent);
		pop3_session_sent(c->session, (size_t)sent, c->server->now);
		return true;
	}
	return pump_failed(c, &c->blocked, true);
}

/* ---- All of it ---- */

/* What a client says after its last reply is dropped. */
static void pump_lingering(struct connection *c)
{
	while (c->open && c->readable) {
		ssize_t got = recv(c->watch.descriptor, c->server->scratch, SCRATCH_SIZE, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			c->readable = false;
		} else if (got <= 0 || (size_t)got >= c->linger_left) {
			connection_close(c);
		} else {
			secret_wipe(c->server->scratch, (size_t)got);
			c->linger_left -= (uint32_t)got;
		}
	}
}

/* True: something has moved. */
static bool step(struct connection *c, size_t *budget)
{
	if (c->arrival != NULL)
		return pump_proxy(c, budget);
	struct pop3_wants w = pop3_session_wants(c->session);
	/* What is left now came behind STLS, and goes to the session, which will not have it. */
	if (w.start_tls && c->tls == NULL && c->leftover.length == 0) {
		pump_tls_start(c);
		return true;
	}
	if (w.start_tls && c->tls == NULL)
		return pump_feed_leftover(c);
	if (c->tls != NULL)
		return pump_tls_in(c, &w, budget) || take_load(c, &w) || pump_tls_out(c, budget);
	return take_input(c, &w, budget) || take_load(c, &w) || give_output(c, budget);
}

void connection_pump(struct connection *c)
{
	size_t budget = TURN_OCTETS_MAX;
	if (c->lingering) {
		pump_lingering(c);
		return;
	}
	while (c->open && budget > 0) {
		if (!step(c, &budget))
			return;
	}
	if (c->open)
		connection_activate(c);
}
