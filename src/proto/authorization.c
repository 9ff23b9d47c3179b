/*
 * The AUTHORIZATION state (RFC 1939 section 4) and QUIT: USER and PASS, APOP, and the way from a
 * correct password to an open maildrop: authenticate, limit per user, open.
 */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "proto/state.h"

/*
 * One line for the log; a login that succeeds is in the line of the session's end. The user is
 * forgotten: the next attempt begins with USER again. Only an `open` that is late has closed the
 * session before; should it succeed after all, `closed` names its user.
 */
static void fail_login(struct pop3_session *s, const char *step, enum pop3_result result,
		       const char *text)
{
	static const char *const results[] = {"",          "denied",    "in-use",    "login-delay",
					      "temporary", "permanent", "permanent", "temporary"};
	/* A code of RETR and TOP, which says nothing here. */
	if (result == POP3_NEEDS_UTF8)
		result = POP3_TEMPORARY;
	LOG(&s->settings->log, POP3_LOG_WARNING, "login", LOG_NUMBER("session", s->id),
	    LOG_TEXT("user", s->user), LOG_TEXT("peer", s->info.peer), LOG_TEXT("step", step),
	    LOG_TEXT("result", results[result]));
	session_uncount(s);
	if (!s->closing) {
		free(s->user);
		s->user = NULL;
	}
	reply_failure(s, result, text);
	if (result == POP3_DENIED &&
	    ++s->failed_logins >= s->settings->options.limits.failed_logins)
		session_close(s, POP3_REASON_LIMIT);
}

static bool keep_user(struct pop3_session *s, const char *name)
{
	char *user = strdup(name);
	free(s->user);
	s->user = user;
	if (user == NULL)
		session_terminate(s, POP3_REASON_ERROR);
	return user != NULL;
}

/* False: the name was refused, or there is no memory. */
static bool set_user(struct pop3_session *s, const char *given)
{
	char room[PREPARED_SIZE];
	const char *name = session_prepare_name(s, given, room);
	return name != NULL && keep_user(s, name);
}

static void on_opened(struct pop3_session *s, struct answer *answer)
{
	if (answer->given && answer->result != POP3_OK) {
		fail_login(s, "open", answer->result, answer->text);
		return;
	}
	s->opened = true;
	s->state = POP3_TRANSACTION;
	reply_ok(s, TEXT_MAILDROP_READY);
}

/* Counted from here on, so that logins at the same time cannot exceed the limit together. */
static void open_maildrop(struct pop3_session *s)
{
	uint32_t limit = s->settings->options.limits.connections_per_user;
	if (tally_count(&s->context->users, s->user) >= limit) {
		fail_login(s, "limit", POP3_IN_USE, session_text(s, TEXT_TOO_MANY_SESSIONS));
		return;
	}
	if (tally_add(&s->context->users, s->user) < 0) {
		session_terminate(s, POP3_REASON_ERROR);
		return;
	}
	s->counted = true;
	struct pop3_open event = {session_event(s), s->user};
	session_ask(s, EVENT_OPEN, &event.event, on_opened);
}

static void on_authenticated(struct pop3_session *s, struct answer *answer)
{
	if (!answer->given) {
		context_emit_error(s->context, s, "no listener answers authenticate");
		fail_login(s, "authenticate", POP3_PERMANENT,
			   session_text(s, TEXT_AUTHENTICATION_NOT_AVAILABLE));
	} else if (answer->result != POP3_OK) {
		fail_login(s, "authenticate", answer->result, answer->text);
	} else if (answer->text[0] == '\0' || keep_user(s, answer->text)) {
		open_maildrop(s);
	}
}

static void authenticate(struct pop3_session *s, const char *method, const char *password,
			 const char *challenge)
{
	struct pop3_authenticate event = {.event = session_event(s),
					  .user = s->user,
					  .method = method,
					  .password = password,
					  .challenge = challenge};
	session_ask(s, EVENT_AUTHENTICATE, &event.event, on_authenticated);
}

/* Every well-formed name gets the same answer: nobody learns here who exists. */
void command_user(struct pop3_session *s, struct arguments *a)
{
	if (!set_user(s, a->first))
		return;
	s->user_given = true;
	reply_ok(s, TEXT_SEND_PASS);
}

void command_pass(struct pop3_session *s, struct arguments *a)
{
	if (s->user == NULL) {
		reply_error(s, TEXT_SEND_USER_FIRST);
		return;
	}
	char room[PREPARED_SIZE] = "";
	const char *password = session_prepare_password(s, a->first, room);
	if (password != NULL)
		authenticate(s, "PASS", password, NULL);
	secret_wipe(room, sizeof room);
}

bool command_apop_available(struct pop3_session *s)
{
	return s->challenge != NULL;
}

void command_apop(struct pop3_session *s, struct arguments *a)
{
	if (set_user(s, a->first))
		authenticate(s, "APOP", a->second, s->challenge);
}

/* ---- QUIT ---- */

size_t session_count_deleted(struct pop3_session *s, size_t remaining)
{
	if (remaining > s->view.marked)
		remaining = s->view.marked;
	s->deleted = s->view.marked - remaining;
	return remaining;
}

static void reply_not_removed(struct pop3_session *s)
{
	reply_failure(s, POP3_TEMPORARY, session_text(s, TEXT_NOT_REMOVED));
}

static void on_quit(struct pop3_session *s, struct answer *answer)
{
	if (answer->given && answer->result != POP3_OK) {
		reply_not_removed(s);
		return;
	}
	if (session_count_deleted(s, answer->remaining) > 0)
		reply_not_removed(s);
	else
		reply_ok(s, TEXT_BYE);
}

/* Only here is anything ever deleted (RFC 1939 section 6). */
static void update(struct pop3_session *s)
{
	uint32_t *messages = calloc(s->view.marked + 1, sizeof *messages);
	s->state = POP3_UPDATE;
	if (messages == NULL) {
		reply_not_removed(s);
		return;
	}
	view_marked_messages(&s->view, messages);
	struct pop3_quit event = {session_event(s), s->user, messages, s->view.marked};
	session_ask(s, EVENT_QUIT, &event.event, on_quit);
	free(messages);
}

void command_quit(struct pop3_session *s, struct arguments *a)
{
	(void)a;
	session_close(s, POP3_REASON_QUIT);
	if (s->state == POP3_TRANSACTION)
		update(s);
	else
		reply_ok(s, TEXT_BYE);
}
