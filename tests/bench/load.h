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
#include <sys/types.h>

enum {
	LOAD_COMMAND_MAX = 128,         /* longest command line that a mode sends */
	LOAD_STATUS_MAX = 128,          /* octets kept of a status line, for numbers and messages */
	LOAD_RECEIVE_MAX = 512 * 1024,  /* one recv(2): large, yet within a processor cache */
	LOAD_CIPHER_MAX = 128 * 1024,   /* the same under TLS, where it is copied twice */
	LOAD_RECORD_MAX = 16384 + 512,  /* a record of TLS */
	LOAD_PULSES_MAX = 100000,       /* more than fit into the next */
	LOAD_HANG_MILLISECONDS = 60000, /* nothing at all for so long is a failure, not slowness */
};

#define LOAD_SECOND UINT64_C(1000000000)

/* Users of the prefixes `large` and `flood`: one who looks on, one who logs in meanwhile. */
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
	uint64_t tls;    /* 1: TLS comes first */
	uint64_t resume; /* 1: each session offers the ticket of the client's last one */
	uint64_t login;  /* 0: sessions that are held are greeted and no more; else 1 */
	uint64_t source; /* connect from 127.0.0.N; 0: from wherever the kernel likes */
};

/* --- load_net.c: sockets, time, arithmetic ------------------------------------------------ */

/* The monotonic clock. */
uint64_t load_now(void);

/* Sleeps; a signal does not end it early. */
void load_sleep(uint64_t milliseconds);

/*
 * Begins a connection to 127.0.0.1:port, from the source of the options. With SOCK_NONBLOCK in
 * flags it may still be in progress at the return. Returns the descriptor, or -1 with the reason on
 * stderr.
 */
int load_connect(const struct options *options, int flags);

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

/* --- load_stream.c: one connection of many, plain or under TLS ----------------------------- */

struct gnutls_session_int;

/* Plain values, which may be copied. */
struct stream {
	int fd;
	struct gnutls_session_int *tls; /* NULL: plain */
	bool shaking;                   /* the handshake is not over */
};

/* What resumes a session of TLS; all zero: none. */
struct ticket {
	void *data;
	unsigned size;
};

/*
 * Connects, without waiting for the greeting. With options->tls a handshake has begun, which goes
 * on whenever something is received; it offers the ticket, unless that is NULL or none. The
 * descriptor does not block. 0, or -1 with the reason on stderr.
 */
int stream_open(struct stream *stream, const struct options *options, const struct ticket *ticket);

/* May be called again. Under TLS the server is told nothing. */
void stream_close(struct stream *stream);

/* As load_send(). */
int stream_send(struct stream *stream, const char *text, size_t length);

/*
 * All that has come, in memory that is valid until the next call, for whichever stream. How many
 * octets; 0: the end; -1 with errno, EAGAIN if there was nothing for the caller.
 */
ssize_t stream_receive(struct stream *stream, const char **data);

/* Whether the handshake has taken the ticket that it offered. */
bool stream_is_resumed(const struct stream *stream);

/* Keeps what a later session may offer, if the server has sent it, in the place of what was kept.
 */
void ticket_keep(struct ticket *ticket, const struct stream *stream);
void ticket_free(struct ticket *ticket);

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

/* --- load_pulse.c: one session that says NOOP again and again ------------------------------ */

struct pulse {
	int fd;       /* the session, logged in */
	uint64_t due; /* when the next one is */
	uint64_t count;
	uint64_t times[LOAD_PULSES_MAX]; /* nanoseconds of each */
};

/* Forgets what was measured. */
void pulse_begin(struct pulse *pulse);

/* Goes on until there are so many in all. 0 or -1. */
int pulse_many(struct pulse *pulse, uint64_t count);

/*
 * Sends a line in the other session and goes on with the pulses until it is answered. 0, or -1 for
 * -ERR and a lost connection.
 */
int pulse_until_answered(struct pulse *pulse, int other, const char *line);

/* Percentiles and the count, as NAME_p50= and so on, without an end of line. There is one. */
void pulse_print(struct pulse *pulse, const char *name);

/* --- load_crowd.c: many sessions at once --------------------------------------------------- */

/* What the crowd has done. */
struct crowd_result {
	uint64_t sessions;
	uint64_t failures;
	uint64_t offered; /* tickets */
	uint64_t resumed; /* of them */
	uint64_t nanoseconds;
};

/*
 * Repeats USER PASS STAT QUIT, or QUIT alone, until the time is over. 0, or -1 if it could not even
 * start.
 */
int crowd_logins(const struct options *options, bool login, struct crowd_result *result);

/*
 * Opens a session (USER PASS STAT, or with options->login 0 nothing) for each of the users
 * first..last-1 and writes them to streams[0..last-first-1], in no order. 0, or -1 if any of them
 * failed.
 */
int crowd_open(const struct options *options, uint64_t first, uint64_t last,
	       struct stream *streams);

/* --- the modes; each returns the exit status ------------------------------------------------ */

int mode_logins(const struct options *options);
int mode_handshakes(const struct options *options);
int mode_retr(const struct options *options);
int mode_idle(const struct options *options);
int mode_noop(const struct options *options);
int mode_stall(const struct options *options);
int mode_large(const struct options *options);
int mode_delete(const struct options *options);
int mode_meanwhile(const struct options *options);
int mode_refused(const struct options *options);
int mode_flood(const struct options *options);
int mode_beside(const struct options *options);

#endif
