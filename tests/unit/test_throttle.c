/* What is remembered of logins: moments, penalties, verified passwords, and all of them together.
 */
#include <stdio.h>
#include <string.h>

#include "auth/moments.h"
#include "backend/throttle.h"
#include "unit/suite.h"

/* ---- Moments ---- */

static void a_moment_is_kept_by_its_key(void)
{
	struct moments *m = moments_new(64);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(moments_get(m, "alice", 5), 0);
	moments_set(m, "alice", 5, 10);
	moments_set(m, "alic", 4, 20);
	CU_ASSERT_EQUAL(moments_get(m, "alice", 5), 10);
	CU_ASSERT_EQUAL(moments_get(m, "alic", 4), 20);
	moments_set(m, "alice", 5, 30);
	CU_ASSERT_EQUAL(moments_get(m, "alice", 5), 30);
	moments_set(m, "alice", 5, 0);
	CU_ASSERT_EQUAL(moments_get(m, "alice", 5), 0);
	CU_ASSERT_EQUAL(moments_get(m, "alic", 4), 20);
	moments_free(m);
}

static void a_full_table_forgets_the_earliest_moments(void)
{
	struct moments *m = moments_new(64);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	moments_set(m, "late", 4, 1000000);
	for (uint32_t i = 1; i <= 1000; i++)
		moments_set(m, &i, sizeof i, i);
	unsigned kept = 0;
	for (uint32_t i = 1; i <= 1000; i++)
		kept += moments_get(m, &i, sizeof i) == i;
	CU_ASSERT(kept < 64);
	CU_ASSERT(kept > 32);
	CU_ASSERT_EQUAL(moments_get(m, "late", 4), 1000000);
	moments_free(m);
}

/* ---- Penalties ---- */

static const struct penalty_rules rules = {
	.address_failures = 3, .user_failures = 4, .recovery = 100};

static void an_address_has_so_many_failures_at_once(void)
{
	struct penalties *p = penalties_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(penalties_failures(p, &rules, "192.0.2.1", 1000), i);
		CU_ASSERT_EQUAL(penalties_charge(p, &rules, "192.0.2.1", "alice", 1000),
				PENALTY_NONE);
	}
	CU_ASSERT_EQUAL(penalties_charge(p, &rules, "192.0.2.1", "bob", 1000), PENALTY_ADDRESS);
	CU_ASSERT_EQUAL(penalties_charge(p, &rules, "192.0.2.1", "bob", 1099), PENALTY_ADDRESS);
	CU_ASSERT_EQUAL(penalties_charge(p, &rules, "192.0.2.2", "bob", 1000), PENALTY_NONE);
	/* One is forgiven after each recovery time, not all at once. */
	CU_ASSERT_EQUAL(penalties_charge(p, &rules, "192.0.2.1", "bob", 1100), PENALTY_NONE);
	CU_ASSERT_EQUAL(penalties_charge(p, &rules, "192.0.2.1", "bob", 1100), PENALTY_ADDRESS);
	CU_ASSERT_EQUAL(penalties_failures(p, &rules, "192.0.2.1", 1400), 0);
	penalties_free(p);
}

static void a_user_who_is_guessed_at_gets_in_from_elsewhere(void)
{
	struct penalties *p = penalties_new();
	char address[24];
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (int i = 0; i < 4; i++) {
		snprintf(address, sizeof address, "192.0.2.%d", i);
		CU_ASSERT_EQUAL(penalties_charge(p, &rules, address, "alice", 1000), PENALTY_NONE);
	}
	/* Each of them has had its guess; the user, at another address, is not kept out. */
	CU_ASSERT_EQUAL(penalties_charge(p, &rules, "192.0.2.0", "alice", 1000), PENALTY_USER);
	CU_ASSERT_EQUAL(penalties_charge(p, &rules, "198.51.100.1", "alice", 1000), PENALTY_NONE);
	penalties_refund(p, &rules, "198.51.100.1", "alice", 1000);
	CU_ASSERT_EQUAL(penalties_charge(p, &rules, "198.51.100.1", "alice", 1000), PENALTY_NONE);
	/* Nor are other users of an address that guessed. */
	CU_ASSERT_EQUAL(penalties_charge(p, &rules, "192.0.2.0", "bob", 1000), PENALTY_NONE);
	penalties_free(p);
}

static void what_succeeds_costs_nothing(void)
{
	struct penalties *p = penalties_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(penalties_charge(p, &rules, "192.0.2.1", "alice", 1000),
				PENALTY_NONE);
		penalties_refund(p, &rules, "192.0.2.1", "alice", 1000);
	}
	CU_ASSERT_EQUAL(penalties_failures(p, &rules, "192.0.2.1", 1000), 0);
	penalties_free(p);
}

static void attempts_at_the_same_time_do_not_slip_through(void)
{
	/* Charged when they begin, so the fourth is stopped before the first has failed. */
	struct penalties *p = penalties_new();
	unsigned judged = 0;
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (int i = 0; i < 50; i++)
		judged += penalties_charge(p, &rules, "192.0.2.1", "alice", 1000) == PENALTY_NONE;
	CU_ASSERT_EQUAL(judged, 3);
	penalties_free(p);
}

