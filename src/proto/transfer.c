/*
 * Long replies: LIST, UIDL and messages. Each fills the output as far as it goes and continues from
 * its own state, so what a session holds does not depend on the mailbox.
 */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "proto/state.h"

/* The longest line of LIST or UIDL: a message number, a blank, a size or unique-id, CRLF. */
#define LIST_LINE_MAX (10 + 1 + UNIQUE_ID_MAX + 2)
/* The end of a message, and the least room that lets a conversion go on. */
#define MESSAGE_END_MAX 5

void transfer_start_list(struct pop3_session *s, enum transfer_kind kind)
{
	s->transfer = (struct transfer){.kind = kind, .next = 1};
}

void transfer_start_message(struct pop3_session *s, struct source *source, uint32_t msgno,
			    uint64_t lines, uint64_t announced)
{
	struct transfer *t = &s->transfer;
	if (s->ended)
		return;
	*t = (struct transfer){.kind = TRANSFER_MESSAGE,
			       .source = *source,
			       .msgno = msgno,
			       .counted = msgno > 0 && lines == POP3_ALL_LINES,
			       .announced = announced};
	*source = (struct source){.kind = SOURCE_NONE};
	wire_init(&t->wire, lines);
}

static void give_window_back(struct pop3_session *s)
{
	pool_give(&s->context->blocks, s->transfer.window);
	s->transfer.window = NULL;
	s->transfer.window_length = 0;
}

void transfer_abort(struct pop3_session *s)
{
	if (s->transfer.loading)
		return;
	give_window_back(s);
	source_release(&s->transfer.source);
	s->transfer.kind = TRANSFER_NONE;
}

/* ---- LIST and UIDL ---- */

static size_t format_list_line(const struct pop3_session *s, char *out)
{
	const struct transfer *t = &s->transfer;
	size_t length = number_format(t->next, out);
	out[length++] = ' ';
	if (t->kind == TRANSFER_LIST) {
		length += number_format(s->view.sizes.sizes[t->next - 1], out + length);
	} else {
		const char *id = s->view.ids.text + s->view.ids.offsets[t->next - 1];
		size_t id_length = strlen(id);
		memcpy(out + length, id, id_length);
		length += id_length;
	}
	memcpy(out + length, "\r\n", 2);
	return length + 2;
}

static void run_list(struct pop3_session *s)
{
	struct transfer *t = &s->transfer;
	size_t room, length = 0;
	char *out = output_room(s, &room);
	if (out == NULL)
		return;
	for (; t->next <= view_count(&s->view) && room - length > LIST_LINE_MAX; t->next++) {
		if (!view_is_marked(&s->view, t->next))
			length += format_list_line(s, out + length);
	}
	if (t->next > view_count(&s->view) && room - length >= 3) {
		memcpy(out + length, ".\r\n", 3);
		length += 3;
		transfer_abort(s);
	}
	output_commit(s, length);
}

/* ---- Messages ---- */

/* A size that was announced and proves wrong is the listener's mistake; the message is out whole.
 */
static void check_size(struct pop3_session *s)
{
	const struct transfer *t = &s->transfer;
	if (t->wire.octets == t->announced)
		return;
	char text[128];
	snprintf(text, sizeof text, "message %u has %llu octets, %llu were announced", t->msgno,
		 (unsigned long long)t->wire.octets, (unsigned long long)t->announced);
	context_emit_wrong_size(s->context, s, t->msgno, text);
}

static void finish_message(struct pop3_session *s, char *out)
{
	struct transfer *t = &s->transfer;
	size_t length = wire_finish(&t->wire, out);
	output_commit(s, length);
	if (t->msgno > 0)
		s->octets += t->wire.octets;
	if (t->counted) {
		s->messages++;
		check_size(s);
	}
	transfer_abort(s);
}

/* The source cannot give what it promised: without the final dot the client knows it, too. */
static void fail_message(struct pop3_session *s, const char *why)
{
	char text[128];
	snprintf(text, sizeof text, "message %u: %s", s->transfer.msgno, why);
	context_emit_error(s->context, s, text);
	transfer_abort(s);
	session_close(s, POP3_REASON_ERROR);
}

static bool source_is_empty(const struct transfer *t)
{
	return t->window_length == 0 && t->source.left == 0;
}

