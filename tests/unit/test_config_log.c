/* The daemon's log: forms, level, the time in front. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/logger.h"
#include "unit/suite.h"

static const struct pop3_field fields[] = {LOG_NUMBER("session", 17), LOG_TEXT("user", "alice")};
static const struct pop3_record record = {POP3_LOG_INFO, "closed", fields, 2};

static void time_leads_the_line_in_both_forms(void)
{
	char line[LOG_LINE_SIZE];
	size_t length =
		logger_line(OPTION_FORMAT_LOGFMT, "2024-05-06T07:08:09.123Z", &record, line);
	CU_ASSERT_STRING_EQUAL(line, "time=2024-05-06T07:08:09.123Z session=17 level=info "
				     "event=closed user=\"alice\"");
	CU_ASSERT_EQUAL(length, strlen(line));
	length = logger_line(OPTION_FORMAT_JSON, "2024-05-06T07:08:09.123Z", &record, line);
	CU_ASSERT_STRING_EQUAL(line, "{\"time\":\"2024-05-06T07:08:09.123Z\",\"session\":17,"
				     "\"level\":\"info\",\"event\":\"closed\",\"user\":\"alice\"}");
	CU_ASSERT_EQUAL(length, strlen(line));
	length = logger_line(OPTION_FORMAT_LOGFMT, NULL, &record, line);
	CU_ASSERT_STRING_EQUAL(line, "session=17 level=info event=closed user=\"alice\"");
	CU_ASSERT_EQUAL(length, strlen(line));
}

static void time_never_makes_a_line_too_long(void)
{
	char text[LOG_LINE_SIZE];
	char line[LOG_LINE_SIZE];
	memset(text, 'x', sizeof text);
	for (size_t size = LOG_LINE_SIZE - 100; size < LOG_LINE_SIZE; size++) {
		text[size] = '\0';
		const struct pop3_field long_field = LOG_TEXT("text", text);
		const struct pop3_record long_record = {POP3_LOG_INFO, "x", &long_field, 1};
		size_t length = logger_line(OPTION_FORMAT_JSON, "2024-05-06T07:08:09.123Z",
					    &long_record, line);
		CU_ASSERT(length < LOG_LINE_SIZE);
		CU_ASSERT_EQUAL(length, strlen(line));
		CU_ASSERT_EQUAL(line[length - 1], '}');
		text[size] = 'x';
	}
	test_count(100);
}

/* What the logger writes to stderr meanwhile. */
static size_t logged(struct logger *logger, enum pop3_level level, char *text, size_t size)
{
	int ends[2];
	int saved = dup(STDERR_FILENO);
	CU_ASSERT_FATAL(saved >= 0 && pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	dup2(ends[1], STDERR_FILENO);
	LOG(&logger->sink, level, "test", LOG_NUMBER("n", 1));
	dup2(saved, STDERR_FILENO);
	ssize_t got = read(ends[0], text, size - 1);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

static void level_decides_what_is_written(void)
{
	struct options options;
	struct logger logger;
	char text[256];

	CU_ASSERT_EQUAL_FATAL(options_init(&options), 0);
	options.log_level = POP3_LOG_WARNING;
	logger_init(&logger, &options);
	CU_ASSERT(logged(&logger, POP3_LOG_ERROR, text, sizeof text) > 0);
	CU_ASSERT_STRING_EQUAL(text, "level=error event=test n=1\n");
	CU_ASSERT(logged(&logger, POP3_LOG_WARNING, text, sizeof text) > 0);
	CU_ASSERT_EQUAL(logged(&logger, POP3_LOG_INFO, text, sizeof text), 0);
	options.debug = true;
	options.log_format = OPTION_FORMAT_JSON;
	logger_configure(&logger, &options);
	CU_ASSERT(logged(&logger, POP3_LOG_DEBUG, text, sizeof text) > 0);
	CU_ASSERT_STRING_EQUAL(text, "{\"level\":\"debug\",\"event\":\"test\",\"n\":1}\n");
	options_fini(&options);
}

static const struct test tests[] = {
	TEST(time_leads_the_line_in_both_forms),
	TEST(time_never_makes_a_line_too_long),
	TEST(level_decides_what_is_written),
	TEST_END,
};
const struct test_suite suite_config_log = {"config_log", tests};
