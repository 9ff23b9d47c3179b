/* Addresses as text and what kind they are. */
#include "net/address.h"

#include <errno.h>
#include <string.h>

#include "unit/suite.h"

static void expect(const char *text, const char *formatted, uint16_t port, bool loopback)
{
	struct address a;
	char back[POP3_ADDRESS_SIZE];
	CU_ASSERT_EQUAL(address_parse(text, &a), 0);
	address_format(&a, back);
	CU_ASSERT_STRING_EQUAL(back, formatted);
	CU_ASSERT_EQUAL(address_port(&a), port);
	CU_ASSERT_EQUAL(address_is_loopback(&a), loopback);
}

static void addresses_are_parsed_and_formatted(void)
{
	expect("127.0.0.1:110", "127.0.0.1:110", 110, true);
	expect("127.9.8.7:0", "127.9.8.7:0", 0, true);
	expect("128.0.0.1:65535", "128.0.0.1:65535", 65535, false);
	expect("[::1]:110", "[::1]:110", 110, true);
	expect("[2001:db8::1]:995", "[2001:db8::1]:995", 995, false);
	expect("[::ffff:127.0.0.2]:1", "127.0.0.2:1", 1, true);
	expect("[::ffff:192.0.2.1]:1", "192.0.2.1:1", 1, false);
	expect(":110", "[::]:110", 110, false);
	expect("unix:/run/pop3", "unix:/run/pop3", 0, true);
}

static void what_is_no_address_is_refused(void)
{
	static const char *const wrong[] = {"",
					    "110",
					    "127.0.0.1",
					    "127.0.0.1:",
					    "127.0.0.1:65536",
					    "127.0.0.1:+1",
					    "127.1:110",
					    "localhost:110",
					    "::1:110",
					    "[::1]",
					    "[::1:110",
					    "[::1]110",
					    "[127.0.0.1]:110",
					    "[]:110",
					    "[:110",
					    "unix:",
					    "127.0.0.1:1x",
					    "[::1%lo]:110",
					    "1.2.3.4.5:110",
					    " 127.0.0.1:110"};
	struct address a;
	char text[256] = "unix:/";
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CU_ASSERT_EQUAL(address_parse(wrong[i], &a), -EINVAL);
	memset(text + 6, 'x', 107);
	CU_ASSERT_EQUAL(address_parse(text, &a), -EINVAL);
	text[6 + 106] = '\0';
	CU_ASSERT_EQUAL(address_parse(text, &a), 0);
	memset(text, '1', 200);
	text[200] = '\0';
	CU_ASSERT_EQUAL(address_parse(text, &a), -EINVAL);
}

static bool same_key(const char *one, const char *other)
{
	struct address a, b;
	CU_ASSERT_EQUAL(address_parse(one, &a), 0);
	CU_ASSERT_EQUAL(address_parse(other, &b), 0);
	return address_key(&a) == address_key(&b);
}

static void ipv6_addresses_count_by_their_network(void)
{
	CU_ASSERT(same_key("192.0.2.1:1", "192.0.2.1:2"));
	CU_ASSERT(same_key("192.0.2.1:1", "[::ffff:192.0.2.1]:1"));
	CU_ASSERT_FALSE(same_key("192.0.2.1:1", "192.0.2.2:1"));
	CU_ASSERT(same_key("[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::9]:1"));
	CU_ASSERT_FALSE(same_key("[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1"));
	CU_ASSERT(same_key("unix:/a", "unix:/b"));
}

static const struct test tests[] = {
	TEST(addresses_are_parsed_and_formatted),
	TEST(what_is_no_address_is_refused),
	TEST(ipv6_addresses_count_by_their_network),
	TEST_END,
};
const struct test_suite suite_net_address = {"net_address", tests};
