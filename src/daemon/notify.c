/* See notify.h. */
#include "daemon/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "daemon/message.h"

/* Room for one datagram. */
#define TEXT_SIZE 256

static const char *set_address(struct notify *n, const char *name)
{
	size_t length = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || length < 2)
		return "is neither a path nor an abstract name";
	if (length >= sizeof n->address.sun_path)
		return "is too long";
	n->address.sun_family = AF_UNIX;
	memcpy(n->address.sun_path, name, length);
	if (name[0] == '@')
		n->address.sun_path[0] = '\0';
	/* A NUL at the end would be part of an abstract name. */
	n->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return NULL;
}

void notify_init(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");
	*n = (struct notify){.descriptor = -1};
	if (name == NULL)
		return;
	const char *wrong = set_address(n, name);
	if (wrong == NULL) {
		n->descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (n->descriptor < 0)
			wrong = strerror(errno);
	}
	if (wrong != NULL)
		message(0, "NOTIFY_SOCKET %.100s: %s", name, wrong);
	unsetenv("NOTIFY_SOCKET");
}

void notify_fini(struct notify *n)
{
	if (n->descriptor >= 0)
		close(n->descriptor);
	n->descriptor = -1;
}

/* Who does not take it when it is told does without. */
static void tell(const struct notify *n, const char *text)
{
	ssize_t sent;
	if (n->descriptor < 0)
		return;
	IO_RETRY(sent, sendto(n->descriptor, text, strlen(text), MSG_NOSIGNAL,
			      (const struct sockaddr *)&n->address, n->length));
}

void notify_ready(const struct notify *n, const char *status)
{
	char text[TEXT_SIZE];
	snprintf(text, sizeof text, "READY=1\nSTATUS=%s", status);
	tell(n, text);
}

/* The time tells the manager that this reload began after its signal. */
void notify_reloading(const struct notify *n)
{
	struct timespec now = {0};
	char text[TEXT_SIZE];
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t microseconds = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	snprintf(text, sizeof text,
		 "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reading the configuration again",
		 microseconds);
	tell(n, text);
}

void notify_stopping(const struct notify *n)
{
	tell(n, "STOPPING=1\nSTATUS=letting transfers under way end");
}
