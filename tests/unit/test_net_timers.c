/* Timers against a plain array that is searched. */
#include "net/timers.h"

#include <stdlib.h>

#include "unit/suite.h"

#define TIMERS 64

static uint64_t earliest(const struct timer *timers)
{
	uint64_t first = UINT64_MAX;
	for (size_t i = 0; i < TIMERS; i++)
		if (timers[i].place != 0 && timers[i].when < first)
			first = timers[i].when;
	return first;
}

static void timers_come_in_order_whatever_is_set_and_cleared(void)
{
	struct timers t = {0};
	struct timer timers[TIMERS] = {{0}};
	unsigned long steps = test_setting("POP3_TIMER_STEPS", 20000);
	unsigned seed = (unsigned)test_setting("POP3_SEED", 1);

	CU_ASSERT_EQUAL(timers_reserve(&t, TIMERS), 0);
	for (unsigned long i = 0; i < steps; i++) {
		struct timer *timer = &timers[(unsigned)rand_r(&seed) % TIMERS];
		uint64_t when = (unsigned)rand_r(&seed) % 1000;
		if (rand_r(&seed) % 4 == 0) {
			timers_clear(&t, timer);
			CU_ASSERT_EQUAL(timer->place, 0);
		} else {
			uint64_t before = timer->place == 0 ? UINT64_MAX : timer->when;
			timers_set(&t, timer, when);
			CU_ASSERT_EQUAL(timer->when, when < before ? when : before);
		}
		CU_ASSERT_EQUAL(timers_first(&t), earliest(timers));
	}
	uint64_t last = 0;
	for (struct timer *i = timers_take(&t, 2000); i != NULL; i = timers_take(&t, 2000)) {
		CU_ASSERT(i->when >= last);
		last = i->when;
	}
	CU_ASSERT_EQUAL(t.count, 0);
	timers_fini(&t);
	test_count(steps);
}

static void timer_is_taken_only_when_due(void)
{
	struct timers t = {0};
	struct timer one = {0};
	CU_ASSERT_EQUAL(timers_reserve(&t, 1), 0);
	timers_set(&t, &one, UINT64_MAX);
	CU_ASSERT_EQUAL(timers_first(&t), UINT64_MAX);
	timers_set(&t, &one, 50);
	timers_set(&t, &one, 70);
	CU_ASSERT_PTR_NULL(timers_take(&t, 49));
	CU_ASSERT_PTR_EQUAL(timers_take(&t, 50), &one);
	CU_ASSERT_PTR_NULL(timers_take(&t, 100));
	timers_fini(&t);
}

static const struct test tests[] = {
	TEST(timers_come_in_order_whatever_is_set_and_cleared),
	TEST(timer_is_taken_only_when_due),
	TEST_END,
};
const struct test_suite suite_net_timers = {"net_timers", tests};
