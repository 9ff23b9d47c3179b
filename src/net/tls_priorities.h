/*
 * What TLS may be (RFC 8314 section 4, RFC 9325), in a header of its own since `make bench`
 * compares with a bare server of the same priorities: TLS 1.2 and 1.3, authenticated encryption and
 * ephemeral elliptic curves alone. Each word that is missing is a decision: with finite-field
 * groups a handshake would cost hundreds of times as much; CBC, static RSA and SHA-1 are broken or
 * brittle.
 */
#ifndef POP3_NET_TLS_PRIORITIES_H
#define POP3_NET_TLS_PRIORITIES_H

#define TLS_PRIORITIES                                                                             \
	"NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:"                                  \
	"+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:"                                      \
	"+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"                                         \
	"+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-EDDSA-ED25519:"           \
	"+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:"                                                   \
	"+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-RSAE-SHA512:"           \
	"+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-RSA-SHA512:"                                      \
	"+CTYPE-SRV-X509:+CTYPE-CLI-X509:+COMP-NULL:%SERVER_PRECEDENCE"

#endif
