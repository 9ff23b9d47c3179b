/*
 * Requests and the port, with an event that is a number and an answer that is a counted thing: an
 * answer must be released exactly once on every path, a copy discarded exactly once.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "emitter/port.h"
#include "unit/suite.h"

static atomic_long things;
static atomic_long copies;
static atomic_long wakes;

/* Holds a thing as long as it is set. */
struct answer {
	int value;
	bool thing;
};

struct event {
	int value;
	struct pop3_request *request;
};

static struct answer make_answer(int value)
{
	things++;
	return (struct answer){value, true};
}

static void release(const void *answer)
{
	if (((const struct answer *)answer)->thing)
		things--;
}

static void *copy(const void *event, struct pop3_request *request)
{
	struct event *e = malloc(sizeof *e);
	*e = *(const struct event *)event;
	e->request = request;
	copies++;
	return e;
}

static void *fail_to_copy(const void *event, struct pop3_request *request)
{
	(void)event;
	(void)request;
	return NULL;
}

static void discard(void *event)
{
	copies--;
	free(event);
}

static const struct request_type type = {sizeof(struct answer), release, copy, discard};
static const struct request_type no_memory = {sizeof(struct answer), release, fail_to_copy,
					      discard};

static void wake(void *data)
{
	(void)data;
	wakes++;
}

/* A request with its event, as an emitter has them on its stack. */
struct asked {
	struct pop3_request request;
	struct answer answer;
	struct event event;
};

static void ask(struct asked *a, struct port *port, int value)
{
	*a = (struct asked){.event = {value, &a->request}};
	request_init(&a->request, &type, &a->answer, port, a);
}

static int answer(struct pop3_request *request, int value)
{
	const struct answer a = make_answer(value);
	return request_answer(request, &a);
}

