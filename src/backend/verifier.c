/*
 * See verifier.h. A process is killed by the number of its group, which is its own only until it
 * is waited for; so it stands in the list of those to be killed from its start until just before
 * that.
 */
#include "backend/verifier.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/program.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/list.h"
#include "base/network.h"
#include "base/secret.h"

/* checkpassword's exit codes beside 0. */
#define EXIT_REFUSED 1
/* Milliseconds between two looks whether the server is going, while a killed process lingers. */
#define LINGER 1000

struct verifier {
	pthread_mutex_t mutex; /* guards the rest */
	struct pop3_link running;
	bool stopping;
	struct log_sink log;
};

/* A process that has been started. */
struct child {
	struct pop3_link place;
	pid_t pid;
	int process; /* its pidfd */
};

/* One question, on its way. */
struct attempt {
	struct verifier *verifier;
	const char *command;
	uint64_t deadline;
	char *text; /* what the program reads */
	size_t length, written;
	int pipe; /* where it is written to; -1: no more */
	struct child child;
	char reason[128]; /* why there is no answer */
};

struct verifier *verifier_new(const struct log_sink *log)
{
	struct verifier *verifier = calloc(1, sizeof *verifier);
	if (verifier == NULL)
		return NULL;
	pthread_mutex_init(&verifier->mutex, NULL);
	list_init(&verifier->running);
	verifier->log = *log;
	return verifier;
}

void verifier_free(struct verifier *verifier)
{
	if (verifier == NULL)
		return;
	pthread_mutex_destroy(&verifier->mutex);
	free(verifier);
}

/* ---- The question ---- */

/* Put octets and a NUL at `to`, or nothing if that is NULL; returns how many. */
static size_t put(char *to, const char *octets, size_t length)
{
	if (to == NULL)
		return length + 1;
	memcpy(to, octets, length);
	to[length] = '\0';
	return length + 1;
}

static size_t write_question(char *to, const struct verifier_question *q)
{
	const char *address;
	size_t address_length = network_of_peer(q->peer, &address);
	size_t length = put(to, q->user, strlen(q->user));
	length += put(to == NULL ? NULL : to + length, q->secret, q->secret_length);
	length += put(to == NULL ? NULL : to + length, q->method, strlen(q->method));
	length += put(to == NULL ? NULL : to + length, address, address_length);
	return length;
}

static int attempt_init(struct attempt *a, struct verifier *verifier,
			const struct verifier_rules *rules, const struct verifier_question *q)
{
	*a = (struct attempt){.verifier = verifier,
			      .command = rules->command,
			      .deadline = clock_now() + rules->timeout,
			      .length = write_question(NULL, q),
			      .pipe = -1};
	a->text = malloc(a->length);
	if (a->text == NULL)
		return -ENOMEM;
	write_question(a->text, q);
	return 0;
}

static void attempt_fini(struct attempt *a)
{
	if (a->pipe >= 0)
		close(a->pipe);
	secret_wipe(a->text, a->length);
	free(a->text);
}

/* ---- Its start ---- */

/* False: it cannot be started, and a->reason says why. */
static bool start(struct attempt *a)
{
	int result = program_start(a->command, &a->child.pid, &a->pipe);
	if (result != 0)
		snprintf(a->reason, sizeof a->reason, "cannot be started: %s", strerror(-result));
	return result == 0;
}

/* ---- Its end ---- */

static void kill_group(const struct child *child)
{
	kill(-child->pid, SIGKILL);
}

/* From now on verifier_stop() knows it. False: that has been called. */
static bool enlist(struct attempt *a)
{
	struct verifier *verifier = a->verifier;
	pthread_mutex_lock(&verifier->mutex);
	list_insert(&verifier->running, &a->child.place);
	bool stopping = verifier->stopping;
	pthread_mutex_unlock(&verifier->mutex);
	return !stopping;
}

static void delist(struct attempt *a)
{
	pthread_mutex_lock(&a->verifier->mutex);
	list_remove(&a->child.place);
	pthread_mutex_unlock(&a->verifier->mutex);
}

static bool is_stopping(struct verifier *verifier)
{
	pthread_mutex_lock(&verifier->mutex);
	bool stopping = verifier->stopping;
	pthread_mutex_unlock(&verifier->mutex);
	return stopping;
}

void verifier_stop(struct verifier *verifier)
{
	pthread_mutex_lock(&verifier->mutex);
	verifier->stopping = true;
	for (struct pop3_link *i = verifier->running.next; i != &verifier->running; i = i->next)
		kill_group(list_entry(i, struct child, place));
	pthread_mutex_unlock(&verifier->mutex);
}

/* ---- Meanwhile ---- */

/* As much as the pipe takes. A program that does not want to read is asked no less: its exit code
 * is its answer. */
