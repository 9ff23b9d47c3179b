/* The table of grants, and which maildrop belongs to an entry. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/passwd.h"
#include "backend/grants.h"
#include "backend/maildrops.h"
#include "unit/suite.h"

static int put(struct grants *grants, uint64_t session, const char *user, uint64_t now)
{
	const struct store_grant grant = {
		.session = session, .user = user, .maildrop = "/home/x/Maildir", .home = "/home/x"};
	return grants_put(grants, &grant, now);
}

/* Is there a grant for this user? It is taken. */
static bool has(struct grants *grants, uint64_t session, const char *user, uint64_t now)
{
	struct store_grant *grant = grants_take(grants, session, now);
	bool same = grant != NULL && grant->session == session && strcmp(grant->user, user) == 0;
	grants_release(grant);
	return same;
}

static void grant_is_a_copy_and_taken_once(void)
{
	struct grants *grants = grants_new(10);
	char user[] = "alice";
	char maildrop[] = "/home/alice/Maildir";
	char home[] = "/home/alice";
	const struct store_grant grant = {
		.session = 7, .user = user, .maildrop = maildrop, .home = home};
	CU_ASSERT_EQUAL(grants_put(grants, &grant, 0), 0);
	memset(user, 'x', 5);
	memset(maildrop, 'x', 5);
	memset(home, 'x', 5);
	CU_ASSERT_PTR_NULL(grants_take(grants, 8, 0));
	struct store_grant *taken = grants_take(grants, 7, 0);
	CU_ASSERT_PTR_NULL(grants_take(grants, 7, 0));
	grants_free(grants);
	CU_ASSERT_PTR_NOT_NULL_FATAL(taken);
	CU_ASSERT_EQUAL(taken->session, 7);
	CU_ASSERT_STRING_EQUAL(taken->user, "alice");
	CU_ASSERT_STRING_EQUAL(taken->maildrop, "/home/alice/Maildir");
	CU_ASSERT_STRING_EQUAL(taken->home, "/home/alice");
	grants_release(taken);
	grants_release(NULL);
}

static void newer_grant_of_a_session_takes_the_place_of_the_older(void)
{
	struct grants *grants = grants_new(10);
	CU_ASSERT_EQUAL(put(grants, 1, "alice", 0), 0);
	CU_ASSERT_EQUAL(put(grants, 1, "bob", 0), 0);
	CU_ASSERT_EQUAL(grants_count(grants), 1);
	CU_ASSERT(has(grants, 1, "bob", 0));
	CU_ASSERT_EQUAL(grants_count(grants), 0);
	grants_free(grants);
}

static void grants_that_nobody_takes_never_exceed_the_maximum(void)
{
	struct grants *grants = grants_new(100);
	for (uint64_t session = 1; session <= 5000; session++) {
		CU_ASSERT_EQUAL(put(grants, session, "alice", 0), 0);
		CU_ASSERT(grants_count(grants) <= 100);
	}
	CU_ASSERT_EQUAL(grants_count(grants), 100);
	/* The oldest went. */
	CU_ASSERT_FALSE(has(grants, 4900, "alice", 0));
	CU_ASSERT(has(grants, 4901, "alice", 0));
	CU_ASSERT(has(grants, 5000, "alice", 0));
	test_count(5000);
	grants_free(grants);
}

static void old_grant_is_dropped(void)
{
	struct grants *grants = grants_new(100);
	CU_ASSERT_EQUAL(put(grants, 1, "alice", 1000), 0);
	CU_ASSERT_EQUAL(put(grants, 2, "bob", 1001), 0);
	CU_ASSERT_EQUAL(put(grants, 3, "carol", 61000), 0);
	CU_ASSERT_EQUAL(grants_count(grants), 2);
	CU_ASSERT_PTR_NULL(grants_take(grants, 1, 61000));
	CU_ASSERT(has(grants, 2, "bob", 61000));
	/* A thread that read the clock before the grant was put. */
	CU_ASSERT(has(grants, 3, "carol", 60999));
	grants_free(grants);
}

struct hammer {
	struct grants *grants;
	uint64_t first;
	unsigned long missing;
};

static void *hammer(void *data)
{
	struct hammer *h = data;
	for (uint64_t i = 0; i < 2000; i++) {
		put(h->grants, h->first + i, "alice", i);
		h->missing += !has(h->grants, h->first + i, "alice", i);
	}
	return NULL;
}