static void begin(struct port **port)
{
	things = 0;
	copies = 0;
	wakes = 0;
	*port = port_new(wake, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(*port);
}

static void all_is_gone(void)
{
	CU_ASSERT_EQUAL(things, 0);
	CU_ASSERT_EQUAL(copies, 0);
}

static void a_request_is_answered_in_the_handler_without_a_copy(void)
{
	struct port *port;
	struct asked a;
	begin(&port);
	ask(&a, port, 1);
	CU_ASSERT_EQUAL(answer(&a.request, 5), 0);
	CU_ASSERT_EQUAL(a.request.state, REQUEST_ANSWERED);
	CU_ASSERT_EQUAL(a.answer.value, 5);
	CU_ASSERT_EQUAL(copies, 0);
	CU_ASSERT_EQUAL(wakes, 0);
	release(&a.answer);
	port_close(port);
	all_is_gone();
}

static void a_second_answer_is_refused_and_released(void)
{
	struct port *port;
	struct asked a;
	begin(&port);
	ask(&a, port, 1);
	CU_ASSERT_EQUAL(answer(&a.request, 5), 0);
	CU_ASSERT_EQUAL(answer(&a.request, 6), -EALREADY);
	CU_ASSERT_EQUAL(a.answer.value, 5);
	CU_ASSERT_EQUAL(things, 1);
	CU_ASSERT_PTR_NULL(request_defer(&a.request, &a.event));
	release(&a.answer);
	port_close(port);
	all_is_gone();
}

static void a_deferred_answer_comes_back_through_the_port(void)
{
	struct port *port;
	struct asked a;
	begin(&port);
	ask(&a, port, 1);
	struct event *e = request_defer(&a.request, &a.event);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_EQUAL(a.request.state, REQUEST_DEFERRED);
	CU_ASSERT_EQUAL(e->value, 1);
	CU_ASSERT_PTR_NULL(port_take(port));
	CU_ASSERT_EQUAL(answer(e->request, 7), 0);
	CU_ASSERT_EQUAL(copies, 0);
	CU_ASSERT_EQUAL(wakes, 1);
	struct deferral *d = port_take(port);
	CU_ASSERT_PTR_EQUAL_FATAL(d, a.request.deferral);
	CU_ASSERT_PTR_EQUAL(d->origin, &a);
	CU_ASSERT_EQUAL(((struct answer *)deferral_answer(d))->value, 7);
	CU_ASSERT_PTR_NULL(port_take(port));
	deferral_free(d);
	port_close(port);
	all_is_gone();
}

static void what_an_answer_holds_may_be_taken_over(void)
{
	struct port *port;
	struct asked a;
	begin(&port);
	ask(&a, port, 1);
	struct event *e = request_defer(&a.request, &a.event);
	CU_ASSERT_EQUAL(answer(e->request, 7), 0);
	struct deferral *d = port_take(port);
	((struct answer *)deferral_answer(d))->thing = false;
	deferral_free(d);
	CU_ASSERT_EQUAL(things, 1);
	things--;
	port_close(port);
	all_is_gone();
}

static void a_request_is_deferred_only_once(void)
{
	struct port *port;
	struct asked a;
	begin(&port);
	ask(&a, port, 1);
	struct event *e = request_defer(&a.request, &a.event);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_PTR_NULL(request_defer(&a.request, &a.event));
	CU_ASSERT_PTR_NULL(request_defer(e->request, e));
	CU_ASSERT_EQUAL(copies, 1);
	CU_ASSERT_EQUAL(answer(&a.request, 3), -EALREADY);
	CU_ASSERT_EQUAL(things, 0);
	CU_ASSERT_EQUAL(answer(e->request, 7), 0);
	port_close(port);
	all_is_gone();
}

static void a_request_that_cannot_be_copied_stays_open(void)
{
	struct port *port;
	struct asked a;
	begin(&port);
	ask(&a, port, 1);
	a.request.type = &no_memory;
	CU_ASSERT_PTR_NULL(request_defer(&a.request, &a.event));
	CU_ASSERT_EQUAL(a.request.state, REQUEST_OPEN);
	CU_ASSERT_EQUAL(answer(&a.request, 5), 0);
	release(&a.answer);
	port_close(port);
	all_is_gone();
}

static void an_answer_after_abandon_is_cancelled_and_released(void)
{
	struct port *port;
	struct asked a;
	begin(&port);
	ask(&a, port, 1);
	struct event *e = request_defer(&a.request, &a.event);
	CU_ASSERT_FALSE(deferral_abandon(a.request.deferral));
	CU_ASSERT_EQUAL(answer(e->request, 7), -ECANCELED);
	CU_ASSERT_EQUAL(wakes, 0);
	CU_ASSERT_PTR_NULL(port_take(port));
	all_is_gone();
	port_close(port);
}

static void an_abandon_after_the_answer_gives_the_answer(void)
{
	struct port *port;
	struct asked a;
	begin(&port);
	ask(&a, port, 1);
	struct event *e = request_defer(&a.request, &a.event);
	CU_ASSERT_EQUAL(answer(e->request, 7), 0);
	CU_ASSERT_TRUE(deferral_abandon(a.request.deferral));
	CU_ASSERT_EQUAL(((struct answer *)deferral_answer(a.request.deferral))->value, 7);
	CU_ASSERT_PTR_NULL(port_take(port));
	deferral_free(a.request.deferral);
	port_close(port);
	all_is_gone();
}

static void an_answer_after_the_port_has_closed_is_cancelled_and_released(void)
{
	struct port *port;
	struct asked a, b;
	begin(&port);
	ask(&a, port, 1);
	ask(&b, port, 2);
	struct event *late = request_defer(&a.request, &a.event);
	struct event *early = request_defer(&b.request, &b.event);
	CU_ASSERT_EQUAL(answer(early->request, 3), 0);
	port_close(port);
	CU_ASSERT_EQUAL(things, 0);
	CU_ASSERT_EQUAL(copies, 1);
	CU_ASSERT_EQUAL(answer(late->request, 4), -ECANCELED);
	all_is_gone();
}

static void answers_come_in_the_order_in_which_they_were_given(void)
{
	struct port *port;
	struct asked a[3];
	struct event *e[3];
	begin(&port);
	for (int i = 0; i < 3; i++) {
		ask(&a[i], port, i);
		e[i] = request_defer(&a[i].request, &a[i].event);
	}
	answer(e[2]->request, 2);
	answer(e[0]->request, 0);
	answer(e[1]->request, 1);
	static const int order[] = {2, 0, 1};
	for (int i = 0; i < 3; i++) {
		struct deferral *d = port_take(port);
		CU_ASSERT_PTR_EQUAL_FATAL(d, a[order[i]].request.deferral);
		deferral_free(d);
	}
	port_close(port);
	all_is_gone();
}

/* ---- Threads ---- */

static void *answer_from_afar(void *data)
{
	struct event *e = data;
	answer(e->request, e->value + 1);
	return NULL;
}

static void another_thread_may_answer(void)
{
	struct port *port;
	struct asked a;
	pthread_t thread;
	begin(&port);
	ask(&a, port, 41);
	struct event *e = request_defer(&a.request, &a.event);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, answer_from_afar, e), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(wakes, 1);
	struct deferral *d = port_take(port);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(((struct answer *)deferral_answer(d))->value, 42);
	deferral_free(d);
	port_close(port);
	all_is_gone();
}

/* Hands events to a thread that answers them as soon as it sees them. */
struct hand_over {
	_Atomic(struct event *) event;
	atomic_bool stop;
};

