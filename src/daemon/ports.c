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

static bool is_fit(const char *address, bool protected, const struct options *where)
{
	return address_kind(address) != ADDRESS_OPEN || protected || where->allow_plaintext;
}

const char *ports_unfit(const struct options *where, const struct activation *passed,
			const struct options *how)
{
	bool protected = how->require_tls == OPTION_TLS_ALWAYS ||
			 (how->cert.count > 0 && how->require_tls == OPTION_TLS_REMOTE);
	for (size_t i = 0; passed != NULL && i < passed->count; i++) {
		const struct activation_socket *s = &passed->sockets[i];
		if (!s->tls && !is_fit(s->address, protected, where))
			return s->address;
	}
	for (size_t i = 0; !activation_is_used(passed) && i < where->listen.count; i++)
		if (!is_fit(where->listen.items[i], protected, where))
			return where->listen.items[i];
	return NULL;
}

int ports_check(const struct options *options, const struct activation *passed)
{
	const char *address = ports_unfit(options, passed, options);
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

static int serve_passed(struct pop3_server *server, const struct activation *passed)
{
	for (size_t i = 0; i < passed->count; i++) {
		const struct activation_socket *s = &passed->sockets[i];
		const struct pop3_listen how = {.size = sizeof how, .tls = s->tls};
		int result = pop3_server_adopt(server, s->descriptor, &how);
		if (result == -EINVAL)
			return message(EX_CONFIG, "socket activation: descriptor %d (%s): %s",
				       s->descriptor, s->tls ? "pop3s" : "pop3",
				       s->tls ? "no stream socket that listens, or no cert and key"
					      : "no stream socket that listens");
		if (result < 0)
			return message(EX_OSERR, "socket activation: descriptor %d: %s",
				       s->descriptor, strerror(-result));
	}
	return 0;
}

static int listen_everywhere(struct pop3_server *server, const struct options *options)
{
	int code = 0;
	for (size_t i = 0; code == 0 && i < options->listen.count; i++)
		code = listen_at(server, options->listen.items[i], false);
	for (size_t i = 0; code == 0 && i < options->listen_tls.count; i++)
		code = listen_at(server, options->listen_tls.items[i], true);
	return code;
}

int ports_open(struct ports *ports, struct pop3_server *server, const struct options *options,
	       const struct activation *passed)
{
	*ports = (struct ports){.listener = {.handlers = &handlers, .data = ports}};
	pop3_server_attach(server, &ports->listener);
	return activation_is_used(passed) ? serve_passed(server, passed)
					  : listen_everywhere(server, options);
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
