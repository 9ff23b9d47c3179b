/*
 * See index.h. The file is a head and the list's block (store/maildrop_list.h), in this machine's
 * order of octets: one from another is as good as none. It is not synced: after a power cut it may
 * hold anything, which its checksum tells.
 */
#define XXH_INLINE_ALL

#include "store/index_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/io.h"
#include "base/region.h"
#include "store/name.h"

/* ---- Where it is ---- */

int index_place_open(const struct maildir *maildir, const char *directory, const char *maildrop,
		     struct index_place *place)
{
	*place = (struct index_place){.directory = maildir->descriptor};
	if (directory == NULL) {
		memcpy(place->name, INDEX_FILE, sizeof INDEX_FILE);
		memcpy(place->new_name, INDEX_NEW, sizeof INDEX_NEW);
		return 0;
	}
	char hash[NAME_HASH_SIZE];
	int error = name_hash(maildrop, strlen(maildrop), hash);
	if (error < 0)
		return error;
	int descriptor;
	IO_RETRY(descriptor, open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (descriptor < 0)
		return -errno;
	place->directory = descriptor;
	place->apart = true;
	snprintf(place->name, sizeof place->name, "%s.index", hash);
	snprintf(place->new_name, sizeof place->new_name, "%s.index.new", hash);
	return 0;
}

void index_place_close(struct index_place *place)
{
	if (place->apart)
		close(place->directory);
	place->apart = false;
}

/* ---- Head and block ---- */

uint64_t index_checksum(const struct index_head *head, const void *block, size_t size)
{
	struct index_head zeroed = *head;
	zeroed.checksum = 0;
	return XXH3_64bits_withSeed(&zeroed, sizeof zeroed, XXH3_64bits(block, size));
}

static struct index_time to_stamp(const struct timespec *time)
{
	return (struct index_time){time->tv_sec, time->tv_nsec};
}

static struct timespec from_stamp(const struct index_time *stamp)
{
	return (struct timespec){.tv_sec = (time_t)stamp->seconds,
				 .tv_nsec = (long)stamp->nanoseconds};
}

static void fill_head(const struct index *index, const void *block, size_t size,
		      struct index_head *head)
{
	*head = (struct index_head){.magic = INDEX_MAGIC,
				    .order = INDEX_ORDER,
				    .version = INDEX_VERSION,
				    .size = sizeof *head + size,
				    .rules = index->rules};
	for (unsigned f = FOLDER_NEW; f <= FOLDER_CUR; f++) {
		const struct folder_state *state = &index->state.folders[f];
		head->folders[f] = (struct index_head_folder){
			state->identity, to_stamp(&state->modified), to_stamp(&state->changed),
			to_stamp(&index->moments[f])};
	}
	head->checksum = index_checksum(head, block, size);
}

static void take_head(const struct index_head *head, struct index *index)
{
	*index = (struct index){.rules = head->rules};
	for (unsigned f = FOLDER_NEW; f <= FOLDER_CUR; f++) {
		const struct index_head_folder *folder = &head->folders[f];
		index->moments[f] = from_stamp(&folder->moment);
		index->state.folders[f] =
			(struct folder_state){folder->identity, from_stamp(&folder->modified),
					      from_stamp(&folder->changed)};
	}
}

/* What a head alone shows to be wrong with a file of `size` octets; NULL: nothing. */
static const char *find_fault(const struct index_head *head, uint64_t size)
{
	if (memcmp(head->magic, INDEX_MAGIC, sizeof INDEX_MAGIC) != 0)
		return "it is no index";
	if (head->order != INDEX_ORDER)
		return "it is from a machine of another kind";
	if (head->version != INDEX_VERSION)
		return "it is of another version";
	if (head->size != size)
		return "it has been cut or has grown";
	return NULL;
}

/* The list of a block from region_new(), which becomes the index's, or is freed. */
static const char *take_block(const struct index_head *head, void *block, size_t size,
			      struct index *index)
{
	const char *why = "its checksum is wrong";
	take_head(head, index);
	if (index_checksum(head, block, size) == head->checksum) {
		index->list = maildrop_list_adopt(block, size);
		why = index->list == NULL ? "its entries are not sound" : NULL;
	}
	if (why != NULL)
		region_free(block, size);
	return why;
}

/* ---- Reading ---- */

int index_parse(const void *octets, size_t length, struct index *index, const char **why)
{
	struct index_head head;
	*why = "it has been cut or has grown";
	if (length < sizeof head)
		return -EINVAL;
	memcpy(&head, octets, sizeof head);
	*why = find_fault(&head, length);
	if (*why != NULL)
		return -EINVAL;
	size_t size = length - sizeof head;
	void *block = region_new(size);
	if (block == NULL)
		return -ENOMEM;
	memcpy(block, (const char *)octets + sizeof head, size);
	*why = take_block(&head, block, size, index);
	return *why == NULL ? 0 : -EINVAL;
}

static int read_file(int file, struct index *index, const char **why)
{
	struct stat status;
	struct index_head head = {0};
	int error = folder_status(file, &status);
	if (error < 0)
		return error;
	*why = "it is not a regular file";
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	uint64_t length = (uint64_t)status.st_size;
	ssize_t got = io_read_at(file, &head, sizeof head, 0);
	if (got < 0)
		return (int)got;
	*why = length < sizeof head || length > INDEX_SIZE_MAX ? "its size is impossible"
							       : find_fault(&head, length);
	if (*why != NULL)
		return -EINVAL;

	size_t size = (size_t)length - sizeof head;
	void *block = region_new(size);
	if (block == NULL)
		return -ENOMEM;
	got = io_read_at(file, block, size, sizeof head);
	if (got < 0 || (size_t)got < size) {
		region_free(block, size);
		*why = "it has been cut while it was read";
		return got < 0 ? (int)got : -EINVAL;
	}
	*why = take_block(&head, block, size, index);
	return *why == NULL ? 0 : -EINVAL;
}

int index_read(const struct index_place *place, struct index *index, const char **why)
{
	int file = folder_open_file(place->directory, place->name);
	*why = "it is a symbolic link, or no regular file";
	if (file == -ELOOP || file == -ENXIO)
		return -EINVAL;
	if (file < 0)
		return file;
	int error = read_file(file, index, why);
	close(file);
	return error;
}

/* ---- Writing ---- */

static int write_file(int file, const struct index *index)
{
	struct index_head head;
	size_t size;
	const void *block = maildrop_list_block(index->list, &size);
	fill_head(index, block, size, &head);
	int error = io_write_all(file, &head, sizeof head);
	return error < 0 ? error : io_write_all(file, block, size);
}

static int replace(const struct index_place *place)
{
	int result;
	IO_RETRY(result,
		 renameat(place->directory, place->new_name, place->directory, place->name));
	return result < 0 ? -errno : 0;
}

int index_write(const struct index_place *place, const struct index *index)
{
	/* What is left of a process that was killed, or a link to somebody's mail: nothing that is
	 * there already is written to. */
	folder_delete(place->directory, place->new_name);
	int file = folder_create(place->directory, place->new_name);
	if (file < 0)
		return file;
	int error = write_file(file, index);
	int closed = io_close(file);
	if (error == 0)
		error = closed;
	if (error == 0)
		error = replace(place);
	if (error < 0)
		folder_delete(place->directory, place->new_name);
	return error;
}
