/*
 * pop3_emitter.h - POP3 (RFC 1939, 2449, 2595, 3206, 5034, 6856, 8314) as an event emitter.
 *
 * A server emits events; the application listens and answers through the event. The library knows
 * no mailbox and no password. Unless a declaration says otherwise every function belongs to the
 * thread that drives its server; the pop3_answer_...() family, pop3_fail(), pop3_drop() and
 * pop3_server_stop() may be called from any thread. Functions that return int give 0 or a negative
 * errno value.
 */
#ifndef POP3_EMITTER_H
#define POP3_EMITTER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
/* The library is built with all else hidden. */
#pragma GCC visibility push(default)

#define POP3_VERSION "0.1.0"

/* The longest text kept of an address ("[…]:port", "unix:/path"), with its final NUL. */
#define POP3_ADDRESS_SIZE 128
/* The longest user name accepted or answered, in octets, without the final NUL. */
#define POP3_USER_MAX 255
/* Room for the tag of a language of LANG, with its final NUL. */
#define POP3_LANGUAGE_SIZE 16
/* The longest APOP challenge, brackets included, with its final NUL. */
#define POP3_CHALLENGE_SIZE 128
/* The most capability lines, and the octets of all of them with their NULs. */
#define POP3_CAPABILITIES_MAX  32
#define POP3_CAPABILITIES_SIZE 1024
/* The names of a TLS version and of a cipher suite with their NUL, and the octets of a channel
 * binding. */
#define POP3_TLS_VERSION_SIZE 16
#define POP3_TLS_CIPHER_SIZE  48
#define POP3_BINDING_SIZE     32
/* The octets of a SASL challenge. */
#define POP3_SASL_CHALLENGE_MAX 3000
/* In an answer to `retrieve`: the message has the size that `list` gave for it. */
#define POP3_OCTETS_LISTED UINT64_MAX
/* In pop3_retrieve.lines: the whole message is wanted (RETR). */
#define POP3_ALL_LINES UINT64_MAX
/* In pop3_wants.deadline: there is none. */
#define POP3_NO_DEADLINE UINT64_MAX

struct pop3_server;
struct pop3_session;
struct pop3_request;

/* A place in a list; embedded, private. */
struct pop3_link {
	struct pop3_link *next, *previous;
};

/*
 * What a listener's answer says. The response code that the client sees stands behind each
 * (RFC 2449 section 8, RFC 3206, RFC 6856 section 5); after the login the first three failures
 * become [SYS/TEMP].
 */
enum pop3_result {
	POP3_OK,
	POP3_DENIED,          /* wrong user or secret: [AUTH] */
	POP3_IN_USE,          /* the maildrop is locked by another session: [IN-USE] */
	POP3_LOGIN_DELAY,     /* too soon after the last login: [LOGIN-DELAY] */
	POP3_TEMPORARY,       /* a failure that may pass: [SYS/TEMP] */
	POP3_PERMANENT,       /* a failure that needs a person: [SYS/PERM] */
	POP3_NO_SUCH_MESSAGE, /* for list, uidl and retrieve */
	POP3_NEEDS_UTF8,      /* for retrieve: only clients that said UTF8 may have it: [UTF8] */
};

/* RFC 1939 section 3. */
enum pop3_state { POP3_AUTHORIZATION, POP3_TRANSACTION, POP3_UPDATE };

/* Why a session ended. pop3_reason_name() gives the word that logs use. */
enum pop3_reason {
	POP3_REASON_QUIT,     /* the client said QUIT */
	POP3_REASON_DROPPED,  /* the client ended its stream without QUIT */
	POP3_REASON_TIMEOUT,  /* a deadline of struct pop3_timeouts passed */
	POP3_REASON_LOST,     /* the connection broke */
	POP3_REASON_REFUSED,  /* a listener or a limit refused it, or octets behind STLS, or HTTP */
	POP3_REASON_ERROR,    /* out of memory, or a message source that ended early */
	POP3_REASON_SHUTDOWN, /* the server stopped */
	POP3_REASON_TLS,      /* the TLS handshake or what came after it was wrong */
	POP3_REASON_LIMIT,    /* too many failed logins or bad commands, or its place was needed */
};

/* What is known of a connection, copied into each event: plain values that can leave the process.
 */
