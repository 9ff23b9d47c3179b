/*
 * The `listening` events are kept until everything else is up, privileges dropped and users read:
 * a ready line followed by a failure would be a lie.
 */
#include "daemon/ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "daemon/address.h"
#include "daemon/message.h"

int ports_check(const struct options *options)
{
	for (size_t i = 0; i < options->listen.count; i++) {
		const char *address = options->listen.items[i];
		if (address_kind(address) == ADDRESS_OPEN && !options->allow_plaintext)
			return message(EX_CONFIG,
				       "listen %s: is not loopback, and passwords would cross the "
				       "network in the clear; allow_plaintext = yes allows it",
				       address);
	}
	return 0;
}

static void heard(struct pop3_listening *event, void *data)
{
	struct ports *ports = data;
	if (ports->count < OPTIONS_LIST_MAX)
		snprintf(ports->addresses[ports->count++], POP3_ADDRESS_SIZE, "%s", event->address);
}

static const struct pop3_handlers handlers = {.size = sizeof handlers, .listening = heard};

/* What failing to listen means for whoever started us. */
static int exit_code(int error)
{
	switch (-error) {
	case EINVAL:
		return EX_CONFIG;
	case EACCES:
	case EPERM:
		return EX_NOPERM;
	case EADDRINUSE:
	case EADDRNOTAVAIL:
		return EX_UNAVAILABLE;
	default:
		return EX_OSERR;
	}
}

static int listen_at(struct pop3_server *server, const char *address)
{
	mode_t mask = umask(0111);
	if (address_kind(address) != ADDRESS_UNIX)
		umask(mask);
	int result = pop3_server_listen(server, address);
	umask(mask);
	return result;
}

int ports_open(struct ports *ports, struct pop3_server *server, const struct options *options)
{
	*ports = (struct ports){.listener = {.handlers = &handlers, .data = ports}};
	pop3_server_attach(server, &ports->listener);
	for (size_t i = 0; i < options->listen.count; i++) {
		const char *address = options->listen.items[i];
		int result = listen_at(server, address);
		if (result != 0)
			return message(exit_code(result), "listen %s: %s", address,
				       strerror(-result));
	}
	return 0;
}

void ports_announce(const struct ports *ports)
{
	for (size_t i = 0; i < ports->count; i++) {
		const char *address = ports->addresses[i];
		if (strncmp(address, "unix:", 5) == 0)
			printf("listening unix %s\n", address + 5);
		else
			printf("listening pop3 %s\n", address);
	}
	fflush(stdout);
}
