/*
 * A stage to test the backend on: a temporary folder with a passwd file and Maildirs, the two
 * listeners with their pools on a real server, and clients as bare sessions. The log is kept; a
 * line that nobody expected fails the test.
 */
#ifndef POP3_TESTS_UNIT_BACKEND_STAGE_H
#define POP3_TESTS_UNIT_BACKEND_STAGE_H

#include <pthread.h>
#include <semaphore.h>

#include "backend/auth_backend.h"
#include "backend/store_backend.h"
#include "unit/suite.h"

/* How the mail user is called in tests' passwd files; another is 1001. */
#define STAGE_MAIL_USER 1000

struct stage {
	char root[64];
	char passwd[96];  /* root/passwd */
	char maildir[96]; /* root/mail, with alice and bob in it */
	struct auth_settings settings;
	struct pop3_options options;
	unsigned crypt_queue;
	struct maildrop_options store_options;

	struct pop3_server *server;
	struct workers *crypt, *disk; /* one thread each */
	struct grants *grants;
	struct auth_backend *auth;
	struct store_backend *store;
	pthread_mutex_t mutex; /* guards the log */
	char log[16384];
};

/* The folders and defaults; settings and options may be changed before stage_open(). */
void stage_init(struct stage *, const char *passwd);
/* The server with both listeners. */
void stage_open(struct stage *);
/* Free all, in the order the headers ask for, and remove the folder. */
void stage_fini(struct stage *);

/* Replace the passwd file by another with this text. */
void stage_write_passwd(struct stage *, const char *text);
/* Put a message, say "alice/Maildir/new/1.a". */
void stage_put(struct stage *, const char *path, const char *text);
bool stage_has(struct stage *, const char *path);
/* Expect a log line with both texts, and forget the first. */
void stage_expect_log(struct stage *, const char *text, const char *other);

/* Keeps the one thread of a pool busy. */
struct gate {
	struct work work, key;
	sem_t begun, open, gone;
};

void gate_close(struct gate *, struct workers *);
/* Let the thread go on. */
void gate_open(struct gate *);
/* Let the thread go on when the pool is freed, and has dropped all that was queued before. */
void gate_open_at_the_end(struct gate *, struct workers *);
/* Wait until all that is queued has been done. */
void gate_pass(struct workers *);

struct client {
	struct stage *stage;
	struct pop3_session *session;
	char received[8192];
	size_t length;
};

/* A connection from this machine, or from far away; its greeting is taken. */
void client_init(struct client *, struct stage *, bool loopback);
/* The same, from this address and port. */
void client_init_from(struct client *, struct stage *, const char *peer, bool loopback);
/* A client that goes without a word, if it is still there. */
void client_fini(struct client *);
/* Send commands without waiting for replies. */
void client_send(struct client *, const char *text);
/* Send, and expect exactly these octets next. */
void client_says(struct client *, const char *text, const char *reply);
/* Has something been received that nobody expected yet? */
bool client_heard(struct client *);
/* USER, PASS and an open maildrop. */
void client_logs_in(struct client *, const char *user, const char *password);
/* Wait until the session has ended and everything of it was answered. */
void client_ends(struct client *);

#endif
