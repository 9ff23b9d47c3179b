/*
 * The store over Maildirs. Each session has at most one piece of work under way, which is its
 * `busy` mark (backend/sessions.h), so a maildrop is never used by two threads. The mark is taken
 * off before the answer is given, since the answer may bring the session's next event at once:
 *
 *   loop                        worker
 *   retrieve: begin, defer ->   maildrop_message
 *                               end (not busy; nothing of the session is touched any more)
 *   next event: begin  <-       answer
 *
 * A session is busy when an event comes only if the library's deadline for the one before has
 * passed, on a disk that hangs: the client is told to try again later.
 */
#include "backend/store_backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/sessions.h"
#include "base/clock.h"

struct store_backend {
	struct pop3_listener listener;
	struct workers *workers;
	struct grants *grants;
	struct sessions *sessions;
	struct log_sink log;
	pthread_mutex_t lock; /* for what follows */
	struct maildrop_options options;
};

/* What is kept of a session. Thousands may be idle: it is small. */
struct store_session {
	struct session_entry entry;
	struct store_backend *backend;
	struct maildrop *maildrop; /* NULL before `open` was done and after `quit` */

	/* The work under way, if `entry` is busy. */
	struct work work;
	struct store_grant *grant; /* of `open` */
	struct pop3_event *event;  /* the deferred copy */
};

#define SESSION_OF(member_pointer, member)                                                         \
	((struct store_session *)(void *)((char *)(member_pointer)-offsetof(struct store_session,  \
									    member)))

static enum pop3_result result_of(enum store_result result)
{
	static const enum pop3_result results[] = {
		[STORE_OK] = POP3_OK,
		[STORE_IN_USE] = POP3_IN_USE,
		[STORE_TEMPORARY] = POP3_TEMPORARY,
		[STORE_PERMANENT] = POP3_PERMANENT,
		[STORE_NO_SUCH_MESSAGE] = POP3_NO_SUCH_MESSAGE,
		[STORE_NEEDS_UTF8] = POP3_NEEDS_UTF8,
	};
	return results[result];
}

/* ---- Sessions ---- */

static void session_free(struct store_session *session)
{
	maildrop_close(session->maildrop);
	grants_release(session->grant);
	free(session);
}

/* The session is over: give the lock back, now or when its work ends. */
static void forget(struct store_backend *backend, uint64_t id)
{
	struct session_entry *entry = sessions_remove(backend->sessions, id);
	if (entry != NULL)
		session_free(SESSION_OF(entry, entry));
}

static struct store_session *find(struct store_backend *backend, uint64_t id)
{
	struct session_entry *entry = sessions_find(backend->sessions, id);
	return entry == NULL ? NULL : SESSION_OF(entry, entry);
}

/* The work is over; the session must not be touched after. Returns the event, to be answered. */
static void *end_work(struct store_session *session)
{
	void *event = session->event;
	session->event = NULL;
	if (sessions_end(session->backend->sessions, &session->entry))
		session_free(session);
	return event;
}

/* The pool goes before it came to this work. */
static void drop(struct work *work)
{
	pop3_drop(end_work(SESSION_OF(work, work)));
}

static void drop_open(struct work *work)
{
	struct store_session *session = SESSION_OF(work, work);
	struct store_backend *backend = session->backend;
	uint64_t id = session->entry.id;
	pop3_drop(end_work(session));
	forget(backend, id);
}

/*
 * Defer the event to a worker. False: the session is no longer busy, and the event is the caller's
 * to answer (the deferred copy, in *event) or answered by the library (*event is NULL).
 */
static bool leave_to_worker(struct store_session *session, void (*run)(struct work *),
			    void (*dropped)(struct work *), struct pop3_event **event)
{
	session->work = (struct work){.run = run, .drop = dropped};
	session->event = pop3_defer(*event);
	if (session->event != NULL &&
	    workers_submit(session->backend->workers, &session->work) == 0)
		return true;
	*event = end_work(session);
	return false;
}

/* ---- open ---- */

static struct maildrop_options current_options(struct store_backend *backend)
{
	pthread_mutex_lock(&backend->lock);
	struct maildrop_options options = backend->options;
	pthread_mutex_unlock(&backend->lock);
	return options;
}

static void run_open(struct work *work)
{
	struct store_session *session = SESSION_OF(work, work);
	struct store_backend *backend = session->backend;
	uint64_t id = session->entry.id;
	const struct maildrop_options options = current_options(backend);
	enum store_result result =
		maildrop_open(session->grant, &options, &backend->log, &session->maildrop);
	grants_release(session->grant);
	session->grant = NULL;

	struct pop3_open *event = end_work(session);
	/* Before the answer: the client may log in again, and then the id must be free. */
	if (result != STORE_OK)
		forget(backend, id);
	/* Nobody waits for it: there will be no `closed`. */
	if (pop3_answer_open(event, result_of(result), NULL) != 0 && result == STORE_OK)
		forget(backend, id);
}

