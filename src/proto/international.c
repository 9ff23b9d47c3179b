/*
 * UTF8 and LANG (RFC 6856). UTF8 changes nothing but what listeners read in pop3_info.utf8: it is
 * they who know which messages a client in ASCII mode must not be sent.
 */
#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "proto/state.h"

/* ---- UTF8 ---- */

bool command_utf8_available(struct pop3_session *s)
{
	return s->settings->options.utf8 != POP3_UTF8_OFF;
}

/* Once more is no error: the mode is on. */
void command_utf8(struct pop3_session *s, struct arguments *a)
{
	(void)a;
	s->info.utf8 = true;
	reply_ok(s, TEXT_UTF8_ENABLED);
}

bool session_has_utf8_names(const struct pop3_session *s)
{
	return s->settings->options.utf8 == POP3_UTF8_USER;
}

/* Also before UTF8 (RFC 6856 section 2.2). */
static const char *prepare(struct pop3_session *s, const char *text, bool blanks,
			   char room[PREPARED_SIZE])
{
	size_t length;
	if (!session_has_utf8_names(s))
		return text;
	int error = prepare_text(text, strlen(text), room, &length);
	if (error == 0 && (blanks || strchr(room, ' ') == NULL))
		return room;
	if (error == -ENOMEM)
		reply_failure(s, POP3_TEMPORARY, NULL);
	else
		reply_error(s, TEXT_BAD_CHARACTERS);
	return NULL;
}

const char *session_prepare_name(struct pop3_session *s, const char *text, char room[PREPARED_SIZE])
{
	return prepare(s, text, false, room);
}

const char *session_prepare_password(struct pop3_session *s, const char *text,
				     char room[PREPARED_SIZE])
{
	return prepare(s, text, true, room);
}

/* ---- LANG ---- */

void session_speak(struct pop3_session *s, enum language language)
{
	const char *tag = language_tag(language);
	s->language = language;
	memcpy(s->info.language, tag, strlen(tag) + 1);
}

void session_forget_client(struct pop3_session *s)
{
	secret_free(s->user);
	s->user = NULL;
	s->user_given = false;
	s->info.utf8 = false;
	session_speak(s, LANGUAGE_DEFAULT);
}

static void list_languages(struct pop3_session *s)
{
	reply_ok(s, TEXT_LANGUAGES);
	for (int i = 0; i < LANGUAGES; i++)
		reply(s, "%s %s", language_tag((enum language)i), language_name((enum language)i));
	reply(s, ".");
}

/* The range is never sent back: it is the client's, the tag is ours. */
void command_lang(struct pop3_session *s, struct arguments *a)
{
	enum language language = s->settings->language;
	if (a->first == NULL) {
		list_languages(s);
		return;
	}
	if (strcmp(a->first, "*") != 0 && !language_find(a->first, &language)) {
		reply_error(s, TEXT_UNKNOWN_LANGUAGE);
		return;
	}
	session_speak(s, language);
	reply(s, "+OK %s %s", language_tag(language), session_text(s, TEXT_LANGUAGE_CHANGED));
}
