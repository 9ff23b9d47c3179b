/* UTF8 and LANG (RFC 6856). */
#include <stdio.h>
#include <string.h>

#include "unit/peer.h"

static const char languages[] = "+OK languages follow\ni-default Default (English)\nen English\n"
				"de Deutsch\nfr fran\xc3\xa7"
				"ais\n.";

/* ---- UTF8 ---- */

static void utf8_is_for_the_time_before_the_login(void)
{
	static const struct turn turns[] = {
		{"UTF8 USER", "-ERR wrong arguments"},
		{"UTF8 ", "-ERR wrong arguments"},
		{"utf8", "+OK UTF-8 enabled"},
		{"UTF8", "+OK UTF-8 enabled"},
		TURN_LOGIN,
		{"UTF8", "-ERR command not valid in this state"},
		TURN_END,
	};
	peer_dialog(NULL, turns, "authenticate PASS alice secret\nopen alice", "");
}

static void utf8_between_user_and_pass_forgets_the_user(void)
{
	static const struct turn turns[] = {
		{"USER alice", "+OK send PASS"},
		{"UTF8", "+OK UTF-8 enabled"},
		{"PASS secret", "-ERR send USER first"},
		TURN_LOGIN,
		TURN_END,
	};
	peer_dialog(NULL, turns, NULL, "");
}

static void without_utf8(struct peer *p)
{
	p->options.utf8 = POP3_UTF8_OFF;
}

static void utf8_that_is_off_is_unknown(void)
{
	static const struct turn turns[] = {
		{"UTF8", "-ERR unknown command"},
		{"CAPA", "+OK\nTOP\nUIDL\nUSER\nLANG\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\n"
			 "EXPIRE NEVER\nIMPLEMENTATION pop3-emitter\n."},
		TURN_END,
	};
	peer_dialog(without_utf8, turns, "", "");
}

/* What events say of the session. */
static char told[64];

static void tell(struct pop3_open *e, void *data)
{
	struct peer *p = data;
	snprintf(told, sizeof told, "%d %s", e->event.info->utf8, e->event.info->language);
	pop3_answer_open(e, p->results[EVENT_OPEN], NULL);
}

static void expect_told(const char *commands, const char *expected)
{
	struct peer p;
	peer_init(&p);
	p.handlers.open = tell;
	/* Whoever makes a session cannot have heard what the client is going to say. */
	p.info.utf8 = true;
	peer_connect(&p);
	peer_send(&p, commands);
	peer_send(&p, "USER alice\nPASS secret");
	CU_ASSERT_STRING_EQUAL(told, expected);
	text_clear(&p.received);
	text_clear(&p.trace);
	peer_fini(&p);
	test_count(1);
}

static void events_tell_mode_and_language_of_the_client(void)
{
	expect_told("NOOP", "0 i-default");
	expect_told("UTF8", "1 i-default");
	expect_told("UTF8 yes\nLANG fr", "0 fr");
	expect_told("LANG fr\nUTF8\nLANG uga", "1 fr");
	expect_told("LANG de-AT", "0 de");
	expect_told("LANG de\nLANG *", "0 i-default");
}

static void expect_retrieval(const char *first, enum event_kind kind, const char *text,
			     const char *send, const char *expected)
{
	struct peer p;
	peer_init(&p);
	peer_connect(&p);
	peer_send(&p, first);
	peer_send(&p, "USER alice\nPASS secret");
	text_clear(&p.received);
	p.results[kind] = POP3_NEEDS_UTF8;
	p.texts[kind] = text;
	peer_send(&p, send);
	CU_ASSERT(peer_got(&p, expected));
	text_clear(&p.trace);
	peer_fini(&p);
	test_count(1);
}

static void message_for_utf8_clients_is_refused_with_its_code(void)
{
	static const char refused[] = "-ERR [UTF8] message can only be sent after UTF8";
	static const char later[] = "-ERR [SYS/TEMP] try again later";
	expect_retrieval("NOOP", EVENT_RETRIEVE, NULL, "RETR 1", refused);
	expect_retrieval("NOOP", EVENT_RETRIEVE, NULL, "TOP 1 0", refused);
	expect_retrieval("NOOP", EVENT_RETRIEVE, "ask again", "RETR 1", "-ERR [UTF8] ask again");
	/* Its size is told, and it can be deleted. */
	expect_retrieval("NOOP", EVENT_RETRIEVE, NULL, "LIST 1\nDELE 1\nSTAT",
			 "+OK 1 28\n+OK message deleted\n+OK 2 49");
	/* The code would make no sense: the client is in UTF-8 mode, or asks for something else. */
	expect_retrieval("UTF8", EVENT_RETRIEVE, NULL, "RETR 1", later);
	expect_retrieval("NOOP", EVENT_UIDL, NULL, "UIDL", later);
	expect_retrieval("NOOP", EVENT_LIST, NULL, "STAT", later);
}

