/*
 * Emissions in which listeners come, go and vanish. Each listener writes its letter and then does
 * what its row says, so an emission reads as a word.
 */
#include "emitter/emitter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "unit/suite.h"

#define HEARD_MAX 64

static char heard[HEARD_MAX + 1];
static size_t heard_length;

struct ear {
	struct pop3_listener listener;
	char letter;
	void (*act)(struct ear *); /* once */
	struct emitter *emitter;
	struct ear *other;
};

static void on_error(struct pop3_error *event, void *data)
{
	struct ear *ear = data;
	void (*act)(struct ear *) = ear->act;
	(void)event;
	if (heard_length < HEARD_MAX)
		heard[heard_length++] = ear->letter;
	heard[heard_length] = '\0';
	ear->act = NULL;
	if (act != NULL)
		act(ear);
}

static const struct pop3_handlers handlers = {.size = sizeof handlers, .error = on_error};

static void ear_init(struct ear *ear, char letter, struct emitter *emitter)
{
	*ear = (struct ear){
		.listener = {.handlers = &handlers}, .letter = letter, .emitter = emitter};
	ear->listener.data = ear;
}

static void emit(struct emitter *e)
{
	struct pop3_error event = {.text = ""};
	struct emission emission;
	emission_begin(&emission, e);
	struct pop3_listener *l = emission_next(&emission);
	/* A listener that never ends would fill the memory of what was heard first. */
	for (size_t turns = 0; l != NULL && turns < HEARD_MAX; turns++) {
		l->handlers->error(&event, l->data);
		l = emission_next(&emission);
	}
	emission_end(&emission);
}

/* What one emission says. */
static const char *hear(struct emitter *e)
{
	heard_length = 0;
	heard[0] = '\0';
	emit(e);
	return heard;
}

/* An emitter with the listeners a, b, c and one more, d, not attached. */
struct fixture {
	struct emitter emitter;
	struct ear ears[4];
};

static void set_up(struct fixture *f)
{
	emitter_init(&f->emitter);
	for (int i = 0; i < 4; i++)
		ear_init(&f->ears[i], (char)('a' + i), &f->emitter);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(emitter_attach(&f->emitter, &f->ears[i].listener), 0);
}

static void attach_other(struct ear *ear)
{
	CU_ASSERT_EQUAL(emitter_attach(ear->emitter, &ear->other->listener), 0);
}

static void detach_other(struct ear *ear)
{
	emitter_detach(&ear->other->listener);
}

static void reattach_other(struct ear *ear)
{
	detach_other(ear);
	attach_other(ear);
}

static void attach_then_detach_other(struct ear *ear)
{
	attach_other(ear);
	detach_other(ear);
}

static void detach_all(struct ear *ear)
{
	while (!list_empty(&ear->emitter->listeners))
		emitter_detach(
			list_entry(ear->emitter->listeners.next, struct pop3_listener, link));
}

static void detach_all_then_attach_other(struct ear *ear)
{
	detach_all(ear);
	attach_other(ear);
}

static void emit_again(struct ear *ear)
{
	emit(ear->emitter);
}

static void emit_again_then_detach_other(struct ear *ear)
{
	emit(ear->emitter);
	detach_other(ear);
}

static void finish_emitter(struct ear *ear)
{
	emitter_fini(ear->emitter);
}

/* Listener `who` does `act` (to `other`) in an emission; what that one and the next one say. */
static void check_words(int who, void (*act)(struct ear *), int other, const char *first,
			const char *second)
{
	struct fixture f;
	set_up(&f);
	f.ears[who].act = act;
	f.ears[who].other = &f.ears[other];
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), first);
	CU_ASSERT_PTR_NULL(f.emitter.running);
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), second);
	emitter_fini(&f.emitter);
	test_count(1);
}

