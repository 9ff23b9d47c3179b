/*
 * The load generator of `make bench`: what its modes share. One process and one thread, because
 * it shares the machine with the server that it measures: each system call and each octet looked
 * at here lowers the ratio between two servers. Times are nanoseconds of the monotonic clock.
 */
#ifndef POP3_BENCH_LOAD_H
#define POP3_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LOAD_COMMAND_MAX = 128,         /* longest command line that a mode sends */
	LOAD_STATUS_MAX = 128,          /* octets kept of a status line, for numbers and messages */
	LOAD_RECEIVE_MAX = 512 * 1024,  /* one recv(2): large, yet within a processor cache */
	LOAD_HANG_MILLISECONDS = 60000, /* nothing at all for so long is a failure, not slowness */
};

#define LOAD_SECOND UINT64_C(1000000000)

/* Users of the prefix `large`: one who looks on, one who has very much mail. */
enum {
	LOAD_ONLOOKER = 0,
	LOAD_OWNER = 1,
};

/* The `key=value` arguments; a mode reads those that its usage line names. */
struct options {
	const char *prefix;   /* users are named prefix0000, prefix0001, ... */
	const char *password; /* of all of them */
	uint64_t port;
	uint64_t users;
	uint64_t clients;
	uint64_t milliseconds; /* no session starts after that */
	uint64_t pipelined;    /* 1: RETR commands are sent ahead of their replies */
	uint64_t few;
	uint64_t many;
	uint64_t count;  /* measured commands, or messages to delete */
	uint64_t settle; /* milliseconds between opening idle sessions and measuring */
};

/* --- load_net.c: sockets, time, arithmetic ------------------------------------------------ */

/* The monotonic clock. */
uint64_t load_now(void);

/* Sleeps; a signal does not end it early. */
void load_sleep(uint64_t milliseconds);

/*
 * Begins a connection to 127.0.0.1:port. With SOCK_NONBLOCK in flags it may still be in progress
 * at the return. Returns the descriptor, or -1 with the reason on stderr.
 */
int load_connect(uint64_t port, int flags);

/* Sends all octets, which are few enough for the socket's buffer. 0 or -1, reason on stderr. */
int load_send(int fd, const char *text, size_t length);

/* Sleeps until that time; at once if it is over. */
void load_sleep_until(uint64_t time);

/* Returns at a line, or at the end, of the standard input; stdout has been flushed by then. */
void load_wait_for_caller(void);

/* Sorts values; the value below which share percent of them lie. count is not 0. */
uint64_t load_percentile(uint64_t *values, size_t count, unsigned share);

/* The USER line of that user, with CRLF, in line. Returns its length. */
size_t load_user_line(const struct options *options, uint64_t user, char line[LOAD_COMMAND_MAX]);

/* The PASS line, likewise. */
size_t load_pass_line(const struct options *options, char line[LOAD_COMMAND_MAX]);

/* --- load_reply.c: one reply of the server ------------------------------------------------ */

/* A reply while it arrives, in pieces of any size. Plain values; begin again with reply_begin. */
struct reply {
	uint64_t octets; /* of the message: unstuffed, with CRLF, without the final dot */
	size_t status_length;
	char status[LOAD_STATUS_MAX]; /* the status line without CRLF, cut, ended with NUL */
	unsigned char state;
	bool multi; /* a body follows +OK */
	bool ok;
	bool done;
};

/* Expects a reply; multi says whether a positive one has a body. */
void reply_begin(struct reply *reply, bool multi);

/*
 * Takes octets up to the end of this reply and returns how many; less than length only when
 * reply->done. What is left belongs to the next reply.
 */
size_t reply_feed(struct reply *reply, const char *data, size_t length);

/*
 * A number of the status line, 0 the first: for STAT 0 is the count of messages, 1 their octets. 0
 * if there is none.
 */
uint64_t reply_number(const struct reply *reply, unsigned which);

/* --- load_dialog.c: one session, a command at a time, blocking ----------------------------- */

/* Connects and logs in as that user. Returns a blocking descriptor, or -1, reason on stderr. */
int dialog_open(const struct options *options, uint64_t user);

/* The same without PASS, which is left to dialog_pass. */
int dialog_greet(const struct options *options, uint64_t user);

/* Sends PASS and reads its reply. Returns as dialog_read. */
int dialog_pass(int fd, const struct options *options);

/* Reads one reply of a lock-step session. 0, or -1 for -ERR and a lost connection. */
int dialog_read(int fd, struct reply *reply, bool multi);

/* Sends a line with CRLF and reads its reply. Returns as dialog_read. */
int dialog_ask(int fd, const char *line, struct reply *reply, bool multi);

/* --- load_crowd.c: many sessions at once --------------------------------------------------- */

/* What the crowd has done. */
struct crowd_result {
	uint64_t sessions;
	uint64_t failures;
	uint64_t nanoseconds;
};

/* Repeats USER PASS STAT QUIT until the time is over. 0, or -1 if it could not even start. */
int crowd_logins(const struct options *options, struct crowd_result *result);

/*
 * Opens a session (USER PASS STAT) for each of the users first..last-1 and writes the descriptors
 * to fds[0..last-first-1], in no order. 0, or -1 if any of them failed.
 */
int crowd_open(const struct options *options, uint64_t first, uint64_t last, int *fds);

/* --- the modes; each returns the exit status ------------------------------------------------ */

int mode_logins(const struct options *options);
int mode_retr(const struct options *options);
int mode_idle(const struct options *options);
int mode_noop(const struct options *options);
int mode_stall(const struct options *options);
int mode_large(const struct options *options);
int mode_delete(const struct options *options);
int mode_meanwhile(const struct options *options);

#endif
