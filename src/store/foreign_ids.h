/*
 * The unique-ids that another POP3 server gave to the messages of a maildrop, read from the list
 * that it has left there. Clients know messages by them; if they changed, everything would be
 * downloaded again.
 */
#ifndef POP3_STORE_FOREIGN_IDS_H
#define POP3_STORE_FOREIGN_IDS_H

#include "store/grant.h"
#include "store/name.h"
#include "store/uidl_pattern.h"

/* Whose unique-ids the messages keep. */
enum uidl_format {
	UIDL_NAME,    /* nobody's: all are ours (name.h) */
	UIDL_DOVECOT, /* those of dovecot-uidlist */
	UIDL_COURIER, /* those of courierpop3dsizelist */
	UIDL_FORMATS, /* how many there are */
};

/* Zeroed means: all are ours. */
struct uidl_rule {
	enum uidl_format format;
	char pattern[UIDL_PATTERN_SIZE]; /* of Dovecot, checked; "" = UIDL_PATTERN_STANDARD */
};

/*
 * By what unique-ids are made now, as one number for the index (index.h): a digest of the rule and
 * of which file the list is, by its inode, size and times. With the same number they are the same.
 * 0: all are ours, by the rule. The list is not read. Returns 0, or a negative errno value.
 */
int foreign_ids_rules(int maildir, const struct uidl_rule *, uint64_t *rules);

struct foreign_ids;
/* The largest list, in octets, so that all places in it fit 32 bits; a million messages take about
 * 75 MB. */
#define FOREIGN_LIST_MAX (128u << 20)

/*
 * Read the list in the Maildir. STORE_OK with *ids = NULL: there is none, or the rule wants none;
 * else with what must be freed. STORE_TEMPORARY, STORE_PERMANENT: there is a list that cannot be
 * read or believed, or no memory; logged with file and line. Then nobody may be shown unique-ids:
 * ours in their place would make clients download everything again. Unique-ids that are not used
 * are a warning. *rules is set on STORE_OK, also without a list.
 */
enum store_result foreign_ids_load(int maildir, const struct uidl_rule *,
				   const struct store_grant *, const struct log_sink *,
				   uint64_t *rules, struct foreign_ids **ids);
/* NULL is fine. */
void foreign_ids_free(struct foreign_ids *);

/*
 * The unique-id of the message with this base name: the listed one, or else ours, made another one
 * if it is in the list. So different base names have different unique-ids, and none is that of a
 * listed message, not even of one that is gone. With NULL for the list it is ours. 0, or -ENOMEM.
 */
int foreign_ids_choose(struct foreign_ids *, const char *base, size_t length,
		       char id[NAME_ID_SIZE]);
/* For files that share a base name, see name_unique_id_of_twin(): never the listed one. */
int foreign_ids_choose_twin(const struct foreign_ids *, const char *base, size_t length,
			    uint64_t identity, char id[NAME_ID_SIZE]);

/* ---- For those who tell about it ---- */

struct foreign_summary {
	uint64_t version; /* of the list's format */
	size_t messages;  /* that are listed */
	size_t spoilt;    /* of those, whose unique-ids are not used: not legal, or another's */
};

/* "dovecot-uidlist"; NULL for UIDL_NAME. */
const char *foreign_file(enum uidl_format);
/* Is there something of that name? */
bool foreign_list_exists(int maildir, enum uidl_format);
struct foreign_summary foreign_ids_summary(const struct foreign_ids *);
/* Does the message with this base name have its unique-id from the list? */
bool foreign_ids_knows(struct foreign_ids *, const char *base, size_t length);

/* ---- For foreign_ids.c and its tests ---- */

struct hash_key;
struct uidlist_report;

/* Its pattern, or the standard one. */
const char *uidl_rule_pattern(const struct uidl_rule *);
/*
 * The list is text[0, length), at most FOREIGN_LIST_MAX, from malloc(3). 0: the text and *ids, with
 * which it is freed, have changed hands. Else what the parser says (uidlist.h), with *report, or
 * -ENOMEM; the text stays the caller's.
 */
int foreign_ids_parse(char *text, size_t length, const struct uidl_rule *, const struct hash_key *,
		      struct uidlist_report *report, struct foreign_ids **ids);

#endif
