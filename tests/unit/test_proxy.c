/*
 * PROXY headers as they come: whole, octet by octet, cut at every octet; and what is none. The
 * octets are written out from the protocol's text.
 */
#include <stdio.h>
#include <string.h>

#include "base/network.h"
#include "net/proxy.h"
#include "unit/suite.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        "\300\0\2\1\306\063\144\2\x12\x67\0\156" /* 192.0.2.1 198.51.100.2 4711 110 */
/* A header as a literal, which may hold NULs. */
#define OCTETS(text) (text), sizeof(text) - 1

struct example {
	const char *octets;
	size_t length;
	const char *source, *destination; /* NULL: the addresses of the connection hold */
};

static const struct example good[] = {
	{OCTETS("PROXY TCP4 192.0.2.1 198.51.100.2 4711 110\r\n"), "192.0.2.1:4711",
	 "198.51.100.2:110"},
	{OCTETS("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n"), "[2001:db8::1]:65535",
	 "[2001:db8::2]:0"},
	{OCTETS("PROXY UNKNOWN\r\n"), NULL, NULL},
	{OCTETS("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), NULL, NULL},
	{OCTETS(SIGNATURE "\x21\x11\0\x0c" V4), "192.0.2.1:4711", "198.51.100.2:110"},
	/* Fields that only fill, and of unknown types. */
	{OCTETS(SIGNATURE "\x21\x11\0\x16" V4 "\x04\0\0\xee\0\4abcd"), "192.0.2.1:4711",
	 "198.51.100.2:110"},
	{OCTETS(SIGNATURE "\x21\x21\0\x24"
			  "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
			  "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\1\0\2"),
	 "[2001:db8::1]:1", "[2001:db8::2]:2"},
	{OCTETS(SIGNATURE "\x20\0\0\0"), NULL, NULL},
	{OCTETS(SIGNATURE "\x20\x11\0\5trash"), NULL, NULL},
	{OCTETS(SIGNATURE "\x20\xff\0\0"), NULL, NULL},
	{OCTETS(SIGNATURE "\x21\0\0\0"), NULL, NULL},
	{OCTETS(SIGNATURE "\x21\0\0\3\x04\0\0"), NULL, NULL},
};

static enum proxy_status feed(const char *octets, size_t length, size_t piece,
			      struct proxy_header *header, size_t *used)
{
	struct proxy_parser parser = {0};
	enum proxy_status status = PROXY_MORE;
	size_t taken;
	*used = 0;
	while (*used < length && status == PROXY_MORE) {
		size_t part = length - *used < piece ? length - *used : piece;
		status = proxy_feed(&parser, octets + *used, part, &taken, header);
		*used += taken;
		CU_ASSERT(taken <= part && (status != PROXY_MORE || taken == part));
	}
	CU_ASSERT_EQUAL(parser.wrong != NULL, status == PROXY_WRONG);
	return status;
}

static void expect_address(const struct address *a, const char *text)
{
	char got[POP3_ADDRESS_SIZE];
	address_format(a, got);
	CU_ASSERT_STRING_EQUAL(got, text);
}

static void expect(const struct example *e, const struct proxy_header *h)
{
	CU_ASSERT_EQUAL(h->unknown, e->source == NULL);
	CU_ASSERT_FALSE(h->tls || h->alpn);
	if (e->source == NULL)
		return;
	expect_address(&h->source, e->source);
	expect_address(&h->destination, e->destination);
}

/* Commands behind it stay, whatever the pieces are. */
static void header_is_read_whole_and_octet_by_octet(void)
{
	char octets[512];
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		const struct example *e = &good[i];
		size_t length = e->length, used;
		memcpy(octets, e->octets, length);
		memcpy(octets + length, "USER x\r\n", 8);
		for (size_t piece = 1; piece <= length + 8; piece++) {
			struct proxy_header header;
			CU_ASSERT_EQUAL(feed(octets, length + 8, piece, &header, &used),
					PROXY_DONE);
			CU_ASSERT_EQUAL(used, length);
			expect(e, &header);
		}
	}
	test_count(sizeof good / sizeof *good);
}

static void header_cut_at_any_octet_waits_for_more(void)
{
	struct proxy_header header;
	unsigned long cases = 0;
	size_t used;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		for (size_t cut = 0; cut < good[i].length; cut++, cases++) {
			CU_ASSERT_EQUAL(feed(good[i].octets, cut, 7, &header, &used), PROXY_MORE);
			CU_ASSERT_EQUAL(used, cut);
		}
	}
	test_count(cases);
}

