/*
 * Deliveries in a box (see store_box.h) by the library's calls: what they said of failures, and
 * what is in new/ after them.
 */
#ifndef POP3_TESTS_UNIT_DELIVERED_H
#define POP3_TESTS_UNIT_DELIVERED_H

#include "pop3_maildir.h"
#include "unit/store_box.h"

/* The Maildir of a box. */
#define DELIVERED_MAILDIR "home/Maildir"

/* What `failed` heard. */
struct heard {
	unsigned count;
	enum pop3_maildir_result result;
	int error;
	const char *text;
};

/* Options that hear failures, the counts zeroed. */
struct pop3_maildir_options delivered_options(struct heard *);
/* It heard of one failure, this one. */
void delivered_expect_failure(const struct heard *, enum pop3_maildir_result, int error,
			      const char *text);
/* The only message in new/ has these octets, and its name these hints, such as ",S=5,W=6". */
void delivered_expect(const char *octets, size_t length, const char *hints);

#endif
