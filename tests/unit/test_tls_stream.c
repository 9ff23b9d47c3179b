/* The TLS stream over memory, against GnuTLS as a client: handshakes, records, the end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/limits.h"
#include "unit/tls_peer.h"

#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

static const char *const versions[] = {TLS12, TLS13};
static const char *const version_names[] = {"TLS1.2", "TLS1.3"};
static const char *const cipher_names[] = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
					   "TLS_AES_128_GCM_SHA256"};

/* ---- Handshakes ---- */

static void converse(struct tls_peer *p)
{
	tls_peer_says(p, "CAPA\r\n");
	CU_ASSERT(tls_server_reads(p, "CAPA\r\n"));
	CU_ASSERT_EQUAL(tls_write(p->tls, "+OK\r\n", 5), 5);
	CU_ASSERT(tls_client_reads(p, "+OK\r\n"));
}

static void both_versions_shake_hands_whole_and_octet_by_octet(void)
{
	for (size_t i = 0; i < 2; i++) {
		for (size_t piece = 0; piece < 2; piece++) {
			struct tls_peer p;
			struct pop3_info info = {.peer = "kept"};
			tls_peer_init(&p);
			p.priorities = versions[i];
			p.piece = piece;
			tls_peer_connect(&p);
			CU_ASSERT(tls_peer_shake(&p));
			tls_describe(p.tls, &info);
			CU_ASSERT(info.tls);
			CU_ASSERT_STRING_EQUAL(info.tls_version, version_names[i]);
			CU_ASSERT_STRING_EQUAL(info.tls_cipher, cipher_names[i]);
			CU_ASSERT_STRING_EQUAL(info.peer, "kept");
			CU_ASSERT_STRING_EQUAL(info.certificate, "");
			converse(&p);
			tls_peer_fini(&p);
		}
	}
	test_count(4);
}

/* RFC 9266 section 2: label, no octets of context, 32 octets. In TLS 1.2 no context is another one
 * than an empty one, so there GnuTLS's word is taken for it. */
static void check_export(gnutls_session_t client, const struct pop3_info *info)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	char exported[32];
	CU_ASSERT_EQUAL(gnutls_prf_rfc5705(client, sizeof label - 1, label, 0, "", sizeof exported,
					   exported),
			0);
	CU_ASSERT_EQUAL(memcmp(info->binding, exported, sizeof exported), 0);
}

static void both_ends_have_the_same_channel_binding(void)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_peer p;
		struct pop3_info info = {.tls = false};
		gnutls_datum_t binding;
		tls_peer_init(&p);
		p.priorities = versions[i];
		tls_peer_connect(&p);
		CU_ASSERT(tls_peer_shake(&p));
		tls_describe(p.tls, &info);
		CU_ASSERT_EQUAL_FATAL(
			gnutls_session_channel_binding(p.client, GNUTLS_CB_TLS_EXPORTER, &binding),
			0);
		CU_ASSERT(info.has_binding && binding.size == sizeof info.binding);
		CU_ASSERT_EQUAL(memcmp(info.binding, binding.data, sizeof info.binding), 0);
		gnutls_free(binding.data);
		if (i == 1)
			check_export(p.client, &info);
		tls_peer_fini(&p);
	}
}

/* Without the extended master secret a TLS 1.2 binding could be that of another connection. */
static void tls_1_2_without_extended_master_secret_has_no_channel_binding(void)
{
	struct tls_peer p;
	struct pop3_info info = {.has_binding = true};
	tls_peer_init(&p);
	p.priorities = TLS12 ":%NO_SESSION_HASH";
	tls_peer_connect(&p);
	CU_ASSERT(tls_peer_shake(&p));
	tls_describe(p.tls, &info);
	CU_ASSERT_FALSE(info.has_binding);
	tls_peer_fini(&p);
}

