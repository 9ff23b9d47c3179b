/* See net_host.h. */
#include "unit/net_host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "net/address.h"

/* ---- The application ---- */

static void on_authenticate(struct pop3_authenticate *e, void *data)
{
	(void)data;
	pop3_answer_auth(e, pop3_matches(e, "secret", 6) ? POP3_OK : POP3_DENIED, NULL);
}

static void count(struct host *h, unsigned *number)
{
	pthread_mutex_lock(&h->lock);
	++*number;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static void on_open(struct pop3_open *e, void *data)
{
	struct host *h = data;
	if (h->defer != NULL) {
		h->defer(pop3_defer(&e->event), h->defer_data);
		return;
	}
	count(h, &h->opened);
	pop3_answer_open(e, POP3_OK, NULL);
}

static void on_list(struct pop3_list *e, void *data)
{
	const struct host *h = data;
	uint64_t size = h->length;
	pop3_answer_list(e, &size, e->which > 1 ? 0 : 1);
}

struct pull {
	struct host *host;
	size_t next;
};

/* In odd pieces, so that no buffer size fits. */
static ssize_t pull_some(void *state, void *buffer, size_t size)
{
	struct pull *p = state;
	size_t length = p->host->length - p->next;
	length = length < 4099 ? length : 4099;
	length = length < size ? length : size;
	memcpy(buffer, p->host->message + p->next, length);
	p->next += length;
	return (ssize_t)length;
}

static void pull_release(void *state)
{
	struct pull *p = state;
	count(p->host, &p->host->released);
	free(p);
}

static void on_retrieve(struct pop3_retrieve *e, void *data)
{
	struct host *h = data;
	if (h->source == HOST_BYTES) {
		pop3_answer_bytes(e, h->message, h->length);
	} else if (h->source == HOST_FILE) {
		pop3_answer_descriptor(e, open(h->path, O_RDONLY | O_CLOEXEC), 0, h->length,
				       POP3_OCTETS_LISTED);
	} else {
		struct pull *p = malloc(sizeof *p);
		if (p == NULL)
			abort();
		*p = (struct pull){h, 0};
		pop3_answer_pull(e, pull_some, pull_release, p, POP3_OCTETS_LISTED);
	}
}

static void on_closed(struct pop3_closed *e, void *data)
{
	struct host *h = data;
	pthread_mutex_lock(&h->lock);
	h->reason = e->reason;
	h->closed++;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static void on_listening(struct pop3_listening *e, void *data)
{
	struct host *h = data;
	memcpy(h->address, e->address, strlen(e->address) + 1);
	h->port = e->port;
}

static void append(struct host *h, const char *text)
{
	size_t length = strlen(h->log);
	size_t more = strlen(text);
	if (more < sizeof h->log - length)
		memcpy(h->log + length, text, more + 1);
}

static void on_log(const struct pop3_record *record, void *data)
{
	struct host *h = data;
	pthread_mutex_lock(&h->lock);
	append(h, record->event);
	for (size_t i = 0; i < record->count; i++) {
		if (record->fields[i].text == NULL)
			continue;
		append(h, " ");
		append(h, record->fields[i].name);
		append(h, "=");
		append(h, record->fields[i].text);
	}
	append(h, "\n");
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

/* ---- The host ---- */

void host_init(struct host *h)
{
	*h = (struct host){.message = "Subject: one\r\n\r\n.text\r\n", .length = 23};
	h->options = (struct pop3_options){
		.size = sizeof h->options, .log = on_log, .log_data = h, .apop = POP3_APOP_OFF};
	h->handlers = (struct pop3_handlers){
		.size = sizeof h->handlers,
		.authenticate = on_authenticate,
		.open = on_open,
		.list = on_list,
		.retrieve = on_retrieve,
		.closed = on_closed,
		.listening = on_listening,
	};
	h->listener = (struct pop3_listener){.handlers = &h->handlers, .data = h};
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
}

void host_open(struct host *h, const char *address)
{
	h->server = pop3_server_new("test.example", &h->options, &h->listener);
	CU_ASSERT_PTR_NOT_NULL_FATAL(h->server);
	CU_ASSERT_EQUAL_FATAL(pop3_server_listen(h->server, address), 0);
}

static void *run(void *data)
{
	struct host *h = data;
	h->result = pop3_server_run(h->server);
	return NULL;
}

void host_start(struct host *h)
{
	CU_ASSERT_EQUAL_FATAL(pthread_create(&h->thread, NULL, run, h), 0);
	h->running = true;
}

void host_stop(struct host *h, uint32_t drain)
{
	pop3_server_stop(h->server, drain);
	pthread_join(h->thread, NULL);
	h->running = false;
	CU_ASSERT_EQUAL(h->result, 0);
}

void host_fini(struct host *h)
{
	if (h->running)
		host_stop(h, 0);
	pop3_server_free(h->server);
	CU_ASSERT_EQUAL(h->opened, h->closed);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
}

static bool wait_for_change(struct host *h, const struct timespec *until)
{
	return pthread_cond_timedwait(&h->changed, &h->lock, until) == 0;
}

static struct timespec patience(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += HOST_PATIENCE;
	return until;
}

void host_await(struct host *h, const unsigned *number, unsigned wanted)
{
	struct timespec until = patience();
	pthread_mutex_lock(&h->lock);
	while (*number < wanted && wait_for_change(h, &until))
		;
	CU_ASSERT(*number >= wanted);
	pthread_mutex_unlock(&h->lock);
}

void host_expect_log(struct host *h, const char *text)
{
	struct timespec until = patience();
	pthread_mutex_lock(&h->lock);
	while (strstr(h->log, text) == NULL && wait_for_change(h, &until))
		;
	CU_ASSERT_PTR_NOT_NULL(strstr(h->log, text));
	pthread_mutex_unlock(&h->lock);
}

unsigned host_logged(struct host *h, const char *text)
{
	unsigned times = 0;
	pthread_mutex_lock(&h->lock);
	for (const char *i = strstr(h->log, text); i != NULL; i = strstr(i + 1, text))
		times++;
	pthread_mutex_unlock(&h->lock);
	return times;
}

/* ---- Clients ---- */

int dial(const struct host *h)
{
	struct address address;
	struct timeval patient = {.tv_sec = HOST_PATIENCE};
	CU_ASSERT_EQUAL_FATAL(address_parse(h->address, &address), 0);
	int client = socket(address.socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_FATAL(client >= 0);
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof patient);
	setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patient, sizeof patient);
	CU_ASSERT_EQUAL(connect(client, &address.socket.any, address.length), 0);
	return client;
}

void guest_writes(int client, const char *text)
{
	size_t length = strlen(text);
	CU_ASSERT_EQUAL(send(client, text, length, MSG_NOSIGNAL), (ssize_t)length);
}

void guest_reads(int client, const char *text)
{
	char got[4096];
	size_t length = strlen(text);
	CU_ASSERT_FATAL(length < sizeof got);
	ssize_t received = recv(client, got, length, MSG_WAITALL);
	got[received < 0 ? 0 : received] = '\0';
	CU_ASSERT_STRING_EQUAL(got, text);
}

void guest_at_end(int client)
{
	char octet;
	CU_ASSERT_EQUAL(recv(client, &octet, 1, 0), 0);
	close(client);
}

void guest_asks(int client, const char *text, const char *reply)
{
	guest_writes(client, text);
	guest_reads(client, reply);
}

int dial_in(const struct host *h)
{
	int client = dial(h);
	guest_reads(client, "+OK POP3 server ready\r\n");
	guest_asks(client, "USER alice\r\n", "+OK send PASS\r\n");
	guest_asks(client, "PASS secret\r\n", "+OK maildrop ready\r\n");
	return client;
}

size_t guest_drains(int client, char last[65])
{
	static char octets[65536];
	size_t total = 0;
	memset(last, 0, 65);
	ssize_t got = recv(client, octets, sizeof octets, 0);
	while (got > 0) {
		size_t length = (size_t)got;
		size_t part = length < 64 ? length : 64;
		memmove(last, last + part, 64 - part);
		memcpy(last + 64 - part, octets + length - part, part);
		total += length;
		got = recv(client, octets, sizeof octets, 0);
	}
	CU_ASSERT_EQUAL(got, 0);
	return total;
}
