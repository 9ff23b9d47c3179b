/* See foreign_ids.h: finding the list in the Maildir, reading it, saying what is wrong with it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/io.h"
#include "store/folder.h"
#include "store/foreign_ids.h"
#include "store/report.h"
#include "store/uidlist.h"

/* Room for "courierpop3dsizelist:NUMBER" and for a problem in its sentence. */
#define PLACE_SIZE 64
#define TEXT_SIZE  160

const char *foreign_file(enum uidl_format format)
{
	static const char *const files[] = {[UIDL_NAME] = NULL,
					    [UIDL_DOVECOT] = "dovecot-uidlist",
					    [UIDL_COURIER] = "courierpop3dsizelist"};
	return files[format];
}

bool foreign_list_exists(int maildir, enum uidl_format format)
{
	struct stat status;
	return format != UIDL_NAME && folder_stat(maildir, foreign_file(format), &status) == 0;
}

const char *uidl_rule_pattern(const struct uidl_rule *rule)
{
	return rule->pattern[0] == '\0' ? UIDL_PATTERN_STANDARD : rule->pattern;
}

/* ---- Which list it is ---- */

/* What the digest is of; without padding. */
struct state {
	uint64_t format;
	uint64_t pattern; /* a digest, if the format has any */
	/* All 0: there is no list. */
	uint64_t device, inode, size, modified, changed;
};

static uint64_t digest(const void *octets, size_t length)
{
	static const struct hash_key key = {{1, 2}};
	return hash_keyed(&key, octets, length);
}

static uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
}

/* `status` is NULL without a list. 0 for UIDL_NAME alone. */
static uint64_t rules_of(const struct uidl_rule *rule, const struct stat *status)
{
	struct state state = {.format = rule->format};
	if (rule->format == UIDL_NAME)
		return 0;
	if (rule->format == UIDL_DOVECOT)
		state.pattern = digest(uidl_rule_pattern(rule), strlen(uidl_rule_pattern(rule)));
	if (status != NULL) {
		state.device = status->st_dev;
		state.inode = status->st_ino;
		state.size = (uint64_t)status->st_size;
		state.modified = nanoseconds(&status->st_mtim);
		state.changed = nanoseconds(&status->st_ctim);
	}
	return digest(&state, sizeof state) | 1;
}

int foreign_ids_rules(int maildir, const struct uidl_rule *rule, uint64_t *rules)
{
	struct stat status;
	int error = -ENOENT;
	if (rule->format != UIDL_NAME)
		error = folder_stat(maildir, foreign_file(rule->format), &status);
	if (error < 0 && error != -ENOENT)
		return error;
	*rules = rules_of(rule, error == 0 ? &status : NULL);
	return 0;
}

/* ---- Reading ---- */

/* One error line. The result tells the client whether it needs a person. */
static enum store_result refuse(const struct store_grant *grant, const struct log_sink *sink,
				const struct uidl_rule *rule, const struct uidlist_report *why,
				int error)
{
	char place[PLACE_SIZE];
	char text[TEXT_SIZE];
	const char *file = foreign_file(rule->format);
	if (why->line > 0)
		snprintf(place, sizeof place, "%s:%zu", file, why->line);
	else
		snprintf(place, sizeof place, "%s", file);
	bool content = why->problem != NULL;
	snprintf(text, sizeof text, "no login, for unique-ids would change: %s",
		 content ? why->problem : "the list cannot be read");
	report(sink, POP3_LOG_ERROR,
	       &(struct report){.session = grant->session,
				.user = grant->user,
				.file = place,
				.text = text,
				.error = content ? 0 : error});
	return error == -EBADMSG ? STORE_PERMANENT : report_result(error);
}

static void warn_of_spoilt(const struct store_grant *grant, const struct log_sink *sink,
			   const struct uidl_rule *rule, const struct foreign_ids *ids)
{
	struct foreign_summary summary = foreign_ids_summary(ids);
	if (summary.spoilt > 0)
		report(sink, POP3_LOG_WARNING,
		       &(struct report){
			       .session = grant->session,
			       .user = grant->user,
			       .file = foreign_file(rule->format),
			       .text = "some unique-ids are not used: not legal, or there before",
			       .count = summary.spoilt});
}

/* The whole of an open list, which becomes the caller's. */
static int read_list(int descriptor, struct stat *status, char **text, size_t *length,
		     struct uidlist_report *why)
{
	int error = folder_status(descriptor, status);
	if (error < 0)
		return error;
	if (!S_ISREG(status->st_mode))
		return uidlist_wrong(why, "the list is not a regular file");
	if (status->st_size > FOREIGN_LIST_MAX)
		return uidlist_wrong(why, "the list is too large to be one");
	size_t size = (size_t)status->st_size;
	char *octets = malloc(size + 1);
	if (octets == NULL)
		return -ENOMEM;
	ssize_t got = io_read_at(descriptor, octets, size, 0);
	if (got < 0) {
		free(octets);
		return (int)got;
	}
	*text = octets;
	*length = (size_t)got;
	return 0;
}

static int parse(char *text, size_t length, const struct uidl_rule *rule,
		 struct uidlist_report *why, struct foreign_ids **ids)
{
	struct hash_key key;
	if (getrandom(&key, sizeof key, 0) != (ssize_t)sizeof key)
		return -EIO;
	return foreign_ids_parse(text, length, rule, &key, why, ids);
}

/* -ENOENT: there is no list for certain. Taking one that is there for none changes unique-ids. */
static int open_list(int maildir, const struct uidl_rule *rule)
{
	struct stat status;
	if (rule->format == UIDL_NAME)
		return -ENOENT;
	int descriptor = folder_open_file(maildir, foreign_file(rule->format));
	if (descriptor != -ENOENT)
		return descriptor;
	int error = folder_stat(maildir, foreign_file(rule->format), &status);
	return error == 0 ? -EAGAIN : error;
}

/* The list, parsed, with its state. Whatever fails here, the list is there. */
static int load_list(int descriptor, const struct uidl_rule *rule, struct stat *status,
		     struct uidlist_report *why, struct foreign_ids **ids)
{
	char *text = NULL;
	size_t length = 0;
	int error = read_list(descriptor, status, &text, &length, why);
	if (error == 0)
		error = parse(text, length, rule, why, ids);
	if (error < 0)
		free(text);
	return error == -ENOENT ? -ESTALE : error;
}

enum store_result foreign_ids_load(int maildir, const struct uidl_rule *rule,
				   const struct store_grant *grant, const struct log_sink *sink,
				   uint64_t *rules, struct foreign_ids **ids)
{
	struct uidlist_report why = {0};
	struct stat status;
	struct foreign_ids *loaded = NULL;
	int error = open_list(maildir, rule);
	if (error >= 0) {
		int descriptor = error;
		error = load_list(descriptor, rule, &status, &why, &loaded);
		close(descriptor);
	}
	if (error < 0 && error != -ENOENT)
		return refuse(grant, sink, rule, &why, error);
	if (loaded != NULL)
		warn_of_spoilt(grant, sink, rule, loaded);
	*rules = rules_of(rule, loaded == NULL ? NULL : &status);
	*ids = loaded;
	return STORE_OK;
}
