/*
 * The lists in which other POP3 servers keep the unique-ids of a Maildir: pure parsers of a text in
 * memory, one file a format. Any octets may come; nothing is allocated.
 *
 * A list is right as a whole or not at all: it has no checksum, so a line that cannot be means that
 * any other may be wrong unseen, and a wrong unique-id makes a client take a message for one that
 * it has.
 */
#ifndef POP3_STORE_UIDLIST_H
#define POP3_STORE_UIDLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One message of a list. All is valid during the visit and not ended by a NUL. */
struct uidlist_entry {
	const char *name; /* its file's name, perhaps with flags; at least one octet, no '/' */
	size_t name_length;
	const char *id; /* what its server sends as unique-id */
	size_t id_length;
};

/* Called for each entry, in order; returns 0 to go on. */
typedef int uidlist_visit(void *state, const struct uidlist_entry *);

/* What was found, right or wrong. */
struct uidlist_report {
	uint64_t version;    /* of the format, once it has been read */
	size_t line;         /* 1-based: where the problem is, or how many there are */
	const char *problem; /* a phrase that lives for ever; NULL = none */
};

/*
 * 0: all was right and visited; -EBADMSG: it is not a whole list of a known version; -EAGAIN: its
 * last line has no end, as when it is being written; or what a visit returned. *report is set in
 * any case. What has been visited before a failure is void.
 *
 * Of a message whose unique-id is not legal, and will therefore not be used, id_length is 0.
 */

/*
 * Dovecot's dovecot-uidlist, versions 1 and 3: a header and a line a message, in ascending order of
 * UIDs:
 *
 *	1 VALIDITY NEXTUID             3 VVALIDITY NNEXTUID GGUID
 *	UID NAME                       UID [KEYVALUE ...] :NAME
 *
 * The unique-id follows the pattern (uidl_pattern.h), unless version 3's key P has it; an empty P
 * is the base name.
 */
int uidlist_dovecot_parse(const char *text, size_t length, const char *pattern, uidlist_visit *,
			  void *state, struct uidlist_report *report);

/*
 * Courier's courierpop3dsizelist, versions 2 and 3:
 *
 *	/VERSION NEXTNUMBER [VALIDITY]
 *	NAME SIZE NUMBER:VALIDITY[:UTF8]
 *
 * The unique-id is UIDNUMBER-VALIDITY; UIDNUMBER if validity is 0; and if the number is 0, which
 * older versions have left, the base name with odd octets as "+XX".
 */
int uidlist_courier_parse(const char *text, size_t length, uidlist_visit *, void *state,
			  struct uidlist_report *report);

/* ---- For the parsers alone ---- */

/* A place in a text: a list, or one of its lines. */
struct uidlist_text {
	const char *next;
	size_t left;
};

/*
 * Take the next line, without its LF or CRLF. 1: done, and report->line counts it; 0: there is
 * none; -EAGAIN: it has no end; -EBADMSG: it holds a NUL.
 */
int uidlist_line(struct uidlist_text *list, struct uidlist_report *report,
		 struct uidlist_text *line);
/* Take the first line. 0; -EBADMSG, also if there is none; -EAGAIN. */
int uidlist_header(struct uidlist_text *list, struct uidlist_report *report,
		   struct uidlist_text *line);
/* Take the octets up to the next blank or the end, and the blanks behind. It is empty only if the
 * line is, or begins with a blank. */
struct uidlist_text uidlist_field(struct uidlist_text *line);
/* All of the field is a number from `minimum` to `maximum`: true and *value is set. */
bool uidlist_number(const struct uidlist_text *field, uint64_t minimum, uint64_t maximum,
		    uint64_t *value);
/* The octets up to the first ':', which is where the other servers end a base name. */
size_t uidlist_base_length(const char *name, size_t length);
/* Set the problem; returns -EBADMSG. */
int uidlist_wrong(struct uidlist_report *report, const char *problem);

#endif
