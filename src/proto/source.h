/*
 * Where the octets of a message come from, as a listener handed it over: memory, part of a file, or
 * a function. A plain value that moves from the answer to the transfer.
 */
#ifndef POP3_PROTO_SOURCE_H
#define POP3_PROTO_SOURCE_H

#include <stdint.h>
#include <sys/types.h>

enum source_kind { SOURCE_NONE, SOURCE_BYTES, SOURCE_DESCRIPTOR, SOURCE_PULL };

struct source {
	enum source_kind kind;
	const char *octets; /* SOURCE_BYTES: the rest of them */
	int descriptor;     /* SOURCE_DESCRIPTOR */
	uint64_t offset;    /* of the rest in the file */
	uint64_t left;      /* octets of the rest; for SOURCE_PULL 0 once it has ended */
	ssize_t (*pull)(void *state, void *buffer, size_t size);
	void (*release)(void *state);
	void *state;
	uint64_t announced; /* size as sent, or POP3_OCTETS_LISTED */
};

/* Close, release; the source is SOURCE_NONE afterwards. */
void source_release(struct source *);

#endif