static void grants_may_be_put_and_taken_by_many_threads(void)
{
	struct grants *grants = grants_new(100);
	struct hammer hammers[4];
	pthread_t threads[4];
	for (size_t i = 0; i < 4; i++) {
		hammers[i] = (struct hammer){.grants = grants, .first = 1 + i * 100000};
		pthread_create(&threads[i], NULL, hammer, &hammers[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		CU_ASSERT_EQUAL(hammers[i].missing, 0);
	}
	CU_ASSERT_EQUAL(grants_count(grants), 0);
	test_count(8000);
	grants_free(grants);
}

/* ---- Maildrops ---- */

static const char *path_of(const char *line, const char *root, struct maildrop_path *path)
{
	struct passwd *passwd = NULL;
	struct passwd_error error;
	CU_ASSERT_EQUAL_FATAL(passwd_parse(line, strlen(line), &error, &passwd), 0);
	const char *reason = maildrop_path_find(passwd_at(passwd, 0), root, 1000, path);
	passwd_unref(passwd);
	return reason;
}

static void maildrop_is_in_the_home_or_under_the_root(void)
{
	struct maildrop_path path;
	CU_ASSERT_PTR_NULL(path_of("a:{PLAIN}x:::g:/home/a", "/mail", &path));
	CU_ASSERT_STRING_EQUAL(path.home, "/home/a");
	CU_ASSERT_STRING_EQUAL(path.maildrop, "/home/a/Maildir");
	CU_ASSERT_PTR_NULL(path_of("a:{PLAIN}x:1000:9::/home/a:/bin/sh:e", NULL, &path));
	CU_ASSERT_STRING_EQUAL(path.maildrop, "/home/a/Maildir");
	CU_ASSERT_PTR_NULL(path_of("a@b.c:{PLAIN}x", "/mail", &path));
	CU_ASSERT_STRING_EQUAL(path.home, "/mail");
	CU_ASSERT_STRING_EQUAL(path.maildrop, "/mail/a@b.c/Maildir");
}

static void entry_without_a_maildrop_says_why(void)
{
	struct maildrop_path path = {.home = "untouched"};
	char root[PATH_MAX];
	memset(root, 'r', sizeof root);
	root[0] = '/';
	root[PATH_MAX - 10] = '\0';
	CU_ASSERT_STRING_EQUAL(path_of("a:{PLAIN}x:1001:::/home/a", "/mail", &path),
			       "the entry's uid is not the mail user's");
	CU_ASSERT_STRING_EQUAL(path_of("a:{PLAIN}x", NULL, &path),
			       "the entry has no home and no maildir root is set");
	CU_ASSERT_STRING_EQUAL(path_of("../a:{PLAIN}x", "/mail", &path),
			       "the entry has no home and its name cannot be part of a path");
	CU_ASSERT_STRING_EQUAL(path_of(".a:{PLAIN}x", "/mail", &path),
			       "the entry has no home and its name cannot be part of a path");
	CU_ASSERT_STRING_EQUAL(path_of("a:{PLAIN}x", root, &path),
			       "the path of the maildrop is too long");
	CU_ASSERT_STRING_EQUAL(path.home, "untouched");
}

/* Keep the path that a log line names. */
static void note_file(const struct pop3_record *record, void *path)
{
	for (size_t i = 0; i < record->count; i++)
		if (strcmp(record->fields[i].name, "file") == 0)
			snprintf(path, PATH_MAX, "%s", record->fields[i].text);
}

static void folder_of_a_maildrop_under_the_root_is_made_for_delivery(void)
{
	char root[] = "/tmp/pop3-unit-XXXXXX";
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
	struct maildrop_path path;
	char failed[PATH_MAX] = "";
	const struct log_sink sink = {note_file, failed};
	CU_ASSERT_PTR_NULL(path_of("alice:{PLAIN}x", root, &path));
	CU_ASSERT_PTR_NULL(maildrop_path_prepare(&path, &sink, "alice"));
	CU_ASSERT_PTR_NULL(maildrop_path_prepare(&path, &sink, "alice"));
	char made[PATH_MAX];
	snprintf(made, sizeof made, "%s/alice", root);
	struct stat status;
	CU_ASSERT_EQUAL_FATAL(stat(made, &status), 0);
	CU_ASSERT_EQUAL(status.st_mode, S_IFDIR | 0700);
	CU_ASSERT_EQUAL(rmdir(made), 0);

	/* A home is made by nobody. */
	struct maildrop_path home;
	snprintf(home.home, sizeof home.home, "%s", made);
	snprintf(home.maildrop, sizeof home.maildrop, "%s/alice/Maildir", root);
	CU_ASSERT_PTR_NULL(maildrop_path_prepare(&home, &sink, "alice"));
	CU_ASSERT_EQUAL(stat(made, &status), -1);
	CU_ASSERT_EQUAL(rmdir(root), 0);
	/* The failure is that of the folder, not of the maildrop in it. */
	CU_ASSERT_STRING_EQUAL(failed, "");
	CU_ASSERT_STRING_EQUAL(maildrop_path_prepare(&path, &sink, "alice"),
			       "cannot make the home");
	CU_ASSERT_STRING_EQUAL(failed, made);
}

static const struct test tests[] = {
	TEST(grant_is_a_copy_and_taken_once),
	TEST(newer_grant_of_a_session_takes_the_place_of_the_older),
	TEST(grants_that_nobody_takes_never_exceed_the_maximum),
	TEST(old_grant_is_dropped),
	TEST(grants_may_be_put_and_taken_by_many_threads),
	TEST(maildrop_is_in_the_home_or_under_the_root),
	TEST(entry_without_a_maildrop_says_why),
	TEST(folder_of_a_maildrop_under_the_root_is_made_for_delivery),
	TEST_END,
};

const struct test_suite suite_grants = {.name = "grants", .tests = tests};
