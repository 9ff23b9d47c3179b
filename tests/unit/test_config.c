/* Settings: one table for file, environment and flags; what is refused, and what the refusal says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/address.h"
#include "daemon/options.h"
#include "store/foreign_ids.h"
#include "unit/suite.h"

/* The problems of one load, a line each. */
struct heard {
	char text[4096];
	unsigned last_line;
};

static void hear(const char *place, unsigned line, const char *text, void *data)
{
	struct heard *heard = data;
	size_t length = strlen(heard->text);
	snprintf(heard->text + length, sizeof heard->text - length, "%s: %s\n", place, text);
	heard->last_line = line;
}

static unsigned parse(struct options *options, struct heard *heard, const char *text)
{
	const struct option_report report = {hear, heard};
	*heard = (struct heard){0};
	CU_ASSERT_EQUAL_FATAL(options_init(options), 0);
	return options_parse(options, "conf", text, strlen(text), &report);
}

static void every_key_has_a_right_default_and_a_help(void)
{
	struct options options;
	CU_ASSERT_EQUAL_FATAL(options_init(&options), 0);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(option_rows[i].key);
		CU_ASSERT(strlen(option_rows[i].help) > 10);
		CU_ASSERT(option_rows[i].commands != 0);
		CU_ASSERT_PTR_EQUAL(option_find(option_rows[i].key), &option_rows[i]);
	}
	CU_ASSERT_EQUAL(options.listen.count, 1);
	CU_ASSERT_STRING_EQUAL(options.listen.items[0], "127.0.0.1:1110");
	CU_ASSERT_STRING_EQUAL(options.passwd, "/etc/pop3-emitter/passwd");
	CU_ASSERT_PTR_NULL(options.maildir);
	CU_ASSERT_PTR_NULL(options.user);
	CU_ASSERT_FALSE(options.apop);
	CU_ASSERT_FALSE(options.allow_plaintext);
	CU_ASSERT_EQUAL(options.uidl_format, UIDL_NAME);
	CU_ASSERT_STRING_EQUAL(options.dovecot_uidl_format, "%08Xu%08Xv");
	CU_ASSERT_EQUAL(options.max_connections, 10000);
	CU_ASSERT_EQUAL(options.max_connections_per_address, 50);
	CU_ASSERT_EQUAL(options.max_connections_per_user, 10);
	CU_ASSERT_EQUAL(options.max_failed_logins, 3);
	CU_ASSERT_EQUAL(options.max_bad_commands, 10);
	CU_ASSERT_EQUAL(options.login_timeout, 60);
	CU_ASSERT_EQUAL(options.idle_timeout, 600);
	CU_ASSERT_EQUAL(options.drain_timeout, 10);
	options_fini(&options);
}

static void flags_are_keys_with_dashes(void)
{
	CU_ASSERT_PTR_EQUAL(option_find("idle-timeout"), option_find("idle_timeout"));
	CU_ASSERT_PTR_NOT_NULL(option_find("idle-timeout"));
	CU_ASSERT_PTR_NULL(option_find("idle-timeou"));
	CU_ASSERT_PTR_NULL(option_find("idle-timeouts"));
	CU_ASSERT_PTR_NULL(option_find("Idle_timeout"));
	CU_ASSERT_PTR_NULL(option_find(""));
}

static void sound_file_sets_its_keys(void)
{
	struct options options;
	struct heard heard;
	CU_ASSERT_EQUAL(parse(&options, &heard,
			      "\xef\xbb\xbf# a comment with [brackets] and = signs\r\n"
			      "\n"
			      "  listen = 127.0.0.1:110, [::1]:110\n"
			      "listen = unix:/run/pop3 ; why\n"
			      "idle_timeout=300\n"
			      "log_format : json\n"
			      "apop = yes"),
			0);
	CU_ASSERT_STRING_EQUAL(heard.text, "");
	CU_ASSERT_EQUAL_FATAL(options.listen.count, 3);
	CU_ASSERT_STRING_EQUAL(options.listen.items[0], "127.0.0.1:110");
	CU_ASSERT_STRING_EQUAL(options.listen.items[1], "[::1]:110");
	CU_ASSERT_STRING_EQUAL(options.listen.items[2], "unix:/run/pop3");
	CU_ASSERT_EQUAL(options.idle_timeout, 300);
	CU_ASSERT_EQUAL(options.log_format, OPTION_FORMAT_JSON);
	CU_ASSERT_TRUE(options.apop);
	options_fini(&options);
}

