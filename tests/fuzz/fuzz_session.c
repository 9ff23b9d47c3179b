/*
 * A whole session on any input, fed in pieces that the input chooses. Checked: every line gets
 * exactly one status line, but for a first line of HTTP or over 255 octets; only the commands that
 * may do so send more, and end it with the dot; the output stays bounded; what STAT says agrees
 * with a model of the marks; nothing is deleted but by QUIT, and then exactly what was marked.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "host.h"
#include "proto/limits.h"
#include "proto/session.h"

#define MESSAGES 3
static const char *const texts[MESSAGES] = {"a: b\r\n\r\nc\r\n", ".\n..\n\n.x", ""};
static const uint64_t sizes[MESSAGES] = {11, 13, 0};
static const char *const ids[MESSAGES] = {"one", "two", "three"};

struct model {
	bool spoken; /* a line has been sent */
	bool logged_in;
	bool exchange; /* of AUTH: the next line is a response */
	bool marked[MESSAGES];
	bool quit;
	bool names; /* are UTF-8 */
};

/* Is every octet beyond ASCII part of a character? */
static bool is_utf8(const char *text)
{
	return utf8_is_valid(text, strlen(text));
}

static void check(struct pop3_authenticate *e, void *data)
{
	const struct model *m = data;
	CHECK(!m->names || is_utf8(e->user));
	CHECK(!m->names || strcmp(e->method, "PASS") != 0 || is_utf8(e->password));
	pop3_answer_auth(e, pop3_matches(e, "secret", 6) ? POP3_OK : POP3_DENIED, NULL);
}

static void list(struct pop3_list *e, void *data)
{
	(void)data;
	if (e->which == 0)
		pop3_answer_list(e, sizes, MESSAGES);
	else
		pop3_answer_list(e, &sizes[(e->which - 1) % MESSAGES], e->which <= MESSAGES);
}

static void uidl(struct pop3_uidl *e, void *data)
{
	(void)data;
	if (e->which == 0)
		pop3_answer_uidl(e, ids, MESSAGES);
	else
		pop3_answer_uidl(e, &ids[(e->which - 1) % MESSAGES], e->which <= MESSAGES);
}

static void retrieve(struct pop3_retrieve *e, void *data)
{
	(void)data;
	CHECK(e->which >= 1 && e->which <= MESSAGES);
	if (e->which == MESSAGES && !e->event.info->utf8) {
		pop3_fail(&e->event, POP3_NEEDS_UTF8, NULL);
		return;
	}
	pop3_answer_bytes(e, texts[e->which - 1], strlen(texts[e->which - 1]));
}

static void quit(struct pop3_quit *e, void *data)
{
	struct model *m = data;
	size_t count = 0;
	for (uint32_t i = 0; i < MESSAGES; i++) {
		if (m->marked[i])
			CHECK(count < e->count && e->messages[count++] == i + 1);
	}
	CHECK(count == e->count && !m->quit);
	m->quit = true;
	pop3_answer_quit(e, 0);
}

static const struct pop3_handlers handlers = {.size = sizeof handlers,
					      .authenticate = check,
					      .list = list,
					      .uidl = uidl,
					      .retrieve = retrieve,
					      .quit = quit};

/* All there is to send now. */
static size_t drain(struct pop3_session *s, char *out, size_t size)
{
	size_t total = 0;
	size_t got = pop3_session_pull(s, out, size, 0);
	while (got > 0) {
		total += got;
		CHECK(total <= BLOCK_SIZE);
		got = pop3_session_pull(s, out + total, size - total, 0);
	}
	return total;
}

static bool may_be_long(const char *line)
{
	static const char *const verbs[] = {"LIST", "UIDL", "RETR ", "TOP ",
					    "CAPA", "LANG", "AUTH"};
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strncasecmp(line, verbs[i], strlen(verbs[i])) == 0)
			return true;
	}
	return false;
}

/* "+ " and base64 (RFC 5034 section 4), before the login alone. */
static bool is_challenge(const struct model *m, const char *out, size_t length)
{
	char octets[BLOCK_SIZE];
	size_t decoded;
	if (memcmp(out, "+ ", 2) != 0)
		return false;
	CHECK(!m->logged_in && memcmp(out + length - 2, "\r\n", 2) == 0);
	CHECK(base64_decode(out + 2, length - 4, octets, sizeof octets, &decoded));
	return true;
}

