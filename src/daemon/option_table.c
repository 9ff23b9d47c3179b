/*
 * The table of settings. Adding one is a row here, a member in struct options, a paragraph in
 * pop3-emitter.conf(5) and a line in etc/pop3-emitter.conf; a test compares all four.
 */
#include <stdint.h>
#include <string.h>

#include "daemon/options.h"
#include "store/uidl_pattern.h"

/* A week: a timeout above is a mistake, and in milliseconds it still fits 32 bits. */
#define SECONDS_MAX 604800u
/* Threads: more only wait for the same disk or the same cores. */
#define WORKERS_MAX 64u
/* Logins that wait for a crypt worker. */
#define QUEUE_MAX 100000u

#define ALL  (OPTION_SERVE | OPTION_DEV | OPTION_DELIVER | OPTION_PASSWD | OPTION_CHECK)
#define RUNS (OPTION_SERVE | OPTION_DEV | OPTION_CHECK)
#define LIVE (OPTION_SERVE | OPTION_CHECK)
#define MAIL (OPTION_SERVE | OPTION_DELIVER | OPTION_CHECK)

#define AT(member) .offset = offsetof(struct options, member), .key = #member

#define BOOLEAN(member, value, who, text)                                                          \
	AT(member), .type = OPTION_BOOLEAN, .metavar = "yes|no", .standard = (value),              \
		    .commands = (who), .help = (text)
#define NUMBER(member, value, low, high, unit, who, text)                                          \
	AT(member), .type = OPTION_NUMBER, .metavar = (unit), .standard = (value),                 \
		    .minimum = (low), .maximum = (high), .commands = (who), .help = (text)
#define CHOICE(member, value, words, form, who, text)                                              \
	AT(member), .type = OPTION_CHOICE, .metavar = (form), .standard = (value),                 \
		    .choices = (words), .commands = (who), .help = (text)
#define TEXT(member, kind, value, form, who, description)                                          \
	AT(member), .type = (kind), .metavar = (form), .standard = (value), .commands = (who),     \
		    .help = (description)

