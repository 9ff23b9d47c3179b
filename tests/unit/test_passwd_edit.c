/* Editing the passwd file: what is kept, and that no failure loses it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/passwd_edit.h"
#include "unit/suite.h"

static const char sample[] = "# the users\n"
			     "alice:{PLAIN}old:1000:1000:A,B:/home/alice:/bin/sh:a=b c=d:e\n"
			     "\n"
			     "bob:{PLAIN}builder\n"
			     "# the end";

struct place {
	char directory[64];
	char path[96];
	struct passwd_error error;
};

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT(fputs(text, file) >= 0);
	fclose(file);
}

static void place_init(struct place *place)
{
	snprintf(place->directory, sizeof place->directory, "/tmp/pop3-edit-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(place->directory));
	snprintf(place->path, sizeof place->path, "%s/passwd", place->directory);
	put(place->path, sample);
}

/* Also says that the edits left no other file in the directory. */
static void place_fini(struct place *place)
{
	unlink(place->path);
	CU_ASSERT_EQUAL(rmdir(place->directory), 0);
}

static bool holds(const char *path, const char *expected)
{
	char text[8192];
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	size_t length = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[length] = '\0';
	if (strcmp(text, expected) != 0)
		printf("file has:\n%s\n", text);
	return strcmp(text, expected) == 0;
}

static void added_user_comes_last(void)
{
	struct place p;
	place_init(&p);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "carol", "{PLAIN}x", NULL, &p.error), 0);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "dave", "{PLAIN}y", "7:8::/srv/d", &p.error), 0);
	CU_ASSERT(holds(p.path, "# the users\n"
				"alice:{PLAIN}old:1000:1000:A,B:/home/alice:/bin/sh:a=b c=d:e\n"
				"\n"
				"bob:{PLAIN}builder\n"
				"# the end\n"
				"carol:{PLAIN}x\n"
				"dave:{PLAIN}y:7:8::/srv/d\n"));
	place_fini(&p);
}

static void set_secret_keeps_everything_else(void)
{
	struct place p;
	place_init(&p);
	CU_ASSERT_EQUAL(passwd_edit_set(p.path, "alice", "{PLAIN}a longer one", &p.error), 0);
	CU_ASSERT_EQUAL(passwd_edit_set(p.path, "bob", "!", &p.error), 0);
	CU_ASSERT(holds(p.path,
			"# the users\n"
			"alice:{PLAIN}a longer one:1000:1000:A,B:/home/alice:/bin/sh:a=b c=d:e\n"
			"\n"
			"bob:!\n"
			"# the end"));
	place_fini(&p);
}

static void removed_user_leaves_the_other_lines(void)
{
	struct place p;
	place_init(&p);
	CU_ASSERT_EQUAL(passwd_edit_remove(p.path, "alice", &p.error), 0);
	CU_ASSERT(holds(p.path, "# the users\n\nbob:{PLAIN}builder\n# the end"));
	CU_ASSERT_EQUAL(passwd_edit_remove(p.path, "bob", &p.error), 0);
	CU_ASSERT(holds(p.path, "# the users\n\n# the end"));
	put(p.path, "a:{PLAIN}x\nb:{PLAIN}x");
	CU_ASSERT_EQUAL(passwd_edit_remove(p.path, "b", &p.error), 0);
	CU_ASSERT(holds(p.path, "a:{PLAIN}x\n"));
	place_fini(&p);
}

static void edit_keeps_mode_and_owner(void)
{
	struct place p;
	struct stat status;
	bool root = geteuid() == 0;
	place_init(&p);
	CU_ASSERT_EQUAL(chmod(p.path, 0640), 0);
	if (root)
		CU_ASSERT_EQUAL(chown(p.path, 12345, 12346), 0);
	CU_ASSERT_EQUAL(passwd_edit_set(p.path, "bob", "{PLAIN}new", &p.error), 0);
	CU_ASSERT_EQUAL(stat(p.path, &status), 0);
	CU_ASSERT_EQUAL(status.st_mode & 07777, 0640);
	if (root) {
		CU_ASSERT_EQUAL(status.st_uid, 12345);
		CU_ASSERT_EQUAL(status.st_gid, 12346);
	}
	place_fini(&p);
}

static void missing_passwd_file_is_made_by_add_alone(void)
{
	struct place p;
	struct stat status;
	place_init(&p);
	unlink(p.path);
	CU_ASSERT_EQUAL(passwd_edit_set(p.path, "bob", "{PLAIN}x", &p.error), -ENOENT);
	CU_ASSERT_EQUAL(passwd_edit_remove(p.path, "bob", &p.error), -ENOENT);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "bob", "{ROT13}x", NULL, &p.error), -EINVAL);
	CU_ASSERT_EQUAL(access(p.path, F_OK), -1);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "bob", "{PLAIN}x", NULL, &p.error), 0);
	CU_ASSERT(holds(p.path, "bob:{PLAIN}x\n"));
	CU_ASSERT_EQUAL(stat(p.path, &status), 0);
	CU_ASSERT_EQUAL(status.st_mode & 07777, 0600);
	place_fini(&p);
}

