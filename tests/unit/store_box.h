/*
 * A box to test the store in: a temporary folder with a home and a Maildir, the current directory
 * while it lives, and a log that must have been expected line by line.
 */
#ifndef POP3_TESTS_UNIT_STORE_BOX_H
#define POP3_TESTS_UNIT_STORE_BOX_H

#include "store/maildrop.h"
#include "unit/suite.h"

struct box {
	char root[512];
	int before; /* the directory to go back to */
	struct store_grant grant;
	struct log_sink sink;
	char log[16384];
};

/* home/Maildir with new/, cur/ and tmp/; the paths of the grant are relative. */
void box_init(struct box *);
/* The same on a file system in memory, if there is one: where syncing would take most of the time.
 */
void box_init_in_memory(struct box *);
/* Remove all; fails if a log line is left that nobody expected. */
void box_fini(struct box *);

/* Write a file, relative to the Maildir. */
void box_put(const char *path, const char *text);
/* Likewise of any octets. */
void box_put_octets(const char *path, const void *octets, size_t length);
bool box_has(const char *path);
/* How many names without a dot in front are in a folder of the Maildir. */
size_t box_count(const char *folder);
void box_rename(const char *from, const char *to);

/* Expect exactly one log line with this text, and forget it. */
void box_expect_log(struct box *, const char *text);

/* Open the maildrop, which must work. */
struct maildrop *box_open(struct box *);
struct maildrop *box_open_with(struct box *, bool mark_seen);
/* Opening must come to this. */
void box_open_fails(struct box *, enum store_result);
/* The list's unique-ids with a blank behind each, like "a b ". */
const char *box_ids(const struct maildrop *, char text[4096]);

/* From now on without root's powers (a no-op for other users), or with them again. */
void box_drop_powers(void);
void box_regain_powers(void);

#endif
