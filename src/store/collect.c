/* See collect.h. */
#include "store/collect.h"

#include <errno.h>

#include "store/foreign_ids.h"
#include "store/merge.h"
#include "store/report.h"
#include "store/scan.h"

/* Everything about a maildrop that is being listed. */
struct collection {
	const struct maildir *maildir;
	const struct store_grant *grant;
	const struct maildrop_options *options;
	const struct log_sink *sink;
	struct index_place place;
	bool has_place;
	const char *index_fault; /* why the index is of no use, in words; NULL: it is fine */
	int index_error;
	struct index index;          /* what is known; without a list: nothing */
	struct foreign_ids *foreign; /* unique-ids that are kept; NULL = none */
	uint64_t rules;              /* that unique-ids are made by */
	struct births births;        /* of the list's files */
};

/* ---- What there is to say ---- */

static void complain(const struct collection *c, const char *file, const char *text, int error)
{
	report(c->sink, POP3_LOG_WARNING,
	       &(struct report){.session = c->grant->session,
				.user = c->grant->user,
				.file = file,
				.text = text,
				.error = error});
}

static void report_skipped(const struct collection *c, enum pop3_level level,
			   const struct skipped *skipped, const char *text)
{
	if (skipped->count > 0)
		report(c->sink, level,
		       &(struct report){.session = c->grant->session,
					.user = c->grant->user,
					.folder = folder_name(skipped->folder),
					.file = skipped->first,
					.text = text,
					.error = skipped->error,
					.count = skipped->count});
}

static void report_found(const struct collection *c, const struct scan *scan)
{
	report_skipped(c, POP3_LOG_WARNING, &scan->odd, "skipped: not a regular file");
	report_skipped(c, POP3_LOG_WARNING, &scan->unreadable, "skipped: unreadable, size unknown");
	report_skipped(c, POP3_LOG_INFO, &scan->restored,
		       "put back what an interrupted QUIT had put aside");
	report_skipped(
		c, POP3_LOG_WARNING, &scan->stranded,
		c->options->without_trace
			? "put aside by an interrupted QUIT, the next login puts it back"
			: "skipped: put aside by an interrupted QUIT, and cannot be put back");
}

/* ---- The index ---- */

static void forget_index(struct collection *c)
{
	maildrop_list_unref(c->index.list);
	c->index = (struct index){.list = NULL};
}

/* Without an index, or with one that is of no use, nothing is known; that is no failure. */
static void read_index(struct collection *c)
{
	const char *directory = c->options->index_directory;
	int error = index_place_open(c->maildir, directory, c->grant->maildrop, &c->place);
	c->has_place = error == 0;
	if (error < 0) {
		c->index_fault = "the index directory cannot be used";
		c->index_error = error;
		return;
	}
	const char *why;
	error = index_read(&c->place, &c->index, &why);
	if (error == -EINVAL) {
		c->index_fault = why;
	} else if (error < 0 && error != -ENOENT) {
		c->index_fault = "the index cannot be read";
		c->index_error = error;
	}
}

/* A maildrop that cannot be listed has one fault, not two: its index is not spoken of then. */
static void report_index(const struct collection *c)
{
	if (c->index_fault != NULL)
		complain(c, c->has_place ? c->place.name : c->options->index_directory,
			 c->index_fault, c->index_error);
}

static void write_index(const struct collection *c, const struct scan *scan,
			struct maildrop_list *list)
{
	struct index index = {
		.list = list,
		.state = scan->state,
		.moments = {scan->moments[FOLDER_NEW], scan->moments[FOLDER_CUR]},
		.rules = c->rules,
	};
	if (!c->has_place || c->options->without_trace)
		return;
	/* What was left out may come to be readable, which no folder shows: they are read again. */
	if (scan->unreadable.count > 0 || scan->stranded.count > 0 || scan->vanished)
		index.state = (struct maildir_state){0};
	int error = index_write(&c->place, &index);
	if (error < 0)
		complain(c, c->place.name, "the index cannot be written", error);
}

/* ---- The list ---- */

/* One attempt with what is known. -EINVAL: that is not to be believed. */
static int scan_and_merge(struct collection *c, struct maildrop_list **list)
{
	struct scan scan;
	int error = scan_folders(c->maildir, &c->index, c->options->without_trace, &scan);
	if (error == 0)
		error = merge_scan(&scan, c->foreign, list);
	if (error == 0) {
		report_index(c);
		report_found(c, &scan);
		write_index(c, &scan, *list);
		c->births = scan.births;
	}
	scan_fini(&scan);
	return error;
}

static int make_list(struct collection *c, struct maildrop_list **list)
{
	int error = scan_and_merge(c, list);
	if (error != -EINVAL)
		return error;
	c->index_fault = "its entries are not in order";
	forget_index(c);
	return scan_and_merge(c, list);
}

/* Is the index's list the one to be made? */
static int is_known(const struct collection *c, bool *known)
{
	uint64_t rules;
	*known = false;
	if (foreign_ids_rules(c->maildir->descriptor, &c->options->uidl, &rules) != 0 ||
	    rules != c->index.rules)
		return 0;
	return scan_is_needless(c->maildir, &c->index, known);
}

static enum store_result find_list(struct collection *c, struct maildrop_list **list)
{
	bool known;
	int error = is_known(c, &known);
	if (error == 0 && known) {
		*list = maildrop_list_ref(c->index.list);
		c->births = scan_births_of_index(&c->index);
		return STORE_OK;
	}
	if (error == 0) {
		enum store_result result =
			foreign_ids_load(c->maildir->descriptor, &c->options->uidl, c->grant,
					 c->sink, &c->rules, &c->foreign);
		if (result != STORE_OK)
			return result;
		error = make_list(c, list);
	}
	if (error < 0)
		return report_failure(c->grant, c->sink, "cannot list the maildrop", error);
	return STORE_OK;
}

enum store_result collect_list(const struct maildir *maildir, const struct store_grant *grant,
			       const struct maildrop_options *options, const struct log_sink *sink,
			       struct maildrop_list **list, struct births *births)
{
	struct collection c = {
		.maildir = maildir, .grant = grant, .options = options, .sink = sink};
	read_index(&c);
	enum store_result result = find_list(&c, list);
	if (result == STORE_OK)
		*births = c.births;
	foreign_ids_free(c.foreign);
	forget_index(&c);
	if (c.has_place)
		index_place_close(&c.place);
	return result;
}
