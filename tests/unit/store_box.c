/* See store_box.h. */
#include "unit/store_box.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAILDIR "home/Maildir"
/* A tmpfs, where there is one. */
#define MEMORY "/dev/shm"
/* Anybody but root. */
#define NOBODY 65534

static void take_line(const struct pop3_record *record, void *data)
{
	struct box *box = data;
	char line[LOG_LINE_SIZE];
	log_format_logfmt(record, line);
	size_t length = strlen(box->log);
	snprintf(box->log + length, sizeof box->log - length, "%s\n", line);
}

static void init_in(struct box *box, const char *folder)
{
	memset(box, 0, sizeof *box);
	snprintf(box->root, sizeof box->root, "%s/store.XXXXXX", folder == NULL ? "/tmp" : folder);
	box->before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdtemp(box->root) == NULL || chdir(box->root) < 0 || chmod(".", 0755) < 0 ||
	    mkdir("home", 0755) < 0 || mkdir(MAILDIR, 0755) < 0 ||
	    mkdir(MAILDIR "/new", 0755) < 0 || mkdir(MAILDIR "/cur", 0755) < 0 ||
	    mkdir(MAILDIR "/tmp", 0755) < 0)
		abort();
	box->grant = (struct store_grant){
		.session = 7, .user = "alice", .maildrop = MAILDIR, .home = "home"};
	box->sink = (struct log_sink){.write = take_line, .data = box};
}

void box_init(struct box *box)
{
	init_in(box, getenv("TMPDIR"));
}

void box_init_in_memory(struct box *box)
{
	init_in(box, access(MEMORY, W_OK) == 0 ? MEMORY : getenv("TMPDIR"));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int open_up(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)ftw;
	return type == FTW_SL || S_ISREG(status->st_mode) ? 0 : chmod(path, 0755);
}

void box_fini(struct box *box)
{
	if (box->log[0] != '\0')
		printf("unexpected log: %s", box->log);
	CU_ASSERT_STRING_EQUAL(box->log, "");
	if (fchdir(box->before) < 0)
		abort();
	close(box->before);
	nftw(box->root, open_up, 8, FTW_PHYS);
	nftw(box->root, remove_one, 8, FTW_PHYS | FTW_DEPTH);
}

static const char *in_maildir(const char *path, char whole[512])
{
	snprintf(whole, 512, MAILDIR "/%s", path);
	return whole;
}

void box_put_octets(const char *path, const void *octets, size_t length)
{
	char whole[512];
	FILE *file = fopen(in_maildir(path, whole), "w");
	if (file == NULL || fwrite(octets, 1, length, file) != length || fclose(file) != 0)
		abort();
}

void box_put(const char *path, const char *text)
{
	box_put_octets(path, text, strlen(text));
}

bool box_has(const char *path)
{
	char whole[512];
	struct stat status;
	return lstat(in_maildir(path, whole), &status) == 0;
}

size_t box_count(const char *folder)
{
	char whole[512];
	size_t count = 0;
	DIR *directory = opendir(in_maildir(folder, whole));
	if (directory == NULL)
		abort();
	for (struct dirent *e = readdir(directory); e != NULL; e = readdir(directory))
		count += e->d_name[0] != '.';
	closedir(directory);
	return count;
}

void box_rename(const char *from, const char *to)
{
	char old[512];
	char new[512];
	if (rename(in_maildir(from, old), in_maildir(to, new)) < 0)
		abort();
}

void box_expect_log(struct box *box, const char *text)
{
	char *found = strstr(box->log, text);
	if (found == NULL)
		printf("expected '%s' in the log: %s\n", text, box->log);
	CU_ASSERT_PTR_NOT_NULL(found);
	if (found == NULL)
		return;
	char *end = strchr(found, '\n') + 1;
	while (found > box->log && found[-1] != '\n')
		found--;
	memmove(found, end, strlen(end) + 1);
	CU_ASSERT_PTR_NULL(strstr(box->log, text));
}

struct maildrop *box_open_with(struct box *box, bool mark_seen)
{
	struct maildrop *maildrop = NULL;
	const struct maildrop_options options = {.mark_seen = mark_seen};
	CU_ASSERT_EQUAL_FATAL(maildrop_open(&box->grant, &options, &box->sink, &maildrop),
			      STORE_OK);
	return maildrop;
}

struct maildrop *box_open(struct box *box)
{
	return box_open_with(box, false);
}

void box_open_fails(struct box *box, enum store_result expected)
{
	struct maildrop *maildrop = NULL;
	CU_ASSERT_EQUAL(maildrop_open(&box->grant, NULL, &box->sink, &maildrop), expected);
	CU_ASSERT_PTR_NULL(maildrop);
	maildrop_close(maildrop);
}

const char *box_ids(const struct maildrop *maildrop, char text[4096])
{
	const struct maildrop_list *list = maildrop_frozen(maildrop);
	size_t length = 0;
	text[0] = '\0';
	for (size_t i = 0; i < maildrop_list_count(list) && length < 4000; i++)
		length +=
			(size_t)snprintf(text + length, 4096 - length, "%s ",
					 maildrop_list_text(list) + maildrop_list_offsets(list)[i]);
	return text;
}

void box_drop_powers(void)
{
	if (getuid() == 0 && seteuid(NOBODY) < 0)
		abort();
}

void box_regain_powers(void)
{
	if (getuid() == 0 && seteuid(0) < 0)
		abort();
}
