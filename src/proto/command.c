/*
 * The command table and what every command goes through: log, `command` handlers, state, arguments,
 * handler.
 */
#include "proto/command.h"

#include <string.h>

#include "base/number.h"
#include "base/secret.h"
#include "proto/state.h"

/* In the order in which CAPA shows what they add. */
static const struct command commands[] = {
	{"TOP", ARGUMENTS_MESSAGE_LINES, IN_TRANSACTION, TLS_NO_MATTER, "TOP", NULL, command_top},
	{"UIDL", ARGUMENTS_MAYBE_MESSAGE, IN_TRANSACTION, TLS_NO_MATTER, "UIDL",
	 command_uidl_available, command_uidl},
	{"USER", ARGUMENTS_WORD, IN_AUTHORIZATION, TLS_IF_REQUIRED, "USER", NULL, command_user},
	{"PASS", ARGUMENTS_REST, IN_AUTHORIZATION, TLS_IF_REQUIRED, NULL, NULL, command_pass},
	{"APOP", ARGUMENTS_TWO_WORDS, IN_AUTHORIZATION, TLS_IF_REQUIRED, NULL,
	 command_apop_available, command_apop},
	{"STLS", ARGUMENTS_NONE, IN_AUTHORIZATION, TLS_BEFORE, "STLS", command_stls_available,
	 command_stls},
	{"LANG", ARGUMENTS_MAYBE_WORD, IN_AUTHORIZATION | IN_TRANSACTION, TLS_NO_MATTER, "LANG",
	 NULL, command_lang},
	{"UTF8", ARGUMENTS_NONE, IN_AUTHORIZATION, TLS_NO_MATTER, "UTF8", command_utf8_available,
	 command_utf8},
	{"CAPA", ARGUMENTS_NONE, IN_AUTHORIZATION | IN_TRANSACTION, TLS_NO_MATTER, NULL, NULL,
	 command_capa},
	{"STAT", ARGUMENTS_NONE, IN_TRANSACTION, TLS_NO_MATTER, NULL, NULL, command_stat},
	{"LIST", ARGUMENTS_MAYBE_MESSAGE, IN_TRANSACTION, TLS_NO_MATTER, NULL, NULL, command_list},
	{"RETR", ARGUMENTS_MESSAGE, IN_TRANSACTION, TLS_NO_MATTER, NULL, NULL, command_retr},
	{"DELE", ARGUMENTS_MESSAGE, IN_TRANSACTION, TLS_NO_MATTER, NULL, NULL, command_dele},
	{"NOOP", ARGUMENTS_NONE, IN_TRANSACTION, TLS_NO_MATTER, NULL, NULL, command_noop},
	{"RSET", ARGUMENTS_NONE, IN_TRANSACTION, TLS_NO_MATTER, NULL, NULL, command_rset},
	{"QUIT", ARGUMENTS_NONE, IN_AUTHORIZATION | IN_TRANSACTION, TLS_NO_MATTER, NULL, NULL,
	 command_quit},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

/* The verbs whose arguments are secret. */
static const char *const secret_verbs[] = {"PASS", "APOP", "AUTH"};

/* ---- Arguments ---- */

static bool is_word(const char *text)
{
	return *text != '\0' && strchr(text, ' ') == NULL;
}

/* Cut at the first blank; NULL if there is none. */
static char *cut(char *text)
{
	char *blank = strchr(text, ' ');
	if (blank == NULL)
		return NULL;
	*blank = '\0';
	return blank + 1;
}

enum argument_error { ARGUMENTS_FINE, ARGUMENTS_WRONG, ARGUMENTS_BAD_MESSAGE };

static enum argument_error parse_message(const char *text, struct arguments *a)
{
	uint64_t number;
	if (!number_parse(text, strlen(text), UINT32_MAX, &number))
		return ARGUMENTS_BAD_MESSAGE;
	a->msgno = (uint32_t)number;
	a->has_msgno = true;
	return ARGUMENTS_FINE;
}

static enum argument_error parse_message_lines(char *text, struct arguments *a)
{
	char *lines = cut(text);
	if (lines == NULL)
		return ARGUMENTS_WRONG;
	enum argument_error error = parse_message(text, a);
	if (error != ARGUMENTS_FINE)
		return error;
	if (!number_parse(lines, strlen(lines), POP3_ALL_LINES - 1, &a->lines))
		return ARGUMENTS_WRONG;
	return ARGUMENTS_FINE;
}

/* `text` is what follows the blank after the verb; NULL if there is no blank. */
static enum argument_error parse(enum grammar grammar, char *text, struct arguments *a)
{
	bool right = false;
	a->first = text;
	switch (grammar) {
	case ARGUMENTS_NONE:
		right = text == NULL;
		break;
	case ARGUMENTS_WORD:
		right = text != NULL && is_word(text);
		break;
	case ARGUMENTS_MAYBE_WORD:
		right = text == NULL || is_word(text);
		break;
	case ARGUMENTS_TWO_WORDS:
		a->second = text == NULL ? NULL : cut(text);
		right = a->second != NULL && is_word(text) && is_word(a->second);
		break;
	case ARGUMENTS_REST:
		right = text != NULL && *text != '\0';
		break;
	case ARGUMENTS_MAYBE_MESSAGE:
		return text == NULL ? ARGUMENTS_FINE : parse_message(text, a);
	case ARGUMENTS_MESSAGE:
		return text == NULL ? ARGUMENTS_WRONG : parse_message(text, a);
	case ARGUMENTS_MESSAGE_LINES:
		return text == NULL ? ARGUMENTS_WRONG : parse_message_lines(text, a);
	}
	return right ? ARGUMENTS_FINE : ARGUMENTS_WRONG;
}

/* ---- Execution ---- */

static const struct command *find(struct pop3_session *s, const char *verb)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct command *c = &commands[i];
		if (strcmp(c->verb, verb) == 0)
			return c->available == NULL || c->available(s) ? c : NULL;
	}
	return NULL;
}

