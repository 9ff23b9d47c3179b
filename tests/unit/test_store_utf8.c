/* Messages that clients in ASCII mode must not have, and how the store knows (RFC 6856). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/store_box.h"

#define WIDE  "Subject: Gr\xc3\xbc\n\nbody\n"
#define PLAIN "Subject: Gruen\n\nbody\n"

static struct maildrop *open_strictly(struct box *b)
{
	const struct maildrop_options options = {.strict_utf8 = true};
	struct maildrop *m = NULL;
	CU_ASSERT_EQUAL_FATAL(maildrop_open(&b->grant, &options, &b->sink, &m), STORE_OK);
	return m;
}

/* What a client in ASCII mode gets. */
static enum store_result ask(struct maildrop *m, size_t msgno)
{
	int descriptor;
	uint64_t length, octets;
	CU_ASSERT_EQUAL_FATAL(maildrop_message(m, msgno, &descriptor, &length, &octets), STORE_OK);
	enum store_result result = maildrop_check_header(m, msgno, descriptor, length);
	close(descriptor);
	return result;
}

static void expect_refused(struct box *b, struct maildrop *m, size_t msgno)
{
	CU_ASSERT_EQUAL(ask(m, msgno), STORE_NEEDS_UTF8);
	box_expect_log(b, "the message needs a client that says UTF8");
}

static void message_with_utf8_in_its_header_is_told_apart(void)
{
	struct box b;
	box_init(&b);
	box_put("new/1.M1.x", WIDE);
	box_put("new/2.M1.x", PLAIN);
	box_put("cur/3.M1.x:2,S", "Subject: Gr\xfc\n\nbody\n");
	/* Once as it is measured, once as the index has it. */
	for (int login = 0; login < 2; login++) {
		struct maildrop *m = open_strictly(&b);
		CU_ASSERT(!maildrop_is_for_all(m, 1));
		CU_ASSERT(maildrop_is_for_all(m, 2));
		CU_ASSERT(maildrop_is_for_all(m, 3));
		CU_ASSERT(!maildrop_is_for_all(m, 0));
		CU_ASSERT(!maildrop_is_for_all(m, 4));
		expect_refused(&b, m, 1);
		CU_ASSERT_EQUAL(ask(m, 2), STORE_OK);
		CU_ASSERT_EQUAL(ask(m, 3), STORE_OK);
		maildrop_close(m);
	}
	box_fini(&b);
}

static void without_strictness_everybody_has_every_message(void)
{
	struct box b;
	box_init(&b);
	box_put("new/1.M1.x", WIDE);
	struct maildrop *m = box_open(&b);
	CU_ASSERT(maildrop_is_for_all(m, 1));
	CU_ASSERT_EQUAL(ask(m, 1), STORE_OK);
	maildrop_close(m);
	box_fini(&b);
}

/* Its size is in its name: it was never opened. */
static void message_that_was_never_read_is_looked_at_when_it_is_wanted(void)
{
	struct box b;
	char name[64];
	box_init(&b);
	snprintf(name, sizeof name, "new/1.M1.x,S=%zu,W=%zu", strlen(WIDE), strlen(WIDE) + 3);
	box_put(name, WIDE);
	snprintf(name, sizeof name, "new/2.M1.x,S=%zu,W=%zu", strlen(PLAIN), strlen(PLAIN) + 3);
	box_put(name, PLAIN);
	for (int login = 0; login < 2; login++) {
		struct maildrop *m = open_strictly(&b);
		CU_ASSERT(!maildrop_is_for_all(m, 1));
		CU_ASSERT(!maildrop_is_for_all(m, 2));
		expect_refused(&b, m, 1);
		CU_ASSERT_EQUAL(ask(m, 2), STORE_OK);
		maildrop_close(m);
	}
	box_fini(&b);
}

static void message_keeps_what_is_known_of_it_when_it_moves(void)
{
	struct box b;
	box_init(&b);
	box_put("new/1.M1.x", WIDE);
	box_put("new/2.M1.x", PLAIN);
	maildrop_close(open_strictly(&b));
	box_rename("new/1.M1.x", "cur/1.M1.x:2,S");
	box_rename("new/2.M1.x", "cur/2.M1.x:2,S");
	struct maildrop *m = open_strictly(&b);
	CU_ASSERT(!maildrop_is_for_all(m, 1));
	CU_ASSERT(maildrop_is_for_all(m, 2));
	maildrop_close(m);
	box_fini(&b);
}

/* Known to be plain, and then another program writes into it. */
static void message_that_has_changed_since_is_looked_at(void)
{
	struct box b;
	box_init(&b);
	box_put("new/1.M1.x", PLAIN);
	struct maildrop *m = open_strictly(&b);
	CU_ASSERT(maildrop_is_for_all(m, 1));
	int file = open("home/Maildir/new/1.M1.x", O_WRONLY | O_TRUNC);
	CU_ASSERT_FATAL(file >= 0);
	CU_ASSERT_EQUAL(write(file, WIDE, strlen(WIDE)), (ssize_t)strlen(WIDE));
	close(file);
	CU_ASSERT_EQUAL(ask(m, 1), STORE_NEEDS_UTF8);
	box_expect_log(&b, "the message has changed its size");
	box_expect_log(&b, "the message needs a client that says UTF8");
	/* What QUIT puts right in the index is true of it, too. */
	size_t remaining;
	CU_ASSERT_EQUAL(maildrop_commit(m, NULL, 0, &remaining), STORE_OK);
	maildrop_close(m);
	m = open_strictly(&b);
	CU_ASSERT(!maildrop_is_for_all(m, 1));
	maildrop_close(m);
	box_fini(&b);
}

static const struct test tests[] = {
	TEST(message_with_utf8_in_its_header_is_told_apart),
	TEST(without_strictness_everybody_has_every_message),
	TEST(message_that_was_never_read_is_looked_at_when_it_is_wanted),
	TEST(message_keeps_what_is_known_of_it_when_it_moves),
	TEST(message_that_has_changed_since_is_looked_at),
	TEST_END,
};
const struct test_suite suite_store_utf8 = {"store_utf8", tests};
