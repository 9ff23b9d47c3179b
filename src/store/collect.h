/* The frozen list of a maildrop at login: from its index, its folders, or both. */
#ifndef POP3_STORE_COLLECT_H
#define POP3_STORE_COLLECT_H

#include "store/birth.h"
#include "store/grant.h"
#include "store/index.h"
#include "store/maildrop.h"

/*
 * Make the list, and write the index anew if it is not as it should be. Entries that are no regular
 * files, files that cannot be read and do not tell their size, and an index that cannot be used or
 * written are one log line each. STORE_TEMPORARY, STORE_PERMANENT: a folder, or a list of
 * unique-ids that are to be kept, could not be read whole, or no memory, descriptors; logged.
 * *list, with one reference, and *births, when its files were made, are set on STORE_OK alone.
 */
enum store_result collect_list(const struct maildir *, const struct store_grant *,
			       const struct maildrop_options *, const struct log_sink *,
			       struct maildrop_list **list, struct births *births);

#endif