static bool is_secret_verb(const char *verb)
{
	for (size_t i = 0; i < sizeof secret_verbs / sizeof *secret_verbs; i++) {
		if (strcmp(verb, secret_verbs[i]) == 0)
			return true;
	}
	return false;
}

/* True: not before or not after the handshake, and that has been said. */
static bool is_barred(struct pop3_session *s, const struct command *c, const char *verb)
{
	enum tls_rule rule = c != NULL ? c->tls : TLS_NO_MATTER;
	/* Also those that nobody knows here: a client must not go on to the next by itself. */
	if (is_secret_verb(verb))
		rule = TLS_IF_REQUIRED;
	if (rule == TLS_IF_REQUIRED && session_needs_tls(s) && s->state == POP3_AUTHORIZATION) {
		reply_bad_command(s,
				  s->info.stls ? TEXT_TLS_REQUIRED : TEXT_TLS_REQUIRED_ELSEWHERE);
		return true;
	}
	if (rule == TLS_BEFORE && s->info.tls) {
		reply_bad_command(s, TEXT_TLS_ACTIVE);
		return true;
	}
	return false;
}

static void run_built_in(struct pop3_session *s, const char *verb, char *text)
{
	const struct command *c = find(s, verb);
	struct arguments a = {0};
	if (is_barred(s, c, verb))
		return;
	if (c == NULL) {
		reply_bad_command(s, TEXT_UNKNOWN_COMMAND);
		return;
	}
	if ((c->states & (1u << s->state)) == 0) {
		reply_bad_command(s, TEXT_WRONG_STATE);
		return;
	}
	switch (parse(c->grammar, text, &a)) {
	case ARGUMENTS_FINE:
		c->run(s, &a);
		break;
	case ARGUMENTS_WRONG:
		reply_bad_command(s, TEXT_WRONG_ARGUMENTS);
		break;
	case ARGUMENTS_BAD_MESSAGE:
		reply_bad_command(s, TEXT_INVALID_MESSAGE_NUMBER);
		break;
	}
}

