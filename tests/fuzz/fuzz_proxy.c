/*
 * PROXY headers of any octets, whole and cut anywhere: the same result, no octet taken behind the
 * header, nothing told that was not said. A line of version 1 with IPv4 addresses has one form
 * alone, so what was read from it must give the same octets again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "net/proxy.h"

struct result {
	enum proxy_status status;
	size_t taken;
	const char *wrong;
	struct proxy_header header;
};

/* From memory of just that size, so that a look behind it is found. */
static void feed(const uint8_t *data, size_t size, size_t piece, struct result *r)
{
	static struct proxy_parser parser;
	parser = (struct proxy_parser){0};
	*r = (struct result){.status = PROXY_MORE};
	while (r->taken < size && r->status == PROXY_MORE) {
		size_t length = size - r->taken < piece ? size - r->taken : piece;
		size_t taken;
		uint8_t *copy = malloc(length);
		CHECK(copy != NULL);
		memcpy(copy, data + r->taken, length);
		r->status = proxy_feed(&parser, copy, length, &taken, &r->header);
		free(copy);
		CHECK(taken >= 1 && taken <= length);
		CHECK(r->status != PROXY_MORE || taken == length);
		r->taken += taken;
	}
	CHECK((r->status == PROXY_WRONG) == (parser.wrong != NULL));
	r->wrong = parser.wrong;
}

static void check_text(const char *text, size_t size)
{
	size_t length = strnlen(text, size);
	CHECK(length < size);
	for (size_t i = 0; i < length; i++)
		CHECK(text[i] > ' ' && text[i] < 0x7f);
}

static void check_address(const struct address *a, char text[POP3_ADDRESS_SIZE])
{
	sa_family_t family = a->socket.any.sa_family;
	CHECK(family == AF_INET || family == AF_INET6 || family == AF_UNIX);
	memset(text, 'x', POP3_ADDRESS_SIZE);
	address_format(a, text);
	CHECK(memchr(text, '\0', POP3_ADDRESS_SIZE) != NULL);
}

static void check_line(const struct proxy_header *h, const uint8_t *data, size_t size)
{
	char source[POP3_ADDRESS_SIZE], destination[POP3_ADDRESS_SIZE];
	char line[4 * POP3_ADDRESS_SIZE];
	check_address(&h->source, source);
	check_address(&h->destination, destination);
	if (h->source.socket.any.sa_family != AF_INET || data[0] != 'P')
		return;
	*strchr(source, ':') = '\0';
	*strchr(destination, ':') = '\0';
	int length = snprintf(line, sizeof line, "PROXY TCP4 %s %s %u %u\r\n", source, destination,
			      address_port(&h->source), address_port(&h->destination));
	CHECK((size_t)length == size && memcmp(line, data, size) == 0);
}

static void check_header(const struct result *r, const uint8_t *data)
{
	const struct proxy_header *h = &r->header;
	CHECK(r->taken <= (data[0] == 'P' ? PROXY_V1_MAX : PROXY_HEADER_MAX));
	check_text(h->tls_version, sizeof h->tls_version);
	check_text(h->tls_cipher, sizeof h->tls_cipher);
	check_text(h->certificate, sizeof h->certificate);
	CHECK(h->tls ||
	      (h->tls_version[0] == '\0' && h->tls_cipher[0] == '\0' && h->certificate[0] == '\0'));
	CHECK(h->alpn || !h->alpn_pop3);
	if (!h->unknown)
		check_line(h, data, r->taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct result whole, cut;
	if (size < 2)
		return 0;
	size_t piece = data[0] + (size_t)1;
	data++;
	size--;
	feed(data, size, size, &whole);
	feed(data, size, piece, &cut);
	CHECK(whole.status == cut.status && whole.taken == cut.taken && whole.wrong == cut.wrong);
	CHECK(memcmp(&whole.header, &cut.header, sizeof whole.header) == 0);
	if (whole.status == PROXY_DONE)
		check_header(&whole, data);
	return 0;
}
