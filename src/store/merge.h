/*
 * From a scan to a frozen list: known messages and new ones in one order, by the delivery time in
 * the name, then the base name, and each with its unique-id.
 */
#ifndef POP3_STORE_MERGE_H
#define POP3_STORE_MERGE_H

#include "store/foreign_ids.h"
#include "store/scan.h"

/*
 * The files found are put in order; `foreign` are the unique-ids that are kept, NULL: none. 0,
 * *list is set with one reference; -ENOMEM; -EINVAL: the known list is not in order, so that it
 * cannot be an index of ours.
 */
int merge_scan(struct scan *, struct foreign_ids *foreign, struct maildrop_list **list);

#endif
