/* SPDX-License-Identifier: BSD-3-Clause */

/* When a burst of connections is said to have frozen those after it. */

#include "tests/unit/study_world.h"

#include "tools/study/bursts.c"

static const struct finding *told(void)
{
	return world_finds("connections-frozen-after-burst");
}

static void pass(unsigned n, double from, double every)
{
	for (unsigned i = 0; i < n; i++)
		world_add(from + i * every);
}

static void fail_silently(unsigned n, double from, double every)
{
	for (unsigned i = 0; i < n; i++) {
		struct attempt *a = world_add(from + i * every);
		a->end = ATTEMPT_SILENT;
		a->bits = 0;
		a->request_ns = 0;
		a->finding = &w.findings[w.a.n_attempts - 1];
	}
}

static void a_burst_is_told(void **state)
{
	(void)state;
	pass(12, 0, 1);
	fail_silently(5, 13, 8);
	pass(1, 75, 1);
	const struct finding *f = told();
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_INCONCLUSIVE);
	assert_int_equal(f->n_flows, 5);
	assert_int_equal(f->n_controls, 1);
}

static void a_server_that_went_off_is_not(void **state)
{
	(void)state;
	pass(12, 0, 1);
	fail_silently(9, 13, 8);
	assert_null(told());
}

static void few_before_are_not(void **state)
{
	(void)state;
	pass(9, 0, 1);
	fail_silently(5, 13, 8);
	pass(1, 75, 1);
	assert_null(told());
}

static void slow_ones_before_are_not(void **state)
{
	(void)state;
	pass(12, 0, 4);
	fail_silently(5, 49, 8);
	pass(1, 110, 1);
	assert_null(told());
}

static void two_losses_are_not(void **state)
{
	(void)state;
	pass(12, 0, 1);
	fail_silently(2, 13, 8);
	pass(1, 75, 1);
	assert_null(told());
}

static void a_short_outage_is_not(void **state)
{
	(void)state;
	pass(12, 0, 1);
	fail_silently(5, 13, 2);
	pass(1, 40, 1);
	assert_null(told());
}

static void a_long_one_is_not(void **state)
{
	(void)state;
	pass(12, 0, 1);
	fail_silently(5, 13, 8);
	pass(1, 140, 1);
	assert_null(told());
}

static void some_pass_meanwhile(void **state)
{
	(void)state;
	pass(12, 0, 1);
	fail_silently(2, 13, 2);
	pass(1, 18, 1);
	fail_silently(2, 20, 8);
	pass(1, 75, 1);
	assert_null(told());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_burst_is_told), WORLD_TEST(a_server_that_went_off_is_not),
		WORLD_TEST(few_before_are_not), WORLD_TEST(slow_ones_before_are_not),
		WORLD_TEST(two_losses_are_not), WORLD_TEST(a_short_outage_is_not),
		WORLD_TEST(a_long_one_is_not), WORLD_TEST(some_pass_meanwhile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
