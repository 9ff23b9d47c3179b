/*
 * The TRANSACTION state (RFC 1939 section 5). Each command first makes sure that the maildrop view
 * knows what it needs, asking the listeners if not, and then goes on with its own step.
 */
#include <inttypes.h>
#include <string.h>

#include "proto/state.h"

/* ---- What the view must know first ---- */

static void report_bad_list(struct pop3_session *s, const char *what)
{
	context_emit_error(s->context, s, what);
	reply_failure(s, POP3_TEMPORARY, NULL);
}

/*
 * Three codes are for the login alone (RFC 2449 section 8, RFC 3206 section 5), one for RETR and
 * TOP (RFC 6856 section 5), see on_retrieved().
 */
static bool is_for_another_time(enum pop3_result result)
{
	return result == POP3_DENIED || result == POP3_IN_USE || result == POP3_LOGIN_DELAY ||
	       result == POP3_NEEDS_UTF8;
}

static bool has_failed(struct pop3_session *s, const struct answer *answer)
{
	enum pop3_result result = answer->result;
	if (!answer->given || result == POP3_OK)
		return false;
	if (is_for_another_time(result))
		result = POP3_TEMPORARY;
	reply_failure(s, result, answer->text);
	return true;
}

static void on_list(struct pop3_session *s, struct answer *answer)
{
	if (has_failed(s, answer))
		return;
	if (view_adopt_sizes(&s->view, &answer->block) < 0)
		report_bad_list(s, "the list does not fit what was said before");
	else
		s->step(s);
}

/* The whole list is asked for at most once a session. */
static void with_list(struct pop3_session *s, step_function *step)
{
	if (s->view.has_sizes) {
		step(s);
		return;
	}
	s->step = step;
	struct pop3_list event = {session_event(s), s->user, 0};
	session_ask(s, EVENT_LIST, &event.event, on_list);
}

static void on_size(struct pop3_session *s, struct answer *answer)
{
	if (has_failed(s, answer))
		return;
	if (!answer->single) {
		reply_failure(s, POP3_NO_SUCH_MESSAGE, NULL);
		return;
	}
	view_learn(&s->view, s->msgno, answer->size);
	s->step(s);
}

/* Goes on with a message that exists and is not marked, its size known. */
static void with_message(struct pop3_session *s, uint32_t msgno, step_function *step)
{
	uint64_t size;
	s->msgno = msgno;
	if (view_lacks(&s->view, msgno)) {
		reply_failure(s, POP3_NO_SUCH_MESSAGE, NULL);
	} else if (view_is_marked(&s->view, msgno)) {
		reply_error(s, TEXT_MESSAGE_IS_DELETED);
	} else if (view_size(&s->view, msgno, &size)) {
		step(s);
	} else {
		s->step = step;
		struct pop3_list event = {session_event(s), s->user, msgno};
		session_ask(s, EVENT_LIST, &event.event, on_size);
	}
}

static uint64_t size_of(const struct pop3_session *s, uint32_t msgno)
{
	uint64_t size = 0;
	view_size(&s->view, msgno, &size);
	return size;
}

/* ---- STAT and LIST: marked messages do not count ---- */

static void stat_step(struct pop3_session *s)
{
	reply(s, "+OK %zu %" PRIu64, view_count(&s->view) - s->view.marked,
	      s->view.octets - s->view.marked_octets);
}

void command_stat(struct pop3_session *s, struct arguments *a)
{
	(void)a;
	with_list(s, stat_step);
}

static void list_all_step(struct pop3_session *s)
{
	reply_numbers(s, TEXT_MESSAGES, view_count(&s->view) - s->view.marked,
		      s->view.octets - s->view.marked_octets);
	transfer_start_list(s, TRANSFER_LIST);
}

static void list_one_step(struct pop3_session *s)
{
	reply(s, "+OK %" PRIu32 " %" PRIu64, s->msgno, size_of(s, s->msgno));
}

void command_list(struct pop3_session *s, struct arguments *a)
{
	if (a->has_msgno)
		with_message(s, a->msgno, list_one_step);
	else
		with_list(s, list_all_step);
}

/* ---- UIDL ---- */

