/* See delivered.h. */
#include "unit/delivered.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hear(const struct pop3_maildir_failure *failure, void *data)
{
	struct heard *heard = data;
	heard->count++;
	heard->result = failure->result;
	heard->error = failure->error;
	heard->text = failure->text;
}

struct pop3_maildir_options delivered_options(struct heard *heard)
{
	*heard = (struct heard){.text = ""};
	return (struct pop3_maildir_options){
		.size = sizeof(struct pop3_maildir_options), .failed = hear, .data = heard};
}

void delivered_expect_failure(const struct heard *heard, enum pop3_maildir_result result, int error,
			      const char *text)
{
	CU_ASSERT_EQUAL(heard->count, 1);
	CU_ASSERT_EQUAL(heard->result, result);
	CU_ASSERT_EQUAL(heard->error, error);
	CU_ASSERT_STRING_EQUAL(heard->text, text);
}

/* The path of the only message in new/. */
static void only_message(char path[512])
{
	size_t count = 0;
	DIR *directory = opendir(DELIVERED_MAILDIR "/new");
	CU_ASSERT_PTR_NOT_NULL_FATAL(directory);
	for (struct dirent *e = readdir(directory); e != NULL; e = readdir(directory)) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, 512, DELIVERED_MAILDIR "/new/%s", e->d_name);
		count++;
	}
	closedir(directory);
	CU_ASSERT_EQUAL_FATAL(count, 1);
}

void delivered_expect(const char *octets, size_t length, const char *hints)
{
	char path[512] = "";
	only_message(path);
	char *found = malloc(length + 1);
	FILE *file = fopen(path, "r");
	if (found == NULL || file == NULL)
		abort();
	CU_ASSERT_EQUAL(fread(found, 1, length + 1, file), length);
	CU_ASSERT_EQUAL(memcmp(found, octets, length), 0);
	fclose(file);
	free(found);
	CU_ASSERT_TRUE(strlen(path) > strlen(hints));
	CU_ASSERT_STRING_EQUAL(path + strlen(path) - strlen(hints), hints);
	CU_ASSERT_EQUAL(box_count("tmp"), 0);
}