static void wrong_edit_changes_nothing(void)
{
	struct place p;
	struct stat before;
	struct stat after;
	struct passwd_error *e = &p.error;
	place_init(&p);
	stat(p.path, &before);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "bob", "{PLAIN}x", NULL, e), -EEXIST);
	CU_ASSERT_STRING_EQUAL(e->text, "the user is there already");
	CU_ASSERT_EQUAL(passwd_edit_set(p.path, "carol", "{PLAIN}x", e), -ESRCH);
	CU_ASSERT_STRING_EQUAL(e->text, "there is no such user");
	CU_ASSERT_EQUAL(passwd_edit_remove(p.path, "carol", e), -ESRCH);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "", "{PLAIN}x", NULL, e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "#c", "{PLAIN}x", NULL, e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "a:b", "{PLAIN}x", NULL, e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "c\nd", "{PLAIN}x", NULL, e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "c", "", NULL, e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "c", "plain", NULL, e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "c", "{PLAIN}x\nroot:{PLAIN}", NULL, e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "c", "{PLAIN}x", "1\nd:{PLAIN}x", e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_add(p.path, "c", "{PLAIN}x", "one", e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_set(p.path, "bob", "{PLAIN}x:0", e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_set(p.path, "bob", "{ROT13}x", e), -EINVAL);
	CU_ASSERT_EQUAL(passwd_edit_set(p.path, "bob", "x\n", e), -EINVAL);
	stat(p.path, &after);
	CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
	CU_ASSERT(holds(p.path, sample));
	test_count(15);
	place_fini(&p);
}

static void broken_passwd_file_is_not_edited(void)
{
	struct place p;
	place_init(&p);
	put(p.path, "alice:{PLAIN}x\nbob\n");
	CU_ASSERT_EQUAL(passwd_edit_set(p.path, "alice", "{PLAIN}y", &p.error), -EINVAL);
	CU_ASSERT_EQUAL(p.error.line, 2);
	CU_ASSERT(holds(p.path, "alice:{PLAIN}x\nbob\n"));
	CU_ASSERT_EQUAL(passwd_edit_set(p.directory, "alice", "{PLAIN}y", &p.error), -EISDIR);
	place_fini(&p);
}

static void edit_follows_a_symbolic_link(void)
{
	struct place p;
	char link[160];
	struct stat status;
	place_init(&p);
	snprintf(link, sizeof link, "%s/link", p.directory);
	CU_ASSERT_EQUAL(symlink("passwd", link), 0);
	CU_ASSERT_EQUAL(passwd_edit_remove(link, "alice", &p.error), 0);
	CU_ASSERT_EQUAL(lstat(link, &status), 0);
	CU_ASSERT(S_ISLNK(status.st_mode));
	CU_ASSERT(holds(p.path, "# the users\n\nbob:{PLAIN}builder\n# the end"));
	unlink(link);
	place_fini(&p);
}

/*
 * RLIMIT_FSIZE makes write(2) fail half-way, as a full disk does; a process of its own bears it.
 */
static void failed_write_keeps_the_old_file(void)
{
	struct place p;
	int status = -1;
	place_init(&p);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		struct passwd_error error;
		struct rlimit limit = {20, 20};
		signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
			_exit(2);
		_exit(passwd_edit_remove(p.path, "bob", &error) != -EFBIG);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT(holds(p.path, sample));
	place_fini(&p);
}

static void edits_at_once_lose_no_user(void)
{
	enum { WRITERS = 4, EACH = 10 };
	struct place p;
	struct passwd *loaded = NULL;
	pid_t children[WRITERS];
	place_init(&p);
	fflush(NULL);
	for (int i = 0; i < WRITERS; i++) {
		children[i] = fork();
		if (children[i] != 0)
			continue;
		int failures = 0;
		for (int j = 0; j < EACH; j++) {
			char user[16];
			struct passwd_error error;
			snprintf(user, sizeof user, "user%d-%d", i, j);
			failures += passwd_edit_add(p.path, user, "{PLAIN}x", NULL, &error) != 0;
		}
		_exit(failures);
	}
	for (int i = 0; i < WRITERS; i++) {
		int status = -1;
		CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
		CU_ASSERT_EQUAL(status, 0);
	}
	CU_ASSERT_EQUAL_FATAL(passwd_load(p.path, &p.error, &loaded), 0);
	CU_ASSERT_EQUAL(passwd_count(loaded), 2 + WRITERS * EACH);
	CU_ASSERT_PTR_NOT_NULL(passwd_lookup(loaded, "alice", false));
	passwd_unref(loaded);
	test_count(WRITERS * EACH);
	place_fini(&p);
}

static const struct test tests[] = {
	TEST(added_user_comes_last),
	TEST(set_secret_keeps_everything_else),
	TEST(removed_user_leaves_the_other_lines),
	TEST(edit_keeps_mode_and_owner),
	TEST(missing_passwd_file_is_made_by_add_alone),
	TEST(wrong_edit_changes_nothing),
	TEST(broken_passwd_file_is_not_edited),
	TEST(edit_follows_a_symbolic_link),
	TEST(failed_write_keeps_the_old_file),
	TEST(edits_at_once_lose_no_user),
	TEST_END,
};

const struct test_suite suite_passwd_edit = {.name = "passwd_edit", .tests = tests};