static void wrong_lines_are_told_with_file_and_line(void)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{"nonsense = 1\n", "conf:1: unknown key: nonsense\n"},
		{"\n\nidle-timeout = 1\n", "conf:3: unknown key: idle-timeout\n"},
		{"idle_timeout = soon\n",
		 "conf:1: idle_timeout: \"soon\" must be a number from 1 to 604800\n"},
		{"idle_timeout = 0\n",
		 "conf:1: idle_timeout: \"0\" must be a number from 1 to 604800\n"},
		{"idle_timeout = 604801\n",
		 "conf:1: idle_timeout: \"604801\" must be a number from 1 to 604800\n"},
		{"idle_timeout = -5\n",
		 "conf:1: idle_timeout: \"-5\" must be a number from 1 to 604800\n"},
		{"idle_timeout =\n",
		 "conf:1: idle_timeout: \"\" must be a number from 1 to 604800\n"},
		{"max_connections = 18446744073709551617\n",
		 "conf:1: max_connections: \"18446744073709551617\" must be a number from 1 to "
		 "1000000\n"},
		{"apop = true\n", "conf:1: apop: \"true\" must be yes or no\n"},
		{"uidl_format = qmail\n",
		 "conf:1: uidl_format: \"qmail\" must be one of: name dovecot courier\n"},
		{"dovecot_uidl_format = %m\n", "conf:1: dovecot_uidl_format: \"%m\" holds %m where "
					       "only %u, %v, %f, %g and %% are "
					       "known\n"},
		{"dovecot_uidl_format = %v\n",
		 "conf:1: dovecot_uidl_format: \"%v\" must hold %u, %f or %g, or all messages have "
		 "one unique-id\n"},
		{"dovecot_uidl_format =\n",
		 "conf:1: dovecot_uidl_format: \"\" must hold %u, %f or %g, or all messages have "
		 "one unique-id\n"},
		{"log = file\n", "conf:1: log: \"file\" must be one of: stderr syslog\n"},
		{"user = two words\n", "conf:1: user: \"two words\" must be one word of ASCII\n"},
		{"passwd =\n", "conf:1: passwd: \"\" must not be empty\n"},
		{"debug = no\ndebug = no\n", "conf:2: debug: \"no\" is given twice\n"},
		{"listen = ,\n", "conf:1: listen: \",\" must not be empty\n"},
		{"listen = localhost:1\n", "conf:1: listen: \"localhost:1\" must be HOST:PORT with "
					   "a numeric host, :PORT or unix:/PATH\n"},
		{"listen = :1\nlisten = :1\n", "conf:2: listen: \":1\" holds an address twice\n"},
		{"[section]\n", "conf:1: there are no sections\n"},
		{"debug = no\n  [section]\napop = maybe\n",
		 "conf:2: there are no sections\nconf:3: apop: \"maybe\" must be yes or no\n"},
		{"no value\n", "conf:1: expected key = value\n"},
		{"no value\n\nno value", "conf:1: expected key = value\n"
					 "conf:3: expected key = value\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct options options;
		struct heard heard;
		CU_ASSERT(parse(&options, &heard, cases[i].text) > 0);
		CU_ASSERT_STRING_EQUAL(heard.text, cases[i].told);
		options_fini(&options);
	}
	test_count(sizeof cases / sizeof *cases);
}

