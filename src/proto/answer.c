/*
 * The public answer functions: each fills a struct answer and hands it to the request, which knows
 * whether it is answered in the handler or from afar.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/event.h"

/* Printable text for the client: at most `size` - 1 octets, control octets replaced. */
static void copy_text(char *to, size_t size, const char *from)
{
	size_t length = 0;
	for (; length < size - 1 && from[length] != '\0'; length++) {
		unsigned char c = (unsigned char)from[length];
		to[length] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	to[length] = '\0';
}

static struct answer answer_of(enum pop3_result result, const char *text)
{
	struct answer answer = {.given = true, .result = result};
	if (text != NULL)
		copy_text(answer.text, ANSWER_TEXT_MAX + 1, text);
	return answer;
}

/* A notification has no request; what the answer holds is released all the same. */
static int give(struct pop3_event *event, struct answer *answer)
{
	if (event->request == NULL) {
		event_request_type(EVENT_RETRIEVE)->release(answer);
		return -EALREADY;
	}
	return request_answer(event->request, answer);
}

/* There was no memory for the answer: the client is told to try again. */
static int give_no_memory(struct pop3_event *event)
{
	struct answer answer = answer_of(POP3_TEMPORARY, NULL);
	int error = give(event, &answer);
	return error < 0 ? error : -ENOMEM;
}

void *pop3_defer(struct pop3_event *event)
{
	if (event->request == NULL || event->request->state != REQUEST_OPEN)
		return NULL;
	void *copy = request_defer(event->request, event);
	if (copy == NULL)
		give_no_memory(event);
	return copy;
}

void pop3_drop(struct pop3_event *event)
{
	pop3_fail(event, POP3_TEMPORARY, NULL);
}

int pop3_fail(struct pop3_event *event, enum pop3_result result, const char *text)
{
	if (result == POP3_OK)
		return -EINVAL;
	struct answer answer = answer_of(result, text);
	return give(event, &answer);
}

int pop3_accept(struct pop3_connected *e)
{
	struct answer answer = answer_of(POP3_OK, NULL);
	return give(&e->event, &answer);
}

int pop3_refuse(struct pop3_connected *e, const char *text)
{
	struct answer answer = answer_of(POP3_DENIED, text);
	answer.close = text == NULL;
	return give(&e->event, &answer);
}

static int give_source(struct pop3_event *event, const struct source *source)
{
	struct answer answer = answer_of(POP3_OK, NULL);
	answer.source = *source;
	return give(event, &answer);
}

/* The end of a login: a user, or a text for the client. */
static struct answer answer_login(enum pop3_result result, const char *text)
{
	struct answer answer = answer_of(result, result == POP3_OK ? NULL : text);
	if (result == POP3_OK && text != NULL) {
		size_t length = strlen(text);
		if (length == 0 || length > POP3_USER_MAX)
			answer.result = POP3_PERMANENT;
		else
			memcpy(answer.text, text, length + 1);
	}
	return answer;
}

int pop3_answer_auth(struct pop3_authenticate *e, enum pop3_result result, const char *text)
{
	struct answer answer = answer_login(result, text);
	return give(&e->event, &answer);
}

int pop3_answer_sasl(struct pop3_sasl *e, enum pop3_result result, const char *text)
{
	struct answer answer = answer_login(result, result == POP3_OK && text == NULL ? "" : text);
	return give(&e->event, &answer);
}

int pop3_answer_challenge(struct pop3_sasl *e, const void *octets, size_t length)
{
	if (length > POP3_SASL_CHALLENGE_MAX)
		return -EMSGSIZE;
	char *copy = malloc(length + 1);
	if (copy == NULL)
		return give_no_memory(&e->event);
	if (length > 0)
		memcpy(copy, octets, length);
	const struct source source = {.kind = SOURCE_BYTES,
				      .octets = copy,
				      .left = length,
				      .release = free,
				      .state = copy};
	return give_source(&e->event, &source);
}

int pop3_answer_open(struct pop3_open *e, enum pop3_result result, const char *text)
{
	struct answer answer = answer_of(result, text);
	return give(&e->event, &answer);
}

int pop3_answer_list_block(struct pop3_list *e, const uint64_t *sizes, size_t count,
			   void (*release)(void *state), void *state)
{
	struct answer answer = answer_of(POP3_OK, NULL);
	answer.block = (struct list_block){
		.sizes = sizes, .count = count, .release = release, .state = state};
	if (e->which != 0 && count > 0) {
		answer.single = true;
		answer.size = sizes[0];
	}
	return give(&e->event, &answer);
}

int pop3_answer_list(struct pop3_list *e, const uint64_t *sizes, size_t count)
{
	if (e->which != 0 || count == 0)
		return pop3_answer_list_block(e, sizes, count, NULL, NULL);
	uint64_t *copy = calloc(count, sizeof *copy);
	if (copy == NULL)
		return give_no_memory(&e->event);
	memcpy(copy, sizes, count * sizeof *copy);
	return pop3_answer_list_block(e, copy, count, free, copy);
}

int pop3_answer_uidl_block(struct pop3_uidl *e, const char *text, const uint32_t *offsets,
			   size_t count, void (*release)(void *state), void *state)
{
	struct answer answer = answer_of(POP3_OK, NULL);
	answer.block = (struct list_block){.text = text,
					   .offsets = offsets,
					   .count = count,
					   .release = release,
					   .state = state};
	if (e->which != 0 && count > 0) {
		const char *id = text + offsets[0];
		answer.single = true;
		/* An illegal one stays empty, which is illegal too. */
		if (view_id_is_legal(id))
			memcpy(answer.text, id, strlen(id) + 1);
	}
	return give(&e->event, &answer);
}

/* Offsets and text of the ids in one allocation; NULL: no memory, or over 4 GiB. */
static uint32_t *copy_ids(const char *const *ids, size_t count)
{
	uint64_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += strlen(ids[i]) + 1;
	if (size > UINT32_MAX || count > UINT32_MAX)
		return NULL;
	uint32_t *offsets = malloc(count * sizeof *offsets + (size_t)size);
	if (offsets == NULL)
		return NULL;
	char *text = (char *)(offsets + count);
	uint32_t offset = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t length = (uint32_t)strlen(ids[i]) + 1;
		memcpy(text + offset, ids[i], length);
		offsets[i] = offset;
		offset += length;
	}
	return offsets;
}

