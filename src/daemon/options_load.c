/*
 * The sources of settings: the configuration file (INI by libinih, fed line by line from memory so
 * that we know which line it is at and none is broken in two), the environment, the flags.
 */
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/options.h"

/* Room for a place ("FILE:LINE", "--flag") and for a problem's text. */
#define PLACE_SIZE 512
#define TEXT_SIZE  512
/* A value in a problem's text, cut if it is long. No setting is a secret. */
#define VALUE "\"%.100s\""

/* Problems of one load. */
struct problems {
	const struct option_report *report;
	unsigned count;
	bool no_memory; /* one of them is that */
};

/* A file being parsed. */
struct parse {
	struct options *options;
	struct problems *problems;
	const char *name;
	const char *next, *end; /* what has not been read */
	unsigned line;          /* that was read last, 1-based */
	bool open;              /* it has something on it that nobody has understood yet */
};

/* What options_set() says, noted if it is no mistake of the user's. */
static const char *noted(struct problems *problems, const char *wrong)
{
	problems->no_memory |= wrong == options_no_memory;
	return wrong;
}

static void clean(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

__attribute__((format(printf, 4, 5))) static void
report(struct problems *problems, const char *place, unsigned line, const char *format, ...)
{
	char where[PLACE_SIZE];
	char text[TEXT_SIZE];
	va_list arguments;

	if (line > 0)
		snprintf(where, sizeof where, "%s:%u", place, line);
	else
		snprintf(where, sizeof where, "%s", place);
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	clean(where);
	clean(text);
	problems->count++;
	problems->report->problem(where, line, text, problems->report->data);
}

__attribute__((format(printf, 2, 3))) static void line_problem(struct parse *p, const char *format,
							       ...)
{
	char text[TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	p->open = false;
	report(p->problems, p->name, p->line, "%s", text);
}

/* Nobody took the line that was read last: libinih found no `key = value` in it. */
static void close_line(struct parse *p)
{
	if (p->open)
		line_problem(p, "expected key = value");
	p->open = false;
}

/* What the line is worth handing on: nothing if it is empty, a comment or wrong. */
static size_t judge_line(struct parse *p, const char *text, size_t length, size_t room)
{
	if (length == 0 || *text == '#' || *text == ';')
		return 0;
	if (memchr(text, '\0', length) != NULL)
		line_problem(p, "holds a NUL octet");
	else if (*text == '[')
		line_problem(p, "there are no sections");
	else if (length > room)
		line_problem(p, "is longer than %zu octets", room);
	else
		return length;
	return 0;
}

/* libinih's reader: one whole line a call, without blanks around it, so none continues another. */
static char *read_line(char *out, int size, void *stream)
{
	struct parse *p = stream;

	close_line(p);
	if (p->next == p->end)
		return NULL;
	p->line++;
	const char *text = p->next;
	const char *stop = memchr(text, '\n', (size_t)(p->end - text));
	p->next = stop == NULL ? p->end : stop + 1;
	if (stop == NULL)
		stop = p->end;
	while (text < stop && (*text == ' ' || *text == '\t'))
		text++;
	while (text < stop && strchr(" \t\r", stop[-1]) != NULL && stop[-1] != '\0')
		stop--;
	size_t length = judge_line(p, text, (size_t)(stop - text), (size_t)size - 3);
	p->open = length > 0;
	memcpy(out, text, length);
	memcpy(out + length, "\n", 2);
	return out;
}

static int take_pair(void *data, const char *section, const char *name, const char *value)
{
	struct parse *p = data;
	const struct option_row *row = strchr(name, '-') == NULL ? option_find(name) : NULL;

	p->open = false;
	if (*section != '\0') {
		line_problem(p, "there are no sections");
		return 1;
	}
	if (row == NULL) {
		line_problem(p, "unknown key: %s", name);
		return 1;
	}
	const char *wrong = noted(p->problems, options_set(p->options, row, OPTION_FILE, value));
	if (wrong != NULL)
		line_problem(p, "%s: " VALUE " %s", row->key, value, wrong);
	return 1;
}

static void parse(struct options *options, const char *name, const char *text, size_t length,
		  struct problems *problems)
{
	static const unsigned char bom[] = {0xef, 0xbb, 0xbf}; /* that some editors begin with */
	struct parse p = {.options = options,
			  .problems = problems,
			  .name = name,
			  .next = text,
			  .end = text + length};
	if (length >= sizeof bom && memcmp(text, bom, sizeof bom) == 0)
		p.next += sizeof bom;
	int result = ini_parse_stream(read_line, &p, take_pair, &p);
	close_line(&p);
	if (result < 0)
		report(problems, name, 0, "%s", noted(problems, options_no_memory));
}

unsigned options_parse(struct options *options, const char *name, const char *text, size_t length,
		       const struct option_report *hears)
{
	struct problems problems = {.report = hears};
	parse(options, name, text, length, &problems);
	return problems.count;
}

/* Read at most `size` octets; how many there are, or a negative errno value. */
static ssize_t read_whole(const char *path, char *text, size_t size)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0)
		return -errno;
	size_t length = 0;
	ssize_t got = 0;
	do {
		got = read(descriptor, text + length, size - length);
		if (got > 0)
			length += (size_t)got;
	} while ((got > 0 && length < size) || (got < 0 && errno == EINTR));
	ssize_t result = got < 0 ? -errno : (ssize_t)length;
	close(descriptor);
	return result;
}

