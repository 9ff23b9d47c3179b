/* The passwd file: what is accepted, what is refused and in which line, finding users, reloading.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/passwd.h"
#include "auth/user.h"
#include "unit/suite.h"

static struct passwd *parse(const char *text)
{
	struct passwd_error error;
	struct passwd *p = NULL;
	int result = passwd_parse(text, strlen(text), &error, &p);
	if (result < 0)
		printf("refused: %u: %s\n", (unsigned int)error.line, error.text);
	CU_ASSERT_EQUAL_FATAL(result, 0);
	return p;
}

static const struct passwd_entry *find(const struct passwd *p, const char *user)
{
	return passwd_lookup(p, user, false);
}

static void passwd_line_gives_user_secret_uid_and_home(void)
{
	struct passwd *p =
		parse("# users\n"
		      "\n"
		      "alice:{PLAIN}wonder land:1000:1000:Alice:/home/alice:/bin/sh:a=b:c\n"
		      "  \t\n"
		      "bob:{plain}builder\n"
		      "carol:{CLEARTEXT}x::::/srv/carol\n"
		      "dave:$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
		      "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1:5");
	CU_ASSERT_EQUAL(passwd_count(p), 4);
	const struct passwd_entry *alice = find(p, "alice");
	CU_ASSERT_PTR_NOT_NULL_FATAL(alice);
	CU_ASSERT_STRING_EQUAL(alice->user, "alice");
	CU_ASSERT_STRING_EQUAL(alice->secret, "wonder land");
	CU_ASSERT_EQUAL(alice->scheme, AUTH_SCHEME_PLAIN);
	CU_ASSERT(alice->has_uid && alice->uid == 1000);
	CU_ASSERT_STRING_EQUAL(alice->home, "/home/alice");
	CU_ASSERT_EQUAL(alice->line, 3);
	CU_ASSERT_EQUAL(alice->state, PASSWD_USABLE);

	const struct passwd_entry *bob = find(p, "bob");
	CU_ASSERT_PTR_NOT_NULL_FATAL(bob);
	CU_ASSERT_STRING_EQUAL(bob->secret, "builder");
	CU_ASSERT_FALSE(bob->has_uid);
	CU_ASSERT_PTR_NULL(bob->home);
	CU_ASSERT_EQUAL(bob->line, 5);

	const struct passwd_entry *carol = find(p, "carol");
	CU_ASSERT_PTR_NOT_NULL_FATAL(carol);
	CU_ASSERT_FALSE(carol->has_uid);
	CU_ASSERT_STRING_EQUAL(carol->home, "/srv/carol");

	const struct passwd_entry *dave = find(p, "dave");
	CU_ASSERT_PTR_NOT_NULL_FATAL(dave);
	CU_ASSERT_EQUAL(dave->scheme, AUTH_SCHEME_CRYPT);
	CU_ASSERT_EQUAL(strncmp(dave->secret, "$6$saltstring$", 14), 0);
	CU_ASSERT(dave->has_uid && dave->uid == 5);
	CU_ASSERT_PTR_EQUAL(passwd_at(p, 3), dave);
	passwd_unref(p);
}

static void passwd_of_nothing_has_nobody(void)
{
	static const char *const texts[] = {"", "\n", "# only this", "\n\n#\n", " "};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct passwd *p = parse(texts[i]);
		CU_ASSERT_EQUAL(passwd_count(p), 0);
		CU_ASSERT_PTR_NULL(find(p, "alice"));
		CU_ASSERT_PTR_NULL(find(p, ""));
		passwd_unref(p);
	}
	test_count(sizeof texts / sizeof *texts);
}

static void user_names_are_case_sensitive_and_whole_first(void)
{
	struct passwd *p = parse("alice:{PLAIN}1\n"
				 "alice@a.example:{PLAIN}2\n"
				 "Alice:{PLAIN}3\n");
	CU_ASSERT_STRING_EQUAL(find(p, "alice")->secret, "1");
	CU_ASSERT_STRING_EQUAL(find(p, "Alice")->secret, "3");
	CU_ASSERT_PTR_NULL(find(p, "ALICE"));
	CU_ASSERT_PTR_NULL(find(p, "alic"));
	CU_ASSERT_PTR_NULL(find(p, "alice "));
	CU_ASSERT_PTR_NULL(find(p, "alice@b.example"));
	CU_ASSERT_STRING_EQUAL(passwd_lookup(p, "alice@a.example", true)->secret, "2");
	CU_ASSERT_STRING_EQUAL(passwd_lookup(p, "alice@b.example", true)->secret, "1");
	CU_ASSERT_PTR_NULL(passwd_lookup(p, "alice@b@c", true));
	CU_ASSERT_STRING_EQUAL(passwd_lookup(p, "alice@a.example@c", true)->secret, "2");
	CU_ASSERT_PTR_NULL(passwd_lookup(p, "@a.example", true));
	CU_ASSERT_PTR_NULL(passwd_lookup(p, "bob@a.example", true));
	CU_ASSERT_PTR_NULL(passwd_lookup(p, "bob", true));
	passwd_unref(p);
}

static void secrets_that_never_log_in_are_marked(void)
{
	struct passwd *p =
		parse("empty:\n"
		      "empty-too:{PLAIN}:1000\n"
		      "locked:!\n"
		      "locked-hash:!$y$j9T$abcdefgh$WtA2I5exIyQv5b7uDMgPs3N8zOQY6ZtcplRdKJSUiBC\n"
		      "star:*:1:1\n"
		      "locked-inside:{CRYPT}!!:1\n"
		      "root:{PLAIN}x:0:0\n"
		      "root-too:{PLAIN}x:000\n"
		      "excited:{PLAIN}!x\n");
	CU_ASSERT_EQUAL(find(p, "empty")->state, PASSWD_EMPTY);
	CU_ASSERT_EQUAL(find(p, "empty-too")->state, PASSWD_EMPTY);
	CU_ASSERT_EQUAL(find(p, "locked")->state, PASSWD_DISABLED);
	CU_ASSERT_EQUAL(find(p, "locked-hash")->state, PASSWD_DISABLED);
	CU_ASSERT_EQUAL(find(p, "star")->state, PASSWD_DISABLED);
	CU_ASSERT_EQUAL(find(p, "locked-inside")->state, PASSWD_DISABLED);
	CU_ASSERT_EQUAL(find(p, "root")->state, PASSWD_ROOT);
	CU_ASSERT_EQUAL(find(p, "root-too")->state, PASSWD_ROOT);
	CU_ASSERT_EQUAL(find(p, "excited")->state, PASSWD_USABLE);
	CU_ASSERT_STRING_EQUAL(passwd_state_text(PASSWD_ROOT), "uid 0 never logs in");
	CU_ASSERT_PTR_NULL(passwd_state_text(PASSWD_USABLE));
	passwd_unref(p);
}

static void wrong_passwd_line_is_refused_by_number(void)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *says; /* what the text must have in it */
	} cases[] = {
		{"alice", 1, "missing"},
		{"#\n\nalice\n", 3, "missing"},
		{"a:{PLAIN}1\n:{PLAIN}x\n", 2, "user name is empty"},
		{"a:{ROT13}x\n", 1, "unknown {SCHEME}"},
		{"a:{}x\n", 1, "unknown {SCHEME}"},
		{"a:{PLAINx\n", 1, "'}'"},
		{"a:secret\n", 1, "neither"},
		{"a:{PLAIN}1\nb:{PLAIN}1\na:{PLAIN}2\n", 3, "already in line 1"},
		{"a:{PLAIN}x:1x\n", 1, "uid"},
		{"a:{PLAIN}x:-1\n", 1, "uid"},
		{"a:{PLAIN}x:4294967295\n", 1, "uid"},
		{"a:{PLAIN}x:1:1::home\n", 1, "absolute"},
		{"a:{PLAIN}x\r\n", 1, "CR"},
		{"\r\n", 1, "CR"},
		{"a:{PLAIN}x\ny\t:{PLAIN}\n", 2, "control"},
		{"a:{CRYPT}\001\n", 1, "control"},
		{"a:$nonsense$x\n", 1, "crypt(3)"},
		{"a:{SHA512-CRYPT}~\n", 1, "crypt(3)"},
		{"a:{SCRAM-SHA-256}4096,AAAA\n", 1, "StoredKey"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct passwd_error error;
		struct passwd *p = NULL;
		int result = passwd_parse(cases[i].text, strlen(cases[i].text), &error, &p);
		CU_ASSERT_EQUAL(result, -EINVAL);
		CU_ASSERT_EQUAL(error.line, cases[i].line);
		CU_ASSERT_PTR_NOT_NULL(strstr(error.text, cases[i].says));
		CU_ASSERT_PTR_NULL(p);
		passwd_unref(p);
	}
	test_count(sizeof cases / sizeof *cases);
}

