/*
 * The session, as the files of src/proto see it: its state, the steps they share. A session does
 * one thing at a time: it takes commands, or waits for an answer (`pending`), or sends a long reply
 * (`transfer`). Whatever ends it goes through session_terminate().
 */
#ifndef POP3_PROTO_STATE_H
#define POP3_PROTO_STATE_H

#include "proto/command.h"
#include "proto/context.h"
#include "proto/event.h"
#include "proto/line.h"
#include "proto/maildrop.h"
#include "proto/prepare.h"
#include "proto/sasl.h"
#include "proto/session.h"
#include "proto/text.h"
#include "proto/wire.h"

/* What to do with an answer. It may take over what the answer holds by zeroing it there. */
typedef void answer_function(struct pop3_session *, struct answer *);
/* What to do once the maildrop view knows enough. */
typedef void step_function(struct pop3_session *);

enum transfer_kind { TRANSFER_NONE, TRANSFER_LIST, TRANSFER_UIDL, TRANSFER_MESSAGE };

/* A long reply under way: stops when the output is full, goes on when it drains. */
struct transfer {
	enum transfer_kind kind;
	uint32_t next; /* TRANSFER_LIST, _UIDL: the next message number */
	struct wire wire;
	struct source source;
	char *window; /* a block of the source's octets; NULL when none is held */
	size_t window_start;
	size_t window_length;
	bool loading;   /* pop3_session_load() gave the window away */
	bool counted;   /* a RETR: it counts as a message, its size is checked */
	uint32_t msgno; /* of a message; 0: the lines of a custom command */
	uint64_t announced;
};

/* The octets waiting to be sent, in one block of the pool; none while there are none. */
struct output {
	char *block;
	size_t start;
	size_t length;
};

struct pop3_session {
	struct context *context;
	struct settings *settings;
	void *owner;
	int descriptor;         /* of the connection, or -1 */
	struct emitter emitter; /* the session's own listeners */
	struct pop3_info info;
	uint64_t id;
	void *data;
	void (*release_data)(void *data);

	enum pop3_state state;
	struct line line;
	struct exchange *exchange; /* of SASL, under way; NULL */
	struct output output;
	struct transfer transfer;
	char *challenge; /* the APOP challenge; NULL: no APOP */
	char *user;      /* from USER, or logged in; NULL */
	enum language language;
	struct maildrop_view view;

	struct deferral *pending;   /* the answer that the next command waits for */
	struct pop3_link deferrals; /* all that are outstanding, also those whose time is up */
	answer_function *then;
	step_function *step;
	uint32_t msgno; /* arguments of the command under way */
	uint64_t lines;

	bool begun;      /* session_begin() has been called */
	bool greeted;    /* the greeting is out: commands are taken */
	bool to_secure;  /* TLS has to be started; no command is taken before it has been */
	bool spoken;     /* a line has been received */
	bool user_given; /* the command before was a USER */
	bool opened;     /* `open` was answered ok: `closed` is due */
	bool counted;    /* among the context's users */
	bool throttled;  /* too much output waits */
	bool closing;    /* no more commands; close when the output is out */
	bool draining;   /* the server stops: close after the reply under way */
	bool at_end;     /* the client's stream has ended */
	bool ended;      /* over, but for outstanding answers and a file being read */
	bool finished;
	bool has_reason;
	enum pop3_reason reason;
	const char *fault; /* what was wrong, for the log; NULL */
	size_t behind;     /* octets that were fed with the line being executed and follow it */

	uint64_t now; /* as of the last call */
	uint64_t started;
	uint64_t idle_since; /* the last complete command, or the end of what it caused */
	uint64_t progress;   /* the client took octets, or the first were queued */
	uint64_t answer_by;  /* deadline of `pending` */
	uint64_t secure_by;  /* with to_secure */
	uint64_t messages;
	uint64_t octets;
	uint64_t deleted;
	uint32_t failed_logins;
	uint32_t bad_commands;
};

/* ---- session.c ---- */

/* No more commands; `reason` holds unless there was one before. */
void session_close(struct pop3_session *, enum pop3_reason);
/* Over at once: nothing more is sent. */
void session_terminate(struct pop3_session *, enum pop3_reason);
/* Emit `connected` and greet. */
void session_connect(struct pop3_session *);
/* Emit `closed`, log, finish, once nothing is outstanding. */
void session_try_finish(struct pop3_session *);
/* It is no longer among the sessions of its user. */
void session_uncount(struct pop3_session *);
/* The first fields of an event of this session. */
struct pop3_event session_event(struct pop3_session *);

/* ---- secure.c ---- */