/* Exactly one status line, and what follows it is a multi-line response or nothing. */
static void check_response(const char *line, const char *out, size_t length)
{
	/* Texts are UTF-8 in whatever language, and no octet of the client is among them. */
	CHECK(is_utf8(out));
	CHECK(length >= 5 && (memcmp(out, "+OK", 3) == 0 || memcmp(out, "-ERR", 4) == 0));
	const char *end = memchr(out, '\n', length);
	CHECK(end != NULL && end > out && end[-1] == '\r');
	size_t status = (size_t)(end - out) + 1;
	CHECK(status <= RESPONSE_MAX);
	if (status == length)
		return;
	CHECK(out[0] == '+' && may_be_long(line));
	CHECK(memcmp(out + length - 3, ".\r\n", 3) == 0);
	CHECK(length == status + 3 || memcmp(out + length - 5, "\r\n", 2) == 0);
}

static void follow(struct model *m, const char *line, const char *out)
{
	char want[64];
	unsigned number;
	char *rest;
	if (memcmp(out, "+OK", 3) != 0)
		return;
	if (m->exchange || strncasecmp(line, "PASS ", 5) == 0 ||
	    strncasecmp(line, "AUTH ", 5) == 0) {
		m->logged_in = true;
	} else if (strncasecmp(line, "DELE ", 5) == 0) {
		number = (unsigned)strtoul(line + 5, &rest, 10);
		CHECK(m->logged_in && number >= 1 && number <= MESSAGES && !m->marked[number - 1]);
		m->marked[number - 1] = true;
	} else if (strcasecmp(line, "RSET") == 0) {
		memset(m->marked, 0, sizeof m->marked);
	} else if (strcasecmp(line, "STAT") == 0) {
		uint64_t octets = 0;
		unsigned count = 0;
		for (size_t i = 0; i < MESSAGES; i++) {
			count += !m->marked[i];
			octets += m->marked[i] ? 0 : sizes[i];
		}
		snprintf(want, sizeof want, "+OK %u %llu\r\n", count, (unsigned long long)octets);
		CHECK(strcmp(out, want) == 0);
	}
}

/* Feed one line, cut in two where `cut` says; true if it was the last. */
static bool feed_line(struct pop3_session *s, struct model *m, const uint8_t *line, size_t length,
		      size_t cut)
{
	static char out[BLOCK_SIZE + 1];
	char text[LINE_MAX_OCTETS + 1] = "";
	bool ends = line[length - 1] == '\n';
	cut = cut < length ? cut : length;
	CHECK(pop3_session_feed(s, line, cut, 0) == cut);
	CHECK(pop3_session_feed(s, line + cut, length - cut, 0) == length - cut);

	size_t got = drain(s, out, BLOCK_SIZE);
	if (!ends) {
		CHECK(got == 0);
		return true;
	}
	size_t kept = length - 1 < LINE_MAX_OCTETS ? length - 1 : LINE_MAX_OCTETS;
	memcpy(text, line, kept);
	text[strcspn(text, "\r\n")] = '\0';
	out[got] = '\0';
	if (got == 0) {
		/* Only a browser, or what may be one, gets no answer at all. */
		CHECK(!m->spoken);
		CHECK(length > LINE_MAX_OCTETS || strstr(text, " HTTP/") != NULL);
		CHECK(pop3_session_wants(s).close);
		return true;
	}
	m->spoken = true;
	bool challenged = got >= 4 && is_challenge(m, out, got);
	if (!challenged) {
		check_response(text, out, got);
		follow(m, text, out);
	}
	m->exchange = challenged;
	return pop3_session_wants(s).close;
}

static void run(struct context *c, struct model *m, const uint8_t *data, size_t size)
{
	static char greeting[BLOCK_SIZE];
	const struct pop3_info info = {.peer = "fuzz", .local = "fuzz", .loopback = true};
	struct pop3_session *s = session_new(c, &info, -1, NULL, 0);
	CHECK(s != NULL);
	session_begin(s, false, 0);
	drain(s, greeting, sizeof greeting);

	size_t cut = data[0];
	bool over = false;
	for (size_t at = 1; at < size && !over;) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t length = end == NULL ? size - at : (size_t)(end - data) - at + 1;
		over = feed_line(s, m, data + at, length, cut % (length + 1));
		at += length;
	}
	pop3_session_end(s, POP3_REASON_LOST, 0);
	CHECK(pop3_session_wants(s).finished);
	pop3_session_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const struct pop3_options options = {.size = sizeof options,
					     .log = host_log,
					     .debug = true,
					     .utf8 = (enum pop3_utf8)(data[0] % 3)};
	struct model model = {.names = options.utf8 == POP3_UTF8_USER};
	struct pop3_listener listener = {.handlers = &handlers, .data = &model};
	struct context context;
	CHECK(context_init(&context, "fuzz", &options, host_random, host_wake, NULL) == 0);
	CHECK(emitter_attach(&context.emitter, &listener) == 0);
	run(&context, &model, data, size);
	context_fini(&context);
	return 0;
}