static void long_lines_and_odd_octets_are_refused(void)
{
	struct options options;
	struct heard heard;
	char line[400];

	memset(line, 'x', sizeof line);
	memcpy(line, "passwd = /", 10);
	memcpy(line + sizeof line - 14, "\ndebug = yes\n", 14);
	CU_ASSERT_EQUAL(parse(&options, &heard, line), 1);
	CU_ASSERT_STRING_EQUAL(heard.text, "conf:1: is longer than 197 octets\n");
	CU_ASSERT_TRUE(options.debug);
	options_fini(&options);

	const struct option_report report = {hear, &heard};
	heard = (struct heard){0};
	CU_ASSERT_EQUAL_FATAL(options_init(&options), 0);
	CU_ASSERT_EQUAL(options_parse(&options, "conf", "apop = yes\0\n", 12, &report), 1);
	CU_ASSERT_STRING_EQUAL(heard.text, "conf:1: holds a NUL octet\n");
	CU_ASSERT_FALSE(options.apop);
	options_fini(&options);

	CU_ASSERT_EQUAL(parse(&options, &heard, "passwd = /a\x1b[31m\n"), 1);
	CU_ASSERT_STRING_EQUAL(heard.text,
			       "conf:1: passwd: \"/a?[31m\" must not hold control characters\n");
	options_fini(&options);
}

/* A file with this text; the caller unlinks it. */
static void write_file(char path[32], const char *text)
{
	snprintf(path, 32, "/tmp/pop3-config-XXXXXX");
	int descriptor = mkstemp(path);
	CU_ASSERT_FATAL(descriptor >= 0);
	CU_ASSERT(write(descriptor, text, strlen(text)) == (ssize_t)strlen(text));
	close(descriptor);
}

static void flag_beats_environment_beats_file(void)
{
	char path[32];
	char first[] = "POP3_EMITTER_IDLE_TIMEOUT=2";
	char second[] = "POP3_EMITTER_LISTEN=127.0.0.1:2";
	char other[] = "PATH=/bin";
	char *const environment[] = {other, first, second, NULL};
	const struct option_flag flags[] = {{option_find("idle-timeout"), "3"}};
	struct heard heard = {0};
	const struct option_report report = {hear, &heard};
	struct options options;

	write_file(path, "idle_timeout = 1\nlogin_timeout = 1\nlisten = 127.0.0.1:1\n");
	const struct option_input input = {path, false, environment, flags, 1};
	CU_ASSERT_EQUAL_FATAL(options_load(&input, &report, &options), 0);
	CU_ASSERT_EQUAL(options.idle_timeout, 3);
	CU_ASSERT_EQUAL(options.login_timeout, 1);
	CU_ASSERT_EQUAL_FATAL(options.listen.count, 1);
	CU_ASSERT_STRING_EQUAL(options.listen.items[0], "127.0.0.1:2");
	options_fini(&options);
	unlink(path);
}

static void exit_code_tells_flags_from_files(void)
{
	char wrong[] = "POP3_EMITTER_IDLE_TIMEOUT=soon";
	char unknown[] = "POP3_EMITTER_NONSENSE=1";
	char *const environment[] = {wrong, unknown, NULL};
	const struct option_flag flags[] = {{option_find("listen"), "nowhere"}};
	struct heard heard = {0};
	const struct option_report report = {hear, &heard};
	struct options options;

	struct option_input input = {NULL, false, NULL, flags, 1};
	CU_ASSERT_EQUAL(options_load(&input, &report, &options), EX_USAGE);
	CU_ASSERT_STRING_EQUAL(heard.text, "--listen: \"nowhere\" must be HOST:PORT with a numeric "
					   "host, :PORT or unix:/PATH\n");
	heard = (struct heard){0};
	input = (struct option_input){"/nonexistent/conf", true, environment, NULL, 0};
	CU_ASSERT_EQUAL(options_load(&input, &report, &options), EX_CONFIG);
	CU_ASSERT_STRING_EQUAL(heard.text, "POP3_EMITTER_IDLE_TIMEOUT: \"soon\" must be a number "
					   "from 1 to 604800\n"
					   "POP3_EMITTER_NONSENSE: unknown setting\n");
	heard = (struct heard){0};
	input = (struct option_input){"/nonexistent/conf", false, NULL, NULL, 0};
	CU_ASSERT_EQUAL(options_load(&input, &report, &options), EX_CONFIG);
	CU_ASSERT_STRING_EQUAL(heard.text, "/nonexistent/conf: No such file or directory\n");
}

