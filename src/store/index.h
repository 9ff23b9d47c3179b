/*
 * The index of a maildrop: the frozen list of an earlier login in a file, with the states of new/
 * and cur/ that it holds for. A login that finds them unchanged reads this file and nothing else.
 *
 * It may be deleted at any time and is never believed: a checksum tells what was damaged, the rest
 * is checked entry by entry, and a file is opened or deleted only if it is itself what the entry
 * says. So whoever can write into a maildrop can make its sizes wrong for one session, and no more.
 * It is read and written only by who holds the maildrop's lock.
 */
#ifndef POP3_STORE_INDEX_H
#define POP3_STORE_INDEX_H

#include "store/change.h"
#include "store/maildrop_list.h"

/* In the Maildir; under an index directory there is one for each path of a maildrop. */
#define INDEX_FILE "pop3-emitter.index"
/* The file that becomes the index. */
#define INDEX_NEW "pop3-emitter.index.new"

/* A larger file, some twenty million messages, is no index: it is not read into memory. */
#define INDEX_SIZE_MAX (UINT64_C(2) << 30)

/* Where a maildrop's index is. */
struct index_place {
	int directory;
	bool apart; /* the directory is not the Maildir's: it is closed with the place */
	char name[96];
	char new_name[96];
};

/*
 * `directory` is the path of the index directory, NULL: the index is in the Maildir. `maildrop` is
 * the maildrop's path. 0, or a negative errno value: the directory cannot be opened, no memory.
 */
int index_place_open(const struct maildir *, const char *directory, const char *maildrop,
		     struct index_place *);
void index_place_close(struct index_place *);

struct index {
	struct maildrop_list *list; /* a reference, to be given back by whoever has the struct */
	struct maildir_state state; /* when the list was made */
	/* When each folder was last read, by the file system's clock: if its state is older than
	 * that it has settled, and the sizes of files that are older are right. */
	struct timespec moments[2];
	uint64_t rules; /* that unique-ids are made by; other rules, other ids */
};

/*
 * Read the index. 0; -ENOENT: there is none; -EINVAL: it is not to be believed, *why says why in
 * words; else a negative errno value.
 */
int index_read(const struct index_place *, struct index *, const char **why);
/* Replace it, by a file that is written aside. 0, or a negative errno value: the old one stays. */
int index_write(const struct index_place *, const struct index *);

/* The same from memory, for index_read() and its fuzzer. The octets are not changed. */
int index_parse(const void *octets, size_t length, struct index *, const char **why);

#endif
