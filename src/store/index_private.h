/* What the file of an index begins with, for index.c, its tests and its fuzzer. */
#ifndef POP3_STORE_INDEX_PRIVATE_H
#define POP3_STORE_INDEX_PRIVATE_H

#include "store/index.h"

/* The last two tell what text transfers do to files. */
#define INDEX_MAGIC "POP3IDX\r\n"
/* Reads otherwise where octets are in another order. */
#define INDEX_ORDER UINT32_C(0x01020304)
/* Of the layout of head and block; a change of either, or of what they mean, takes the next. */
#define INDEX_VERSION 2

struct index_time {
	int64_t seconds;
	int64_t nanoseconds;
};

struct index_head {
	char magic[12];
	uint32_t order;
	uint32_t version;
	uint32_t reserved; /* 0 */
	uint64_t size;     /* of the file */
	uint64_t checksum;
	uint64_t rules;
	struct index_head_folder {
		uint64_t identity;
		struct index_time modified;
		struct index_time changed;
		struct index_time moment;
	} folders[2];
};

/* Of head, but for this member, and block. */
uint64_t index_checksum(const struct index_head *, const void *block, size_t size);

#endif