bool command_uidl_available(struct pop3_session *s)
{
	return session_hears(s, EVENT_UIDL);
}

static void on_ids(struct pop3_session *s, struct answer *answer)
{
	if (has_failed(s, answer))
		return;
	if (view_adopt_ids(&s->view, &answer->block) < 0) {
		report_bad_list(s, "the unique-ids are illegal or of another number than the list");
		return;
	}
	reply(s, "+OK");
	transfer_start_list(s, TRANSFER_UIDL);
}

static void on_id(struct pop3_session *s, struct answer *answer)
{
	if (has_failed(s, answer))
		return;
	if (!answer->single)
		reply_failure(s, POP3_NO_SUCH_MESSAGE, NULL);
	else if (!view_id_is_legal(answer->text))
		report_bad_list(s, "a unique-id is illegal");
	else
		reply(s, "+OK %" PRIu32 " %s", s->msgno, answer->text);
}

static void uidl_one(struct pop3_session *s, uint32_t msgno)
{
	s->msgno = msgno;
	if (view_lacks(&s->view, msgno)) {
		reply_failure(s, POP3_NO_SUCH_MESSAGE, NULL);
	} else if (view_is_marked(&s->view, msgno)) {
		reply_error(s, TEXT_MESSAGE_IS_DELETED);
	} else if (s->view.has_ids) {
		reply(s, "+OK %" PRIu32 " %s", msgno,
		      s->view.ids.text + s->view.ids.offsets[msgno - 1]);
	} else {
		struct pop3_uidl event = {session_event(s), s->user, msgno};
		session_ask(s, EVENT_UIDL, &event.event, on_id);
	}
}

void command_uidl(struct pop3_session *s, struct arguments *a)
{
	if (a->has_msgno) {
		uidl_one(s, a->msgno);
	} else if (s->view.has_ids) {
		reply(s, "+OK");
		transfer_start_list(s, TRANSFER_UIDL);
	} else {
		struct pop3_uidl event = {session_event(s), s->user, 0};
		session_ask(s, EVENT_UIDL, &event.event, on_ids);
	}
}

/* ---- RETR and TOP ---- */

static void on_retrieved(struct pop3_session *s, struct answer *answer)
{
	if (!answer->given) {
		reply_error(s, TEXT_MESSAGE_NOT_AVAILABLE);
		return;
	}
	if (answer->result == POP3_NEEDS_UTF8 && !s->info.utf8) {
		reply_failure(s, answer->result, answer->text);
		return;
	}
	if (has_failed(s, answer))
		return;
	uint64_t octets = answer->source.announced;
	if (octets == POP3_OCTETS_LISTED)
		octets = size_of(s, s->msgno);
	if (s->lines == POP3_ALL_LINES)
		reply_numbers(s, TEXT_OCTETS, octets, 0);
	else
		reply(s, "+OK");
	transfer_start_message(s, &answer->source, s->msgno, s->lines, octets);
}

static void retrieve_step(struct pop3_session *s)
{
	struct pop3_retrieve event = {session_event(s), s->user, s->msgno, s->lines};
	session_ask(s, EVENT_RETRIEVE, &event.event, on_retrieved);
}

void command_retr(struct pop3_session *s, struct arguments *a)
{
	s->lines = POP3_ALL_LINES;
	with_message(s, a->msgno, retrieve_step);
}

void command_top(struct pop3_session *s, struct arguments *a)
{
	s->lines = a->lines;
	with_message(s, a->msgno, retrieve_step);
}

/* ---- DELE, RSET, NOOP ---- */

static void dele_step(struct pop3_session *s)
{
	if (view_mark(&s->view, s->msgno) < 0)
		reply_failure(s, POP3_TEMPORARY, NULL);
	else
		reply_ok(s, TEXT_MESSAGE_DELETED);
}

void command_dele(struct pop3_session *s, struct arguments *a)
{
	with_message(s, a->msgno, dele_step);
}

void command_rset(struct pop3_session *s, struct arguments *a)
{
	(void)a;
	view_unmark_all(&s->view);
	reply(s, "+OK");
}

void command_noop(struct pop3_session *s, struct arguments *a)
{
	(void)a;
	reply(s, "+OK");
}
