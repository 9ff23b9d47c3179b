/* See client.h. */
#include "oom/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "oom/oom.h"
#include "oom/tls.h"

enum {
	ENTRIES_MAX = 64,
	HANG_SECONDS = 60, /* a hang guard, not a measure of speed */
};

static time_t seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void server_step(struct pop3_server *server, int wait)
{
	struct pollfd set[ENTRIES_MAX];
	int timeout;
	size_t count = pop3_server_pollfds(server, set, ENTRIES_MAX, &timeout);
	if (count > ENTRIES_MAX)
		count = ENTRIES_MAX;
	if (timeout < 0 || timeout > wait)
		timeout = wait;
	if (poll(set, count, timeout) < 0)
		count = 0;
	pop3_server_dispatch(server, set, count);
}

void client_forget(struct client *c)
{
	tls_forget(c);
	if (c->socket >= 0)
		close(c->socket);
	c->socket = -1;
}

/* More octets into the buffer; false: the server is gone. */
static bool receive(struct client *c)
{
	time_t end = seconds() + HANG_SECONDS;
	if (c->socket < 0)
		return false;
	if (c->start > 0) {
		memmove(c->buffer, c->buffer + c->start, c->length);
		c->start = 0;
	}
	for (;;) {
		char *next = c->buffer + c->length;
		size_t room = CLIENT_BUFFER - c->length;
		ssize_t got = c->tls != NULL ? tls_receive(c, next, room)
					     : recv(c->socket, next, room, MSG_DONTWAIT);
		if (got > 0) {
			c->length += (size_t)got;
			return true;
		}
		if (got == 0 || errno != EAGAIN || seconds() > end)
			break;
		if (c->between != NULL)
			c->between();
		server_step(c->server, 1);
	}
	CHECK(seconds() <= end);
	client_forget(c);
	return false;
}

/* The next line in place, its CRLF cut off; NULL: the server is gone. */
static char *next_line(struct client *c, size_t *length)
{
	char *end = NULL;
	while (end == NULL) {
		if (c->length > 0)
			end = memchr(c->buffer + c->start, '\n', c->length);
		if (end == NULL && !receive(c))
			return NULL;
	}
	char *line = c->buffer + c->start;
	*length = (size_t)(end - line) + 1;
	c->start += *length;
	c->length -= *length;
	CHECK(*length >= 2 && end[-1] == '\r');
	return line;
}

bool client_reply(struct client *c, bool multiline)
{
	size_t length;
	char *line = next_line(c, &length);
	c->status[0] = '\0';
	c->lines = 0;
	c->octets = 0;
	if (line == NULL)
		return false;
	CHECK(length < CLIENT_LINE);
	if (length >= CLIENT_LINE)
		length = CLIENT_LINE - 1;
	memcpy(c->status, line, length);
	c->status[length] = '\0';
	bool good = memcmp(c->status, "+OK", 3) == 0;
	CHECK(good || memcmp(c->status, "-ERR", 4) == 0);
	while (good && multiline) {
		line = next_line(c, &length);
		if (line == NULL)
			return false;
		if (length == 3 && line[0] == '.')
			break;
		c->lines++;
		c->octets += length - (line[0] == '.');
	}
	return good;
}

void client_send(struct client *c, const char *octets, size_t length)
{
	if (c->socket >= 0 && c->tls != NULL)
		tls_send(c, octets, length);
	else if (c->socket >= 0)
		(void)!send(c->socket, octets, length, MSG_NOSIGNAL);
}

bool client_open(struct client *c, struct pop3_server *server, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->server = server;
	c->start = 0;
	c->length = 0;
	c->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (c->socket < 0 ||
	    connect(c->socket, (const struct sockaddr *)&address, sizeof address) < 0) {
		client_forget(c);
		return false;
	}
	if (c->header != NULL) {
		size_t half = strlen(c->header) / 2;
		client_send(c, c->header, half);
		server_step(server, 0);
		client_send(c, c->header + half, strlen(c->header) - half);
	}
	if (c->tls_first && !tls_secure(c)) {
		client_forget(c);
		return false;
	}
	return client_reply(c, false);
}

void client_close(struct client *c)
{
	client_forget(c);
	for (int i = 0; i < 3; i++)
		server_step(c->server, 0);
}

/* In two halves, so that the server has to keep the first one. */
static void send_line(struct client *c, const char *line)
{
	size_t half = strlen(line) / 2;
	client_send(c, line, half);
	server_step(c->server, 0);
	server_step(c->server, 0);
	client_send(c, line + half, strlen(line) - half);
	client_send(c, "\r\n", 2);
}

bool client_ask(struct client *c, const char *line)
{
	send_line(c, line);
	return client_reply(c, false);
}

bool client_fetch(struct client *c, const char *line)
{
	send_line(c, line);
	return client_reply(c, true);
}
