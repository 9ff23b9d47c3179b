/* See verify_stage.h. */
#include "unit/verify_stage.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"

const char verify_users[] = "alice:{VERIFY}\nbob:{PLAIN}builder\n"
			    "carol:$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5\n"
			    "eve:!{VERIFY}\n";

static const char script[] =
	"#!/bin/sh\n"
	"cd ${0%/*}\n"
	"set -- $(tr '\\0' ' ' <&3)\n"
	"echo $* >>asked\n"
	"case $2 in right) exit 0 ;; later) exit 111 ;; hang) sleep 1000 ;; esac\n"
	"exit 1\n";

void verify_prepare(struct stage *stage, const char *passwd)
{
	static char command[128];
	stage_init(stage, passwd);
	stage_put(stage, "program", script);
	snprintf(command, sizeof command, "%s/program", stage->maildir);
	CU_ASSERT_EQUAL(chmod(command, 0700), 0);
	stage->settings.verify = (struct verifier_rules){command, 60000};
	stage->settings.verify_processes = 2;
	stage->settings.verify_queue = 8;
}

static void read_asked(struct stage *stage, char text[2048])
{
	char path[128];
	snprintf(path, sizeof path, "%s/asked", stage->maildir);
	FILE *file = fopen(path, "re");
	text[0] = '\0';
	if (file == NULL)
		return;
	text[fread(text, 1, 2047, file)] = '\0';
	fclose(file);
}

void verify_expect_asked(struct stage *stage, const char *lines)
{
	char path[128], text[2048];
	read_asked(stage, text);
	CU_ASSERT_STRING_EQUAL(text, lines);
	if (strcmp(text, lines) != 0)
		printf("asked \"%s\" instead of \"%s\"\n", text, lines);
	snprintf(path, sizeof path, "%s/asked", stage->maildir);
	unlink(path);
}

void verify_wait_until_asked(struct stage *stage, const char *lines)
{
	char text[2048];
	uint64_t end = clock_now() + 60000;
	for (read_asked(stage, text); strcmp(text, lines) != 0 && clock_now() < end;
	     read_asked(stage, text))
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	verify_expect_asked(stage, lines);
}

void verify_log_in(struct stage *stage, const char *user, const char *password, const char *reply)
{
	struct client client;
	char line[256];
	client_init(&client, stage, true);
	snprintf(line, sizeof line, "USER %s\r\nPASS %s\r\n", user, password);
	client_says(&client, "", "");
	client_send(&client, line);
	client_says(&client, "", "+OK send PASS\r\n");
	client_says(&client, "", reply);
	client_ends(&client);
	client_fini(&client);
	test_count(1);
}

void verify_auth(struct client *client, const char *mechanism, const char *message,
		 const char *reply)
{
	char line[1024], text[512];
	base64_encode(message, strlen(message), text);
	snprintf(line, sizeof line, "AUTH %s %s\r\n", mechanism, text);
	client_says(client, line, reply);
	test_count(1);
}

void verify_no_second_try(struct stage *stage)
{
	stage->settings.rules.penalty.address_failures = 1;
	stage->settings.rules.penalty.user_failures = 1;
	stage->settings.rules.penalty.recovery = 600000;
	stage->settings.rules.on_loopback = true;
}
