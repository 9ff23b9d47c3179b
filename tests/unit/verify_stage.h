/*
 * A stage whose users and tokens a program judges: a script that notes what it was asked. It knows
 * everybody whose secret is "right", cannot tell of "later", and thinks for ever about "hang".
 */
#ifndef POP3_TESTS_UNIT_VERIFY_STAGE_H
#define POP3_TESTS_UNIT_VERIFY_STAGE_H

#include "unit/backend_stage.h"

#define DENIED    "-ERR [AUTH] authentication failed\r\n"
#define TEMPORARY "-ERR [SYS/TEMP] "
#define READY     "+OK maildrop ready\r\n"

/* Of the program: alice, and eve, who is disabled. bob ("builder"), carol ("Hello world!"; hashed)
 * are not. */
extern const char verify_users[];

/* In place of stage_init(), with the program; settings may be changed before stage_open(). */
void verify_prepare(struct stage *, const char *passwd);
/* Settings by which after one failure neither the address nor the user gets another try. */
void verify_no_second_try(struct stage *);
/* The lines of all that was asked until now, "USER SECRET METHOD ADDRESS"; they are forgotten. */
void verify_expect_asked(struct stage *, const char *lines);
/* The same, of programs that have not answered yet. */
void verify_wait_until_asked(struct stage *, const char *lines);
/* A session of USER and PASS; the answer begins with `reply`. */
void verify_log_in(struct stage *, const char *user, const char *password, const char *reply);
/* AUTH with this message; the answer begins with `reply`. */
void verify_auth(struct client *, const char *mechanism, const char *message, const char *reply);

#endif