static void listeners_hear_in_the_order_of_attaching(void)
{
	struct fixture f;
	set_up(&f);
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "abc");
	emitter_attach(&f.emitter, &f.ears[3].listener);
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "abcd");
	emitter_detach(&f.ears[1].listener);
	emitter_attach(&f.emitter, &f.ears[1].listener);
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "acdb");
	emitter_fini(&f.emitter);
}

static void a_listener_attached_in_an_emission_hears_only_the_next(void)
{
	check_words(0, attach_other, 3, "abc", "abcd");
	check_words(1, attach_other, 3, "abc", "abcd");
	check_words(2, attach_other, 3, "abc", "abcd");
}

static void a_listener_attached_and_detached_at_once_is_never_heard(void)
{
	check_words(0, attach_then_detach_other, 3, "abc", "abc");
	check_words(2, attach_then_detach_other, 3, "abc", "abc");
}

static void a_listener_may_detach_itself(void)
{
	check_words(0, detach_other, 0, "abc", "bc");
	check_words(1, detach_other, 1, "abc", "ac");
	check_words(2, detach_other, 2, "abc", "ab");
}

static void a_listener_may_detach_the_next(void)
{
	check_words(0, detach_other, 1, "ac", "ac");
	check_words(1, detach_other, 2, "ab", "ab");
	check_words(0, detach_other, 2, "ab", "ab");
}

static void a_listener_may_detach_one_already_heard(void)
{
	check_words(1, detach_other, 0, "abc", "bc");
	check_words(2, detach_other, 0, "abc", "bc");
	check_words(2, detach_other, 1, "abc", "ac");
}

static void a_listener_may_detach_all(void)
{
	check_words(0, detach_all, 0, "a", "");
	check_words(1, detach_all, 0, "ab", "");
	check_words(2, detach_all, 0, "abc", "");
	check_words(0, detach_all_then_attach_other, 3, "a", "d");
	check_words(2, detach_all_then_attach_other, 3, "abc", "d");
}

static void a_listener_attached_again_waits_for_the_next_emission(void)
{
	check_words(0, reattach_other, 0, "abc", "bca");
	check_words(0, reattach_other, 1, "ac", "acb");
	check_words(0, reattach_other, 2, "ab", "abc");
	check_words(1, reattach_other, 0, "abc", "bca");
	check_words(2, reattach_other, 2, "abc", "abc");
}

static void the_late_listener_that_ends_an_emission_may_leave(void)
{
	/* b attaches d, which the emission's end then is; c takes it away again. */
	struct fixture f;
	set_up(&f);
	f.ears[1].act = attach_other;
	f.ears[1].other = &f.ears[3];
	f.ears[2].act = detach_other;
	f.ears[2].other = &f.ears[3];
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "abc");
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "abc");
	emitter_fini(&f.emitter);
}

static void an_emission_may_contain_another(void)
{
	check_words(0, emit_again, 0, "aabcbc", "abc");
	check_words(1, emit_again, 1, "ababcc", "abc");
	check_words(2, emit_again, 2, "abcabc", "abc");
	check_words(0, emit_again_then_detach_other, 1, "aabcc", "ac");
}

static void a_listener_detached_in_the_inner_emission_is_not_heard_in_the_outer(void)
{
	struct fixture f;
	set_up(&f);
	f.ears[0].act = emit_again;
	f.ears[1].act = detach_other;
	f.ears[1].other = &f.ears[2];
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "aabb");
	emitter_fini(&f.emitter);

	/* The inner one takes away whose turn is next in the outer. */
	set_up(&f);
	f.ears[0].act = emit_again;
	f.ears[1].act = detach_other;
	f.ears[1].other = &f.ears[1];
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "aabcc");
	emitter_fini(&f.emitter);

	/* The inner one attaches d: it is too late for both. */
	set_up(&f);
	f.ears[2].act = emit_again;
	emitter_detach(&f.ears[0].listener);
	f.ears[1].act = NULL;
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "bcbc");
	f.ears[1].act = emit_again;
	f.ears[2].act = attach_other;
	f.ears[2].other = &f.ears[3];
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "bbcc");
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "bcd");
	emitter_fini(&f.emitter);
}

