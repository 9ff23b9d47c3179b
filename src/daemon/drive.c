/*
 * The signals are blocked except while ppoll(2) waits, so a handler only ever runs there: it sets a
 * flag, ppoll() returns EINTR, and no signal can come between looking at a flag and waiting.
 */
#include "daemon/drive.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/thread.h"

/* Entries to begin with; a busy server asks for more. */
#define ENTRIES 64
/* Milliseconds until a turn that had no memory for all entries is tried again. */
#define RETRY 100
/* Microseconds. Most turns of the loop take less; in longer ones the workers may come between. */
#define TURN 100

static volatile sig_atomic_t stops;   /* SIGTERM and SIGINT so far */
static volatile sig_atomic_t reloads; /* SIGHUP since the last look */

static void on_signal(int number)
{
	if (number == SIGHUP)
		reloads = 1;
	else if (stops < 2)
		stops++;
}

static void our_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

void drive_hold_signals(void)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set;

	our_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaction(numbers[i], &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	/* Whoever started us may have ignored it; then exit codes of programs would be lost. */
	action.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &action, NULL);
}

/* The entries to wait for: the server's, then the watches. */
struct entries {
	struct pollfd *items;
	size_t size;
	size_t count; /* the server's */
	int timeout;
	sigset_t waiting; /* what is blocked while we wait: not our signals */
};

/* Without memory for all entries those that fit are served, and it is tried again soon. */
static void gather(const struct drive *drive, struct entries *e)
{
	for (;;) {
		size_t room = e->size - DRIVE_WATCHES;
		e->count = pop3_server_pollfds(drive->server, e->items, room, &e->timeout);
		if (e->count <= room)
			break;
		size_t size = e->count + e->count / 2 + DRIVE_WATCHES;
		struct pollfd *items = realloc(e->items, size * sizeof *items);
		if (items == NULL) {
			e->count = room;
			if (e->timeout < 0 || e->timeout > RETRY)
				e->timeout = RETRY;
			break;
		}
		e->items = items;
		e->size = size;
	}
	for (size_t i = 0; i < drive->watch_count; i++)
		e->items[e->count + i] = (struct pollfd){.fd = drive->watches[i], .events = POLLIN};
}

static int wait_for(struct entries *e, size_t watches)
{
	struct timespec time = {e->timeout / 1000, e->timeout % 1000 * 1000000L};
	int ready = ppoll(e->items, e->count + watches, e->timeout < 0 ? NULL : &time, &e->waiting);
	if (ready >= 0)
		return 0;
	for (size_t i = 0; i < e->count + watches; i++)
		e->items[i].revents = 0; /* what they hold after a failure is undefined */
	return errno == EINTR ? 0 : -errno;
}

/* Has the watched descriptor come to its end? What a stream still says is thrown away. A pidfd
 * cannot be read, and it is ready once its process is gone. */
static bool has_ended(int descriptor)
{
	char octets[4096];
	ssize_t got = read(descriptor, octets, sizeof octets);
	if (got < 0)
		return errno != EAGAIN && errno != EINTR;
	return got == 0;
}

static void look_at_watches(struct drive *drive, const struct entries *e)
{
	for (size_t i = drive->watch_count; i-- > 0;) {
		if (e->items[e->count + i].revents == 0 || !has_ended(drive->watches[i]))
			continue;
		drive->watches[i] = drive->watches[--drive->watch_count];
		if (stops == 0)
			stops = 1;
	}
}

/* Pass on to the server what it has not been told yet. */
static void look_at_signals(struct drive *drive, int *told)
{
	if (reloads != 0) {
		reloads = 0;
		if (drive->reload != NULL)
			drive->reload(drive->data);
	}
	if (stops == *told)
		return;
	*told = stops;
	uint32_t drain = drive->drain == NULL || *told > 1 ? 0 : drive->drain(drive->data);
	pop3_server_stop(drive->server, drain);
}

int drive_watch_parent(pid_t parent)
{
	int descriptor = pidfd_open(parent, 0);
	if (descriptor < 0)
		return -errno;
	/* Another process may have got the number, if the parent ended in between. */
	if (getppid() == parent)
		return descriptor;
	close(descriptor);
	return -ESRCH;
}

int drive_run(struct drive *drive)
{
	struct entries e = {.items = calloc(ENTRIES, sizeof *e.items), .size = ENTRIES};
	int result = e.items == NULL ? -ENOMEM : 0;
	int told = 0;

	thread_set_turn(TURN);
	sigprocmask(SIG_BLOCK, NULL, &e.waiting);
	sigdelset(&e.waiting, SIGTERM);
	sigdelset(&e.waiting, SIGINT);
	sigdelset(&e.waiting, SIGHUP);
	while (result == 0 && !pop3_server_stopped(drive->server)) {
		gather(drive, &e);
		result = wait_for(&e, drive->watch_count);
		if (result != 0)
			break;
		pop3_server_dispatch(drive->server, e.items, e.count);
		look_at_watches(drive, &e);
		look_at_signals(drive, &told);
	}
	free(e.items);
	return result;
}
