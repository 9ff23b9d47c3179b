/*
 * Modes `large` and `delete`: one session over a maildrop of very many messages, which is that of
 * the second user of the prefix.
 *
 *	login	from the first octet of PASS sent to the last of STAT's reply received, with PASS's
 *		reply awaited in between
 *	list	from the first octet of LIST sent to the last one of its reply received
 *	uidl	likewise
 *	quit	from the first octet of the first DELE sent (all go in one write) to the last one of
 *		QUIT's reply, which is sent when the last DELE has been answered
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LISTING_FIRST = 16 * 1024 * 1024, /* room for a listing; doubled as needed */
	DELETE_MAX = 4096,                /* their lines and replies fit the sockets' buffers */
	DELETE_LINE_MAX = 16,
};

struct login {
	uint64_t nanoseconds;
	uint64_t messages;
	uint64_t octets;
};

/* The whole reply to LIST or UIDL. It is looked at only when the time has been taken. */
struct listing {
	char *text;
	size_t room;
	size_t length;
	uint64_t nanoseconds;
	uint64_t lines;
	uint64_t numbers; /* the sum of the lines' second words, taken as numbers */
	uint64_t letters; /* the sum of their lengths */
};

/* A session that has done PASS and STAT. Returns its descriptor, or -1. */
static int log_in(const struct options *options, struct login *login)
{
	struct reply reply;
	uint64_t start;
	int fd = dialog_greet(options, LOAD_OWNER);

	if (fd < 0)
		return -1;
	start = load_now();
	if (dialog_pass(fd, options) < 0 || dialog_ask(fd, "STAT\r\n", &reply, false) < 0) {
		close(fd);
		return -1;
	}
	login->nanoseconds = load_now() - start;
	login->messages = reply_number(&reply, 0);
	login->octets = reply_number(&reply, 1);
	return fd;
}

/* Touches all of it, so that no page of it is new while time is taken. */
static int listing_grow(struct listing *listing, size_t room)
{
	char *text = realloc(listing->text, room);

	if (text == NULL) {
		perror("loadgen: listing");
		return -1;
	}
	memset(text + listing->room, 1, room - listing->room);
	listing->text = text;
	listing->room = room;
	return 0;
}

/* Neither LIST nor UIDL has a line that could be taken for the last one. */
static bool listing_done(const struct listing *listing)
{
	const char *end = listing->text + listing->length;

	return listing->length >= 5 && memcmp(end - 5, "\r\n.\r\n", 5) == 0;
}

static int listing_read(int fd, struct listing *listing)
{
	do {
		ssize_t got;

		if (listing->length == listing->room &&
		    listing_grow(listing, 2 * listing->room) < 0)
			return -1;
		got = recv(fd, listing->text + listing->length, listing->room - listing->length, 0);
		if (got <= 0) {
			fprintf(stderr, "loadgen: connection lost: %s\n",
				got < 0 ? strerror(errno) : "end of file");
			return -1;
		}
		listing->length += (size_t)got;
		if (listing->text[0] != '+') {
			fprintf(stderr, "loadgen: a listing is refused\n");
			return -1;
		}
	} while (!listing_done(listing));
	return 0;
}

/* Each line has to be `n word`, n counting from 1. */
static int listing_scan(struct listing *listing)
{
	const char *end = listing->text + listing->length - 3;
	const char *line = (const char *)memchr(listing->text, '\n', listing->length) + 1;

	while (line < end) {
		const char *eol = memchr(line, '\r', (size_t)(end - line));
		char *word;
		uint64_t number = strtoull(line, &word, 10);

		listing->lines++;
		if (eol == NULL || number != listing->lines || *word != ' ' || word + 1 == eol) {
			fprintf(stderr, "loadgen: bad line %llu of a listing\n",
				(unsigned long long)listing->lines);
			return -1;
		}
		word++;
		listing->numbers += strtoull(word, NULL, 10);
		listing->letters += (uint64_t)(eol - word);
		line = eol + 2;
	}
	return 0;
}