static void *answer_at_once(void *data)
{
	struct hand_over *h = data;
	while (!h->stop) {
		struct event *e = atomic_exchange(&h->event, NULL);
		if (e == NULL)
			sched_yield();
		else
			answer(e->request, e->value);
	}
	return NULL;
}

static struct deferral *defer_to(struct hand_over *h, struct port *port, struct asked *a, int value)
{
	ask(a, port, value);
	atomic_store(&h->event, request_defer(&a->request, &a->event));
	return a->request.deferral;
}

static void abandon_and_answer_may_race(void)
{
	const unsigned long rounds = test_setting("POP3_RACES", 3000);
	struct hand_over h = {.stop = false};
	struct port *port;
	pthread_t thread;
	unsigned long answered = 0;
	begin(&port);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, answer_at_once, &h), 0);
	for (unsigned long i = 0; i < rounds; i++) {
		struct asked a;
		struct deferral *d = defer_to(&h, port, &a, (int)i);
		/* Give the other side every chance, from none to plenty. */
		for (volatile unsigned long k = 0; k < i % 200; k++)
			;
		if (deferral_abandon(d)) {
			answered++;
			deferral_free(d);
		}
		while (atomic_load(&h.event) != NULL)
			sched_yield();
	}
	h.stop = true;
	pthread_join(thread, NULL);
	CU_ASSERT_PTR_NULL(port_take(port));
	CU_ASSERT_EQUAL((unsigned long)wakes, answered);
	port_close(port);
	all_is_gone();
	test_count(rounds);
}

static void the_end_of_the_port_and_an_answer_may_race(void)
{
	const unsigned long rounds = test_setting("POP3_RACES", 3000);
	struct hand_over h = {.stop = false};
	pthread_t thread;
	things = 0;
	copies = 0;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, answer_at_once, &h), 0);
	for (unsigned long i = 0; i < rounds; i++) {
		struct asked a;
		struct port *port = port_new(wake, NULL);
		struct deferral *d = defer_to(&h, port, &a, (int)i);
		for (volatile unsigned long k = 0; k < i % 200; k++)
			;
		if (deferral_abandon(d))
			deferral_free(d);
		port_close(port);
		while (atomic_load(&h.event) != NULL)
			sched_yield();
	}
	h.stop = true;
	pthread_join(thread, NULL);
	all_is_gone();
	test_count(rounds);
}

static void many_answers_of_many_threads_all_arrive(void)
{
	enum { THREADS = 4, EACH = 250 };
	static struct hand_over h[THREADS];
	static struct asked asked[THREADS * EACH];
	pthread_t threads[THREADS];
	struct port *port;
	size_t arrived = 0, sent = 0;
	begin(&port);
	for (int i = 0; i < THREADS; i++) {
		h[i].stop = false;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, answer_at_once, &h[i]), 0);
	}
	while (arrived < THREADS * EACH) {
		struct hand_over *next = &h[sent % THREADS];
		if (sent < THREADS * EACH && atomic_load(&next->event) == NULL) {
			defer_to(next, port, &asked[sent], (int)sent);
			sent++;
		}
		struct deferral *d = port_take(port);
		if (d == NULL)
			continue;
		struct asked *a = d->origin;
		CU_ASSERT_EQUAL(((struct answer *)deferral_answer(d))->value, a->event.value);
		deferral_free(d);
		arrived++;
	}
	for (int i = 0; i < THREADS; i++) {
		h[i].stop = true;
		pthread_join(threads[i], NULL);
	}
	CU_ASSERT_EQUAL(wakes, THREADS * EACH);
	port_close(port);
	all_is_gone();
	test_count(THREADS * EACH);
}

static const struct test tests[] = {
	TEST(a_request_is_answered_in_the_handler_without_a_copy),
	TEST(a_second_answer_is_refused_and_released),
	TEST(a_deferred_answer_comes_back_through_the_port),
	TEST(what_an_answer_holds_may_be_taken_over),
	TEST(a_request_is_deferred_only_once),
	TEST(a_request_that_cannot_be_copied_stays_open),
	TEST(an_answer_after_abandon_is_cancelled_and_released),
	TEST(an_abandon_after_the_answer_gives_the_answer),
	TEST(an_answer_after_the_port_has_closed_is_cancelled_and_released),
	TEST(answers_come_in_the_order_in_which_they_were_given),
	TEST(another_thread_may_answer),
	TEST(abandon_and_answer_may_race),
	TEST(the_end_of_the_port_and_an_answer_may_race),
	TEST(many_answers_of_many_threads_all_arrive),
	TEST_END,
};

const struct test_suite suite_deferral = {"deferral", tests};