struct pop3_info {
	char peer[POP3_ADDRESS_SIZE];  /* "192.0.2.1:4711", "[2001:db8::1]:4711" or "unix" */
	char local[POP3_ADDRESS_SIZE]; /* likewise; "unix:/path" for a unix socket */
	bool loopback;                 /* the peer is on this machine: 127/8, ::1, unix */
	bool proxied;                  /* a proxy has told who the peer is, see pop3_proxy */
	bool utf8;                     /* the client asked for UTF8 (RFC 6856) */
	/* The tag of the language that it chose with LANG; "i-default", which is English, before.
	 * The server's own texts are in it; those of listeners are sent as they are. */
	char language[POP3_LANGUAGE_SIZE];
	bool stls; /* TLS can be started on this connection: STLS is offered (RFC 2595) */
	bool tls;  /* the octets travel encrypted; what follows is empty without it */
	char tls_version[POP3_TLS_VERSION_SIZE]; /* "TLS1.3" */
	char tls_cipher[POP3_TLS_CIPHER_SIZE];   /* "TLS_AES_128_GCM_SHA256" */
	bool has_binding;
	unsigned char binding[POP3_BINDING_SIZE]; /* tls-exporter (RFC 9266) */
	/* Who the verified client certificate is for: its rfc822Name, else its common name. */
	char certificate[POP3_USER_MAX + 1];
};

/*
 * The head of every event. An event and all it points to are borrowed by the listener until the
 * handler returns; pop3_defer() makes a copy that outlives it.
 */
struct pop3_event {
	uint64_t id;                  /* of the session; never used twice in a process; 0 = none */
	const struct pop3_info *info; /* NULL in an event of no session */
	/* What pop3_session_set_data() hung on; NULL in another process. In a deferred copy it is
	 * good until the answer, unless it is replaced, or session or server are freed, before. */
	void *data;
	struct pop3_request *request; /* private: where the answer goes */
};

/* ---- Requests: one listener answers, by an answer function of its own or pop3_fail(). ---- */

/*
 * A connection has been accepted, and with implicit TLS its handshake is over; no greeting has been
 * sent. Answer with pop3_accept() or pop3_refuse(); unanswered it is accepted. Until the handler
 * returns the session may be given listeners, data and an APOP challenge. In a deferred copy
 * `session` is NULL and `descriptor` -1.
 */
struct pop3_connected {
	struct pop3_event event;
	struct pop3_session *session;
	int descriptor; /* of the socket, owned by the library; -1 for a bare session */
};

/*
 * A user wants in. Answer with pop3_answer_auth(); unanswered an `error` event follows and the
 * client gets -ERR. `password` is wiped after the answer, in a deferred copy too.
 */
struct pop3_authenticate {
	struct pop3_event event;
	const char *user;
	const char *method;    /* "PASS", "APOP", "PLAIN", "LOGIN", "CRAM-MD5" */
	const char *password;  /* the plaintext, or the digest as the client sent it */
	const char *challenge; /* what a digest is made with (APOP, CRAM-MD5); else NULL */
	const char *authzid;   /* the identity asked for where the method has one; else NULL */
};

/*
 * A step of a SASL exchange by a mechanism that a listener has added to the list with
 * pop3_mechanism_add(); what a channel binding needs is in the info. Answer with
 * pop3_answer_challenge() or pop3_answer_sasl(); unanswered an `error` event follows and the client
 * gets -ERR. An exchange whose last answer was a challenge, and which ends without another step
 * (cancelled, malformed, the client gone, or the answer too late), emits one more event with
 * `abort`, which is a notification. The octets are wiped after the answer, in a deferred copy too.
 */
struct pop3_sasl {
	struct pop3_event event;
	const char *mechanism;
	uint32_t step;      /* 0 with AUTH, then one more each */
	const char *octets; /* from the client, a NUL behind; NULL: no initial response */
	size_t length;
	bool abort; /* nothing follows: forget the exchange */
};

/*
 * A user has been authenticated: take the exclusive maildrop lock and freeze the list. Answer with
 * pop3_answer_open(); unanswered it is ok. For each `open` answered POP3_OK there is one `closed`.
 */
struct pop3_open {
	struct pop3_event event;
	const char *user;
};

/*
 * The sizes of all messages (which = 0), or of message `which` (1-based), in octets as sent: line
 * ends are CRLF, before byte-stuffing (RFC 1939 sections 5 and 11). Answer with pop3_answer_list();
 * no size for a single message = there is none. Unanswered the maildrop is empty. The whole list is
 * asked for at most once a session.
 */
