/*
 * Mode `retr`: each client logs in to a maildrop of its own and fetches every message, again and
 * again until the time is over. All sessions of a run have to see the same number of messages
 * and octets; the caller compares these with the other server's and with what it wrote to disk.
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
	WINDOW = 64, /* commands sent ahead of their replies when pipelining; half is refilled at
			once */
	CLIENTS_MAX = 64,
};

enum step { GREETING, USER_REPLY, PASS_REPLY, STAT_REPLY, RETR_REPLY, QUIT_REPLY };

struct client {
	struct stream stream;
	enum step step;
	uint64_t user;
	uint64_t total;  /* messages in the maildrop */
	uint64_t asked;  /* the last message number sent */
	uint64_t seen;   /* messages received whole */
	uint64_t octets; /* of them */
	struct reply reply;
};

struct fetch {
	const struct options *options;
	int poll;
	uint64_t deadline;
	uint64_t active;
	uint64_t sessions;
	uint64_t failures;
	uint64_t octets;     /* of all sessions */
	uint64_t each_total; /* messages of one session; the first one sets it */
	uint64_t each_octets;
	struct client clients[CLIENTS_MAX];
};

static void client_start(struct fetch *fetch, struct client *client)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

	client->step = GREETING;
	client->asked = 0;
	client->seen = 0;
	client->octets = 0;
	reply_begin(&client->reply, false);
	if (stream_open(&client->stream, fetch->options, NULL) < 0 ||
	    epoll_ctl(fetch->poll, EPOLL_CTL_ADD, client->stream.fd, &event) < 0)
		fetch->failures++;
	else
		fetch->active++;
}

static void client_fail(struct fetch *fetch, struct client *client, const char *reason)
{
	fprintf(stderr, "loadgen: user %s%04llu, step %u, message %llu: %s\n",
		fetch->options->prefix, (unsigned long long)client->user, (unsigned)client->step,
		(unsigned long long)client->seen + 1, reason);
	stream_close(&client->stream);
	fetch->active--;
	fetch->failures++;
}

/* Asks for the messages up to number last in one write. */
static int client_ask(struct client *client, uint64_t last)
{
	char text[WINDOW * 16];
	size_t length = 0;

	while (client->asked < last) {
		client->asked++;
		length += (size_t)snprintf(text + length, sizeof text - length, "RETR %llu\r\n",
					   (unsigned long long)client->asked);
	}
	return stream_send(&client->stream, text, length);
}

/* Keeps the window full, or asks for the one next message. */
static int client_refill(const struct fetch *fetch, struct client *client)
{
	uint64_t ahead = client->asked - client->seen;
	uint64_t window = fetch->options->pipelined != 0 ? WINDOW : 1;
	uint64_t last = client->seen + window;

	if (last > client->total)
		last = client->total;
	if (last == client->asked || ahead > window / 2)
		return 0;
	return client_ask(client, last);
}

static void client_finish(struct fetch *fetch, struct client *client)
{
	stream_close(&client->stream);
	fetch->active--;
	if (fetch->sessions == 0) {
		fetch->each_total = client->seen;
		fetch->each_octets = client->octets;
	}
	fetch->sessions++;
	fetch->octets += client->octets;
	if (client->seen != fetch->each_total || client->octets != fetch->each_octets) {
		fprintf(stderr, "loadgen: user %s%04llu has %llu messages, %llu octets\n",
			fetch->options->prefix, (unsigned long long)client->user,
			(unsigned long long)client->seen, (unsigned long long)client->octets);
		fetch->failures++;
	}
	if (fetch->failures == 0 && load_now() < fetch->deadline)
		client_start(fetch, client);
}

/* The next message, or QUIT after the last one. */
static int client_retr(const struct fetch *fetch, struct client *client)
{
	if (client->seen == client->total) {
		client->step = QUIT_REPLY;
		reply_begin(&client->reply, false);
		return stream_send(&client->stream, "QUIT\r\n", 6);
	}
	client->step = RETR_REPLY;
	reply_begin(&client->reply, true);
	return client_refill(fetch, client);
}

static int client_line(struct client *client, enum step step, const char *line, size_t length)
{
	client->step = step;
	reply_begin(&client->reply, false);
	return stream_send(&client->stream, line, length);
}

/* A whole reply is there: what the client does next. */
static int client_next(const struct fetch *fetch, struct client *client)
{
	char line[LOAD_COMMAND_MAX];

	switch (client->step) {
	case GREETING:
		return client_line(client, USER_REPLY, line,
				   load_user_line(fetch->options, client->user, line));
	case USER_REPLY:
		return client_line(client, PASS_REPLY, line, load_pass_line(fetch->options, line));
	case PASS_REPLY:
		return client_line(client, STAT_REPLY, "STAT\r\n", 6);
	case STAT_REPLY:
		client->total = reply_number(&client->reply, 0);
		return client_retr(fetch, client);
	default:
		client->seen++;
		client->octets += client->reply.octets;
		return client_retr(fetch, client);
	}
}

/* All replies, or their pieces, in what was read; pipelined ones come many at a time. */
static void client_take(struct fetch *fetch, struct client *client, const char *data, size_t length)
{
	size_t used = 0;

	while (used < length) {
		used += reply_feed(&client->reply, data + used, length - used);
		if (!client->reply.done)
			return;
		if (!client->reply.ok) {
			client_fail(fetch, client, client->reply.status);
			return;
		}
		if (client->step == QUIT_REPLY) {
			client_finish(fetch, client);
			return;
		}
		if (client_next(fetch, client) < 0) {
			client_fail(fetch, client, "cannot send");
			return;
		}
	}
}

static void client_read(struct fetch *fetch, struct client *client)
{
	const char *data;
	ssize_t got = stream_receive(&client->stream, &data);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		client_fail(fetch, client, got < 0 ? strerror(errno) : "connection closed");
	else
		client_take(fetch, client, data, (size_t)got);
}

static void fetch_loop(struct fetch *fetch)
{
	struct epoll_event events[CLIENTS_MAX];

	while (fetch->active > 0) {
		int count = epoll_wait(fetch->poll, events, CLIENTS_MAX, LOAD_HANG_MILLISECONDS);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0) {
			fprintf(stderr, "loadgen: %llu clients hang\n",
				(unsigned long long)fetch->active);
			fetch->failures += fetch->active;
			return;
		}
		for (int i = 0; i < count; i++)
			client_read(fetch, events[i].data.ptr);
	}
}

int mode_retr(const struct options *options)
{
	static struct fetch fetch;
	uint64_t start = load_now();

	fetch.options = options;
	fetch.poll = epoll_create1(EPOLL_CLOEXEC);
	fetch.deadline = start + options->milliseconds * (LOAD_SECOND / 1000);
	if (fetch.poll < 0 || options->clients == 0 || options->clients > CLIENTS_MAX) {
		fprintf(stderr, "loadgen: clients: 1 to %d\n", CLIENTS_MAX);
		return 1;
	}
	for (uint64_t i = 0; i < options->clients; i++) {
		fetch.clients[i].user = i;
		client_start(&fetch, &fetch.clients[i]);
	}
	fetch_loop(&fetch);
	printf("sessions=%llu messages=%llu octets=%llu total_octets=%llu nanoseconds=%llu "
	       "failures=%llu\n",
	       (unsigned long long)fetch.sessions, (unsigned long long)fetch.each_total,
	       (unsigned long long)fetch.each_octets, (unsigned long long)fetch.octets,
	       (unsigned long long)(load_now() - start), (unsigned long long)fetch.failures);
	return fetch.failures == 0 && fetch.sessions > 0 ? 0 : 1;
}
