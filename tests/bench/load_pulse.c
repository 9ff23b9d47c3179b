/*
 * One session that says NOOP once a millisecond. A NOOP that is late because the reply before it
 * was is counted from when it was due: otherwise a server that stands still for a second would show
 * one slow reply, not a thousand.
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	PULSE_INTERVAL = 1000000, /* nanoseconds */
};

void pulse_begin(struct pulse *pulse)
{
	pulse->count = 0;
	pulse->due = load_now();
}

static int pulse_once(struct pulse *pulse)
{
	uint64_t start = pulse->due;
	struct reply reply;

	if (pulse->count == LOAD_PULSES_MAX) {
		fprintf(stderr, "loadgen: the login hangs\n");
		return -1;
	}
	if (load_now() < start) {
		load_sleep_until(start);
		start = load_now();
	}
	if (dialog_ask(pulse->fd, "NOOP\r\n", &reply, false) < 0)
		return -1;
	pulse->times[pulse->count] = load_now() - start;
	pulse->count++;
	pulse->due += PULSE_INTERVAL;
	return 0;
}

int pulse_many(struct pulse *pulse, uint64_t count)
{
	while (pulse->count < count) {
		if (pulse_once(pulse) < 0)
			return -1;
	}
	return 0;
}

/* Takes what has come of the reply, without waiting. 0, or -1 for -ERR and a lost connection. */
static int reply_take(int fd, struct reply *reply)
{
	char data[LOAD_STATUS_MAX];
	ssize_t got = recv(fd, data, sizeof data, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0 || reply_feed(reply, data, (size_t)got) != (size_t)got ||
	    (reply->done && !reply->ok)) {
		fprintf(stderr, "loadgen: the login failed: %s\n", reply->status);
		return -1;
	}
	return 0;
}

int pulse_until_answered(struct pulse *pulse, int other, const char *line)
{
	struct reply reply;

	reply_begin(&reply, false);
	if (load_send(other, line, strlen(line)) < 0)
		return -1;
	while (!reply.done) {
		if (pulse_once(pulse) < 0 || reply_take(other, &reply) < 0)
			return -1;
	}
	/* Those that were due while both were waited for. */
	for (uint64_t answered = load_now(); pulse->due < answered;) {
		if (pulse_once(pulse) < 0)
			return -1;
	}
	return 0;
}

void pulse_print(struct pulse *pulse, const char *name)
{
	printf("%s_p50=%llu %s_p99=%llu %s_max=%llu %s_count=%llu ", name,
	       (unsigned long long)load_percentile(pulse->times, pulse->count, 50), name,
	       (unsigned long long)load_percentile(pulse->times, pulse->count, 99), name,
	       (unsigned long long)load_percentile(pulse->times, pulse->count, 100), name,
	       (unsigned long long)pulse->count);
}