static void passwd_error_shows_no_secret(void)
{
	static const char *const texts[] = {
		"a:{hunter2}x", "a:hunter2", "a:$hunter2$", "hunter2", "a:{PLAIN}hunter2:hunter2",
		"a:{hunter2"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct passwd_error error;
		struct passwd *p = NULL;
		CU_ASSERT_EQUAL(passwd_parse(texts[i], strlen(texts[i]), &error, &p), -EINVAL);
		CU_ASSERT_PTR_NULL(strstr(error.text, "hunter2"));
	}
	test_count(sizeof texts / sizeof *texts);
}

static void nul_in_passwd_is_refused(void)
{
	static const char text[] = "a:{PLAIN}x\nb:{PLAIN}x\0y\n";
	static const char comment[] = "#\0\na:{PLAIN}x\n";
	struct passwd_error error;
	struct passwd *p = NULL;
	CU_ASSERT_EQUAL(passwd_parse(text, sizeof text - 1, &error, &p), -EINVAL);
	CU_ASSERT_EQUAL(error.line, 2);
	CU_ASSERT_EQUAL(passwd_parse(comment, sizeof comment - 1, &error, &p), -EINVAL);
	CU_ASSERT_EQUAL(error.line, 1);
}

/* Fill text with "user:{PLAIN}xxx" of so many octets in all. */
static void long_line(char *text, size_t length)
{
	memset(text, 'x', length);
	memcpy(text, "u:{PLAIN}", 9);
	text[length] = '\0';
}

