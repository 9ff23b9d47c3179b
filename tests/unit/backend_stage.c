/* The stage: everything real but the socket. */
#include "unit/backend_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"

/* A test that waits longer than this hangs; so generous that it never decides anything else. */
#define HANG_MILLISECONDS 60000

static void keep_log(const struct pop3_record *record, void *data)
{
	struct stage *stage = data;
	char line[LOG_LINE_SIZE];
	log_format_logfmt(record, line);
	/* The server's own lines are for the tests of the server. */
	if (strstr(line, "event=login ") != NULL || strstr(line, "event=closed ") != NULL)
		return;
	pthread_mutex_lock(&stage->mutex);
	size_t length = strlen(stage->log);
	snprintf(stage->log + length, sizeof stage->log - length, "%s\n", line);
	pthread_mutex_unlock(&stage->mutex);
}

static void make_folders(struct stage *stage)
{
	static const char *const folders[] = {
		"",
		"/alice",
		"/alice/Maildir",
		"/alice/Maildir/new",
		"/alice/Maildir/cur",
		"/alice/Maildir/tmp",
		"/bob",
		"/bob/Maildir",
		"/bob/Maildir/new",
		"/bob/Maildir/cur",
		"/bob/Maildir/tmp",
	};
	char path[256];
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s%s", stage->maildir, folders[i]);
		CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
	}
}

void stage_init(struct stage *stage, const char *passwd)
{
	*stage = (struct stage){.root = "/tmp/pop3-unit-XXXXXX", .crypt_queue = 8};
	pthread_mutex_init(&stage->mutex, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(stage->root));
	snprintf(stage->passwd, sizeof stage->passwd, "%s/passwd", stage->root);
	snprintf(stage->maildir, sizeof stage->maildir, "%s/mail", stage->root);
	make_folders(stage);
	stage_write_passwd(stage, passwd);
	/* Not so fresh that a further change might not show: such a file is read at each login. */
	const struct timespec old[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, stage->passwd, old, 0), 0);
	stage->settings = (struct auth_settings){
		.passwd = stage->passwd,
		.maildir_root = stage->maildir,
		.mail_user = STAGE_MAIL_USER,
		.rules = {.delay_max = 60000},
	};
	stage->options = (struct pop3_options){
		.size = sizeof(struct pop3_options),
		.log = keep_log,
		.log_data = stage,
		.apop = POP3_APOP_FIXED,
		.apop_value = "<sea@wonderland>",
		.limits = {.failed_logins = 100},
	};
}

void stage_open(struct stage *stage)
{
	const struct log_sink sink = {keep_log, stage};
	struct passwd_error error;
	stage->server = pop3_server_new("wonderland", &stage->options, NULL);
	stage->crypt = workers_new(1, stage->crypt_queue);
	stage->disk = workers_new(1, 64);
	stage->grants = grants_new(64);
	CU_ASSERT_EQUAL_FATAL(auth_backend_new(&stage->settings, stage->crypt, stage->grants, &sink,
					       &error, &stage->auth),
			      0);
	stage->store = store_backend_new(stage->disk, stage->grants, &sink, &stage->store_options);
	pop3_server_attach(stage->server, auth_backend_listener(stage->auth));
	pop3_server_attach(stage->server, store_backend_listener(stage->store));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)type;
	(void)at;
	return remove(path);
}

void stage_fini(struct stage *stage)
{
	if (stage->server != NULL)
		pop3_server_free(stage->server);
	workers_stop(stage->crypt);
	workers_free(stage->disk);
	auth_backend_free(stage->auth);
	workers_free(stage->crypt);
	store_backend_free(stage->store);
	grants_free(stage->grants);
	nftw(stage->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	CU_ASSERT_STRING_EQUAL(stage->log, "");
	if (stage->log[0] != '\0')
		printf("unexpected: %s", stage->log);
	pthread_mutex_destroy(&stage->mutex);
}

static void write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CU_ASSERT_FATAL(file >= 0);
	CU_ASSERT_EQUAL(write(file, text, strlen(text)), (ssize_t)strlen(text));
	close(file);
}

void stage_write_passwd(struct stage *stage, const char *text)
{
	char aside[128];
	snprintf(aside, sizeof aside, "%s.new", stage->passwd);
	write_file(aside, text);
	CU_ASSERT_EQUAL(rename(aside, stage->passwd), 0);
}

void stage_put(struct stage *stage, const char *path, const char *text)
{
	char whole[256];
	snprintf(whole, sizeof whole, "%s/%s", stage->maildir, path);
	write_file(whole, text);
}

bool stage_has(struct stage *stage, const char *path)
{
	char whole[256];
	snprintf(whole, sizeof whole, "%s/%s", stage->maildir, path);
	return access(whole, F_OK) == 0;
}

/* The first line with both texts, cut out of the log; false if there is none. */
static bool take_line(char *log, const char *text, const char *other)
{
	for (char *line = log; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		char copy[LOG_LINE_SIZE];
		snprintf(copy, sizeof copy, "%.*s", (int)length, line);
		size_t size = length + (line[length] == '\n');
		if (strstr(copy, text) != NULL && strstr(copy, other) != NULL) {
			memmove(line, line + size, strlen(line + size) + 1);
			return true;
		}
		line += size;
	}
	return false;
}

