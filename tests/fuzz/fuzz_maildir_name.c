/*
 * Any octets as a message's file name: the base name is a prefix that flags do not change, the
 * unique-id is legal and a function of it, hints are what a slow parser reads.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "store/name.h"

static void check_base(const char *name, size_t length, size_t base)
{
	static const char *const infos[] = {":2,", ":2,S", ";1,x", "!2,FRS:2,T"};
	CHECK(base <= length);
	if (base < length)
		CHECK(base + 3 <= length && strchr(":;!", name[base]) != NULL &&
		      (name[base + 1] == '1' || name[base + 1] == '2') && name[base + 2] == ',');
	CHECK(name_base_length(name, base) == base);

	/* The same message under other flags. */
	char other[NAME_OCTETS_MAX + 16];
	for (size_t i = 0; i < sizeof infos / sizeof *infos; i++) {
		memcpy(other, name, base);
		memcpy(other + base, infos[i], strlen(infos[i]));
		CHECK(name_base_length(other, base + strlen(infos[i])) == base);
	}
}

static void check_id(const char *base, size_t length)
{
	char id[NAME_ID_SIZE];
	char again[NAME_ID_SIZE];
	char copy[NAME_OCTETS_MAX];
	memcpy(copy, base, length);
	CHECK(name_unique_id(base, length, id) == 0);
	CHECK(name_unique_id(copy, length, again) == 0);
	CHECK(strcmp(id, again) == 0);

	size_t octets = strlen(id);
	CHECK(octets >= 1 && octets <= NAME_ID_MAX);
	for (size_t i = 0; i < octets; i++)
		CHECK(id[i] >= 0x21 && id[i] <= 0x7e);
	if (octets != length || memcmp(id, base, length) != 0)
		CHECK(octets == 66 && id[0] == 'x' && id[1] == '-');

	CHECK(name_unique_id_of_twin(base, length, 42, again) == 0);
	CHECK(strlen(again) == 66 && strcmp(id, again) != 0);
}

/* A field by hand: its digits, or false. */
static bool read_field(const char *field, size_t length, uint64_t *value)
{
	*value = 0;
	for (size_t i = 2; i < length; i++) {
		unsigned digit = (unsigned)(field[i] - '0');
		if (field[i] < '0' || field[i] > '9' || *value > (UINT64_MAX - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	return length > 2;
}

/* Every field with this letter: exactly one, and good, or there is no hint. */
static void check_hint(const char *base, size_t length, char letter, bool has, uint64_t value)
{
	size_t fields = 0;
	bool good = true;
	uint64_t expected = 0;
	for (size_t i = 0; i < length; i++) {
		if (base[i] != ',')
			continue;
		size_t end = i + 1;
		while (end < length && base[end] != ',')
			end++;
		const char *field = base + i + 1;
		if (end - i - 1 < 2 || field[0] != letter || field[1] != '=')
			continue;
		fields++;
		good = good && read_field(field, end - i - 1, &expected);
	}
	CHECK(has == (fields == 1 && good));
	CHECK(!has || value == expected);
}

static void check_hints(const char *base, size_t length)
{
	struct name_hints h = name_hints(base, length);
	check_hint(base, length, 'S', h.has_size, h.size);
	check_hint(base, length, 'W', h.has_octets, h.octets);
	CHECK(!name_hints_agree(&h, h.octets) || h.has_octets);
	if (h.has_octets && h.octets < UINT64_MAX)
		CHECK(!name_hints_agree(&h, h.octets + 1));
	if (h.has_size && h.size < UINT64_MAX)
		CHECK(!name_hints_agree(&h, h.size + 1));
}

static void check_order(const char *base, size_t length)
{
	struct name_time time = name_time(base, length);
	CHECK(name_time_compare(&time, &time) == 0);
	CHECK(name_compare(base, length, base, length) == 0);
	if (length > 0) {
		CHECK(name_compare(base, length - 1, base, length) < 0);
		CHECK(name_compare(base, length, base, length - 1) > 0);
	}
	if (length == 0 || base[0] < '0' || base[0] > '9')
		CHECK(time.seconds == 0 && time.microseconds == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A file name has neither NUL nor '/', and at most 255 octets. */
	char name[NAME_OCTETS_MAX];
	size_t length = size < sizeof name ? size : sizeof name;
	for (size_t i = 0; i < length; i++)
		name[i] = data[i] == '\0' || data[i] == '/' ? '_' : (char)data[i];

	/* At its exact size, so that a sanitizer sees each octet read too far. */
	char *exact = malloc(length + (length == 0));
	if (exact == NULL)
		return 0;
	memcpy(exact, name, length);
	size_t base = name_base_length(exact, length);
	check_base(exact, length, base);
	check_id(exact, base);
	check_hints(exact, base);
	check_order(exact, base);
	free(exact);
	return 0;
}