int pop3_answer_uidl(struct pop3_uidl *e, const char *const *ids, size_t count)
{
	static const uint32_t first[1] = {0};
	if (e->which != 0 || count == 0)
		return pop3_answer_uidl_block(e, count == 0 ? "" : ids[0], first, count, NULL,
					      NULL);
	uint32_t *offsets = copy_ids(ids, count);
	if (offsets == NULL)
		return give_no_memory(&e->event);
	return pop3_answer_uidl_block(e, (const char *)(offsets + count), offsets, count, free,
				      offsets);
}

int pop3_answer_block(struct pop3_retrieve *e, const void *octets, size_t length,
		      void (*release)(void *state), void *state)
{
	const struct source source = {.kind = SOURCE_BYTES,
				      .octets = octets,
				      .left = length,
				      .release = release,
				      .state = state,
				      .announced = POP3_OCTETS_LISTED};
	return give_source(&e->event, &source);
}

int pop3_answer_bytes(struct pop3_retrieve *e, const void *octets, size_t length)
{
	return pop3_answer_block(e, octets, length, NULL, NULL);
}

int pop3_answer_descriptor(struct pop3_retrieve *e, int descriptor, uint64_t offset,
			   uint64_t length, uint64_t octets)
{
	const struct source source = {.kind = SOURCE_DESCRIPTOR,
				      .descriptor = descriptor,
				      .offset = offset,
				      .left = length,
				      .announced = octets};
	return give_source(&e->event, &source);
}

int pop3_answer_pull(struct pop3_retrieve *e,
		     ssize_t (*pull)(void *state, void *buffer, size_t size),
		     void (*release)(void *state), void *state, uint64_t octets)
{
	const struct source source = {.kind = SOURCE_PULL,
				      .left = UINT64_MAX,
				      .pull = pull,
				      .release = release,
				      .state = state,
				      .announced = octets};
	return give_source(&e->event, &source);
}

int pop3_answer_quit(struct pop3_quit *e, size_t remaining)
{
	struct answer answer = answer_of(POP3_OK, NULL);
	answer.remaining = remaining;
	return give(&e->event, &answer);
}

int pop3_answer_command(struct pop3_command *e, bool ok, const char *text)
{
	struct answer answer = answer_of(ok ? POP3_OK : POP3_DENIED, text);
	answer.close = !ok;
	return give(&e->event, &answer);
}

int pop3_answer_multiline(struct pop3_command *e, const char *text, const void *octets,
			  size_t length)
{
	char *copy = malloc(length + 1);
	if (copy == NULL)
		return give_no_memory(&e->event);
	if (length > 0)
		memcpy(copy, octets, length);
	struct answer answer = answer_of(POP3_OK, text);
	answer.source = (struct source){.kind = SOURCE_BYTES,
					.octets = copy,
					.left = length,
					.release = free,
					.state = copy};
	return give(&e->event, &answer);
}
