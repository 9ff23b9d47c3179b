/*
 * See delivery.h. A message is written whole into tmp/ and synced before it gets a name in new/;
 * whatever fails before that leaves nothing. A failure after it cannot take the message back, as it
 * may have been fetched: then it is reported, and at worst the message is delivered twice.
 */
#include "store/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/folder.h"
#include "store/name.h"
#include "store/octets.h"
#include "store/report.h"

/* Read and written at once, on the stack. */
#define COPY_SIZE 16384
/* Room for the host's name. */
#define HOST_SIZE 256
/* How many names are tried before something else must be wrong. */
#define NAME_TRIES 1000

struct delivery {
	const struct store_grant *grant;
	const struct delivery_options *options;
	const struct log_sink *sink;
	int tmp;
	int new;
	int file;
	struct octets octets; /* written so far */
	char name[NAME_OCTETS_MAX + 1];
};

/* "time.MusecPpidQcount.host": the count sets deliveries of one process and microsecond apart. */
static void make_name(unsigned count, char name[NAME_OCTETS_MAX + 1])
{
	struct timespec now;
	char host[HOST_SIZE] = "";
	char escaped[NAME_HOST_MAX + 1];
	if (gethostname(host, sizeof host - 1) < 0 || host[0] == '\0')
		memcpy(host, "localhost", sizeof "localhost");
	name_escape_host(host, escaped);
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(name, NAME_OCTETS_MAX + 1, "%lld.M%ldP%ldQ%u.%s", (long long)now.tv_sec,
		 now.tv_nsec / 1000, (long)getpid(), count, escaped);
}

static int create(struct delivery *d)
{
	for (unsigned count = 0; count < NAME_TRIES; count++) {
		make_name(count, d->name);
		d->file = openat(d->tmp, d->name,
				 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (d->file >= 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int write_all(struct delivery *d, const char *text, size_t length)
{
	octets_add(&d->octets, text, length);
	while (length > 0) {
		ssize_t written = write(d->file, text, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		text += written;
		length -= (size_t)written;
	}
	return 0;
}

static int write_header(struct delivery *d, const char *before, const char *value,
			const char *after)
{
	if (value == NULL)
		return 0;
	int error = write_all(d, before, strlen(before));
	if (error == 0)
		error = write_all(d, value, strlen(value));
	return error < 0 ? error : write_all(d, after, strlen(after));
}

static ssize_t read_some(int input, char *buffer, size_t size)
{
	for (;;) {
		ssize_t got = read(input, buffer, size);
		if (got >= 0)
			return got;
		if (errno != EINTR)
			return -errno;
	}
}

/* -EMSGSIZE: it is larger than allowed. */
static int copy(struct delivery *d, int input)
{
	char buffer[COPY_SIZE];
	uint64_t maximum = d->options->max_size == 0 ? OCTETS_LENGTH_MAX : d->options->max_size;
	uint64_t total = 0;
	for (;;) {
		ssize_t got = read_some(input, buffer, sizeof buffer);
		if (got <= 0)
			return (int)got;
		total += (uint64_t)got;
		if (total > maximum)
			return -EMSGSIZE;
		int error = write_all(d, buffer, (size_t)got);
		if (error < 0)
			return error;
	}
}

/* The message whole and synced in tmp/. */
static int write_message(struct delivery *d, int input)
{
	int error = write_header(d, "Return-Path: <", d->options->return_path, ">\n");
	if (error == 0)
		error = write_header(d, "Delivered-To: ", d->options->delivered_to, "\n");
	if (error == 0)
		error = copy(d, input);
	if (error == 0 && fsync(d->file) < 0)
		error = -errno;
	return error;
}

/* Give it a name in new/, with its sizes. */
static int publish(struct delivery *d)
{
	int error = -EEXIST;
	for (unsigned count = 0; count < NAME_TRIES && error == -EEXIST; count++) {
		char name[NAME_OCTETS_MAX + 1];
		char unique[NAME_OCTETS_MAX + 1];
		if (count == 0)
			memcpy(unique, d->name, sizeof unique);
		else
			make_name(count, unique);
		int length = snprintf(name, sizeof name, "%s,S=%llu,W=%llu", unique,
				      (unsigned long long)d->octets.length,
				      (unsigned long long)octets_total(&d->octets));
		if ((size_t)length >= sizeof name)
			return -ENAMETOOLONG;
		error = folder_move(d->tmp, d->name, d->new, name);
	}
	return error;
}

static enum store_result deliver(struct delivery *d, int input)
{
	int error = create(d);
	if (error < 0)
		return report_failure(d->grant, d->sink, "cannot create a file in tmp/", error);
	error = write_message(d, input);
	/* Some file systems tell only now that the disk is full. */
	if (close(d->file) < 0 && error == 0)
		error = -errno;
	if (error == 0)
		error = publish(d);
	if (error < 0) {
		unlinkat(d->tmp, d->name, 0);
		if (error == -EMSGSIZE)
			return report_failure(d->grant, d->sink, "the message is too large", 0);
		return report_failure(d->grant, d->sink, "cannot deliver the message", error);
	}
	error = folder_sync(d->new);
	if (error < 0)
		return report_failure(d->grant, d->sink, "cannot sync new/ after a delivery",
				      error);
	return STORE_OK;
}

/* Make the folders that are missing. */
static int make_folders(int maildir)
{
	bool made = false;
	for (enum folder f = FOLDER_NEW; f <= FOLDER_TMP; f++) {
		if (mkdirat(maildir, folder_name(f), 0700) == 0)
			made = true;
		else if (errno != EEXIST)
			return -errno;
	}
	return made ? folder_sync(maildir) : 0;
}

static enum store_result prepare(const struct store_grant *grant, const struct log_sink *sink,
				 int *maildir)
{
	int descriptor;
	enum store_result result = grant_make(grant, sink, &descriptor);
	if (result != STORE_OK)
		return result;
	int error = make_folders(descriptor);
	if (error < 0) {
		close(descriptor);
		return report_failure(grant, sink, "cannot make tmp/, new/ and cur/", error);
	}
	*maildir = descriptor;
	return STORE_OK;
}

enum store_result delivery_prepare(const struct store_grant *grant, const struct log_sink *sink)
{
	int maildir;
	enum store_result result = prepare(grant, sink, &maildir);
	if (result == STORE_OK)
		close(maildir);
	return result;
}

/* No line end may come with a value: it would add headers. */
static bool is_clean(const char *value)
{
	for (; value != NULL && *value != '\0'; value++)
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	return true;
}

enum store_result delivery_deliver(const struct store_grant *grant,
				   const struct delivery_options *options, int input,
				   const struct log_sink *sink)
{
	static const struct delivery_options defaults;
	struct delivery d = {.grant = grant,
			     .options = options == NULL ? &defaults : options,
			     .sink = sink,
			     .file = -1};
	if (!is_clean(d.options->return_path) || !is_clean(d.options->delivered_to))
		return report_failure(grant, sink, "an address has a control octet", 0);
	int maildir;
	enum store_result result = prepare(grant, sink, &maildir);
	if (result != STORE_OK)
		return result;

	d.tmp = folder_open(maildir, FOLDER_TMP);
	d.new = folder_open(maildir, FOLDER_NEW);
	if (d.tmp < 0 || d.new < 0)
		result = report_failure(grant, sink, "cannot open tmp/ or new/",
					d.tmp < 0 ? d.tmp : d.new);
	else
		result = deliver(&d, input);
	if (d.tmp >= 0)
		close(d.tmp);
	if (d.new >= 0)
		close(d.new);
	close(maildir);
	return result;
}
