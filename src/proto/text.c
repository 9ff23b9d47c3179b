/*
 * See text.h. A row a text, a column a catalogue. A new language is a column, an enumerator and a
 * row of `languages`; a test finds what is missing.
 */
#include "proto/text.h"

#include <string.h>
#include <strings.h>

enum catalogue { ENGLISH, GERMAN, FRENCH, CATALOGUES };

/* clang-format off */
static const char *const texts[TEXTS][CATALOGUES] = {
	[TEXT_READY] = {
		"POP3 server ready", "POP3-Server bereit", "serveur POP3 prêt"},
	[TEXT_SEND_PASS] = {
		"send PASS", "jetzt PASS senden", "envoyez PASS"},
	[TEXT_MAILDROP_READY] = {
		"maildrop ready", "Postfach bereit", "boîte aux lettres prête"},
	[TEXT_MESSAGES] = {
		"# messages (# octets)", "# Nachrichten (# Oktette)", "# messages (# octets)"},
	[TEXT_OCTETS] = {
		"# octets", "# Oktette", "# octets"},
	[TEXT_MESSAGE_DELETED] = {
		"message deleted", "Nachricht gelöscht", "message supprimé"},
	[TEXT_UTF8_ENABLED] = {
		"UTF-8 enabled", "UTF-8 eingeschaltet", "UTF-8 activé"},
	[TEXT_LANGUAGES] = {
		"languages follow", "Liste der Sprachen", "liste des langues"},
	[TEXT_LANGUAGE_CHANGED] = {
		"language changed", "Sprache gewechselt", "langue changée"},
	[TEXT_BEGIN_TLS] = {
		"begin TLS", "TLS beginnen", "commencez TLS"},
	[TEXT_BYE] = {
		"bye", "auf Wiedersehen", "au revoir"},

	[TEXT_LINE_TOO_LONG] = {
		"line too long", "Zeile zu lang", "ligne trop longue"},
	[TEXT_CONTROL_CHARACTERS] = {
		"line has control characters", "Zeile enthält Steuerzeichen",
		"la ligne contient des caractères de contrôle"},
	[TEXT_UNKNOWN_COMMAND] = {
		"unknown command", "unbekannter Befehl", "commande inconnue"},
	[TEXT_WRONG_STATE] = {
		"command not valid in this state", "Befehl in diesem Zustand nicht erlaubt",
		"commande non valable dans cet état"},
	[TEXT_WRONG_ARGUMENTS] = {
		"wrong arguments", "falsche Argumente", "arguments incorrects"},
	[TEXT_INVALID_MESSAGE_NUMBER] = {
		"invalid message number", "ungültige Nachrichtennummer",
		"numéro de message non valable"},
	[TEXT_SEND_USER_FIRST] = {
		"send USER first", "zuerst USER senden", "envoyez d'abord USER"},
	[TEXT_BAD_CHARACTERS] = {
		"invalid or forbidden characters", "ungültige oder verbotene Zeichen",
		"caractères non valables ou interdits"},
	[TEXT_UNKNOWN_LANGUAGE] = {
		"unknown language", "unbekannte Sprache", "langue inconnue"},
	[TEXT_TLS_REQUIRED] = {
		"TLS is required here: send STLS first", "hier ist TLS nötig: zuerst STLS senden",
		"TLS est exigé ici : envoyez d'abord STLS"},
	[TEXT_TLS_REQUIRED_ELSEWHERE] = {
		"TLS is required here, and this port has none",
		"hier ist TLS nötig, und dieser Port hat keines",
		"TLS est exigé ici, et ce port ne l'a pas"},
	[TEXT_TLS_ACTIVE] = {
		"TLS is active already", "TLS ist schon aktiv", "TLS est déjà actif"},
	[TEXT_STLS_AFTER_UTF8] = {
		"STLS must come before UTF8", "STLS muss vor UTF8 kommen", "STLS doit précéder UTF8"},

	[TEXT_AUTHENTICATION_FAILED] = {
		"authentication failed", "Anmeldung fehlgeschlagen", "échec de l'authentification"},
	[TEXT_AUTHENTICATION_NOT_AVAILABLE] = {
		"authentication is not available", "Anmeldung nicht möglich",
		"l'authentification n'est pas disponible"},
	[TEXT_MAILDROP_LOCKED] = {
		"maildrop is locked by another session",
		"Postfach ist von einer anderen Sitzung gesperrt",
		"la boîte aux lettres est verrouillée par une autre session"},
	[TEXT_TOO_MANY_SESSIONS] = {
		"too many sessions of this user", "zu viele Sitzungen dieses Benutzers",
		"trop de sessions de cet utilisateur"},
	[TEXT_LOGIN_DELAY] = {
		"too soon after the last login", "zu früh nach der letzten Anmeldung",
		"trop tôt après la dernière connexion"},
	[TEXT_MAILDROP_NOT_AVAILABLE] = {
		"maildrop is not available", "Postfach ist nicht verfügbar",
		"la boîte aux lettres n'est pas disponible"},
	[TEXT_TRY_LATER] = {
		"try again later", "später noch einmal versuchen", "réessayez plus tard"},
	[TEXT_NO_SUCH_MESSAGE] = {
		"no such message", "keine solche Nachricht", "message inexistant"},
	[TEXT_MESSAGE_IS_DELETED] = {
		"message is deleted", "Nachricht ist gelöscht", "le message est supprimé"},
	[TEXT_MESSAGE_NOT_AVAILABLE] = {
		"message is not available", "Nachricht ist nicht verfügbar",
		"le message n'est pas disponible"},
	[TEXT_MESSAGE_NEEDS_UTF8] = {
		"message can only be sent after UTF8", "Nachricht kann nur nach UTF8 gesendet werden",
		"le message ne peut être envoyé qu'après UTF8"},
	[TEXT_NOT_REMOVED] = {
		"some deleted messages not removed", "einige gelöschte Nachrichten nicht entfernt",
		"certains messages supprimés n'ont pas été retirés"},
};
/* clang-format on */

