/*
 * One session in lock-step over a blocking socket: for modes that measure a single client.
 */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int dialog_read(int fd, struct reply *reply, bool multi)
{
	static char data[LOAD_RECEIVE_MAX];

	reply_begin(reply, multi);
	while (!reply->done) {
		ssize_t got = recv(fd, data, sizeof data, 0);

		if (got <= 0) {
			fprintf(stderr, "loadgen: connection lost: %s\n",
				got < 0 ? strerror(errno) : "end of file");
			return -1;
		}
		if (reply_feed(reply, data, (size_t)got) != (size_t)got) {
			fprintf(stderr, "loadgen: octets after the reply: %s\n", reply->status);
			return -1;
		}
	}
	if (!reply->ok)
		fprintf(stderr, "loadgen: refused: %s\n", reply->status);
	return reply->ok ? 0 : -1;
}

int dialog_ask(int fd, const char *line, struct reply *reply, bool multi)
{
	if (load_send(fd, line, strlen(line)) < 0)
		return -1;
	return dialog_read(fd, reply, multi);
}

static int greet(int fd, const struct options *options, uint64_t user)
{
	char line[LOAD_COMMAND_MAX];
	struct reply reply;

	if (dialog_read(fd, &reply, false) < 0)
		return -1;
	load_user_line(options, user, line);
	return dialog_ask(fd, line, &reply, false);
}

int dialog_greet(const struct options *options, uint64_t user)
{
	struct timeval hang = {.tv_sec = LOAD_HANG_MILLISECONDS / 1000};
	int on = 1;
	int fd = load_connect(options, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &hang, sizeof hang);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (greet(fd, options, user) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int dialog_pass(int fd, const struct options *options)
{
	char line[LOAD_COMMAND_MAX];
	struct reply reply;

	load_pass_line(options, line);
	return dialog_ask(fd, line, &reply, false);
}

int dialog_open(const struct options *options, uint64_t user)
{
	int fd = dialog_greet(options, user);

	if (fd >= 0 && dialog_pass(fd, options) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}