static void login_never_has_the_code_of_a_message(void)
{
	static const enum event_kind kinds[] = {EVENT_AUTHENTICATE, EVENT_OPEN};
	for (size_t i = 0; i < 2; i++) {
		struct peer p;
		peer_init(&p);
		p.results[kinds[i]] = POP3_NEEDS_UTF8;
		peer_connect(&p);
		text_clear(&p.received);
		peer_send(&p, "USER alice\nPASS secret");
		CU_ASSERT(peer_got(&p, "+OK send PASS\n-ERR [SYS/TEMP] try again later"));
		text_clear(&p.trace);
		peer_fini(&p);
		test_count(1);
	}
}

/* ---- UTF8 USER ---- */

static void with_names(struct peer *p)
{
	p->options.utf8 = POP3_UTF8_USER;
}

static void names_and_passwords_that_are_not_utf8_are_refused(void)
{
	static const char wrong[] = "-ERR invalid or forbidden characters";
	static const struct turn turns[] = {
		{"CAPA", "+OK\nTOP\nUIDL\nUSER\nLANG\nUTF8 USER\nRESP-CODES\nAUTH-RESP-CODE\n"
			 "PIPELINING\nEXPIRE NEVER\nIMPLEMENTATION pop3-emitter\n."},
		{"USER zo\xeb", wrong},
		{"PASS secret", "-ERR send USER first"},
		{"USER zo\xc0\xab", wrong},
		{"USER zo\xc3\xab", "+OK send PASS"},
		{"PASS s\xed\xa0\x80", wrong},
		{"PASS secret", "-ERR send USER first"},
		/* Blanks, which a name cannot have, and letters in two characters. */
		{"USER zo\xc2\xa0\xc3\xab", wrong},
		{"USER zoe\xcc\x88", "+OK send PASS"},
		{"PASS gru\xcc\x88n\xe3\x80\x80!", "-ERR [AUTH] authentication failed"},
		/* Before UTF8 and after it. */
		{"USER zo\xc3\xab", "+OK send PASS"},
		{"PASS gr\xc3\xbcn", "-ERR [AUTH] authentication failed"},
		{"UTF8", "+OK UTF-8 enabled"},
		{"USER zo\xc3\xab", "+OK send PASS"},
		{"PASS secret", "+OK maildrop ready"},
		TURN_END,
	};
	peer_dialog(with_names, turns,
		    "authenticate PASS zo\xc3\xab gr\xc3\xbcn !\n"
		    "authenticate PASS zo\xc3\xab gr\xc3\xbcn\n"
		    "authenticate PASS zo\xc3\xab secret\nopen zo\xc3\xab",
		    "");
}

static void apop_of_a_name_that_is_not_utf8_is_refused(void)
{
	struct peer p;
	peer_init(&p);
	with_names(&p);
	p.options.apop = POP3_APOP_FIXED;
	p.options.apop_value = "<1896.697170952@dbc.mtview.ca.us>";
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "APOP zo\xeb 0\nAPOP zo\xc3\xab 0");
	CU_ASSERT(peer_got(
		&p, "-ERR invalid or forbidden characters\n-ERR [AUTH] authentication failed"));
	CU_ASSERT(peer_heard(&p, "authenticate APOP zo\xc3\xab 0"));
	peer_fini(&p);
}

/* The secret of the store has its dots apart; the client has prepared it, or not. */
static void apop_takes_a_prepared_password(void)
{
	static const char secret[] = "gru\xcc\x88n";
	struct pop3_authenticate e = {.method = "APOP",
				      .challenge = "<1896.697170952@dbc.mtview.ca.us>"};
	e.password = "fa6252d5f8708b61dff6156122112a73";
	CU_ASSERT(pop3_matches(&e, secret, strlen(secret)));
	e.password = "b70ceed87af498a649ae1b5a579fbdb7";
	CU_ASSERT(pop3_matches(&e, secret, strlen(secret)));
	CU_ASSERT(!pop3_matches(&e, "gruen", 5));
	CU_ASSERT(!pop3_matches(&e, "gr\xfcn", 4));
}

static void without_utf8_user_any_octets_are_names(void)
{
	static const struct turn turns[] = {
		{"UTF8", "+OK UTF-8 enabled"},
		{"USER zo\xeb", "+OK send PASS"},
		{"PASS \xff", "-ERR [AUTH] authentication failed"},
		TURN_END,
	};
	peer_dialog(NULL, turns, "authenticate PASS zo\xeb \xff", "");
}

/* ---- LANG ---- */

