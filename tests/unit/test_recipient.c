/* From a mail address to a user: every order of names, and what must not be anybody's. */
#include <stdio.h>
#include <string.h>

#include "auth/recipient.h"
#include "unit/suite.h"

/* An address, what is set, and whose mail it is; NULL: nobody's. */
struct row {
	const char *address;
	const char *delimiters;
	bool strip_domain;
	const char *user;
};

static void expect(const char *text, const struct row *rows, size_t count)
{
	struct passwd_error error;
	struct passwd *passwd = NULL;
	CU_ASSERT_EQUAL_FATAL(passwd_parse(text, strlen(text), &error, &passwd), 0);
	for (size_t i = 0; i < count; i++) {
		const struct recipient_rules rules = {rows[i].delimiters, rows[i].strip_domain};
		const struct passwd_entry *entry = recipient_find(passwd, rows[i].address, &rules);
		const char *user = entry != NULL ? entry->user : "-";
		const char *expected = rows[i].user != NULL ? rows[i].user : "-";
		if (strcmp(user, expected) != 0)
			printf("%s is %s's, not %s's\n", rows[i].address, user, expected);
		CU_ASSERT_STRING_EQUAL(user, expected);
	}
	passwd_unref(passwd);
	test_count(count);
}

#define EXPECT(text, ...)                                                                          \
	expect(text, (const struct row[]){__VA_ARGS__},                                            \
	       sizeof(const struct row[]){__VA_ARGS__} / sizeof(struct row))

static void longest_of_four_names_gets_the_mail(void)
{
	static const char address[] = "alice+lists@example.org";
	EXPECT("alice:{PLAIN}x\n"
	       "alice+lists:{PLAIN}x\n"
	       "alice@example.org:{PLAIN}x\n"
	       "alice+lists@example.org:{PLAIN}x\n",
	       {address, "+", true, "alice+lists@example.org"});
	EXPECT("alice:{PLAIN}x\n"
	       "alice+lists:{PLAIN}x\n"
	       "alice@example.org:{PLAIN}x\n",
	       {address, "+", true, "alice@example.org"});
	EXPECT("alice:{PLAIN}x\n"
	       "alice+lists:{PLAIN}x\n",
	       {address, "+", true, "alice+lists"});
	EXPECT("alice:{PLAIN}x\n", {address, "+", true, "alice"});
	EXPECT("bob:{PLAIN}x\n", {address, "+", true, NULL});
}

static void only_what_is_set_is_stripped(void)
{
	EXPECT("alice:{PLAIN}x\n", {"alice", NULL, false, "alice"}, {"alice", "+", true, "alice"},
	       {"alice+lists", NULL, true, NULL}, {"alice+lists", "", true, NULL},
	       {"alice+lists", "+", false, "alice"}, {"alice@example.org", "+", false, NULL},
	       {"alice@example.org", NULL, true, "alice"},
	       {"alice+lists@example.org", NULL, true, NULL},
	       {"alice+lists@example.org", "+", false, NULL});
	EXPECT("alice@example.org:{PLAIN}x\n",
	       {"alice+lists@example.org", "+", false, "alice@example.org"},
	       {"alice+lists@example.org", NULL, true, NULL},
	       {"alice@example.net", "+", true, NULL}, {"alice", "+", true, NULL});
}

static void first_delimiter_begins_the_extension(void)
{
	EXPECT("alice:{PLAIN}x\n"
	       "alice+a:{PLAIN}x\n"
	       "+dave:{PLAIN}x\n"
	       "bob@a-b.example:{PLAIN}x\n",
	       {"alice+b+c", "+", false, "alice"}, {"alice+a+c", "+", false, "alice"},
	       {"alice+", "+", false, "alice"}, {"alice-x+y", "+-", false, "alice"},
	       {"alice-x+y", "+", false, NULL}, {"alice-x", "-+", false, "alice"},
	       {"+dave", "+", false, "+dave"}, {"+dave+x", "+", false, NULL},
	       {"+alice", "+", false, NULL}, {"++alice", "+", false, NULL},
	       {"bob@a-b.example", "-", false, "bob@a-b.example"},
	       {"bob-x@a-b.example", "-", false, "bob@a-b.example"});
}

static void domain_follows_the_last_at_sign(void)
{
	EXPECT("alice:{PLAIN}x\n"
	       "dave@x:{PLAIN}x\n",
	       {"alice@b@example.org", "+", true, NULL},
	       {"dave@x@example.org", "+", true, "dave@x"}, {"alice@", "+", true, "alice"},
	       {"@example.org", "+", true, NULL}, {"@", "+", true, NULL}, {"", "+", true, NULL},
	       {"+@example.org", "+", true, NULL}, {"alice+a@b@example.org", "+", true, "alice"});
}

static void leading_delimiter_leaves_no_empty_name(void)
{
	EXPECT("@example.org:{PLAIN}x\n"
	       "lists:{PLAIN}x\n",
	       {"+lists@example.org", "+", true, NULL}, {"+@example.org", "+", true, NULL},
	       {"@example.org", "+", true, "@example.org"});
}

static void names_are_compared_octet_by_octet(void)
{
	EXPECT("alice:{PLAIN}x\n"
	       "Bob:{PLAIN}x\n",
	       {"Alice@example.org", "+", true, NULL}, {"ALICE+x", "+", true, NULL},
	       {"bob", "+", true, NULL}, {"Bob+x@example.org", "+", true, "Bob"},
	       {"alice +x", "+", true, NULL}, {"../alice@example.org", "+", true, NULL},
	       {"alice/../bob@example.org", "+", true, NULL});
}

static void part_of_an_address_that_is_too_long_may_still_be_a_name(void)
{
	char address[700];
	memset(address, 'x', sizeof address);
	address[sizeof address - 1] = '\0';
	memcpy(address, "alice+", strlen("alice+"));
	EXPECT("alice:{PLAIN}x\n", {address, "+", true, "alice"}, {address, "-", true, NULL});
	address[400] = '@';
	EXPECT("alice:{PLAIN}x\n", {address, "+", true, "alice"}, {address, NULL, true, NULL});
	memcpy(address, "alice@", strlen("alice@"));
	address[400] = 'x';
	EXPECT("alice:{PLAIN}x\n", {address, "+", true, "alice"});
	EXPECT("@:{PLAIN}x\n", {address + 1, "+", true, NULL});
}

static const struct test tests[] = {
	TEST(longest_of_four_names_gets_the_mail),
	TEST(only_what_is_set_is_stripped),
	TEST(first_delimiter_begins_the_extension),
	TEST(domain_follows_the_last_at_sign),
	TEST(leading_delimiter_leaves_no_empty_name),
	TEST(names_are_compared_octet_by_octet),
	TEST(part_of_an_address_that_is_too_long_may_still_be_a_name),
	TEST_END,
};
const struct test_suite suite_recipient = {"recipient", tests};
