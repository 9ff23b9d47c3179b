/*
 * The second level of embedding: two servers, one over IPv4 and one over a unix socket (its path is
 * the argument), in a poll(2) loop that also watches something of its own, standard input. At its
 * end the servers are stopped.
 */
#include <poll.h>
#include <pop3_emitter.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SERVERS = 2, ENTRIES_MAX = 64 };

static const char text[] = "Subject: Polled\r\n\r\nBy the caller.\r\n";

static void authenticate(struct pop3_authenticate *e, void *data)
{
	const char *secret = data;
	pop3_answer_auth(e, pop3_matches(e, secret, strlen(secret)) ? POP3_OK : POP3_DENIED, NULL);
}

static void list(struct pop3_list *e, void *data)
{
	const uint64_t size = sizeof text - 1;
	(void)data;
	pop3_answer_list(e, &size, e->which <= 1);
}

static void retrieve(struct pop3_retrieve *e, void *data)
{
	(void)data;
	pop3_answer_bytes(e, text, sizeof text - 1);
}

static void listening(struct pop3_listening *e, void *data)
{
	(void)data;
	printf("listening at %s\n", e->address);
	fflush(stdout);
}

static const struct pop3_handlers handlers = {
	.size = sizeof handlers,
	.authenticate = authenticate,
	.list = list,
	.retrieve = retrieve,
	.listening = listening,
};

/* One turn: standard input is entry 0, then come the entries of each server. */
static int turn(struct pop3_server *servers[SERVERS], bool *stopping)
{
	struct pollfd set[ENTRIES_MAX] = {{.fd = *stopping ? -1 : STDIN_FILENO, .events = POLLIN}};
	size_t start[SERVERS + 1] = {1};
	int shortest = -1;
	for (size_t i = 0; i < SERVERS; i++) {
		int timeout;
		size_t room = ENTRIES_MAX - start[i];
		size_t count = pop3_server_pollfds(servers[i], set + start[i], room, &timeout);
		if (count > room)
			return -1;
		start[i + 1] = start[i] + count;
		if (timeout >= 0 && (shortest < 0 || timeout < shortest))
			shortest = timeout;
	}
	if (poll(set, start[SERVERS], shortest) < 0)
		return -1;
	for (size_t i = 0; i < SERVERS; i++)
		pop3_server_dispatch(servers[i], set + start[i], start[i + 1] - start[i]);

	char octet;
	if (set[0].revents == 0 || read(STDIN_FILENO, &octet, 1) > 0)
		return 0;
	*stopping = true;
	for (size_t i = 0; i < SERVERS; i++)
		pop3_server_stop(servers[i], 1000);
	return 0;
}

int main(int argc, char **argv)
{
	char first_secret[] = "wonderland", second_secret[] = "builder";
	struct pop3_listener listeners[SERVERS] = {{.handlers = &handlers, .data = first_secret},
						   {.handlers = &handlers, .data = second_secret}};
	struct pop3_server *servers[SERVERS];
	bool stopping = false;
	if (argc != 2)
		return 64;
	for (size_t i = 0; i < SERVERS; i++) {
		servers[i] = pop3_server_new("localhost", NULL, &listeners[i]);
		if (servers[i] == NULL)
			return 1;
	}
	int error = pop3_server_listen(servers[0], "127.0.0.1:0");
	if (error == 0)
		error = pop3_server_listen(servers[1], argv[1]);
	while (error == 0 && !(pop3_server_stopped(servers[0]) && pop3_server_stopped(servers[1])))
		error = turn(servers, &stopping);
	for (size_t i = 0; i < SERVERS; i++)
		pop3_server_free(servers[i]);
	return error < 0;
}
