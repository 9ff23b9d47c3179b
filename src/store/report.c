/* See report.h. */
#include "store/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "new/" and the longest name. */
#define FILE_SIZE 272
/* Of what strerror_r(3) may say. */
#define ERROR_SIZE 128

void report(const struct log_sink *sink, enum pop3_level level, const struct report *r)
{
	struct pop3_field fields[6];
	size_t count = 0;
	char file[FILE_SIZE];
	char error[ERROR_SIZE];
	if (sink == NULL || sink->write == NULL)
		return;

	if (r->session != 0)
		fields[count++] = (struct pop3_field)LOG_NUMBER("session", r->session);
	if (r->user != NULL)
		fields[count++] = (struct pop3_field)LOG_TEXT("user", r->user);
	if (r->folder != NULL && r->file != NULL) {
		snprintf(file, sizeof file, "%s/%s", r->folder, r->file);
		fields[count++] = (struct pop3_field)LOG_TEXT("file", file);
	} else if (r->file != NULL) {
		fields[count++] = (struct pop3_field)LOG_TEXT("file", r->file);
	}
	fields[count++] = (struct pop3_field)LOG_TEXT("text", r->text);
	if (r->error != 0)
		fields[count++] = (struct pop3_field)LOG_TEXT(
			"error", strerror_r(-r->error, error, sizeof error));
	if (r->count != 0)
		fields[count++] = (struct pop3_field)LOG_NUMBER("count", r->count);
	log_write(sink, level, "store", fields, count);
}

enum store_result report_result(int error)
{
	static const int permanent[] = {EACCES, EPERM, ENOTDIR, ELOOP, ENAMETOOLONG, EROFS, EISDIR};
	for (size_t i = 0; i < sizeof permanent / sizeof *permanent; i++)
		if (error == -permanent[i])
			return STORE_PERMANENT;
	return STORE_TEMPORARY;
}

enum store_result report_failure(const struct store_grant *grant, const struct log_sink *sink,
				 const char *text, int error)
{
	report(sink, POP3_LOG_ERROR,
	       &(struct report){.session = grant->session,
				.user = grant->user,
				.file = grant->maildrop,
				.text = text,
				.error = error});
	return error == 0 ? STORE_PERMANENT : report_result(error);
}
