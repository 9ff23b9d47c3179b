/* See maildrop.h. Opening, reading and closing; what QUIT does is in commit.c. */
#include "store/maildrop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/collect.h"
#include "store/folder.h"
#include "store/lock.h"
#include "store/maildrop_private.h"
#include "store/octets.h"
#include "store/report.h"
#include "store/seek.h"

static enum store_result take_nothing(struct maildrop *m, const struct store_grant *grant)
{
	static const struct list_plan empty;
	m->list = maildrop_list_new(&empty);
	return m->list == NULL ? report_failure(grant, m->sink, "no memory", -ENOMEM) : STORE_OK;
}

/* Lock what is there and list it. */
static enum store_result take(struct maildrop *m, const struct store_grant *grant,
			      const struct maildrop_options *options)
{
	int error = lock_take(m->maildir.descriptor, &m->lock);
	if (error == -EWOULDBLOCK)
		return STORE_IN_USE;
	if (error == 0)
		error = maildir_init(m->maildir.descriptor, &m->maildir);
	if (error < 0)
		return report_failure(grant, m->sink, "cannot lock the maildrop", error);
	return collect_list(&m->maildir, grant, options, m->sink, &m->list, &m->births);
}

enum store_result maildrop_open(const struct store_grant *grant,
				const struct maildrop_options *options, const struct log_sink *sink,
				struct maildrop **maildrop)
{
	static const struct maildrop_options defaults;
	struct maildrop *m = calloc(1, sizeof *m);
	if (m == NULL)
		return report_failure(grant, sink, "no memory", -ENOMEM);
	m->sink = sink;
	m->session = grant->session;
	if (options == NULL)
		options = &defaults;
	m->mark_seen = options->mark_seen;
	m->strict_utf8 = options->strict_utf8;
	m->index_directory = options->index_directory;
	m->maildir.descriptor = -1;
	m->lock = -1;

	if (m->index_directory != NULL)
		m->path = strdup(grant->maildrop);
	if (m->index_directory != NULL && m->path == NULL) {
		maildrop_close(m);
		return report_failure(grant, sink, "no memory", -ENOMEM);
	}
	enum store_result result = grant_open(grant, sink, &m->maildir.descriptor);
	if (result == STORE_OK)
		result = m->maildir.descriptor < 0 ? take_nothing(m, grant)
						   : take(m, grant, options);
	if (result != STORE_OK) {
		maildrop_close(m);
		return result;
	}
	*maildrop = m;
	return STORE_OK;
}

void maildrop_close(struct maildrop *m)
{
	if (m == NULL)
		return;
	if (m->lock >= 0)
		close(m->lock);
	if (m->maildir.descriptor >= 0)
		close(m->maildir.descriptor);
	maildrop_list_unref(m->list);
	free(m->retrieved);
	free(m->wrong);
	free(m->path);
	free(m);
}

struct maildrop_list *maildrop_frozen(const struct maildrop *m)
{
	return m->list;
}

static void report_message(const struct maildrop *m, enum pop3_level level,
			   const struct maildrop_entry *entry, const char *text, int error)
{
	char name[MAILDROP_NAME_SIZE];
	maildrop_entry_name(entry, name);
	report(m->sink, level,
	       &(struct report){.session = m->session,
				.folder = folder_name(entry->seen ? FOLDER_CUR : FOLDER_NEW),
				.file = name,
				.text = text,
				.error = error});
}

static enum store_result message_failed(const struct maildrop *m,
					const struct maildrop_entry *entry, const char *text,
					int error)
{
	report_message(m, POP3_LOG_WARNING, entry, text, error);
	return error == -ENOENT ? STORE_NO_SUCH_MESSAGE : report_result(error);
}

/* The file has another length than at login: what it is as sent has to be counted anew. */
static int count_again(const struct maildrop *m, const struct maildrop_entry *entry, int descriptor,
		       uint64_t *length, uint64_t *octets)
{
	struct octets counted;
	int error = octets_count(descriptor, *length, &counted);
	if (error < 0)
		return error;
	*length = counted.length;
	*octets = octets_total(&counted);
	message_failed(m, entry, "the message has changed its size", 0);
	return 0;
}

