/* See maildrop.h. Opening, reading and closing; what QUIT does is in commit.c. */
#include "store/maildrop.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/collect.h"
#include "store/folder.h"
#include "store/lock.h"
#include "store/maildrop_private.h"
#include "store/octets.h"
#include "store/report.h"
#include "store/seek.h"

/* Lock what is there and list it. */
static enum store_result take(struct maildrop *m, const struct store_grant *grant)
{
	if (m->directory < 0) {
		m->list = maildrop_list_new(0, 0);
		return m->list == NULL ? report_failure(grant, m->sink, "no memory", -ENOMEM)
				       : STORE_OK;
	}
	int error = lock_take(m->directory, &m->lock);
	if (error == -EWOULDBLOCK)
		return STORE_IN_USE;
	if (error < 0)
		return report_failure(grant, m->sink, "cannot lock the maildrop", error);
	return collect_list(m->directory, grant, m->sink, &m->list);
}

enum store_result maildrop_open(const struct store_grant *grant,
				const struct maildrop_options *options, const struct log_sink *sink,
				struct maildrop **maildrop)
{
	struct maildrop *m = calloc(1, sizeof *m);
	if (m == NULL)
		return report_failure(grant, sink, "no memory", -ENOMEM);
	m->sink = sink;
	m->session = grant->session;
	m->mark_seen = options != NULL && options->mark_seen;
	m->directory = -1;
	m->lock = -1;

	enum store_result result = grant_open(grant, sink, &m->directory);
	if (result == STORE_OK)
		result = take(m, grant);
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
	if (m->directory >= 0)
		close(m->directory);
	maildrop_list_unref(m->list);
	free(m->retrieved);
	free(m);
}

struct maildrop_list *maildrop_frozen(const struct maildrop *m)
{
	return m->list;
}

static enum store_result message_failed(const struct maildrop *m,
					const struct maildrop_entry *entry, const char *text,
					int error)
{
	char name[MAILDROP_NAME_SIZE];
	maildrop_entry_name(entry, name);
	report(m->sink, POP3_LOG_WARNING,
	       &(struct report){.session = m->session,
				.folder = folder_name(entry->seen ? FOLDER_CUR : FOLDER_NEW),
				.file = name,
				.text = text,
				.error = error});
	return error == -ENOENT ? STORE_NO_SUCH_MESSAGE : report_result(error);
}

/* The file has another length than at login: what it is as sent has to be counted anew. */
static int count_again(const struct maildrop *m, const struct maildrop_entry *entry, int descriptor,
		       uint64_t *length, uint64_t *octets)
{
	struct octets counted;
	int error = octets_count(descriptor, &counted);
	if (error < 0)
		return error;
	*length = counted.length;
	*octets = octets_total(&counted);
	if (*octets != entry->octets)
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
	int error = seek_open(m->directory, &entry, exact, &opened, &status);
	if (error < 0)
		return message_failed(m, &entry, "cannot open the message", error);

	uint64_t size = (uint64_t)status.st_size;
	uint64_t sent = entry.octets;
	if (size != entry.length)
		error = count_again(m, &entry, opened, &size, &sent);
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
	if (seek_open_cached(m->directory, &entry, &opened, &status) < 0)
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
