/*
 * Modes `idle` and `noop`: sessions that are logged in and say nothing. `idle` holds them while
 * its caller looks at the server's memory; `noop` measures one busy session among them.
 */
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	WARM_UP = 500, /* NOOPs before the measured ones */
};

/* How many of the sessions the server has closed, or sent something to, in the meantime. */
static uint64_t count_lost(const struct stream *streams, uint64_t count)
{
	uint64_t lost = 0;
	char octet;

	for (uint64_t i = 0; i < count; i++) {
		ssize_t got = recv(streams[i].fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);

		if (got >= 0 || errno != EAGAIN)
			lost++;
	}
	return lost;
}

int mode_idle(const struct options *options)
{
	struct stream *streams = calloc(options->users + 1, sizeof *streams);
	uint64_t lost;

	if (streams == NULL || crowd_open(options, 0, options->users, streams) < 0) {
		free(streams);
		return 1;
	}
	printf("open=%llu\n", (unsigned long long)options->users);
	load_wait_for_caller();
	lost = count_lost(streams, options->users);
	printf("lost=%llu\n", (unsigned long long)lost);
	free(streams);
	return lost == 0 ? 0 : 1;
}

/* One NOOP after the other; their latencies in times. 0 or -1. */
static int measure(int fd, uint64_t *times, uint64_t count)
{
	struct reply reply;

	for (uint64_t i = 0; i < WARM_UP + count; i++) {
		uint64_t start = load_now();

		if (dialog_ask(fd, "NOOP\r\n", &reply, false) < 0)
			return -1;
		if (i >= WARM_UP)
			times[i - WARM_UP] = load_now() - start;
	}
	return 0;
}

static int measure_among(const struct options *options, int fd, uint64_t idle, uint64_t *times)
{
	load_sleep(options->settle);
	if (measure(fd, times, options->count) < 0)
		return -1;
	printf("idle=%llu p50=%llu p99=%llu\n", (unsigned long long)idle,
	       (unsigned long long)load_percentile(times, options->count, 50),
	       (unsigned long long)load_percentile(times, options->count, 99));
	return 0;
}

/* The busy session among few idle ones, then among many, in one life of the server. */
static int compare(const struct options *options, int busy, struct stream *streams, uint64_t *times)
{
	uint64_t lost;

	if (crowd_open(options, 1, 1 + options->few, streams) < 0 ||
	    measure_among(options, busy, options->few, times) < 0)
		return -1;
	if (crowd_open(options, 1 + options->few, 1 + options->many, streams + options->few) < 0 ||
	    measure_among(options, busy, options->many, times) < 0)
		return -1;
	lost = count_lost(streams, options->many);
	if (lost > 0)
		fprintf(stderr, "loadgen: the server closed %llu idle sessions\n",
			(unsigned long long)lost);
	return lost == 0 ? 0 : -1;
}

int mode_noop(const struct options *options)
{
	struct stream *streams = calloc(options->many + 1, sizeof *streams);
	uint64_t *times = calloc(options->count + 1, sizeof *times);
	int busy = dialog_open(options, 0);
	int status = 1;

	if (options->few == 0 || options->few >= options->many || options->count == 0)
		fprintf(stderr, "loadgen: noop needs 0 < few < many, and a count\n");
	else if (streams != NULL && times != NULL && busy >= 0)
		status = compare(options, busy, streams, times) == 0 ? 0 : 1;
	free(times);
	free(streams);
	return status;
}
