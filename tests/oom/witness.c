/* See witness.h. */
#include "oom/witness.h"

#include <string.h>

#include "oom/oom.h"

static struct client witness;
static char message[WITNESS_OCTETS];

const char *witness_message(void)
{
	if (message[0] != '\0')
		return message;
	memset(message, 'x', sizeof message);
	for (size_t end = WITNESS_LINE; end <= sizeof message; end += WITNESS_LINE)
		memcpy(message + end - 2, "\r\n", 2);
	return message;
}

void witness_begin(struct pop3_server *server, uint16_t port, const char *user, const char *pass)
{
	CHECK(client_open(&witness, server, port));
	CHECK(client_ask(&witness, user));
	CHECK(client_ask(&witness, pass));
	client_send(&witness, "RETR 1\r\n", 8);
	for (int i = 0; i < 100; i++)
		server_step(server, 0);
}

static void expect_message(bool good)
{
	CHECK(good);
	CHECK(witness.octets == WITNESS_OCTETS);
}

void witness_end(const char *expected_stat)
{
	expect_message(client_reply(&witness, true));
	CHECK(client_ask(&witness, "NOOP"));
	CHECK(client_ask(&witness, "STAT"));
	CHECK(strcmp(witness.status, expected_stat) == 0);
	expect_message(client_fetch(&witness, "RETR 1"));
	CHECK(client_ask(&witness, "QUIT"));
	client_close(&witness);
}
