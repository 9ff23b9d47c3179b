/*
 * The third level of embedding: a session without a socket. Standard input is what the client
 * sends, fed in pieces of argv[1] octets; what the server answers goes to standard output. Message
 * 1 is in memory, message 2 the file argv[2] of argv[3] octets, read when the session asks for it.
 */
#include <fcntl.h>
#include <pop3_emitter.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char text[] = "Subject: Bare\r\n\r\n.\r\nlast\r\n";

struct mail {
	const char *path;
	uint64_t sizes[2];
};

static void authenticate(struct pop3_authenticate *e, void *data)
{
	(void)data;
	pop3_answer_auth(e, pop3_matches(e, "wonderland", 10) ? POP3_OK : POP3_DENIED, NULL);
}

static void list(struct pop3_list *e, void *data)
{
	const struct mail *mail = data;
	if (e->which == 0)
		pop3_answer_list(e, mail->sizes, 2);
	else
		pop3_answer_list(e, &mail->sizes[(e->which - 1) % 2], e->which <= 2);
}

static void retrieve(struct pop3_retrieve *e, void *data)
{
	const struct mail *mail = data;
	int descriptor;
	if (e->which == 1) {
		pop3_answer_bytes(e, text, sizeof text - 1);
		return;
	}
	descriptor = open(mail->path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0)
		pop3_fail(&e->event, POP3_PERMANENT, NULL);
	else
		pop3_answer_descriptor(e, descriptor, 0, mail->sizes[1], POP3_OCTETS_LISTED);
}

static const struct pop3_handlers handlers = {
	.size = sizeof handlers, .authenticate = authenticate, .list = list, .retrieve = retrieve};

static void write_output(struct pop3_session *session, uint64_t now)
{
	char block[100];
	size_t length = pop3_session_pull(session, block, sizeof block, now);
	fwrite(block, 1, length, stdout);
}

static void load_file(struct pop3_session *session, uint64_t now)
{
	struct pop3_load load;
	if (!pop3_session_load(session, &load))
		return;
	ssize_t got = pread(load.descriptor, load.buffer, load.size, (off_t)load.offset);
	pop3_session_loaded(session, got, now);
}

/* Feeds it and does what it wants until it wants nothing but more input. */
static void serve(struct pop3_session *session, const char *octets, size_t left, uint64_t now)
{
	for (;;) {
		struct pop3_wants wants = pop3_session_wants(session);
		if (wants.load) {
			load_file(session, now);
		} else if (wants.write) {
			write_output(session, now);
		} else if (left > 0 && wants.read) {
			size_t taken = pop3_session_feed(session, octets, left, now);
			octets += taken;
			left -= taken;
		} else {
			return;
		}
	}
}

int main(int argc, char **argv)
{
	struct mail mail = {.sizes = {sizeof text - 1, 0}};
	struct pop3_listener listener = {.handlers = &handlers, .data = &mail};
	struct pop3_options options = {
		.size = sizeof options, .apop = POP3_APOP_FIXED, .apop_value = "<bare@session>"};
	struct pop3_info info = {.peer = "nobody", .local = "nowhere", .loopback = true};
	static char piece[1 << 16];
	if (argc != 4)
		return 64;
	size_t size = strtoul(argv[1], NULL, 10), got;
	mail.path = argv[2];
	mail.sizes[1] = strtoul(argv[3], NULL, 10);

	struct pop3_server *server = pop3_server_new("localhost", &options, &listener);
	struct pop3_session *session = server == NULL ? NULL : pop3_session_new(server, &info, 0);
	if (session == NULL)
		return 1;
	uint64_t now = 1;
	serve(session, "", 0, now);
	while (!pop3_session_wants(session).close && (got = fread(piece, 1, size, stdin)) > 0)
		serve(session, piece, got, ++now);
	pop3_session_end(session, POP3_REASON_DROPPED, now);
	bool finished = pop3_session_wants(session).finished;
	pop3_session_free(session);
	pop3_server_free(server);
	return finished ? 0 : 1;
}