/* `after`: with which octet it shows that it is none. */
struct mistake {
	const char *octets;
	size_t length, after;
};

static const struct mistake mistakes[] = {
	{OCTETS("USER alice\r\n"), 1},
	{OCTETS("proxy TCP4"), 1},
	{OCTETS("PROXY\r\n"), 6},
	{OCTETS("\r\n\r\nQUIT\r\n"), 5},
	{OCTETS("\x16\x03\x01"), 1},
	{OCTETS("PROXY \n"), 7},
	{OCTETS("PROXY \r\n"), 8},
	{OCTETS("PROXY UNKNOWN\n"), 14},
	{OCTETS("PROXY UNKNOWN\rX"), 15},
	{OCTETS("PROXY UNKNOWN \0"), 15},
	{OCTETS("PROXY UNKNOWNS\r\n"), 16},
	{OCTETS("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), 36},
	{OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), 34},
	{OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"), 37},
	{OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), 38},
	{OCTETS("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"), 37},
	{OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"), 40},
	{OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"), 37},
	{OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n"), 37},
	{OCTETS("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"), 38},
	{OCTETS("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), 40},
	{OCTETS("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"), 36},
	{OCTETS("PROXY TCP6 [::1] ::2 1 2\r\n"), 26},
	/* Version, command, family, too little for the addresses, too much in all. */
	{OCTETS(SIGNATURE "\x11\x11\0\0"), 13},
	{OCTETS(SIGNATURE "\x22\x11\0\0"), 13},
	{OCTETS(SIGNATURE "\x21\x12\0\x0c" V4), 28},
	{OCTETS(SIGNATURE "\x21\x01\0\0"), 16},
	{OCTETS(SIGNATURE "\x21\x11\0\x0b" V4), 27},
	{OCTETS(SIGNATURE "\x21\x21\0\x0c" V4), 28},
	{OCTETS(SIGNATURE "\x21\x11\x10\x01"), 16},
	/* Fields that are cut off, or stand twice. */
	{OCTETS(SIGNATURE "\x21\x11\0\x0e" V4 "\x04\0"), 30},
	{OCTETS(SIGNATURE "\x21\x11\0\x10" V4 "\x04\0\2a"), 32},
	{OCTETS(SIGNATURE "\x21\x11\0\x1a" V4 "\1\0\4pop3\1\0\4pop3"), 42},
	{OCTETS(SIGNATURE "\x21\x11\0\x13" V4 "\x20\0\4\0\0\0\0"), 35},
	{OCTETS(SIGNATURE "\x21\x11\0\x17" V4 "\x20\0\x08\1\0\0\0\0\x21\0\1"), 39},
	{OCTETS(SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\4\0\0\0\0"), 35},
	{OCTETS(SIGNATURE "\x21\x11\0\x12" V4 "\x03\0\3\0\0\0"), 34},
};

static void what_is_no_header_is_wrong_with_the_first_octet_that_shows_it(void)
{
	struct proxy_header header;
	size_t used;
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		const struct mistake *m = &mistakes[i];
		for (size_t piece = 1; piece <= m->length; piece++) {
			CU_ASSERT_EQUAL(feed(m->octets, m->length, piece, &header, &used),
					PROXY_WRONG);
			CU_ASSERT_EQUAL(used, m->after);
		}
	}
	test_count(sizeof mistakes / sizeof *mistakes);
}

static void line_of_107_octets_is_a_header_and_one_of_108_is_not(void)
{
	struct proxy_header header;
	char line[110];
	size_t used;
	memset(line, 'x', sizeof line);
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + 105, "\r\n", 2);
	CU_ASSERT_EQUAL(feed(line, 107, 107, &header, &used), PROXY_DONE);
	memcpy(line + 105, "x\r\n", 3);
	CU_ASSERT_EQUAL(feed(line, 108, 108, &header, &used), PROXY_WRONG);
	CU_ASSERT_EQUAL(used, 107);
}

/* 4,096 octets behind the first 16: the addresses, and one field that fills. */
static void longest_header_is_read(void)
{
	static char octets[PROXY_HEADER_MAX] = SIGNATURE "\x21\x11\x10\0" V4 "\x04\x0f\xf1";
	struct proxy_header header;
	size_t used;
	CU_ASSERT_EQUAL(feed(octets, sizeof octets, 1000, &header, &used), PROXY_DONE);
	CU_ASSERT_EQUAL(used, 4112);
	expect_address(&header.source, "192.0.2.1:4711");
}

static void unix_addresses_are_read(void)
{
	char octets[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
	struct proxy_header header;
	size_t used;
	memcpy(octets + 16 + 108, "/run/pop3", 9);
	CU_ASSERT_EQUAL(feed(octets, sizeof octets, 5, &header, &used), PROXY_DONE);
	expect_address(&header.source, "unix");
	expect_address(&header.destination, "unix:/run/pop3");
	memset(octets + 16, '/', 108); /* without a NUL */
	CU_ASSERT_EQUAL(feed(octets, sizeof octets, 5, &header, &used), PROXY_DONE);
	char text[POP3_ADDRESS_SIZE];
	address_format(&header.source, text);
	CU_ASSERT_EQUAL(strlen(text), 5 + 108);
}

static enum proxy_status fields(const char *octets, size_t length, struct proxy_header *header)
{
	char whole[512] = SIGNATURE "\x21\x11\0\0" V4;
	size_t used;
	whole[15] = (char)(12 + length);
	memcpy(whole + 28, octets, length);
	return feed(whole, 28 + length, 28 + length, header, &used);
}

static void tls_and_alpn_are_told(void)
{
	struct proxy_header h;
	CU_ASSERT_EQUAL(fields(OCTETS("\1\0\4pop3\x20\0\x20\7\0\0\0\0\x21\0\7TLSv1.3\x22\0\5alice"
				      "\x23\0\6"
				      "A-GCM1"),
			       &h),
			PROXY_DONE);
	CU_ASSERT(h.tls && h.alpn && h.alpn_pop3);
	CU_ASSERT_STRING_EQUAL(h.tls_version, "TLSv1.3");
	CU_ASSERT_STRING_EQUAL(h.tls_cipher, "A-GCM1");
	CU_ASSERT_STRING_EQUAL(h.certificate, "alice");

	CU_ASSERT_EQUAL(fields(OCTETS("\1\0\2h2"), &h), PROXY_DONE);
	CU_ASSERT(!h.tls && h.alpn && !h.alpn_pop3);
	CU_ASSERT_EQUAL(fields(OCTETS("\1\0\5pop3s"), &h), PROXY_DONE);
	CU_ASSERT_FALSE(h.alpn_pop3);
}

/* Not verified; not shown; no TLS at all; a name with a blank or a NUL, which could be cut. */
static void name_of_a_certificate_counts_only_if_it_was_verified(void)
{
	static const struct {
		const char *octets;
		size_t length;
		bool tls;
	} cases[] = {
		{OCTETS("\x20\0\x0d\7\0\0\0\1\x22\0\5alice"), true},
		{OCTETS("\x20\0\x0d\1\0\0\0\0\x22\0\5alice"), true},
		{OCTETS("\x20\0\x0d\6\0\0\0\0\x22\0\5alice"), false},
		{OCTETS("\x20\0\x0d\7\0\0\0\0\x22\0\5al ce"), true},
		{OCTETS("\x20\0\x0d\7\0\0\0\0\x22\0\5al\0ce"), true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct proxy_header h;
		CU_ASSERT_EQUAL(fields(cases[i].octets, cases[i].length, &h), PROXY_DONE);
		CU_ASSERT_STRING_EQUAL(h.certificate, "");
		CU_ASSERT_EQUAL(h.tls, cases[i].tls);
	}
}

/* The sum is another program's, one that gives E3069283 for "123456789" as it should. */
static void checksum_is_verified(void)
{
	char octets[] = SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\4"
				  "\050\307\066\112";
	struct proxy_header header;
	size_t used;
	CU_ASSERT_EQUAL(feed(octets, sizeof octets - 1, 9, &header, &used), PROXY_DONE);
	for (size_t i = 16; i < sizeof octets - 1; i++) {
		octets[i] ^= 1;
		if (i < 28 || i >= 31)
			CU_ASSERT_EQUAL(feed(octets, sizeof octets - 1, 9, &header, &used),
					PROXY_WRONG);
		octets[i] ^= 1;
	}
}

/* ---- Networks ---- */

static bool holds(const char *network, int family, const char *address)
{
	struct network n;
	struct address a;
	unsigned char octets[NETWORK_OCTETS];
	char text[64];
	CU_ASSERT_EQUAL_FATAL(network_parse(network, &n), 0);
	snprintf(text, sizeof text,
		 family == AF_INET6  ? "[%s]:1"
		 : family == AF_INET ? "%s:1"
				     : "%s",
		 address);
	CU_ASSERT_EQUAL_FATAL(address_parse(text, &a), 0);
	return network_holds(&n, address_octets(&a, octets) ? octets : NULL);
}

static void networks_hold_their_addresses_alone(void)
{
	CU_ASSERT(holds("192.0.2.0/24", AF_INET, "192.0.2.255"));
	CU_ASSERT(holds("192.0.2.0/24", AF_INET6, "::ffff:192.0.2.1"));
	CU_ASSERT_FALSE(holds("192.0.2.0/24", AF_INET, "192.0.3.0"));
	CU_ASSERT(holds("192.0.2.128/25", AF_INET, "192.0.2.128"));
	CU_ASSERT_FALSE(holds("192.0.2.128/25", AF_INET, "192.0.2.127"));
	CU_ASSERT(holds("192.0.2.1", AF_INET, "192.0.2.1"));
	CU_ASSERT_FALSE(holds("192.0.2.1", AF_INET, "192.0.2.0"));
	CU_ASSERT(holds("0.0.0.0/0", AF_INET, "255.255.255.255"));
	CU_ASSERT_FALSE(holds("0.0.0.0/0", AF_INET6, "2001:db8::1"));
	CU_ASSERT(holds("2001:db8::/33", AF_INET6, "2001:db8:7fff::"));
	CU_ASSERT_FALSE(holds("2001:db8::/33", AF_INET6, "2001:db8:8000::"));
	CU_ASSERT(holds("::/0", AF_INET, "192.0.2.1"));
	CU_ASSERT(holds("unix", AF_UNIX, "unix:/run/x"));
	CU_ASSERT_FALSE(holds("unix", AF_INET, "127.0.0.1"));
	CU_ASSERT_FALSE(holds("::/0", AF_UNIX, "unix:/run/x"));
}

static void what_is_no_network_is_refused(void)
{
	static const char *const wrong[] = {"",
					    "192.0.2.0/33",
					    "192.0.2.1/24",
					    "192.0.2.0/",
					    "192.0.2/24",
					    "192.0.2.0/24/1",
					    "/8",
					    "2001:db8::/129",
					    "2001:db8::1/64",
					    "[2001:db8::]/32",
					    "localhost",
					    "unix:/run/x",
					    "192.0.2.0/-1",
					    "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct network n;
		CU_ASSERT(network_parse(wrong[i], &n) < 0);
	}
}

static const struct test tests[] = {
	TEST(header_is_read_whole_and_octet_by_octet),
	TEST(header_cut_at_any_octet_waits_for_more),
	TEST(what_is_no_header_is_wrong_with_the_first_octet_that_shows_it),
	TEST(line_of_107_octets_is_a_header_and_one_of_108_is_not),
	TEST(longest_header_is_read),
	TEST(unix_addresses_are_read),
	TEST(tls_and_alpn_are_told),
	TEST(name_of_a_certificate_counts_only_if_it_was_verified),
	TEST(checksum_is_verified),
	TEST(networks_hold_their_addresses_alone),
	TEST(what_is_no_network_is_refused),
	TEST_END,
};
const struct test_suite suite_proxy = {"proxy", tests};
