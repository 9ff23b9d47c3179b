/*
 * The store's sessions by id. A session has two owners: the table, from `open` to `closed`, and the
 * piece of work under way for it, of which there is at most one at a time. Whoever is the last to
 * let go gets it to free. All functions may be called from any thread.
 */
#ifndef POP3_BACKEND_SESSIONS_H
#define POP3_BACKEND_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sessions;

/* Embedded in what is kept of a session. Set `id`, zero the rest. */
struct session_entry {
	uint64_t id;
	struct session_entry *next; /* private, as are all below */
	bool kept;                  /* in the table */
	bool busy;                  /* there is work under way */
};

/* NULL: out of memory. */
struct sessions *sessions_new(void);
/* The table must be empty. NULL is fine. */
void sessions_free(struct sessions *);

/* Put a session into the table, busy. 0; -EEXIST: there is one of this id. */
int sessions_add(struct sessions *, struct session_entry *);
/* The session of this id, for the thread that also gets its `closed`; NULL: there is none. */
struct session_entry *sessions_find(struct sessions *, uint64_t id);
/* Begin work; false: some is under way. */
bool sessions_begin(struct sessions *, struct session_entry *);
/* The work is over. True: the session has left the table and is the caller's to free. */
bool sessions_end(struct sessions *, struct session_entry *);
/*
 * Take the session of this id out of the table. It is the caller's to free; NULL: there is none, or
 * sessions_end() will hand it over.
 */
struct session_entry *sessions_remove(struct sessions *, uint64_t id);
/* Any session of the table, NULL if it is empty. */
struct session_entry *sessions_any(struct sessions *);
/* How many are in the table. */
size_t sessions_count(struct sessions *);

#endif
