/*
 * The application of the library scenarios: mail in memory, every kind of answer, at once or
 * deferred. It counts what must come in pairs. No allocation of its own.
 */
#ifndef POP3_TESTS_OOM_APP_H
#define POP3_TESTS_OOM_APP_H

#include "pop3_emitter.h"

enum {
	APP_MESSAGES = 6000, /* so many that LIST and UIDL do not fit into one buffer */
	APP_FILE_OCTETS = 300000,
	APP_PULL_OCTETS = 200000,
	APP_LONG_OCTETS = 100000,
};

/* Message 1 is the witness's, 2 a file, 3 pulled, the rest is one short line. */
struct app {
	struct pop3_listener listener;
	uint16_t port; /* of the last `listening` */
	bool defer;    /* answer in app_answer() */
	unsigned opened, closed;
	unsigned data_set, data_released;
	unsigned sources, sources_released;
	unsigned failures; /* `error` events */
	bool deleted[APP_MESSAGES + 1];
};

extern struct app app;

/* Zeroed, its listener ready; the file for message 2 is written. */
void app_prepare(void);
/* Options for a server with it: nothing is logged, APOP has the challenge <1@x>. */
struct pop3_options app_options(void);
/* Give all answers that were deferred. */
void app_answer(void);
/* What came in pairs is in pairs. */
void app_judge(void);

#endif
