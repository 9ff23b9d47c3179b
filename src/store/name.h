/*
 * File names of messages in a Maildir: "1700000001.M5P6.host,S=904,W=928:2,S". What stands before
 * the info separator is the base name, and that is the message's identity, whatever its flags.
 * Nothing here allocates or fails on any name; names may hold any octets but NUL and '/'.
 */
#ifndef POP3_STORE_NAME_H
#define POP3_STORE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest file name. */
#define NAME_OCTETS_MAX 255
/* The longest unique-id (RFC 1939 section 7), and the room it takes with its NUL. */
#define NAME_ID_MAX  70
#define NAME_ID_SIZE 71

/*
 * How many octets come before the info separator: the first ':', ';' or '!' that "1," or "2,"
 * follows. The first, so that the answer stays the same whatever flags are appended.
 */
size_t name_base_length(const char *name, size_t length);

/* May it be a unique-id: 1-70 octets of 0x21-0x7E (RFC 1939 section 7)? */
bool name_is_unique_id(const char *text, size_t length);

/* "x-" and the SHA-256 in hexadecimal. 0, or -ENOMEM. */
#define NAME_HASH_SIZE 67
int name_hash(const char *text, size_t length, char hash[NAME_HASH_SIZE]);

/*
 * The unique-id of a base name: itself if it is one, else "x-" and the SHA-256 of it in
 * hexadecimal. A base name that looks like such a hash is hashed too, so two base names never share
 * a unique-id. 0, or -ENOMEM.
 */
int name_unique_id(const char *base, size_t length, char id[NAME_ID_SIZE]);
/*
 * For files that share a base name: always a hash, of the base name and what tells the files apart.
 */
int name_unique_id_of_twin(const char *base, size_t length, uint64_t identity,
			   char id[NAME_ID_SIZE]);
/*
 * In place of a unique-id that somebody else has: always a hash, of that unique-id, and none that
 * the two above could make. May be repeated. 0, or -ENOMEM (then it is unchanged).
 */
int name_unique_id_next(char id[NAME_ID_SIZE]);

/* The sizes that a base name claims. */
struct name_hints {
	bool has_size;   /* ",S=n": the file's length */
	bool has_octets; /* ",W=n": the size as sent */
	uint64_t size;
	uint64_t octets;
};

/*
 * The hints among the fields that commas set apart, strictly: digits only to the next comma or the
 * end, no overflow. A hint that is malformed or there twice is none.
 */
struct name_hints name_hints(const char *base, size_t length);
/*
 * May the claimed size as sent be believed of a file of that many octets? ",S=" must agree if it is
 * there, and the size must be possible: at least the file's length, at most twice that.
 */
bool name_hints_agree(const struct name_hints *, uint64_t file_length);

/* When the message was delivered, as its name says. */
struct name_time {
	uint64_t seconds;      /* the leading digits; 0 without any, UINT64_MAX on overflow */
	uint64_t microseconds; /* the digits of ".M" right behind them; 0 without any */
};

struct name_time name_time(const char *base, size_t length);
int name_time_compare(const struct name_time *, const struct name_time *);
/* Octet by octet as unsigned numbers; of two that begin alike the shorter comes first. */
int name_compare(const char *a, size_t a_length, const char *b, size_t b_length);

#endif
