/* See peer.h. */
#include "unit/peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

/* ---- Text ---- */

void text_append(struct peer_text *t, const char *octets, size_t length)
{
	if (t->capacity - t->length <= length) {
		t->capacity = 2 * (t->length + length) + 64;
		t->octets = realloc(t->octets, t->capacity);
		if (t->octets == NULL)
			abort();
	}
	memcpy(t->octets + t->length, octets, length);
	t->length += length;
	t->octets[t->length] = '\0';
}

void text_clear(struct peer_text *t)
{
	free(t->octets);
	*t = (struct peer_text){0};
}

static void append_lines(struct peer_text *t, const char *lines)
{
	for (;;) {
		size_t length = strcspn(lines, "\n");
		text_append(t, lines, length);
		text_append(t, "\r\n", 2);
		if (lines[length] == '\0')
			return;
		lines += length + 1;
	}
}

__attribute__((format(printf, 2, 3))) static void trace(struct peer *p, const char *format, ...)
{
	char line[512];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (p->trace.length > 0)
		text_append(&p->trace, "\n", 1);
	text_append(&p->trace, line, (size_t)length);
}

/* ---- The application ---- */

/* True: the event is held or shall stay unanswered. */
static bool is_put_off(struct peer *p, enum event_kind kind, struct pop3_event *event)
{
	if (p->hold[kind]) {
		p->held[kind] = pop3_defer(event);
		CU_ASSERT_PTR_NOT_NULL(p->held[kind]);
	}
	return p->hold[kind] || p->silent[kind];
}

static void answer_authenticate(struct peer *p, struct pop3_authenticate *e)
{
	enum pop3_result result = p->results[EVENT_AUTHENTICATE];
	if (result == POP3_OK && !pop3_matches(e, "secret", 6))
		result = POP3_DENIED;
	pop3_answer_auth(e, result, p->texts[EVENT_AUTHENTICATE]);
}

static void answer_list(struct peer *p, struct pop3_list *e)
{
	uint64_t sizes[4];
	for (size_t i = 0; i < p->count; i++)
		sizes[i] = p->messages[i].size;
	if (p->results[EVENT_LIST] != POP3_OK)
		pop3_fail(&e->event, p->results[EVENT_LIST], p->texts[EVENT_LIST]);
	else if (e->which == 0)
		pop3_answer_list(e, sizes, p->count);
	else
		pop3_answer_list(e, &sizes[(e->which - 1) % 4], e->which <= p->count);
}

static void answer_uidl(struct peer *p, struct pop3_uidl *e)
{
	const char *ids[4];
	for (size_t i = 0; i < 4; i++)
		ids[i] = p->messages[i].id;
	if (p->results[EVENT_UIDL] != POP3_OK)
		pop3_fail(&e->event, p->results[EVENT_UIDL], p->texts[EVENT_UIDL]);
	else if (e->which == 0)
		pop3_answer_uidl(e, ids, p->count);
	else
		pop3_answer_uidl(e, &ids[(e->which - 1) % 4], e->which <= p->count);
}

struct pull_state {
	struct peer *peer;
	const struct peer_message *message;
	size_t given;
};

static ssize_t pull(void *state, void *buffer, size_t size)
{
	struct pull_state *s = state;
	size_t left = s->message->length - s->given;
	if (s->peer->chunk > 0 && size > s->peer->chunk)
		size = s->peer->chunk;
	if (size > left)
		size = left;
	memcpy(buffer, s->message->octets + s->given, size);
	s->given += size;
	return (ssize_t)size;
}

static void release(void *state)
{
	struct pull_state *s = state;
	s->peer->released++;
	free(s);
}

static void answer_retrieve(struct peer *p, struct pop3_retrieve *e)
{
	/* Five octets before the message, to see that the offset counts. */
	const struct peer_message *m = &p->messages[(e->which - 1) % 4];
	if (p->results[EVENT_RETRIEVE] != POP3_OK) {
		pop3_fail(&e->event, p->results[EVENT_RETRIEVE], p->texts[EVENT_RETRIEVE]);
	} else if (p->source == PEER_FROM_PULL) {
		struct pull_state *state = malloc(sizeof *state);
		*state = (struct pull_state){p, m, 0};
		pop3_answer_pull(e, pull, release, state, POP3_OCTETS_LISTED);
	} else if (p->source == PEER_FROM_DESCRIPTOR) {
		int descriptor = memfd_create("message", MFD_CLOEXEC);
		CU_ASSERT_EQUAL(write(descriptor, "12345", 5), 5);
		CU_ASSERT_EQUAL(write(descriptor, m->octets, m->length), (ssize_t)m->length);
		pop3_answer_descriptor(e, descriptor, 5, m->length, POP3_OCTETS_LISTED);
	} else {
		pop3_answer_bytes(e, m->octets, m->length);
	}
}