struct pop3_list {
	struct pop3_event event;
	const char *user;
	uint32_t which;
};

/*
 * The unique-ids, likewise (RFC 1939 section 7): 1 to 70 octets of 0x21 to 0x7E each. Answer with
 * pop3_answer_uidl(). Where no listener has a handler UIDL is not offered.
 */
struct pop3_uidl {
	struct pop3_event event;
	const char *user;
	uint32_t which;
};

/*
 * The text of message `which` is wanted: all of it, or its header and `lines` lines of its body
 * (TOP). Answer with pop3_answer_bytes(), _descriptor(), _pull() - always with the whole message,
 * the library cuts it - or pop3_fail(). Unanswered the client gets -ERR.
 *
 * A message whose header fields hold UTF-8 (RFC 6532) is for clients with event.info->utf8. For
 * others RFC 6856 section 2.1 wants another form of it, or a refusal with POP3_NEEDS_UTF8; the
 * library does not look into messages and sends what it is given.
 */
struct pop3_retrieve {
	struct pop3_event event;
	const char *user;
	uint32_t which;
	uint64_t lines; /* POP3_ALL_LINES for RETR */
};

/*
 * The client said QUIT after a login: delete these messages, ascending, possibly none. Answer with
 * pop3_answer_quit(); unanswered all count as gone. No other event deletes anything.
 */
struct pop3_quit {
	struct pop3_event event;
	const char *user;
	const uint32_t *messages; /* message numbers */
	size_t count;
};

/*
 * A command line was received. Seen by the `command` handlers before the built-in command, but not
 * those that need TLS first (`require_tls`); one that answers (pop3_answer_command(),
 * pop3_answer_multiline()) takes its place, and a verb that only a handler knows is a custom
 * command. Unanswered the built-in command runs. In a deferred copy `session` is NULL. The
 * arguments of PASS are the password.
 */
struct pop3_command {
	struct pop3_event event;
	struct pop3_session *session;
	enum pop3_state state;
	const char *verb;      /* in capitals */
	const char *arguments; /* what follows the first blank; "" if nothing */
};

/* ---- Notifications: all listeners hear them; there is no answer. ---- */

/*
 * CAPA is about to be answered (RFC 2449), or AUTH, which takes the mechanisms that the line SASL
 * of this list offers. The listener may change the list with
 * pop3_capability_add() and pop3_capability_remove().
 */
struct pop3_capabilities {
	struct pop3_event event;
	struct pop3_session *session;
	enum pop3_state state;
	size_t count;
	const char *lines[POP3_CAPABILITIES_MAX];
	size_t used;                       /* private */
	char text[POP3_CAPABILITIES_SIZE]; /* private */
};

/*
 * A session whose `open` was answered POP3_OK is over: release the lock. It comes after every other
 * event of the session has been answered, whether or not the client still lives.
 */
struct pop3_closed {
	struct pop3_event event;
	const char *user;
	enum pop3_reason reason;
	uint64_t messages; /* sent whole by RETR */
	uint64_t octets;   /* of messages sent by RETR and TOP, before byte-stuffing */
	uint64_t deleted;  /* gone at QUIT */
	uint64_t duration; /* milliseconds since the connection was made */
};

/* Something went wrong that no client can be blamed for. Unheard it goes to the log. Never fatal.
 */
struct pop3_error {
	struct pop3_event event;
	const char *text;
	uint32_t message; /* whose size, as `list` gave it, is not that of what was sent; else 0 */
};

/* The server accepts connections at an address; the port is the real one. */
struct pop3_listening {
	struct pop3_event event;
	const char *address; /* "127.0.0.1:41873", "[::1]:110", "unix:/path" */
	uint16_t port;       /* 0 for a unix socket */
	bool tls;            /* implicit TLS */
};

/*
 * A table of handlers, one optional member an event; `data` is the listener's. Constant and shared
 * by any number of listeners. A zeroed tail is fine: `size` says what the application knew.
 */