/* The alert that the client gets, which ends its handshake; -1: none. */
static int alert_for(struct tls_peer *p)
{
	tls_peer_connect(p);
	CU_ASSERT_FALSE(tls_peer_shake(p));
	CU_ASSERT_EQUAL(tls_state(p->tls), TLS_FAILED);
	CU_ASSERT_PTR_NOT_NULL(tls_fault(p->tls));
	return p->error == GNUTLS_E_FATAL_ALERT_RECEIVED ? (int)gnutls_alert_get(p->client) : -1;
}

static void what_is_not_offered_is_refused_with_its_alert(void)
{
	static const struct {
		const char *priorities;
		int alert;
	} rows[] = {
		{"NORMAL:-VERS-ALL:+VERS-TLS1.1", GNUTLS_A_PROTOCOL_VERSION},
		{TLS12 ":-KX-ALL:+RSA", GNUTLS_A_HANDSHAKE_FAILURE},
		{TLS12 ":-KX-ALL:+DHE-RSA", GNUTLS_A_HANDSHAKE_FAILURE},
		{TLS12 ":-CIPHER-ALL:+AES-128-CBC", GNUTLS_A_HANDSHAKE_FAILURE},
		{TLS12 ":-GROUP-ALL:+GROUP-SECP521R1", GNUTLS_A_HANDSHAKE_FAILURE},
		{TLS13 ":-GROUP-ALL:+GROUP-FFDHE2048", GNUTLS_A_HANDSHAKE_FAILURE},
		{TLS13 ":-GROUP-ALL:+GROUP-SECP521R1", GNUTLS_A_HANDSHAKE_FAILURE},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tls_peer p;
		tls_peer_init(&p);
		p.priorities = rows[i].priorities;
		int alert = alert_for(&p);
		if (alert != rows[i].alert)
			printf("%s: alert %d, not %d: %s\n", rows[i].priorities, alert,
			       rows[i].alert, tls_fault(p.tls));
		CU_ASSERT_EQUAL(alert, rows[i].alert);
		tls_peer_fini(&p);
	}
	test_count(sizeof rows / sizeof *rows);
}

static void each_offered_group_and_cipher_works(void)
{
	static const char *const offers[] = {
		TLS12 ":-GROUP-ALL:+GROUP-X25519",    TLS12 ":-GROUP-ALL:+GROUP-SECP384R1",
		TLS13 ":-GROUP-ALL:+GROUP-SECP256R1", TLS13 ":-GROUP-ALL:+GROUP-SECP384R1",
		TLS13 ":-GROUP-ALL:+GROUP-X25519",    TLS12 ":-CIPHER-ALL:+CHACHA20-POLY1305",
		TLS13 ":-CIPHER-ALL:+AES-256-GCM",
	};
	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
		struct tls_peer p;
		tls_peer_init(&p);
		p.priorities = offers[i];
		tls_peer_connect(&p);
		CU_ASSERT(tls_peer_shake(&p));
		converse(&p);
		tls_peer_fini(&p);
	}
	test_count(sizeof offers / sizeof *offers);
}

/* ---- ALPN ---- */

static void foreign_protocols_are_refused_and_none_is_fine_unless_required(void)
{
	static const struct {
		const char *names[2];
		bool fits, fits_required;
	} rows[] = {
		{{"pop3"}, true, true},   {{"h2", "pop3"}, true, true},
		{{NULL}, true, false},    {{"h2"}, false, false},
		{{"imap"}, false, false}, {{"http/1.1", "smtp"}, false, false},
	};
	for (size_t i = 0; i < 4 * sizeof rows / sizeof *rows; i++) {
		struct tls_peer p;
		bool required = i % 2 == 1;
		size_t row = i / 4;
		bool fits = required ? rows[row].fits_required : rows[row].fits;
		tls_peer_init(&p);
		p.priorities = versions[i / 2 % 2];
		p.options.tls.alpn_required = required;
		memcpy(p.alpn, rows[row].names, sizeof p.alpn);
		if (fits) {
			tls_peer_connect(&p);
			CU_ASSERT(tls_peer_shake(&p));
		} else {
			CU_ASSERT_EQUAL(alert_for(&p), GNUTLS_A_NO_APPLICATION_PROTOCOL);
		}
		tls_peer_fini(&p);
	}
	test_count(4 * sizeof rows / sizeof *rows);
}

