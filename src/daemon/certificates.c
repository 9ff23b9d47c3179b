/*
 * The library reads and judges the files, see pop3_options_check(); here is who hears of it. What
 * it only warns of is in the log when the server takes it.
 */
#include "daemon/certificates.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

#include "daemon/message.h"
#include "daemon/server_options.h"

#define TEXT_SIZE 1024

static int check(const struct options *options,
		 void (*problem)(const char *text, bool fatal, void *data), void *data)
{
	const struct log_sink none = {log_to_stderr, NULL};
	struct server_settings settings;
	server_options(options, false, &none, &settings);
	return pop3_options_check(&settings.options, problem, data);
}

static void as_message(const char *text, bool fatal, void *data)
{
	(void)data;
	if (fatal)
		message(0, "%s", text);
}

int certificates_check(const struct options *options)
{
	int result = check(options, as_message, NULL);
	if (result == 0)
		return 0;
	return result == -ENOMEM ? EX_OSERR : EX_CONFIG;
}

struct reread {
	const char *user;
	void (*tell)(const char *text, void *data);
	void *data;
	unsigned count;
};

static void as_warning(const char *text, bool fatal, void *data)
{
	struct reread *r = data;
	char whole[TEXT_SIZE];
	if (!fatal)
		return;
	snprintf(whole, sizeof whole,
		 "%s (as user %s): every reload is refused until it can read this; let %s "
		 "read the file and enter its folder, for instance by chgrp and chmod g+r",
		 text, r->user, r->user);
	r->count++;
	r->tell(whole, r->data);
}

unsigned certificates_check_reread(const struct options *options, const char *user,
				   void (*tell)(const char *text, void *data), void *data)
{
	struct reread r = {.user = user, .tell = tell, .data = data};
	check(options, as_warning, &r);
	return r.count;
}

static void as_log(const char *text, bool fatal, void *data)
{
	const struct log_sink *log = data;
	if (fatal)
		LOG(log, POP3_LOG_ERROR, "tls", LOG_TEXT("text", text));
}

bool certificates_check_reload(const struct options *options, const struct log_sink *log)
{
	struct log_sink sink = *log;
	return check(options, as_log, &sink) == 0;
}
