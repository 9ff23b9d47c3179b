/* Every bound of the protocol layer, with its reason. */
#ifndef POP3_PROTO_LIMITS_H
#define POP3_PROTO_LIMITS_H

/* RFC 2449 section 4: a command line, CRLF included. */
#define LINE_MAX_OCTETS 255
/* AUTH and the responses of a SASL exchange, CRLF included: what RFC 4954 section 4 takes for
 * enough for every mechanism; RFC 5034 section 4 leaves it to the mechanisms. */
#define LINE_LONG_MAX 12288
/* RFC 1939 section 3 and RFC 2449 section 4: a single-line response, CRLF included. */
#define RESPONSE_MAX 512
/*
 * Octets queued for one client, and the part of a message file held for it. Large enough that a
 * system call moves much, small enough that ten thousand clients that do not read fit into memory.
 */
#define BLOCK_SIZE 65536
/* No command is taken up while more than this waits to be sent, until half of it is left. */
#define OUTPUT_HIGH (BLOCK_SIZE - 4096)
/* Blocks a server keeps unused: 512 KiB. */
#define BLOCKS_SPARE 8
/* What one connection may hold in all: output, window, line, session and socket. */
#define SESSION_MEMORY_MAX (2 * BLOCK_SIZE + 20480)
/* RFC 1939 section 7: a unique-id. */
#define UNIQUE_ID_MAX 70
/* A listener's text for the client; with its code and CRLF it fits a response. */
#define ANSWER_TEXT_MAX 200

#endif
