/* Numbers, secrets, buffers, tallies and log lines. */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/number.h"
#include "base/secret.h"
#include "base/tally.h"
#include "unit/suite.h"

static bool parse(const char *text, uint64_t maximum, uint64_t *value)
{
	return number_parse(text, strlen(text), maximum, value);
}

static void numbers_are_parsed_strictly(void)
{
	uint64_t value = 7;
	CU_ASSERT(parse("0", 9, &value) && value == 0);
	CU_ASSERT(parse("0012", 99, &value) && value == 12);
	CU_ASSERT(parse("18446744073709551615", UINT64_MAX, &value) && value == UINT64_MAX);
	static const char *const wrong[] = {"",
					    "-1",
					    "+1",
					    " 1",
					    "1 ",
					    "1a",
					    "0x1",
					    "1.0",
					    "18446744073709551616",
					    "99999999999999999999999"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CU_ASSERT_FALSE(parse(wrong[i], UINT64_MAX, &value));
	CU_ASSERT_FALSE(parse("10", 9, &value));
	CU_ASSERT_FALSE(parse("9", 8, &value));
	CU_ASSERT_EQUAL(value, UINT64_MAX);
}

static void numbers_are_formatted_in_decimal(void)
{
	char text[NUMBER_SIZE];
	CU_ASSERT_EQUAL(number_format(0, text), 1);
	CU_ASSERT_STRING_EQUAL(text, "0");
	CU_ASSERT_EQUAL(number_format(UINT64_MAX, text), 20);
	CU_ASSERT_STRING_EQUAL(text, "18446744073709551615");
}

static void secrets_are_equal_only_when_all_octets_are(void)
{
	CU_ASSERT(secret_equal("abc", 3, "abc", 3));
	CU_ASSERT_FALSE(secret_equal("abc", 3, "abd", 3));
	CU_ASSERT_FALSE(secret_equal("abc", 3, "ab", 2));
	CU_ASSERT_FALSE(secret_equal("abc", 3, "abcc", 4));
	CU_ASSERT_FALSE(secret_equal("", 0, "a", 1));
	CU_ASSERT(secret_equal("", 0, "", 0));
	CU_ASSERT(secret_equal("a\0b", 3, "a\0b", 3));
	CU_ASSERT_FALSE(secret_equal("a\0b", 3, "a\0c", 3));
}

static void buffer_keeps_order_and_its_maximum(void)
{
	struct buffer b;
	buffer_init(&b, 1000);
	CU_ASSERT_EQUAL(buffer_append(&b, "hello ", 6), 0);
	for (int i = 0; i < 99; i++)
		CU_ASSERT_EQUAL(buffer_append(&b, "0123456789", 10), 0);
	CU_ASSERT_EQUAL(buffer_append(&b, "12345", 5), -28 /* ENOSPC */);
	CU_ASSERT_EQUAL(b.length, 996);
	buffer_consume(&b, 6);
	CU_ASSERT_EQUAL(memcmp(buffer_data(&b), "0123456789", 10), 0);
	CU_ASSERT_EQUAL(buffer_append(&b, "abcdefghij", 10), 0);
	CU_ASSERT_EQUAL(buffer_room(&b), 0);
	CU_ASSERT_EQUAL(memcmp(buffer_data(&b) + 990, "abcdefghij", 10), 0);
	buffer_consume(&b, 1000);
	CU_ASSERT_PTR_NULL(b.octets);
	buffer_fini(&b);
}

static void tally_counts_each_name_alone(void)
{
	struct tally t = {0};
	char name[16];
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 500; i++) {
			snprintf(name, sizeof name, "u%d", i);
			CU_ASSERT_EQUAL(tally_add(&t, name), 0);
		}
	}
	CU_ASSERT_EQUAL(tally_count(&t, "u17"), 2);
	tally_remove(&t, "u17");
	CU_ASSERT_EQUAL(tally_count(&t, "u17"), 1);
	tally_remove(&t, "u17");
	tally_remove(&t, "u17");
	CU_ASSERT_EQUAL(tally_count(&t, "u17"), 0);
	CU_ASSERT_EQUAL(tally_count(&t, "u18"), 2);
	CU_ASSERT_EQUAL(t.used, 499);
	tally_fini(&t);
}

/* SipHash-1-3 as other implementations have it, of 0 to 9 octets. */
static void keyed_hash_is_siphash(void)
{
	static const uint64_t expected[] = {
		0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb,
		0xcf75576088d38328, 0xdef9d52f49533b67, 0xc50d2b50c59f22a7, 0xd3927d989bb11140,
		0x369095118d299a8e, 0x25a48eb36c063de4};
	const struct hash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
	const struct hash_key other = {{0x0706050403020100, 0x0f0e0d0c0b0a0909}};
	const char octets[] = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09";
	for (size_t i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(hash_keyed(&key, octets, i), expected[i]);
		CU_ASSERT_NOT_EQUAL(hash_keyed(&other, octets, i), expected[i]);
	}
}

static void log_lines_are_escaped(void)
{
	char line[LOG_LINE_SIZE];
	const struct pop3_field fields[] = {
		LOG_NUMBER("session", 17), LOG_TEXT("user", "a\"b\\c\n\xff"),
		LOG_TEXT("peer", "127.0.0.1:7"), LOG_TEXT("text", "two words")};
	const struct pop3_record record = {POP3_LOG_INFO, "closed", fields, 4};
	log_format_logfmt(&record, line);
	CU_ASSERT_STRING_EQUAL(
		line, "session=17 level=info event=closed "
		      "user=\"a\\\"b\\\\c\\x0a\\xff\" peer=127.0.0.1:7 text=\"two words\"");
	log_format_json(&record, line);
	CU_ASSERT_STRING_EQUAL(line, "{\"session\":17,\"level\":\"info\",\"event\":\"closed\","
				     "\"user\":\"a\\\"b\\\\c\\u000a\\u00ff\",\"peer\":\"127.0.0.1:"
				     "7\",\"text\":\"two words\"}");
}

static void long_log_lines_are_cut_between_fields(void)
{
	char line[LOG_LINE_SIZE];
	char text[3000];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	const struct pop3_field fields[] = {LOG_TEXT("long", text), LOG_TEXT("short", "y")};
	const struct pop3_record record = {POP3_LOG_ERROR, "error", fields, 2};
	log_format_logfmt(&record, line);
	CU_ASSERT_STRING_EQUAL(line, "level=error event=error");
	log_format_json(&record, line);
	CU_ASSERT_STRING_EQUAL(line, "{\"level\":\"error\",\"event\":\"error\"}");
}

static const struct test tests[] = {
	TEST(numbers_are_parsed_strictly),
	TEST(numbers_are_formatted_in_decimal),
	TEST(secrets_are_equal_only_when_all_octets_are),
	TEST(buffer_keeps_order_and_its_maximum),
	TEST(tally_counts_each_name_alone),
	TEST(keyed_hash_is_siphash),
	TEST(log_lines_are_escaped),
	TEST(long_log_lines_are_cut_between_fields),
	TEST_END,
};
const struct test_suite suite_base = {"base", tests};
