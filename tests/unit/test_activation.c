/* What the service manager put into the environment is taken once, and gone for children. */
#include "daemon/activation.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "unit/suite.h"

static void set_all(long process, const char *count)
{
	char text[32];
	snprintf(text, sizeof text, "%ld", process);
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", count, 1);
	setenv("LISTEN_FDNAMES", "pop3", 1);
}

static void expect_none_left(void)
{
	CU_ASSERT_PTR_NULL(getenv("LISTEN_PID"));
	CU_ASSERT_PTR_NULL(getenv("LISTEN_FDS"));
	CU_ASSERT_PTR_NULL(getenv("LISTEN_FDNAMES"));
}

static void variables_are_unset_whoever_they_were_for(void)
{
	struct activation a;
	set_all(getpid(), "0");
	CU_ASSERT_EQUAL(activation_take(&a), 0);
	CU_ASSERT_FALSE(activation_is_used(&a));
	expect_none_left();

	set_all(getpid() + 1L, "1");
	CU_ASSERT_EQUAL(activation_take(&a), 0);
	CU_ASSERT_FALSE(activation_is_used(&a));
	expect_none_left();

	CU_ASSERT_EQUAL(activation_take(&a), 0);
	CU_ASSERT_FALSE(activation_is_used(&a));
	CU_ASSERT_FALSE(activation_is_used(NULL));
}

static void count_that_cannot_be_is_an_error(void)
{
	static const char *const wrong[] = {"", "-1", "65", "x", "4294967297"};
	struct activation a;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		set_all(getpid(), wrong[i]);
		CU_ASSERT_EQUAL(activation_take(&a), EX_CONFIG);
		expect_none_left();
	}
}

static void socket_to_notify_is_unset_and_may_be_missing(void)
{
	struct notify n;
	notify_init(&n);
	CU_ASSERT_EQUAL(n.descriptor, -1);
	notify_ready(&n, "nobody hears it");
	setenv("NOTIFY_SOCKET", "@pop3-emitter-nobody", 1);
	notify_init(&n);
	CU_ASSERT_PTR_NULL(getenv("NOTIFY_SOCKET"));
	CU_ASSERT(n.descriptor >= 0);
	notify_stopping(&n);
	notify_fini(&n);
	CU_ASSERT_EQUAL(n.descriptor, -1);
}

static const struct test tests[] = {
	TEST(variables_are_unset_whoever_they_were_for),
	TEST(count_that_cannot_be_is_an_error),
	TEST(socket_to_notify_is_unset_and_may_be_missing),
	TEST_END,
};
const struct test_suite suite_activation = {"activation", tests};
