/*
 * The settings of the program. One table of rows (option_rows) says for each its key, type, range,
 * default and meaning; from it come the keys of the configuration file, the environment variables
 * (POP3_EMITTER_IDLE_TIMEOUT), the flags (--idle-timeout), the help texts and what `check` checks.
 * A flag wins over the environment, which wins over the file. What has passed options_load() lies
 * in the range of its row.
 */
#ifndef POP3_DAEMON_OPTIONS_H
#define POP3_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read if it exists and no other file is named. */
#define OPTIONS_FILE "/etc/pop3-emitter/pop3-emitter.conf"
/* A larger configuration file is refused; all keys with long values are a tenth of it. */
#define OPTIONS_FILE_MAX 65536u
/* The most of a count, connections above all: descriptors run out long before. */
#define OPTIONS_COUNT_MAX 1000000u
/* Seconds that a failure may be kept waiting: a client that mistyped must not give up meanwhile. */
#define OPTIONS_DELAY_MAX 30u
/* The most addresses in `listen`, networks in `proxy`, files in `cert`. */
#define OPTIONS_LIST_MAX 32u
/* The longest value, in octets: as PATH_MAX. A line of the file holds less, see options_parse(). */
#define OPTIONS_VALUE_MAX 4095u
/* Environment variables that begin so must be settings. */
#define OPTIONS_PREFIX "POP3_EMITTER_"

enum option_log { OPTION_LOG_STDERR, OPTION_LOG_SYSLOG };
/* As enum pop3_require_tls. */
enum option_require_tls { OPTION_TLS_REMOTE, OPTION_TLS_ALWAYS, OPTION_TLS_NEVER };
enum option_alpn { OPTION_ALPN_OPTIONAL, OPTION_ALPN_REQUIRED };
enum option_format { OPTION_FORMAT_LOGFMT, OPTION_FORMAT_JSON };
/* Is UTF8 offered, and what do clients get who do not say it. */
enum option_utf8 { OPTION_UTF8_ON, OPTION_UTF8_STRICT, OPTION_UTF8_OFF };

/* Where a value came from; a later one wins. */
enum option_source { OPTION_DEFAULT, OPTION_FILE, OPTION_ENVIRONMENT, OPTION_FLAG };

struct option_list {
	char *items[OPTIONS_LIST_MAX];
	size_t count;
};

enum {
	OPTION_COUNT = 57, /* rows of the table */
};

/* All settings as values. Texts are NULL where nothing is set and there is no default. */
struct options {
	struct option_list listen; /* addresses as pop3_server_listen() takes them */
	struct option_list listen_tls;
	struct option_list cert, key, ocsp; /* as many keys as certificates, no more staples */
	char *client_ca;
	uint32_t client_certificate; /* enum pop3_client_certificate */
	uint32_t alpn;               /* enum option_alpn */
	uint32_t require_tls;        /* enum option_require_tls */
	struct option_list proxy;    /* networks as struct pop3_proxy has them */
	bool proxy_tls;
	char *maildir, *passwd, *user, *hostname, *index_dir, *recipient_delimiter;
	bool apop, allow_plaintext, strip_domain, mark_seen;
	uint32_t uidl_format; /* enum uidl_format */
	char *dovecot_uidl_format;
	uint32_t max_message_size; /* octets; 0 = any */
	uint32_t utf8;             /* enum option_utf8 */
	bool utf8_user;
	uint32_t language; /* the number of the word */
	uint32_t max_connections, max_connections_per_address, max_connections_per_user;
	uint32_t max_failed_logins, max_bad_commands;
	bool limits_on_loopback;
	/* Seconds. */
	uint32_t handshake_timeout, login_timeout, idle_timeout, write_timeout, answer_timeout,
		drain_timeout, failure_delay, failure_recovery, login_delay, remember_passwords;
	uint32_t address_failures, user_failures;
	char *verify_command;    /* see program_start() */
	uint32_t verify_timeout; /* seconds */
	uint32_t verify_processes;
	struct option_list mechanisms; /* names that mechanisms_add() knows */
	uint32_t store_workers, crypt_workers, crypt_queue;
	uint32_t log;        /* enum option_log */
	uint32_t log_format; /* enum option_format */
	uint32_t log_level;  /* enum pop3_level */
	bool log_time, debug;
	unsigned char source[OPTION_COUNT]; /* enum option_source, by row */
};

