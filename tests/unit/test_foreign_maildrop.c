/* Maildrops that another server has left: their unique-ids are kept, or there is no login. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/store_box.h"

static const struct uidl_rule dovecot = {.format = UIDL_DOVECOT};
static const struct uidl_rule courier = {.format = UIDL_COURIER};

#define DOVECOT "dovecot-uidlist"
#define COURIER "courierpop3dsizelist"
#define HEADER  "3 V1700000000 N4 G1a2b\n"

static enum store_result open_by(struct box *box, const struct uidl_rule *rule,
				 struct maildrop **maildrop)
{
	const struct maildrop_options options = {.uidl = *rule};
	*maildrop = NULL;
	return maildrop_open(&box->grant, &options, &box->sink, maildrop);
}

static void has_ids(struct box *box, const struct uidl_rule *rule, const char *expected)
{
	struct maildrop *m;
	char ids[4096];
	CU_ASSERT_EQUAL_FATAL(open_by(box, rule, &m), STORE_OK);
	CU_ASSERT_STRING_EQUAL(box_ids(m, ids), expected);
	maildrop_close(m);
}

static void put_four(struct box *box)
{
	box_init(box);
	box_put("new/1.M1.x", "x\n");
	box_put("cur/2.M1.x,S=2,W=3:2,S", "x\n");
	box_put("cur/3.M1.x:2,RS", "x\n");
	box_put("new/4.M1.x", "x\n");
}

static void known_messages_keep_their_unique_ids_and_new_ones_get_ours(void)
{
	struct box box;
	put_four(&box);
	box_put(DOVECOT, HEADER "1 :1.M1.x\n2 :2.M1.x,S=2,W=3\n7 Pstored :3.M1.x\n9 :gone\n");
	box_put(COURIER, "/3 4 5\n3.M1.x:2, 3 3:5:0\n1.M1.x:2,S 3 1:5:0\n");
	const struct uidl_rule cyrus = {.format = UIDL_DOVECOT, .pattern = "%v.%u"};
	const struct uidl_rule ours = {.format = UIDL_NAME};
	has_ids(&box, &dovecot, "000000016553f100 000000026553f100 stored 4.M1.x ");
	has_ids(&box, &cyrus, "1700000000.1 1700000000.2 stored 4.M1.x ");
	has_ids(&box, &courier, "UID1-5 2.M1.x,S=2,W=3 UID3-5 4.M1.x ");
	has_ids(&box, &ours, "1.M1.x 2.M1.x,S=2,W=3 3.M1.x 4.M1.x ");

	/* Another flag, another folder, another list beside. */
	box_rename("new/1.M1.x", "cur/1.M1.x:2,FS");
	has_ids(&box, &dovecot, "000000016553f100 000000026553f100 stored 4.M1.x ");
	CU_ASSERT_EQUAL(system("rm home/Maildir/" DOVECOT), 0);
	has_ids(&box, &dovecot, "1.M1.x 2.M1.x,S=2,W=3 3.M1.x 4.M1.x ");
	has_ids(&box, &courier, "UID1-5 2.M1.x,S=2,W=3 UID3-5 4.M1.x ");
	box_fini(&box);
	test_count(7);
}

static void messages_with_foreign_ids_are_read_and_deleted(void)
{
	struct box box;
	struct maildrop *m;
	put_four(&box);
	box_put(DOVECOT, HEADER "1 :1.M1.x\n2 :2.M1.x,S=2,W=3\n");
	CU_ASSERT_EQUAL_FATAL(open_by(&box, &dovecot, &m), STORE_OK);
	int descriptor = -1;
	uint64_t length = 0;
	uint64_t octets = 0;
	CU_ASSERT_EQUAL(maildrop_message(m, 2, &descriptor, &length, &octets), STORE_OK);
	CU_ASSERT_EQUAL(octets, 3);
	close(descriptor);
	const uint32_t gone[] = {1, 3};
	size_t remaining = 9;
	CU_ASSERT_EQUAL(maildrop_commit(m, gone, 2, &remaining), STORE_OK);
	maildrop_close(m);
	CU_ASSERT_FALSE(box_has("new/1.M1.x"));
	has_ids(&box, &dovecot, "000000026553f100 4.M1.x ");
	box_fini(&box);
}

static void files_that_share_a_name_do_not_share_its_unique_id(void)
{
	struct box box;
	struct maildrop *m;
	char ids[4096];
	put_four(&box);
	box_put(DOVECOT, HEADER "1 :1.M1.x\n2 :3.M1.x\n");
	box_put("cur/1.M1.x:2,S", "another\n");
	CU_ASSERT_EQUAL_FATAL(open_by(&box, &dovecot, &m), STORE_OK);
	CU_ASSERT_EQUAL(maildrop_list_count(maildrop_frozen(m)), 5);
	/* Which of both the client knows by it, nobody can tell. */
	CU_ASSERT_PTR_NULL(strstr(box_ids(m, ids), "000000016553f100"));
	const char *first = strstr(ids, "x-");
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	const char *second = strstr(first + 2, "x-");
	CU_ASSERT_PTR_NOT_NULL_FATAL(second);
	CU_ASSERT(memcmp(first, second, 66) != 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(ids, "000000026553f100 "));
	maildrop_close(m);
	box_fini(&box);
}