static void an_emitter_may_end_while_it_emits(void)
{
	struct fixture f;
	set_up(&f);
	f.ears[0].act = emit_again;
	f.ears[1].act = finish_emitter;
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "aab");
	for (int i = 0; i < 3; i++)
		CU_ASSERT_FALSE(list_linked(&f.ears[i].listener.link));
}

static void end_and_free(struct ear *ear)
{
	struct emitter *emitter = ear->emitter;
	emitter_fini(emitter);
	free(emitter);
}

static void an_emitter_may_be_freed_while_it_emits(void)
{
	struct emitter *emitter = malloc(sizeof *emitter);
	struct ear ear;
	emitter_init(emitter);
	ear_init(&ear, 'a', emitter);
	emitter_attach(emitter, &ear.listener);
	ear.act = end_and_free;
	CU_ASSERT_STRING_EQUAL(hear(emitter), "a");
}

static void detach_and_free(struct ear *ear)
{
	emitter_detach(&ear->listener);
	free(ear);
}

static void a_listener_may_be_freed_in_its_own_handler(void)
{
	struct fixture f;
	set_up(&f);
	struct ear *ear = malloc(sizeof *ear);
	ear_init(ear, 'x', &f.emitter);
	emitter_attach(&f.emitter, &ear->listener);
	ear->act = detach_and_free;
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "abcx");
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "abc");
	emitter_fini(&f.emitter);
}

static void an_attached_listener_cannot_be_attached_again(void)
{
	struct fixture f;
	struct emitter other;
	set_up(&f);
	emitter_init(&other);
	CU_ASSERT_EQUAL(emitter_attach(&f.emitter, &f.ears[0].listener), -EINVAL);
	CU_ASSERT_EQUAL(emitter_attach(&other, &f.ears[0].listener), -EINVAL);
	emitter_detach(&f.ears[0].listener);
	emitter_detach(&f.ears[0].listener);
	CU_ASSERT_EQUAL(emitter_attach(&other, &f.ears[0].listener), 0);
	CU_ASSERT_STRING_EQUAL(hear(&other), "a");
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "bc");
	emitter_fini(&other);
	emitter_fini(&f.emitter);
	CU_ASSERT_STRING_EQUAL(hear(&f.emitter), "");
}

static void a_listener_without_handlers_cannot_be_attached(void)
{
	struct emitter e;
	struct pop3_listener l = {0};
	emitter_init(&e);
	CU_ASSERT_EQUAL(emitter_attach(&e, &l), -EINVAL);
	emitter_detach(&l);
	emitter_fini(&e);
}

static const struct test tests[] = {
	TEST(listeners_hear_in_the_order_of_attaching),
	TEST(a_listener_attached_in_an_emission_hears_only_the_next),
	TEST(a_listener_attached_and_detached_at_once_is_never_heard),
	TEST(a_listener_may_detach_itself),
	TEST(a_listener_may_detach_the_next),
	TEST(a_listener_may_detach_one_already_heard),
	TEST(a_listener_may_detach_all),
	TEST(a_listener_attached_again_waits_for_the_next_emission),
	TEST(the_late_listener_that_ends_an_emission_may_leave),
	TEST(an_emission_may_contain_another),
	TEST(a_listener_detached_in_the_inner_emission_is_not_heard_in_the_outer),
	TEST(an_emitter_may_end_while_it_emits),
	TEST(an_emitter_may_be_freed_while_it_emits),
	TEST(a_listener_may_be_freed_in_its_own_handler),
	TEST(an_attached_listener_cannot_be_attached_again),
	TEST(a_listener_without_handlers_cannot_be_attached),
	TEST_END,
};

const struct test_suite suite_emitter = {"emitter", tests};
