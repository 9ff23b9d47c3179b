/*
 * See pop3_maildir.h. A message is written whole into tmp/ and synced before it gets a name in
 * new/; whatever fails before that leaves nothing. A failure after it cannot take the message back,
 * as it may have been fetched: then it is reported, and at worst the message is delivered twice.
 *
 * The octets pass a buffer, so that small pieces cost no system call each, and so that the first
 * line is known when the lines above it are written. Nothing here logs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "pop3_maildir.h"
#include "store/folder.h"
#include "store/octets.h"
#include "store/place.h"
#include "store/unique.h"

/* Written at once. */
#define BUFFER_SIZE 16384
/* How many names are tried before something else must be wrong. */
#define NAME_TRIES 100
/* Two lines with an address each. */
#define HEAD_SIZE (2 * (POP3_MAILDIR_ADDRESS_MAX + 32))
/* What begins the first line of a message in an mbox file. */
#define MBOX_MARK "From "

struct address {
	bool given;
	char text[POP3_MAILDIR_ADDRESS_MAX + 1];
};

struct pop3_maildir_delivery {
	struct pop3_maildir_options options; /* without its texts */
	struct address return_path, delivered_to;
	enum pop3_maildir_result result; /* of what was done so far */
	int tmp, new, file;              /* descriptors; -1 = none */
	char name[UNIQUE_NAME_SIZE];     /* of the file in tmp/ */
	uint64_t taken;                  /* octets of the input */
	struct octets octets;            /* those written */
	bool begun;                      /* the buffer has been written once */
	bool skipping;                   /* the octets up to the next LF are left out */
	bool headed;                     /* the lines above the message have been written */
	size_t filled;                   /* octets in the buffer */
	char buffer[BUFFER_SIZE];
};

/* ---- Options and failures ---- */

static enum pop3_maildir_result tell(const struct pop3_maildir_options *options,
				     enum pop3_maildir_result result, const char *text, int error)
{
	const struct pop3_maildir_failure failure = {
		.result = result, .error = -error, .text = text};
	if (options->failed != NULL)
		options->failed(&failure, options->data);
	return result;
}

/* What the application knows of the options, in a struct of our size. False: it knows more. */
static bool take_options(const struct pop3_maildir_options *given, struct pop3_maildir_options *all)
{
	*all = (struct pop3_maildir_options){.size = sizeof *all};
	if (given == NULL)
		return true;
	if (given->size == 0 || given->size > sizeof *all)
		return false;
	memcpy(all, given, given->size);
	return true;
}