/* Let the window hold octets of a pull function. */
static void pull_window(struct pop3_session *s)
{
	struct transfer *t = &s->transfer;
	if (t->window == NULL)
		t->window = pool_take(&s->context->blocks);
	if (t->window == NULL) {
		session_terminate(s, POP3_REASON_ERROR);
		return;
	}
	ssize_t got = t->source.pull(t->source.state, t->window, BLOCK_SIZE);
	if (got < 0 || got > BLOCK_SIZE) {
		fail_message(s, "its source failed");
		return;
	}
	t->window_start = 0;
	t->window_length = (size_t)got;
	if (got == 0)
		t->source.left = 0;
}

/* The octets at hand, from memory or the window. */
static const char *available(const struct transfer *t, size_t *length)
{
	if (t->source.kind == SOURCE_BYTES) {
		*length = (size_t)t->source.left;
		return t->source.octets;
	}
	*length = t->window_length;
	return t->window == NULL ? "" : t->window + t->window_start;
}

static void take(struct transfer *t, size_t length)
{
	if (t->source.kind == SOURCE_BYTES) {
		t->source.octets += length;
		t->source.left -= length;
	} else {
		t->window_start += length;
		t->window_length -= length;
	}
}

/* One step: convert what is at hand, fetch more, or finish. True: go on. */
static bool run_message_step(struct pop3_session *s)
{
	struct transfer *t = &s->transfer;
	size_t room, length, taken;
	char *out = output_room(s, &room);
	if (out == NULL || room < MESSAGE_END_MAX)
		return false;
	const char *in = available(t, &length);
	if (t->wire.done || source_is_empty(t)) {
		finish_message(s, out);
		return false;
	}
	if (length == 0) {
		if (t->source.kind == SOURCE_DESCRIPTOR)
			return false;
		pull_window(s);
		return t->kind != TRANSFER_NONE;
	}
	output_commit(s, wire_convert(&t->wire, in, length, &taken, out, room));
	take(t, taken);
	return true;
}

void transfer_run(struct pop3_session *s)
{
	struct transfer *t = &s->transfer;
	if (s->ended || t->loading)
		return;
	if (t->kind == TRANSFER_LIST || t->kind == TRANSFER_UIDL)
		run_list(s);
	while (t->kind == TRANSFER_MESSAGE && !s->ended && run_message_step(s))
		;
	if (s->output.length == 0 && s->output.block != NULL)
		output_discard(s);
	if (t->kind == TRANSFER_NONE && s->draining && s->pending == NULL)
		session_close(s, POP3_REASON_SHUTDOWN);
}

/* ---- Files, read by whoever drives the session ---- */

/* Wait for room, so that a reader that is slow does not make many small reads. */
bool transfer_wants_load(const struct pop3_session *s)
{
	const struct transfer *t = &s->transfer;
	return !s->ended && !t->loading && t->kind == TRANSFER_MESSAGE &&
	       t->source.kind == SOURCE_DESCRIPTOR && t->window_length == 0 && t->source.left > 0 &&
	       s->output.length <= OUTPUT_HIGH / 2;
}

bool pop3_session_load(struct pop3_session *s, struct pop3_load *load)
{
	struct transfer *t = &s->transfer;
	if (!transfer_wants_load(s))
		return false;
	if (t->window == NULL)
		t->window = pool_take(&s->context->blocks);
	if (t->window == NULL) {
		session_terminate(s, POP3_REASON_ERROR);
		return false;
	}
	t->loading = true;
	*load = (struct pop3_load){
		.descriptor = t->source.descriptor,
		.offset = t->source.offset,
		.buffer = t->window,
		.size = t->source.left < BLOCK_SIZE ? (size_t)t->source.left : BLOCK_SIZE,
	};
	return true;
}

void pop3_session_loaded(struct pop3_session *s, ssize_t result, uint64_t now)
{
	struct transfer *t = &s->transfer;
	s->now = now;
	t->loading = false;
	if (s->ended) {
		transfer_abort(s);
		session_try_finish(s);
	} else if (result <= 0) {
		fail_message(s, result == 0 ? "its file ended early" : "its file cannot be read");
	} else {
		t->window_start = 0;
		t->window_length = (size_t)result;
		t->source.offset += (uint64_t)result;
		t->source.left -= (uint64_t)result;
		transfer_run(s);
	}
}