/* ---- Records ---- */

static void plaintext_arrives_whatever_the_pieces(void)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_peer p;
		tls_peer_init(&p);
		p.priorities = versions[i];
		tls_peer_connect(&p);
		CU_ASSERT(tls_peer_shake(&p));
		p.piece = 1;
		tls_peer_says(&p, "USER alice\r\nPASS secret\r\n");
		tls_peer_says(&p, "STAT\r\n");
		CU_ASSERT(tls_server_reads(&p, "USER alice\r\nPASS secret\r\nSTAT\r\n"));
		/* Several records fed at once are read one after the other. */
		p.piece = 0;
		tls_peer_says(&p, "NOOP\r\n");
		tls_peer_says(&p, "QUIT\r\n");
		CU_ASSERT(tls_server_reads(&p, "NOOP\r\nQUIT\r\n"));
		tls_peer_fini(&p);
	}
}

static void a_record_can_be_read_in_parts(void)
{
	struct tls_peer p;
	char part[4];
	tls_peer_init(&p);
	tls_peer_connect(&p);
	CU_ASSERT(tls_peer_shake(&p));
	tls_peer_says(&p, "NOOP\r\n");
	CU_ASSERT_EQUAL(tls_feed(p.tls, p.sent, p.sent_length), 0);
	CU_ASSERT_EQUAL(tls_read(p.tls, part, sizeof part), 4);
	CU_ASSERT(tls_is_hungry(p.tls));
	/* The rest is there, though nothing more is fed. */
	CU_ASSERT_EQUAL(tls_read(p.tls, part, sizeof part), 2);
	CU_ASSERT_EQUAL(memcmp(part, "\r\n", 2), 0);
	CU_ASSERT_EQUAL(tls_read(p.tls, part, sizeof part), -EAGAIN);
	tls_peer_fini(&p);
}

static void output_is_bounded_and_all_of_it_arrives(void)
{
	static char text[200000];
	struct tls_peer p;
	size_t length, taken = 0;
	memset(text, 'x', sizeof text);
	tls_peer_init(&p);
	tls_peer_connect(&p);
	CU_ASSERT(tls_peer_shake(&p));
	ssize_t part = tls_write(p.tls, text, sizeof text);
	while (part > 0) {
		taken += (size_t)part;
		part = tls_write(p.tls, text + taken, sizeof text - taken);
	}
	CU_ASSERT_EQUAL(part, -EAGAIN);
	CU_ASSERT_EQUAL(taken, 3 * 16384);
	tls_output(p.tls, &length);
	CU_ASSERT(length > taken && length <= TLS_PEER_BLOCK);
	tls_peer_to_client(&p);
	tls_output(p.tls, &length);
	CU_ASSERT_EQUAL(length, 0);
	CU_ASSERT(tls_write(p.tls, text, sizeof text) > 0);
	tls_peer_fini(&p);
}

static void more_input_than_the_bound_is_not_taken(void)
{
	static char octets[TLS_INPUT_MAX + 1];
	struct tls_peer p;
	tls_peer_init(&p);
	tls_peer_connect(&p);
	CU_ASSERT_EQUAL(tls_feed(p.tls, octets, sizeof octets), -ENOSPC);
	CU_ASSERT(tls_is_hungry(p.tls));
	tls_peer_fini(&p);
}