static void answer_quit(struct peer *p, struct pop3_quit *e)
{
	if (p->results[EVENT_QUIT] != POP3_OK)
		pop3_fail(&e->event, p->results[EVENT_QUIT], p->texts[EVENT_QUIT]);
	else
		pop3_answer_quit(e, p->remaining);
}

static void answer_open(struct peer *p, struct pop3_open *e)
{
	pop3_answer_open(e, p->results[EVENT_OPEN], p->texts[EVENT_OPEN]);
}

static void answer_connected(struct peer *p, struct pop3_connected *e)
{
	if (p->results[EVENT_CONNECTED] == POP3_OK)
		pop3_accept(e);
	else
		pop3_refuse(e, p->texts[EVENT_CONNECTED]);
}

static void on_connected(struct pop3_connected *e, void *data)
{
	if (!is_put_off(data, EVENT_CONNECTED, &e->event))
		answer_connected(data, e);
}

static void on_authenticate(struct pop3_authenticate *e, void *data)
{
	trace(data, "authenticate %s %s %s", e->method, e->user, e->password);
	if (!is_put_off(data, EVENT_AUTHENTICATE, &e->event))
		answer_authenticate(data, e);
}

static void on_open(struct pop3_open *e, void *data)
{
	trace(data, "open %s", e->user);
	if (!is_put_off(data, EVENT_OPEN, &e->event))
		answer_open(data, e);
}

static void on_list(struct pop3_list *e, void *data)
{
	trace(data, "list %u", e->which);
	if (!is_put_off(data, EVENT_LIST, &e->event))
		answer_list(data, e);
}

static void on_uidl(struct pop3_uidl *e, void *data)
{
	trace(data, "uidl %u", e->which);
	if (!is_put_off(data, EVENT_UIDL, &e->event))
		answer_uidl(data, e);
}

static void on_retrieve(struct pop3_retrieve *e, void *data)
{
	if (e->lines == POP3_ALL_LINES)
		trace(data, "retrieve %u", e->which);
	else
		trace(data, "retrieve %u top %llu", e->which, (unsigned long long)e->lines);
	if (!is_put_off(data, EVENT_RETRIEVE, &e->event))
		answer_retrieve(data, e);
}

static void on_quit(struct pop3_quit *e, void *data)
{
	char numbers[256] = "";
	for (size_t i = 0; i < e->count; i++)
		snprintf(numbers + strlen(numbers), sizeof numbers - strlen(numbers), " %u",
			 e->messages[i]);
	trace(data, "quit%s", numbers);
	if (!is_put_off(data, EVENT_QUIT, &e->event))
		answer_quit(data, e);
}

static void on_closed(struct pop3_closed *e, void *data)
{
	trace(data, "closed %s %s messages %llu octets %llu deleted %llu", e->user,
	      pop3_reason_name(e->reason), (unsigned long long)e->messages,
	      (unsigned long long)e->octets, (unsigned long long)e->deleted);
}

static void on_error(struct pop3_error *e, void *data)
{
	struct peer *p = data;
	if (p->errors.length > 0)
		text_append(&p->errors, "\n", 1);
	text_append(&p->errors, e->text, strlen(e->text));
}

static void on_log(const struct pop3_record *record, void *data)
{
	struct peer *p = data;
	char line[LOG_LINE_SIZE];
	text_append(&p->log, line, log_format_logfmt(record, line));
	text_append(&p->log, "\n", 1);
}

/* ---- The server ---- */

static void fill_random(void *octets, size_t length)
{
	memset(octets, 7, length);
}

static void wake(void *data)
{
	((struct peer *)data)->wakes++;
}

