/*
 * Many sessions at once, each a normal client: a command only after the reply to the one before.
 * A client is a slot that opens one session after the other and owns a part of the users, so two
 * sessions never meet in one maildrop.
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
	EVENTS_MAX = 64,   /* taken from the kernel at once */
	OPENERS = 32,      /* sessions that are being opened at the same time */
	FAILURES_MAX = 20, /* the measurement is void after one; a few more tell why */
};

enum step { GREETING, USER_REPLY, PASS_REPLY, STAT_REPLY, QUIT_REPLY };

struct client {
	struct stream stream;
	struct ticket ticket; /* of its last session, if tickets are wanted */
	enum step step;
	uint64_t first_user;
	uint64_t last_user; /* one behind */
	uint64_t user;
	struct reply reply;
};

struct crowd {
	const struct options *options;
	int poll;
	uint64_t active;     /* slots with an open session */
	uint64_t deadline;   /* logins only */
	bool login;          /* else QUIT comes first */
	struct stream *kept; /* opening only: where finished sessions go */
	size_t kept_count;
	struct crowd_result result;
	struct client *clients;
	size_t pass_length;
	char pass[LOAD_COMMAND_MAX];
};

static void client_start(struct crowd *crowd, struct client *client)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

	client->step = GREETING;
	reply_begin(&client->reply, false);
	if (stream_open(&client->stream, crowd->options, &client->ticket) < 0) {
		crowd->result.failures++;
		return;
	}
	if (epoll_ctl(crowd->poll, EPOLL_CTL_ADD, client->stream.fd, &event) < 0) {
		perror("loadgen: epoll_ctl");
		stream_close(&client->stream);
		crowd->result.failures++;
		return;
	}
	crowd->active++;
}

static void client_fail(struct crowd *crowd, struct client *client, const char *reason)
{
	fprintf(stderr, "loadgen: user %s%04llu, step %u: %s\n", crowd->options->prefix,
		(unsigned long long)client->user, (unsigned)client->step, reason);
	stream_close(&client->stream);
	crowd->active--;
	crowd->result.failures++;
}

/* Takes the next user of the slot, the first one again after the last. */
static bool client_advance(struct client *client)
{
	client->user++;
	if (client->user < client->last_user)
		return true;
	client->user = client->first_user;
	return false;
}

/* What is known of tickets when a session is over. */
static void client_count_tickets(struct crowd *crowd, struct client *client)
{
	if (!crowd->options->resume)
		return;
	if (client->ticket.data != NULL) {
		crowd->result.offered++;
		crowd->result.resumed += stream_is_resumed(&client->stream);
	}
	ticket_keep(&client->ticket, &client->stream);
}

/* A session has reached its last step: repeat it, or keep it open and open the next one. */
static void client_finish(struct crowd *crowd, struct client *client)
{
	bool more = client_advance(client);

	crowd->active--;
	crowd->result.sessions++;
	client_count_tickets(crowd, client);
	if (crowd->kept == NULL) {
		stream_close(&client->stream);
		more = load_now() < crowd->deadline;
	} else {
		epoll_ctl(crowd->poll, EPOLL_CTL_DEL, client->stream.fd, NULL);
		crowd->kept[crowd->kept_count] = client->stream;
		crowd->kept_count++;
	}
	if (more && crowd->result.failures < FAILURES_MAX)
		client_start(crowd, client);
}

static int client_send(struct crowd *crowd, struct client *client)
{
	char line[LOAD_COMMAND_MAX];

	if (!crowd->login)
		client->step = STAT_REPLY;
	switch (client->step) {
	case GREETING:
		return stream_send(&client->stream, line,
				   load_user_line(crowd->options, client->user, line));
	case USER_REPLY:
		return stream_send(&client->stream, crowd->pass, crowd->pass_length);
	case PASS_REPLY:
		return stream_send(&client->stream, "STAT\r\n", 6);
	default:
		return stream_send(&client->stream, "QUIT\r\n", 6);
	}
}

/* A whole reply is there: says what comes next, or ends the session. */
static void client_next(struct crowd *crowd, struct client *client)
{
	enum step last = QUIT_REPLY;

	if (crowd->kept != NULL)
		last = crowd->login ? STAT_REPLY : GREETING;
	if (!client->reply.ok) {
		client_fail(crowd, client, client->reply.status);
	} else if (client->step == last) {
		client_finish(crowd, client);
	} else if (client_send(crowd, client) < 0) {
		client_fail(crowd, client, "cannot send");
	} else {
		client->step++;
		reply_begin(&client->reply, false);
	}
}

static void client_read(struct crowd *crowd, struct client *client)
{
	const char *data;
	ssize_t got = stream_receive(&client->stream, &data);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		client_fail(crowd, client, got < 0 ? strerror(errno) : "connection closed");
	else if (reply_feed(&client->reply, data, (size_t)got) != (size_t)got)
		client_fail(crowd, client, "octets after the reply");
	else if (client->reply.done)
		client_next(crowd, client);
}

static void crowd_loop(struct crowd *crowd)
{
	struct epoll_event events[EVENTS_MAX];

	while (crowd->active > 0) {
		int count = epoll_wait(crowd->poll, events, EVENTS_MAX, LOAD_HANG_MILLISECONDS);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0) {
			fprintf(stderr, "loadgen: %llu sessions hang\n",
				(unsigned long long)crowd->active);
			crowd->result.failures += crowd->active;
			return;
		}
		for (int i = 0; i < count; i++)
			client_read(crowd, events[i].data.ptr);
	}
}

/* Divides the users among the slots and runs the sessions to their end. */
static int crowd_run(struct crowd *crowd, uint64_t slots, uint64_t first, uint64_t last)
{
	uint64_t users = last - first;

	crowd->clients = calloc(slots, sizeof *crowd->clients);
	crowd->poll = epoll_create1(EPOLL_CLOEXEC);
	if (crowd->clients == NULL || crowd->poll < 0) {
		perror("loadgen: crowd");
		free(crowd->clients);
		return -1;
	}
	crowd->pass_length = load_pass_line(crowd->options, crowd->pass);
	for (uint64_t i = 0; i < slots; i++) {
		struct client *client = &crowd->clients[i];

		client->first_user = first + users * i / slots;
		client->last_user = first + users * (i + 1) / slots;
		client->user = client->first_user;
		client_start(crowd, client);
	}
	crowd_loop(crowd);
	for (uint64_t i = 0; i < slots; i++)
		ticket_free(&crowd->clients[i].ticket);
	close(crowd->poll);
	free(crowd->clients);
	return 0;
}

int crowd_logins(const struct options *options, bool login, struct crowd_result *result)
{
	uint64_t start = load_now();
	struct crowd crowd = {.options = options,
			      .login = login,
			      .deadline = start + options->milliseconds * (LOAD_SECOND / 1000)};

	if (options->clients == 0 || options->clients > options->users) {
		fprintf(stderr, "loadgen: each client needs a user of its own\n");
		return -1;
	}
	if (crowd_run(&crowd, options->clients, 0, options->users) < 0)
		return -1;
	*result = crowd.result;
	result->nanoseconds = load_now() - start;
	return 0;
}

int crowd_open(const struct options *options, uint64_t first, uint64_t last, struct stream *streams)
{
	struct crowd crowd = {.options = options, .login = options->login != 0, .kept = streams};
	uint64_t slots = last - first < OPENERS ? last - first : OPENERS;

	if (crowd_run(&crowd, slots, first, last) < 0)
		return -1;
	return crowd.result.failures == 0 && crowd.kept_count == last - first ? 0 : -1;
}
