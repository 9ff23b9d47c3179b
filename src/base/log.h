/*
 * Log records as one line of text. A record (struct pop3_record) is an event name and fields; the
 * forms are logfmt (event=closed user="alice") and JSON, both escaped so that no octet of a client
 * can forge a line or a field.
 */
#ifndef POP3_BASE_LOG_H
#define POP3_BASE_LOG_H

#include "pop3_emitter.h"

/* The longest line, its NUL included; a longer one is cut at a field's end. */
#define LOG_LINE_SIZE 2048

/* Where records go: what struct pop3_options has, as one value to hand around. */
struct log_sink {
	void (*write)(const struct pop3_record *, void *data);
	void *data;
};

/* Fields for LOG(): text may be NULL, which stands for "". */
#define LOG_TEXT(name, value)                                                                      \
	{                                                                                          \
		(name), (value) == NULL ? "" : (value), 0                                          \
	}
#define LOG_NUMBER(name, value)                                                                    \
	{                                                                                          \
		(name), NULL, (value)                                                              \
	}

/* Write one record: LOG(sink, POP3_LOG_INFO, "closed", LOG_TEXT("user", user), …). */
#define LOG(sink, level, event, ...)                                                               \
	log_write((sink), (level), (event), (const struct pop3_field[]){__VA_ARGS__},              \
		  sizeof((const struct pop3_field[]){__VA_ARGS__}) / sizeof(struct pop3_field))

void log_write(const struct log_sink *, enum pop3_level, const char *event,
	       const struct pop3_field *, size_t count);

/* The record as a line without a line end; returns its length. */
size_t log_format_logfmt(const struct pop3_record *, char line[LOG_LINE_SIZE]);
size_t log_format_json(const struct pop3_record *, char line[LOG_LINE_SIZE]);
/* "error", "warning", "info", "debug". */
const char *log_level_name(enum pop3_level);
/* A sink's write function: logfmt to stderr, one write(2) a line. */
void log_to_stderr(const struct pop3_record *, void *data);

#endif