static void passwd_line_has_4096_octets_at_most(void)
{
	char text[4200];
	struct passwd_error error;
	struct passwd *p = NULL;
	long_line(text, 4096);
	p = parse(text);
	CU_ASSERT_EQUAL(strlen(find(p, "u")->secret), 4087);
	passwd_unref(p);
	p = NULL;
	long_line(text, 4097);
	CU_ASSERT_EQUAL(passwd_parse(text, 4097, &error, &p), -EINVAL);
	CU_ASSERT_EQUAL(error.line, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "4096"));
	text[0] = '#';
	CU_ASSERT_EQUAL(passwd_parse(text, 4097, &error, &p), -EINVAL);
}

static void user_name_has_255_octets_at_most(void)
{
	char text[400];
	struct passwd_error error;
	struct passwd *p = NULL;
	memset(text, 'n', sizeof text);
	memcpy(text + 255, ":{PLAIN}x", 10);
	p = parse(text);
	text[255] = '\0';
	CU_ASSERT_PTR_NOT_NULL(find(p, text));
	passwd_unref(p);
	p = NULL;
	memset(text, 'n', sizeof text);
	memcpy(text + 256, ":{PLAIN}x", 10);
	CU_ASSERT_EQUAL(passwd_parse(text, strlen(text), &error, &p), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "too long"));
}

static void legal_user_names_are_told_from_others(void)
{
	CU_ASSERT(auth_user_is_valid("a", 1));
	CU_ASSERT(auth_user_is_valid("../../etc/passwd", 16));
	CU_ASSERT(auth_user_is_valid("\xC3\xA9", 2));
	CU_ASSERT_FALSE(auth_user_is_valid("", 0));
	CU_ASSERT_FALSE(auth_user_is_valid("a:b", 3));
	CU_ASSERT_FALSE(auth_user_is_valid("a\nb", 3));
	CU_ASSERT_FALSE(auth_user_is_valid("a\0b", 3));
	CU_ASSERT_FALSE(auth_user_is_valid("\x7F", 1));
	CU_ASSERT_FALSE(auth_user_is_valid("#a", 2));
}