/* A session for this `open`, in the table and busy; NULL: no memory, or the id is in use. */
static struct store_session *session_new(struct store_backend *backend, uint64_t id,
					 struct store_grant *grant)
{
	struct store_session *session = calloc(1, sizeof *session);
	if (session == NULL)
		return NULL;
	session->entry.id = id;
	session->backend = backend;
	if (sessions_add(backend->sessions, &session->entry) != 0) {
		free(session);
		return NULL;
	}
	session->grant = grant;
	return session;
}

static void fail_open(struct store_backend *backend, struct pop3_event *event, const char *reason)
{
	LOG(&backend->log, POP3_LOG_WARNING, "open_refused", LOG_NUMBER("session", event->id),
	    LOG_TEXT("reason", reason));
	pop3_fail(event, POP3_TEMPORARY, NULL);
}

static void on_open(struct pop3_open *open, void *data)
{
	struct store_backend *backend = data;
	struct pop3_event *event = &open->event;
	uint64_t id = event->id;
	struct store_grant *grant = grants_take(backend->grants, id, clock_now());
	if (grant == NULL) {
		fail_open(backend, event, "nobody granted this session a maildrop");
		return;
	}
	struct store_session *session = session_new(backend, id, grant);
	if (session == NULL) {
		grants_release(grant);
		fail_open(backend, event, "out of memory, or the last attempt is still under way");
		return;
	}
	if (leave_to_worker(session, run_open, drop_open, &event))
		return;
	forget(backend, id);
	if (event != NULL)
		fail_open(backend, event, "the queue of the store is full");
}

/* ---- list and uidl ---- */

static void release_list(void *state)
{
	maildrop_list_unref(state);
}

/* The frozen list of a session; NULL, and the event has failed: it is not open. */
static struct maildrop_list *frozen(struct store_backend *backend, struct pop3_event *event)
{
	struct store_session *session = find(backend, event->id);
	if (session != NULL && session->maildrop != NULL)
		return maildrop_frozen(session->maildrop);
	pop3_fail(event, POP3_TEMPORARY, NULL);
	return NULL;
}

static void on_list(struct pop3_list *event, void *data)
{
	struct maildrop_list *list = frozen(data, &event->event);
	if (list == NULL)
		return;
	const uint64_t *sizes = maildrop_list_sizes(list);
	size_t count = maildrop_list_count(list);
	if (event->which == 0)
		pop3_answer_list_block(event, sizes, count, release_list, maildrop_list_ref(list));
	else if (event->which <= count)
		pop3_answer_list(event, &sizes[event->which - 1], 1);
	else
		pop3_answer_list(event, NULL, 0);
}

static void on_uidl(struct pop3_uidl *event, void *data)
{
	struct maildrop_list *list = frozen(data, &event->event);
	if (list == NULL)
		return;
	const char *text = maildrop_list_text(list);
	const uint32_t *offsets = maildrop_list_offsets(list);
	size_t count = maildrop_list_count(list);
	if (event->which == 0) {
		pop3_answer_uidl_block(event, text, offsets, count, release_list,
				       maildrop_list_ref(list));
	} else if (event->which <= count) {
		const char *id = text + offsets[event->which - 1];
		pop3_answer_uidl(event, &id, 1);
	} else {
		pop3_answer_uidl(event, NULL, 0);
	}
}

/* ---- retrieve ---- */

/*
 * It counts once QUIT is reached, which is after the reply: one that breaks off ends the session
 * without QUIT.
 */
static void note_retrieved(struct store_session *session, const struct pop3_retrieve *event)
{
	if (event->lines != POP3_ALL_LINES)
		return;
	maildrop_retrieved(session->maildrop, event->which);
}

/* A client that did not say UTF8 must not have a message that needs it. Else it is closed. */
static enum store_result check_mode(struct store_session *session,
				    const struct pop3_retrieve *event, int descriptor,
				    uint64_t length)
{
	enum store_result result = STORE_OK;
	if (!event->event.info->utf8)
		result = maildrop_check_header(session->maildrop, event->which, descriptor, length);
	if (result != STORE_OK)
		close(descriptor);
	return result;
}

static void run_retrieve(struct work *work)
{
	struct store_session *session = SESSION_OF(work, work);
	struct pop3_retrieve *event = (struct pop3_retrieve *)(void *)session->event;
	int descriptor = -1;
	uint64_t length = 0;
	uint64_t octets = 0;
	enum store_result result =
		maildrop_message(session->maildrop, event->which, &descriptor, &length, &octets);
	if (result == STORE_OK)
		result = check_mode(session, event, descriptor, length);
	if (result == STORE_OK)
		note_retrieved(session, event);
	end_work(session);
	if (result == STORE_OK)
		pop3_answer_descriptor(event, descriptor, 0, length, octets);
	else
		pop3_fail(&event->event, result_of(result), NULL);
}

