/*
 * Reading the folders of a Maildir: which of the known messages are still there, and what has come.
 * A folder that has not changed since its known messages were listed is not read, and a message
 * that is known is not opened.
 */
#ifndef POP3_STORE_SCAN_H
#define POP3_STORE_SCAN_H

#include "store/birth.h"
#include "store/index.h"
#include "store/known.h"
#include "store/maildrop_list.h"
#include "store/name.h"

/* A file that is new, or a known one under another name. */
struct found {
	size_t name; /* its place in the text, which also tells what was seen later */
	struct name_time time;
	uint64_t identity;
	uint64_t length;
	uint64_t octets;
	size_t known; /* a known file's index */
	uint8_t reading;
	uint8_t base_length;
	bool seen;
	bool plain; /* see struct maildrop_entry */
};

struct found_files {
	struct found *files;
	size_t count;
	size_t capacity;
};

/* Names that were skipped for one reason. */
struct skipped {
	uint64_t count;
	enum folder folder;
	char first[MAILDROP_NAME_SIZE];
	int error;
};

struct scan {
	struct known known;
	struct found_files fresh; /* in no order; one file may be there several times */
	struct found_files moved; /* likewise */
	char *text;               /* the names of both, each ended by a NUL */
	size_t text_length;
	size_t text_capacity;
	uint8_t reading;            /* how often the folders were read */
	struct maildir_state state; /* from before the last reading */
	struct timespec moments[2]; /* by folder: what is older is as it was found */
	size_t looks;               /* at known messages */
	bool quiet;     /* nothing changed during the last reading: what it did not find is gone */
	bool quiet_cur; /* nothing in cur/ */
	bool vanished;  /* a new name's file was gone when it was looked at */
	struct births births; /* of what was found */
	struct skipped odd;
	struct skipped unreadable;
	bool without_trace;      /* nothing is put back */
	struct skipped stranded; /* files put aside that were not put back */
	struct skipped restored; /* those that could, now or in an earlier reading */
};

/*
 * Scan. `without_trace`: nothing is renamed. `index` is what is known, zeroed if nothing is, and
 * must outlive the scan. 0, or a negative errno value: a folder could not be read whole, or no
 * memory, no descriptors. The scan must be given to scan_fini() in any case.
 */
int scan_folders(const struct maildir *, const struct index *, bool without_trace, struct scan *);
void scan_fini(struct scan *);

/* When the messages of an index were made, if its folders are unchanged. */
struct births scan_births_of_index(const struct index *);

/* Is nothing to be read: both folders are as the index has them? 0: *unchanged is set. */
int scan_is_needless(const struct maildir *, const struct index *, bool *unchanged);
/* Is a message in the maildrop, for all that is known now: a known one, or a file that was found?
 */
bool scan_has_known(const struct scan *, size_t index);
bool scan_has_found(const struct scan *, const struct found *);

#endif
