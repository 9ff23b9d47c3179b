/*
 * Which user of the passwd file a mail address means. Addresses are compared octet by octet, as
 * names are; none becomes a path here.
 */
#ifndef POP3_AUTH_RECIPIENT_H
#define POP3_AUTH_RECIPIENT_H

#include "auth/passwd.h"

/* Zeroed: the address must be a name in the file. Texts are borrowed. */
struct recipient_rules {
	/* Characters of which the first in the local part, but not at its beginning, starts an
	   extension ("alice+lists"); NULL or "" = there are no extensions. */
	const char *delimiters;
	bool strip_domain; /* user@domain may be the user without its domain */
};

/*
 * The entry that an address belongs to, or NULL. Of those names that the rules allow the longest
 * that is in the file wins, for alice+lists@example.org in this order:
 *
 *   alice+lists@example.org   the whole address
 *   alice@example.org         without the extension
 *   alice+lists               without the domain
 *   alice                     without both
 *
 * The domain is what follows the last '@': one before that can only be part of a quoted local part
 * (RFC 5321 section 4.1.2), and to cut there would give mail to somebody else.
 */
const struct passwd_entry *recipient_find(const struct passwd *, const char *address,
					  const struct recipient_rules *);

#endif
