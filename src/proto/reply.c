/*
 * Responses and the output they are queued in. A response is never cut: commands are only taken up
 * while there is room for one (OUTPUT_HIGH).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/number.h"
#include "proto/state.h"

/* RFC 2449 section 8, RFC 3206 and RFC 6856 section 5: what a client is told, by result. */
static const struct failure {
	const char *code;
	enum text text;
} failures[] = {
	[POP3_OK] = {"[SYS/TEMP] ", TEXT_TRY_LATER},
	[POP3_DENIED] = {"[AUTH] ", TEXT_AUTHENTICATION_FAILED},
	[POP3_IN_USE] = {"[IN-USE] ", TEXT_MAILDROP_LOCKED},
	[POP3_LOGIN_DELAY] = {"[LOGIN-DELAY] ", TEXT_LOGIN_DELAY},
	[POP3_TEMPORARY] = {"[SYS/TEMP] ", TEXT_TRY_LATER},
	[POP3_PERMANENT] = {"[SYS/PERM] ", TEXT_MAILDROP_NOT_AVAILABLE},
	[POP3_NO_SUCH_MESSAGE] = {"", TEXT_NO_SUCH_MESSAGE},
	[POP3_NEEDS_UTF8] = {"[UTF8] ", TEXT_MESSAGE_NEEDS_UTF8},
};

/* Move what waits to the front of its block. */
static void compact(struct output *o)
{
	memmove(o->block, o->block + o->start, o->length);
	o->start = 0;
}

char *output_room(struct pop3_session *s, size_t *size)
{
	struct output *o = &s->output;
	if (o->block == NULL) {
		o->block = pool_take(&s->context->blocks);
		if (o->block == NULL) {
			session_terminate(s, POP3_REASON_ERROR);
			return NULL;
		}
		o->start = 0;
	}
	/* No more is moved than has been sent: a client that takes few octets at a time costs no
	 * more. */
	if (o->start > 0 && o->start >= o->length)
		compact(o);
	*size = BLOCK_SIZE - o->start - o->length;
	return o->block + o->start + o->length;
}

void output_commit(struct pop3_session *s, size_t length)
{
	if (s->output.length == 0)
		s->progress = s->now;
	s->output.length += length;
	if (s->output.length == 0)
		output_discard(s);
	else if (s->output.length > OUTPUT_HIGH)
		s->throttled = true;
}

void output_discard(struct pop3_session *s)
{
	pool_give(&s->context->blocks, s->output.block);
	s->output = (struct output){0};
	s->throttled = false;
}

/* Queue octets as they are; what there is no room for ends the session. */
static void output_append(struct pop3_session *s, const char *octets, size_t length)
{
	size_t room;
	char *end = s->ended ? NULL : output_room(s, &room);
	if (end == NULL)
		return;
	if (room < length) {
		compact(&s->output);
		end = output_room(s, &room);
	}
	if (room < length) {
		session_terminate(s, POP3_REASON_ERROR);
		return;
	}
	memcpy(end, octets, length);
	output_commit(s, length);
}

void reply(struct pop3_session *s, const char *format, ...)
{
	char line[RESPONSE_MAX + 1];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, RESPONSE_MAX - 1, format, arguments);
	va_end(arguments);
	if (length < 0)
		length = 0;
	if (length > RESPONSE_MAX - 2)
		length = RESPONSE_MAX - 2;
	if (s->settings->options.debug)
		LOG(&s->settings->log, POP3_LOG_DEBUG, "sent", LOG_NUMBER("session", s->id),
		    LOG_TEXT("line", line));
	memcpy(line + length, "\r\n", 2);
	output_append(s, line, (size_t)length + 2);
}

const char *session_text(const struct pop3_session *s, enum text text)
{
	return text_of(text, s->language);
}

void reply_ok(struct pop3_session *s, enum text text)
{
	reply(s, "+OK %s", session_text(s, text));
}

void reply_error(struct pop3_session *s, enum text text)
{
	reply(s, "-ERR %s", session_text(s, text));
}

void reply_numbers(struct pop3_session *s, enum text text, uint64_t first, uint64_t second)
{
	char line[RESPONSE_MAX];
	size_t length = 0;
	uint64_t number = first;
	for (const char *c = session_text(s, text); *c != '\0'; c++) {
		if (*c != '#') {
			line[length++] = *c;
			continue;
		}
		length += number_format(number, line + length);
		number = second;
	}
	reply(s, "+OK %.*s", (int)length, line);
}

/*
 * Its octets are not for the log: a password's salt may be among them. With its base64 the longest
 * fits into what OUTPUT_HIGH leaves free.
 */
void reply_challenge(struct pop3_session *s, const char *octets, size_t length)
{
	char line[2 + BASE64_SIZE(POP3_SASL_CHALLENGE_MAX) + 2] = "+ ";
	if (s->settings->options.debug)
		LOG(&s->settings->log, POP3_LOG_DEBUG, "sent", LOG_NUMBER("session", s->id),
		    LOG_TEXT("line", "+ (hidden)"));
	size_t coded = base64_encode(octets, length, line + 2);
	memcpy(line + 2 + coded, "\r\n", 2);
	output_append(s, line, 2 + coded + 2);
}

void reply_bad_command(struct pop3_session *s, enum text text)
{
	const struct pop3_limits *limits = &s->settings->options.limits;
	reply_error(s, text);
	if (++s->bad_commands >= limits->bad_commands || s->failed_logins >= limits->failed_logins)
		session_close(s, POP3_REASON_LIMIT);
}

void reply_failure(struct pop3_session *s, enum pop3_result result, const char *text)
{
	const struct failure *f = &failures[result];
	reply(s, "-ERR %s%s", f->code,
	      text == NULL || *text == '\0' ? session_text(s, f->text) : text);
}
