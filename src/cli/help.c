/* --help, made from the tables. A flag begins its line with two blanks and "--": a script can read
 * which there are. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* The column that explanations begin at. */
#define COLUMN 42

static void print_entry(const char *entry, const char *help, const char *standard)
{
	printf("  %-*s %s", COLUMN - 3, entry, help);
	if (standard != NULL)
		printf(" (default %s)", standard);
	printf("\n");
}

static void print_setting(const struct option_row *row)
{
	char entry[80];
	snprintf(entry, sizeof entry, "--%s %s", row->key, row->metavar);
	for (char *c = entry; *c != ' '; c++)
		if (*c == '_')
			*c = '-';
	print_entry(entry, row->help, row->standard);
}

static void print_settings(unsigned which)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if ((option_rows[i].commands & which) != 0)
			print_setting(&option_rows[i]);
}

static void print_flag(const struct cli_flag *flag)
{
	char entry[80];
	char letter[] = {'-', flag->letter, ',', ' ', '\0'};
	snprintf(entry, sizeof entry, "%s--%s%s%s", flag->letter != 0 ? letter : "", flag->name,
		 flag->metavar != NULL ? " " : "", flag->metavar != NULL ? flag->metavar : "");
	print_entry(entry, flag->help, NULL);
}

void help_command(const struct command *command)
{
	printf("usage: pop3-emitter %s %s\n\n%s.\n\n", command->name, command->usage,
	       command->help);
	for (const struct cli_flag *f = command->flags; f != NULL && f->name != NULL; f++)
		print_flag(f);
	print_settings(command->settings);
	if (command->more != NULL)
		printf("\n%s", command->more);
}

void help_all(void)
{
	printf("usage:\n");
	for (const struct command *const *c = commands; *c != NULL; c++)
		printf("  pop3-emitter %s %s\n", (*c)->name, (*c)->usage);
	printf("  pop3-emitter help [COMMAND]\n  pop3-emitter version\n\n");
	for (const struct command *const *c = commands; *c != NULL; c++)
		print_entry((*c)->name, (*c)->help, NULL);
	printf("\nSettings: `idle_timeout = 300` in the configuration file,\n"
	       "POP3_EMITTER_IDLE_TIMEOUT=300 in the environment, --idle-timeout 300 as a flag;\n"
	       "a flag wins over the environment, which wins over the file.\n\n");
	print_settings(~0u);
}