struct pop3_handlers {
	size_t size; /* sizeof(struct pop3_handlers) */
	void (*connected)(struct pop3_connected *, void *data);
	void (*capabilities)(struct pop3_capabilities *, void *data);
	void (*authenticate)(struct pop3_authenticate *, void *data);
	void (*open)(struct pop3_open *, void *data);
	void (*list)(struct pop3_list *, void *data);
	void (*uidl)(struct pop3_uidl *, void *data);
	void (*retrieve)(struct pop3_retrieve *, void *data);
	void (*quit)(struct pop3_quit *, void *data);
	void (*closed)(struct pop3_closed *, void *data);
	void (*error)(struct pop3_error *, void *data);
	void (*listening)(struct pop3_listening *, void *data);
	void (*command)(struct pop3_command *, void *data);
	const char *verbs; /* the verbs `command` wants, in capitals, a blank between; NULL = all */
	void (*sasl)(struct pop3_sasl *, void *data);
};

/*
 * One subscription, embedded in the application's own memory: set `handlers` and `data`, zero the
 * rest, attach. It must stay in place until it is detached, or its session or server is gone.
 */
struct pop3_listener {
	const struct pop3_handlers *handlers;
	void *data;
	struct pop3_link link; /* private */
	void *source;          /* private */
};

/* ---- Options ---- */

/* One field of a log record. `text` wins over `number`. */
struct pop3_field {
	const char *name;
	const char *text; /* may hold any octet but NUL: whoever prints it escapes it */
	uint64_t number;
};

enum pop3_level { POP3_LOG_ERROR, POP3_LOG_WARNING, POP3_LOG_INFO, POP3_LOG_DEBUG };

/* One line for the log: the name of what happened and its fields, `session` first if there is one.
 */
struct pop3_record {
	enum pop3_level level;
	const char *event;
	const struct pop3_field *fields;
	size_t count;
};

/* Milliseconds; 0 = the default given here. */
struct pop3_timeouts {
	uint32_t handshake; /* 10,000: from its begin to the end of a TLS handshake */
	uint32_t login;     /* 60,000: from the connection to the login, in total */
	uint32_t idle; /* 600,000: without a command, nothing pending or queued (RFC 1939 section 3)
			*/
	uint32_t write;  /* 60,000: output waiting and the peer takes none */
	uint32_t answer; /* 60,000: a deferred event; then the client gets [SYS/TEMP] */
};

/* Counts; 0 = the default given here. */
struct pop3_limits {
	uint32_t connections;             /* 10,000; above, the oldest before its login must go */
	uint32_t connections_per_address; /* 50; not for loopback and unix peers */
	uint32_t connections_per_user;    /* 10 logged-in sessions */
	uint32_t failed_logins;           /* 3 on one connection, then it is closed */
	uint32_t bad_commands;            /* 10 that are none or malformed, likewise */
	bool on_loopback;                 /* the limit per address holds for loopback too */
};

/* What APOP challenge the greeting carries (RFC 1939 section 7). */
enum pop3_apop {
	POP3_APOP_RANDOM,   /* the default: "<random@hostname>", other for each connection */
	POP3_APOP_OFF,      /* none: APOP is refused, and so is CRAM-MD5 */
	POP3_APOP_FIXED,    /* apop_value for every connection */
	POP3_APOP_FUNCTION, /* what apop_function makes */
};

/* Is UTF8 offered (RFC 6856 section 2)? */
enum pop3_utf8 {
	POP3_UTF8_ON, /* the default: yes; names and passwords may hold any octets */
	/* Yes, as "UTF8 USER": names and passwords are UTF-8, others are refused; events have them
	 * in the form of OpaqueString (RFC 8265: NFC, plain blanks), which secrets must have, too.
	 */
	POP3_UTF8_USER,
	POP3_UTF8_OFF, /* no */
};

/*
 * A certificate chain and its key: the path of a PEM file each, or PEM text itself, which is known
 * by its "-----BEGIN ". `ocsp`: the path of an OCSP response to staple, DER or PEM, or NULL.
 */
struct pop3_certificate {
	const char *cert, *key, *ocsp;
};

enum pop3_client_certificate {
	POP3_CERTIFICATE_NONE,     /* it is not asked for */
	POP3_CERTIFICATE_OPTIONAL, /* one that is sent must be good */
	POP3_CERTIFICATE_REQUIRED,
};

/* All besides the first certificate; zeroed, it means the defaults. */
struct pop3_tls {
	const char *ocsp; /* for the first certificate */
	/* Chosen by the name that the client asks for (SNI) and by what it can verify. */
	const struct pop3_certificate *more;
	size_t more_count;
	const char *client_ca; /* who signs client certificates: a path or PEM */
	enum pop3_client_certificate client_certificate;
	bool alpn_required; /* refuse clients that do not name "pop3" (RFC 7301); others always */
	bool keep;          /* what is loaded stays and no file is read, unless nothing is loaded */
};

