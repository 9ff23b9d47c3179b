/* APOP (RFC 1939 section 7): the challenge of the greeting. pop3_matches() checks the digest. */
#ifndef POP3_PROTO_APOP_H
#define POP3_PROTO_APOP_H

#include "pop3_emitter.h"

/*
 * Build a challenge from a value by the rules of struct pop3_options: in "<…>" as it is, else
 * "<value@hostname>". 0, or -EINVAL: empty, too long, control octets, blanks, stray brackets.
 */
int apop_challenge(const char *value, const char *hostname, char challenge[POP3_CHALLENGE_SIZE]);

/* A value of letters and digits made of this many random octets. */
#define APOP_RANDOM_OCTETS 24
void apop_random_value(const unsigned char random[APOP_RANDOM_OCTETS],
		       char value[APOP_RANDOM_OCTETS + 1]);

#endif
