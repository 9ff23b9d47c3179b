/* The command line. Settings come from the table of settings, so a new one is a flag at once. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/message.h"

/* What is left to read. */
struct reader {
	char **next;
	const struct command *command;
	struct arguments *arguments;
};

/* "--name", cut from "--name=value". */
static size_t name_length(const char *argument)
{
	return strcspn(argument, "=");
}

static const struct cli_flag *find_flag(const struct command *command, const char *argument)
{
	for (const struct cli_flag *f = command->flags; f != NULL && f->name != NULL; f++) {
		bool by_letter = argument[1] != '-' && f->letter != 0 && argument[1] == f->letter &&
				 argument[2] == '\0';
		bool by_name = argument[1] == '-' && strlen(f->name) == name_length(argument) - 2 &&
			       strncmp(f->name, argument + 2, strlen(f->name)) == 0;
		if (by_letter || by_name)
			return f;
	}
	return NULL;
}

static const struct option_row *find_setting(const struct command *command, const char *argument)
{
	char key[64];
	if (argument[1] != '-' || name_length(argument) - 2 >= sizeof key)
		return NULL;
	memcpy(key, argument + 2, name_length(argument) - 2);
	key[name_length(argument) - 2] = '\0';
	const struct option_row *row = option_find(key);
	return row != NULL && (row->commands & command->settings) != 0 ? row : NULL;
}

/* The value behind "=" or in the next argument; NULL: there is none. */
static const char *take_value(struct reader *r, const char *argument)
{
	const char *equals = argument[1] == '-' ? strchr(argument, '=') : NULL;
	if (equals != NULL)
		return equals + 1;
	if (*r->next == NULL)
		return NULL;
	return *r->next++;
}

static const char *take_boolean(struct reader *r, const char *argument)
{
	if (strchr(argument, '=') != NULL)
		return take_value(r, argument);
	if (*r->next != NULL && (strcmp(*r->next, "yes") == 0 || strcmp(*r->next, "no") == 0))
		return *r->next++;
	return "yes";
}

static int lacks_value(const char *argument)
{
	return message(EX_USAGE, "%s: needs a value", argument);
}

static int take_setting(struct reader *r, const struct option_row *row, const char *argument)
{
	const char *value =
		row->type == OPTION_BOOLEAN ? take_boolean(r, argument) : take_value(r, argument);
	if (value == NULL)
		return lacks_value(argument);
	struct arguments *a = r->arguments;
	a->settings[a->setting_count++] = (struct option_flag){row, value};
	return 0;
}

static int take_flag(struct reader *r, const struct cli_flag *flag, const char *argument)
{
	struct arguments *a = r->arguments;
	const char *value = "";

	if (flag->metavar != NULL)
		value = take_value(r, argument);
	else if (strchr(argument, '=') != NULL)
		return message(EX_USAGE, "--%s: takes no value", flag->name);
	if (value == NULL)
		return lacks_value(argument);
	if (!flag->repeated && arguments_value(a, flag->name) != NULL)
		return message(EX_USAGE, "--%s: is given twice", flag->name);
	a->flags[a->flag_count].flag = flag;
	a->flags[a->flag_count++].value = value;
	return 0;
}

static int take_option(struct reader *r, const char *argument)
{
	if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
		r->arguments->help = true;
		return 0;
	}
	const struct cli_flag *flag = find_flag(r->command, argument);
	if (flag != NULL)
		return take_flag(r, flag, argument);
	const struct option_row *row = find_setting(r->command, argument);
	if (row != NULL)
		return take_setting(r, row, argument);
	return message(EX_USAGE, "%.*s: unknown option; see `pop3-emitter %s --help`",
		       (int)name_length(argument), argument, r->command->name);
}

static int check_words(const struct arguments *a)
{
	const struct command *c = a->command;
	if (a->word_count > c->words_max && c->secretive)
		return message(EX_USAGE, "too many arguments; a secret is read from the terminal "
					 "or from stdin");
	if (a->word_count > c->words_max)
		return message(EX_USAGE, "%s: too many arguments", a->words[c->words_max]);
	if (a->word_count < c->words_min)
		return message(EX_USAGE, "usage: pop3-emitter %s %s", c->name, c->usage);
	return 0;
}

static int read_all(struct reader *r)
{
	bool only_words = false;
	while (*r->next != NULL && !r->arguments->help) {
		char *argument = *r->next++;
		if (!only_words && strcmp(argument, "--") == 0) {
			only_words = true;
		} else if (!only_words && argument[0] == '-' && argument[1] != '\0') {
			int code = take_option(r, argument);
			if (code != 0)
				return code;
		} else {
			r->arguments->words[r->arguments->word_count++] = argument;
		}
	}
	return r->arguments->help ? 0 : check_words(r->arguments);
}

int arguments_parse(const struct command *command, int argc, char **argv, struct arguments *a)
{
	size_t most = (size_t)argc + 1;
	*a = (struct arguments){.command = command};
	a->settings = calloc(most, sizeof *a->settings);
	a->flags = calloc(most, sizeof *a->flags);
	a->words = calloc(most, sizeof *a->words);
	if (a->settings == NULL || a->flags == NULL || a->words == NULL)
		return message(EX_OSERR, "out of memory");
	return read_all(&(struct reader){.next = argv, .command = command, .arguments = a});
}

void arguments_fini(struct arguments *a)
{
	free(a->settings);
	free(a->flags);
	free(a->words);
}

const char *arguments_value(const struct arguments *a, const char *name)
{
	for (size_t i = a->flag_count; i-- > 0;)
		if (strcmp(a->flags[i].flag->name, name) == 0)
			return a->flags[i].value;
	return NULL;
}

struct option_input arguments_input(const struct arguments *a)
{
	const char *file = arguments_value(a, "config");
	return (struct option_input){
		.file = file != NULL ? file : OPTIONS_FILE,
		.optional = file == NULL,
		.environment = environ,
		.flags = a->settings,
		.flag_count = a->setting_count,
	};
}

int arguments_load(const struct arguments *a, struct options *options)
{
	const struct option_report report = {message_problem, NULL};
	const struct option_input input = arguments_input(a);
	return options_load(&input, &report, options);
}
