/*
 * See proxy.h. Octets are collected up to where the header's length is known, then up to its end,
 * then the whole is read at once: there is one state only, how many octets are held.
 */
#include "net/proxy.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "base/number.h"
#include "net/proxy_fields.h"

#define V1_BEGIN "PROXY "
static const unsigned char v2_begin[] = "\r\n\r\n\0\r\nQUIT\n";
#define V2_BEGIN_SIZE (sizeof v2_begin - 1)

/* The fixed part of version 2, behind its begin: version and command, family and transport, the
 * length of the rest in network order. */
#define V2_COMMAND 12
#define V2_FAMILY  13
#define V2_LENGTH  14

static enum proxy_status wrong(struct proxy_parser *p, const char *why)
{
	p->wrong = why;
	return PROXY_WRONG;
}

/* ---- Version 1 ---- */

/* The next word of a line, which ends with a blank or, the last one, with the line. */
static bool next_word(const char **text, char *word, size_t size, bool last)
{
	size_t length = strcspn(*text, " ");
	if (length == 0 || length >= size || ((*text)[length] == '\0') != last)
		return false;
	memcpy(word, *text, length);
	word[length] = '\0';
	*text += length + !last;
	return true;
}

static bool read_host(const char *host, int family, struct address *a)
{
	*a = (struct address){0};
	a->socket.any.sa_family = (sa_family_t)family;
	a->length = family == AF_INET ? sizeof a->socket.v4 : sizeof a->socket.v6;
	return inet_pton(family, host,
			 family == AF_INET ? (void *)&a->socket.v4.sin_addr
					   : (void *)&a->socket.v6.sin6_addr) == 1;
}

static void set_port(struct address *a, uint16_t port)
{
	if (a->socket.any.sa_family == AF_INET)
		a->socket.v4.sin_port = htons(port);
	else
		a->socket.v6.sin6_port = htons(port);
}

static bool read_port(const char *word, struct address *a)
{
	uint64_t port;
	if ((word[0] == '0' && word[1] != '\0') ||
	    !number_parse(word, strlen(word), UINT16_MAX, &port))
		return false;
	set_port(a, (uint16_t)port);
	return true;
}

/* "TCP4 192.0.2.1 192.0.2.2 4711 110" and the like. */
static bool read_line(const char *text, struct proxy_header *h)
{
	char word[INET6_ADDRSTRLEN];
	if (strcmp(text, "UNKNOWN") == 0 || strncmp(text, "UNKNOWN ", 8) == 0) {
		h->unknown = true;
		return true;
	}
	int family = AF_INET;
	if (!next_word(&text, word, sizeof word, false))
		return false;
	if (strcmp(word, "TCP6") == 0)
		family = AF_INET6;
	else if (strcmp(word, "TCP4") != 0)
		return false;
	return next_word(&text, word, sizeof word, false) && read_host(word, family, &h->source) &&
	       next_word(&text, word, sizeof word, false) &&
	       read_host(word, family, &h->destination) &&
	       next_word(&text, word, sizeof word, false) && read_port(word, &h->source) &&
	       next_word(&text, word, sizeof word, true) && read_port(word, &h->destination);
}

static enum proxy_status take_v1(struct proxy_parser *p, struct proxy_header *header)
{
	struct proxy_header h = {0};
	char line[PROXY_V1_MAX + 1];
	size_t length = p->length;
	unsigned char last = p->octets[length - 1];

	if (last == '\0' || (last == '\n') != (p->octets[length - 2] == '\r'))
		return wrong(p, "PROXY header with a stray line end or NUL");
	if (last != '\n')
		return length < PROXY_V1_MAX ? PROXY_MORE : wrong(p, "PROXY header too long");
	length -= strlen(V1_BEGIN) + 2;
	memcpy(line, p->octets + strlen(V1_BEGIN), length);
	line[length] = '\0';
	if (!read_line(line, &h))
		return wrong(p, "PROXY header of version 1 is malformed");
	*header = h;
	return PROXY_DONE;
}

/* ---- Version 2 ---- */

static size_t rest_of(const struct proxy_parser *p)
{
	return (size_t)p->octets[V2_LENGTH] << 8 | p->octets[V2_LENGTH + 1];
}

