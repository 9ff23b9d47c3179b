/*
 * Has a Maildir changed? The folders' own times tell, if one reads them with care: a file system's
 * clock ticks coarsely, so two changes may bear one time.
 *
 *	they: rename (time 7)    we: the time is 7, read    they: rename (time 7)    we: still 7
 *
 * So a folder's state counts only if it is *settled*: older than a moment on that same clock, which
 * is the time of a file written there, not that of this machine. What happens after the moment then
 * bears another time.
 */
#ifndef POP3_STORE_CHANGE_H
#define POP3_STORE_CHANGE_H

#include <time.h>

#include "store/folder.h"

/* All that shows of a change in a folder. */
struct folder_state {
	uint64_t identity; /* of the folder itself */
	struct timespec modified;
	struct timespec changed;
};

/* Of new/ and cur/, by enum folder. */
struct maildir_state {
	struct folder_state folders[2];
};

/* The state of both folders now. 0, -ENOTDIR, or another negative errno value. */
int change_look(const struct maildir *, struct maildir_state *);
/*
 * The same, and a moment by the file system's clock, from before whatever is read next. With `wait`
 * it is waited until both states have settled, for some seconds at most. Where nothing can be
 * written the moment is this machine's clock less a margin.
 */
int change_observe(const struct maildir *, bool wait, struct maildir_state *,
		   struct timespec *moment);

/* A moment by the file system's clock that nothing which was done until now comes after. */
void change_limit(const struct maildir *, struct timespec *limit);

bool change_is_before(const struct timespec *, const struct timespec *);
bool change_same(const struct folder_state *, const struct folder_state *);
/* Will every change that comes after `moment` show, whenever it comes? */
bool change_is_settled(const struct folder_state *, const struct timespec *moment);
/* Has certainly nothing changed in a folder between change_observe() and a later change_look()? */
bool change_is_quiet_in(enum folder, const struct maildir_state *before,
			const struct timespec *moment, const struct maildir_state *after);
/* Nor in the other? */
bool change_is_quiet(const struct maildir_state *before, const struct timespec *moment,
		     const struct maildir_state *after);

/*
 * folder_read_both() that can also tell what is not there: after a full reading *quiet is set to
 * whether neither folder has changed from before to after it, so that what was not visited does not
 * exist. It may take some milliseconds longer, until a state has settled; on a file system with
 * whole seconds, as long as that.
 */
int change_read_quietly(const struct maildir *, folder_visit *visit, void *state, bool *quiet);
/* How often a quiet reading is tried for. */
#define CHANGE_TRIES 3

#endif
