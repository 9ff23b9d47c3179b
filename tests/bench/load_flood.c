/*
 * Modes `flood` and `beside`. Each client of the flood has a wrong password at the server all the
 * time, from the first one on until the caller says so; when it has been turned away it comes
 * again. `beside` is one who has logged in before the flood and says NOOP once a millisecond, and
 * one who logs in now and then, from another address.
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EVENTS_MAX = 64,
	LOGINS = 3,          /* from the other address */
	LOGIN_SOURCE = 2,    /* 127.0.0.2 */
	ONLOOKER_SOURCE = 3, /* 127.0.0.3 */
	LEAVING_PAUSE = 100, /* milliseconds between a QUIT and the next login of that user */
};

enum step { GREETING, USER_REPLY, PASS_REPLY };

struct client {
	int fd;
	enum step step;
	uint64_t user;
	struct reply reply;
};

struct flood {
	const struct options *options;
	int poll;
	uint64_t waiting; /* passwords to send until the flood is under way */
	uint64_t wrong;   /* passwords that were answered */
	struct client *clients;
};

/* ---- The flood ---- */

static int client_start(struct flood *flood, struct client *client)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

	client->step = GREETING;
	reply_begin(&client->reply, false);
	client->fd = load_connect(flood->options, SOCK_NONBLOCK);
	return client->fd < 0 ? -1 : epoll_ctl(flood->poll, EPOLL_CTL_ADD, client->fd, &event);
}

/* A server that has just closed is noticed when it is read. */
static void client_say(const struct client *client, const char *line, size_t length)
{
	ssize_t sent = send(client->fd, line, length, MSG_NOSIGNAL);

	(void)sent;
}

/* Told that it was wrong, or that too many were: it tries again. -1: it was right. */
static int client_next(struct flood *flood, struct client *client)
{
	char line[LOAD_COMMAND_MAX];
	bool ok = client->reply.ok;

	reply_begin(&client->reply, false);
	if (client->step == USER_REPLY) {
		client->step = PASS_REPLY;
		client_say(client, "PASS not this one\r\n", 19);
		if (flood->waiting > 0 && --flood->waiting == 0)
			printf("ready=1\n");
		return fflush(stdout);
	}
	if (client->step == PASS_REPLY && ok) {
		fprintf(stderr, "loadgen: a wrong password was right\n");
		return -1;
	}
	flood->wrong += client->step == PASS_REPLY;
	client->step = USER_REPLY;
	client_say(client, line, load_user_line(flood->options, client->user, line));
	return 0;
}

static int client_read(struct flood *flood, struct client *client)
{
	char data[1024];
	ssize_t got = recv(client->fd, data, sizeof data, 0);
	size_t used = 0;

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0) {
		close(client->fd);
		return client_start(flood, client);
	}
	while (used < (size_t)got) {
		used += reply_feed(&client->reply, data + used, (size_t)got - used);
		if (client->reply.done && client_next(flood, client) < 0)
			return -1;
	}
	return 0;
}

/* Until the caller says a line. 0 or -1. */
static int flood_loop(struct flood *flood)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int count = epoll_wait(flood->poll, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == NULL)
				return 0;
			if (client_read(flood, events[i].data.ptr) < 0)
				return -1;
		}
	}
}

static int flood_start(struct flood *flood)
{
	struct epoll_event caller = {.events = EPOLLIN};

	if (epoll_ctl(flood->poll, EPOLL_CTL_ADD, STDIN_FILENO, &caller) < 0)
		return -1;
	for (uint64_t i = 0; i < flood->options->clients; i++) {
		flood->clients[i].user = 1 + i % (flood->options->users - 1);
		if (client_start(flood, &flood->clients[i]) < 0)
			return -1;
	}
	return 0;
}

int mode_flood(const struct options *options)
{
	struct flood flood = {.options = options, .waiting = options->clients};
	int result = -1;

	flood.clients = calloc(options->clients + 1, sizeof *flood.clients);
	flood.poll = epoll_create1(EPOLL_CLOEXEC);
	if (flood.clients == NULL || flood.poll < 0 || options->users < 2)
		fprintf(stderr, "loadgen: flood needs clients, and two users or more\n");
	else if (flood_start(&flood) == 0)
		result = flood_loop(&flood);
	printf("wrong=%llu\n", (unsigned long long)flood.wrong);
	free(flood.clients);
	return result == 0 && flood.wrong > 0 ? 0 : 1;
}

/* ---- Beside it ---- */

/* One login of the other, from connect(2) on. Nanoseconds, 0 if it failed. */
static uint64_t log_in(const struct options *options, struct pulse *pulse)
{
	struct options from = *options;
	uint64_t start = load_now();
	char pass[LOAD_COMMAND_MAX];
	struct reply reply;
	int other;

	from.source = LOGIN_SOURCE;
	other = dialog_greet(&from, LOAD_OWNER);
	if (other < 0)
		return 0;
	load_pass_line(options, pass);
	/* Meanwhile there was none: that is not the server's. */
	pulse->due = load_now();
	if (pulse_until_answered(pulse, other, pass) < 0) {
		close(other);
		return 0;
	}
	start = load_now() - start;
	if (dialog_ask(other, "QUIT\r\n", &reply, false) < 0)
		start = 0;
	close(other);
	return start;
}

static int beside(const struct options *options, struct pulse *pulse)
{
	uint64_t slowest = 0;

	printf("open=1\n");
	load_wait_for_caller();
	pulse_begin(pulse);
	if (pulse_many(pulse, options->count) < 0)
		return -1;
	for (int i = 0; i < LOGINS; i++) {
		uint64_t taken = log_in(options, pulse);

		if (taken == 0)
			return -1;
		slowest = taken > slowest ? taken : slowest;
		load_sleep(LEAVING_PAUSE);
	}
	pulse_print(pulse, "noop");
	printf("login=%llu\n", (unsigned long long)slowest);
	return 0;
}

int mode_beside(const struct options *options)
{
	static struct pulse pulse;
	struct options from = *options;
	int status = 1;

	from.source = ONLOOKER_SOURCE;
	pulse.fd = dialog_open(&from, LOAD_ONLOOKER);
	if (pulse.fd >= 0)
		status = beside(options, &pulse) == 0 ? 0 : 1;
	if (pulse.fd >= 0)
		close(pulse.fd);
	return status;
}