void stage_expect_log(struct stage *stage, const char *text, const char *other)
{
	pthread_mutex_lock(&stage->mutex);
	bool found = take_line(stage->log, text, other);
	if (!found)
		printf("nothing of \"%s\", \"%s\" in: %s\n", text, other, stage->log);
	pthread_mutex_unlock(&stage->mutex);
	CU_ASSERT(found);
}

/* ---- The gate ---- */

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0)
		;
}

static void gate_run(struct work *work)
{
	struct gate *gate = (struct gate *)(void *)work;
	sem_post(&gate->begun);
	wait_for(&gate->open);
	sem_post(&gate->gone);
}

static void turn_key(struct work *work)
{
	struct gate *gate = list_entry(work, struct gate, key);
	sem_post(&gate->open);
}

void gate_close(struct gate *gate, struct workers *pool)
{
	gate->work = (struct work){.run = gate_run, .drop = gate_run};
	gate->key = (struct work){.run = turn_key, .drop = turn_key};
	sem_init(&gate->begun, 0, 0);
	sem_init(&gate->open, 0, 0);
	sem_init(&gate->gone, 0, 0);
	CU_ASSERT_EQUAL_FATAL(workers_submit(pool, &gate->work), 0);
	wait_for(&gate->begun);
}

void gate_open(struct gate *gate)
{
	sem_post(&gate->open);
	wait_for(&gate->gone);
}

void gate_open_at_the_end(struct gate *gate, struct workers *pool)
{
	CU_ASSERT_EQUAL(workers_submit(pool, &gate->key), 0);
}

void gate_pass(struct workers *pool)
{
	struct gate gate;
	gate_close(&gate, pool);
	gate_open(&gate);
}

/* ---- Clients ---- */

/* Move octets and answers until nothing more happens by itself. */
static void pump(struct client *client)
{
	struct pop3_load load;
	pop3_session_tick(client->session, clock_now());
	for (;;) {
		size_t room = sizeof client->received - client->length;
		size_t got = pop3_session_pull(client->session, client->received + client->length,
					       room, clock_now());
		client->length += got;
		if (pop3_session_load(client->session, &load)) {
			ssize_t octets =
				pread(load.descriptor, load.buffer, load.size, (off_t)load.offset);
			pop3_session_loaded(client->session, octets < 0 ? -errno : octets,
					    clock_now());
		} else if (got == 0) {
			return;
		}
	}
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

void client_init(struct client *client, struct stage *stage, bool loopback)
{
	client_init_from(client, stage, "192.0.2.1:4711", loopback);
}

void client_init_from(struct client *client, struct stage *stage, const char *peer, bool loopback)
{
	struct pop3_info info = {.loopback = loopback};
	snprintf(info.peer, sizeof info.peer, "%s", peer);
	*client = (struct client){.stage = stage};
	client->session = pop3_session_new(stage->server, &info, clock_now());
	CU_ASSERT_PTR_NOT_NULL_FATAL(client->session);
	client_says(client, "", "+OK POP3 server ready <sea@wonderland>\r\n");
}

void client_fini(struct client *client)
{
	pop3_session_free(client->session);
}

void client_send(struct client *client, const char *text)
{
	uint64_t end = clock_now() + HANG_MILLISECONDS;
	while (*text != '\0' && clock_now() < end) {
		size_t taken = pop3_session_feed(client->session, text, strlen(text), clock_now());
		text += taken;
		pump(client);
		if (taken == 0)
			nap();
	}
	CU_ASSERT_STRING_EQUAL(text, "");
}

void client_says(struct client *client, const char *text, const char *reply)
{
	size_t length = strlen(reply);
	uint64_t end = clock_now() + HANG_MILLISECONDS;
	client_send(client, text);
	for (pump(client); client->length < length && clock_now() < end; pump(client)) {
		if (pop3_session_wants(client->session).close)
			break;
		nap();
	}
	bool same = client->length >= length && memcmp(client->received, reply, length) == 0;
	if (!same)
		printf("to \"%s\" \"%.*s\" instead of \"%s\"\n", text, (int)client->length,
		       client->received, reply);
	CU_ASSERT_FATAL(same);
	client->length -= length;
	memmove(client->received, client->received + length, client->length);
}

bool client_heard(struct client *client)
{
	pump(client);
	return client->length > 0;
}

void client_logs_in(struct client *client, const char *user, const char *password)
{
	char line[600];
	snprintf(line, sizeof line, "USER %s\r\n", user);
	client_says(client, line, "+OK send PASS\r\n");
	snprintf(line, sizeof line, "PASS %s\r\n", password);
	client_says(client, line, "+OK maildrop ready\r\n");
}

void client_ends(struct client *client)
{
	uint64_t end = clock_now() + HANG_MILLISECONDS;
	if (!pop3_session_wants(client->session).close)
		pop3_session_end(client->session, POP3_REASON_DROPPED, clock_now());
	for (pump(client); !pop3_session_wants(client->session).close && clock_now() < end;
	     pump(client))
		nap();
	pop3_session_end(client->session, POP3_REASON_DROPPED, clock_now());
	while (!pop3_session_wants(client->session).finished && clock_now() < end) {
		pump(client);
		nap();
	}
	CU_ASSERT(pop3_session_wants(client->session).finished);
}
