/*
 * The life of a connection. Whatever happened to it, connection_serve() is where it is looked at;
 * all others only note something and activate it. So there is one place that decides what is over.
 */
#include "net/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/proxies.h"
#include "net/pump.h"
#include "net/server.h"
#include "net/tls.h"

/* ---- Events of the socket ---- */

/*
 * A socket that is shut in both directions stays ready for ever. While its input is wanted reading
 * finds the end; while not, it has to leave the poll set, or the loop would spin.
 */
static void on_ready(struct watch *watch, short events)
{
	struct connection *c = list_entry(watch, struct connection, watch);
	bool reading = (watch->events & POLLIN) != 0;

	if ((events & (POLLIN | POLLHUP | POLLERR)) != 0)
		c->readable = true;
	if ((events & (POLLOUT | POLLHUP | POLLERR)) != 0)
		c->blocked = false;
	if (!reading && (events & (POLLERR | POLLNVAL)) != 0)
		c->broken = true;
	if (!reading && (events & POLLHUP) != 0) {
		c->hung_up = true;
		loop_remove(&c->server->loop, watch);
	}
	connection_activate(c);
}

void connection_activate(struct connection *c)
{
	if (!list_linked(&c->active))
		list_insert(&c->server->active, &c->active);
}

/* ---- Begin and end ---- */

int connection_open(struct pop3_server *s, int descriptor, const struct pop3_info *info,
		    const struct admission_ticket *ticket, bool tls_first, struct arrival *arrival)
{
	/* One timer more: the server's own. */
	if (timers_reserve(&s->timers, s->connection_count + 2) < 0)
		return -ENOMEM;
	struct connection *c = calloc(1, sizeof *c);
	if (c == NULL)
		return -ENOMEM;
	c->server = s;
	c->watch.on_ready = on_ready;
	c->open = true;
	c->since = s->now;
	buffer_init(&c->leftover, LEFTOVER_MAX);
	if (loop_add(&s->loop, &c->watch, descriptor, POLLIN) < 0) {
		free(c);
		return -ENOMEM;
	}
	/* Of the same moment as the session's options; `connected` may bring others. */
	c->tls_config = tls_config_ref(s->tls);
	c->session = session_new(&s->context, info, descriptor, c, s->now);
	if (c->session == NULL) {
		tls_config_unref(c->tls_config);
		loop_remove(&s->loop, &c->watch);
		free(c);
		return -ENOMEM;
	}
	c->ticket = *ticket;
	c->arrival = arrival;
	list_insert(&s->connections, &c->link);
	list_insert(&s->strangers, &c->stranger);
	s->connection_count++;
	if (arrival == NULL)
		session_begin(c->session, tls_first, s->now);
	connection_activate(c);
	return 0;
}

void connection_close(struct connection *c)
{
	if (!c->open)
		return;
	c->open = false;
	c->lingering = false;
	loop_remove(&c->server->loop, &c->watch);
	list_remove(&c->stranger);
	close(c->watch.descriptor);
	buffer_fini(&c->leftover);
	free(c->arrival);
	c->arrival = NULL;
	tls_free(c->tls);
	tls_config_unref(c->tls_config);
	c->tls = NULL;
	c->tls_config = NULL;
	admission_leave(c->server, &c->ticket);
}

void connection_end(struct connection *c, enum pop3_reason reason)
{
	connection_close(c);
	if (c->session != NULL)
		pop3_session_end(c->session, reason, c->server->now);
	connection_activate(c);
}

void connection_free(struct connection *c)
{
	connection_close(c);
	pop3_session_free(c->session);
	timers_clear(&c->server->timers, &c->timer);
	list_remove(&c->active);
	list_remove(&c->link);
	c->server->connection_count--;
	free(c);
}

/* ---- Lingering ---- */

/*
 * The last octet is queued. Octets of the client that meet a closed socket, now or later, make a
 * reset, which throws away what it has not taken yet. So only our side is shut until it closes,
 * too.
 */
static void close_gently(struct connection *c)
{
	if (c->at_end || shutdown(c->watch.descriptor, SHUT_WR) < 0) {
		connection_close(c);
		return;
	}
	c->lingering = true;
	c->linger_until = c->server->now + LINGER_TIME;
	c->linger_left = LINGER_OCTETS;
	buffer_fini(&c->leftover);
	if (c->readable)
		connection_activate(c);
}

/* ---- What comes next ---- */

static uint64_t deadline_of(const struct connection *c)
{
	uint64_t first = c->lingering ? c->linger_until : POP3_NO_DEADLINE;
	if (c->tls != NULL && !c->lingering) {
		first = c->output_by;
		if (c->flush_until > 0 && c->flush_until < first)
			first = c->flush_until;
	}
	if (c->session != NULL) {
		uint64_t deadline = pop3_session_wants(c->session).deadline;
		first = deadline < first ? deadline : first;
	}
	return first;
}

/* Close the socket and free the session as far as they are done. */
static void settle_session(struct connection *c)
{
	struct pop3_wants w = pop3_session_wants(c->session);
	if (w.close && c->open && !c->lingering) {
		if (!pump_tls_is_flushed(c))
			return;
		if (c->open)
			close_gently(c);
		pop3_session_end(c->session, POP3_REASON_DROPPED, c->server->now);
		w = pop3_session_wants(c->session);
	}
	if (w.finished && !c->loading) {
		pop3_session_free(c->session);
		c->session = NULL;
	}
}

static void settle_watch(struct connection *c)
{
	short events = 0;
	if (c->lingering) {
		events = POLLIN;
	} else if (c->session != NULL) {
		struct pop3_wants w = pop3_session_wants(c->session);
		bool read = !c->at_end &&
			    (w.read || c->arrival != NULL || (w.start_tls && c->tls != NULL));
		events = (short)((read ? POLLIN : 0) | (c->blocked ? POLLOUT : 0));
	}
	loop_change(&c->server->loop, &c->watch, events);
}

void connection_serve(struct connection *c)
{
	struct pop3_server *s = c->server;
	if (c->broken && c->open)
		connection_end(c, POP3_REASON_LOST);
	if (c->open)
		connection_pump(c);
	if (c->session != NULL && !session_is_secret(c->session))
		list_remove(&c->stranger);
	if (c->session != NULL)
		settle_session(c);
	if (c->open)
		settle_watch(c);

	if (c->session == NULL && !c->open && !c->loading) {
		list_remove(&c->active);
		list_remove(&c->link);
		list_insert(&s->over, &c->link);
		return;
	}
	uint64_t deadline = deadline_of(c);
	timers_set(&s->timers, &c->timer, deadline > s->now ? deadline : s->now + 1);
}

/* Timers are lazy: this one may have been set for an older deadline. */
void connection_expire(struct connection *c)
{
	struct pop3_server *s = c->server;
	uint64_t deadline = deadline_of(c);
	if (deadline > s->now) {
		timers_set(&s->timers, &c->timer, deadline);
		return;
	}
	if (c->lingering && c->linger_until <= s->now)
		connection_close(c);
	if (c->tls != NULL && !c->lingering && c->output_by <= s->now)
		connection_end(c, POP3_REASON_TIMEOUT);
	if (c->session != NULL)
		pop3_session_tick(c->session, s->now);
	connection_activate(c);
}

void connection_loaded(struct connection *c)
{
	c->loading = false;
	pop3_session_loaded(c->session, c->job.result, c->server->now);
	connection_activate(c);
}
