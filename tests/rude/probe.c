/*
 * How long do two servers take for a NOOP? probe USER PASSWORD PORT PORT: logs in to both and asks
 * them in turn, with pauses, until the standard input ends; so whatever else disturbs the machine
 * disturbs both alike. Prints for each how many, and the 50th and 99th percentile in nanoseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	SERVERS = 2,
	SAMPLES_MAX = 1 << 18, /* of each; what comes after is not kept */
	PAUSE = 500000,        /* nanoseconds, so that it is a light load itself */
	LINE = 512,
};

static uint64_t samples[SERVERS][SAMPLES_MAX];

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Sends what there is to send and reads one line, which must be positive. */
static void ask(int fd, const char *line)
{
	char reply[LINE];
	size_t length = 0;
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		fail("send");
	while (length == 0 || reply[length - 1] != '\n') {
		ssize_t got = recv(fd, reply + length, sizeof reply - length, 0);
		if (got <= 0)
			fail("recv");
		length += (size_t)got;
	}
	if (memcmp(reply, "+OK", 3) != 0) {
		errno = EPROTO;
		fail("reply");
	}
}

static int login(const char *user, const char *password, const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	char line[LINE];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		fail("connect");
	ask(fd, "");
	snprintf(line, sizeof line, "USER %s\r\n", user);
	ask(fd, line);
	snprintf(line, sizeof line, "PASS %s\r\n", password);
	ask(fd, line);
	return fd;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static int stdin_ended(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	return poll(&input, 1, 0) > 0;
}

int main(int argc, char **argv)
{
	int fds[SERVERS];
	size_t count = 0;
	if (argc != 3 + SERVERS)
		return 64;
	for (int i = 0; i < SERVERS; i++)
		fds[i] = login(argv[1], argv[2], argv[3 + i]);
	printf("ready\n");
	fflush(stdout);
	while (!stdin_ended()) {
		for (size_t i = 0; i < SERVERS; i++) {
			size_t which = (i + count) % SERVERS;
			uint64_t begun = now();
			ask(fds[which], "NOOP\r\n");
			if (count < SAMPLES_MAX)
				samples[which][count] = now() - begun;
		}
		count += count < SAMPLES_MAX;
		nanosleep(&(struct timespec){.tv_nsec = PAUSE}, NULL);
	}
	for (int i = 0; i < SERVERS; i++) {
		qsort(samples[i], count, sizeof samples[i][0], compare);
		printf("%zu %llu %llu\n", count,
		       (unsigned long long)(count == 0 ? 0 : samples[i][count / 2]),
		       (unsigned long long)(count == 0 ? 0 : samples[i][count * 99 / 100]));
	}
	return count == 0;
}
