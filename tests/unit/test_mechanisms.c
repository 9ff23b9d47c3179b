/* The mechanisms that an administrator wants: which of a list are left, and in which order. */
#include <stdlib.h>
#include <string.h>

#include "backend/mechanisms.h"
#include "unit/suite.h"

/* The SASL line; "" if there is none. */
static const char *sasl_line(const struct pop3_capabilities *list)
{
	const char *found = "";
	for (size_t i = 0; i < list->count; i++)
		if (strncmp(list->lines[i], "SASL", 4) == 0)
			found = list->lines[i];
	return found;
}

/* What is left of `offered` where `wanted` is set. */
static void expect_kept(const char *const offered[], const char *const wanted[], const char *line)
{
	struct mechanisms mechanisms = {.count = 0};
	struct pop3_capabilities *list = calloc(1, sizeof *list);
	CU_ASSERT_PTR_NOT_NULL_FATAL(list);
	CU_ASSERT_EQUAL(pop3_capability_add(list, "TOP"), 0);
	for (size_t i = 0; offered[i] != NULL; i++)
		CU_ASSERT_EQUAL(pop3_mechanism_add(list, offered[i]), 0);
	CU_ASSERT_EQUAL(pop3_capability_add(list, "UIDL"), 0);
	for (size_t i = 0; wanted[i] != NULL; i++)
		CU_ASSERT(mechanisms_add(&mechanisms, wanted[i]));
	mechanisms_keep(list, &mechanisms);
	CU_ASSERT_STRING_EQUAL(sasl_line(list), line);
	CU_ASSERT_EQUAL(list->count, *line == '\0' ? 2 : 3);
	free(list);
	test_count(1);
}

#define WORDS(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static void what_is_wanted_is_left_in_its_order(void)
{
	expect_kept(WORDS("PLAIN", "LOGIN", "XOAUTH2"), WORDS("XOAUTH2", "CRAM-MD5", "PLAIN"),
		    "SASL XOAUTH2 PLAIN");
	expect_kept(WORDS("PLAIN", "LOGIN"), WORDS("plain", "Plain"), "SASL PLAIN");
	expect_kept(WORDS("PLAIN", "LOGIN"), WORDS("EXTERNAL"), "");
	expect_kept((const char *const[]){NULL}, WORDS("PLAIN"), "");
	/* A name that begins or ends as another. */
	expect_kept(WORDS("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256"), WORDS("SCRAM-SHA-1"), "");
	expect_kept(WORDS("SCRAM-SHA-1", "XOAUTH2"), WORDS("SCRAM-SHA-1-PLUS", "XOAUTH2"),
		    "SASL XOAUTH2");
	/* Another listener's, of which nothing is known here. */
	expect_kept(WORDS("KERBEROS_V4", "PLAIN"), WORDS("PLAIN"), "SASL PLAIN");
}

static void all_of_them_fit_in_any_order(void)
{
	expect_kept(WORDS("CRAM-MD5", "PLAIN", "LOGIN", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256",
			  "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "EXTERNAL", "OAUTHBEARER", "XOAUTH2"),
		    WORDS("XOAUTH2", "OAUTHBEARER", "EXTERNAL", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS",
			  "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "LOGIN", "PLAIN", "CRAM-MD5"),
		    "SASL XOAUTH2 OAUTHBEARER EXTERNAL SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 "
		    "SCRAM-SHA-256-PLUS LOGIN PLAIN CRAM-MD5");
}

static void only_names_that_are_known_can_be_wanted(void)
{
	struct mechanisms mechanisms = {.count = 0};
	CU_ASSERT_FALSE(mechanisms_add(&mechanisms, ""));
	CU_ASSERT_FALSE(mechanisms_add(&mechanisms, "PLAI"));
	CU_ASSERT_FALSE(mechanisms_add(&mechanisms, "PLAIN "));
	CU_ASSERT_EQUAL(mechanisms.count, 0);
	/* The message names each. */
	char names[256];
	char *rest = names;
	mechanisms_names(names, sizeof names);
	for (char *name = strtok_r(names, " ", &rest); name != NULL;
	     name = strtok_r(NULL, " ", &rest))
		CU_ASSERT(mechanisms_add(&mechanisms, name));
	CU_ASSERT_EQUAL(mechanisms.count, MECHANISMS_MAX);
}

static const struct test tests[] = {
	TEST(what_is_wanted_is_left_in_its_order),
	TEST(all_of_them_fit_in_any_order),
	TEST(only_names_that_are_known_can_be_wanted),
	TEST_END,
};

const struct test_suite suite_mechanisms = {"mechanisms", tests};