static void refused(struct box *box, const struct uidl_rule *rule, enum store_result expected,
		    const char *log)
{
	struct maildrop *m;
	CU_ASSERT_EQUAL(open_by(box, rule, &m), expected);
	CU_ASSERT_PTR_NULL(m);
	maildrop_close(m);
	box_expect_log(box, log);
}

static void list_that_cannot_be_believed_ends_the_login_with_one_log_line(void)
{
	struct box box;
	put_four(&box);
	box_put(DOVECOT, HEADER "1 :1.M1.x\nnonsense\n");
	refused(&box, &dovecot, STORE_PERMANENT,
		"level=error event=store user=\"alice\" file=dovecot-uidlist:3 text=\"no login, "
		"for "
		"unique-ids would change: the line does not begin with a UID\"");
	box_put(DOVECOT, "4 V1 N1\n");
	refused(&box, &dovecot, STORE_PERMANENT, "unknown version");
	box_put(DOVECOT, "");
	refused(&box, &dovecot, STORE_PERMANENT, "the list is empty");
	box_put(COURIER, "/3 4 5\n1.M1.x 3 1:5:0\n2.M1.x\n");
	refused(&box, &courier, STORE_PERMANENT, "courierpop3dsizelist:3");
	/* It may be complete in a moment. */
	box_put(COURIER, "/3 4 5\n1.M1.x 3 1:5:0\n2.M1.x 3");
	refused(&box, &courier, STORE_TEMPORARY, "has no end");
	/* The lock is not left behind, and nobody's list is asked for in vain. */
	const struct uidl_rule ours = {.format = UIDL_NAME};
	has_ids(&box, &ours, "1.M1.x 2.M1.x,S=2,W=3 3.M1.x 4.M1.x ");
	box_fini(&box);
	test_count(5);
}

