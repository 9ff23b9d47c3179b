/*
 * The maildrop as one session sees it: the frozen list, once it has been asked for, and the marks
 * of DELE. Message numbers never change. Marks need one bit a message, the list belongs to whoever
 * gave it.
 */
#ifndef POP3_PROTO_MAILDROP_H
#define POP3_PROTO_MAILDROP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values a listener gave for all messages, borrowed until release(state). */
struct list_block {
	const uint64_t *sizes;   /* of `list` */
	const char *text;        /* of `uidl`: ids at text + offsets[index] */
	const uint32_t *offsets; /* of `uidl` */
	size_t count;
	void (*release)(void *state);
	void *state;
};

struct maildrop_view {
	struct list_block sizes;
	struct list_block ids;
	bool has_sizes;
	bool has_ids;
	uint64_t octets;       /* of all messages; with has_sizes */
	unsigned char *marks;  /* a bit a message, from message 1 on */
	size_t marks_capacity; /* octets */
	size_t marked;
	uint64_t marked_octets; /* with has_sizes */
	uint32_t known;         /* the message whose size was asked for alone; 0 = none */
	uint64_t known_size;
};

/* Release a block that was not adopted, or what a view holds. */
void list_block_release(struct list_block *);
void view_fini(struct maildrop_view *);

/*
 * Take over the whole list of sizes or unique-ids. 0; -EINVAL: the counts of both differ, a
 * marked message is not among them, the sum of the sizes overflows, or a unique-id is not 1 to 70
 * octets of 0x21 to 0x7E (RFC 1939 section 7). The block is released then.
 */
int view_adopt_sizes(struct maildrop_view *, struct list_block *);
int view_adopt_ids(struct maildrop_view *, struct list_block *);
/* Is this a legal unique-id? */
bool view_id_is_legal(const char *id);

/* With has_sizes or has_ids: how many messages there are, marked ones included. */
size_t view_count(const struct maildrop_view *);
/* Certainly not there: the count is known and msgno is 0 or beyond it. */
bool view_lacks(const struct maildrop_view *, uint64_t msgno);
/* The size if it is known without asking: true and *size. */
bool view_size(const struct maildrop_view *, uint32_t msgno, uint64_t *size);
/* Remember the size that was asked for alone. */
void view_learn(struct maildrop_view *, uint32_t msgno, uint64_t size);

bool view_is_marked(const struct maildrop_view *, uint32_t msgno);
/* Mark a message that exists. 0 or -ENOMEM. */
int view_mark(struct maildrop_view *, uint32_t msgno);
/* RSET. */
void view_unmark_all(struct maildrop_view *);
/* The marked message numbers, ascending: `view->marked` of them fit into `messages`. */
void view_marked_messages(const struct maildrop_view *, uint32_t *messages);

#endif