/* clang-format off */
const struct option_row option_rows[OPTION_COUNT] = {
	{TEXT(listen, OPTION_ADDRESS, "127.0.0.1:1110", "ADDR", RUNS,
	      "address to listen at: HOST:PORT, :PORT or unix:PATH; repeatable"), .restart = true},
	{TEXT(listen_tls, OPTION_ADDRESS, NULL, "ADDR", RUNS,
	      "address where TLS comes first; repeatable"), .restart = true},
	{TEXT(cert, OPTION_FILES, NULL, "FILE", RUNS,
	      "certificate chain, PEM; repeatable, with as many keys")},
	{TEXT(key, OPTION_FILES, NULL, "FILE", RUNS, "its key, PEM; repeatable")},
	{TEXT(ocsp, OPTION_FILES, NULL, "FILE", RUNS,
	      "OCSP response to staple, - for none; repeatable")},
	{TEXT(client_ca, OPTION_PATH, NULL, "FILE", LIVE,
	      "who may have signed client certificates, PEM")},
	{CHOICE(client_certificate, "none", "none optional required", "none|optional|required",
		LIVE, "are clients asked for a certificate?")},
	{CHOICE(alpn, "optional", "optional required", "optional|required", RUNS,
		"must clients name the protocol pop3 in their handshake?")},
	{CHOICE(require_tls, "remote", "remote always never", "remote|always|never", RUNS,
		"who must use TLS before a password, if there is a certificate")},
	{TEXT(proxy, OPTION_NETWORK, NULL, "NETWORK", RUNS,
	      "who must begin with a PROXY header: ADDRESS[/BITS] or unix; repeatable")},
	{BOOLEAN(proxy_tls, "no", RUNS,
		 "believe a PROXY header that its client uses TLS")},
	{TEXT(maildir, OPTION_PATH, NULL, "ROOT", MAIL,
	      "maildrops of users without a home: ROOT/<user>/Maildir"), .restart = true},
	{TEXT(passwd, OPTION_PATH, "/etc/pop3-emitter/passwd", "FILE",
	      MAIL | OPTION_PASSWD, "the passwd file")},
	{TEXT(user, OPTION_WORD, NULL, "NAME", MAIL,
	      "account that owns all maildrops; root drops to it"), .restart = true},
	{TEXT(hostname, OPTION_WORD, NULL, "NAME", RUNS,
	      "name in the APOP challenge; else the machine's"), .restart = true},
	{BOOLEAN(apop, "no", LIVE, "offer APOP and CRAM-MD5; for {PLAIN} secrets only")},
	{BOOLEAN(allow_plaintext, "no", LIVE,
		 "allow plaintext passwords on addresses that are not loopback"), .restart = true},
	{BOOLEAN(strip_domain, "no", MAIL,
		 "look up user@domain as user if it is not there")},
	{TEXT(recipient_delimiter, OPTION_MARKS, NULL, "CHARACTERS",
	      OPTION_DELIVER | OPTION_CHECK,
	      "what begins an extension: with + alice+lists is alice")},
	{NUMBER(max_message_size, "0", 0, UINT32_MAX, "OCTETS", OPTION_DELIVER | OPTION_CHECK,
		"the largest message that is delivered; 0 = any")},
	{BOOLEAN(mark_seen, "no", RUNS,
		 "move retrieved messages from new/ to cur/ at QUIT")},
	{TEXT(index_dir, OPTION_PATH, NULL, "DIR", RUNS,
	      "where the indexes of the maildrops are; else in each"), .restart = true},
	{CHOICE(uidl_format, "name", "name dovecot courier", "name|dovecot|courier", RUNS,
		"whose unique-ids messages keep, if that server left its list")},
	{TEXT(dovecot_uidl_format, OPTION_PATTERN, UIDL_PATTERN_STANDARD, "FORMAT", RUNS,
	      "Dovecot's pop3_uidl_format, of %u, %v, %f and %g")},
	{CHOICE(utf8, "on", "on strict off", "on|strict|off", RUNS,
		"offer UTF8 (RFC 6856); strict: only then messages with UTF-8 in the header")},
	{BOOLEAN(utf8_user, "no", RUNS,
		 "names and passwords are UTF-8, all others refused")},
	{CHOICE(language, "en", "en de fr", "en|de|fr", RUNS,
		"what LANG * means")},
	{NUMBER(max_connections, "10000", 1, OPTIONS_COUNT_MAX, "COUNT", RUNS,
		"connections in total")},
	{NUMBER(max_connections_per_address, "50", 1, OPTIONS_COUNT_MAX, "COUNT", RUNS,
		"connections of one address")},
	{NUMBER(max_connections_per_user, "10", 1, OPTIONS_COUNT_MAX, "COUNT", RUNS,
		"logged-in sessions of one user")},
	{NUMBER(max_failed_logins, "3", 1, OPTIONS_COUNT_MAX, "COUNT", RUNS,
		"failed logins of one connection")},
	{NUMBER(max_bad_commands, "10", 1, OPTIONS_COUNT_MAX, "COUNT", RUNS,
		"lines of one connection that are no command")},
	{BOOLEAN(limits_on_loopback, "no", RUNS,
		 "limits by address hold for this machine too")},
	{NUMBER(handshake_timeout, "10", 1, SECONDS_MAX, "SECONDS", RUNS,
		"for a TLS handshake")},
	{NUMBER(login_timeout, "60", 1, SECONDS_MAX, "SECONDS", RUNS,
		"from the connection to the login")},
	{NUMBER(idle_timeout, "600", 1, SECONDS_MAX, "SECONDS", RUNS,
		"without a command, when logged in")},
	{NUMBER(write_timeout, "60", 1, SECONDS_MAX, "SECONDS", RUNS,
		"output waits and the client takes none")},
	{NUMBER(answer_timeout, "60", 1, SECONDS_MAX, "SECONDS", RUNS,
		"for the disk or the password check")},
	{NUMBER(drain_timeout, "10", 0, SECONDS_MAX, "SECONDS", RUNS,
		"for transfers under way at SIGTERM")},
	{NUMBER(failure_delay, "2", 0, OPTIONS_DELAY_MAX, "SECONDS", LIVE,
		"from a wrong password to its answer, not on loopback")},
	{NUMBER(address_failures, "20", 0, OPTIONS_COUNT_MAX, "COUNT", LIVE,
		"failed logins that an address may have at once; 0: any")},
	{NUMBER(user_failures, "20", 0, OPTIONS_COUNT_MAX, "COUNT", LIVE,
		"failed logins that may be had for a user at once; 0: any")},
	{NUMBER(failure_recovery, "30", 1, SECONDS_MAX, "SECONDS", LIVE,
		"until one of them is forgiven")},
	{NUMBER(login_delay, "0", 0, SECONDS_MAX, "SECONDS", LIVE,
		"from one login of a user to the next (LOGIN-DELAY)")},
	{NUMBER(remember_passwords, "0", 0, SECONDS_MAX, "SECONDS", LIVE,
		"how long a right password is known without a hash")},
	{TEXT(verify_command, OPTION_COMMAND, NULL, "COMMAND", LIVE,
	      "program, with arguments, that is asked about {VERIFY} users and tokens")},
	{NUMBER(verify_timeout, "10", 1, SECONDS_MAX, "SECONDS", LIVE,
		"until it is killed")},
	{NUMBER(verify_processes, "8", 1, WORKERS_MAX, "COUNT", LIVE,
		"how many of it may run at once"), .restart = true},
	{TEXT(mechanisms, OPTION_MECHANISMS, NULL, "NAME", LIVE,
	      "SASL mechanism that may be offered, in this order, else all that can succeed; "
	      "repeatable")},
	{NUMBER(store_workers, "4", 1, WORKERS_MAX, "COUNT", RUNS,
		"threads that read maildrops"), .restart = true},
	{NUMBER(crypt_workers, "2", 1, WORKERS_MAX, "COUNT", LIVE,
		"threads that check passwords"), .restart = true},
	{NUMBER(crypt_queue, "256", 1, QUEUE_MAX, "COUNT", LIVE,
		"logins that may wait for one of them"), .restart = true},
	{CHOICE(log, "stderr", "stderr syslog", "stderr|syslog", RUNS,
		"where the log goes")},
	{CHOICE(log_format, "logfmt", "logfmt json", "logfmt|json", RUNS,
		"how its lines look")},
	{CHOICE(log_level, "info", "error warning info debug", "error|warning|info|debug", RUNS,
		"the least weighty lines that are written")},
	{BOOLEAN(log_time, "no", RUNS,
		 "begin each line with the time (syslog and journald have it)")},
	{BOOLEAN(debug, "no", RUNS,
		 "log each line of the protocol, passwords hidden")},
};
/* clang-format on */

const struct option_row *option_find(const char *key)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *row = option_rows[i].key;
		const char *given = key;
		while (*row != '\0' && (*given == *row || (*given == '-' && *row == '_'))) {
			row++;
			given++;
		}
		if (*row == '\0' && *given == '\0')
			return &option_rows[i];
	}
	return NULL;
}
