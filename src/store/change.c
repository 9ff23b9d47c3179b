/* See change.h. */
#include "store/change.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"

/* Where files without a name cannot be had, a file of this name is made and removed. */
#define PROBE_FILE "pop3-emitter.probe"
/* How far a file system's clock may be behind this machine's, in seconds, where it cannot be asked:
 * the coarsest known have two. */
#define MARGIN 3
/* A state is looked at every 10 ms until it has settled, for 3 s at most. */
#define SETTLE_PAUSE 10000000
#define SETTLE_TRIES 300

static int look(const struct maildir *maildir, enum folder folder, struct folder_state *state)
{
	struct stat status;
	int error = folder_stat(maildir->descriptor, folder_name(folder), &status);
	if (error < 0)
		return error;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	*state = (struct folder_state){.identity = folder_identity(maildir, &status),
				       .modified = status.st_mtim,
				       .changed = status.st_ctim};
	return 0;
}

int change_look(const struct maildir *maildir, struct maildir_state *state)
{
	int error = look(maildir, FOLDER_NEW, &state->folders[FOLDER_NEW]);
	return error < 0 ? error : look(maildir, FOLDER_CUR, &state->folders[FOLDER_CUR]);
}

bool change_is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool change_same(const struct folder_state *a, const struct folder_state *b)
{
	return a->identity == b->identity && same_time(&a->modified, &b->modified) &&
	       same_time(&a->changed, &b->changed);
}

bool change_is_settled(const struct folder_state *state, const struct timespec *moment)
{
	return change_is_before(&state->modified, moment) &&
	       change_is_before(&state->changed, moment);
}

/* A file just made in the Maildir: its descriptor, or a negative errno value. */
static int make_probe(const struct maildir *maildir)
{
	int directory = maildir->descriptor;
	int probe;
	IO_RETRY(probe, openat(directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
	if (probe >= 0)
		return probe;
	/* One that was left behind by a process that was killed, perhaps. */
	folder_delete(directory, PROBE_FILE);
	probe = folder_create(directory, PROBE_FILE);
	if (probe >= 0)
		folder_delete(directory, PROBE_FILE);
	return probe;
}

/* The file system's time. Where it cannot be asked: this machine's, `margin` seconds later. */
static void take_time(const struct maildir *maildir, int margin, struct timespec *moment)
{
	struct stat status;
	int probe = make_probe(maildir);
	bool told = probe >= 0 && folder_status(probe, &status) == 0;
	if (probe >= 0)
		close(probe);
	if (told) {
		*moment = status.st_mtim;
		return;
	}
	clock_gettime(CLOCK_REALTIME, moment);
	moment->tv_sec += margin;
}

static void take_moment(const struct maildir *maildir, struct timespec *moment)
{
	take_time(maildir, -MARGIN, moment);
}

void change_limit(const struct maildir *maildir, struct timespec *limit)
{
	take_time(maildir, MARGIN, limit);
}

/* ---- Settled states ---- */

/* So far ahead, in seconds, is no change of the present: somebody has set a clock back. */
#define FUTURE 60

/* Will every change of the next minute show? */
static bool is_settled_for_now(const struct folder_state *state, const struct timespec *moment)
{
	const struct timespec future = {.tv_sec = moment->tv_sec + FUTURE};
	bool modified = change_is_before(&state->modified, moment) ||
			change_is_before(&future, &state->modified);
	bool changed = change_is_before(&state->changed, moment) ||
		       change_is_before(&future, &state->changed);
	return modified && changed;
}

static bool both_settled_for_now(const struct maildir_state *state, const struct timespec *moment)
{
	return is_settled_for_now(&state->folders[FOLDER_NEW], moment) &&
	       is_settled_for_now(&state->folders[FOLDER_CUR], moment);
}

int change_observe(const struct maildir *maildir, bool wait, struct maildir_state *state,
		   struct timespec *moment)
{
	for (int tries = 0;; tries++) {
		take_moment(maildir, moment);
		int error = change_look(maildir, state);
		if (error < 0 || !wait || tries == SETTLE_TRIES ||
		    both_settled_for_now(state, moment))
			return error;
		nanosleep(&(struct timespec){.tv_nsec = SETTLE_PAUSE}, NULL);
	}
}

bool change_is_quiet_in(enum folder folder, const struct maildir_state *before,
			const struct timespec *moment, const struct maildir_state *after)
{
	return is_settled_for_now(&before->folders[folder], moment) &&
	       change_same(&before->folders[folder], &after->folders[folder]);
}

bool change_is_quiet(const struct maildir_state *before, const struct timespec *moment,
		     const struct maildir_state *after)
{
	return change_is_quiet_in(FOLDER_NEW, before, moment, after) &&
	       change_is_quiet_in(FOLDER_CUR, before, moment, after);
}

int change_read_quietly(const struct maildir *maildir, folder_visit *visit, void *state,
			bool *quiet)
{
	struct maildir_state before, after;
	struct timespec moment;
	int result = change_observe(maildir, true, &before, &moment);
	if (result == 0)
		result = folder_read_both(maildir, visit, state);
	if (result == 0)
		result = change_look(maildir, &after);
	if (result == 0)
		*quiet = change_is_quiet(&before, &moment, &after);
	return result;
}
