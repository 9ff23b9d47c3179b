/*
 * Sockets, time and small arithmetic for the load generator. Only loopback: the server under
 * test never runs elsewhere.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t load_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * LOAD_SECOND + (uint64_t)time.tv_nsec;
}

void load_sleep(uint64_t milliseconds)
{
	struct timespec left = {.tv_sec = (time_t)(milliseconds / 1000),
				.tv_nsec = (long)(milliseconds % 1000) * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		continue;
}

void load_sleep_until(uint64_t time)
{
	struct timespec end = {.tv_sec = (time_t)(time / LOAD_SECOND),
			       .tv_nsec = (long)(time % LOAD_SECOND)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		continue;
}

void load_wait_for_caller(void)
{
	char octet;

	fflush(stdout);
	while (read(STDIN_FILENO, &octet, 1) == 1 && octet != '\n')
		continue;
}

/* 0, or -1 with the reason on stderr. */
static int bind_source(int fd, uint64_t source)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	if (source == 0)
		return 0;
	address.sin_addr.s_addr = htonl((INADDR_LOOPBACK & IN_CLASSA_NET) + (uint32_t)source);
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return 0;
	perror("loadgen: bind");
	return -1;
}

int load_connect(const struct options *options, int flags)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)options->port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0) {
		perror("loadgen: socket");
		return -1;
	}
	if (bind_source(fd, options->source) < 0) {
		close(fd);
		return -1;
	}
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 &&
	    errno != EINPROGRESS) {
		perror("loadgen: connect");
		close(fd);
		return -1;
	}
	return fd;
}

int load_send(int fd, const char *text, size_t length)
{
	ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);

	if (sent == (ssize_t)length)
		return 0;
	if (sent < 0)
		perror("loadgen: send");
	else
		fprintf(stderr, "loadgen: the server does not read its commands\n");
	return -1;
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left;
	uint64_t b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

uint64_t load_percentile(uint64_t *values, size_t count, unsigned share)
{
	qsort(values, count, sizeof *values, compare);
	return values[(count - 1) * share / 100];
}

size_t load_user_line(const struct options *options, uint64_t user, char line[LOAD_COMMAND_MAX])
{
	int length = snprintf(line, LOAD_COMMAND_MAX, "USER %s%04llu\r\n", options->prefix,
			      (unsigned long long)user);

	return (size_t)length;
}

size_t load_pass_line(const struct options *options, char line[LOAD_COMMAND_MAX])
{
	int length = snprintf(line, LOAD_COMMAND_MAX, "PASS %s\r\n", options->password);

	return (size_t)length;
}
