/* What the two bare servers have in common: a socket on a free port, which is told. */
#ifndef POP3_TESTS_BENCH_BARE_H
#define POP3_TESTS_BENCH_BARE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	SOCKETS_MAX = 8192, /* at once, with the one that listens */
	BACKLOG = 1024,
};

/* Prints `listening pop3 127.0.0.1:PORT`; ends the program, with its name, if there is none. */
static int listen_any(const char *program)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, length) < 0 ||
	    listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
		perror(program);
		exit(1);
	}
	printf("listening pop3 127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

#endif