/* A client that begins a handshake message and never ends it. */
static void handshake_octets_are_bounded(void)
{
	struct tls_peer p;
	unsigned char record[16384 + 5] = {22, 3, 1, 0x40, 0x00, 1, 0xff, 0xff, 0xff};
	int result = -EAGAIN;
	size_t fed = 0;
	tls_peer_init(&p);
	tls_peer_connect(&p);
	while (result == -EAGAIN && fed < 2 * TLS_BARREN_MAX) {
		CU_ASSERT_EQUAL_FATAL(tls_feed(p.tls, record, sizeof record), 0);
		fed += sizeof record;
		result = tls_shake(p.tls);
	}
	CU_ASSERT_EQUAL(result, -EPROTO);
	CU_ASSERT(fed <= TLS_BARREN_MAX + sizeof record);
	tls_peer_fini(&p);
}

/* What is padding alone costs work and brings nothing, and so would a message without end. */
static int feed_padding(struct tls_peer *p, size_t *fed)
{
	char octets[8];
	CU_ASSERT_EQUAL(gnutls_record_send2(p->client, "", 0, 16000, 0), 0);
	*fed += p->sent_length;
	CU_ASSERT_EQUAL_FATAL(tls_feed(p->tls, p->sent, p->sent_length), 0);
	p->sent_length = 0;
	return (int)tls_read(p->tls, octets, sizeof octets);
}

static void octets_without_plaintext_are_bounded(void)
{
	struct tls_peer p;
	size_t fed = 0;
	int result = -EAGAIN;
	tls_peer_init(&p);
	p.priorities = TLS13;
	tls_peer_connect(&p);
	CU_ASSERT(tls_peer_shake(&p));
	for (int i = 0; i < 9; i++) {
		CU_ASSERT_EQUAL(feed_padding(&p, &fed), -EAGAIN);
		if (i % 3 == 2)
			converse(&p);
	}
	fed = 0;
	while (result == -EAGAIN && fed < 2 * TLS_BARREN_MAX)
		result = feed_padding(&p, &fed);
	CU_ASSERT_EQUAL(result, -EPROTO);
	CU_ASSERT(fed > TLS_BARREN_MAX && fed <= TLS_BARREN_MAX + 16384);
	tls_peer_fini(&p);
}

/* ---- The end ---- */

static void close_notify_is_told_from_a_stream_that_is_cut(void)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_peer p;
		char octets[8];
		tls_peer_init(&p);
		p.priorities = versions[i];
		tls_peer_connect(&p);
		CU_ASSERT(tls_peer_shake(&p));
		CU_ASSERT_EQUAL(tls_read(p.tls, octets, sizeof octets), -EAGAIN);
		gnutls_bye(p.client, GNUTLS_SHUT_WR);
		CU_ASSERT_EQUAL(tls_feed(p.tls, p.sent, p.sent_length), 0);
		CU_ASSERT_EQUAL(tls_read(p.tls, octets, sizeof octets), 0);
		CU_ASSERT_EQUAL(tls_read(p.tls, octets, sizeof octets), 0);
		CU_ASSERT_EQUAL(tls_state(p.tls), TLS_CLOSED);
		/* What it asked for before can still be sent. */
		CU_ASSERT_EQUAL(tls_write(p.tls, "+OK\r\n", 5), 5);
		tls_close(p.tls);
		tls_close(p.tls);
		CU_ASSERT(tls_client_reads(&p, "+OK\r\n"));
		CU_ASSERT_EQUAL(gnutls_record_recv(p.client, octets, sizeof octets), 0);
		tls_peer_fini(&p);
	}
}

/* The next alert that the client gets, with its level's error; in TLS 1.3 tickets come first. */
static void check_alert(struct tls_peer *p, int error, gnutls_alert_description_t alert)
{
	char octets[8];
	ssize_t got = GNUTLS_E_AGAIN;
	tls_peer_to_client(p);
	for (int try = 0; try < 4 && got == GNUTLS_E_AGAIN; try++)
		got = gnutls_record_recv(p->client, octets, sizeof octets);
	CU_ASSERT_EQUAL(got, error);
	CU_ASSERT_EQUAL(gnutls_alert_get(p->client), alert);
}