/*
 * The PROXY protocol, versions 1 and 2. Every connection from one of the networks must begin with a
 * header, before TLS too, within the time of a handshake; what does not is closed with one line in
 * the log. `connected` comes after it, and from then on the client and its address are those that
 * the header names, also for the limits; `loopback` only if proxy and client both are on this
 * machine. With LOCAL, UNKNOWN and UNSPEC the addresses stay. From elsewhere a header is a bad
 * command.
 */
struct pop3_proxy {
	/* "192.0.2.0/24", "2001:db8::/32", an address alone, "unix" (all unix sockets). */
	const char *const *networks;
	size_t count;
	/*
	 * Believe a header that says that its client speaks TLS with the proxy (not where implicit
	 * TLS follows): `tls`, its version, and the common name of a verified client certificate.
	 * A client that has named another protocol than "pop3" (ALPN) is refused.
	 */
	bool tls;
};

/* Who has to use TLS before USER, PASS, APOP and AUTH (RFC 8314 section 4.1). */
enum pop3_require_tls {
	POP3_TLS_REMOTE, /* the default: who is not on this machine, if TLS can be had here, or from
			  * the proxy that the client comes through, by pop3_proxy.tls */
	POP3_TLS_ALWAYS, /* everybody; needs a certificate, or pop3_proxy.tls */
	POP3_TLS_NEVER,
};

/*
 * Zeroed but for `size`, it means the defaults. Without `cert` and `key` there is no TLS. A fixed
 * or made APOP value in "<…>" is used as it is; any other becomes "<value@hostname>". A value with
 * control octets, blanks or stray brackets leads to an `error` event and no APOP.
 */
struct pop3_options {
	size_t size; /* sizeof(struct pop3_options) */
	/* NULL = one line a record to stderr, which blocks as stderr does. Called on the server's
	 * thread; borrowed until it returns. */
	void (*log)(const struct pop3_record *, void *data);
	void *log_data;
	/* Log each command line, the arguments of PASS, APOP and AUTH hidden, the mechanism that
	 * AUTH begins, and each response line, but not what LIST, UIDL, RETR and TOP send after
	 * it. */
	bool debug;
	enum pop3_apop apop;
	const char *apop_value;
	/* Writes a value of at most size - 1 octets and a NUL; false = no APOP on this connection.
	 */
	bool (*apop_function)(const struct pop3_info *, char *value, size_t size, void *data);
	void *apop_data;
	struct pop3_timeouts timeouts;
	struct pop3_limits limits;
	enum pop3_utf8 utf8;
	/* The tag that a client gets for "LANG *": "en", "de", "fr"; NULL = "i-default". */
	const char *language;
	const char *cert, *key; /* as in struct pop3_certificate */
	struct pop3_tls tls;
	enum pop3_require_tls require_tls;
	struct pop3_proxy proxy;
};

/* ---- Listeners ---- */

/*
 * Attach at the end of the server's listeners. Safe at any moment, also during an emission: a new
 * listener hears the next one. A session's own listeners hear an event before the server's do.
 * 0, or -EINVAL: the listener is attached already or has no handlers.
 */
int pop3_server_attach(struct pop3_server *, struct pop3_listener *);
/* The same for the events of one session, from `connected` on. */
int pop3_session_attach(struct pop3_session *, struct pop3_listener *);
/* Detach, from wherever it is; at once, also during an emission. A detached listener is left alone.
 */
void pop3_detach(struct pop3_listener *);

/* ---- Answers ---- */

/*
 * To answer later: a copy of the event with all it points to, owned by the caller until exactly one
 * answer, pop3_fail() or pop3_drop() consumes it; from any thread, also after the client has left
 * or the server is gone. Call it in the handler, with the handler's event, instead of an answer.
 * After pop3_timeouts.answer the client gets [SYS/TEMP] and the late answer is only cleaned up
 * after. NULL: out of memory (the client gets [SYS/TEMP]), or the event was answered, deferred, or
 * is a notification.
 */
void *pop3_defer(struct pop3_event *);
/* Give a deferred event back unanswered: the client gets [SYS/TEMP]. */
void pop3_drop(struct pop3_event *);

