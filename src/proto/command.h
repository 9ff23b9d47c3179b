/*
 * The command table: verb, argument grammar, states, capability, handler. A new command is a row
 * here, a handler in authorization.c, transaction.c or international.c, a test, and a line of
 * documentation.
 */
#ifndef POP3_PROTO_COMMAND_H
#define POP3_PROTO_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pop3_emitter.h"

enum grammar {
	ARGUMENTS_NONE,
	ARGUMENTS_WORD,          /* one word */
	ARGUMENTS_MAYBE_WORD,    /* one word or nothing */
	ARGUMENTS_TWO_WORDS,     /* two words */
	ARGUMENTS_REST,          /* all that follows the blank, blanks included; not empty */
	ARGUMENTS_MESSAGE,       /* a message number */
	ARGUMENTS_MAYBE_MESSAGE, /* a message number or nothing */
	ARGUMENTS_MESSAGE_LINES, /* a message number and a number of lines */
};

/* The arguments of a command, cut by its grammar; strings end with a NUL. */
struct arguments {
	char *first;
	char *second;
	uint32_t msgno; /* ARGUMENTS_MAYBE_MESSAGE: with has_msgno */
	bool has_msgno;
	uint64_t lines;
};

#define IN_AUTHORIZATION (1u << POP3_AUTHORIZATION)
#define IN_TRANSACTION   (1u << POP3_TRANSACTION)

/* What a command has to do with TLS. Where it is not allowed CAPA does not offer it. */
enum tls_rule {
	TLS_NO_MATTER,
	TLS_IF_REQUIRED, /* it carries a name or a secret: session_needs_tls() */
	TLS_BEFORE,      /* STLS: once, in the states that have it */
};

struct command {
	const char *verb;
	enum grammar grammar;
	unsigned states;
	enum tls_rule tls;
	const char *capability; /* the line that CAPA shows for it, or NULL */
	/* Can it succeed here at all? NULL: always. It is unknown and not in CAPA where it cannot.
	 */
	bool (*available)(struct pop3_session *);
	void (*run)(struct pop3_session *, struct arguments *);
};

/* One line from the client, without its end; `text` is cut up. */
void command_execute(struct pop3_session *, char *text);
/* The standard list of RFC 2449, the same in both states; then the `capabilities` event. */
void command_capa(struct pop3_session *, struct arguments *);

/* authorization.c */
void command_user(struct pop3_session *, struct arguments *);
void command_pass(struct pop3_session *, struct arguments *);
void command_apop(struct pop3_session *, struct arguments *);
void command_quit(struct pop3_session *, struct arguments *);
bool command_apop_available(struct pop3_session *);

/* international.c */
void command_lang(struct pop3_session *, struct arguments *);
void command_utf8(struct pop3_session *, struct arguments *);
bool command_utf8_available(struct pop3_session *);

/* secure.c */
void command_stls(struct pop3_session *, struct arguments *);
bool command_stls_available(struct pop3_session *);

/* transaction.c */
void command_stat(struct pop3_session *, struct arguments *);
void command_list(struct pop3_session *, struct arguments *);
void command_uidl(struct pop3_session *, struct arguments *);
void command_retr(struct pop3_session *, struct arguments *);
void command_top(struct pop3_session *, struct arguments *);
void command_dele(struct pop3_session *, struct arguments *);
void command_noop(struct pop3_session *, struct arguments *);
void command_rset(struct pop3_session *, struct arguments *);
bool command_uidl_available(struct pop3_session *);

#endif
