/*
 * A maildrop (Maildir) in use by one session: locked, listed once, and changed only by
 * maildrop_commit(). What is not said not to block does: it belongs on worker threads. Several
 * maildrops may be used at once; one maildrop by one thread at a time. An open one holds one
 * descriptor (two where only a lock file works) and, when empty, some 160 octets.
 */
#ifndef POP3_STORE_MAILDROP_H
#define POP3_STORE_MAILDROP_H

#include "store/foreign_ids.h"
#include "store/grant.h"
#include "store/maildrop_list.h"

struct maildrop;

/* Zeroed means the defaults. */
struct maildrop_options {
	/* At commit, messages told of with maildrop_retrieved() move from new/ to cur/ as seen. */
	bool mark_seen;
	/* The folder of the indexes; NULL: each is in its Maildir. Must live until
	 * maildrop_close().
	 */
	const char *index_directory;
	/* Messages with UTF-8 in their header are for clients that said UTF8 (RFC 6856): strictly,
	 * or everybody has them as they are. */
	bool strict_utf8;
	/* Whose unique-ids the messages keep. */
	struct uidl_rule uidl;
	/* Only to see whether it works: the index is read, and not written. */
	bool without_trace;
};

/*
 * Take the lock (one session a maildrop), read new/ and cur/, freeze the list. The sink must live
 * until maildrop_close(); grant and options are borrowed. A home without a Maildir is an empty
 * maildrop: nothing is created, nothing locked. STORE_IN_USE; STORE_TEMPORARY and STORE_PERMANENT:
 * home, Maildir, new/ or cur/ is missing, unreadable or no directory, or no memory; those are
 * logged. *maildrop becomes the caller's on STORE_OK alone.
 */
enum store_result maildrop_open(const struct store_grant *, const struct maildrop_options *,
				const struct log_sink *, struct maildrop **);
/* Give the lock back and free; it writes nothing. NULL is fine. */
void maildrop_close(struct maildrop *);

/* The frozen list, the maildrop's own reference: take another to keep it beyond the close. */
struct maildrop_list *maildrop_frozen(const struct maildrop *);

/*
 * Open message `msgno` (1-based) for pread(2), found again by its base name if another program has
 * moved it. The descriptor becomes the caller's; `length` is the file's, `octets` the size as sent,
 * counted anew if the file has another length than at login (that is logged). STORE_PERMANENT: it
 * cannot be read; STORE_NO_SUCH_MESSAGE: no such number, or the file is gone; STORE_TEMPORARY:
 * else.
 */
enum store_result maildrop_message(struct maildrop *, size_t msgno, int *descriptor,
				   uint64_t *length, uint64_t *octets);
/*
 * The same if it can be done without waiting for the disk, which may also be asked on a thread that
 * must not block: true. False: ask maildrop_message(); nothing is logged.
 */
bool maildrop_message_at_once(struct maildrop *, size_t msgno, int *descriptor, uint64_t *length,
			      uint64_t *octets);
/*
 * May a client that did not say UTF8 have message `msgno` as it is? True: yes for certain, by the
 * list alone, unless the file has changed since. False: maildrop_check_header() has to look.
 */
bool maildrop_is_for_all(const struct maildrop *, size_t msgno);
/*
 * The same of an open message, by its header if need be: `descriptor` and `length` are what
 * maildrop_message() gave. STORE_OK; STORE_NEEDS_UTF8: no, which is logged; or as that function
 * fails. The descriptor stays open.
 */
enum store_result maildrop_check_header(const struct maildrop *, size_t msgno, int descriptor,
					uint64_t length);
/* The client has had the whole of this message; matters only to `mark_seen`. */
void maildrop_retrieved(struct maildrop *, size_t msgno);
/*
 * The message proved to have another size as sent than the list says, since a claim in its name was
 * wrong, or the index: at commit it is measured, and the index put right. The list stays as it is.
 */
void maildrop_has_wrong_size(struct maildrop *, size_t msgno);

/* With `marked` messages to be deleted: is there anything for maildrop_commit() to do? */
bool maildrop_needs_commit(const struct maildrop *, size_t marked);

/*
 * QUIT (RFC 1939 section 6): delete `count` messages, numbers ascending, then mark the retrieved
 * others as seen if that is wanted, and put wrong sizes right in the index. A file is deleted only
 * if it is the very one of the list (device, inode, base name, and no younger), wherever it is now;
 * one that took its place since stays, and counts as not gone. A failure does not stop the rest and
 * is logged; a message that is gone already counts as gone. *remaining: how many are not gone for
 * certain, which is all that were deleted from a directory that could not be synced. It is always
 * set. STORE_OK if and only if it is 0, else STORE_TEMPORARY or STORE_PERMANENT.
 */
enum store_result maildrop_commit(struct maildrop *, const uint32_t *messages, size_t count,
				  size_t *remaining);

#endif