/*
 * Each answer returns 0; -EALREADY: the event had been answered, deferred or is a notification, and
 * nothing happened; -ECANCELED: the server is gone, a deferred event is freed, and no `closed` will
 * follow an `open` (release what it holds); -ENOMEM: as pop3_fail(POP3_TEMPORARY). Whatever is
 * returned, what the answer hands over (descriptor, release function) has been or will be released
 * by the library. Texts are copied; at most 200 octets reach the client, control octets replaced;
 * NULL = the library's own text.
 */
int pop3_accept(struct pop3_connected *);
/* Close at once (text NULL) or after "-ERR text". */
int pop3_refuse(struct pop3_connected *, const char *text);
/* POP3_OK: `text` is the canonical user name for all later events, NULL = as given. Else -ERR. */
int pop3_answer_auth(struct pop3_authenticate *, enum pop3_result, const char *text);
/* The exchange goes on: at most POP3_SASL_CHALLENGE_MAX octets, copied; more is -EMSGSIZE, and the
 * event is still to be answered. What the mechanism says at its successful end is one more
 * challenge, to which the client answers with nothing (RFC 5034 section 4). */
int pop3_answer_challenge(struct pop3_sasl *, const void *octets, size_t length);
/* The exchange ends. POP3_OK: `text` is the user, who must be named; else as pop3_answer_auth(). */
int pop3_answer_sasl(struct pop3_sasl *, enum pop3_result, const char *text);
int pop3_answer_open(struct pop3_open *, enum pop3_result, const char *text);
/* The sizes are copied. */
int pop3_answer_list(struct pop3_list *, const uint64_t *sizes, size_t count);
/* The sizes stay the caller's, unchanged, until release(state) is called once, on the server's
 * thread or, when the answer is late, the caller's. */
int pop3_answer_list_block(struct pop3_list *, const uint64_t *sizes, size_t count,
			   void (*release)(void *state), void *state);
/* The unique-ids are copied. */
int pop3_answer_uidl(struct pop3_uidl *, const char *const *ids, size_t count);
/* One block: unique-id i (0-based) begins at text + offsets[i] and ends with a NUL. */
int pop3_answer_uidl_block(struct pop3_uidl *, const char *text, const uint32_t *offsets,
			   size_t count, void (*release)(void *state), void *state);
/* The octets must stay valid and unchanged until the session's `closed`. */
int pop3_answer_bytes(struct pop3_retrieve *, const void *octets, size_t length);
/* The same, but valid until release(state) is called once. */
int pop3_answer_block(struct pop3_retrieve *, const void *octets, size_t length,
		      void (*release)(void *state), void *state);
/*
 * The message is `length` octets at `offset` of a file that pread(2) can read; the library owns the
 * descriptor from now on and closes it. `octets`: the size as sent, or POP3_OCTETS_LISTED. A file
 * that ends early closes the connection without the final dot.
 */
int pop3_answer_descriptor(struct pop3_retrieve *, int descriptor, uint64_t offset, uint64_t length,
			   uint64_t octets);
/*
 * The library calls pull(state, buffer, size) on its thread when it can send more; it must not
 * block and returns the octets written (1 to size), 0 at the end, or a negative errno value, which
 * closes the connection. release(state) is called once, at the latest when the session ends.
 */
int pop3_answer_pull(struct pop3_retrieve *,
		     ssize_t (*pull)(void *state, void *buffer, size_t size),
		     void (*release)(void *state), void *state, uint64_t octets);
/* `remaining` marked messages are not gone: 0 = "+OK", else "-ERR [SYS/TEMP]". */
int pop3_answer_quit(struct pop3_quit *, size_t remaining);
/* "+OK text" or "-ERR text". */
int pop3_answer_command(struct pop3_command *, bool ok, const char *text);
/* "+OK text", then `length` octets as a multi-line response; they are copied, repaired and stuffed.
 */
int pop3_answer_multiline(struct pop3_command *, const char *text, const void *octets,
			  size_t length);
/* Any request but `connected` and `command` ends in failure; POP3_OK is -EINVAL. */
int pop3_fail(struct pop3_event *, enum pop3_result, const char *text);

/*
 * Does the client know this secret? Applies to the plaintext `secret` of `length` octets what the
 * method demands (PASS, PLAIN, LOGIN: nothing; APOP: MD5 of challenge and secret; CRAM-MD5: its
 * HMAC) and compares in constant time.
 * It needs only the event, so it works in a deferred copy and in any process.
 */
