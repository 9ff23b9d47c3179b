/*
 * Options that every connection needs are set on the listening socket: on Linux an accepted socket
 * inherits them, which saves system calls; elsewhere they are set again.
 */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/connection.h"
#include "net/proxies.h"
#include "net/server.h"

struct listener {
	struct pop3_link link; /* in the server */
	struct watch watch;
	struct pop3_server *server;
	struct address address; /* the real one */
	bool tls;               /* connections begin with TLS */
	int burst;              /* connections taken in one turn */
	dev_t device;           /* of a unix socket's file; none if it was adopted */
	ino_t inode;
};

/* ---- Sockets ---- */

static void set_option(int descriptor, int level, int name, int value)
{
	/* None of the options is vital: what cannot be set is done without. */
	(void)setsockopt(descriptor, level, name, &value, sizeof value);
}

/* Each answer is written whole, so nothing is gained by waiting (Nagle) and 40 ms can be lost. */
static void set_connection_options(int descriptor)
{
	set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_NOTSENT_LOWAT
	set_option(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX);
#endif
}

static int open_socket(struct address *a)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int descriptor = socket(a->socket.any.sa_family, type, 0);
	if (descriptor < 0 && errno == EAFNOSUPPORT && a->every) {
		address_every_v4(a);
		descriptor = socket(AF_INET, type, 0);
	}
	if (descriptor < 0)
		return -errno;
	if (a->socket.any.sa_family == AF_INET6)
		set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, !a->every);
	if (a->socket.any.sa_family != AF_UNIX) {
		set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
		set_connection_options(descriptor);
	}
	return descriptor;
}

