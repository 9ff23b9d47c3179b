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

const char ports_unfit_text[] =
	"is not loopback, and passwords would cross the network in the clear; cert and key with "
	"require_tls = remote protect them, allow_plaintext = yes allows it";

const char *ports_unfit(const struct options *where, const struct options *how)
{
	bool protected = how->cert.count > 0 && how->require_tls != OPTION_TLS_NEVER;
	for (size_t i = 0; i < where->listen.count; i++) {
		const char *address = where->listen.items[i];
		if (address_kind(address) == ADDRESS_OPEN && !protected && !where->allow_plaintext)
			return address;
	}
	return NULL;
}

int ports_check(const struct options *options)
{
	const char *address = ports_unfit(options, options);
	if (address == NULL)
		return 0;
	return message(EX_CONFIG, "listen %s: %s", address, ports_unfit_text);
}

static void heard(struct pop3_listening *event, void *data)
{
	struct ports *ports = data;
	if (ports->count == sizeof ports->all / sizeof *ports->all)
		return;
	struct port *port = &ports->all[ports->count++];
	snprintf(port->address, sizeof port->address, "%s", event->address);
	port->tls = event->tls;
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

static int listen_at(struct pop3_server *server, const char *address, bool tls)
{
	const struct pop3_listen how = {.size = sizeof how, .tls = tls};
	mode_t mask = umask(0111);
	if (address_kind(address) != ADDRESS_UNIX)
		umask(mask);
	int result = pop3_server_listen_with(server, address, &how);
	umask(mask);
	if (result == 0)
		return 0;
	return message(exit_code(result), "%s %s: %s", tls ? "listen_tls" : "listen", address,
		       strerror(-result));
}

int ports_open(struct ports *ports, struct pop3_server *server, const struct options *options)
{
	int code = 0;
	*ports = (struct ports){.listener = {.handlers = &handlers, .data = ports}};
	pop3_server_attach(server, &ports->listener);
	for (size_t i = 0; code == 0 && i < options->listen.count; i++)
		code = listen_at(server, options->listen.items[i], false);
	for (size_t i = 0; code == 0 && i < options->listen_tls.count; i++)
		code = listen_at(server, options->listen_tls.items[i], true);
	return code;
}

void ports_announce(const struct ports *ports)
{
	for (size_t i = 0; i < ports->count; i++) {
		const struct port *port = &ports->all[i];
		if (!port->tls && strncmp(port->address, "unix:", 5) == 0)
			printf("listening unix %s\n", port->address + 5);
		else
			printf("listening %s %s\n", port->tls ? "pop3s" : "pop3", port->address);
	}
	fflush(stdout);
}