/* Addresses, then ports, each the client's first. */
static size_t read_ip(const unsigned char *from, int family, struct proxy_header *h)
{
	struct address *both[] = {&h->source, &h->destination};
	size_t size = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	for (size_t i = 0; i < 2; i++) {
		struct address *a = both[i];
		const unsigned char *port = from + 2 * size + 2 * i;
		a->socket.any.sa_family = (sa_family_t)family;
		a->length = family == AF_INET ? sizeof a->socket.v4 : sizeof a->socket.v6;
		memcpy(family == AF_INET ? (void *)&a->socket.v4.sin_addr
					 : (void *)&a->socket.v6.sin6_addr,
		       from + i * size, size);
		set_port(a, (uint16_t)(port[0] << 8 | port[1]));
	}
	return 2 * size + 4;
}

static size_t read_unix(const unsigned char *from, struct proxy_header *h)
{
	struct address *both[] = {&h->source, &h->destination};
	for (size_t i = 0; i < 2; i++) {
		struct sockaddr_un *path = &both[i]->socket.path;
		path->sun_family = AF_UNIX;
		memcpy(path->sun_path, from + i * PROXY_PATH_SIZE, PROXY_PATH_SIZE);
		both[i]->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
					      strnlen(path->sun_path, PROXY_PATH_SIZE));
	}
	return 2 * PROXY_PATH_SIZE;
}

/* Family and transport: each family that has a stream, and how long its addresses are. */
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX = 0x31 };

static bool is_family(unsigned char family, size_t *size)
{
	*size = 0;
	switch (family) {
	case V2_UNSPEC:
		return true;
	case V2_TCP4:
		*size = 2 * (sizeof(struct in_addr) + 2);
		return true;
	case V2_TCP6:
		*size = 2 * (sizeof(struct in6_addr) + 2);
		return true;
	case V2_UNIX:
		*size = 2 * PROXY_PATH_SIZE;
		return true;
	default:
		return false;
	}
}

/* LOCAL: the rest is to be passed over, whatever it is. */
static enum proxy_status read_v2(struct proxy_parser *p, struct proxy_header *header)
{
	struct proxy_header h = {.unknown = true};
	const unsigned char *rest = p->octets + PROXY_V2_FIXED;
	unsigned char family = p->octets[V2_FAMILY];
	size_t size;

	if ((p->octets[V2_COMMAND] & 0x0f) == 0) {
		*header = h;
		return PROXY_DONE;
	}
	if (!is_family(family, &size) || rest_of(p) < size)
		return wrong(p, "PROXY header of version 2 has no addresses of a stream");
	h.unknown = family == V2_UNSPEC;
	if (family == V2_UNIX)
		read_unix(rest, &h);
	else if (!h.unknown)
		read_ip(rest, family == V2_TCP4 ? AF_INET : AF_INET6, &h);
	p->wrong = proxy_fields(p->octets, p->length, PROXY_V2_FIXED + size, &h);
	if (p->wrong != NULL)
		return PROXY_WRONG;
	*header = h;
	return PROXY_DONE;
}

static enum proxy_status take_v2(struct proxy_parser *p, struct proxy_header *header)
{
	unsigned char command = p->octets[V2_COMMAND];
	if (p->length > V2_COMMAND && command != 0x20 && command != 0x21)
		return wrong(p, "PROXY header of an unknown version or command");
	if (p->length < PROXY_V2_FIXED)
		return PROXY_MORE;
	if (rest_of(p) > PROXY_V2_REST_MAX)
		return wrong(p, "PROXY header too long");
	return p->length < PROXY_V2_FIXED + rest_of(p) ? PROXY_MORE : read_v2(p, header);
}

/* ---- Both ---- */

static bool begins(const struct proxy_parser *p, const void *with, size_t length)
{
	return memcmp(p->octets, with, p->length < length ? p->length : length) == 0;
}

/* Look at what is held, after each octet. */
static enum proxy_status look(struct proxy_parser *p, struct proxy_header *header)
{
	if (begins(p, V1_BEGIN, strlen(V1_BEGIN)))
		return p->length <= strlen(V1_BEGIN) ? PROXY_MORE : take_v1(p, header);
	if (!begins(p, v2_begin, V2_BEGIN_SIZE))
		return wrong(p, "does not begin with a PROXY header");
	return p->length <= V2_BEGIN_SIZE ? PROXY_MORE : take_v2(p, header);
}

enum proxy_status proxy_feed(struct proxy_parser *p, const void *octets, size_t length,
			     size_t *taken, struct proxy_header *header)
{
	const unsigned char *from = octets;
	enum proxy_status status = PROXY_MORE;
	size_t i = 0;
	while (i < length && status == PROXY_MORE) {
		p->octets[p->length++] = from[i++];
		status = look(p, header);
	}
	*taken = i;
	return status;
}
