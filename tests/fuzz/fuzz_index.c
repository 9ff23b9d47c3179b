/*
 * Any octets as the file of an index. A damaged one is refused; one that was made on purpose, whose
 * head is put right here, is refused or sound: all that can be read of it is legal, and built anew
 * it is the same list.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "store/index_private.h"
#include "store/known.h"
#include "store/name.h"

static void check_entry(const struct maildrop_list *list, size_t index)
{
	char name[MAILDROP_NAME_SIZE];
	const struct maildrop_entry e = maildrop_list_entry(list, index);
	CHECK(strlen(e.id) >= 1 && strlen(e.id) <= NAME_ID_MAX);
	for (const char *c = e.id; *c != '\0'; c++)
		CHECK(*c >= 0x21 && *c <= 0x7e);
	CHECK(e.base_length + strlen(e.info) <= NAME_OCTETS_MAX);
	maildrop_entry_name(&e, name);
	CHECK(name[0] != '.' && name[0] != '\0' && strchr(name, '/') == NULL);
	CHECK(e.octets >= e.length && e.octets - e.length <= e.length + 2);
	CHECK(maildrop_list_sizes(list)[index] == e.octets);
	CHECK(maildrop_list_text(list) + maildrop_list_offsets(list)[index] == e.id);
	(void)maildrop_list_has_twin(list, index);
}

static void check_known(const struct maildrop_list *list)
{
	struct known known;
	CHECK(known_init(&known, list) == 0);
	for (size_t i = 0; i < maildrop_list_count(list); i++) {
		char name[MAILDROP_NAME_SIZE];
		struct maildrop_entry e = maildrop_list_entry(list, i);
		maildrop_entry_name(&e, name);
		struct folder_entry found = {.name = name, .identity = e.identity};
		struct maildrop_entry again;
		size_t index;
		if (known_find(&known, &found, e.base_length, &index, &again))
			known_mark(&known, index);
	}
	CHECK(known.found_count <= maildrop_list_count(list));
	known_fini(&known);
}

static void check_rebuilt(const struct maildrop_list *list)
{
	struct list_plan plan = {0};
	size_t count = maildrop_list_count(list);
	for (size_t i = 0; i < count; i++) {
		struct maildrop_entry e = maildrop_list_entry(list, i);
		list_plan_add(&plan, &e);
	}
	struct maildrop_list *copy = maildrop_list_new(&plan);
	CHECK(copy != NULL);
	for (size_t i = 0; i < count; i++) {
		struct maildrop_entry e = maildrop_list_entry(list, i);
		maildrop_list_append(copy, &plan, &e);
	}
	CHECK(maildrop_list_octets(copy) == maildrop_list_octets(list));
	for (size_t i = 0; i < count; i++) {
		struct maildrop_entry a = maildrop_list_entry(list, i);
		struct maildrop_entry b = maildrop_list_entry(copy, i);
		CHECK(strcmp(a.id, b.id) == 0 && strcmp(a.info, b.info) == 0 && a.seen == b.seen);
		CHECK(a.identity == b.identity && a.length == b.length && a.octets == b.octets);
	}
	maildrop_list_unref(copy);
}

static void parse(const uint8_t *octets, size_t length)
{
	struct index index;
	const char *why = NULL;
	int error = index_parse(octets, length, &index, &why);
	CHECK(error == 0 || why != NULL);
	if (error < 0)
		return;
	for (size_t i = 0; i < maildrop_list_count(index.list); i++)
		check_entry(index.list, i);
	check_known(index.list);
	check_rebuilt(index.list);
	maildrop_list_unref(index.list);
}

/* The head as index_write() would write it, and the size in the block, which comes first. */
static void put_right(uint8_t *octets, size_t size)
{
	struct index_head head;
	uint8_t *block = octets + sizeof head;
	uint64_t block_size = size - sizeof head;
	memcpy(&head, octets, sizeof head);
	memcpy(head.magic, INDEX_MAGIC, sizeof INDEX_MAGIC);
	head.order = INDEX_ORDER;
	head.version = INDEX_VERSION;
	head.size = size;
	if (block_size >= sizeof block_size)
		memcpy(block, &block_size, sizeof block_size);
	head.checksum = index_checksum(&head, block, block_size);
	memcpy(octets, &head, sizeof head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse(data, size);
	if (size < sizeof(struct index_head))
		return 0;
	uint8_t *forged = malloc(size);
	CHECK(forged != NULL);
	memcpy(forged, data, size);
	put_right(forged, size);
	parse(forged, size);
	free(forged);
	return 0;
}
