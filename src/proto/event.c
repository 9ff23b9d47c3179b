/*
 * One row a kind: how to call its handler and how to copy its event. The macros make the typed
 * calls, so that no function pointer is ever called through another type.
 */
#include "proto/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/secret.h"

/* The most strings an event points to, and the end of a list of their offsets. */
#define STRINGS_MAX 5
#define NO_STRING   SIZE_MAX

struct event_row {
	/* Does this table have the handler? Calls it if `event` is not NULL. */
	bool (*call)(const struct pop3_handlers *, void *event, void *data);
	size_t size;
	size_t strings[STRINGS_MAX + 1];
	struct request_type request;
};

#define CALLER(name)                                                                               \
	static bool call_##name(const struct pop3_handlers *h, void *event, void *data)            \
	{                                                                                          \
		if (h->size < offsetof(struct pop3_handlers, name) + sizeof h->name ||             \
		    h->name == NULL)                                                               \
			return false;                                                              \
		if (event != NULL)                                                                 \
			h->name(event, data);                                                      \
		return true;                                                                       \
	}

CALLER(connected)
CALLER(capabilities)
CALLER(authenticate)
CALLER(open)
CALLER(list)
CALLER(uidl)
CALLER(retrieve)
CALLER(quit)
CALLER(closed)
CALLER(error)
CALLER(listening)
CALLER(sasl)

/* Is `verb` one of the words of `verbs`? */
static bool lists_verb(const char *verbs, const char *verb)
{
	size_t length = strlen(verb);
	while (*verbs != '\0') {
		size_t word = strcspn(verbs, " ");
		if (word == length && memcmp(verbs, verb, length) == 0)
			return true;
		verbs += word;
		verbs += strspn(verbs, " ");
	}
	return false;
}

static bool call_command(const struct pop3_handlers *h, void *event, void *data)
{
	struct pop3_command *command = event;
	if (h->size < offsetof(struct pop3_handlers, verbs) + sizeof h->verbs || h->command == NULL)
		return false;
	if (command == NULL)
		return true;
	if (h->verbs != NULL && !lists_verb(h->verbs, command->verb))
		return false;
	h->command(command, data);
	return true;
}

/* ---- Copies that stand alone: one allocation, wiped when it goes. ---- */

struct copy {
	size_t size; /* of the whole allocation */
	max_align_t event[];
};

static const struct event_row rows[EVENT_KINDS];

static size_t string_size(const void *event, size_t offset)
{
	const char *text = *(const char *const *)(const void *)((const char *)event + offset);
	return text == NULL ? 0 : strlen(text) + 1;
}

static void move_string(void *event, size_t offset, char **room)
{
	const char **place = (const char **)(void *)((char *)event + offset);
	size_t size = string_size(event, offset);
	if (size == 0)
		return;
	memcpy(*room, *place, size);
	*place = *room;
	*room += size;
}

static size_t extra_size(const struct event_row *row, const struct pop3_event *event)
{
	size_t extra = sizeof *event->info;
	for (const size_t *offset = row->strings; *offset != NO_STRING; offset++)
		extra += string_size(event, *offset);
	if (row == &rows[EVENT_SASL])
		extra += ((const struct pop3_sasl *)event)->length + 1;
	if (row == &rows[EVENT_QUIT])
		extra += ((const struct pop3_quit *)event)->count * sizeof(uint32_t);
	return extra;
}

/* What is of this process alone does not go along. */
static void cut_ties(const struct event_row *row, void *event)
{
	if (row == &rows[EVENT_CONNECTED]) {
		((struct pop3_connected *)event)->session = NULL;
		((struct pop3_connected *)event)->descriptor = -1;
	} else if (row == &rows[EVENT_COMMAND]) {
		((struct pop3_command *)event)->session = NULL;
	}
}

static void move_octets(struct pop3_sasl *event, char *room)
{
	if (event->octets == NULL)
		return;
	memcpy(room, event->octets, event->length);
	room[event->length] = '\0';
	event->octets = room;
}

static void *copy_event(const struct event_row *row, const void *original,
			struct pop3_request *request)
{
	struct copy *copy = calloc(1, sizeof *copy + row->size + extra_size(row, original));
	if (copy == NULL)
		return NULL;
	struct pop3_event *event = (struct pop3_event *)(void *)copy->event;
	memcpy(event, original, row->size);
	copy->size = sizeof *copy + row->size + extra_size(row, original);

	/* The sizes of all events are multiples of 8, so the numbers are aligned; info is octets.
	 */
	char *room = (char *)copy->event + row->size;
	if (row == &rows[EVENT_QUIT]) {
		struct pop3_quit *quit = (struct pop3_quit *)(void *)copy->event;
		size_t size = quit->count * sizeof(uint32_t);
		if (size > 0)
			memcpy(room, quit->messages, size);
		quit->messages = (const uint32_t *)(const void *)room;
		room += size;
	}
	memcpy(room, event->info, sizeof *event->info);
	event->info = (const struct pop3_info *)(const void *)room;
	room += sizeof *event->info;
	for (const size_t *offset = row->strings; *offset != NO_STRING; offset++)
		move_string(event, *offset, &room);
	cut_ties(row, event);
	if (row == &rows[EVENT_SASL])
		move_octets((struct pop3_sasl *)(void *)copy->event, room);
	event->request = request;
	return event;
}