static bool has_control_octet(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* NULL, or why it cannot stand in a header: a line end would add headers of the sender's choice. */
static const char *take_address(const char *given, bool brackets, struct address *address)
{
	if (given == NULL)
		return NULL;
	size_t length = strlen(given);
	if (length > POP3_MAILDIR_ADDRESS_MAX)
		return "an address is too long";
	if (has_control_octet(given))
		return "an address has a control octet";
	if (brackets && length >= 2 && given[0] == '<' && given[length - 1] == '>') {
		given++;
		length -= 2;
	}
	address->given = true;
	memcpy(address->text, given, length);
	address->text[length] = '\0';
	return NULL;
}

/* ---- The file in tmp/ ---- */

static void close_if_open(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

/* Leave nothing in tmp/. */
static void discard(struct pop3_maildir_delivery *d)
{
	if (d->name[0] != '\0')
		folder_delete(d->tmp, d->name);
	d->name[0] = '\0';
	close_if_open(&d->file);
}

static enum pop3_maildir_result fail_with(struct pop3_maildir_delivery *d,
					  enum pop3_maildir_result result, const char *text,
					  int error)
{
	discard(d);
	d->result = result;
	return tell(&d->options, result, text, error);
}

/* All that is not the message's fault. */
static enum pop3_maildir_result fail(struct pop3_maildir_delivery *d, const char *text, int error)
{
	return fail_with(d, POP3_MAILDIR_TEMPORARY, text, error);
}

static int create(struct pop3_maildir_delivery *d)
{
	for (int tries = 0; tries < NAME_TRIES; tries++) {
		struct unique unique;
		char name[UNIQUE_NAME_SIZE];
		unique_init(&unique);
		unique_name(&unique, NULL, name);
		d->file = folder_create(d->tmp, name);
		if (d->file >= 0)
			memcpy(d->name, name, sizeof name);
		if (d->file != -EEXIST)
			return d->file < 0 ? d->file : 0;
	}
	return -EEXIST;
}

/* ---- Writing ---- */

static int write_file(struct pop3_maildir_delivery *d, const char *text, size_t length)
{
	octets_add(&d->octets, text, length);
	return io_write_all(d->file, text, length);
}

/* The lines above the message, with the line end of its first line. */
static int write_head(struct pop3_maildir_delivery *d, const char *text, size_t length)
{
	char head[HEAD_SIZE];
	size_t used = 0;
	const char *lf = length == 0 ? NULL : memchr(text, '\n', length);
	const char *end = lf != NULL && lf > text && lf[-1] == '\r' ? "\r\n" : "\n";
	if (d->return_path.given)
		used += (size_t)snprintf(head, sizeof head, "Return-Path: <%s>%s",
					 d->return_path.text, end);
	if (d->delivered_to.given)
		used += (size_t)snprintf(head + used, sizeof head - used, "Delivered-To: %s%s",
					 d->delivered_to.text, end);
	return write_file(d, head, used);
}

/* "From " and a sender. "From :" is an obsolete form of the header (RFC 5322 section 4.5.2). */
static bool begins_as_mbox(const char *text, size_t length)
{
	size_t mark = strlen(MBOX_MARK);
	return length > mark && memcmp(text, MBOX_MARK, mark) == 0 && text[mark] != ':' &&
	       (unsigned char)text[mark] > ' ';
}

/* Write what is in the buffer: when it is full, and at the end (`last`). */
static int flush(struct pop3_maildir_delivery *d, bool last)
{
	const char *text = d->buffer;
	size_t length = d->filled;
	d->filled = 0;
	if (!d->begun)
		d->skipping = d->options.skip_mbox_line && begins_as_mbox(text, length);
	d->begun = true;
	if (d->skipping) {
		const char *end = memchr(text, '\n', length);
		size_t skipped = end == NULL ? length : (size_t)(end + 1 - text);
		d->skipping = end == NULL;
		text += skipped;
		length -= skipped;
	}
	if (!d->headed && (!d->skipping || last)) {
		int error = write_head(d, text, length);
		if (error < 0)
			return error;
		d->headed = true;
	}
	return write_file(d, text, length);
}

/* So many more octets are in the buffer. */
static enum pop3_maildir_result take(struct pop3_maildir_delivery *d, size_t length)
{
	d->filled += length;
	if (d->filled < sizeof d->buffer)
		return POP3_MAILDIR_OK;
	int error = flush(d, false);
	return error < 0 ? fail(d, "cannot write the message", error) : POP3_MAILDIR_OK;
}

/* May so many more come? */
static enum pop3_maildir_result admit(struct pop3_maildir_delivery *d, size_t length)
{
	uint64_t most = d->options.max_size;
	if (most == 0 || most > OCTETS_LENGTH_MAX)
		most = OCTETS_LENGTH_MAX;
	if (length > most - d->taken)
		return fail_with(d, POP3_MAILDIR_PERMANENT, "the message is too large", -EMSGSIZE);
	d->taken += length;
	return POP3_MAILDIR_OK;
}

enum pop3_maildir_result pop3_maildir_write(struct pop3_maildir_delivery *d, const void *octets,
					    size_t length)
{
	const char *next = octets;
	if (d->result == POP3_MAILDIR_OK)
		admit(d, length);
	while (d->result == POP3_MAILDIR_OK && length > 0) {
		size_t room = sizeof d->buffer - d->filled;
		size_t piece = length < room ? length : room;
		memcpy(d->buffer + d->filled, next, piece);
		next += piece;
		length -= piece;
		take(d, piece);
	}
	return d->result;
}

enum pop3_maildir_result pop3_maildir_write_from(struct pop3_maildir_delivery *d, int descriptor)
{
	while (d->result == POP3_MAILDIR_OK) {
		ssize_t got =
			io_read(descriptor, d->buffer + d->filled, sizeof d->buffer - d->filled);
		if (got == 0)
			break;
		if (got < 0)
			return fail(d, "cannot read the message", (int)got);
		if (admit(d, (size_t)got) == POP3_MAILDIR_OK)
			take(d, (size_t)got);
	}
	return d->result;
}

/* ---- Beginning and ending ---- */

static void release(struct pop3_maildir_delivery *d)
{
	discard(d);
	close_if_open(&d->tmp);
	close_if_open(&d->new);
	free(d);
}

/* Open or make the Maildir and a file in it. */
static enum pop3_maildir_result open_all(struct pop3_maildir_delivery *d, const char *path,
					 const char *home)
{
	int maildir;
	const char *problem = "";
	int error = place_make(path, home, &maildir, &problem);
	if (error < 0)
		return fail(d, problem, error);
	d->tmp = folder_open(maildir, FOLDER_TMP);
	d->new = folder_open(maildir, FOLDER_NEW);
	close(maildir);
	error = d->tmp < 0 ? d->tmp : d->new;
	if (error < 0)
		return fail(d, "cannot open tmp/ or new/", error);
	error = create(d);
	return error < 0 ? fail(d, "cannot create a file in tmp/", error) : POP3_MAILDIR_OK;
}

/* Fill a zeroed delivery but for its files. */
static enum pop3_maildir_result prepare(struct pop3_maildir_delivery *d,
					const struct pop3_maildir_options *options)
{
	d->tmp = d->new = d->file = -1;
	d->options = *options;
	d->options.home = d->options.return_path = d->options.delivered_to = NULL; /* borrowed */
	const char *wrong = take_address(options->return_path, true, &d->return_path);
	if (wrong == NULL)
		wrong = take_address(options->delivered_to, false, &d->delivered_to);
	return wrong == NULL ? POP3_MAILDIR_OK
			     : tell(options, POP3_MAILDIR_PERMANENT, wrong, -EINVAL);
}

enum pop3_maildir_result pop3_maildir_begin(const char *maildir,
					    const struct pop3_maildir_options *options,
					    struct pop3_maildir_delivery **delivery)
{
	struct pop3_maildir_options all;
	if (!take_options(options, &all))
		return POP3_MAILDIR_TEMPORARY;
	struct pop3_maildir_delivery *d = calloc(1, sizeof *d);
	if (d == NULL)
		return tell(&all, POP3_MAILDIR_TEMPORARY, "cannot deliver the message", -ENOMEM);
	enum pop3_maildir_result result = prepare(d, &all);
	if (result == POP3_MAILDIR_OK)
		result = open_all(d, maildir, all.home);
	if (result != POP3_MAILDIR_OK) {
		release(d);
		return result;
	}
	*delivery = d;
	return POP3_MAILDIR_OK;
}

void pop3_maildir_abort(struct pop3_maildir_delivery *d)
{
	if (d != NULL)
		release(d);
}

/* The message whole and on disk in tmp/, and its file closed. */
static int finish_file(struct pop3_maildir_delivery *d)
{
	int error = flush(d, true);
	if (error == 0)
		error = io_sync(d->file);
	/* Some file systems tell only now that the disk is full. */
	int closed = io_close(d->file);
	d->file = -1;
	return error < 0 ? error : closed;
}

/* Give it a name in new/, with its sizes. */
static int publish(struct pop3_maildir_delivery *d)
{
	const struct unique_sizes sizes = {.length = d->octets.length,
					   .octets = octets_total(&d->octets)};
	int error = -EEXIST;
	for (int tries = 0; tries < NAME_TRIES && error == -EEXIST; tries++) {
		struct unique unique;
		char name[UNIQUE_NAME_SIZE];
		unique_init(&unique);
		unique_name(&unique, &sizes, name);
		error = folder_move(d->tmp, d->name, d->new, name);
	}
	if (error == 0)
		d->name[0] = '\0'; /* nothing is left in tmp/ */
	return error;
}

static void deliver(struct pop3_maildir_delivery *d)
{
	int error = finish_file(d);
	if (error == 0)
		error = publish(d);
	if (error < 0) {
		fail(d, "cannot deliver the message", error);
		return;
	}
	error = folder_sync(d->new);
	if (error < 0)
		fail(d, "cannot sync new/ after a delivery", error);
}

enum pop3_maildir_result pop3_maildir_commit(struct pop3_maildir_delivery *d)
{
	if (d->result == POP3_MAILDIR_OK)
		deliver(d);
	enum pop3_maildir_result result = d->result;
	release(d);
	return result;
}

/* ---- In one call ---- */

enum pop3_maildir_result pop3_maildir_deliver(const char *maildir,
					      const struct pop3_maildir_options *options,
					      const void *octets, size_t length)
{
	struct pop3_maildir_delivery *d;
	enum pop3_maildir_result result = pop3_maildir_begin(maildir, options, &d);
	if (result != POP3_MAILDIR_OK)
		return result;
	pop3_maildir_write(d, octets, length);
	return pop3_maildir_commit(d);
}

enum pop3_maildir_result pop3_maildir_deliver_from(const char *maildir,
						   const struct pop3_maildir_options *options,
						   int descriptor)
{
	struct pop3_maildir_delivery *d;
	enum pop3_maildir_result result = pop3_maildir_begin(maildir, options, &d);
	if (result != POP3_MAILDIR_OK)
		return result;
	pop3_maildir_write_from(d, descriptor);
	return pop3_maildir_commit(d);
}

enum pop3_maildir_result pop3_maildir_prepare(const char *maildir,
					      const struct pop3_maildir_options *options)
{
	struct pop3_maildir_options all;
	const char *problem = "";
	int descriptor;
	if (!take_options(options, &all))
		return POP3_MAILDIR_TEMPORARY;
	int error = place_make(maildir, all.home, &descriptor, &problem);
	if (error < 0)
		return tell(&all, POP3_MAILDIR_TEMPORARY, problem, error);
	close(descriptor);
	return POP3_MAILDIR_OK;
}
