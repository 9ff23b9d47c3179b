/* See bearer.h. A message is read once, from front to end, and nothing of it is copied but the
 * name. */
#include "auth/bearer.h"

#include <string.h>
#include <strings.h>

#include "base/number.h"

#define SEPARATOR '\x01'
#define PORT_MAX  65535

/* What is still to be read. */
struct rest {
	const char *next;
	size_t left;
};

struct piece {
	const char *octets;
	size_t length;
};

/* Up to the mark, which is passed over; false: there is none. */
static bool take_until(struct rest *rest, char mark, struct piece *piece)
{
	const char *end = memchr(rest->next, mark, rest->left);
	if (end == NULL)
		return false;
	*piece = (struct piece){rest->next, (size_t)(end - rest->next)};
	rest->next = end + 1;
	rest->left -= piece->length + 1;
	return true;
}

static bool piece_is(const struct piece *piece, const char *text)
{
	return piece->length == strlen(text) && memcmp(piece->octets, text, piece->length) == 0;
}

static bool starts_with(const struct piece *piece, const char *text)
{
	size_t length = strlen(text);
	return piece->length >= length && memcmp(piece->octets, text, length) == 0;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- The name ---- */

/* "=2C" is a comma and "=3D" an equals sign (RFC 5801 section 4); *used octets are read. */
static bool saslname_octet(const char *next, size_t left, char *octet, size_t *used)
{
	static const size_t escape = 3;
	*used = *next == '=' ? escape : 1;
	*octet = *next;
	if (*next != '=')
		return true;
	if (left < escape)
		return false;
	*octet = next[2] == 'C' ? ',' : '=';
	return memcmp(next, "=2C", escape) == 0 || memcmp(next, "=3D", escape) == 0;
}

/* The octets of a name go where those of USER go. */
static bool add_octet(struct bearer *bearer, size_t *length, char octet)
{
	unsigned char c = (unsigned char)octet;
	if (c <= 0x20 || c == 0x7f || *length == AUTH_USER_MAX)
		return false;
	bearer->user[(*length)++] = octet;
	bearer->user[*length] = '\0';
	return true;
}

static bool take_user(const struct piece *name, bool escaped, struct bearer *bearer)
{
	size_t length = 0;
	size_t used = 1;
	for (size_t i = 0; i < name->length; i += used) {
		char octet = name->octets[i];
		if (escaped && !saslname_octet(name->octets + i, name->length - i, &octet, &used))
			return false;
		if (!add_octet(bearer, &length, octet))
			return false;
	}
	return length > 0;
}

/* RFC 5801 section 4, without channel binding: "n,a=NAME," or "y,a=NAME,". */
static bool take_header(struct rest *rest, struct bearer *bearer)
{
	struct piece flag, authzid;
	if (!take_until(rest, ',', &flag) || !take_until(rest, ',', &authzid))
		return false;
	if (!piece_is(&flag, "n") && !piece_is(&flag, "y"))
		return false;
	if (!starts_with(&authzid, "a="))
		return false;
	const struct piece name = {authzid.octets + 2, authzid.length - 2};
	return take_user(&name, true, bearer);
}

/* ---- Keys and values ---- */

/* RFC 6750 section 2.1: b64token. */
static bool is_token(const char *octets, size_t length)
{
	size_t i = 0;
	while (i < length && (is_letter(octets[i]) || is_digit(octets[i]) ||
			      (octets[i] != '\0' && strchr("-._~+/", octets[i]) != NULL)))
		i++;
	size_t body = i;
	while (i < length && octets[i] == '=')
		i++;
	return body > 0 && i == length;
}

/* The token behind "Bearer " of the one key `auth`. */
static bool take_auth(const struct piece *value, struct bearer *bearer)
{
	static const char scheme[] = "bearer ";
	size_t length = sizeof scheme - 1;
	if (bearer->token != NULL || value->length < length ||
	    strncasecmp(value->octets, scheme, length) != 0)
		return false;
	while (length < value->length && value->octets[length] == ' ')
		length++;
	bearer->token = value->octets + length;
	bearer->token_length = value->length - length;
	return is_token(bearer->token, bearer->token_length);
}

/* RFC 7628 section 3.1: VCHAR, SP, HTAB, CR and LF. */
static bool is_value(const struct piece *value)
{
	for (size_t i = 0; i < value->length; i++) {
		unsigned char c = (unsigned char)value->octets[i];
		if (c > 0x7e || (c < 0x20 && c != '\t' && c != '\r' && c != '\n'))
			return false;
	}
	return true;
}

static bool is_key(const struct piece *key)
{
	for (size_t i = 0; i < key->length; i++)
		if (!is_letter(key->octets[i]))
			return false;
	return key->length > 0;
}

static bool take_pair(const struct piece *pair, struct bearer *bearer)
{
	struct rest rest = {pair->octets, pair->length};
	struct piece key;
	uint64_t port;
	if (!take_until(&rest, '=', &key) || !is_key(&key))
		return false;
	const struct piece value = {rest.next, rest.left};
	if (!is_value(&value))
		return false;
	if (piece_is(&key, "auth"))
		return take_auth(&value, bearer);
	return !piece_is(&key, "port") || number_parse(value.octets, value.length, PORT_MAX, &port);
}

/* Pairs, each with a separator behind it, and one more separator, which is the end. */
static bool take_pairs(struct rest *rest, struct bearer *bearer)
{
	struct piece pair;
	for (;;) {
		if (!take_until(rest, SEPARATOR, &pair))
			return false;
		if (pair.length == 0)
			break;
		if (!take_pair(&pair, bearer))
			return false;
	}
	return rest->left == 0 && bearer->token != NULL;
}

/* ---- Messages ---- */

bool bearer_parse(const char *octets, size_t length, struct bearer *out)
{
	struct rest rest = {octets, length};
	struct bearer bearer = {.token = NULL};
	struct piece nothing;
	if (!take_header(&rest, &bearer) || !take_until(&rest, SEPARATOR, &nothing) ||
	    nothing.length > 0 || !take_pairs(&rest, &bearer))
		return false;
	*out = bearer;
	return true;
}

/* Its `user` comes first, and is not escaped. */
bool xoauth2_parse(const char *octets, size_t length, struct bearer *out)
{
	static const char key[] = "user=";
	struct rest rest = {octets, length};
	struct bearer bearer = {.token = NULL};
	struct piece pair;
	if (!take_until(&rest, SEPARATOR, &pair) || !starts_with(&pair, key))
		return false;
	const struct piece name = {pair.octets + sizeof key - 1, pair.length - (sizeof key - 1)};
	if (!take_user(&name, false, &bearer) || !take_pairs(&rest, &bearer))
		return false;
	*out = bearer;
	return true;
}