void peer_init(struct peer *p)
{
	static const char one[] = "Subject: one\r\n\r\nfirst body\r\n";
	static const char two[] = "Subject: two\n\n.dot\n..\nend";
	static const char three[] = "Subject: three\n\n";
	*p = (struct peer){
		.options = {.size = sizeof p->options,
			    .log = on_log,
			    .log_data = p,
			    .apop = POP3_APOP_OFF},
		.handlers = {.size = sizeof p->handlers,
			     .connected = on_connected,
			     .authenticate = on_authenticate,
			     .open = on_open,
			     .list = on_list,
			     .uidl = on_uidl,
			     .retrieve = on_retrieve,
			     .quit = on_quit,
			     .closed = on_closed,
			     .error = on_error},
		.info = {.peer = "192.0.2.1:4711", .local = "192.0.2.2:110"},
		.messages = {{one, sizeof one - 1, 28, "id-one"},
			     {two, sizeof two - 1, 31, "id-two"},
			     {three, sizeof three - 1, 18, "id-three"},
			     {"", 0, 0, "id-four"}},
		.count = 3,
		.now = 1000,
	};
}

void peer_serve(struct peer *p)
{
	CU_ASSERT_EQUAL_FATAL(
		context_init(&p->context, "example.org", &p->options, fill_random, wake, p), 0);
	p->listener = (struct pop3_listener){.handlers = &p->handlers, .data = p};
	CU_ASSERT_EQUAL_FATAL(emitter_attach(&p->context.emitter, &p->listener), 0);
}

void peer_connect(struct peer *p)
{
	if (p->context.settings == NULL)
		peer_serve(p);
	p->session = session_new(&p->context, &p->info, -1, NULL, p->now);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p->session);
	peer_run(p);
}

void peer_enter(struct peer *p)
{
	peer_send(p, "USER alice\nPASS secret");
	CU_ASSERT(peer_got(p, "+OK send PASS\n+OK maildrop ready"));
	text_clear(&p->trace);
}

void peer_login(struct peer *p)
{
	peer_init(p);
	peer_connect(p);
	CU_ASSERT(peer_got(p, "+OK POP3 server ready"));
	peer_enter(p);
}

void peer_fini(struct peer *p)
{
	pop3_session_free(p->session);
	p->session = NULL;
	CU_ASSERT(peer_failed(p, ""));
	CU_ASSERT_EQUAL(p->received.length, 0);
	emitter_detach(&p->listener);
	context_fini(&p->context);
	text_clear(&p->unread);
	text_clear(&p->received);
	text_clear(&p->trace);
	text_clear(&p->errors);
	text_clear(&p->log);
}

/* ---- The client ---- */

static bool pull_output(struct peer *p)
{
	char buffer[8192];
	size_t size = p->mode == PEER_BYTES ? 1 : sizeof buffer;
	if (p->read_max > 0 && p->read_max < size)
		size = p->read_max;
	if (p->deaf)
		return false;
	size_t length = pop3_session_pull(p->session, buffer, size, p->now);
	if (length > 0)
		text_append(&p->received, buffer, length);
	return length > 0;
}

static bool feed_input(struct peer *p)
{
	size_t length = p->unread.length;
	struct pop3_wants wants = pop3_session_wants(p->session);
	if (length == 0 || (!wants.read && !wants.close))
		return false;
	if (p->mode == PEER_BYTES)
		length = 1;
	/* A copy of its own, so that ASan sees each octet read too far. */
	char *octets = malloc(length);
	memcpy(octets, p->unread.octets, length);
	size_t taken = pop3_session_feed(p->session, octets, length, p->now);
	free(octets);
	CU_ASSERT(taken <= length);
	p->unread.length -= taken;
	memmove(p->unread.octets, p->unread.octets + taken, p->unread.length);
	return taken > 0;
}

static bool load_file(struct peer *p)
{
	struct pop3_load load;
	if (!pop3_session_load(p->session, &load))
		return false;
	size_t size = p->chunk > 0 && p->chunk < load.size ? p->chunk : load.size;
	ssize_t result = pread(load.descriptor, load.buffer, size, (off_t)load.offset);
	pop3_session_loaded(p->session, result, p->now);
	return true;
}

void peer_run(struct peer *p)
{
	bool busy = true;
	while (busy) {
		context_collect(&p->context, p->now);
		busy = pull_output(p);
		busy |= load_file(p);
		busy |= feed_input(p);
	}
}

void peer_send_octets(struct peer *p, const char *octets, size_t length)
{
	text_append(&p->unread, octets, length);
	peer_run(p);
}