/* A handler has taken the command over. */
static void on_command(struct pop3_session *s, struct answer *answer)
{
	const char *text = answer->text;
	if (!answer->given)
		return;
	if (answer->result != POP3_OK && !answer->close) {
		reply_failure(s, answer->result, text);
		return;
	}
	reply(s, "%s%s%s", answer->result == POP3_OK ? "+OK" : "-ERR", *text == '\0' ? "" : " ",
	      text);
	if (answer->source.kind != SOURCE_NONE)
		transfer_start_message(s, &answer->source, 0, POP3_ALL_LINES, 0);
}

/* True: a handler answers in place of the built-in command. */
static bool is_handled(struct pop3_session *s, const char *verb, const char *arguments)
{
	if (!session_hears(s, EVENT_COMMAND))
		return false;
	struct pop3_command event = {.event = session_event(s),
				     .session = s,
				     .state = s->state,
				     .verb = verb,
				     .arguments = arguments == NULL ? "" : arguments};
	return session_ask(s, EVENT_COMMAND, &event.event, on_command);
}

/* Before the login a verb that nobody knows may be a slip around a password, like " PASS". */
static bool is_secret(struct pop3_session *s, const char *verb)
{
	return is_secret_verb(verb) || (s->state == POP3_AUTHORIZATION && find(s, verb) == NULL);
}

static void log_received(struct pop3_session *s, const char *verb, const char *arguments)
{
	if (!s->settings->options.debug)
		return;
	if (arguments == NULL)
		arguments = "";
	else if (is_secret(s, verb))
		arguments = "(hidden)";
	LOG(&s->settings->log, POP3_LOG_DEBUG, "received", LOG_NUMBER("session", s->id),
	    LOG_TEXT("verb", verb), LOG_TEXT("arguments", arguments));
}

void command_execute(struct pop3_session *s, char *text)
{
	char *arguments = cut(text);
	bool had_user = s->user_given;
	for (char *c = text; *c != '\0'; c++) {
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	}
	log_received(s, text, arguments);

	/* PASS counts only right after a USER (RFC 1939 section 7). */
	s->user_given = false;
	if (!had_user && s->state == POP3_AUTHORIZATION) {
		secret_free(s->user);
		s->user = NULL;
	}
	if (!is_handled(s, text, arguments))
		run_built_in(s, text, arguments);
}

/* ---- CAPA (RFC 2449 section 5) ---- */

/* RFC 2595 section 4: STLS is announced where it is permitted; so is USER. All else is the same in
 * both states. */
static bool is_announced(struct pop3_session *s, const struct command *c)
{
	if (c->capability == NULL || (c->available != NULL && !c->available(s)))
		return false;
	switch (c->tls) {
	case TLS_NO_MATTER:
		return true;
	case TLS_IF_REQUIRED:
		return !session_needs_tls(s);
	case TLS_BEFORE:
		return !s->info.tls && !s->info.utf8 && (c->states & (1u << s->state)) != 0;
	}
	return false;
}

static void add_standard(struct pop3_session *s, struct pop3_capabilities *list)
{
	static const char *const others[] = {"RESP-CODES", "AUTH-RESP-CODE", "PIPELINING",
					     "EXPIRE NEVER", "IMPLEMENTATION pop3-emitter"};
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct command *c = &commands[i];
		if (!is_announced(s, c))
			continue;
		/* The one argument that a row's capability can have (RFC 6856 section 2.2). */
		bool user = c->run == command_utf8 && session_has_utf8_names(s);
		pop3_capability_add(list, user ? "UTF8 USER" : c->capability);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		pop3_capability_add(list, others[i]);
}

void command_capa(struct pop3_session *s, struct arguments *a)
{
	(void)a;
	struct pop3_capabilities list = {
		.event = session_event(s), .session = s, .state = s->state};
	add_standard(s, &list);
	session_notify(s, EVENT_CAPABILITIES, &list.event);
	reply(s, "+OK");
	for (size_t i = 0; i < list.count; i++)
		reply(s, "%s", list.lines[i]);
	reply(s, ".");
}
