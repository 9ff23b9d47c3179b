/*
 * The options of a server as an immutable, counted generation: each session keeps the one it began
 * with, so a reload never changes a session under way. For one thread.
 */
#ifndef POP3_PROTO_SETTINGS_H
#define POP3_PROTO_SETTINGS_H

#include "base/log.h"
#include "pop3_emitter.h"
#include "proto/text.h"

struct settings {
	unsigned references;
	struct pop3_options options; /* defaults filled in; apop_value is ours */
	struct log_sink log;
	enum language language; /* of LANG * */
	char *hostname;
};

/*
 * The options (NULL = all defaults) with the defaults filled in; what they point to is the caller's
 * still. 0; -EINVAL: an unknown `apop`, `utf8` or `require_tls`, POP3_APOP_FIXED or
 * _FUNCTION without the value or function, a `language` that is none of ours.
 */
int settings_read(const struct pop3_options *, struct pop3_options *all);
/*
 * A copy of the options (NULL = all defaults) but for those of TLS and proxies, with one reference.
 * 0; -EINVAL as settings_read(); -ENOMEM.
 */
int settings_new(const char *hostname, const struct pop3_options *, struct settings **);
struct settings *settings_ref(struct settings *);
/* Frees with the last reference. NULL is fine. */
void settings_unref(struct settings *);

#endif
