/* The application of a peer: a store in memory and its handlers. See peer.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "unit/peer.h"

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

void peer_init(struct peer *p)
{
	static const char one[] = "Subject: one\r\n\r\nfirst body\r\n";
	static const char two[] = "Subject: two\n\n.dot\n..\nend";
	static const char three[] = "Subject: three\n\n";
	*p = (struct peer){
		.options = {.size = sizeof p->options,
			    .log = on_log,
			    .log_data = p,
			    .apop = POP3_APOP_OFF,
			    .limits = {.failed_logins = 100, .bad_commands = 1000}},
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