bool pop3_matches(const struct pop3_authenticate *, const void *secret, size_t length);

/*
 * Add a line ("X-TAG arguments") or remove those with a tag. Add: 0; -EINVAL: it has other than
 * printable ASCII, begins with a blank or a dot, or is over 510 octets; -ENOSPC: too many.
 */
int pop3_capability_add(struct pop3_capabilities *, const char *line);
void pop3_capability_remove(struct pop3_capabilities *, const char *tag);
/*
 * Offer one more SASL mechanism, behind those that are offered. 0; -EINVAL: it is no name of 1 to
 * 20 of A to Z, 0 to 9, '-' and '_'; -ENOSPC: too many.
 */
int pop3_mechanism_add(struct pop3_capabilities *, const char *name);

const char *pop3_reason_name(enum pop3_reason);

/* ---- The server ---- */

/*
 * Would these options do? Reads what the TLS options name, as whoever calls; any thread. `problem`,
 * if not NULL, hears of each: a text that names the file; not `fatal`: a certificate that is not
 * valid now. 0, -EINVAL, -ENOMEM, or what reading a file said.
 */
int pop3_options_check(const struct pop3_options *,
		       void (*problem)(const char *text, bool fatal, void *data), void *data);
/*
 * A new server with copied options (NULL = defaults) and, if not NULL, a first listener. hostname
 * NULL = the machine's. NULL with errno: as pop3_options_check(), whose texts go to the log.
 */
struct pop3_server *pop3_server_new(const char *hostname, const struct pop3_options *,
				    struct pop3_listener *);
/*
 * New options for the connections to come; those that live keep theirs. Certificates are read
 * again. 0, or as pop3_options_check(), whose texts go to the log; then all stays as it was.
 */
int pop3_server_configure(struct pop3_server *, const struct pop3_options *);
/*
 * Listen at "127.0.0.1:110", "[::1]:110", ":110" (every address), "unix:/path"; port 0 = a free
 * one. As often as wanted. The `listening` event tells the real port. A stale unix socket that
 * nobody listens on is replaced. 0, -EINVAL (not an address), -ECANCELED (after
 * pop3_server_stop()), -ENOMEM, or what socket, bind or listen said.
 */
int pop3_server_listen(struct pop3_server *, const char *address);

/* How to listen; zeroed but for `size`, as pop3_server_listen() does. */
struct pop3_listen {
	size_t size; /* sizeof(struct pop3_listen) */
	bool tls; /* implicit TLS (RFC 8314 section 3.1): the handshake comes before the greeting */
};
/* The same; also -EINVAL for implicit TLS without a certificate. */
int pop3_server_listen_with(struct pop3_server *, const char *address, const struct pop3_listen *);
/*
 * Serve a listening stream socket (IPv4, IPv6 or unix) that somebody else has bound, as systemd
 * does for its services. 0: the descriptor is the library's, which closes it at the end and removes
 * no file; it has become non-blocking and close-on-exec. Else it stays the caller's: -EINVAL (none
 * that listens, or no certificate for implicit TLS), -ECANCELED, -ENOMEM, or what fcntl said.
 */
int pop3_server_adopt(struct pop3_server *, int descriptor, const struct pop3_listen *);

/* Level 1: serve until pop3_server_stop(). 0, or why the loop could not go on. */
int pop3_server_run(struct pop3_server *);
/*
 * From any thread or a signal handler: accept no more, let transfers under way end for at most
 * `drain` milliseconds, then close all; run() returns. A second call may only shorten the time.
 */
void pop3_server_stop(struct pop3_server *, uint32_t drain);

/*
 * Level 2: serve from the caller's poll(2) loop. Fills at most `size` entries and *timeout
 * (milliseconds, -1 = none), returns how many there are; more than `size`: call again with room.
 */
size_t pop3_server_pollfds(struct pop3_server *, struct pollfd *, size_t size, int *timeout);
/*
 * Serve what poll(2) found in the entries that pop3_server_pollfds() filled, and what is due. Not
 * from within a handler.
 */
void pop3_server_dispatch(struct pop3_server *, const struct pollfd *, size_t count);
/* pop3_server_stop() was called and every session is over. */
bool pop3_server_stopped(const struct pop3_server *);

