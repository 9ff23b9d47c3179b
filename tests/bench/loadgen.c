/*
 * The load generator of `make bench`: loadgen MODE key=value... Each mode prints lines of
 * key=value pairs on stdout, and complaints on stderr; its exit status is 0 only if every
 * session went as it should. Times that it prints are nanoseconds.
 */
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct mode {
	const char *name;
	int (*run)(const struct options *options);
	const char *usage;
};

struct number_option {
	const char *name;
	size_t offset;
};

static const struct mode modes[] = {
	{"logins", mode_logins, "clients= users= milliseconds= tls=0|1 resume=0|1"},
	{"handshakes", mode_handshakes, "clients= users= milliseconds= tls=0|1"},
	{"retr", mode_retr, "clients= milliseconds= pipelined=0|1 tls=0|1"},
	{"idle", mode_idle, "users= tls=0|1 login=0|1   (holds them until a line comes on stdin)"},
	{"noop", mode_noop, "few= many= count= settle="},
	{"stall", mode_stall, "count="},
	{"large", mode_large, "  (holds the session until a line comes on stdin)"},
	{"delete", mode_delete, "count="},
	{"meanwhile", mode_meanwhile, "count="},
	{"refused", mode_refused, "count="},
	{"flood", mode_flood, "clients= users= source=   (until a line comes on stdin)"},
	{"beside", mode_beside, "count=   (begins when a line comes on stdin)"},
};

static const struct number_option numbers[] = {
	{"port", offsetof(struct options, port)},
	{"users", offsetof(struct options, users)},
	{"clients", offsetof(struct options, clients)},
	{"milliseconds", offsetof(struct options, milliseconds)},
	{"pipelined", offsetof(struct options, pipelined)},
	{"few", offsetof(struct options, few)},
	{"many", offsetof(struct options, many)},
	{"count", offsetof(struct options, count)},
	{"settle", offsetof(struct options, settle)},
	{"tls", offsetof(struct options, tls)},
	{"login", offsetof(struct options, login)},
	{"resume", offsetof(struct options, resume)},
	{"source", offsetof(struct options, source)},
};

static int run_crowd(const struct options *options, bool login)
{
	struct crowd_result result = {0};

	if (crowd_logins(options, login, &result) < 0)
		return 1;
	printf("sessions=%llu nanoseconds=%llu failures=%llu offered=%llu resumed=%llu\n",
	       (unsigned long long)result.sessions, (unsigned long long)result.nanoseconds,
	       (unsigned long long)result.failures, (unsigned long long)result.offered,
	       (unsigned long long)result.resumed);
	return result.failures == 0 && result.sessions > 0 ? 0 : 1;
}

int mode_logins(const struct options *options)
{
	return run_crowd(options, true);
}

int mode_handshakes(const struct options *options)
{
	return run_crowd(options, false);
}

static int usage(void)
{
	fprintf(stderr, "usage: loadgen MODE port= prefix= password= ...\n");
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		fprintf(stderr, "       loadgen %s %s\n", modes[i].name, modes[i].usage);
	return 64;
}

static int set_number(struct options *options, const char *name, size_t length, const char *value)
{
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		char *place = (char *)options + numbers[i].offset;
		uint64_t number;
		char *end;

		if (strlen(numbers[i].name) != length || memcmp(numbers[i].name, name, length) != 0)
			continue;
		errno = 0;
		number = strtoull(value, &end, 10);
		if (errno != 0 || end == value || *end != '\0' || number > UINT32_MAX)
			return -1;
		memcpy(place, &number, sizeof number);
		return 0;
	}
	return -1;
}

static int set_option(struct options *options, const char *argument)
{
	const char *equals = strchr(argument, '=');

	if (equals == NULL || strlen(equals + 1) > LOAD_COMMAND_MAX / 2)
		return -1;
	if (strncmp(argument, "prefix=", 7) == 0)
		options->prefix = equals + 1;
	else if (strncmp(argument, "password=", 9) == 0)
		options->password = equals + 1;
	else
		return set_number(options, argument, (size_t)(equals - argument), equals + 1);
	return 0;
}

/* Thousands of idle sessions need as many descriptors. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct options options = {.prefix = "user", .password = "secret", .login = 1};

	if (argc < 2)
		return usage();
	for (int i = 2; i < argc; i++) {
		if (set_option(&options, argv[i]) < 0) {
			fprintf(stderr, "loadgen: bad argument: %s\n", argv[i]);
			return usage();
		}
	}
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (strcmp(modes[i].name, argv[1]) == 0)
			return modes[i].run(&options);
	}
	return usage();
}
