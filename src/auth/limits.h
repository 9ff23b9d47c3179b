/* The sizes of the auth layer, and why. */
#ifndef POP3_AUTH_LIMITS_H
#define POP3_AUTH_LIMITS_H

/* A user name, in octets: what a POP3 command line can carry (RFC 2449 section 4). */
#define AUTH_USER_MAX 255
/* A line of the passwd file without its end: name, longest secret and two paths fit with ease. */
#define PASSWD_LINE_MAX 4096
/* The whole file: 100,000 users with 100-octet secrets are a quarter of it. */
#define PASSWD_FILE_MAX (64u << 20)
/*
 * Kinds of secrets in one file, by what checking them costs: yescrypt, bcrypt with a cost or two,
 * and what an older system left. A wrong password costs a check of each.
 */
#define PASSWD_KINDS_MAX 16
/* Room for a secret with its {SCHEME}: libcrypt's longest output (384) and the name. */
#define AUTH_SECRET_SIZE 512
/* The longest password that libcrypt takes (CRYPT_MAX_PASSPHRASE_SIZE, its NUL included). */
#define AUTH_PASSWORD_SIZE 512
/* SCRAM iterations: RFC 7677 section 4 wants at least 4096; the most is about 10 s of work. */
#define SCRAM_ITERATIONS_MIN 4096u
#define SCRAM_ITERATIONS_MAX 10000000u
/* For new secrets: about 10 ms. */
#define SCRAM_ITERATIONS 20000u
/* Addresses, and users, whose failed logins are remembered: 1 MiB for each of both if all are. */
#define PENALTY_ENTRIES 65536
/*
 * Logins that an address without a failure may have under way: more than the connections that it
 * has (max_connections_per_address) unless that is raised.
 */
#define PENALTY_PENDING_MAX 64
/* Addresses whose logins under way are counted: more than a queue for hashes has room for. */
#define PENDING_ENTRIES 4096
/* Users whose last login is remembered, for LOGIN-DELAY: 1 MiB if all are. */
#define LOGIN_ENTRIES 65536
/* Passwords that are remembered as verified, if that is asked for. */
#define VERIFIED_ENTRIES 16384

#endif
