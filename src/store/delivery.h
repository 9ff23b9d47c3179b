/*
 * Delivery of one message into a Maildir: tmp/, fsync, move into new/ without replacing, fsync of
 * the directory. It takes no lock. It blocks.
 */
#ifndef POP3_STORE_DELIVERY_H
#define POP3_STORE_DELIVERY_H

#include "store/grant.h"

/* Zeroed means the defaults. Texts are borrowed; one with a control octet is refused. */
struct delivery_options {
	uint64_t max_size;        /* octets of the input; 0 = no limit */
	const char *return_path;  /* written as "Return-Path: <...>" above it; NULL = not */
	const char *delivered_to; /* written as "Delivered-To: ..." above it; NULL = not */
};

/*
 * Make the Maildir with tmp/, new/ and cur/ (mode 0700) unless they exist; home must exist.
 * STORE_OK, STORE_TEMPORARY (home is missing, disk full), STORE_PERMANENT; failures are logged.
 */
enum store_result delivery_prepare(const struct store_grant *, const struct log_sink *);

/*
 * Deliver what can be read from `input` until its end, a file of mode 0600; the Maildir is made if
 * it is missing. STORE_OK: it is on disk, in new/. STORE_TEMPORARY: nothing was delivered, or the
 * directory could not be synced afterwards; deliver it again. STORE_PERMANENT: nothing was
 * delivered, and trying again is of no use (too large, not permitted). A failure is logged and
 * leaves nothing in tmp/. `input` stays the caller's. An empty input is an empty message.
 */
enum store_result delivery_deliver(const struct store_grant *, const struct delivery_options *,
				   int input, const struct log_sink *);

#endif