/* A message that the kernel has in memory is answered in the handler: no thread, no waiting. */
static bool retrieve_at_once(struct store_session *session, struct pop3_retrieve *event)
{
	int descriptor;
	uint64_t length, octets;
	/* A header that has to be looked at is a worker's: it may be long, or on the disk. */
	if (!event->event.info->utf8 && !maildrop_is_for_all(session->maildrop, event->which))
		return false;
	if (!maildrop_message_at_once(session->maildrop, event->which, &descriptor, &length,
				      &octets))
		return false;
	note_retrieved(session, event);
	end_work(session);
	pop3_answer_descriptor(event, descriptor, 0, length, octets);
	return true;
}

static void on_retrieve(struct pop3_retrieve *retrieve, void *data)
{
	struct store_backend *backend = data;
	struct pop3_event *event = &retrieve->event;
	struct store_session *session = find(backend, event->id);
	if (session != NULL && session->maildrop != NULL &&
	    sessions_begin(backend->sessions, &session->entry) &&
	    (retrieve_at_once(session, retrieve) ||
	     leave_to_worker(session, run_retrieve, drop, &event)))
		return;
	if (event != NULL)
		pop3_fail(event, POP3_TEMPORARY, NULL);
}

/* ---- quit ---- */

static void give_back(struct store_session *session)
{
	maildrop_close(session->maildrop);
	session->maildrop = NULL;
}

static void run_quit(struct work *work)
{
	struct store_session *session = SESSION_OF(work, work);
	struct pop3_quit *event = (struct pop3_quit *)(void *)session->event;
	size_t remaining = 0;
	maildrop_commit(session->maildrop, event->messages, event->count, &remaining);
	give_back(session);
	end_work(session);
	pop3_answer_quit(event, remaining);
}

static void on_quit(struct pop3_quit *quit, void *data)
{
	struct store_backend *backend = data;
	struct pop3_event *event = &quit->event;
	size_t count = quit->count;
	struct store_session *session = find(backend, event->id);
	if (session != NULL && session->maildrop != NULL &&
	    sessions_begin(backend->sessions, &session->entry)) {
		if (maildrop_needs_commit(session->maildrop, count)) {
			if (leave_to_worker(session, run_quit, drop, &event))
				return;
		} else {
			give_back(session);
			end_work(session);
		}
	}
	/* Nothing to do, or nothing done: all that is marked remains. */
	if (event != NULL)
		pop3_answer_quit((struct pop3_quit *)(void *)event, count);
}

/* ---- error and closed ---- */

/* Whoever hears an error has it: it is for the log. */
static void on_error(struct pop3_error *error, void *data)
{
	struct store_backend *backend = data;
	struct store_session *session = find(backend, error->event.id);
	const struct pop3_field fields[] = {LOG_NUMBER("session", error->event.id),
					    LOG_TEXT("text", error->text)};
	size_t first = error->event.id == 0 ? 1 : 0;
	log_write(&backend->log, POP3_LOG_ERROR, "error", fields + first, 2 - first);
	if (error->message == 0 || session == NULL || session->maildrop == NULL ||
	    !sessions_begin(backend->sessions, &session->entry))
		return;
	maildrop_has_wrong_size(session->maildrop, error->message);
	end_work(session);
}

static void on_closed(struct pop3_closed *event, void *data)
{
	forget(data, event->event.id);
}

static const struct pop3_handlers handlers = {
	.size = sizeof(struct pop3_handlers),
	.open = on_open,
	.list = on_list,
	.uidl = on_uidl,
	.retrieve = on_retrieve,
	.quit = on_quit,
	.closed = on_closed,
	.error = on_error,
};

/* ---- Its life ---- */

struct store_backend *store_backend_new(struct workers *workers, struct grants *grants,
					const struct log_sink *log,
					const struct maildrop_options *options)
{
	struct store_backend *backend = calloc(1, sizeof *backend);
	if (backend == NULL)
		return NULL;
	backend->listener = (struct pop3_listener){.handlers = &handlers, .data = backend};
	backend->workers = workers;
	backend->grants = grants;
	backend->log = *log;
	backend->options = *options;
	backend->sessions = sessions_new();
	if (backend->sessions == NULL) {
		free(backend);
		return NULL;
	}
	pthread_mutex_init(&backend->lock, NULL);
	return backend;
}

void store_backend_free(struct store_backend *backend)
{
	if (backend == NULL)
		return;
	for (struct session_entry *entry = sessions_any(backend->sessions); entry != NULL;
	     entry = sessions_any(backend->sessions))
		forget(backend, entry->id);
	sessions_free(backend->sessions);
	pthread_mutex_destroy(&backend->lock);
	free(backend);
}

struct pop3_listener *store_backend_listener(struct store_backend *backend)
{
	return &backend->listener;
}

void store_backend_configure(struct store_backend *backend, const struct maildrop_options *options)
{
	pthread_mutex_lock(&backend->lock);
	const char *index_directory = backend->options.index_directory;
	backend->options = *options;
	backend->options.index_directory = index_directory;
	pthread_mutex_unlock(&backend->lock);
}

size_t store_backend_sessions(struct store_backend *backend)
{
	return sessions_count(backend->sessions);
}
