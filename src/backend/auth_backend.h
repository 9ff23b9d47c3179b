/*
 * A listener that answers `authenticate` from a passwd file: PASS, PLAIN and LOGIN with any scheme,
 * APOP and CRAM-MD5 with {PLAIN} secrets; and `sasl`: SCRAM with {PLAIN} and {SCRAM-SHA-256}
 * secrets, and EXTERNAL by the client's certificate. It offers SCRAM where it suits every user.
 * {PLAIN} is compared in the handler, hashes are checked by workers. {VERIFY} is for a program to
 * check, on threads of its own, as are the tokens of OAUTHBEARER and XOAUTH2 for every user; both
 * mechanisms are offered where there is such a program. Before it answers ok it puts the session's
 * grant, so that a store can answer `open`.
 *
 * Unknown user, wrong password and disabled entry cost the same, get the same answer, and get it at
 * the same time when there is a failure delay. What is wrong with the entry of somebody who knows
 * the password is POP3_PERMANENT for the client and a line in the log.
 *
 * The file is read again when it has changed, by a worker; a broken one is refused with its line in
 * the log, once, and the users stay as they were.
 */
#ifndef POP3_BACKEND_AUTH_BACKEND_H
#define POP3_BACKEND_AUTH_BACKEND_H

#include "auth/passwd.h"
#include "backend/grants.h"
#include "backend/mechanisms.h"
#include "backend/throttle.h"
#include "backend/verifier.h"
#include "backend/workers.h"
#include "base/log.h"

struct auth_backend;

/* What may change while it works; texts are copied. */
struct auth_settings {
	const char *passwd;       /* path of the file */
	const char *maildir_root; /* for entries without a home; NULL = they have no maildrop */
	uid_t mail_user;          /* as whom the store works */
	bool strip_domain;        /* look up user@domain as user, if it has no entry of its own */
	struct verifier_rules verify; /* the program that is asked about {VERIFY} and tokens; its
					 timeout must be less than the server's timeouts.answer */
	unsigned verify_processes;    /* so many at once; taken when the backend is made, at least
					 1 */
	size_t verify_queue;          /* logins that may wait for one; likewise */
	struct mechanisms mechanisms; /* of SASL that may be offered; none named = all */
	struct throttle_rules rules;  /* their delay_max must be less than the server's
					 timeouts.answer */
};

/*
 * Read the passwd file and be ready. Workers and grants are borrowed until auth_backend_free(); the
 * sink's data too, and its function is called from any thread. 0 and *backend is the caller's. Else
 * as passwd_load(): *error says what is wrong with the file.
 */
int auth_backend_new(const struct auth_settings *, struct workers *, struct grants *,
		     const struct log_sink *, struct passwd_error *error,
		     struct auth_backend **backend);
/*
 * Free it, after its server or after detaching its listener, and between workers_stop() and
 * workers_free() for its workers: no login may be under way in them, but those that the program is
 * asked about still look for them. Logins that wait for the failure delay are answered. NULL is
 * fine.
 */
void auth_backend_free(struct auth_backend *);

/* Its one listener, to be attached to one server. */
struct pop3_listener *auth_backend_listener(struct auth_backend *);
/*
 * Read the file now (SIGHUP), with new settings. A login is judged by what holds when its
 * password is checked. Any thread; blocks for as long as reading takes. 0, or as
 * auth_backend_new(): then all stays as it was; nothing is logged.
 */
int auth_backend_reload(struct auth_backend *, const struct auth_settings *,
			struct passwd_error *error);

#endif
