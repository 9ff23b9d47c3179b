/*
 * Every text that the server itself has for a client, in every language (RFC 6856 section 3).
 * Response codes are not among them: they are never translated. A session speaks "i-default"
 * (RFC 2277 section 4.5), which is English in ASCII, until the client says LANG.
 */
#ifndef POP3_PROTO_TEXT_H
#define POP3_PROTO_TEXT_H

#include <stdbool.h>

/* The languages of LANG, in the order in which it lists them. */
enum language {
	LANGUAGE_DEFAULT,
	LANGUAGE_ENGLISH,
	LANGUAGE_GERMAN,
	LANGUAGE_FRENCH,
	LANGUAGES,
};

/* A '#' in a text stands for a number. */
enum text {
	/* what +OK says */
	TEXT_READY,
	TEXT_SEND_PASS,
	TEXT_MAILDROP_READY,
	TEXT_MESSAGES, /* how many, octets */
	TEXT_OCTETS,   /* how many */
	TEXT_MESSAGE_DELETED,
	TEXT_UTF8_ENABLED,
	TEXT_LANGUAGES,
	TEXT_LANGUAGE_CHANGED,
	TEXT_BEGIN_TLS,
	TEXT_BYE,
	/* what -ERR says of a line */
	TEXT_LINE_TOO_LONG,
	TEXT_CONTROL_CHARACTERS,
	TEXT_UNKNOWN_COMMAND,
	TEXT_WRONG_STATE,
	TEXT_WRONG_ARGUMENTS,
	TEXT_INVALID_MESSAGE_NUMBER,
	TEXT_SEND_USER_FIRST,
	TEXT_BAD_CHARACTERS,
	TEXT_UNKNOWN_LANGUAGE,
	TEXT_TLS_REQUIRED,           /* and can be had */
	TEXT_TLS_REQUIRED_ELSEWHERE, /* and cannot be had here */
	TEXT_TLS_ACTIVE,
	TEXT_STLS_AFTER_UTF8,
	/* what -ERR says of a failure */
	TEXT_AUTHENTICATION_FAILED,
	TEXT_AUTHENTICATION_NOT_AVAILABLE,
	TEXT_MAILDROP_LOCKED,
	TEXT_TOO_MANY_SESSIONS,
	TEXT_LOGIN_DELAY,
	TEXT_MAILDROP_NOT_AVAILABLE,
	TEXT_TRY_LATER,
	TEXT_NO_SUCH_MESSAGE,
	TEXT_MESSAGE_IS_DELETED,
	TEXT_MESSAGE_NOT_AVAILABLE,
	TEXT_MESSAGE_NEEDS_UTF8,
	TEXT_NOT_REMOVED,
	TEXTS,
};

/* A text ends with a NUL, is UTF-8, and has neither line ends nor other control octets. */
const char *text_of(enum text, enum language);

/* "de" */
const char *language_tag(enum language);
/* "Deutsch": the language in itself, in UTF-8. */
const char *language_name(enum language);
/*
 * The language for a basic language range by the lookup of RFC 4647 section 3.4: the range itself,
 * else what is left when subtags are cut off from its end ("de-AT" finds "de"), whatever the case
 * of its letters. False: there is none, or it is no range. "*" is not looked up here.
 */
bool language_find(const char *range, enum language *);

#endif
