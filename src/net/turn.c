/* One turn of a server's loop (see server.h), and how it stops. */
#include <limits.h>

#include "base/clock.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/server.h"

/* ---- Stopping ---- */

static void end_all(struct pop3_server *s)
{
	s->ended = true;
	for (struct pop3_link *i = s->connections.next; i != &s->connections; i = i->next)
		connection_end(list_entry(i, struct connection, link), POP3_REASON_SHUTDOWN);
}

/* Those whose events nobody answered in time. */
static void abandon_all(struct pop3_server *s)
{
	struct pop3_link *next;
	for (struct pop3_link *i = s->connections.next; i != &s->connections; i = next) {
		struct connection *c = list_entry(i, struct connection, link);
		next = i->next;
		if (!c->loading)
			connection_free(c);
	}
}

void server_drain(struct pop3_server *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	listeners_close(s);
	for (struct pop3_link *i = s->connections.next; i != &s->connections; i = i->next) {
		struct connection *c = list_entry(i, struct connection, link);
		if (c->session != NULL)
			session_drain(c->session, s->now);
		connection_activate(c);
	}
}

/* Not in the middle of a walk over connections: it may free some. */
static void stop_step(struct pop3_server *s)
{
	uint64_t stop_at = atomic_load(&s->stop_at);
	if (stop_at == STOP_NEVER)
		return;
	server_drain(s);
	if (s->now >= stop_at && !s->ended)
		end_all(s);
	if (s->ended && s->now >= stop_at + STOP_GRACE)
		abandon_all(s);
}

/* After the grace only reads of files are left, and they wake the loop when they come back. */
static uint64_t stop_deadline(const struct pop3_server *s)
{
	uint64_t stop_at = atomic_load(&s->stop_at);
	if (stop_at == STOP_NEVER)
		return UINT64_MAX;
	if (!s->stopping)
		return 0;
	if (!s->ended)
		return stop_at;
	return s->now < stop_at + STOP_GRACE ? stop_at + STOP_GRACE : UINT64_MAX;
}

/* ---- A turn ---- */

void server_before_poll(struct pop3_server *s, int *timeout)
{
	uint64_t first = timers_first(&s->timers);
	uint64_t stop = stop_deadline(s);
	if (stop < first)
		first = stop;
	if (first == UINT64_MAX)
		*timeout = -1;
	if (!list_empty(&s->active) || atomic_load(&s->waker.pending))
		first = 0;
	if (first == UINT64_MAX)
		return;
	uint64_t now = first == 0 ? 0 : clock_now();
	uint64_t wait = first > now ? first - now : 0;
	*timeout = wait < INT_MAX ? (int)wait : INT_MAX;
}

static void serve_ready(struct pop3_server *s)
{
	short events;
	struct watch *w = loop_next(&s->loop, &events);
	while (w != NULL) {
		w->on_ready(w, events);
		w = loop_next(&s->loop, &events);
	}
}

static void take_messages(struct pop3_server *s)
{
	if (!waker_take(&s->waker))
		return;
	context_collect(&s->context, s->now);
	struct load_job *job = loader_take(&s->loader);
	while (job != NULL) {
		connection_loaded(list_entry(job, struct connection, job));
		job = loader_take(&s->loader);
	}
}

static void take_timers(struct pop3_server *s)
{
	struct timer *timer = timers_take(&s->timers, s->now);
	while (timer != NULL) {
		if (timer == &s->admission.pause_timer)
			admission_resume(s);
		else
			connection_expire(list_entry(timer, struct connection, timer));
		timer = timers_take(&s->timers, s->now);
	}
}

/* One round: who is activated meanwhile is served in the next turn. */
static void serve_active(struct pop3_server *s)
{
	struct pop3_link round;
	list_init(&round);
	list_insert(&s->active, &round);
	while (s->active.next != &round) {
		struct pop3_link *first = s->active.next;
		list_remove(first);
		connection_serve(list_entry(first, struct connection, active));
	}
	list_remove(&round);
}

static void reap(struct pop3_server *s)
{
	while (!list_empty(&s->over))
		connection_free(list_entry(s->over.next, struct connection, link));
}

void server_turn(struct pop3_server *s, const struct pollfd *set, size_t count)
{
	s->now = clock_now();
	s->handshakes_left = TLS_HANDSHAKES_A_TURN;
	loop_collect(&s->loop, set, count);
	serve_ready(s);
	take_messages(s);
	take_timers(s);
	stop_step(s);
	serve_active(s);
	reap(s);
}
