/* What the store has to say to the log, with the session and the user or the file it is about. */
#ifndef POP3_STORE_REPORT_H
#define POP3_STORE_REPORT_H

#include "store/grant.h"

/*
 * One record of the event "store": session (unless 0), user and file (unless NULL), text, and what
 * `error`, a negative errno value, means (unless 0).
 */
struct report {
	uint64_t session;
	const char *user;
	const char *folder; /* "new", "cur" or NULL: comes before the file's name */
	const char *file;
	const char *text;
	int error;
	uint64_t count; /* how many files it is about, unless 0 */
};

void report(const struct log_sink *, enum pop3_level, const struct report *);

/* An error line about a whole maildrop; returns what the error comes to, 0 being STORE_PERMANENT.
 */
enum store_result report_failure(const struct store_grant *, const struct log_sink *,
				 const char *text, int error);

/*
 * What a negative errno value comes to: STORE_PERMANENT if somebody has to change a mode or a path,
 * else STORE_TEMPORARY.
 */
enum store_result report_result(int error);

#endif
