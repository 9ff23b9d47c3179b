/* Everything about `dev` that is not the example: see dev.h. */
#include "cli/dev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/address.h"
#include "daemon/message.h"
#include "daemon/process.h"
#include "daemon/temporary.h"

/* ---- Where, and as whom ---- */

int dev_drop_root(const struct dev *dev, const char *given)
{
	struct account account;

	if (geteuid() != 0)
		return 0;
	if (given == NULL) {
		if (account_find("nobody", &account) != 0)
			return message(EX_OSERR, "there is no account nobody to serve as");
		return process_drop(&account);
	}
	int code = process_owner(dev->folder, &account);
	return code == 0 ? process_drop(&account) : code;
}

static int find_folder(struct dev *dev, const char *given)
{
	struct stat info;
	if (given == NULL)
		return 0;
	if (realpath(given, dev->folder) == NULL || stat(dev->folder, &info) != 0)
		return message(EX_NOINPUT, "%s: %s", given, strerror(errno));
	return S_ISDIR(info.st_mode) ? 0 : message(EX_NOINPUT, "%s: is no folder", given);
}

int dev_make_folder(struct dev *dev, const char *given)
{
	if (given != NULL)
		return 0;
	int result = temporary_make(dev->folder);
	if (result != 0)
		return message(EX_CANTCREAT, "cannot make a temporary folder: %s",
			       strerror(-result));
	dev->temporary = true;
	return 0;
}

/* ---- Settings ---- */

static int check_flags(const struct arguments *a)
{
	for (size_t i = 0; i < a->flag_count; i++) {
		const char *value = a->flags[i].value;
		if (strcmp(a->flags[i].flag->name, "user") == 0 &&
		    (strchr(value, ':') == NULL || *value == ':'))
			return message(EX_USAGE, "--user: must be NAME:PASSWORD");
	}
	if (a->word_count > 0 && arguments_value(a, "ephemeral") != NULL)
		return message(EX_USAGE, "--ephemeral: a folder that was given is never removed");
	return 0;
}

static int check_addresses(const char *flag, const struct option_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (address_kind(list->items[i]) == ADDRESS_OPEN)
			return message(EX_USAGE, "--%s %s: dev serves loopback only", flag,
				       list->items[i]);
	return 0;
}

static int load_settings(struct dev *dev)
{
	const struct option_report report = {message_problem, NULL};
	struct option_input input = arguments_input(dev->arguments);
	const struct option_row *listen = option_find("listen");

	input.file = NULL; /* what a daemon on this machine is told is not for us */
	int code = options_load(&input, &report, &dev->options);
	if (code == 0 && dev->options.source[listen - option_rows] == OPTION_DEFAULT &&
	    options_set(&dev->options, listen, OPTION_FLAG, "127.0.0.1:0") != NULL)
		code = EX_OSERR;
	if (code == 0)
		code = check_addresses("listen", &dev->options.listen);
	return code != 0 ? code : check_addresses("listen-tls", &dev->options.listen_tls);
}

int dev_prepare(struct dev *dev, const char *given)
{
	int code = check_flags(dev->arguments);
	if (code == 0)
		code = find_folder(dev, given);
	return code == 0 ? load_settings(dev) : code;
}

void dev_remove_folder(const struct dev *dev)
{
	if (!dev->temporary || arguments_value(dev->arguments, "ephemeral") == NULL)
		return;
	int result = temporary_remove(dev->folder);
	if (result != 0)
		message(0, "%s: cannot be removed: %s", dev->folder, strerror(-result));
}

/* ---- Ready lines ---- */

static void print_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			printf("\\u%04x", (unsigned)*text);
		else
			putchar(*text);
	}
}

/* {"event":"listening","protocol":"pop3","address":"127.0.0.1","port":41873,"maildir":"/path"} */
static void print_json(const struct dev *dev, const struct port *port)
{
	const char *address = port->address;
	const char *colon = strrchr(address, ':');
	bool unix_socket = strncmp(address, "unix:", 5) == 0;
	bool bracketed = *address == '[';

	printf("{\"event\":\"listening\",\"protocol\":\"%s\",\"address\":\"",
	       port->tls ? "pop3s" : (unix_socket ? "unix" : "pop3"));
	if (unix_socket)
		print_text(address + 5);
	else
		printf("%.*s", (int)(colon - address) - (bracketed ? 2 : 0), address + bracketed);
	printf("\",\"port\":%s,\"maildir\":\"", unix_socket ? "0" : colon + 1);
	print_text(dev->folder);
	printf("\"}\n");
}

void dev_announce(const struct dev *dev)
{
	if (arguments_value(dev->arguments, "json") == NULL) {
		ports_announce(&dev->ports);
		printf("maildir %s\n", dev->folder);
	} else {
		for (size_t i = 0; i < dev->ports.count; i++)
			print_json(dev, &dev->ports.all[i]);
	}
	fflush(stdout);
}
