/*
 * See proxy_fields.h. Nothing here is believed by itself: what the fields say of TLS counts only
 * where the configuration says so.
 */
#include "net/proxy_fields.h"

#include <string.h>

#include "net/proxy.h"

_Static_assert(PROXY_PATH_SIZE <= sizeof((struct sockaddr_un *)NULL)->sun_path, "a path fits");

/* Types of fields, and of those within a TLS field. */
enum {
	FIELD_ALPN = 0x01,
	FIELD_CHECKSUM = 0x03,
	FIELD_TLS = 0x20,
	FIELD_TLS_VERSION = 0x21,
	FIELD_TLS_COMMON_NAME = 0x22,
	FIELD_TLS_CIPHER = 0x23,
};
/* The first octet of a TLS field: the client speaks TLS; it has shown a certificate on this
 * connection, or in this TLS session. */
#define CLIENT_TLS         0x01
#define CLIENT_CERTIFICATE (0x02 | 0x04)
/* That octet, and four that are 0 if the certificate has been verified. */
#define TLS_FIXED     5
#define CHECKSUM_SIZE 4

struct field {
	unsigned char type;
	const unsigned char *value;
	size_t length;
};

/* The next field from *at on. False: it is cut off by the end. */
static bool next_field(const unsigned char *octets, size_t end, size_t *at, struct field *f)
{
	if (end - *at < 3)
		return false;
	const unsigned char *head = octets + *at;
	*f = (struct field){head[0], head + 3, (size_t)head[1] << 8 | head[2]};
	*at += 3;
	if (f->length > end - *at)
		return false;
	*at += f->length;
	return true;
}

/* Text that fits and is printable ASCII; else none. A name that is cut would be another's. */
static void copy_text(const struct field *f, char *text, size_t size)
{
	if (f->length >= size)
		return;
	for (size_t i = 0; i < f->length; i++)
		if (f->value[i] <= ' ' || f->value[i] >= 0x7f)
			return;
	memcpy(text, f->value, f->length);
	text[f->length] = '\0';
}

static const char *read_tls(const struct field *tls, struct proxy_header *h)
{
	static const unsigned char verified[TLS_FIXED - 1];
	size_t at = TLS_FIXED;
	struct field f;

	if (tls->length < TLS_FIXED)
		return "PROXY header with a TLS field that is too short";
	h->tls = (tls->value[0] & CLIENT_TLS) != 0;
	bool named = h->tls && (tls->value[0] & CLIENT_CERTIFICATE) != 0 &&
		     memcmp(tls->value + 1, verified, sizeof verified) == 0;
	while (at < tls->length) {
		if (!next_field(tls->value, tls->length, &at, &f))
			return "PROXY header with a TLS field that is cut off";
		if (f.type == FIELD_TLS_VERSION && h->tls)
			copy_text(&f, h->tls_version, sizeof h->tls_version);
		else if (f.type == FIELD_TLS_CIPHER && h->tls)
			copy_text(&f, h->tls_cipher, sizeof h->tls_cipher);
		else if (f.type == FIELD_TLS_COMMON_NAME && named)
			copy_text(&f, h->certificate, sizeof h->certificate);
	}
	return NULL;
}

static void read_alpn(const struct field *f, struct proxy_header *h)
{
	h->alpn = true;
	h->alpn_pop3 = f->length == 4 && memcmp(f->value, "pop3", 4) == 0;
}

/* ---- The checksum: CRC32c (RFC 3309), of a header whose checksum is taken for zeros ---- */

static uint32_t crc_octet(uint32_t crc, unsigned char octet)
{
	crc ^= octet;
	for (int bit = 0; bit < 8; bit++)
		crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1u)));
	return crc;
}

static bool is_intact(const unsigned char *header, size_t length, const struct field *checksum)
{
	size_t at = (size_t)(checksum->value - header);
	uint32_t crc = UINT32_MAX, told = 0;
	for (size_t i = 0; i < length; i++)
		crc = crc_octet(crc, i >= at && i < at + CHECKSUM_SIZE ? 0 : header[i]);
	for (size_t i = 0; i < CHECKSUM_SIZE; i++)
		told = told << 8 | header[at + i];
	return told == ~crc;
}

/* ---- All of them ---- */

const char *proxy_fields(const unsigned char *header, size_t length, size_t begin,
			 struct proxy_header *h)
{
	bool has_tls = false, has_checksum = false;
	size_t at = begin;
	while (at < length) {
		struct field f;
		const char *wrong = NULL;
		if (!next_field(header, length, &at, &f))
			return "PROXY header with a field that is cut off";
		if ((f.type == FIELD_ALPN && h->alpn) || (f.type == FIELD_TLS && has_tls) ||
		    (f.type == FIELD_CHECKSUM && has_checksum))
			return "PROXY header with a field that stands twice";
		if (f.type == FIELD_ALPN)
			read_alpn(&f, h);
		if (f.type == FIELD_TLS)
			wrong = read_tls(&f, h);
		if (f.type == FIELD_CHECKSUM &&
		    (f.length != CHECKSUM_SIZE || !is_intact(header, length, &f)))
			wrong = "PROXY header with a wrong checksum";
		if (wrong != NULL)
			return wrong;
		has_tls |= f.type == FIELD_TLS;
		has_checksum |= f.type == FIELD_CHECKSUM;
	}
	return NULL;
}
