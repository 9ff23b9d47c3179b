/* See activation.h. */
#include "daemon/activation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/number.h"
#include "daemon/message.h"

/* Where they begin, by the protocol. */
#define FIRST_DESCRIPTOR 3

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un path;
};

static void format(const union socket_address *a, char text[POP3_ADDRESS_SIZE])
{
	char host[INET6_ADDRSTRLEN] = "";
	switch (a->any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &a->v4.sin_addr, host, sizeof host);
		snprintf(text, POP3_ADDRESS_SIZE, "%s:%u", host, ntohs(a->v4.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof host);
		snprintf(text, POP3_ADDRESS_SIZE, "[%s]:%u", host, ntohs(a->v6.sin6_port));
		break;
	default:
		/* One of the abstract name space has no path, and is as local as the others. */
		snprintf(text, POP3_ADDRESS_SIZE, "unix:%.*s", (int)sizeof a->path.sun_path,
			 a->path.sun_path[0] == '\0' ? "/" : a->path.sun_path);
	}
}

/* Whether it is one that listens for streams is asked by pop3_server_adopt(). */
static int take_socket(struct activation_socket *s, const char *name)
{
	union socket_address address = {0};
	socklen_t length = sizeof address;

	if (strcmp(name, "pop3") != 0 && strcmp(name, "pop3s") != 0)
		return message(EX_CONFIG,
			       "socket activation: descriptor %d is named \"%.100s\"; name it "
			       "pop3, or pop3s where TLS comes first (FileDescriptorName=)",
			       s->descriptor, name);
	if (getsockname(s->descriptor, &address.any, &length) < 0)
		return message(EX_CONFIG, "socket activation: descriptor %d: %s", s->descriptor,
			       strerror(errno));
	fcntl(s->descriptor, F_SETFD, FD_CLOEXEC); /* it is a descriptor, as was just seen */
	s->tls = strcmp(name, "pop3s") == 0;
	format(&address, s->address);
	return 0;
}

/* The next of the names with ':' between. */
static void next_name(const char **names, char *name, size_t size)
{
	size_t length = strcspn(*names, ":");
	snprintf(name, size, "%.*s", (int)length, *names);
	*names += length + ((*names)[length] == ':');
}

static int take_sockets(struct activation *a, size_t count, const char *names)
{
	char name[256]; /* by the protocol a name has at most 255 octets */
	int code = 0;
	for (size_t i = 0; code == 0 && i < count; i++) {
		struct activation_socket *s = &a->sockets[i];
		s->descriptor = FIRST_DESCRIPTOR + (int)i;
		snprintf(name, sizeof name, "pop3");
		if (names != NULL)
			next_name(&names, name, sizeof name);
		code = take_socket(s, name);
		a->count = i + 1;
	}
	return code;
}

static bool read_number(const char *variable, uint64_t maximum, uint64_t *number)
{
	const char *text = getenv(variable);
	return text != NULL && number_parse(text, strlen(text), maximum, number);
}

int activation_take(struct activation *a)
{
	uint64_t process, count;
	int code = 0;
	*a = (struct activation){0};
	if (read_number("LISTEN_PID", INT32_MAX, &process) && process == (uint64_t)getpid()) {
		if (read_number("LISTEN_FDS", ACTIVATION_MAX, &count))
			code = take_sockets(a, (size_t)count, getenv("LISTEN_FDNAMES"));
		else
			code = message(EX_CONFIG, "LISTEN_FDS must be a number from 0 to %zu",
				       ACTIVATION_MAX);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return code;
}

bool activation_is_used(const struct activation *a)
{
	return a != NULL && a->count > 0;
}
