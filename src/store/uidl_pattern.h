/*
 * How Dovecot makes a unique-id: its setting pop3_uidl_format, "%08Xu%08Xv" unless changed. Of its
 * variables those that a list of unique-ids can answer are known:
 *
 *	%u  the message's UID        %v  the mailbox's UIDVALIDITY     %%  a percent sign
 *	%f  the file's base name     %g  the GUID: the base name, unless the list has another
 *
 * A number before the letter is the most octets that are taken; if it begins with 0, the fewest,
 * with zeros in front. An X right before u or v means hexadecimal.
 */
#ifndef POP3_STORE_UIDL_PATTERN_H
#define POP3_STORE_UIDL_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#include "store/name.h"

#define UIDL_PATTERN_STANDARD "%08Xu%08Xv"
/* The longest pattern, and the room it takes with its NUL. */
#define UIDL_PATTERN_MAX  63
#define UIDL_PATTERN_SIZE 64
/* Room for what uidl_pattern_check() says. */
#define UIDL_PATTERN_WRONG_SIZE 96

/*
 * Can all of the pattern be followed, and are its unique-ids different for different messages?
 * NULL: yes. Else a phrase in `wrong` that says why not.
 */
const char *uidl_pattern_check(const char *pattern, char wrong[UIDL_PATTERN_WRONG_SIZE]);

/* What a list knows of one message. */
struct uidl_values {
	uint32_t uid;
	uint32_t validity;
	const char *name; /* the base name as Dovecot has it: up to the first ':' */
	size_t name_length;
	const char *guid;
	size_t guid_length;
};

/*
 * The unique-id of a message by a pattern that has passed the check, ended by a NUL: its length, or
 * 0 if it is not legal (RFC 1939 section 7).
 */
size_t uidl_pattern_expand(const char *pattern, const struct uidl_values *, char id[NAME_ID_SIZE]);

#endif
