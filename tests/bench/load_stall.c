/*
 * Mode `stall`: a client that delays its acknowledgements, as clients do that have nothing to
 * say. A server that writes an answer in two small pieces while Nagle's algorithm is on waits
 * for the acknowledgement of the first: 40 ms on Linux. Each request is sent alone and in
 * pipelined batches over messages of every size; the time of each whole reply is taken.
 */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SLOW_MILLISECONDS = 35, /* a stall takes 40; anything else here takes less than 5 */
	BATCH_REPLIES_MAX = 8,
	BATCH_TEXT_MAX = 256,
};

/* Commands that are sent in one write; `%llu` stands for the message number. */
struct batch {
	const char *format;
	unsigned numbers; /* how many it takes, at most 4 */
	unsigned replies;
	bool multi[BATCH_REPLIES_MAX];
};

static const struct batch batches[] = {
	{"NOOP\r\n", 0, 1, {false}},
	{"STAT\r\n", 0, 1, {false}},
	{"RETR %llu\r\n", 1, 1, {true}},
	{"TOP %llu 0\r\n", 1, 1, {true}},
	{"TOP %llu 10\r\n", 1, 1, {true}},
	{"LIST %llu\r\n", 1, 1, {false}},
	{"UIDL %llu\r\n", 1, 1, {false}},
	{"LIST\r\n", 0, 1, {true}},
	{"UIDL\r\n", 0, 1, {true}},
	{"RETR %llu\r\nRETR %llu\r\n", 2, 2, {true, true}},
	{"LIST %llu\r\nRETR %llu\r\nNOOP\r\n", 2, 3, {false, true, false}},
	{"TOP %llu 3\r\nTOP %llu 0\r\nTOP %llu 1\r\n", 3, 3, {true, true, true}},
	{"STAT\r\nLIST\r\nRETR %llu\r\nTOP %llu 5\r\nUIDL %llu\r\nNOOP\r\n",
	 3,
	 6,
	 {false, true, true, true, false, false}},
};

struct stall {
	int fd;
	uint64_t total; /* messages in the maildrop */
	uint64_t next;
	uint64_t *times; /* of each reply, from its request to its last octet */
	uint64_t count;
	uint64_t room;
};

/* The kernel leaves this mode by itself, so it is set again before each read. */
static void delay_acknowledgements(int fd)
{
	int off = 0;

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
}

static unsigned long long next_message(struct stall *stall)
{
	stall->next = stall->next % stall->total + 1;
	return stall->next;
}

static int batch_send(struct stall *stall, const struct batch *batch)
{
	unsigned long long number[4] = {0};
	char text[BATCH_TEXT_MAX];
	int length = 0;

	for (unsigned i = 0; i < batch->numbers; i++)
		number[i] = next_message(stall);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	length = snprintf(text, sizeof text, batch->format, number[0], number[1], number[2],
			  number[3]);
#pragma GCC diagnostic pop
	return load_send(stall->fd, text, (size_t)length);
}

static void note_time(struct stall *stall, uint64_t nanoseconds)
{
	if (stall->count == stall->room)
		return;
	stall->times[stall->count] = nanoseconds;
	stall->count++;
}

static ssize_t receive(int fd, char *data, size_t size)
{
	ssize_t got;

	delay_acknowledgements(fd);
	got = recv(fd, data, size, 0);
	if (got <= 0)
		fprintf(stderr, "loadgen: connection lost: %s\n",
			got < 0 ? strerror(errno) : "end of file");
	return got;
}

/* Sends one batch and takes the time of each of its replies. 0 or -1. */
static int batch_run(struct stall *stall, const struct batch *batch)
{
	static char data[LOAD_RECEIVE_MAX];
	uint64_t start = load_now();
	struct reply reply;
	ssize_t got = 0;
	ssize_t used = 0;

	if (batch_send(stall, batch) < 0)
		return -1;
	for (unsigned i = 0; i < batch->replies; i++) {
		reply_begin(&reply, batch->multi[i]);
		while (!reply.done) {
			if (used == got) {
				used = 0;
				got = receive(stall->fd, data, sizeof data);
				if (got <= 0)
					return -1;
			}
			used += (ssize_t)reply_feed(&reply, data + used, (size_t)(got - used));
		}
		if (!reply.ok) {
			fprintf(stderr, "loadgen: refused: %s\n", reply.status);
			return -1;
		}
		note_time(stall, load_now() - start);
	}
	return 0;
}

static int run_all(struct stall *stall)
{
	size_t kinds = sizeof batches / sizeof batches[0];

	for (size_t i = 0; stall->count < stall->room; i++) {
		if (batch_run(stall, &batches[i % kinds]) < 0)
			return -1;
	}
	return 0;
}

static void print(struct stall *stall)
{
	uint64_t slow = 0;

	for (uint64_t i = 0; i < stall->count; i++)
		slow += stall->times[i] >= SLOW_MILLISECONDS * (LOAD_SECOND / 1000);
	printf("replies=%llu slow=%llu p50=%llu p99=%llu max=%llu\n",
	       (unsigned long long)stall->count, (unsigned long long)slow,
	       (unsigned long long)load_percentile(stall->times, stall->count, 50),
	       (unsigned long long)load_percentile(stall->times, stall->count, 99),
	       (unsigned long long)load_percentile(stall->times, stall->count, 100));
}

int mode_stall(const struct options *options)
{
	struct stall stall = {.fd = dialog_open(options, 0), .room = options->count};
	struct reply reply;
	int status = 1;

	stall.times = calloc(stall.room + 1, sizeof *stall.times);
	if (stall.fd < 0 || stall.times == NULL ||
	    dialog_ask(stall.fd, "STAT\r\n", &reply, false) < 0)
		goto out;
	stall.total = reply_number(&reply, 0);
	if (stall.total == 0 || stall.room == 0) {
		fprintf(stderr, "loadgen: stall needs messages and a count\n");
		goto out;
	}
	if (run_all(&stall) < 0 || dialog_ask(stall.fd, "QUIT\r\n", &reply, false) < 0)
		goto out;
	print(&stall);
	status = 0;
out:
	if (stall.fd >= 0)
		close(stall.fd);
	free(stall.times);
	return status;
}
