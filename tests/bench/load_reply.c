/*
 * Reads one reply, in pieces of any size. The body is the hot path: hundreds of megabytes a
 * second pass here beside the server, so it looks for the pair LF '.' in blocks, with a loop
 * that compilers turn into vector instructions, and leaves a block without that pair at once.
 */
#include "load.h"

#include <string.h>

enum {
	BLOCK = 256, /* octets tested at once for LF and dot */
};

enum state {
	STATUS,
	MIDDLE, /* within a line of the body */
	START,  /* at the start of a line */
	DOT,    /* a dot was first in its line */
	DOT_CR, /* a dot and CR: the end, if LF follows */
};

void reply_begin(struct reply *reply, bool multi)
{
	reply->octets = 0;
	reply->status_length = 0;
	reply->status[0] = '\0';
	reply->state = STATUS;
	reply->multi = multi;
	reply->ok = false;
	reply->done = false;
}

static void status_keep(struct reply *reply, const char *data, size_t length)
{
	size_t room = sizeof reply->status - 1 - reply->status_length;
	size_t kept = length < room ? length : room;

	memcpy(reply->status + reply->status_length, data, kept);
	reply->status_length += kept;
	reply->status[reply->status_length] = '\0';
}

static size_t status_feed(struct reply *reply, const char *data, size_t length)
{
	const char *end = memchr(data, '\n', length);
	size_t taken = end != NULL ? (size_t)(end - data) + 1 : length;

	status_keep(reply, data, end != NULL ? taken - 1 : taken);
	if (end == NULL)
		return taken;
	reply->ok = reply->status[0] == '+';
	if (reply->ok && reply->multi)
		reply->state = START;
	else
		reply->done = true;
	return taken;
}

/* Whether LF '.' begins anywhere in data[0..length-1]; data[length] is readable. */
static bool block_has_dot(const char *data, size_t length)
{
	unsigned char found = 0;

	for (size_t i = 0; i < length; i++)
		found |= (unsigned char)((data[i] == '\n') & (data[i + 1] == '.'));
	return found != 0;
}

/* The first LF that a dot follows, or data + length. */
static const char *find_dot(const char *data, size_t length)
{
	const char *end = data + length;

	while (end - data > 1) {
		size_t left = (size_t)(end - data) - 1;
		size_t block = left < BLOCK ? left : BLOCK;

		if (!block_has_dot(data, block)) {
			data += block;
			continue;
		}
		while (data[0] != '\n' || data[1] != '.')
			data++;
		return data;
	}
	return end;
}

/* Takes at least one octet of a line's middle, up to a LF that a dot follows or all there is. */
static size_t middle_feed(struct reply *reply, const char *data, size_t length)
{
	const char *found = find_dot(data, length);
	size_t taken = found < data + length ? (size_t)(found - data) + 1 : length;

	reply->octets += taken;
	reply->state = data[taken - 1] == '\n' ? START : MIDDLE;
	return taken;
}

/*
 * One octet at a line's start, where a dot needs care. The dot itself is never counted: it is
 * either stuffing or the end; nor is the CR after it, until it proves not to be the end.
 */
static void start_feed(struct reply *reply, char octet)
{
	if (reply->state == START && octet == '.') {
		reply->state = DOT;
	} else if (reply->state == DOT && octet == '\r') {
		reply->state = DOT_CR;
	} else if (reply->state == DOT_CR && octet == '\n') {
		reply->done = true;
	} else {
		reply->octets += reply->state == DOT_CR ? 2 : 1;
		reply->state = octet == '\n' ? START : MIDDLE;
	}
}

size_t reply_feed(struct reply *reply, const char *data, size_t length)
{
	size_t used = 0;

	while (used < length && !reply->done) {
		if (reply->state == STATUS) {
			used += status_feed(reply, data + used, length - used);
		} else if (reply->state == MIDDLE) {
			used += middle_feed(reply, data + used, length - used);
		} else {
			start_feed(reply, data[used]);
			used++;
		}
	}
	return used;
}

uint64_t reply_number(const struct reply *reply, unsigned which)
{
	const char *digit = strchr(reply->status, ' ');
	uint64_t number = 0;

	while (digit != NULL && which-- > 0)
		digit = strchr(digit + 1, ' ');
	if (digit == NULL)
		return 0;
	for (digit++; *digit >= '0' && *digit <= '9' && number < UINT64_MAX / 16; digit++)
		number = number * 10 + (uint64_t)(*digit - '0');
	return number;
}
