/*
 * A POP3 client that logs in by SCRAM of libgsasl over TLS of GnuTLS, bound to the connection by
 * tls-exporter (RFC 9266), and prints the answer to RETR 1.
 *
 *   plus-client HOST PORT CA stls|implicit 1.2|1.3 MECHANISM BINDING USER PASSWORD
 *
 * BINDING: right, wrong (an octet of it is changed), zeros, or none (libgsasl knows of none). With
 * a mechanism without -PLUS libgsasl says `n`, and refuses to go on if it knows a binding. Exit
 * code 0: it was let in; 1: it was refused, and the server's line is on stdout; 2: anything else.
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gsasl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_SIZE 4096
#define BINDING_SIZE  32
#define SECONDS_MAX   60

struct client {
	int descriptor;
	gnutls_session_t tls; /* NULL before the handshake */
	char line[LINE_MAX_SIZE];
	const char *user;
	const char *password;
	char *binding; /* base64, NULL = none is known */
};

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "plus-client: %s: %s\n", what, why);
	exit(2);
}

static void check_tls(const char *what, int result)
{
	if (result < 0)
		fail(what, gnutls_strerror(result));
}

/* ---- Octets ---- */

static void say(struct client *c, const char *first, const char *second)
{
	char line[LINE_MAX_SIZE];
	int length = snprintf(line, sizeof line, "%s%s\r\n", first, second);
	if (length < 0 || (size_t)length >= sizeof line)
		fail("line", "too long");
	ssize_t sent = c->tls == NULL ? write(c->descriptor, line, (size_t)length)
				      : gnutls_record_send(c->tls, line, (size_t)length);
	if (sent != length)
		fail("sending", "it went wrong");
}

/* One octet at a time, so that nothing behind the answer to STLS is taken as plaintext. */
static char hear_octet(struct client *c)
{
	char octet;
	ssize_t got;
	do
		got = c->tls == NULL ? read(c->descriptor, &octet, 1)
				     : gnutls_record_recv(c->tls, &octet, 1);
	while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
	if (got != 1)
		fail("receiving", "the server has closed");
	return octet;
}

/* The next line, without its end, in c->line. */
static const char *hear(struct client *c)
{
	size_t length = 0;
	while (length < sizeof c->line) {
		c->line[length] = hear_octet(c);
		if (c->line[length++] != '\n')
			continue;
		c->line[length >= 2 && c->line[length - 2] == '\r' ? length - 2 : length - 1] =
			'\0';
		return c->line;
	}
	fail("receiving", "the line is too long");
}

static void expect_ok(struct client *c)
{
	if (strncmp(hear(c), "+OK", 3) != 0)
		fail("refused", c->line);
}

/* ---- The connection ---- */

static int dial(const char *host, const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	int descriptor = socket(AF_INET, SOCK_STREAM, 0);
	if (descriptor < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
	    connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0)
		fail("connecting", host);
	return descriptor;
}

static void shake_hands(struct client *c, const char *host, const char *ca, const char *version)
{
	char priority[64];
	gnutls_certificate_credentials_t trusted;
	gnutls_session_t tls;
	snprintf(priority, sizeof priority, "NORMAL:-VERS-ALL:+VERS-TLS%s", version);
	check_tls("credentials", gnutls_certificate_allocate_credentials(&trusted));
	check_tls(ca, gnutls_certificate_set_x509_trust_file(trusted, ca, GNUTLS_X509_FMT_PEM));
	check_tls("session", gnutls_init(&tls, GNUTLS_CLIENT));
	check_tls(priority, gnutls_priority_set_direct(tls, priority, NULL));
	check_tls("credentials", gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, trusted));
	gnutls_session_set_verify_cert(tls, host, 0);
	gnutls_transport_set_int(tls, c->descriptor);
	int result;
	do
		result = gnutls_handshake(tls);
	while (result < 0 && !gnutls_error_is_fatal(result));
	check_tls("handshake", result);
	c->tls = tls;
}