static void reload_sees_what_has_changed(void)
{
	struct options one, two;
	struct heard heard;
	CU_ASSERT_EQUAL(parse(&one, &heard, "listen = :1, :2\nuser = mail\n"), 0);
	CU_ASSERT_EQUAL(parse(&two, &heard, "listen = :1\nlisten = :2\nidle_timeout = 5\n"), 0);
	CU_ASSERT_TRUE(options_same(&one, &two, option_find("listen")));
	CU_ASSERT_TRUE(options_same(&one, &two, option_find("passwd")));
	CU_ASSERT_FALSE(options_same(&one, &two, option_find("user")));
	CU_ASSERT_FALSE(options_same(&one, &two, option_find("idle_timeout")));
	options_fini(&two);
	CU_ASSERT_EQUAL(parse(&two, &heard, "listen = :1, :2, :3\n"), 0);
	CU_ASSERT_FALSE(options_same(&one, &two, option_find("listen")));
	CU_ASSERT_FALSE(options_same(&two, &one, option_find("listen")));
	options_fini(&one);
	options_fini(&two);
}

static void only_surely_local_addresses_are_loopback(void)
{
	static const struct {
		const char *text;
		enum address_kind kind;
	} cases[] = {
		{"127.0.0.1:1110", ADDRESS_LOOPBACK},
		{"127.255.0.9:0", ADDRESS_LOOPBACK},
		{"[::1]:65535", ADDRESS_LOOPBACK},
		{"unix:/run/x", ADDRESS_UNIX},
		{":1110", ADDRESS_OPEN},
		{"0.0.0.0:1", ADDRESS_OPEN},
		{"[::]:1", ADDRESS_OPEN},
		{"128.0.0.1:1", ADDRESS_OPEN},
		{"[fe80::1]:1", ADDRESS_OPEN},
		{"[::ffff:127.0.0.1]:1", ADDRESS_OPEN},
		{"localhost:1", ADDRESS_NONE},
		{"127.0.0.1", ADDRESS_NONE},
		{"127.0.0.1:", ADDRESS_NONE},
		{"127.0.0.1:65536", ADDRESS_NONE},
		{"127.0.0.1:+1", ADDRESS_NONE},
		{"::1:1", ADDRESS_NONE},
		{"[127.0.0.1]:1", ADDRESS_NONE},
		{"[]:1", ADDRESS_NONE},
		{"[::1:1", ADDRESS_NONE},
		{"]:1", ADDRESS_NONE},
		{"127.1:1", ADDRESS_NONE},
		{"unix:run", ADDRESS_NONE},
		{"unix:", ADDRESS_NONE},
		{"", ADDRESS_NONE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CU_ASSERT_EQUAL(address_kind(cases[i].text), cases[i].kind);
	test_count(sizeof cases / sizeof *cases);
}

static const struct test tests[] = {
	TEST(every_key_has_a_right_default_and_a_help),
	TEST(flags_are_keys_with_dashes),
	TEST(sound_file_sets_its_keys),
	TEST(wrong_lines_are_told_with_file_and_line),
	TEST(long_lines_and_odd_octets_are_refused),
	TEST(flag_beats_environment_beats_file),
	TEST(exit_code_tells_flags_from_files),
	TEST(reload_sees_what_has_changed),
	TEST(only_surely_local_addresses_are_loopback),
	TEST_END,
};
const struct test_suite suite_config = {"config", tests};
