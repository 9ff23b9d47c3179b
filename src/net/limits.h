/* Every bound of the network layer, with its reason. */
#ifndef POP3_NET_LIMITS_H
#define POP3_NET_LIMITS_H

/* Read at once, into memory that all connections of a server share. */
#define SCRATCH_SIZE 16384
/* Octets read that the session does not take yet; nothing is read while there are some. */
#define LEFTOVER_MAX SCRATCH_SIZE
/* Moved for one connection before the others have their turn. */
#define TURN_OCTETS_MAX (1u << 20)
/* Connections accepted from one listener before the others have their turn. */
#define ACCEPTS_A_TURN 64
/* The kernel cuts it to its own maximum: 5,000 clients may come at once. */
#define LISTEN_BACKLOG 4096
/*
 * Milliseconds that a new connection has to log in before it may have to go for a newer one; so
 * that newcomers who find all places taken do not drive out each other.
 */
#define EVICTION_AGE 200
/* How long to stay away from accept(2) when there is no descriptor or memory for a connection. */
#define ACCEPT_PAUSE 100
/* After its last octet a client may still be sending: so long and so much is read and dropped, so
 * that no reset overtakes the reply. */
#define LINGER_TIME   2000
#define LINGER_OCTETS (256u << 10)
/* After the drain time, how long deferred events are waited for before they are abandoned. */
#define STOP_GRACE 1000
/* The same complaint is logged once in so many milliseconds, with a count. */
#define COMPLAINT_PAUSE 10000
/* Poll sets up to this size are as cheap as it gets; nothing is parked. */
#define PARK_ABOVE 16
/*
 * Parked after so many turns without an event. Parking and coming back costs two system calls,
 * about as much as this many turns in the poll set.
 */
#define PARK_AFTER 32
/* Parked connections that come back in one turn. */
#define UNPARK_A_TURN 256
/*
 * Octets the kernel takes for a client beyond what is on its way. By default these grow to
 * megabytes and a socket is writable again only when a third of them is free: a slow client that
 * reads all the time would seem to take nothing for minutes.
 */
#define UNSENT_MAX (128 << 10)
/* Threads that wait for disks. Two, so that one file on a dead mount does not stop all others. */
#define LOADER_THREADS 2

/* Of a certificate, key, staple or CA file; all CAs that a system knows are a quarter of it. */
#define TLS_FILE_MAX (1 << 20)
/*
 * Octets of a handshake that are ours to fill: a chain and its staple, the names of those who may
 * have signed a client's certificate. Together they leave room for the client's own part within
 * TLS_BARREN_MAX, the longest handshake that GnuTLS is let have.
 */
#define TLS_CHAIN_MAX    (24u << 10)
#define TLS_STAPLE_MAX   (8u << 10)
#define TLS_CA_NAMES_MAX (24u << 10)
/* The master key of tickets, as GnuTLS wants it. */
#define TLS_TICKET_KEY_SIZE 64
/* Ciphertext read and not decrypted yet: a read of the socket, or the whole of the longest record
 * (RFC 8446 section 5.2). */
#define TLS_INPUT_MAX (SCRATCH_SIZE + 1024)
/* The longest record of ours with its head and tag: there is room for one before octets are taken.
 */
#define TLS_RECORD_MAX (16384 + 512)
/* What a client may send before its handshake is over, and after it without a single octet of
 * plaintext: a long chain of certificates fits. */
#define TLS_BARREN_MAX 65536
/* Warnings and other calls that bring nothing, in a whole session: more are no accident. */
#define TLS_IDLE_STEPS_MAX 32
/*
 * Handshakes that go on in one turn of the loop. Each may cost a third of a millisecond and more,
 * which all others wait for.
 */
#define TLS_HANDSHAKES_A_TURN 16

#endif