static void load_file(struct options *options, const struct option_input *input,
		      struct problems *problems)
{
	char *text = malloc(OPTIONS_FILE_MAX + 1);
	ssize_t length =
		text == NULL ? -ENOMEM : read_whole(input->file, text, OPTIONS_FILE_MAX + 1);
	if (length > (ssize_t)OPTIONS_FILE_MAX)
		report(problems, input->file, 0, "is larger than %u octets", OPTIONS_FILE_MAX);
	else if (length >= 0)
		parse(options, input->file, text, (size_t)length, problems);
	else if (length != -ENOENT || !input->optional)
		report(problems, input->file, 0, "%s", strerror((int)-length));
	problems->no_memory |= text == NULL;
	free(text);
}

/* "POP3_EMITTER_IDLE_TIMEOUT" is idle_timeout; NULL if there is no such key. */
static const struct option_row *find_variable(const char *name, size_t length)
{
	char key[64];
	if (length >= sizeof key)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		bool capital = name[i] >= 'A' && name[i] <= 'Z';
		if (!capital && name[i] != '_')
			return NULL;
		key[i] = (char)(capital ? name[i] - 'A' + 'a' : '_');
	}
	key[length] = '\0';
	return option_find(key);
}

static void load_environment(struct options *options, char *const *environment,
			     struct problems *problems)
{
	const size_t prefix = strlen(OPTIONS_PREFIX);
	for (; *environment != NULL; environment++) {
		if (strncmp(*environment, OPTIONS_PREFIX, prefix) != 0)
			continue;
		const char *equals = strchr(*environment, '=');
		if (equals == NULL)
			continue;
		char name[128];
		snprintf(name, sizeof name, "%.*s", (int)(equals - *environment), *environment);
		const char *rest = *environment + prefix;
		const struct option_row *row = find_variable(rest, (size_t)(equals - rest));
		const char *wrong = NULL;
		if (row != NULL)
			wrong = noted(problems,
				      options_set(options, row, OPTION_ENVIRONMENT, equals + 1));
		if (row == NULL)
			report(problems, name, 0, "unknown setting");
		else if (wrong != NULL)
			report(problems, name, 0, VALUE " %s", equals + 1, wrong);
	}
}

static void load_flags(struct options *options, const struct option_input *input,
		       struct problems *problems)
{
	for (size_t i = 0; i < input->flag_count; i++) {
		const struct option_flag *flag = &input->flags[i];
		const char *wrong =
			noted(problems, options_set(options, flag->row, OPTION_FLAG, flag->value));
		if (wrong == NULL)
			continue;
		char name[64];
		snprintf(name, sizeof name, "--%s", flag->row->key);
		for (char *c = name; *c != '\0'; c++)
			if (*c == '_')
				*c = '-';
		report(problems, name, 0, VALUE " %s", flag->value, wrong);
	}
}

/* What only together makes no sense. */
static void check_together(const struct options *options, struct problems *problems)
{
	if (options->cert.count != options->key.count)
		report(problems, "cert", 0, "there must be as many keys as certificates: %zu, %zu",
		       options->key.count, options->cert.count);
	if (options->ocsp.count > options->cert.count)
		report(problems, "ocsp", 0, "there are more OCSP responses than certificates");
	if (options->cert.count > 0)
		return;
	if (options->listen_tls.count > 0)
		report(problems, "listen_tls", 0, "needs cert and key");
	if (options->client_certificate != 0)
		report(problems, "client_certificate", 0, "needs cert and key");
	bool told_by_proxy = options->proxy_tls && options->proxy.count > 0;
	if (options->require_tls == OPTION_TLS_ALWAYS && !told_by_proxy)
		report(problems, "require_tls", 0,
		       "needs cert and key, or proxy and proxy_tls, or nobody could log in");
}

int options_load(const struct option_input *input, const struct option_report *hears,
		 struct options *options)
{
	struct problems problems = {.report = hears};
	struct options loaded;

	if (options_init(&loaded) != 0) {
		report(&problems, "settings", 0, "out of memory");
		return EX_OSERR;
	}
	if (input->file != NULL)
		load_file(&loaded, input, &problems);
	if (input->environment != NULL)
		load_environment(&loaded, input->environment, &problems);
	unsigned elsewhere = problems.count;
	load_flags(&loaded, input, &problems);
	if (problems.count == 0) {
		check_together(&loaded, &problems);
		elsewhere = problems.count;
	}
	if (problems.count > 0) {
		options_fini(&loaded);
		if (problems.no_memory)
			return EX_OSERR;
		return elsewhere > 0 ? EX_CONFIG : EX_USAGE;
	}
	*options = loaded;
	return 0;
}
