/* What the program says to whoever started it, before there is a log or where none is kept. */
#ifndef POP3_DAEMON_MESSAGE_H
#define POP3_DAEMON_MESSAGE_H

/* "pop3-emitter: text" as one line on stderr; returns `code`, so that `return message(EX_…, …)`. */
__attribute__((format(printf, 2, 3))) int message(int code, const char *format, ...);

/* For struct option_report and the like: "pop3-emitter: place: text". `data` is not used. */
void message_problem(const char *place, unsigned line, const char *text, void *data);

#endif
