/*
 * A POP3 client and the application behind the server in one struct: a bare session, a listener
 * over a store in memory, and what the client has received. No socket, no clock, no thread: `now`
 * is what the test says it is. Each handler writes a line to `trace`, then answers from the store,
 * or keeps a deferred copy when the test wants to answer later.
 */
#ifndef POP3_TESTS_UNIT_PEER_H
#define POP3_TESTS_UNIT_PEER_H

#include "proto/context.h"
#include "proto/event.h"
#include "proto/session.h"
#include "unit/suite.h"

/* One write a command; one octet a write (and a read); everything in one write. */
enum peer_mode { PEER_WHOLE, PEER_BYTES, PEER_PIPELINED, PEER_MODES };

/* How the store hands a message over. */
enum peer_source { PEER_FROM_BYTES, PEER_FROM_PULL, PEER_FROM_DESCRIPTOR, PEER_SOURCES };

/* Octets that only grow. */
struct peer_text {
	char *octets; /* ends with a NUL; NULL while empty */
	size_t length;
	size_t capacity;
};

struct peer_message {
	const char *octets;
	size_t length;
	uint64_t size; /* as `list` says */
	const char *id;
};

struct peer {
	/* Set up before peer_connect(). */
	struct pop3_options options;   /* no APOP, patient, the log goes to `log` */
	struct pop3_handlers handlers; /* all of them but `command` */
	struct pop3_listener listener;
	struct pop3_info info;
	struct peer_message messages[4];
	size_t count; /* at first 3 */
	enum peer_mode mode;
	uint64_t now;

	/* How the application behaves. */
	bool hold[EVENT_KINDS];                /* defer it */
	struct pop3_event *held[EVENT_KINDS];  /* the copy */
	enum pop3_result results[EVENT_KINDS]; /* POP3_OK: answer from the store */
	const char *texts[EVENT_KINDS];        /* with any result */
	bool silent[EVENT_KINDS];              /* do not answer at all */
	enum peer_source source;
	size_t chunk;     /* octets a pull or a read gives at most; 0 = all */
	size_t remaining; /* the answer to quit */

	/* How the client behaves. */
	bool deaf;       /* it does not read */
	size_t read_max; /* octets it reads at most at once; 0 = all */

	struct context context;
	struct pop3_session *session;
	struct peer_text unread; /* sent, not yet taken by the session */
	struct peer_text received;
	struct peer_text trace;
	struct peer_text errors;
	struct peer_text log;
	size_t wakes;
	size_t released; /* pull sources */
};

/* Everything at its standard; nothing is connected yet. */
void peer_init(struct peer *);
/* Make the server part; peer_connect() does it if it has not been done. */
void peer_serve(struct peer *);
/* Attach the listener, connect, read the greeting, which stays in `received`. */
void peer_connect(struct peer *);
/* peer_init(), connect and log in as alice; nothing is left in `received` and `trace`. */
void peer_login(struct peer *);
/* USER, PASS on a peer that is connected. */
void peer_enter(struct peer *);
/* Free all. Fails the test if an error event or an octet was not looked at. */
void peer_fini(struct peer *);

/* Send command lines: each LF of `lines` and its end become CRLF. */
void peer_send(struct peer *, const char *lines);
void peer_send_octets(struct peer *, const char *octets, size_t length);
/* Let both sides go on until nothing moves. */
void peer_run(struct peer *);
/* Let time pass. */
void peer_wait(struct peer *, uint64_t milliseconds);
/* Answer what was held, from the store, and run. */
void peer_answer(struct peer *, enum event_kind);
/* What is held is the test's from now on. */
void *peer_take(struct peer *, enum event_kind);
/* Close the transport if the session wants that: true, and it is finished. */
bool peer_is_closed(struct peer *);

/* Did the client receive exactly these lines (as in peer_send()) since the last time? */
bool peer_got(struct peer *, const char *lines);
bool peer_got_octets(struct peer *, const char *octets, size_t length);
/* Did the application hear exactly these events, one a line, since the last time? */
bool peer_heard(struct peer *, const char *lines);
/* Likewise the texts of error events. */
bool peer_failed(struct peer *, const char *lines);

/* A command and what comes back for it. */
struct turn {
	const char *send;
	const char *expect;
};

#define TURN_LOGIN                                                                                 \
	{"USER alice", "+OK send PASS"},                                                           \
	{                                                                                          \
		"PASS secret", "+OK maildrop ready"                                                \
	}
#define TURN_END                                                                                   \
	{                                                                                          \
		NULL, NULL                                                                         \
	}

/*
 * The same dialog in every mode, each on a fresh peer that `set_up` (may be NULL) has seen before
 * it connects; the greeting has been read. `heard` and `failed` as above, NULL = not looked at.
 */
void peer_dialog(void (*set_up)(struct peer *), const struct turn *, const char *heard,
		 const char *failed);

void text_append(struct peer_text *, const char *octets, size_t length);
void text_clear(struct peer_text *);

#endif
