/* One write per message, and no control octet in it: a terminal shows what was meant. */
#include "daemon/message.h"

#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_SIZE 1024

int message(int code, const char *format, ...)
{
	char text[MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fflush(stdout);
	fprintf(stderr, "pop3-emitter: %s\n", text);
	return code;
}

void message_problem(const char *place, unsigned line, const char *text, void *data)
{
	(void)line; /* is in the place */
	(void)data;
	message(0, "%s: %s", place, text);
}
