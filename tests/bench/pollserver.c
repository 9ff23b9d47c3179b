/*
 * The upper bound: a bare poll(2) server that answers +OK to every line and closes after QUIT.
 * No mail, no users, no limits. What it reaches is what the kernel and the load generator allow.
 * With `split` each answer is written in two pieces with Nagle's algorithm on: the fault that
 * the bench's check of delayed acknowledgements must find.
 *
 *     pollserver [split]        prints `listening pop3 127.0.0.1:PORT`
 */
#include <errno.h>
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

enum {
	REPLIES_MAX = 512, /* octets of answers to what one read(2) brings */
};

struct server {
	struct pollfd sockets[SOCKETS_MAX]; /* the first one listens */
	nfds_t count;
	bool split;
};

static struct server server;

static void send_reply(int fd, const char *text, size_t length)
{
	if (server.split) {
		send(fd, text, 1, MSG_NOSIGNAL);
		send(fd, text + 1, length - 1, MSG_NOSIGNAL);
	} else {
		send(fd, text, length, MSG_NOSIGNAL);
	}
}

static void accept_all(void)
{
	int on = 1;

	while (server.count < SOCKETS_MAX) {
		int fd = accept4(server.sockets[0].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (!server.split)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		send_reply(fd, "+OK\r\n", 5);
		server.sockets[server.count].fd = fd;
		server.sockets[server.count].events = POLLIN;
		server.sockets[server.count].revents = 0;
		server.count++;
	}
}

/* Whether a body belongs to the answer; only the check of delayed acknowledgements asks for one. */
static bool has_body(const char *line, size_t length)
{
	bool list = memcmp(line, "LIST", 4) == 0 || memcmp(line, "UIDL", 4) == 0;

	return memcmp(line, "RETR", 4) == 0 || memcmp(line, "TOP ", 4) == 0 ||
	       (list && length == 6);
}

/* Answers the lines of one read; the load generator never splits one. False: close. */
static bool serve(int fd)
{
	char data[1024];
	char replies[REPLIES_MAX];
	size_t length = 0;
	ssize_t got = recv(fd, data, sizeof data, 0);
	ssize_t start = 0;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	for (ssize_t i = 0; i < got && length + 16 < sizeof replies; i++) {
		if (data[i] != '\n')
			continue;
		memcpy(replies + length, "+OK 1 1\r\n.\r\n", 12);
		length +=
			i - start >= 4 && has_body(data + start, (size_t)(i + 1 - start)) ? 12 : 9;
		start = i + 1;
	}
	if (length > 0)
		send_reply(fd, replies, length);
	return got > 0 && data[0] != 'Q';
}

static void serve_all(void)
{
	for (nfds_t i = server.count - 1; i > 0; i--) {
		if (server.sockets[i].revents == 0 || serve(server.sockets[i].fd))
			continue;
		close(server.sockets[i].fd);
		server.count--;
		server.sockets[i] = server.sockets[server.count];
	}
}

int main(int argc, char **argv)
{
	server.split = argc > 1 && strcmp(argv[1], "split") == 0;
	server.sockets[0].fd = listen_any("pollserver");
	server.sockets[0].events = POLLIN;
	server.count = 1;
	for (;;) {
		if (poll(server.sockets, server.count, -1) < 0)
			continue;
		serve_all();
		if (server.sockets[0].revents != 0)
			accept_all();
	}
}