enum option_type {
	OPTION_BOOLEAN,    /* yes or no; a flag without a value means yes */
	OPTION_NUMBER,     /* minimum to maximum */
	OPTION_CHOICE,     /* one of the words in `choices` */
	OPTION_WORD,       /* printable ASCII without blanks */
	OPTION_MARKS,      /* punctuation, but no '@' */
	OPTION_PATH,       /* any octets but control octets */
	OPTION_PATTERN,    /* of Dovecot's unique-ids, see store/uidl_pattern.h */
	OPTION_ADDRESS,    /* a list of addresses; commas or blanks between, or given repeatedly */
	OPTION_NETWORK,    /* a list of networks, see base/network.h; likewise */
	OPTION_COMMAND,    /* an absolute path and arguments, blanks between */
	OPTION_MECHANISMS, /* a list of SASL mechanisms; as OPTION_ADDRESS */
	OPTION_FILES,      /* a list of paths without commas; these between, or given repeatedly */
};

/* Which subcommands take a setting as a flag. */
enum option_command {
	OPTION_SERVE = 1,
	OPTION_DEV = 2,
	OPTION_DELIVER = 4,
	OPTION_PASSWD = 8,
	OPTION_CHECK = 16,
};

struct option_row {
	const char *key;
	const char *metavar;
	const char *standard; /* the default as text; NULL = not set */
	const char *help;     /* a phrase without a final stop */
	const char *choices;  /* of OPTION_CHOICE: words with a blank between */
	size_t offset;        /* of the member of struct options */
	uint32_t minimum, maximum;
	enum option_type type;
	unsigned commands; /* of enum option_command */
	bool restart;      /* a reload cannot change it */
};

extern const struct option_row option_rows[OPTION_COUNT];

/* One value from the command line; borrowed. */
struct option_flag {
	const struct option_row *row;
	const char *value;
};

/* Where settings are to be read from; all borrowed. */
struct option_input {
	const char *file;         /* NULL = none */
	bool optional;            /* a missing file is fine */
	char *const *environment; /* as environ; NULL = none */
	const struct option_flag *flags;
	size_t flag_count;
};

/*
 * Hears of each problem: where ("pop3-emitter.conf:12", "POP3_EMITTER_LISTEN", "--listen"), the
 * line (0 = not in a line of a file), and what is wrong. The texts hold control octets as '?'.
 */
struct option_report {
	void (*problem)(const char *place, unsigned line, const char *text, void *data);
	void *data;
};

/* The row of a key, or of a key with '-' for '_' as flags have it; NULL = unknown. */
const struct option_row *option_find(const char *key);

/* Zeroed, then every default. 0 or -ENOMEM. */
int options_init(struct options *);
void options_fini(struct options *);

/*
 * Read all sources and report every problem. 0: *options is set, the caller calls options_fini().
 * Else a code of sysexits(3), and *options holds nothing: EX_USAGE (only flags are wrong),
 * EX_CONFIG (the file or the environment is), EX_OSERR (no memory).
 */
int options_load(const struct option_input *, const struct option_report *, struct options *);

/*
 * Take the keys of a configuration file's text, `name` being its name in problems: lines of
 * `key = value`, comments after ';' or '#', no sections, at most 197 octets a line. Returns how
 * many problems there were; values that are right have been set. *options has been initialised.
 */
unsigned options_parse(struct options *, const char *name, const char *text, size_t length,
		       const struct option_report *);

/*
 * Set one value from its text. NULL: done. Else what is wrong, a phrase valid until the next call
 * of this thread, and nothing is changed.
 */
const char *options_set(struct options *, const struct option_row *, enum option_source,
			const char *value);

/* What options_set() returns when there is no memory: the one phrase that is nobody's mistake. */
extern const char options_no_memory[];

/* Have both the same value for the row? */
bool options_same(const struct options *, const struct options *, const struct option_row *);

#endif