/* A socket file that nobody listens on any more: its server has died. */
static bool is_stale(const struct address *a)
{
	struct stat status;
	if (lstat(a->socket.path.sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return false;
	bool stale = connect(probe, &a->socket.any, a->length) < 0 && errno == ECONNREFUSED;
	close(probe);
	return stale;
}

static int bind_socket(int descriptor, const struct address *a)
{
	if (bind(descriptor, &a->socket.any, a->length) == 0)
		return 0;
	int error = errno;
	if (error != EADDRINUSE || a->socket.any.sa_family != AF_UNIX || !is_stale(a))
		return -error;
	if (unlink(a->socket.path.sun_path) < 0)
		return -errno;
	return bind(descriptor, &a->socket.any, a->length) < 0 ? -errno : 0;
}

/* A kernel may know IPv6 and have no address of it; then ":port" means IPv4, too. */
static int open_bound(struct address *a)
{
	int descriptor = open_socket(a);
	if (descriptor < 0)
		return descriptor;
	int error = bind_socket(descriptor, a);
	if (error == 0)
		return descriptor;
	close(descriptor);
	if (error != -EADDRNOTAVAIL || !a->every || a->socket.any.sa_family != AF_INET6)
		return error;
	address_every_v4(a);
	return open_bound(a);
}

/* ---- Accepting ---- */

static void describe(const struct listener *l, int descriptor, const struct address *peer,
		     struct pop3_info *info)
{
	struct address local = l->address;
	/* Only where any address is served the kernel has to be asked which one it was. */
	bool any = l->address.every ||
		   (l->address.socket.any.sa_family == AF_INET &&
		    l->address.socket.v4.sin_addr.s_addr == INADDR_ANY) ||
		   (l->address.socket.any.sa_family == AF_INET6 &&
		    IN6_IS_ADDR_UNSPECIFIED(&l->address.socket.v6.sin6_addr));
	if (any) {
		local.length = sizeof local.socket;
		if (getsockname(descriptor, &local.socket.any, &local.length) < 0)
			local = l->address;
	}
	*info = (struct pop3_info){.loopback = address_is_loopback(peer),
				   .stls = l->server->tls != NULL && !l->tls};
	address_format(peer, info->peer);
	address_format(&local, info->local);
}

static void refuse(int descriptor)
{
	/* Best effort: a new socket has room for a line. */
	(void)send(descriptor, ADMISSION_REFUSAL, strlen(ADMISSION_REFUSAL), MSG_NOSIGNAL);
	close(descriptor);
}

static void welcome(struct listener *l, int descriptor, const struct address *peer)
{
	struct pop3_server *s = l->server;
	struct pop3_info info;
	struct admission_ticket ticket;
	describe(l, descriptor, peer, &info);
#ifndef __linux__
	set_connection_options(descriptor);
#endif
	bool proxied = proxies_hold(s->proxies, peer);
	if (!admission_enter(s, proxied ? NULL : peer, &info, &ticket)) {
		if (l->tls)
			close(descriptor);
		else
			refuse(descriptor);
		return;
	}
	struct arrival *arrival = proxied ? arrival_new(s->proxies, peer, &info, l->tls) : NULL;
	int error = proxied && arrival == NULL
			    ? -ENOMEM
			    : connection_open(s, descriptor, &info, &ticket, l->tls, arrival);
	if (error == 0)
		return;
	free(arrival);
	close(descriptor);
	admission_leave(s, &ticket);
	admission_pause(s, "connection", -error);
}

/* Errors of a connection that is gone already, and of the network (accept(2)): the next, please. */
static bool is_passing(int error)
{
	static const int passing[] = {EINTR,       ECONNABORTED, EPROTO,       ENETDOWN,
				      ENOPROTOOPT, EHOSTDOWN,    EHOSTUNREACH, EOPNOTSUPP,
				      ENETUNREACH, EPERM,        ETIMEDOUT};
	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (error == passing[i])
			return true;
	return false;
}

/*
 * One connection a turn while they come one by one, which saves the call that finds no other; more
 * while there are more.
 */
static void on_ready(struct watch *watch, short events)
{
	struct listener *l = list_entry(watch, struct listener, watch);
	(void)events;
	for (int i = 0; i < l->burst && !l->server->admission.paused; i++) {
		struct address peer = {.length = sizeof peer.socket};
		int descriptor = accept4(watch->descriptor, &peer.socket.any, &peer.length,
					 SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (descriptor >= 0) {
			welcome(l, descriptor, &peer);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			l->burst = 1;
			return;
		} else if (errno == EMFILE && admission_evict(l->server)) {
			continue;
		} else if (!is_passing(errno)) {
			admission_pause(l->server, "accept", errno);
			return;
		}
	}
	l->burst = l->burst * 2 < ACCEPTS_A_TURN ? l->burst * 2 : ACCEPTS_A_TURN;
}

/* ---- Life ---- */

/* A bound socket begins to listen; its address is the real one then. */
static int start(struct listener *l, int descriptor)
{
	struct stat status;
	const struct address *a = &l->address;
	if (a->socket.any.sa_family == AF_UNIX && lstat(a->socket.path.sun_path, &status) == 0) {
		l->device = status.st_dev;
		l->inode = status.st_ino;
	}
	if (listen(descriptor, LISTEN_BACKLOG) < 0)
		return -errno;
	if (a->socket.any.sa_family == AF_UNIX)
		return 0;
	l->address.length = sizeof l->address.socket;
	return getsockname(descriptor, &l->address.socket.any, &l->address.length) < 0 ? -errno : 0;
}

/* Not if somebody has put another file there meanwhile. */
static void unlink_socket(const struct listener *l)
{
	struct stat status;
	const char *path = l->address.socket.path.sun_path;
	if (l->inode != 0 && lstat(path, &status) == 0 && status.st_dev == l->device &&
	    status.st_ino == l->inode)
		unlink(path);
}

static void close_listener(struct listener *l)
{
	l->server->tls_listeners -= l->tls;
	loop_remove(&l->server->loop, &l->watch);
	if (l->address.socket.any.sa_family == AF_UNIX)
		unlink_socket(l);
	if (l->watch.descriptor >= 0)
		close(l->watch.descriptor);
	list_remove(&l->link);
	free(l);
}

static struct listener *new_listener(struct pop3_server *s, int descriptor,
				     const struct address *address, bool tls)
{
	struct listener *l = calloc(1, sizeof *l);
	if (l == NULL)
		return NULL;
	l->server = s;
	l->tls = tls;
	l->burst = 1;
	l->address = *address;
	l->watch.on_ready = on_ready;
	l->watch.descriptor = descriptor;
	list_insert(&s->listeners, &l->link);
	s->tls_listeners += tls;
	return l;
}

static int serve(struct listener *l, int descriptor)
{
	char real[POP3_ADDRESS_SIZE];
	int error = loop_add(&l->server->loop, &l->watch, descriptor, POLLIN);
	if (error < 0)
		return error;
	address_format(&l->address, real);
	context_emit_listening(&l->server->context, real, address_port(&l->address), l->tls);
	return 0;
}

int listener_open(struct pop3_server *s, const char *text, bool tls)
{
	struct address address;
	int error = address_parse(text, &address);
	if (error < 0)
		return error;
	int descriptor = open_bound(&address);
	if (descriptor < 0)
		return descriptor;
	struct listener *l = new_listener(s, descriptor, &address, tls);
	if (l == NULL) {
		close(descriptor);
		return -ENOMEM;
	}
	error = start(l, descriptor);
	if (error == 0)
		error = serve(l, descriptor);
	if (error < 0)
		close_listener(l);
	return error;
}

/* Does it listen for streams of a kind that we know? Then its address. */
static bool is_listening(int descriptor, struct address *address)
{
	int type = 0, listening = 0;
	socklen_t size = sizeof type;
	*address = (struct address){.length = sizeof address->socket};
	if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
		return false;
	size = sizeof listening;
	if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening)
		return false;
	if (getsockname(descriptor, &address->socket.any, &address->length) < 0)
		return false;
	sa_family_t family = address->socket.any.sa_family;
	return family == AF_INET || family == AF_INET6 || family == AF_UNIX;
}

static int set_flags(int descriptor)
{
	int flags = fcntl(descriptor, F_GETFL);
	if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

int listener_adopt(struct pop3_server *s, int descriptor, bool tls)
{
	struct address address;
	if (!is_listening(descriptor, &address))
		return -EINVAL;
	int error = set_flags(descriptor);
	if (error < 0)
		return error;
	if (address.socket.any.sa_family != AF_UNIX)
		set_connection_options(descriptor);
	struct listener *l = new_listener(s, descriptor, &address, tls);
	if (l == NULL)
		return -ENOMEM;
	error = serve(l, descriptor);
	if (error < 0) {
		l->watch.descriptor = -1;
		close_listener(l);
	}
	return error;
}

void listeners_close(struct pop3_server *s)
{
	while (!list_empty(&s->listeners))
		close_listener(list_entry(s->listeners.next, struct listener, link));
}

static void listen_for(struct pop3_server *s, short events)
{
	for (struct pop3_link *i = s->listeners.next; i != &s->listeners; i = i->next)
		loop_change(&s->loop, &list_entry(i, struct listener, link)->watch, events);
}

void listeners_pause(struct pop3_server *s)
{
	listen_for(s, 0);
}

void listeners_resume(struct pop3_server *s)
{
	listen_for(s, POLLIN);
}