/* Asks for a listing, takes the time, and counts what came. 0 or -1. */
static int listing_ask(int fd, const char *command, struct listing *listing)
{
	uint64_t start;

	if (listing_grow(listing, LISTING_FIRST) < 0)
		return -1;
	start = load_now();
	if (load_send(fd, command, strlen(command)) < 0 || listing_read(fd, listing) < 0)
		return -1;
	listing->nanoseconds = load_now() - start;
	return listing_scan(listing);
}

static int look(int fd, const struct login *login, struct listing *list, struct listing *uidl)
{
	if (listing_ask(fd, "LIST\r\n", list) < 0 || listing_ask(fd, "UIDL\r\n", uidl) < 0)
		return -1;
	if (list->lines == login->messages && uidl->lines == login->messages &&
	    list->numbers == login->octets)
		return 0;
	fprintf(stderr, "loadgen: STAT, LIST and UIDL do not agree: %llu, %llu and %llu messages\n",
		(unsigned long long)login->messages, (unsigned long long)list->lines,
		(unsigned long long)uidl->lines);
	return -1;
}

int mode_large(const struct options *options)
{
	struct listing list = {0};
	struct listing uidl = {0};
	struct login login;
	struct reply reply;
	int fd = log_in(options, &login);
	int status = 1;

	if (fd < 0)
		return 1;
	if (look(fd, &login, &list, &uidl) == 0) {
		printf("login=%llu list=%llu uidl=%llu messages=%llu octets=%llu id_octets=%llu\n",
		       (unsigned long long)login.nanoseconds, (unsigned long long)list.nanoseconds,
		       (unsigned long long)uidl.nanoseconds, (unsigned long long)login.messages,
		       (unsigned long long)login.octets, (unsigned long long)uidl.letters);
		load_wait_for_caller();
		status = dialog_ask(fd, "QUIT\r\n", &reply, false) == 0 ? 0 : 1;
	}
	free(list.text);
	free(uidl.text);
	close(fd);
	return status;
}

/* The replies to that many commands sent at once. 0, or -1 if one is missing or negative. */
static int read_replies(int fd, uint64_t count)
{
	char data[16 * 1024];
	struct reply reply;
	size_t used = 0;
	size_t got = 0;

	for (uint64_t i = 0; i < count; i++) {
		reply_begin(&reply, false);
		while (!reply.done) {
			if (used == got) {
				ssize_t received = recv(fd, data, sizeof data, 0);

				if (received <= 0)
					return -1;
				got = (size_t)received;
				used = 0;
			}
			used += reply_feed(&reply, data + used, got - used);
		}
		if (!reply.ok)
			return -1;
	}
	return 0;
}

static int delete_all(int fd, uint64_t count)
{
	static char text[DELETE_MAX * DELETE_LINE_MAX];
	struct reply reply;
	size_t length = 0;

	for (uint64_t i = 1; i <= count; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "DELE %llu\r\n",
					   (unsigned long long)i);
	if (load_send(fd, text, length) < 0 || read_replies(fd, count) < 0) {
		fprintf(stderr, "loadgen: DELE failed\n");
		return -1;
	}
	return dialog_ask(fd, "QUIT\r\n", &reply, false);
}

/* Deletes the first `count` messages. */
int mode_delete(const struct options *options)
{
	struct login login;
	uint64_t start;
	int status;
	int fd;

	if (options->count == 0 || options->count > DELETE_MAX) {
		fprintf(stderr, "loadgen: count: 1 to %d\n", DELETE_MAX);
		return 1;
	}
	fd = log_in(options, &login);
	if (fd < 0)
		return 1;
	start = load_now();
	status = delete_all(fd, options->count);
	if (status == 0)
		printf("quit=%llu messages=%llu octets=%llu\n",
		       (unsigned long long)(load_now() - start), (unsigned long long)login.messages,
		       (unsigned long long)login.octets);
	close(fd);
	return status == 0 ? 0 : 1;
}