static void list_that_cannot_be_read_ends_the_login(void)
{
	static const struct {
		const char *command;
		enum store_result result;
		const char *log;
	} cases[] = {
		{"chmod 0 " DOVECOT, STORE_PERMANENT, "Permission denied"},
		{"mv " DOVECOT " real && ln -s real " DOVECOT, STORE_PERMANENT, "cannot be read"},
		{"ln -sf nowhere " DOVECOT, STORE_PERMANENT, "cannot be read"},
		{"rm " DOVECOT " && mkfifo " DOVECOT, STORE_PERMANENT, "not a regular file"},
		{"rm " DOVECOT " && mkdir " DOVECOT, STORE_PERMANENT, "not a regular file"},
		{"truncate -s 5G " DOVECOT, STORE_PERMANENT, "too large"},
		{"truncate -s 1M " DOVECOT, STORE_PERMANENT, "NUL"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct box box;
		char command[256];
		put_four(&box);
		box_put(DOVECOT, HEADER "1 :1.M1.x\n");
		snprintf(command, sizeof command, "cd home/Maildir && %s", cases[i].command);
		CU_ASSERT_EQUAL(system(command), 0);
		box_drop_powers();
		refused(&box, &dovecot, cases[i].result, cases[i].log);
		box_regain_powers();
		box_fini(&box);
	}
	test_count(sizeof cases / sizeof *cases);
}

static void unique_ids_that_are_not_used_are_one_warning(void)
{
	struct box box;
	put_four(&box);
	box_put(DOVECOT, HEADER "1 Psame :1.M1.x\n2 Psame :2.M1.x,S=2,W=3\n3 Psame :3.M1.x\n");
	has_ids(&box, &dovecot, "same 2.M1.x,S=2,W=3 3.M1.x 4.M1.x ");
	box_expect_log(&box, "level=warning event=store user=\"alice\" file=dovecot-uidlist "
			     "text=\"some unique-ids are not used: not legal, or there before\" "
			     "count=2");
	box_fini(&box);
}

/* ---- With an index ---- */

static void index_is_of_use_only_while_the_list_is_the_same(void)
{
	struct box box;
	put_four(&box);
	const struct uidl_rule ours = {.format = UIDL_NAME};
	const struct uidl_rule cyrus = {.format = UIDL_DOVECOT, .pattern = "%v.%u"};
	/* Twice each: made anew, then from the index. */
	for (int twice = 0; twice < 2; twice++)
		has_ids(&box, &dovecot, "1.M1.x 2.M1.x,S=2,W=3 3.M1.x 4.M1.x ");
	box_put(DOVECOT, HEADER "1 :1.M1.x\n");
	for (int twice = 0; twice < 2; twice++)
		has_ids(&box, &dovecot, "000000016553f100 2.M1.x,S=2,W=3 3.M1.x 4.M1.x ");
	for (int twice = 0; twice < 2; twice++)
		has_ids(&box, &cyrus, "1700000000.1 2.M1.x,S=2,W=3 3.M1.x 4.M1.x ");
	for (int twice = 0; twice < 2; twice++)
		has_ids(&box, &courier, "1.M1.x 2.M1.x,S=2,W=3 3.M1.x 4.M1.x ");
	box_put(DOVECOT, HEADER "1 :1.M1.x\n2 :3.M1.x\n");
	for (int twice = 0; twice < 2; twice++)
		has_ids(&box, &dovecot, "000000016553f100 2.M1.x,S=2,W=3 000000026553f100 4.M1.x ");
	box_put("new/5.M1.x", "x\n");
	has_ids(&box, &dovecot, "000000016553f100 2.M1.x,S=2,W=3 000000026553f100 4.M1.x 5.M1.x ");
	has_ids(&box, &ours, "1.M1.x 2.M1.x,S=2,W=3 3.M1.x 4.M1.x 5.M1.x ");

	/* Nor does an index help over a list that has been spoilt. */
	box_put(DOVECOT, HEADER "1 :1.M1.x\n2 :3.M1.x\n");
	has_ids(&box, &dovecot, "000000016553f100 2.M1.x,S=2,W=3 000000026553f100 4.M1.x 5.M1.x ");
	box_put(DOVECOT, HEADER "1 :1.M1.x\n2 :3.M1.x\nx");
	refused(&box, &dovecot, STORE_TEMPORARY, "dovecot-uidlist:4");
	box_fini(&box);
	test_count(14);
}

static uint64_t rules_of(int maildir, const struct uidl_rule *rule)
{
	uint64_t rules = 5;
	CU_ASSERT_EQUAL(foreign_ids_rules(maildir, rule, &rules), 0);
	return rules;
}

static void rules_tell_whether_unique_ids_may_have_changed(void)
{
	struct box box;
	put_four(&box);
	const struct uidl_rule ours = {.format = UIDL_NAME};
	const struct uidl_rule cyrus = {.format = UIDL_DOVECOT, .pattern = "%v.%u"};
	const struct uidl_rule standard = {.format = UIDL_DOVECOT,
					   .pattern = UIDL_PATTERN_STANDARD};
	int maildir = open("home/Maildir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_EQUAL(rules_of(maildir, &ours), 0);
	uint64_t absent = rules_of(maildir, &dovecot);
	CU_ASSERT_NOT_EQUAL(absent, 0);
	CU_ASSERT_NOT_EQUAL(absent, rules_of(maildir, &courier));

	box_put(DOVECOT, HEADER "1 :1.M1.x\n");
	uint64_t first = rules_of(maildir, &dovecot);
	CU_ASSERT_NOT_EQUAL(first, absent);
	CU_ASSERT_EQUAL(first, rules_of(maildir, &dovecot));
	CU_ASSERT_EQUAL(first, rules_of(maildir, &standard));
	CU_ASSERT_NOT_EQUAL(first, rules_of(maildir, &cyrus));
	CU_ASSERT_EQUAL(rules_of(maildir, &ours), 0);

	/* Reading tells the same; another file in its place does not, however alike. */
	struct foreign_ids *ids = NULL;
	uint64_t loaded = 0;
	CU_ASSERT_EQUAL(foreign_ids_load(maildir, &dovecot, &box.grant, &box.sink, &loaded, &ids),
			STORE_OK);
	CU_ASSERT_EQUAL(first, loaded);
	CU_ASSERT(foreign_ids_knows(ids, "1.M1.x", 6));
	foreign_ids_free(ids);
	CU_ASSERT_EQUAL(system("cd home/Maildir && cp -p " DOVECOT " x && mv x " DOVECOT), 0);
	CU_ASSERT_NOT_EQUAL(first, rules_of(maildir, &dovecot));
	CU_ASSERT_EQUAL(system("rm home/Maildir/" DOVECOT), 0);
	CU_ASSERT_EQUAL(absent, rules_of(maildir, &dovecot));
	CU_ASSERT_EQUAL(foreign_ids_load(maildir, &dovecot, &box.grant, &box.sink, &loaded, &ids),
			STORE_OK);
	CU_ASSERT_PTR_NULL(ids);
	CU_ASSERT_EQUAL(absent, loaded);
	close(maildir);
	box_fini(&box);
}

static const struct test tests[] = {
	TEST(known_messages_keep_their_unique_ids_and_new_ones_get_ours),
	TEST(messages_with_foreign_ids_are_read_and_deleted),
	TEST(files_that_share_a_name_do_not_share_its_unique_id),
	TEST(list_that_cannot_be_believed_ends_the_login_with_one_log_line),
	TEST(list_that_cannot_be_read_ends_the_login),
	TEST(unique_ids_that_are_not_used_are_one_warning),
	TEST(index_is_of_use_only_while_the_list_is_the_same),
	TEST(rules_tell_whether_unique_ids_may_have_changed),
	TEST_END,
};
const struct test_suite suite_foreign_maildrop = {"foreign_maildrop", tests};