static void discard_copy(void *event)
{
	struct copy *copy = list_entry(event, struct copy, event);
	secret_wipe(copy, copy->size);
	free(copy);
}

static void release_answer(const void *value)
{
	struct answer answer = *(const struct answer *)value;
	source_release(&answer.source);
	list_block_release(&answer.block);
}

#define COPIER(name, KIND)                                                                         \
	static void *copy_##name(const void *event, struct pop3_request *request)                  \
	{                                                                                          \
		return copy_event(&rows[KIND], event, request);                                    \
	}

COPIER(connected, EVENT_CONNECTED)
COPIER(authenticate, EVENT_AUTHENTICATE)
COPIER(open, EVENT_OPEN)
COPIER(list, EVENT_LIST)
COPIER(uidl, EVENT_UIDL)
COPIER(retrieve, EVENT_RETRIEVE)
COPIER(quit, EVENT_QUIT)
COPIER(command, EVENT_COMMAND)
COPIER(sasl, EVENT_SASL)

/* ---- The table ---- */

#define STRING(type, member) offsetof(struct pop3_##type, member)
#define REQUEST(name, ...)                                                                         \
	{                                                                                          \
		call_##name, sizeof(struct pop3_##name), {__VA_ARGS__},                            \
		{                                                                                  \
			sizeof(struct answer), release_answer, copy_##name, discard_copy           \
		}                                                                                  \
	}
#define NOTIFICATION(name)                                                                         \
	{                                                                                          \
		.call = call_##name                                                                \
	}

static const struct event_row rows[EVENT_KINDS] = {
	[EVENT_CONNECTED] = REQUEST(connected, NO_STRING),
	[EVENT_CAPABILITIES] = NOTIFICATION(capabilities),
	[EVENT_AUTHENTICATE] =
		REQUEST(authenticate, STRING(authenticate, user), STRING(authenticate, method),
			STRING(authenticate, password), STRING(authenticate, challenge),
			STRING(authenticate, authzid), NO_STRING),
	[EVENT_OPEN] = REQUEST(open, STRING(open, user), NO_STRING),
	[EVENT_LIST] = REQUEST(list, STRING(list, user), NO_STRING),
	[EVENT_UIDL] = REQUEST(uidl, STRING(uidl, user), NO_STRING),
	[EVENT_RETRIEVE] = REQUEST(retrieve, STRING(retrieve, user), NO_STRING),
	[EVENT_QUIT] = REQUEST(quit, STRING(quit, user), NO_STRING),
	[EVENT_CLOSED] = NOTIFICATION(closed),
	[EVENT_ERROR] = NOTIFICATION(error),
	[EVENT_LISTENING] = NOTIFICATION(listening),
	[EVENT_COMMAND] =
		REQUEST(command, STRING(command, verb), STRING(command, arguments), NO_STRING),
	[EVENT_SASL] = REQUEST(sasl, STRING(sasl, mechanism), NO_STRING),
};

const struct request_type *event_request_type(enum event_kind kind)
{
	return &rows[kind].request;
}

bool event_is(const struct deferral *d, enum event_kind kind)
{
	return d->request.type == &rows[kind].request;
}

/* True once a request has been answered or deferred: nobody else needs to hear it. */
static bool is_settled(const struct pop3_event *event)
{
	return event->request != NULL && event->request->state != REQUEST_OPEN;
}

static size_t emit_to(enum event_kind kind, struct emitter *emitter, struct pop3_event *event)
{
	struct emission emission;
	size_t heard = 0;
	if (emitter == NULL)
		return 0;
	emission_begin(&emission, emitter);
	while (!is_settled(event)) {
		struct pop3_listener *l = emission_next(&emission);
		if (l == NULL)
			break;
		heard += rows[kind].call(l->handlers, event, l->data);
	}
	emission_end(&emission);
	return heard;
}

size_t event_emit(enum event_kind kind, struct emitter *first, struct emitter *second, void *event)
{
	size_t heard = emit_to(kind, first, event);
	return heard + emit_to(kind, second, event);
}

static bool has_handler(enum event_kind kind, struct emitter *emitter)
{
	const struct pop3_link *all = emitter == NULL ? NULL : &emitter->listeners;
	for (struct pop3_link *n = all == NULL ? NULL : all->next; n != all; n = n->next) {
		struct pop3_listener *l = list_entry(n, struct pop3_listener, link);
		if (rows[kind].call(l->handlers, NULL, NULL))
			return true;
	}
	return false;
}

bool event_has_handler(enum event_kind kind, struct emitter *first, struct emitter *second)
{
	return has_handler(kind, first) || has_handler(kind, second);
}