/* From now on the octets are those of a TLS handshake, until pop3_session_secured(). */
void session_start_tls(struct pop3_session *);
/* Somebody has put octets behind STLS: nothing that follows is heard. */
void session_refuse_injection(struct pop3_session *);
/* Is it too early for a password, since TLS is required of this client? */
bool session_needs_tls(const struct pop3_session *);
/* Is this first line one of HTTP? */
bool session_hears_http(const char *text);

/* ---- authorization.c ---- */

/* What a client proves who it is with; as in struct pop3_authenticate. */
struct credentials {
	const char *method, *user, *password, *challenge, *authzid;
};

/* Ask whether they are right; then limit, open, TRANSACTION, or a failed login. */
void session_authenticate(struct pop3_session *, const struct credentials *);
/* The answer of a login has come; one of ok names the user, or it is s->user. `problem`: what is
 * wrong if there is none. */
void session_conclude_login(struct pop3_session *, struct answer *, const char *problem);

/* `remaining` marked messages are not gone after QUIT. Returns how many that are at most. */
size_t session_count_deleted(struct pop3_session *, size_t remaining);

/* ---- ask.c ---- */

/*
 * Emit a request; `then` gets its answer, at once or when it comes. No other command is taken
 * before. False: nobody answered.
 */
bool session_ask(struct pop3_session *, enum event_kind, struct pop3_event *,
		 answer_function *then);
/* A deferred answer has come. Frees the deferral. */
void session_answered(struct pop3_session *, struct deferral *);
/* The deadline of the pending answer has passed. */
void session_expire(struct pop3_session *);
/* Stop waiting for all answers; what has come in the meantime is still honoured. */
void session_abandon(struct pop3_session *);
/* Emit something that needs no answer. */
void session_notify(struct pop3_session *, enum event_kind, struct pop3_event *);
bool session_hears(struct pop3_session *, enum event_kind);

/* ---- international.c ---- */

/*
 * Whatever the client has said before it logged in (USER, UTF8, LANG) is as if it had not been
 * said, as at the beginning.
 */
void session_forget_client(struct pop3_session *);
/* The language of all texts from now on. */
void session_speak(struct pop3_session *, enum language);
/* Are user names and passwords UTF-8 here ("UTF8 USER")? */
bool session_has_utf8_names(const struct pop3_session *);
/*
 * A name or password as it is to be compared: as it is, or where they are UTF-8 prepared, in
 * `room`, which the caller wipes. NULL: it is refused, and the client has been told.
 */
const char *session_prepare_name(struct pop3_session *, const char *text, char room[PREPARED_SIZE]);
const char *session_prepare_password(struct pop3_session *, const char *text,
				     char room[PREPARED_SIZE]);

/* ---- reply.c ---- */

/* Queue one response line; CRLF is added. At most RESPONSE_MAX octets. */
__attribute__((format(printf, 2, 3))) void reply(struct pop3_session *, const char *format, ...);
/* A text of the server's own, in the session's language. */
const char *session_text(const struct pop3_session *, enum text);
void reply_ok(struct pop3_session *, enum text);
void reply_error(struct pop3_session *, enum text);
/* "+OK" and a text whose one or two '#' stand for these. */
void reply_numbers(struct pop3_session *, enum text, uint64_t first, uint64_t second);
/* "+ ", then the octets in base64 (RFC 5034 section 4); at most POP3_SASL_CHALLENGE_MAX. */
void reply_challenge(struct pop3_session *, const char *octets, size_t length);
/* reply_error() to what is no command; too many of them, or of failed logins, end the session. */
void reply_bad_command(struct pop3_session *, enum text);
/* "-ERR" with the code and text of a failure: the listener's text, else the standard one. */
void reply_failure(struct pop3_session *, enum pop3_result, const char *text);
/* Where the next octets can be written, and how many; NULL: out of memory, the session has ended.
 */
char *output_room(struct pop3_session *, size_t *size);
void output_commit(struct pop3_session *, size_t length);
void output_discard(struct pop3_session *);

/* ---- transfer.c ---- */

void transfer_start_list(struct pop3_session *, enum transfer_kind);
/* A message, or with msgno 0 other lines; the source becomes the transfer's, unless the session
 * has ended. */
void transfer_start_message(struct pop3_session *, struct source *, uint32_t msgno, uint64_t lines,
			    uint64_t announced);
/* Go on as far as output and source allow. */
void transfer_run(struct pop3_session *);
/* Is a part of the file wanted now? */
bool transfer_wants_load(const struct pop3_session *);
/* Give up: release source and window, unless the window is being loaded. */
void transfer_abort(struct pop3_session *);

#endif
