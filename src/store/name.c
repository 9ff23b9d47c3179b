/* See name.h. The unique-id is a pure function of the base name: no index can lose it. */
#include "store/name.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

/* Marks a unique-id as a hash, so that it cannot be taken for a base name. */
#define HASH_MARK        "x-"
#define HASH_MARK_LENGTH 2
/* SHA-256: senders may shape names, so no two must be findable with one hash. */
#define HASH_OCTETS 32
#define HASH_LENGTH (HASH_MARK_LENGTH + 2 * (size_t)HASH_OCTETS)

static const char hex[] = "0123456789abcdef";

size_t name_base_length(const char *name, size_t length)
{
	for (size_t i = 0; i + 2 < length; i++)
		if ((name[i] == ':' || name[i] == ';' || name[i] == '!') &&
		    (name[i + 1] == '1' || name[i + 1] == '2') && name[i + 2] == ',')
			return i;
	return length;
}

static bool is_hash(const char *base, size_t length)
{
	if (length != HASH_LENGTH || memcmp(base, HASH_MARK, HASH_MARK_LENGTH) != 0)
		return false;
	for (size_t i = HASH_MARK_LENGTH; i < length; i++)
		if (memchr(hex, base[i], sizeof hex - 1) == NULL)
			return false;
	return true;
}

bool name_is_unique_id(const char *text, size_t length)
{
	if (length < 1 || length > NAME_ID_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return false;
	return true;
}

int name_hash(const char *text, size_t length, char hash[NAME_HASH_SIZE])
{
	unsigned char digest[HASH_OCTETS];
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text, length, digest) != 0)
		return -ENOMEM;
	char *out = hash;
	memcpy(out, HASH_MARK, HASH_MARK_LENGTH);
	out += HASH_MARK_LENGTH;
	for (size_t i = 0; i < HASH_OCTETS; i++) {
		*out++ = hex[digest[i] >> 4];
		*out++ = hex[digest[i] & 15];
	}
	*out = '\0';
	return 0;
}

int name_unique_id(const char *base, size_t length, char id[NAME_ID_SIZE])
{
	if (!name_is_unique_id(base, length) || is_hash(base, length))
		return name_hash(base, length, id);
	memcpy(id, base, length);
	id[length] = '\0';
	return 0;
}

int name_unique_id_of_twin(const char *base, size_t length, uint64_t identity,
			   char id[NAME_ID_SIZE])
{
	/* No name has a NUL, so this text is no base name. */
	char text[NAME_OCTETS_MAX + 1 + NUMBER_SIZE];
	if (length > NAME_OCTETS_MAX)
		length = NAME_OCTETS_MAX;
	memcpy(text, base, length);
	text[length] = '\0';
	size_t digits = number_format(identity, text + length + 1);
	return name_hash(text, length + 1 + digits, id);
}

int name_unique_id_next(char id[NAME_ID_SIZE])
{
	/* Two NULs begin neither a base name nor the text of a twin. */
	char text[2 + NAME_ID_MAX] = "";
	size_t length = strlen(id);
	memcpy(text + 2, id, length);
	return name_hash(text, 2 + length, id);
}

static void take_hint(const char *field, size_t length, char letter, bool *has, bool *twice,
		      uint64_t *value)
{
	if (length < 2 || field[0] != letter || field[1] != '=')
		return;
	uint64_t number;
	bool good = number_parse(field + 2, length - 2, UINT64_MAX, &number);
	*twice = *twice || *has || !good;
	*has = good && !*twice;
	if (*has)
		*value = number;
}

struct name_hints name_hints(const char *base, size_t length)
{
	struct name_hints hints = {0};
	bool spoilt_size = false;
	bool spoilt_octets = false;
	const char *end = base + length;
	const char *comma = length == 0 ? NULL : memchr(base, ',', length);
	while (comma != NULL) {
		const char *field = comma + 1;
		comma = field == end ? NULL : memchr(field, ',', (size_t)(end - field));
		size_t size = (size_t)((comma == NULL ? end : comma) - field);
		take_hint(field, size, 'S', &hints.has_size, &spoilt_size, &hints.size);
		take_hint(field, size, 'W', &hints.has_octets, &spoilt_octets, &hints.octets);
	}
	return hints;
}

bool name_hints_agree(const struct name_hints *hints, uint64_t file_length)
{
	if (!hints->has_octets || (hints->has_size && hints->size != file_length))
		return false;
	return hints->octets >= file_length && hints->octets - file_length <= file_length;
}

/* The digits at text[*at]: their value, UINT64_MAX if they overflow, 0 if there are none. */
static uint64_t take_digits(const char *text, size_t length, size_t *at)
{
	size_t start = *at;
	while (*at < length && text[*at] >= '0' && text[*at] <= '9')
		(*at)++;
	uint64_t value = 0;
	if (*at > start && !number_parse(text + start, *at - start, UINT64_MAX, &value))
		return UINT64_MAX;
	return value;
}

struct name_time name_time(const char *base, size_t length)
{
	struct name_time time = {0, 0};
	size_t at = 0;
	time.seconds = take_digits(base, length, &at);
	if (at > 0 && length - at > 2 && base[at] == '.' && base[at + 1] == 'M') {
		at += 2;
		time.microseconds = take_digits(base, length, &at);
	}
	return time;
}

int name_time_compare(const struct name_time *a, const struct name_time *b)
{
	if (a->seconds != b->seconds)
		return a->seconds < b->seconds ? -1 : 1;
	if (a->microseconds != b->microseconds)
		return a->microseconds < b->microseconds ? -1 : 1;
	return 0;
}

int name_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
	if (order != 0 || a_length == b_length)
		return order;
	return a_length < b_length ? -1 : 1;
}