enum store_result maildrop_message(struct maildrop *m, size_t msgno, int *descriptor,
				   uint64_t *length, uint64_t *octets)
{
	if (msgno < 1 || msgno > maildrop_list_count(m->list))
		return STORE_NO_SUCH_MESSAGE;
	struct maildrop_entry entry = maildrop_list_entry(m->list, msgno - 1);
	struct stat status;
	int opened;
	bool exact = maildrop_list_has_twin(m->list, msgno - 1);
	int error = seek_open(&m->maildir, &entry, exact, &opened, &status);
	if (error < 0)
		return message_failed(m, &entry, "cannot open the message", error);

	uint64_t size = (uint64_t)status.st_size;
	uint64_t sent = entry.octets;
	if (size != entry.length) {
		error = count_again(m, &entry, opened, &size, &sent);
		maildrop_has_wrong_size(m, msgno);
	}
	if (error < 0) {
		close(opened);
		return message_failed(m, &entry, "cannot read the message", error);
	}
	*descriptor = opened;
	*length = size;
	*octets = sent;
	return STORE_OK;
}

bool maildrop_message_at_once(struct maildrop *m, size_t msgno, int *descriptor, uint64_t *length,
			      uint64_t *octets)
{
	if (msgno < 1 || msgno > maildrop_list_count(m->list))
		return false;
	struct maildrop_entry entry = maildrop_list_entry(m->list, msgno - 1);
	struct stat status;
	int opened;
	if (seek_open_cached(&m->maildir, &entry, &opened, &status) < 0)
		return false;
	if ((uint64_t)status.st_size != entry.length) {
		close(opened);
		return false;
	}
	*descriptor = opened;
	*length = entry.length;
	*octets = entry.octets;
	return true;
}

bool maildrop_is_for_all(const struct maildrop *m, size_t msgno)
{
	if (!m->strict_utf8)
		return true;
	return msgno >= 1 && msgno <= maildrop_list_count(m->list) &&
	       maildrop_list_entry(m->list, msgno - 1).plain;
}

enum store_result maildrop_check_header(const struct maildrop *m, size_t msgno, int descriptor,
					uint64_t length)
{
	bool international;
	struct maildrop_entry entry = maildrop_list_entry(m->list, msgno - 1);
	if (!m->strict_utf8 || (entry.plain && length == entry.length))
		return STORE_OK;
	int error = header_look(descriptor, length, &international);
	if (error < 0)
		return message_failed(m, &entry, "cannot read the message", error);
	if (!international)
		return STORE_OK;
	report_message(m, POP3_LOG_INFO, &entry, "the message needs a client that says UTF8", 0);
	return STORE_NEEDS_UTF8;
}

void maildrop_retrieved(struct maildrop *m, size_t msgno)
{
	size_t count = maildrop_list_count(m->list);
	if (!m->mark_seen || msgno < 1 || msgno > count)
		return;
	/* Without memory the message is not marked: it stays new, which loses nothing. */
	if (m->retrieved == NULL)
		m->retrieved = calloc((count + 7) / 8, 1);
	if (m->retrieved != NULL)
		m->retrieved[(msgno - 1) / 8] |= (unsigned char)(1U << (msgno - 1) % 8);
}

void maildrop_has_wrong_size(struct maildrop *m, size_t msgno)
{
	if (m->maildir.descriptor < 0 || msgno < 1 || msgno > maildrop_list_count(m->list))
		return;
	/* Without memory it is found again another time. */
	if (m->wrong == NULL)
		m->wrong = calloc(WRONG_MAX, sizeof *m->wrong);
	if (m->wrong == NULL || m->wrong_count == WRONG_MAX)
		return;
	for (size_t i = 0; i < m->wrong_count; i++)
		if (m->wrong[i] == msgno - 1)
			return;
	m->wrong[m->wrong_count++] = (uint32_t)(msgno - 1);
}

bool maildrop_needs_commit(const struct maildrop *m, size_t marked)
{
	return marked > 0 || m->retrieved != NULL || m->wrong_count > 0;
}