static void feed(struct attempt *a)
{
	ssize_t wrote;
	IO_RETRY(wrote, write(a->pipe, a->text + a->written, a->length - a->written));
	if (wrote > 0)
		a->written += (size_t)wrote;
	bool over = a->written == a->length || (wrote < 0 && errno != EAGAIN);
	if (over) {
		close(a->pipe);
		a->pipe = -1;
	}
}

/* Milliseconds for poll(2). */
static int left_until(uint64_t deadline)
{
	uint64_t now = clock_now();
	return now >= deadline ? 0 : (int)(deadline - now);
}

/* Give it its question until it ends. False: it has not in time, or cannot be waited for. */
static bool converse(struct attempt *a)
{
	for (;;) {
		struct pollfd entries[2] = {{.fd = a->child.process, .events = POLLIN},
					    {.fd = a->pipe, .events = POLLOUT}};
		int ready = poll(entries, 2, left_until(a->deadline));
		if (ready < 0 && errno != EINTR) {
			snprintf(a->reason, sizeof a->reason, "cannot be waited for: %s",
				 strerror(errno));
			return false;
		}
		if (ready > 0 && entries[0].revents != 0)
			return true;
		if (ready > 0 && entries[1].revents != 0)
			feed(a);
		if (clock_now() >= a->deadline) {
			snprintf(a->reason, sizeof a->reason, "has not ended in time");
			return false;
		}
	}
}

/*
 * Has it ended? Killed processes do, but for those of another user (a setuid program) and those
 * that wait for a broken disk: such a one keeps its place, so that there are not more and more of
 * them, until the server goes.
 */
static bool await_end(struct attempt *a)
{
	bool last = false;
	for (;;) {
		struct pollfd entry = {.fd = a->child.process, .events = POLLIN};
		int ready = poll(&entry, 1, LINGER);
		if (ready > 0)
			return true;
		if (last || (ready < 0 && errno != EINTR))
			return false;
		last = is_stopping(a->verifier);
	}
}

static enum auth_result result_of(struct attempt *a, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return AUTH_OK;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_REFUSED)
		return AUTH_DENIED;
	if (WIFEXITED(status))
		snprintf(a->reason, sizeof a->reason, "exit code %d", WEXITSTATUS(status));
	else
		snprintf(a->reason, sizeof a->reason, "killed by signal %d", WTERMSIG(status));
	return AUTH_TEMPORARY;
}

/* The process is no more, or is given up; `answered`: it ended by itself. */
static enum auth_result reap(struct attempt *a, bool answered)
{
	int status;
	pid_t waited;
	kill_group(&a->child);
	bool ended = a->child.process < 0 || await_end(a);
	delist(a);
	if (!ended)
		return AUTH_TEMPORARY;
	IO_RETRY(waited, waitpid(a->child.pid, &status, 0));
	if (!answered)
		return AUTH_TEMPORARY;
	if (waited == a->child.pid)
		return result_of(a, status);
	snprintf(a->reason, sizeof a->reason, "its exit code is lost: %s", strerror(errno));
	return AUTH_TEMPORARY;
}

static enum auth_result follow(struct attempt *a)
{
	bool answered = false;
	bool goes_on = enlist(a);
	a->child.process = pidfd_open(a->child.pid, 0);
	if (!goes_on)
		snprintf(a->reason, sizeof a->reason, "the server is going");
	else if (a->child.process < 0)
		snprintf(a->reason, sizeof a->reason, "cannot be watched: %s", strerror(errno));
	else
		answered = converse(a);
	enum auth_result result = reap(a, answered);
	if (a->child.process >= 0)
		close(a->child.process);
	return result;
}

static void log_failure(struct verifier *verifier, const struct verifier_question *q,
			const char *command, const char *reason)
{
	/* Without its arguments. */
	char program[256];
	snprintf(program, sizeof program, "%.*s", (int)strcspn(command, " "), command);
	LOG(&verifier->log, POP3_LOG_WARNING, "verify_failed", LOG_NUMBER("session", q->session),
	    LOG_TEXT("user", q->user), LOG_TEXT("peer", q->peer), LOG_TEXT("method", q->method),
	    LOG_TEXT("command", program), LOG_TEXT("reason", reason));
}

enum auth_result verifier_ask(struct verifier *verifier, const struct verifier_rules *rules,
			      const struct verifier_question *q)
{
	struct attempt a;
	if (attempt_init(&a, verifier, rules, q) != 0) {
		log_failure(verifier, q, rules->command, "out of memory");
		return AUTH_TEMPORARY;
	}
	enum auth_result result = AUTH_TEMPORARY;
	if (start(&a))
		result = follow(&a);
	attempt_fini(&a);
	if (result == AUTH_TEMPORARY && !is_stopping(verifier))
		log_failure(verifier, q, rules->command, a.reason);
	return result;
}