void peer_send(struct peer *p, const char *lines)
{
	append_lines(&p->unread, lines);
	peer_run(p);
}

void peer_wait(struct peer *p, uint64_t milliseconds)
{
	p->now += milliseconds;
	pop3_session_tick(p->session, p->now);
	peer_run(p);
}

void *peer_take(struct peer *p, enum event_kind kind)
{
	void *event = p->held[kind];
	p->held[kind] = NULL;
	return event;
}

void peer_answer(struct peer *p, enum event_kind kind)
{
	void *event = peer_take(p, kind);
	CU_ASSERT_PTR_NOT_NULL_FATAL(event);
	switch (kind) {
	case EVENT_CONNECTED:
		answer_connected(p, event);
		break;
	case EVENT_AUTHENTICATE:
		answer_authenticate(p, event);
		break;
	case EVENT_OPEN:
		answer_open(p, event);
		break;
	case EVENT_LIST:
		answer_list(p, event);
		break;
	case EVENT_UIDL:
		answer_uidl(p, event);
		break;
	case EVENT_RETRIEVE:
		answer_retrieve(p, event);
		break;
	case EVENT_QUIT:
		answer_quit(p, event);
		break;
	default:
		abort();
	}
	if (p->session != NULL)
		peer_run(p);
}

bool peer_is_closed(struct peer *p)
{
	if (!pop3_session_wants(p->session).close)
		return false;
	pop3_session_end(p->session, POP3_REASON_LOST, p->now);
	return pop3_session_wants(p->session).finished;
}

/* ---- What came back ---- */

static void show(const char *name, const char *octets, size_t length)
{
	size_t shown = length < 600 ? length : 600;
	printf("%s (%zu octets): ", name, length);
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = (unsigned char)octets[i];
		if (c >= 0x20 && c < 0x7f)
			putchar(c);
		else
			printf(c == '\n' ? "\\n\n" : "\\x%02x", c);
	}
	putchar('\n');
}

static bool got(struct peer_text *t, const char *octets, size_t length)
{
	bool same = t->length == length && (length == 0 || memcmp(t->octets, octets, length) == 0);
	if (!same) {
		show("expected", octets, length);
		show("got", t->octets, t->length);
	}
	text_clear(t);
	return same;
}

bool peer_got_octets(struct peer *p, const char *octets, size_t length)
{
	return got(&p->received, octets, length);
}

bool peer_got(struct peer *p, const char *lines)
{
	struct peer_text expected = {0};
	if (*lines != '\0')
		append_lines(&expected, lines);
	bool same = got(&p->received, expected.octets, expected.length);
	text_clear(&expected);
	return same;
}

bool peer_heard(struct peer *p, const char *lines)
{
	return got(&p->trace, lines, strlen(lines));
}

bool peer_failed(struct peer *p, const char *lines)
{
	return got(&p->errors, lines, strlen(lines));
}

/* ---- Dialogs ---- */

static void run_pipelined(struct peer *p, const struct turn *turns)
{
	struct peer_text expected = {0};
	for (const struct turn *t = turns; t->send != NULL; t++) {
		append_lines(&p->unread, t->send);
		if (*t->expect != '\0')
			append_lines(&expected, t->expect);
	}
	peer_run(p);
	CU_ASSERT(got(&p->received, expected.octets, expected.length));
	text_clear(&expected);
}

void peer_dialog(void (*set_up)(struct peer *), const struct turn *turns, const char *heard,
		 const char *failed)
{
	for (enum peer_mode mode = PEER_WHOLE; mode < PEER_MODES; mode++) {
		struct peer p;
		peer_init(&p);
		p.mode = mode;
		if (set_up != NULL)
			set_up(&p);
		peer_connect(&p);
		text_clear(&p.received);
		if (mode == PEER_PIPELINED)
			run_pipelined(&p, turns);
		for (const struct turn *t = turns; mode != PEER_PIPELINED && t->send != NULL; t++) {
			peer_send(&p, t->send);
			CU_ASSERT(peer_got(&p, t->expect));
		}
		if (heard != NULL)
			CU_ASSERT(peer_heard(&p, heard));
		if (failed != NULL)
			CU_ASSERT(peer_failed(&p, failed));
		peer_fini(&p);
		test_count(1);
	}
}
