/* From the folders of a Maildir to a frozen list. */
#ifndef POP3_STORE_COLLECT_H
#define POP3_STORE_COLLECT_H

#include "store/grant.h"
#include "store/maildrop_list.h"

/*
 * Read new/ and cur/, find out the sizes, sort, give each message its unique-id. Entries that are
 * no regular files, and files that cannot be read and do not tell their size, are skipped with one
 * log line each kind. STORE_TEMPORARY, STORE_PERMANENT: a folder could not be read whole, or no
 * memory, descriptors; logged. *list is set on STORE_OK alone, with one reference.
 */
enum store_result collect_list(int maildir, const struct store_grant *, const struct log_sink *,
			       struct maildrop_list **list);

#endif