static void zero_failures_means_any_number(void)
{
	static const struct penalty_rules none = {.recovery = 100};
	struct penalties *p = penalties_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (int i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(penalties_charge(p, &none, "192.0.2.1", "alice", 1000),
				PENALTY_NONE);
	penalties_free(p);
}

/* ---- Verified passwords ---- */

static void a_verified_password_is_known_for_its_secret_and_time(void)
{
	static const struct verified_login login = {"alice", "$y$secret", "wonderland"};
	static const struct verified_login others[] = {{"alice", "$y$secret", "wonderlan"},
						       {"alice", "$y$changed", "wonderland"},
						       {"bob", "$y$secret", "wonderland"},
						       {"alice$y$", "secret", "wonderland"},
						       {"alice", "$y$secretw", "onderland"}};
	struct verified *v = verified_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	CU_ASSERT_FALSE(verified_knows(v, &login, 0));
	verified_note(v, &login, 1000);
	CU_ASSERT(verified_knows(v, &login, 999));
	CU_ASSERT_FALSE(verified_knows(v, &login, 1000));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		CU_ASSERT_FALSE(verified_knows(v, &others[i], 0));
	verified_note(v, &login, 2000);
	CU_ASSERT(verified_knows(v, &login, 1999));
	verified_free(v);
}

/* ---- All together ---- */

static const struct throttle_rules standard = {
	.penalty = {.address_failures = 3, .user_failures = 3, .recovery = 1000},
	.failure_delay = 100,
	.delay_max = 250};

static struct pop3_info from(const char *peer, bool loopback)
{
	struct pop3_info info = {.loopback = loopback};
	snprintf(info.peer, sizeof info.peer, "%s", peer);
	return info;
}

static void the_no_comes_later_with_each_failure(void)
{
	struct throttle *t = throttle_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	const struct pop3_info guest = from("192.0.2.1:4711", false);
	static const uint32_t delays[] = {100, 200, 250};
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_PTR_NULL(throttle_enter(t, &standard, &guest, "alice", 1000));
		CU_ASSERT_EQUAL(throttle_delay(t, &standard, &guest, 1000), delays[i]);
	}
	CU_ASSERT_PTR_NOT_NULL(throttle_enter(t, &standard, &guest, "bob", 1000));
	CU_ASSERT_EQUAL(throttle_delay(t, &standard, &guest, 4000), 100);
	throttle_free(t);
}

static void an_address_is_one_party_whatever_its_port(void)
{
	struct throttle *t = throttle_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	const struct pop3_info v4[] = {from("192.0.2.1:1", false), from("192.0.2.1:2", false),
				       from("192.0.2.2:1", false)};
	/* RFC 4291 section 2.5.4: 64 bits are the network; customers have at least one. */
	const struct pop3_info v6[] = {from("[2001:db8::1]:1", false),
				       from("[2001:db8::ffff:2]:2", false),
				       from("[2001:db8:0:1::1]:1", false)};
	CU_ASSERT_EQUAL(throttle_party(t, &v4[0]), throttle_party(t, &v4[1]));
	CU_ASSERT_NOT_EQUAL(throttle_party(t, &v4[0]), throttle_party(t, &v4[2]));
	CU_ASSERT_EQUAL(throttle_party(t, &v6[0]), throttle_party(t, &v6[1]));
	CU_ASSERT_NOT_EQUAL(throttle_party(t, &v6[0]), throttle_party(t, &v6[2]));
	CU_ASSERT_NOT_EQUAL(throttle_party(t, NULL), 0);
	throttle_free(t);
}

static void this_machine_is_spared_unless_asked(void)
{
	struct throttle *t = throttle_new();
	struct throttle_rules strict = standard;
	strict.on_loopback = true;
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	const struct pop3_info near = from("127.0.0.1:4711", true);
	for (int i = 0; i < 100; i++)
		CU_ASSERT_PTR_NULL(throttle_enter(t, &standard, &near, "alice", 1000));
	CU_ASSERT_EQUAL(throttle_delay(t, &standard, &near, 1000), 0);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_PTR_NULL(throttle_enter(t, &strict, &near, "alice", 1000));
	CU_ASSERT_PTR_NOT_NULL(throttle_enter(t, &strict, &near, "alice", 1000));
	throttle_free(t);
}

static void the_next_login_is_counted_from_the_last(void)
{
	struct throttle *t = throttle_new();
	struct throttle_rules delayed = standard;
	delayed.login_delay = 60000;
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_FALSE(throttle_is_too_soon(t, &delayed, "alice", 1000));
	throttle_note_session(t, &delayed, "alice", 1000);
	CU_ASSERT(throttle_is_too_soon(t, &delayed, "alice", 60999));
	CU_ASSERT_FALSE(throttle_is_too_soon(t, &delayed, "alice", 61000));
	CU_ASSERT_FALSE(throttle_is_too_soon(t, &delayed, "bob", 1000));
	CU_ASSERT_FALSE(throttle_is_too_soon(t, &standard, "alice", 1000));
	throttle_free(t);
}

static const struct test tests[] = {
	TEST(a_moment_is_kept_by_its_key),
	TEST(a_full_table_forgets_the_earliest_moments),
	TEST(an_address_has_so_many_failures_at_once),
	TEST(a_user_who_is_guessed_at_gets_in_from_elsewhere),
	TEST(what_succeeds_costs_nothing),
	TEST(attempts_at_the_same_time_do_not_slip_through),
	TEST(zero_failures_means_any_number),
	TEST(a_verified_password_is_known_for_its_secret_and_time),
	TEST(the_no_comes_later_with_each_failure),
	TEST(an_address_is_one_party_whatever_its_port),
	TEST(this_machine_is_spared_unless_asked),
	TEST(the_next_login_is_counted_from_the_last),
	TEST_END,
};

const struct test_suite suite_throttle = {"throttle", tests};
