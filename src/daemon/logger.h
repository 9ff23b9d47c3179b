/*
 * Where log records go: stderr (one write(2) a line) or syslog (facility mail), as logfmt or JSON,
 * those of a level or above. Writing is safe from any thread, also while the settings change.
 * A stderr whose reader is stuck costs 100 ms once, then lines: they are counted, and the count is
 * logged (event=log_lost) when it reads again.
 */
#ifndef POP3_DAEMON_LOGGER_H
#define POP3_DAEMON_LOGGER_H

#include <stdatomic.h>

#include "base/log.h"
#include "daemon/options.h"

struct logger {
	atomic_uint target; /* enum option_log */
	atomic_uint format; /* enum option_format */
	atomic_uint level;  /* enum pop3_level: the least weighty that is written */
	atomic_bool time;
	atomic_ulong lost;    /* lines that stderr did not take, since the last that it took */
	struct log_sink sink; /* hand this around */
};

/* By the settings `log`, `log_format`, `log_level`, `log_time`; `debug` lowers the level to debug.
 */
void logger_init(struct logger *, const struct options *);
/* The same for a logger in use. */
void logger_configure(struct logger *, const struct options *);

/* The octets of a record's line without a line end; `moment` (may be NULL) leads it. Returns the
 * length. For tests. */
size_t logger_line(enum option_format, const char *moment, const struct pop3_record *,
		   char line[LOG_LINE_SIZE]);

#endif