static void a_changed_octet_is_a_fault_with_an_alert(void)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_peer p;
		char octets[8];
		tls_peer_init(&p);
		p.priorities = versions[i];
		tls_peer_connect(&p);
		CU_ASSERT(tls_peer_shake(&p));
		tls_peer_says(&p, "DELE 1\r\n");
		p.sent[p.sent_length - 1] ^= 1;
		CU_ASSERT_EQUAL(tls_feed(p.tls, p.sent, p.sent_length), 0);
		CU_ASSERT_EQUAL(tls_read(p.tls, octets, sizeof octets), -EPROTO);
		CU_ASSERT_EQUAL(tls_read(p.tls, octets, sizeof octets), -EPROTO);
		CU_ASSERT_EQUAL(tls_write(p.tls, octets, 1), -EPROTO);
		check_alert(&p, GNUTLS_E_FATAL_ALERT_RECEIVED, GNUTLS_A_BAD_RECORD_MAC);
		tls_peer_fini(&p);
	}
}

static void an_alert_of_the_client_is_the_fault(void)
{
	struct tls_peer p;
	char octets[8];
	tls_peer_init(&p);
	tls_peer_connect(&p);
	CU_ASSERT(tls_peer_shake(&p));
	gnutls_alert_send(p.client, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
	CU_ASSERT_EQUAL(tls_feed(p.tls, p.sent, p.sent_length), 0);
	CU_ASSERT_EQUAL(tls_read(p.tls, octets, sizeof octets), -EPROTO);
	CU_ASSERT_STRING_EQUAL(tls_fault(p.tls), "Internal error");
	tls_peer_fini(&p);
}

static void warn(struct tls_peer *p, int times)
{
	for (int sent = 0; sent < times; sent++)
		gnutls_alert_send(p->client, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED);
}

/* In TLS 1.2; in TLS 1.3 one that is no end is an error. */
static void a_few_warnings_are_fine_and_a_flood_is_not(void)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_peer p;
		char octets[8];
		tls_peer_init(&p);
		p.priorities = versions[i];
		tls_peer_connect(&p);
		CU_ASSERT(tls_peer_shake(&p));
		if (i == 0) {
			warn(&p, 3);
			converse(&p);
		}
		warn(&p, i == 0 ? 40 : 1);
		CU_ASSERT_EQUAL(tls_feed(p.tls, p.sent, p.sent_length), 0);
		CU_ASSERT_EQUAL(tls_read(p.tls, octets, sizeof octets), -EPROTO);
		CU_ASSERT_EQUAL(tls_state(p.tls), TLS_FAILED);
		if (i == 0)
			check_alert(&p, GNUTLS_E_FATAL_ALERT_RECEIVED, GNUTLS_A_UNEXPECTED_MESSAGE);
		tls_peer_fini(&p);
		test_count(1);
	}
}

static void renegotiation_is_refused(void)
{
	struct tls_peer p;
	char octets[8];
	tls_peer_init(&p);
	p.priorities = TLS12;
	tls_peer_connect(&p);
	CU_ASSERT(tls_peer_shake(&p));
	CU_ASSERT_EQUAL(gnutls_handshake(p.client), GNUTLS_E_AGAIN);
	CU_ASSERT_EQUAL(tls_feed(p.tls, p.sent, p.sent_length), 0);
	CU_ASSERT_EQUAL(tls_read(p.tls, octets, sizeof octets), -EPROTO);
	CU_ASSERT_EQUAL(tls_state(p.tls), TLS_FAILED);
	tls_peer_to_client(&p);
	/* It ends properly all the same. */
	check_alert(&p, GNUTLS_E_WARNING_ALERT_RECEIVED, GNUTLS_A_NO_RENEGOTIATION);
	CU_ASSERT_EQUAL(gnutls_record_recv(p.client, octets, sizeof octets), 0);
	tls_peer_fini(&p);
}

