/* The public functions of a server: its life, and the levels 1 and 2 of driving it. */
#include "net/server.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/configure.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/proxies.h"
#include "net/tls_config.h"

/* ---- What the context borrows ---- */

/*
 * The octets make APOP challenges, which above all must differ (RFC 1939 section 7); without the
 * kernel's random numbers the clock sees to that.
 */
static void fill_random(void *octets, size_t length)
{
	unsigned char *out = octets;
	size_t filled = 0;
	while (filled < length) {
		ssize_t got = getrandom(out + filled, length - filled, 0);
		if (got > 0) {
			filled += (size_t)got;
		} else if (errno != EINTR) {
			static _Atomic uint64_t number;
			uint64_t value = (clock_now() << 20) + number++;
			size_t part =
				length - filled < sizeof value ? length - filled : sizeof value;
			memcpy(out + filled, &value, part);
			filled += part;
		}
	}
}

static void wake(void *data)
{
	struct pop3_server *s = data;
	waker_wake(&s->waker);
}

static void answered(struct pop3_session *session, void *data)
{
	struct connection *c = session_owner(session);
	(void)data;
	if (c != NULL)
		connection_activate(c);
}

/* The machine's name where the caller gives none. */
static const char *own_hostname(char name[HOST_NAME_MAX + 1])
{
	name[HOST_NAME_MAX] = '\0';
	return gethostname(name, HOST_NAME_MAX) == 0 && name[0] != '\0' ? name : "localhost";
}

/* ---- Life ---- */

/* What it is about is found by waker_take(), in every turn. */
static void on_waker(struct watch *watch, short events)
{
	struct pop3_server *s = list_entry(watch, struct pop3_server, waker_watch);
	(void)events;
	waker_ready(&s->waker);
}

struct pop3_server *pop3_server_new(const char *hostname, const struct pop3_options *options,
				    struct pop3_listener *listener)
{
	struct pop3_server *s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	char name[HOST_NAME_MAX + 1];
	if (hostname == NULL)
		hostname = own_hostname(name);
	waker_init(&s->waker);
	int error = server_load_tls(s, options, &s->tls);
	if (error == 0)
		error = server_load_proxies(options, &s->proxies);
	if (error == 0)
		error = context_init(&s->context, hostname, options, fill_random, wake, s);
	if (error < 0) {
		tls_config_unref(s->tls);
		proxies_free(s->proxies);
		free(s);
		errno = -error;
		return NULL;
	}
	s->context.answered = answered;
	s->context.data = s;
	s->waker_watch.on_ready = on_waker;
	atomic_init(&s->stop_at, STOP_NEVER);
	loop_init(&s->loop);
	loader_init(&s->loader, &s->waker);
	list_init(&s->listeners);
	list_init(&s->connections);
	list_init(&s->active);
	list_init(&s->over);
	list_init(&s->strangers);
	error = listener == NULL ? 0 : pop3_server_attach(s, listener);
	if (error < 0) {
		pop3_server_free(s);
		errno = -error;
		return NULL;
	}
	return s;
}

/* Make what a poll loop needs. 0 or a negative errno value. */
static int open_loop(struct pop3_server *s)
{
	if (s->waker_watch.added)
		return 0;
	int error = waker_open(&s->waker);
	if (error == 0)
		error = timers_reserve(&s->timers, 1);
	if (error == 0)
		error = loop_add(&s->loop, &s->waker_watch, s->waker.read_end, POLLIN);
	return error;
}

/* Reads under way end before their sessions do. */
static void free_connections(struct pop3_server *s)
{
	s->now = clock_now();
	loader_stop(&s->loader);
	for (struct pop3_link *i = s->connections.next; i != &s->connections; i = i->next)
		connection_end(list_entry(i, struct connection, link), POP3_REASON_SHUTDOWN);
	struct load_job *job = loader_take(&s->loader);
	while (job != NULL) {
		connection_loaded(list_entry(job, struct connection, job));
		job = loader_take(&s->loader);
	}
	while (!list_empty(&s->connections))
		connection_free(list_entry(s->connections.next, struct connection, link));
}