/*
 * Close everything, emit what `closed` events are due, free. Deferred events may be answered later
 * and find -ECANCELED; only here `closed` does not wait for them, so an application whose workers
 * may be in the middle of a `quit` lets them end first. Not from within a handler. Bare sessions
 * must have been freed before.
 */
void pop3_server_free(struct pop3_server *);

/* ---- Level 3: the bare session, without a socket or a system call ---- */

/* What a session waits for. */
struct pop3_wants {
	bool read;         /* pop3_session_feed() will take octets */
	bool write;        /* pop3_session_output() has octets */
	bool load;         /* pop3_session_load() wants part of a file */
	bool start_tls;    /* do the TLS handshake now, then pop3_session_secured() */
	bool close;        /* nothing left to send: close the transport, then pop3_session_end() */
	bool finished;     /* ended, every event answered, `closed` emitted: it may be freed */
	uint64_t deadline; /* when pop3_session_tick() is to be called, or POP3_NO_DEADLINE */
};

/* Part of a file that a session needs next. */
struct pop3_load {
	int descriptor;
	uint64_t offset;
	void *buffer; /* the session's, until pop3_session_loaded() */
	size_t size;
};

/*
 * A session of a server that need not listen: its listeners, options and limits. It emits
 * `connected` at once. `now` is here and below any clock in milliseconds that never goes back, the
 * same for all sessions of a server; with one that listens it is CLOCK_MONOTONIC. What the client
 * has to say (utf8, language) is not taken from the info. NULL: no memory.
 */
struct pop3_session *pop3_session_new(struct pop3_server *, const struct pop3_info *, uint64_t now);
/* Octets from the client. Returns how many were taken; the rest is to be offered again later. From
 * `start_tls` to pop3_session_secured() there can be none but those of TLS: octets that are fed
 * then came behind STLS, and end the session. */
size_t pop3_session_feed(struct pop3_session *, const void *octets, size_t length, uint64_t now);
/* Octets for the client, valid until the next call for this session; *length may be 0. */
const void *pop3_session_output(struct pop3_session *, size_t *length);
/* So many of them are sent. */
void pop3_session_sent(struct pop3_session *, size_t length, uint64_t now);
/* The same in one call: copies at most `size` octets, counts them as sent, returns how many. */
size_t pop3_session_pull(struct pop3_session *, void *buffer, size_t size, uint64_t now);
struct pop3_wants pop3_session_wants(const struct pop3_session *);
/*
 * STLS (RFC 2595): a session made with info.stls, and without info.tls, offers it; after its +OK,
 * when that has been sent, it wants `start_tls`. The handshake is the caller's; all octets from the
 * next on are TLS's. When it has succeeded: what follows `tls` in the info is taken over, and what
 * the client said before is forgotten. If it has not: pop3_session_end(), POP3_REASON_TLS.
 */
void pop3_session_secured(struct pop3_session *, const struct pop3_info *, uint64_t now);
/* If part of a file is wanted: true and which. Read it and say so with pop3_session_loaded(). */
bool pop3_session_load(struct pop3_session *, struct pop3_load *);
/* `result`: octets read, 0 = the file ended, or a negative errno value. */
void pop3_session_loaded(struct pop3_session *, ssize_t result, uint64_t now);
/*
 * The client's stream has ended (POP3_REASON_DROPPED: what was fed is still served and the output
 * can still be sent), or the session has to end now for any other reason.
 */
void pop3_session_end(struct pop3_session *, enum pop3_reason, uint64_t now);
/* Look at the clock and at deferred answers (of all sessions of the server). Not from within a
 * handler, as all functions that take `now`. */
void pop3_session_tick(struct pop3_session *, uint64_t now);
/*
 * Also before it is finished: then as in pop3_server_free(), and what pop3_session_load() gave must
 * not be in use any more. Not from within a handler.
 */
void pop3_session_free(struct pop3_session *);

/*
 * Hang application data on a session; it is in each later event of it. release(data), if not NULL,
 * is called once, when the last event is over, or when other data takes its place.
 */
void pop3_session_set_data(struct pop3_session *, void *data, void (*release)(void *data));
/* In `connected`: this session's APOP challenge, by the rules of struct pop3_options; NULL = no
 * APOP. 0; -EINVAL or -ENOMEM: it stays as it was. */
int pop3_session_set_apop(struct pop3_session *, const char *value);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
