/* The program: finds the subcommand and hands over. Exit codes are those of sysexits(3). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/message.h"
#include "pop3_emitter.h"

const struct command *const commands[] = {&command_serve,  &command_dev,   &command_deliver,
					  &command_passwd, &command_check, NULL};

static const struct command *find(const char *name)
{
	for (const struct command *const *c = commands; *c != NULL; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

static int unknown(const char *name)
{
	return message(EX_USAGE, "%s: unknown command; see `pop3-emitter --help`", name);
}

/* What was printed must have arrived: a full disk is no success. */
static int finish(int code)
{
	if (fflush(stdout) == 0 || code != 0)
		return code;
	return message(EX_IOERR, "cannot write to stdout");
}

static int help(const char *name)
{
	const struct command *command = name == NULL ? NULL : find(name);
	if (name != NULL && command == NULL)
		return unknown(name);
	if (command != NULL)
		help_command(command);
	else
		help_all();
	return finish(0);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct arguments arguments;
	int code = arguments_parse(command, argc, argv, &arguments);
	if (code == 0 && arguments.help)
		help_command(command);
	else if (code == 0)
		code = command->run(&arguments);
	arguments_fini(&arguments);
	return finish(code);
}

/*
 * A standard stream that was closed must stay so: the next open(2) or accept(2) would take its
 * number, and a log line would go to a client or into a message. An O_PATH descriptor takes the
 * number and can be neither read nor written.
 */
static bool hold_streams(void)
{
	int descriptor;
	do
		descriptor = open("/", O_PATH);
	while (descriptor >= 0 && descriptor <= STDERR_FILENO);
	return descriptor >= 0 && close(descriptor) == 0;
}

int main(int argc, char **argv)
{
	if (!hold_streams())
		return EX_OSERR;
	if (argc < 2)
		return message(EX_USAGE, "a command is missing; see `pop3-emitter --help`");
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
		return help(argc > 2 ? argv[2] : NULL);
	if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
		printf("pop3-emitter %s\n", POP3_VERSION);
		return finish(0);
	}
	const struct command *command = find(name);
	return command != NULL ? run(command, argc - 2, argv + 2) : unknown(name);
}
