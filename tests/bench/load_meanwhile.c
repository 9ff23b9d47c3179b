/*
 * Mode `meanwhile`: what a session notices of another one that logs in to a maildrop of very many
 * messages. The onlooker says NOOP once a millisecond, first while the server has nothing else to
 * do, then from the first octet of the other's PASS until the reply to its STAT is there.
 *
 * A NOOP that is late because the reply before it was is counted from when it was due: otherwise a
 * server that stands still for a second would show one slow reply, not a thousand.
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	WARM_UP = 500,
	PULSES_MAX = 100000,      /* more than fit into LOAD_HANG_MILLISECONDS */
	PULSE_INTERVAL = 1000000, /* nanoseconds */
};

struct pulse {
	int fd;
	uint64_t due;
	uint64_t count;
	uint64_t times[PULSES_MAX];
};

static void pulse_begin(struct pulse *pulse)
{
	pulse->count = 0;
	pulse->due = load_now();
}

static int pulse_once(struct pulse *pulse)
{
	uint64_t start = pulse->due;
	struct reply reply;

	if (pulse->count == PULSES_MAX) {
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

static int pulse_many(struct pulse *pulse, uint64_t count)
{
	pulse_begin(pulse);
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

/* Sends a line in the other session and goes on with the pulses until it is answered. */
static int pulse_until_answered(struct pulse *pulse, int other, const char *line)
{
	struct reply reply;

	reply_begin(&reply, false);
	if (load_send(other, line, strlen(line)) < 0)
		return -1;
	while (!reply.done) {
		if (pulse_once(pulse) < 0 || reply_take(other, &reply) < 0)
			return -1;
	}
	return 0;
}

static void print(struct pulse *pulse, const char *name)
{
	printf("%s_p50=%llu %s_p99=%llu %s_max=%llu %s_count=%llu ", name,
	       (unsigned long long)load_percentile(pulse->times, pulse->count, 50), name,
	       (unsigned long long)load_percentile(pulse->times, pulse->count, 99), name,
	       (unsigned long long)load_percentile(pulse->times, pulse->count, 100), name,
	       (unsigned long long)pulse->count);
}

static int run(const struct options *options, struct pulse *pulse, int other)
{
	char pass[LOAD_COMMAND_MAX];
	struct reply reply;

	load_pass_line(options, pass);
	if (pulse_many(pulse, WARM_UP) < 0 || pulse_many(pulse, options->count) < 0)
		return -1;
	print(pulse, "idle");
	pulse_begin(pulse);
	if (pulse_until_answered(pulse, other, pass) < 0 ||
	    pulse_until_answered(pulse, other, "STAT\r\n") < 0)
		return -1;
	print(pulse, "busy");
	printf("\n");
	return dialog_ask(other, "QUIT\r\n", &reply, false);
}

int mode_meanwhile(const struct options *options)
{
	static struct pulse pulse;
	int other = dialog_greet(options, LOAD_OWNER);
	int status = 1;

	pulse.fd = dialog_open(options, LOAD_ONLOOKER);
	if (options->count == 0 || options->count > PULSES_MAX)
		fprintf(stderr, "loadgen: count: 1 to %d\n", PULSES_MAX);
	else if (pulse.fd >= 0 && other >= 0)
		status = run(options, &pulse, other) == 0 ? 0 : 1;
	if (other >= 0)
		close(other);
	if (pulse.fd >= 0)
		close(pulse.fd);
	return status;
}
