/* The subcommands of the program, and what they share. */
#ifndef POP3_CLI_CLI_H
#define POP3_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/options.h"

/* A flag of one subcommand that is no setting. */
struct cli_flag {
	const char *name;    /* without the dashes */
	char letter;         /* for -c; 0 = none */
	const char *metavar; /* NULL = it takes no value */
	const char *help;
	bool repeated;
};

struct arguments;

struct command {
	const char *name;
	const char *usage; /* what follows the name in a synopsis */
	const char *help;  /* a phrase without a final stop */
	const char *more;  /* lines that its own --help ends with; NULL = none */
	unsigned settings; /* which rows are flags of it: one of enum option_command; 0 = none */
	const struct cli_flag *flags; /* ends with a NULL name; NULL = none */
	size_t words_min, words_max;  /* how many arguments that are no flags */
	bool secretive;               /* a surplus word may be a secret: do not show it */
	/* Returns a code of sysexits(3). */
	int (*run)(const struct arguments *);
};

/* A command line that has been understood; borrows argv. */
struct arguments {
	const struct command *command;
	struct option_flag *settings; /* in order */
	size_t setting_count;
	struct {
		const struct cli_flag *flag;
		const char *value; /* "" where none is taken */
	} * flags;                 /* in order */
	size_t flag_count;
	const char **words;
	size_t word_count;
	bool help; /* --help was among them: nothing else counts */
};

/*
 * Understand what follows the subcommand's name. `--name value`, `--name=value`, `-c value`; `--`
 * ends the flags. A yes-or-no setting takes the next argument only if that is `yes` or `no`.
 * 0, or a sysexits code after a message; arguments_fini() in both cases.
 */
int arguments_parse(const struct command *, int argc, char **argv, struct arguments *);
void arguments_fini(struct arguments *);
/* The value of flag `name` that was given last, "" if it takes none; NULL: it was not given. */
const char *arguments_value(const struct arguments *, const char *name);
/*
 * Load settings from the configuration file (-c, else the default one if it exists), the
 * environment and the flags; problems go to stderr. 0, or a sysexits code.
 */
int arguments_load(const struct arguments *, struct options *);
/* The sources that arguments_load() reads. */
struct option_input arguments_input(const struct arguments *);

extern const struct command command_serve, command_dev, command_deliver, command_passwd,
	command_check;
/* All subcommands; ends with NULL. */
extern const struct command *const commands[];

/* The whole program's help, and one subcommand's. Settings stand one a line: "  --key VALUE". */
void help_all(void);
void help_command(const struct command *);

/* `-c`, for the flags of subcommands that read the configuration. */
#define CLI_CONFIG                                                                                 \
	{                                                                                          \
		.name = "config", .letter = 'c', .metavar = "FILE",                                \
		.help = "the configuration file (default " OPTIONS_FILE ", if it exists)"          \
	}

#endif