static void lang_changes_the_language_from_its_own_reply_on(void)
{
	static const struct turn turns[] = {
		{"LANG", languages},
		{"LANG de", "+OK de Sprache gewechselt"},
		{"STAT", "-ERR Befehl in diesem Zustand nicht erlaubt"},
		{"USER alice", "+OK jetzt PASS senden"},
		{"PASS wrong", "-ERR [AUTH] Anmeldung fehlgeschlagen"},
		{"USER alice", "+OK jetzt PASS senden"},
		{"PASS secret", "+OK Postfach bereit"},
		{"STAT", "+OK 3 77"},
		{"LIST", "+OK 3 Nachrichten (77 Oktette)\n1 28\n2 31\n3 18\n."},
		{"LIST 4", "-ERR keine solche Nachricht"},
		{"LANG FR-ca", "+OK fr langue chang\xc3\xa9"
			       "e"},
		{"DELE 1", "+OK message supprim\xc3\xa9"},
		{"RETR 1", "-ERR le message est supprim\xc3\xa9"},
		{"RETR 3", "+OK 18 octets\nSubject: three\n\n."},
		{"NO\x01OP", "-ERR la ligne contient des caract\xc3\xa8res de contr\xc3\xb4le"},
		{"LANG i-default", "+OK i-default language changed"},
		{"XYZZY", "-ERR unknown command"},
		{"LANG en", "+OK en language changed"},
		{"RSET", "+OK"},
		{"LANG de", "+OK de Sprache gewechselt"},
		{"QUIT", "+OK auf Wiedersehen"},
		TURN_END,
	};
	peer_dialog(NULL, turns, NULL, "");
}

static void unknown_language_changes_nothing(void)
{
	static const struct turn turns[] = {
		{"LANG uga", "-ERR unknown language"},
		{"NOOP", "-ERR command not valid in this state"},
		{"LANG fr", "+OK fr langue chang\xc3\xa9"
			    "e"},
		{"LANG MUL", "-ERR langue inconnue"},
		{"LANG de AT", "-ERR arguments incorrects"},
		{"LANG ", "-ERR arguments incorrects"},
		{"LANG \xff", "-ERR langue inconnue"},
		{"NOOP", "-ERR commande non valable dans cet \xc3\xa9tat"},
		TURN_END,
	};
	peer_dialog(NULL, turns, "", "");
}

static void speaking_german(struct peer *p)
{
	p->options.language = "de-CH";
}

static void star_is_the_language_that_the_options_prefer(void)
{
	static const struct turn turns[] = {
		{"NOOP", "-ERR command not valid in this state"},
		{"LANG *", "+OK de Sprache gewechselt"},
		{"LANG en", "+OK en language changed"},
		{"USER alice", "+OK send PASS"},
		{"PASS secret", "+OK maildrop ready"},
		/* Not the user's, so it says nothing of who exists (RFC 6856 section 7). */
		{"LANG *", "+OK de Sprache gewechselt"},
		TURN_END,
	};
	peer_dialog(speaking_german, turns, NULL, "");
	test_count(1);
}

static void texts_of_listeners_are_sent_as_they_are(void)
{
	struct peer p;
	peer_init(&p);
	p.results[EVENT_AUTHENTICATE] = POP3_DENIED;
	p.texts[EVENT_AUTHENTICATE] = "no entry";
	peer_connect(&p);
	text_clear(&p.received);
	peer_send(&p, "LANG de\nUSER alice\nPASS secret");
	CU_ASSERT(peer_got(&p, "+OK de Sprache gewechselt\n+OK jetzt PASS senden\n"
			       "-ERR [AUTH] no entry"));
	text_clear(&p.trace);
	peer_fini(&p);
}

static void wrong_options_of_rfc_6856_are_refused(void)
{
	struct settings *settings;
	struct pop3_options options = {.size = sizeof options, .utf8 = (enum pop3_utf8)3};
	CU_ASSERT_EQUAL(settings_new("host", &options, &settings), -22 /* EINVAL */);
	options = (struct pop3_options){.size = sizeof options, .language = "uga"};
	CU_ASSERT_EQUAL(settings_new("host", &options, &settings), -22);
	/* What an application knew that was built with less. */
	options.size = offsetof(struct pop3_options, utf8);
	CU_ASSERT_EQUAL_FATAL(settings_new("host", &options, &settings), 0);
	CU_ASSERT_EQUAL(settings->options.utf8, POP3_UTF8_ON);
	CU_ASSERT_EQUAL(settings->language, LANGUAGE_DEFAULT);
	settings_unref(settings);
}

static const struct test tests[] = {
	TEST(utf8_is_for_the_time_before_the_login),
	TEST(utf8_between_user_and_pass_forgets_the_user),
	TEST(utf8_that_is_off_is_unknown),
	TEST(events_tell_mode_and_language_of_the_client),
	TEST(message_for_utf8_clients_is_refused_with_its_code),
	TEST(login_never_has_the_code_of_a_message),
	TEST(names_and_passwords_that_are_not_utf8_are_refused),
	TEST(apop_of_a_name_that_is_not_utf8_is_refused),
	TEST(apop_takes_a_prepared_password),
	TEST(without_utf8_user_any_octets_are_names),
	TEST(lang_changes_the_language_from_its_own_reply_on),
	TEST(unknown_language_changes_nothing),
	TEST(star_is_the_language_that_the_options_prefer),
	TEST(texts_of_listeners_are_sent_as_they_are),
	TEST(wrong_options_of_rfc_6856_are_refused),
	TEST_END,
};
const struct test_suite suite_international = {"international", tests};
