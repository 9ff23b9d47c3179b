/*
 * A line is built on the stack of whoever logs and written at once, so lines of threads never mix.
 * What cannot be written is lost, and counted: a server does not stop because its log does.
 */
#include "daemon/logger.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* "2024-05-06T07:08:09.123Z" and a NUL. */
#define MOMENT_SIZE 32
/* Room for `"time":"…",` around the moment. */
#define PREFIX_SIZE (MOMENT_SIZE + 16)
/* How long a reader of the log may be behind before lines are lost; no line after that waits. */
#define PATIENCE_MILLISECONDS 100

static const char *moment_now(char text[MOMENT_SIZE])
{
	struct timespec now;
	struct tm parts;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	size_t length = strftime(text, MOMENT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, MOMENT_SIZE - length, ".%03uZ",
		 (unsigned)(now.tv_nsec / 1000000) % 1000);
	return text;
}

size_t logger_line(enum option_format format, const char *moment, const struct pop3_record *record,
		   char line[LOG_LINE_SIZE])
{
	bool json = format == OPTION_FORMAT_JSON;
	size_t length = json ? log_format_json(record, line) : log_format_logfmt(record, line);
	if (moment == NULL)
		return length;

	char prefix[PREFIX_SIZE];
	snprintf(prefix, sizeof prefix, json ? "\"time\":\"%s\"," : "time=%s ", moment);
	size_t added = strlen(prefix);
	size_t at = json ? 1 : 0; /* behind JSON's brace */
	if (length + added >= LOG_LINE_SIZE)
		return length; /* better without the time than broken */
	memmove(line + at + added, line + at, length - at + 1);
	memcpy(line + at, prefix, added);
	return length + added;
}

static void to_syslog(enum pop3_level level, const char *line)
{
	static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
	syslog(LOG_MAIL | priorities[level], "%s", line);
}

/*
 * Would a line be taken at once? Of a pipe or a terminal nobody may be reading; a pipe that says
 * yes takes 4096 octets. Where threads log in the same instant one may still wait for the reader.
 */
static bool takes_a_line(const struct logger *logger)
{
	struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
	return poll(&log, 1, atomic_load(&logger->lost) > 0 ? 0 : PATIENCE_MILLISECONDS) != 0;
}

static void write_line(char *line, size_t length)
{
	line[length++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, length);
	(void)written;
}

/* Lines were lost before this one. */
static void write_loss(struct logger *logger, const char *time)
{
	const struct pop3_field lines = {.name = "lines",
					 .number = atomic_exchange(&logger->lost, 0)};
	const struct pop3_record loss = {POP3_LOG_WARNING, "log_lost", &lines, 1};
	char line[LOG_LINE_SIZE + 1];
	write_line(line, logger_line(atomic_load(&logger->format), time, &loss, line));
}

static void write_record(const struct pop3_record *record, void *data)
{
	struct logger *logger = data;
	char line[LOG_LINE_SIZE + 1];
	char moment[MOMENT_SIZE];

	if (record->level > atomic_load(&logger->level))
		return;
	const char *time = atomic_load(&logger->time) ? moment_now(moment) : NULL;
	size_t length = logger_line(atomic_load(&logger->format), time, record, line);
	if (atomic_load(&logger->target) == OPTION_LOG_SYSLOG) {
		to_syslog(record->level, line);
		return;
	}
	if (!takes_a_line(logger)) {
		atomic_fetch_add(&logger->lost, 1);
		return;
	}
	if (atomic_load(&logger->lost) > 0)
		write_loss(logger, time);
	write_line(line, length);
}

void logger_configure(struct logger *logger, const struct options *options)
{
	atomic_store(&logger->target, options->log);
	atomic_store(&logger->format, options->log_format);
	atomic_store(&logger->level, options->debug ? POP3_LOG_DEBUG : options->log_level);
	atomic_store(&logger->time, options->log_time);
	if (options->log == OPTION_LOG_SYSLOG)
		openlog("pop3-emitter", LOG_PID, LOG_MAIL);
}

void logger_init(struct logger *logger, const struct options *options)
{
	atomic_store(&logger->lost, 0);
	logger_configure(logger, options);
	logger->sink = (struct log_sink){write_record, logger};
}
