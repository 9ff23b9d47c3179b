/* Transfers and calls that signals interrupt (base/io.h). */
#include "unit/suite.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/io.h"

static int input[2];
static volatile sig_atomic_t signals;

/* What is waited for comes with the second signal; the first one only interrupts. */
static void on_signal(int number)
{
	(void)number;
	signals++;
	if (signals == 2 && write(input[1], "x", 1) != 1)
		signals = 0;
}

static void interrupt_every_few_milliseconds(long microseconds)
{
	const struct itimerval timer = {{0, microseconds}, {0, microseconds}};
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void reading_goes_on_after_signals(void)
{
	struct sigaction before;
	const struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
	char octet = 0;
	signals = 0;
	CU_ASSERT_EQUAL_FATAL(pipe(input), 0);
	sigaction(SIGALRM, &action, &before);
	interrupt_every_few_milliseconds(5000);
	CU_ASSERT_EQUAL(io_read(input[0], &octet, 1), 1);
	interrupt_every_few_milliseconds(0);
	sigaction(SIGALRM, &before, NULL);
	CU_ASSERT_EQUAL(octet, 'x');
	CU_ASSERT(signals >= 2);
	close(input[0]);
	close(input[1]);
}

/* Fails as often as `failures` says, then succeeds. */
static int failures;
static int fail_at_first(int error)
{
	errno = error;
	return failures-- > 0 ? -1 : 7;
}

static void only_interrupted_calls_are_made_anew(void)
{
	int result;
	failures = 3;
	IO_RETRY(result, fail_at_first(EINTR));
	CU_ASSERT_EQUAL(result, 7);
	failures = 1;
	IO_RETRY(result, fail_at_first(EIO));
	CU_ASSERT_EQUAL(result, -1);
	CU_ASSERT_EQUAL(failures, 0);
}

static void failures_are_negative_errno_values(void)
{
	char octet;
	CU_ASSERT_EQUAL(io_read(-1, &octet, 1), -EBADF);
	CU_ASSERT_EQUAL(io_read_at(-1, &octet, 1, 0), -EBADF);
	CU_ASSERT_EQUAL(io_write_all(-1, "x", 1), -EBADF);
	CU_ASSERT_EQUAL(io_sync(-1), -EBADF);
	CU_ASSERT_EQUAL(io_close(-1), -EBADF);
}

static const struct test tests[] = {
	TEST(reading_goes_on_after_signals),
	TEST(only_interrupted_calls_are_made_anew),
	TEST(failures_are_negative_errno_values),
	TEST_END,
};
const struct test_suite suite_base_io = {"base_io", tests};