static void a_few_key_updates_are_fine_and_a_flood_is_not(void)
{
	struct tls_peer p;
	char octets[8];
	tls_peer_init(&p);
	p.priorities = TLS13;
	tls_peer_connect(&p);
	CU_ASSERT(tls_peer_shake(&p));
	gnutls_session_key_update(p.client, 0);
	converse(&p);
	for (int i = 0; i < 100; i++)
		gnutls_session_key_update(p.client, 0);
	CU_ASSERT_EQUAL(tls_feed(p.tls, p.sent, p.sent_length), 0);
	CU_ASSERT_EQUAL(tls_read(p.tls, octets, sizeof octets), -EPROTO);
	tls_peer_fini(&p);
}

/* A client that gives up before it is over; the answer is its own kind of end. */
static void close_notify_in_a_handshake_is_answered_by_close_notify(void)
{
	static const unsigned char end[] = {21, 3, 3, 0, 2, 1, 0};
	struct tls_peer p;
	size_t length;
	tls_peer_init(&p);
	p.priorities = TLS12;
	tls_peer_connect(&p);
	CU_ASSERT_EQUAL(gnutls_handshake(p.client), GNUTLS_E_AGAIN);
	tls_peer_to_server(&p);
	tls_peer_to_client(&p);
	CU_ASSERT_EQUAL(tls_feed(p.tls, end, sizeof end), 0);
	CU_ASSERT_EQUAL(tls_shake(p.tls), -EPROTO);
	CU_ASSERT_STRING_EQUAL(tls_fault(p.tls), "Peer has terminated the connection");
	const void *answer = tls_output(p.tls, &length);
	CU_ASSERT(length == sizeof end && memcmp(answer, end, sizeof end) == 0);
	tls_peer_fini(&p);
}

static void plaintext_in_place_of_a_handshake_is_a_fault(void)
{
	static const char *const texts[] = {"DELE 1\r\nQUIT\r\n", "GET / HTTP/1.1\r\n\r\n", ""};
	for (size_t i = 0; texts[i][0] != '\0'; i++) {
		struct tls_peer p;
		size_t length;
		tls_peer_init(&p);
		tls_peer_connect(&p);
		CU_ASSERT_EQUAL(tls_feed(p.tls, texts[i], strlen(texts[i])), 0);
		CU_ASSERT_EQUAL(tls_shake(p.tls), -EPROTO);
		const unsigned char *alert = tls_output(p.tls, &length);
		CU_ASSERT(length == 7 && alert[0] == 21 && alert[5] == 2);
		tls_peer_fini(&p);
	}
}

const struct test_suite suite_tls_stream = {
	.name = "tls_stream",
	.tests =
		(const struct test[]){
			TEST(both_versions_shake_hands_whole_and_octet_by_octet),
			TEST(both_ends_have_the_same_channel_binding),
			TEST(tls_1_2_without_extended_master_secret_has_no_channel_binding),
			TEST(what_is_not_offered_is_refused_with_its_alert),
			TEST(each_offered_group_and_cipher_works),
			TEST(foreign_protocols_are_refused_and_none_is_fine_unless_required),
			TEST(plaintext_arrives_whatever_the_pieces),
			TEST(a_record_can_be_read_in_parts),
			TEST(output_is_bounded_and_all_of_it_arrives),
			TEST(more_input_than_the_bound_is_not_taken),
			TEST(handshake_octets_are_bounded),
			TEST(octets_without_plaintext_are_bounded),
			TEST(close_notify_is_told_from_a_stream_that_is_cut),
			TEST(a_changed_octet_is_a_fault_with_an_alert),
			TEST(an_alert_of_the_client_is_the_fault),
			TEST(a_few_warnings_are_fine_and_a_flood_is_not),
			TEST(renegotiation_is_refused),
			TEST(a_few_key_updates_are_fine_and_a_flood_is_not),
			TEST(close_notify_in_a_handshake_is_answered_by_close_notify),
			TEST(plaintext_in_place_of_a_handshake_is_a_fault),
			TEST_END,
		},
};
