/*
 * A bare GnuTLS server on poll(2), as in GnuTLS's own examples: what a handshake costs whoever uses
 * that library, with this server's priorities, a ticket key, and a certificate. It greets, answers
 * +OK to every line and closes after QUIT; no mail, no users, no limits, no log.
 *
 *     tlsserver CERT KEY        prints `listening pop3 127.0.0.1:PORT`
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bare.h"
#include "net/tls_priorities.h"

struct peer {
	gnutls_session_t tls;
	bool open; /* the handshake is over */
};

struct server {
	struct pollfd sockets[SOCKETS_MAX]; /* the first one listens */
	struct peer peers[SOCKETS_MAX];
	nfds_t count;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priorities;
	gnutls_datum_t ticket_key;
};

static struct server server;

static void check(int error, const char *what)
{
	if (error >= 0)
		return;
	fprintf(stderr, "tlsserver: %s: %s\n", what, gnutls_strerror(error));
	exit(1);
}

static void set_up(const char *certificate, const char *key)
{
	check(gnutls_certificate_allocate_credentials(&server.credentials), "credentials");
	check(gnutls_certificate_set_x509_key_file(server.credentials, certificate, key,
						   GNUTLS_X509_FMT_PEM),
	      certificate);
	check(gnutls_priority_init(&server.priorities, TLS_PRIORITIES, NULL), "priorities");
	check(gnutls_session_ticket_key_generate(&server.ticket_key), "ticket key");
}

static gnutls_session_t make_session(int fd)
{
	gnutls_session_t tls;

	check(gnutls_init(&tls, GNUTLS_SERVER | GNUTLS_NONBLOCK), "session");
	check(gnutls_priority_set(tls, server.priorities), "priorities");
	check(gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, server.credentials),
	      "credentials");
	check(gnutls_session_ticket_enable_server(tls, &server.ticket_key), "ticket key");
	gnutls_transport_set_int(tls, fd);
	return tls;
}

static void accept_all(void)
{
	int on = 1;

	while (server.count < SOCKETS_MAX) {
		int fd = accept4(server.sockets[0].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		server.sockets[server.count] = (struct pollfd){.fd = fd, .events = POLLIN};
		server.peers[server.count] = (struct peer){.tls = make_session(fd)};
		server.count++;
	}
}

/* False: close. */
static bool shake(struct peer *peer)
{
	int error = gnutls_handshake(peer->tls);

	if (error < 0 && gnutls_error_is_fatal(error) != 0)
		gnutls_alert_send_appropriate(peer->tls, error);
	if (error < 0)
		return gnutls_error_is_fatal(error) == 0;
	peer->open = true;
	return gnutls_record_send(peer->tls, "+OK\r\n", 5) > 0;
}

/* Each record is a line, as the load generator sends them. False: close. */
static bool serve(struct peer *peer)
{
	char data[1024];
	ssize_t got = 0;

	if (!peer->open)
		return shake(peer);
	do {
		got = gnutls_record_recv(peer->tls, data, sizeof data);
		if (got <= 0)
			return got < 0 && gnutls_error_is_fatal((int)got) == 0;
		if (gnutls_record_send(peer->tls, "+OK 1 1\r\n", 9) < 0)
			return false;
	} while (data[0] != 'Q');
	gnutls_bye(peer->tls, GNUTLS_SHUT_WR);
	return false;
}

static void serve_all(void)
{
	for (nfds_t i = server.count - 1; i > 0; i--) {
		if (server.sockets[i].revents == 0 || serve(&server.peers[i]))
			continue;
		gnutls_deinit(server.peers[i].tls);
		close(server.sockets[i].fd);
		server.count--;
		server.sockets[i] = server.sockets[server.count];
		server.peers[i] = server.peers[server.count];
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: tlsserver CERT KEY\n");
		return 64;
	}
	set_up(argv[1], argv[2]);
	server.sockets[0] = (struct pollfd){.fd = listen_any("tlsserver"), .events = POLLIN};
	server.count = 1;
	for (;;) {
		if (poll(server.sockets, server.count, -1) < 0)
			continue;
		serve_all();
		if (server.sockets[0].revents != 0)
			accept_all();
	}
}