static void only_plain_names_may_become_paths(void)
{
	static const char *const safe[] = {"a",    "alice", "alice@example.org",
					   "a..b", "-",     "a+b_c-d.E9"};
	static const char *const unsafe[] = {"",    ".",   "..",       ".a",  "a/b",  "../a", "/",
					     "a b", "a\n", "\xC3\xA9", "a:b", "a\\b", "a%2f"};
	char name[300];
	for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
		CU_ASSERT(auth_user_is_path_safe(safe[i]));
	for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
		CU_ASSERT_FALSE(auth_user_is_path_safe(unsafe[i]));
	memset(name, 'a', sizeof name);
	name[255] = '\0';
	CU_ASSERT(auth_user_is_path_safe(name));
	name[255] = 'a';
	name[256] = '\0';
	CU_ASSERT_FALSE(auth_user_is_path_safe(name));
}

static void each_of_100000_users_is_found(void)
{
	enum { USERS = 100000, LINE = 40 };
	char *text = malloc((size_t)USERS * LINE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	size_t length = 0;
	for (int i = 0; i < USERS; i++)
		length += (size_t)snprintf(text + length, LINE, "user%d:{PLAIN}secret%d\n", i, i);
	struct passwd_error error;
	struct passwd *p = NULL;
	CU_ASSERT_EQUAL_FATAL(passwd_parse(text, length, &error, &p), 0);
	free(text);
	size_t found = 0;
	for (int i = 0; i < USERS; i++) {
		char user[LINE];
		snprintf(user, sizeof user, "user%d", i);
		const struct passwd_entry *entry = find(p, user);
		found += entry != NULL && entry->line == (uint32_t)i + 1;
	}
	CU_ASSERT_EQUAL(found, USERS);
	CU_ASSERT_PTR_NULL(find(p, "user100000"));
	passwd_unref(p);
	test_count(USERS);
}

static void passwd_lives_until_its_last_reference(void)
{
	struct passwd *p = parse("alice:{PLAIN}x\n");
	CU_ASSERT_PTR_EQUAL(passwd_ref(p), p);
	passwd_unref(p);
	CU_ASSERT_STRING_EQUAL(find(p, "alice")->secret, "x");
	passwd_unref(p);
	passwd_unref(NULL);
}

/* ---- Real files ---- */

struct place {
	char directory[64];
	char path[96];
};

static void place_init(struct place *place)
{
	snprintf(place->directory, sizeof place->directory, "/tmp/pop3-passwd-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(place->directory));
	snprintf(place->path, sizeof place->path, "%s/passwd", place->directory);
}

static void place_fini(struct place *place)
{
	unlink(place->path);
	CU_ASSERT_EQUAL(rmdir(place->directory), 0);
}

/* Write the file in place; its mtime lies `age` seconds back. */
static void place_write(const struct place *place, const char *text, time_t age)
{
	int file = open(place->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	CU_ASSERT_FATAL(file >= 0);
	CU_ASSERT_EQUAL(write(file, text, strlen(text)), (ssize_t)strlen(text));
	struct timespec times[2] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};
	CU_ASSERT_EQUAL(futimens(file, times), 0);
	CU_ASSERT_EQUAL(fchmod(file, 0640), 0);
	close(file);
}

static void passwd_file_is_loaded_with_its_mode(void)
{
	struct place place;
	struct passwd_error error;
	struct passwd *p = NULL;
	place_init(&place);
	place_write(&place, "alice:{PLAIN}x\n", 100);
	CU_ASSERT_EQUAL_FATAL(passwd_load(place.path, &error, &p), 0);
	CU_ASSERT_PTR_NOT_NULL(find(p, "alice"));
	CU_ASSERT_EQUAL(passwd_mode(p), 0640);
	passwd_unref(p);
	place_fini(&place);
}

static void changed_passwd_file_is_noticed(void)
{
	struct place place;
	struct passwd_error error;
	struct passwd *p = NULL;
	place_init(&place);
	place_write(&place, "alice:{PLAIN}x\n", 100);
	CU_ASSERT_EQUAL_FATAL(passwd_load(place.path, &error, &p), 0);
	CU_ASSERT_FALSE(passwd_changed(p, place.path));
	place_write(&place, "alice:{PLAIN}y\n", 90);
	CU_ASSERT(passwd_changed(p, place.path));
	passwd_unref(p);
	CU_ASSERT_EQUAL_FATAL(passwd_load(place.path, &error, &p), 0);
	CU_ASSERT_FALSE(passwd_changed(p, place.path));
	unlink(place.path);
	CU_ASSERT(passwd_changed(p, place.path));
	passwd_unref(p);
	place_fini(&place);
}

static void passwd_file_written_just_now_counts_as_changed(void)
{
	struct place place;
	struct passwd_error error;
	struct passwd *p = NULL;
	place_init(&place);
	place_write(&place, "alice:{PLAIN}x\n", 100);
	/* The mtime is now, whatever the machine is busy with: it is set between two clocks. */
	for (int i = 0; i < 100; i++) {
		struct timespec before;
		struct timespec after;
		clock_gettime(CLOCK_REALTIME, &before);
		CU_ASSERT_EQUAL(utimensat(AT_FDCWD, place.path, NULL, 0), 0);
		CU_ASSERT_EQUAL_FATAL(passwd_load(place.path, &error, &p), 0);
		clock_gettime(CLOCK_REALTIME, &after);
		bool quick = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec -
				     before.tv_nsec <
			     5000000;
		if (quick)
			CU_ASSERT(passwd_changed(p, place.path));
		passwd_unref(p);
		if (quick)
			break;
	}
	place_fini(&place);
}

static void refused_passwd_file_is_not_refused_anew(void)
{
	struct place place;
	struct passwd_error error = {0};
	struct passwd *p = NULL;
	place_init(&place);
	CU_ASSERT_FALSE(passwd_refused(&error, place.path));
	CU_ASSERT_EQUAL(passwd_load(place.path, &error, &p), -ENOENT);
	CU_ASSERT_EQUAL(error.line, 0);
	CU_ASSERT_STRING_EQUAL(error.text, "No such file or directory");
	CU_ASSERT(passwd_refused(&error, place.path));
	place_write(&place, "# fine\nalice\n", 100);
	CU_ASSERT_FALSE(passwd_refused(&error, place.path));
	CU_ASSERT_EQUAL(passwd_load(place.path, &error, &p), -EINVAL);
	CU_ASSERT_EQUAL(error.line, 2);
	CU_ASSERT(passwd_refused(&error, place.path));
	place_write(&place, "# fine\nalice:{PLAIN}x\n", 100);
	CU_ASSERT_FALSE(passwd_refused(&error, place.path));
	CU_ASSERT_EQUAL_FATAL(passwd_load(place.path, &error, &p), 0);
	CU_ASSERT_FALSE(passwd_refused(&error, place.path));
	passwd_unref(p);
	place_fini(&place);
}

static void passwd_that_is_no_regular_file_is_refused(void)
{
	struct place place;
	struct passwd_error error;
	struct passwd *p = NULL;
	place_init(&place);
	CU_ASSERT_EQUAL(passwd_load(place.directory, &error, &p), -EINVAL);
	CU_ASSERT_STRING_EQUAL(error.text, "not a regular file");
	CU_ASSERT_EQUAL(mkfifo(place.path, 0600), 0);
	CU_ASSERT_EQUAL(passwd_load(place.path, &error, &p), -EINVAL);
	CU_ASSERT_STRING_EQUAL(error.text, "not a regular file");
	unlink(place.path);
	place_write(&place, "", 100);
	CU_ASSERT_EQUAL(truncate(place.path, (64 << 20) + 1), 0);
	CU_ASSERT_EQUAL(passwd_load(place.path, &error, &p), -EFBIG);
	place_fini(&place);
}

static const struct test tests[] = {
	TEST(passwd_line_gives_user_secret_uid_and_home),
	TEST(passwd_of_nothing_has_nobody),
	TEST(user_names_are_case_sensitive_and_whole_first),
	TEST(secrets_that_never_log_in_are_marked),
	TEST(wrong_passwd_line_is_refused_by_number),
	TEST(passwd_error_shows_no_secret),
	TEST(nul_in_passwd_is_refused),
	TEST(passwd_line_has_4096_octets_at_most),
	TEST(user_name_has_255_octets_at_most),
	TEST(legal_user_names_are_told_from_others),
	TEST(only_plain_names_may_become_paths),
	TEST(each_of_100000_users_is_found),
	TEST(passwd_lives_until_its_last_reference),
	TEST(passwd_file_is_loaded_with_its_mode),
	TEST(changed_passwd_file_is_noticed),
	TEST(passwd_file_written_just_now_counts_as_changed),
	TEST(refused_passwd_file_is_not_refused_anew),
	TEST(passwd_that_is_no_regular_file_is_refused),
	TEST_END,
};

const struct test_suite suite_passwd = {.name = "passwd", .tests = tests};
