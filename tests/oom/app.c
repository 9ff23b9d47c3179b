/* See app.h. */
#include "oom/app.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "oom/files.h"
#include "oom/oom.h"
#include "oom/witness.h"

enum { PENDING_MAX = 16 };

struct app app;

static const char short_message[] = "one line\r\n";
static uint64_t sizes[APP_MESSAGES];
static const char *ids[APP_MESSAGES];
static char id_texts[APP_MESSAGES][12];
static char long_text[APP_LONG_OCTETS];
static struct pop3_listener extra; /* of the last session */

/* ---- Deferral ---- */

static struct pending {
	void *copy;
	void (*answer)(void *copy);
} pending[PENDING_MAX];
static size_t pending_count;

/* At once, or in app_answer(). If there is no memory to defer, the library has answered. */
static void settle(void *event, void (*answer)(void *event))
{
	if (!app.defer) {
		answer(event);
		return;
	}
	void *copy = pop3_defer(event);
	CHECK(copy == NULL || pending_count < PENDING_MAX);
	if (copy != NULL && pending_count < PENDING_MAX)
		pending[pending_count++] = (struct pending){copy, answer};
}

void app_answer(void)
{
	size_t count = pending_count;
	pending_count = 0;
	for (size_t i = 0; i < count; i++)
		pending[i].answer(pending[i].copy);
}

/* ---- Answers ---- */

static void answer_connected(void *event)
{
	pop3_accept(event);
}

static void answer_authenticate(void *event)
{
	struct pop3_authenticate *e = event;
	char name[POP3_USER_MAX + 1];
	snprintf(name, sizeof name, "%s@example", e->user);
	bool known = pop3_matches(e, "secret", 6);
	pop3_answer_auth(e, known ? POP3_OK : POP3_DENIED, known ? name : NULL);
}

static void answer_open(void *event)
{
	app.opened += pop3_answer_open(event, POP3_OK, NULL) == 0;
}

static void answer_list(void *event)
{
	struct pop3_list *e = event;
	if (e->which == 0)
		pop3_answer_list(e, sizes, APP_MESSAGES);
	else
		pop3_answer_list(e, &sizes[e->which - 1], 1);
}

static void answer_uidl(void *event)
{
	struct pop3_uidl *e = event;
	if (e->which == 0)
		pop3_answer_uidl(e, ids, APP_MESSAGES);
	else
		pop3_answer_uidl(e, &ids[e->which - 1], 1);
}

static size_t pull_left;

static ssize_t pull(void *state, void *buffer, size_t size)
{
	size_t length = pull_left < size ? pull_left : size;
	(void)state;
	for (size_t i = 0; i < length; i++)
		((char *)buffer)[i] = "..\r\n"[i % 4];
	pull_left -= length;
	return (ssize_t)length;
}

static void release_source(void *state)
{
	(void)state;
	app.sources_released++;
}

static void answer_retrieve(void *event)
{
	struct pop3_retrieve *e = event;
	char path[FILES_PATH];
	if (e->which == 1) {
		pop3_answer_bytes(e, witness_message(), WITNESS_OCTETS);
	} else if (e->which == 2) {
		int file = open(files_path(path, "message"), O_RDONLY | O_CLOEXEC);
		pop3_answer_descriptor(e, file, 0, APP_FILE_OCTETS - 2, POP3_OCTETS_LISTED);
	} else if (e->which == 3) {
		app.sources++;
		pull_left = APP_PULL_OCTETS;
		pop3_answer_pull(e, pull, release_source, NULL, POP3_OCTETS_LISTED);
	} else {
		app.sources++;
		pop3_answer_block(e, short_message, sizeof short_message - 1, release_source, NULL);
	}
}

/* What is marked goes whether or not the answer still finds the session. */
static void answer_quit(void *event)
{
	struct pop3_quit *e = event;
	for (size_t i = 0; i < e->count; i++)
		app.deleted[e->messages[i]] = true;
	pop3_answer_quit(e, 0);
}

static void answer_command(void *event)
{
	struct pop3_command *e = event;
	if (strcmp(e->verb, "XLONG") == 0)
		pop3_answer_multiline(e, "long", long_text, sizeof long_text);
	else
		pop3_answer_command(e, true, "said");
}

/* ---- Handlers ---- */

static void release_data(void *data)
{
	(void)data;
	app.data_released++;
}

static void on_connected(struct pop3_connected *e, void *data)
{
	app.data_set++;
	pop3_session_set_data(e->session, data, release_data);
	pop3_session_set_apop(e->session, "<1@x>");
	pop3_detach(&extra);
	pop3_session_attach(e->session, &extra);
	settle(&e->event, answer_connected);
}

static void on_capabilities(struct pop3_capabilities *e, void *data)
{
	(void)data;
	pop3_capability_add(e, "X-LONG");
	pop3_capability_remove(e, "EXPIRE");
}

#define ON(name)                                                                                   \
	static void on_##name(struct pop3_##name *e, void *data)                                   \
	{                                                                                          \
		(void)data;                                                                        \
		settle(&e->event, answer_##name);                                                  \
	}

ON(authenticate)
ON(open)
ON(list)
ON(uidl)
ON(retrieve)
ON(quit)
ON(command)

static void on_closed(struct pop3_closed *e, void *data)
{
	(void)e;
	(void)data;
	app.closed++;
}

static void on_error(struct pop3_error *e, void *data)
{
	(void)e;
	(void)data;
	app.failures++;
}

static void on_listening(struct pop3_listening *e, void *data)
{
	(void)data;
	if (e->port != 0)
		app.port = e->port;
}

static const struct pop3_handlers handlers = {.size = sizeof handlers,
					      .connected = on_connected,
					      .authenticate = on_authenticate,
					      .open = on_open,
					      .list = on_list,
					      .uidl = on_uidl,
					      .retrieve = on_retrieve,
					      .quit = on_quit,
					      .closed = on_closed,
					      .error = on_error,
					      .listening = on_listening,
					      .command = on_command,
					      .verbs = "XLONG XSAY"};
static const struct pop3_handlers extra_handlers = {.size = sizeof handlers,
						    .capabilities = on_capabilities};

/* ---- For the scenarios ---- */

static void log_nothing(const struct pop3_record *record, void *data)
{
	(void)record;
	(void)data;
}

struct pop3_options app_options(void)
{
	return (struct pop3_options){.size = sizeof(struct pop3_options),
				     .log = log_nothing,
				     .debug = true,
				     .apop = POP3_APOP_FIXED,
				     .apop_value = "<1@x>"};
}

static void fill(void)
{
	for (size_t i = 0; i < APP_MESSAGES; i++) {
		sizes[i] = sizeof short_message - 1;
		snprintf(id_texts[i], sizeof id_texts[i], "id%zu", i + 1);
		ids[i] = id_texts[i];
	}
	sizes[0] = WITNESS_OCTETS;
	sizes[1] = APP_FILE_OCTETS;
	sizes[2] = APP_PULL_OCTETS;
	memcpy(long_text, witness_message(), sizeof long_text);
	files_write("message", witness_message(), APP_FILE_OCTETS - 2);
}

void app_prepare(void)
{
	if (ids[0] == NULL)
		fill();
	app = (struct app){.listener = {.handlers = &handlers, .data = &app}};
	extra = (struct pop3_listener){.handlers = &extra_handlers};
}

void app_judge(void)
{
	CHECK(pending_count == 0);
	CHECK(app.opened == app.closed);
	CHECK(app.data_set == app.data_released);
	CHECK(app.sources == app.sources_released);
}
