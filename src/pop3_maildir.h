/*
 * pop3_maildir.h - delivery of mail into a Maildir, durably.
 *
 * For a program that receives mail and answers for it, such as an SMTP server: it says 250 only
 * when pop3_maildir_commit() has returned POP3_MAILDIR_OK, and then the message is on disk.
 *
 *	pop3_maildir_begin(), pop3_maildir_write() for each piece, pop3_maildir_commit()
 *
 * A message is written into tmp/, synced, moved into new/ under a name that nothing else has, and
 * new/ is synced. Any number of deliveries may be under way for one Maildir, in any number of
 * threads, processes and machines; none takes a lock, and readers see whole messages only.
 *
 * Threads: every function may be called from any thread at any time; one delivery belongs to one
 * thread at a time. All of them wait for the disk, so none belongs on the loop of a server.
 * Processes: a delivery belongs to the process that began it. A child of fork(2) may begin its own
 * and must leave those of its parent alone, abort included.
 * Signals: none is handled. A file that gets larger than RLIMIT_FSIZE raises SIGXFSZ; a process
 * that ignores it gets POP3_MAILDIR_TEMPORARY instead. Interrupted calls go on.
 */
#ifndef POP3_MAILDIR_H
#define POP3_MAILDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
/* The library is built with all else hidden. */
#pragma GCC visibility push(default)

#define POP3_MAILDIR_VERSION "0.1.0"

/* The longest return_path and delivered_to, in octets: with the field's name in front the line
 * stays below the 998 of RFC 5322 section 2.1.1. */
#define POP3_MAILDIR_ADDRESS_MAX 900

enum pop3_maildir_result {
	/* It is done: a message is on disk, in new/. */
	POP3_MAILDIR_OK,
	/* Try again later, an SMTP server answers 4xx: a full disk or quota, a home that is not
	 * mounted, a permission that is missing, no memory. Whatever somebody can mend is
	 * temporary, so that no mail bounces for it. */
	POP3_MAILDIR_TEMPORARY,
	/* Trying again is of no use, an SMTP server answers 5xx: the message is larger than
	 * max_size, or an address cannot stand in a header. */
	POP3_MAILDIR_PERMANENT,
};

/* What went wrong, for a log. Borrowed until the handler returns; `text` is good for ever. */
struct pop3_maildir_failure {
	enum pop3_maildir_result result; /* temporary or permanent */
	int error;                       /* an errno value; EMSGSIZE = larger than max_size */
	const char *text;                /* a phrase without names, paths and line ends */
};

/*
 * How to deliver; all zero but `size` are the defaults. Borrowed until the function that it is
 * given to returns, texts included; `data` must be good for as long as the delivery is. With a
 * `size` that is 0, or of a later version than the library, all is POP3_MAILDIR_TEMPORARY, and
 * `failed` is not called.
 */
struct pop3_maildir_options {
	size_t size; /* sizeof(struct pop3_maildir_options) */
	/* The folder that must exist, for it may be a mount that is missing; NULL = the one that
	 * holds the Maildir. */
	const char *home;
	/* The envelope sender, written above the message as "Return-Path: <...>" (RFC 5321 section
	 * 4.4), given with or without the brackets; "" = the null sender; NULL = no such line. */
	const char *return_path;
	/* The recipient, written above the message as "Delivered-To: ..."; NULL = no such line.
	 * Either may have any octets but control octets, POP3_MAILDIR_ADDRESS_MAX of them. */
	const char *delivered_to;
	/* The most octets that a message may have, as given, without those two lines; 0 = no
	 * limit. */
	uint64_t max_size;
	/* Called at a failure, once a delivery, before the function that failed returns and in its
	 * thread; NULL = nobody wants to know. It must not use the delivery. */
	void (*failed)(const struct pop3_maildir_failure *, void *data);
	void *data;
	/* Leave out a first line as mbox files have it, "From sender date", which is no header. */
	bool skip_mbox_line;
};

/* A delivery under way. It takes 20 KiB of memory and three descriptors. */
struct pop3_maildir_delivery;

/*
 * Begin to deliver one message into the Maildir with this path, such as "/home/alice/Maildir". It
 * is made, with tmp/, new/ and cur/ (mode 0700), unless it exists; home must. The path is that of
 * the administrator: its last part may be a symbolic link, tmp/ and new/ may not. `options` may be
 * NULL. POP3_MAILDIR_OK: *delivery is the caller's, until commit or abort. Else it is unchanged.
 */
enum pop3_maildir_result pop3_maildir_begin(const char *maildir,
					    const struct pop3_maildir_options *options,
					    struct pop3_maildir_delivery **delivery);

/*
 * Append `length` octets, which are copied; any octets, split anywhere. They are kept as they are,
 * line ends included: SMTP's dots must have been taken off. A failure stays with the delivery:
 * everything after it, commit included, returns the same, so that one check at the end is enough.
 * It gives up the disk's space at once.
 */
enum pop3_maildir_result pop3_maildir_write(struct pop3_maildir_delivery *, const void *octets,
					    size_t length);
/* Append what can be read from a descriptor until its end; it must block, and stays the caller's.
 */
enum pop3_maildir_result pop3_maildir_write_from(struct pop3_maildir_delivery *, int descriptor);

/*
 * The message is whole: deliver it. The delivery is freed, whatever comes of it.
 * POP3_MAILDIR_OK: it is on disk, in new/, a file of mode 0600 whose name tells its sizes. Else
 * nothing was delivered, with one exception: new/ could not be synced after the message was in it.
 * That is temporary, so the message is delivered a second time, which is better than not at all. No
 * octets are an empty message.
 */
enum pop3_maildir_result pop3_maildir_commit(struct pop3_maildir_delivery *);
/* Deliver nothing, leave nothing behind, free the delivery. NULL is fine. */
void pop3_maildir_abort(struct pop3_maildir_delivery *);

/* Begin, write and commit in one call: a message in memory. */
enum pop3_maildir_result pop3_maildir_deliver(const char *maildir,
					      const struct pop3_maildir_options *options,
					      const void *octets, size_t length);
/* The same of what can be read from a descriptor until its end. */
enum pop3_maildir_result pop3_maildir_deliver_from(const char *maildir,
						   const struct pop3_maildir_options *options,
						   int descriptor);

/* Make the Maildir as begin does, and deliver nothing. Of the options only home and failed count.
 */
enum pop3_maildir_result pop3_maildir_prepare(const char *maildir,
					      const struct pop3_maildir_options *options);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