void pop3_server_free(struct pop3_server *s)
{
	if (s == NULL)
		return;
	s->stopping = true;
	listeners_close(s);
	free_connections(s);
	context_fini(&s->context);
	tls_config_unref(s->tls);
	proxies_free(s->proxies);
	loader_fini(&s->loader);
	admission_fini(&s->admission);
	timers_fini(&s->timers);
	loop_remove(&s->loop, &s->waker_watch);
	loop_fini(&s->loop);
	waker_fini(&s->waker);
	free(s);
}

int pop3_server_attach(struct pop3_server *s, struct pop3_listener *listener)
{
	return emitter_attach(&s->context.emitter, listener);
}

/* What both ways to listen need. */
static int prepare_to_listen(struct pop3_server *s, const struct pop3_listen *given,
			     struct pop3_listen *how)
{
	*how = (struct pop3_listen){.size = sizeof *how};
	if (given->size == 0 || given->size > sizeof *how)
		return -EINVAL;
	memcpy(how, given, given->size);
	if (how->tls && s->tls == NULL)
		return -EINVAL;
	if (atomic_load(&s->stop_at) != STOP_NEVER)
		return -ECANCELED;
	return open_loop(s);
}

int pop3_server_listen_with(struct pop3_server *s, const char *address,
			    const struct pop3_listen *given)
{
	struct pop3_listen how;
	int error = prepare_to_listen(s, given, &how);
	return error < 0 ? error : listener_open(s, address, how.tls);
}

int pop3_server_adopt(struct pop3_server *s, int descriptor, const struct pop3_listen *given)
{
	struct pop3_listen how;
	int error = prepare_to_listen(s, given, &how);
	return error < 0 ? error : listener_adopt(s, descriptor, how.tls);
}

int pop3_server_listen(struct pop3_server *s, const char *address)
{
	const struct pop3_listen plain = {.size = sizeof plain};
	return pop3_server_listen_with(s, address, &plain);
}

struct pop3_session *pop3_session_new(struct pop3_server *s, const struct pop3_info *info,
				      uint64_t now)
{
	struct pop3_session *session = session_new(&s->context, info, -1, NULL, now);
	if (session != NULL)
		session_begin(session, false, now);
	return session;
}

/* ---- Level 2: the caller's loop ---- */

/* Without the descriptor that wakes it, the loop looks again after so many milliseconds. */
#define BLIND_TIMEOUT 100

size_t pop3_server_pollfds(struct pop3_server *s, struct pollfd *set, size_t size, int *timeout)
{
	bool blind = open_loop(s) < 0;
	size_t count = s->loop.count < size ? s->loop.count : size;
	if (count > 0)
		memcpy(set, s->loop.set, count * sizeof *set);
	server_before_poll(s, timeout);
	if (blind && (*timeout < 0 || *timeout > BLIND_TIMEOUT))
		*timeout = BLIND_TIMEOUT;
	return s->loop.count;
}

void pop3_server_dispatch(struct pop3_server *s, const struct pollfd *set, size_t count)
{
	server_turn(s, set, count);
}

bool pop3_server_stopped(const struct pop3_server *s)
{
	return atomic_load(&s->stop_at) != STOP_NEVER && list_empty(&s->connections);
}

/* ---- Level 1: a loop of its own ---- */

int pop3_server_run(struct pop3_server *s)
{
	int timeout;
	int error = open_loop(s);
	while (error == 0 && !pop3_server_stopped(s)) {
		server_before_poll(s, &timeout);
		int found = poll(s->loop.set, (nfds_t)s->loop.count, timeout);
		if (found < 0 && errno != EINTR)
			error = -errno;
		/* After a signal revents are not set. */
		server_turn(s, s->loop.set, found < 0 ? 0 : s->loop.count);
	}
	if (pop3_server_stopped(s))
		server_drain(s);
	return error;
}

void pop3_server_stop(struct pop3_server *s, uint32_t drain)
{
	uint64_t stop_at = clock_now() + drain;
	uint64_t before = atomic_load(&s->stop_at);
	while (stop_at < before && !atomic_compare_exchange_weak(&s->stop_at, &before, stop_at))
		;
	waker_wake(&s->waker);
}
