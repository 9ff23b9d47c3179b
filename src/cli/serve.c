/* pop3-emitter serve: the daemon, in the foreground. */
#include "daemon/serve.h"

#include "cli/cli.h"

static int run(const struct arguments *arguments)
{
	const struct option_input input = arguments_input(arguments);
	return serve(&input);
}

static const struct cli_flag flags[] = {CLI_CONFIG, {.name = NULL}};

const struct command command_serve = {
	.name = "serve",
	.usage = "[-c FILE] [--listen ADDR]... [--listen-tls ADDR]... [--maildir ROOT] [--passwd "
		 "FILE] [--user NAME] "
		 "[--KEY VALUE]...",
	.help = "Serve the maildrops of the users in the passwd file",
	.more = "SIGTERM and SIGINT end it after transfers under way, a second one at once; "
		"SIGHUP\n"
		"reads the configuration, the certificates and the users again.\n",
	.settings = OPTION_SERVE,
	.flags = flags,
	.run = run,
};
