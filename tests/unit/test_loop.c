/* The poll set: what is quiet is parked, and nothing that happens to it is missed. */
#include "net/loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include "net/limits.h"
#include "unit/suite.h"

#define PAIRS 100

struct park {
	struct loop loop;
	struct watch watches[PAIRS];
	int others[PAIRS];
};

static void park_init(struct park *p)
{
	int pair[2];
	*p = (struct park){0};
	loop_init(&p->loop);
	for (size_t i = 0; i < PAIRS; i++) {
		CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		p->others[i] = pair[1];
		CU_ASSERT_EQUAL(loop_add(&p->loop, &p->watches[i], pair[0], POLLIN), 0);
	}
}

static void park_fini(struct park *p)
{
	for (size_t i = 0; i < PAIRS; i++) {
		loop_remove(&p->loop, &p->watches[i]);
		close(p->watches[i].descriptor);
		close(p->others[i]);
	}
	loop_fini(&p->loop);
}

static void turn(struct park *p)
{
	CU_ASSERT(poll(p->loop.set, (nfds_t)p->loop.count, 0) >= 0);
	loop_collect(&p->loop, p->loop.set, p->loop.count);
}

/* Until all that is quiet has left the poll set. */
static void rest(struct park *p)
{
	short events;
	for (int i = 0; i < PARK_AFTER + 2; i++) {
		turn(p);
		CU_ASSERT_PTR_NULL(loop_next(&p->loop, &events));
	}
}

static void quiet_descriptors_leave_the_poll_set(void)
{
	struct park p;
	park_init(&p);
	CU_ASSERT_EQUAL(p.loop.count, PAIRS);
	rest(&p);
	CU_ASSERT_EQUAL(p.loop.count, 1);
	CU_ASSERT_EQUAL(p.loop.total, PAIRS + 1);
	park_fini(&p);
}

static void what_happens_to_a_parked_descriptor_is_found(void)
{
	struct park p;
	short events;
	park_init(&p);
	for (size_t round = 0; round < 3; round++) {
		rest(&p);
		size_t which = 17 + round;
		CU_ASSERT_EQUAL(write(p.others[which], "x", 1), 1);
		turn(&p);
		CU_ASSERT_PTR_EQUAL(loop_next(&p.loop, &events), &p.watches[which]);
		CU_ASSERT_EQUAL(events, POLLIN);
		CU_ASSERT_PTR_NULL(loop_next(&p.loop, &events));
		char octet;
		CU_ASSERT_EQUAL(read(p.watches[which].descriptor, &octet, 1), 1);
	}
	park_fini(&p);
}

static void hang_up_of_a_parked_descriptor_is_found(void)
{
	struct park p;
	short events;
	park_init(&p);
	loop_change(&p.loop, &p.watches[3], 0);
	rest(&p);
	CU_ASSERT_EQUAL(shutdown(p.watches[3].descriptor, SHUT_RDWR), 0);
	turn(&p);
	CU_ASSERT_PTR_EQUAL(loop_next(&p.loop, &events), &p.watches[3]);
	CU_ASSERT((events & POLLHUP) != 0);
	park_fini(&p);
}

static void parked_descriptor_can_be_changed_and_removed(void)
{
	struct park p;
	short events;
	park_init(&p);
	rest(&p);
	loop_change(&p.loop, &p.watches[5], POLLOUT);
	turn(&p);
	CU_ASSERT_PTR_EQUAL(loop_next(&p.loop, &events), &p.watches[5]);
	CU_ASSERT_EQUAL(events, POLLOUT);
	CU_ASSERT_PTR_NULL(loop_next(&p.loop, &events));
	loop_change(&p.loop, &p.watches[5], POLLIN);

	CU_ASSERT_EQUAL(write(p.others[6], "x", 1), 1);
	loop_remove(&p.loop, &p.watches[6]);
	turn(&p);
	CU_ASSERT_PTR_NULL(loop_next(&p.loop, &events));
	park_fini(&p);
}

static void removed_watch_is_not_given_in_the_same_turn(void)
{
	struct park p;
	short events;
	park_init(&p);
	for (size_t i = 0; i < PAIRS; i++)
		CU_ASSERT_EQUAL(write(p.others[i], "x", 1), 1);
	turn(&p);
	size_t found = 0;
	struct watch *w = loop_next(&p.loop, &events);
	while (w != NULL) {
		/* The other of the two neighbours goes. */
		size_t index = (size_t)(w - p.watches);
		loop_remove(&p.loop, &p.watches[index ^ 1]);
		found++;
		w = loop_next(&p.loop, &events);
	}
	CU_ASSERT_EQUAL(found, PAIRS / 2);
	park_fini(&p);
}

static void poll_set_of_an_earlier_moment_does_no_harm(void)
{
	struct park p;
	struct pollfd copy[PAIRS];
	short events;
	park_init(&p);
	for (size_t i = 0; i < PAIRS; i++) {
		copy[i] = p.loop.set[i];
		copy[i].revents = POLLIN;
	}
	for (size_t i = 0; i < PAIRS - 1; i++)
		loop_remove(&p.loop, &p.watches[i]);
	loop_collect(&p.loop, copy, PAIRS);
	CU_ASSERT_PTR_NULL(loop_next(&p.loop, &events));
	park_fini(&p);
}

static const struct test tests[] = {
	TEST(quiet_descriptors_leave_the_poll_set),
	TEST(what_happens_to_a_parked_descriptor_is_found),
	TEST(hang_up_of_a_parked_descriptor_is_found),
	TEST(parked_descriptor_can_be_changed_and_removed),
	TEST(removed_watch_is_not_given_in_the_same_turn),
	TEST(poll_set_of_an_earlier_moment_does_no_harm),
	TEST_END,
};
const struct test_suite suite_loop = {"loop", tests};
