/*
 * Names for new messages, "1700000001.M5P6Q7R0123456789ab.host,S=904,W=928": second, microsecond,
 * process and how many it has delivered, random octets, host, and the sizes as hints. The random
 * octets keep names apart that all else would not: two containers, each with its process 7 on a
 * host of one name, share a Maildir.
 */
#ifndef POP3_STORE_UNIQUE_H
#define POP3_STORE_UNIQUE_H

#include <stdint.h>

#include "store/name.h"

/* The longest host that counts (HOST_NAME_MAX), with its NUL. */
#define UNIQUE_HOST_SIZE 65
/* Room for a name with its NUL; it has at most NAME_OCTETS_MAX octets whatever the numbers are. */
#define UNIQUE_NAME_SIZE (NAME_OCTETS_MAX + 1)

/* What makes a name differ from every other. */
struct unique {
	uint64_t seconds; /* since 1970 */
	uint32_t microseconds;
	uint32_t process;
	uint32_t count;  /* of the names that the process has made */
	uint64_t random; /* of which the low 48 bits count */
	char host[UNIQUE_HOST_SIZE];
};

/* The sizes that a name tells. */
struct unique_sizes {
	uint64_t length; /* ",S=": of the file */
	uint64_t octets; /* ",W=": as sent */
};

/* Fill it for a name that nobody has. From any thread; no two calls get the same. */
void unique_init(struct unique *);

/*
 * The name; `sizes` may be NULL. In the host letters, digits, '.', '-' and '_' stay, all else
 * becomes "\ooo" in octal. Of the host there is as much as lets the name be its own unique-id
 * (NAME_ID_MAX), but at least one character.
 */
void unique_name(const struct unique *, const struct unique_sizes *, char name[UNIQUE_NAME_SIZE]);

#endif
