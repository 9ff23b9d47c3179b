/* The client, its server, and what came back. The application is in peer_app.c. See peer.h. */
#include "unit/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- The server ---- */

static void fill_random(void *octets, size_t length)
{
	memset(octets, 7, length);
}

static void wake(void *data)
{
	((struct peer *)data)->wakes++;
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
	session_begin(p->session, false, p->now);
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