static char *encode(const void *octets, size_t size)
{
	char *text;
	size_t length;
	if (gsasl_base64_to(octets, size, &text, &length) != GSASL_OK)
		fail("binding", "no memory");
	return text;
}

/* As base64; NULL = none. */
static char *make_binding(struct client *c, const char *kind)
{
	static const char zeros[BINDING_SIZE];
	gnutls_datum_t octets;
	if (strcmp(kind, "none") == 0)
		return NULL;
	if (strcmp(kind, "zeros") == 0)
		return encode(zeros, sizeof zeros);
	check_tls("binding",
		  gnutls_session_channel_binding(c->tls, GNUTLS_CB_TLS_EXPORTER, &octets));
	if (octets.size != BINDING_SIZE)
		fail("binding", "it has not 32 octets");
	if (strcmp(kind, "wrong") == 0)
		octets.data[0] ^= 1;
	char *text = encode(octets.data, octets.size);
	gnutls_free(octets.data);
	return text;
}

/* ---- SCRAM ---- */

static int on_property(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
	const struct client *c = gsasl_callback_hook_get(gsasl);
	switch (property) {
	case GSASL_AUTHID:
		return gsasl_property_set(session, property, c->user);
	case GSASL_PASSWORD:
		return gsasl_property_set(session, property, c->password);
	case GSASL_CB_TLS_EXPORTER:
		if (c->binding == NULL)
			return GSASL_NO_CALLBACK;
		return gsasl_property_set(session, property, c->binding);
	default:
		return GSASL_NO_CALLBACK;
	}
}

/* The client's next message in answer to the challenge. */
static void step(struct client *c, Gsasl_session *session, const char *challenge,
		 const char *before)
{
	char *reply = NULL;
	int result = gsasl_step64(session, challenge, &reply);
	if (result != GSASL_OK && result != GSASL_NEEDS_MORE)
		fail("libgsasl", gsasl_strerror(result));
	say(c, before, reply == NULL ? "" : reply);
	gsasl_free(reply);
}

/* Is it let in? */
static bool authenticate(struct client *c, const char *mechanism)
{
	Gsasl *gsasl;
	Gsasl_session *session;
	char command[64];
	if (gsasl_init(&gsasl) != GSASL_OK)
		fail("libgsasl", "no memory");
	gsasl_callback_hook_set(gsasl, c);
	gsasl_callback_set(gsasl, on_property);
	if (gsasl_client_start(gsasl, mechanism, &session) != GSASL_OK)
		fail("libgsasl", mechanism);
	snprintf(command, sizeof command, "AUTH %s ", mechanism);
	step(c, session, "", command);
	while (strncmp(hear(c), "+ ", 2) == 0)
		step(c, session, c->line + 2, "");
	gsasl_finish(session);
	gsasl_done(gsasl);
	return strncmp(c->line, "+OK", 3) == 0;
}

static void fetch(struct client *c)
{
	say(c, "RETR 1", "");
	expect_ok(c);
	while (strcmp(hear(c), ".") != 0)
		printf("%s\n", c->line[0] == '.' ? c->line + 1 : c->line);
	say(c, "QUIT", "");
	expect_ok(c);
}

int main(int argc, char **argv)
{
	static struct client c;
	if (argc != 10)
		fail("usage", "HOST PORT CA WAY VERSION MECHANISM BINDING USER PASSWORD");
	alarm(SECONDS_MAX);
	c.user = argv[8];
	c.password = argv[9];
	c.descriptor = dial(argv[1], argv[2]);
	bool stls = strcmp(argv[4], "stls") == 0;
	if (stls) {
		expect_ok(&c);
		say(&c, "STLS", "");
		expect_ok(&c);
	}
	shake_hands(&c, argv[1], argv[3], argv[5]);
	if (!stls)
		expect_ok(&c);
	c.binding = make_binding(&c, argv[7]);
	bool in = authenticate(&c, argv[6]);
	if (in)
		fetch(&c);
	else
		puts(c.line);
	return in ? 0 : 1;
}