static const struct {
	const char *tag;
	const char *name;
	enum catalogue catalogue;
} languages[LANGUAGES] = {
	[LANGUAGE_DEFAULT] = {"i-default", "Default (English)", ENGLISH},
	[LANGUAGE_ENGLISH] = {"en", "English", ENGLISH},
	[LANGUAGE_GERMAN] = {"de", "Deutsch", GERMAN},
	[LANGUAGE_FRENCH] = {"fr", "français", FRENCH},
};

const char *text_of(enum text text, enum language language)
{
	return texts[text][languages[language].catalogue];
}

const char *language_tag(enum language language)
{
	return languages[language].tag;
}

const char *language_name(enum language language)
{
	return languages[language].name;
}

/* ---- Lookup ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 4647 section 2.1: 1 to 8 letters, then subtags of 1 to 8 letters or digits. */
static bool is_range(const char *range)
{
	bool first = true;
	for (;; range++, first = false) {
		size_t length = 0;
		for (; is_letter(*range) || (!first && is_digit(*range)); range++)
			length++;
		if (length < 1 || length > 8)
			return false;
		if (*range != '-')
			return *range == '\0';
	}
}

static bool find_tag(const char *range, size_t length, enum language *language)
{
	for (int i = 0; i < LANGUAGES; i++) {
		const char *tag = languages[i].tag;
		if (strlen(tag) == length && strncasecmp(tag, range, length) == 0) {
			*language = (enum language)i;
			return true;
		}
	}
	return false;
}

/* The length without the last subtag. A single letter that is the last then is to be cut, too; but
 * no tag ends so, and the next step does it. */
static size_t cut_subtag(const char *range, size_t length)
{
	while (length > 0 && range[length - 1] != '-')
		length--;
	return length > 0 ? length - 1 : 0;
}

bool language_find(const char *range, enum language *language)
{
	if (!is_range(range))
		return false;
	for (size_t length = strlen(range); length > 0; length = cut_subtag(range, length))
		if (find_tag(range, length, language))
			return true;
	return false;
}
