/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/pace.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define START UINT64_C(5000000000)
#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)

static struct pace_rate rate(const char *text)
{
	struct pace_rate r;

	assert_int_equal(pace_rate_parse(text, &r), 0);
	return r;
}

static void texts(void **state)
{
	static const char *const bad[] = {
		"", "x", "x0", "x-1", "-1pps", "1", "10 mpps", "1e3pps", "0pps", "nan", "xinf", "0x10pps",
		"1.2.3pps", ".pps", "x1pps", "Max", "10Mpps", "99999999999999999pps", "+5pps", "1,5mpps",
		"10000000gbps", "original "};
	(void)state;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pace_rate r;
		if (pace_rate_parse(bad[i], &r) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
	}
	assert_int_equal(rate("original").kind, PACE_ORIGINAL);
	assert_true(rate("original").value == 1);
	assert_true(rate("x2.5").kind == PACE_ORIGINAL && rate("x2.5").value == 2.5);
	assert_true(rate("x0.1").value == 0.1);
	assert_true(rate("1.5mpps").kind == PACE_PACKETS && rate("1.5mpps").value == 1.5e6);
	assert_true(rate("10kpps").value == 1e4);
	assert_true(rate("0.5pps").value == 0.5);
	assert_true(rate("9.5gbps").kind == PACE_BITS && rate("9.5gbps").value == 9.5e9);
	assert_true(rate("100mbps").value == 1e8);
	assert_int_equal(rate("max").kind, PACE_MAX);
}

static void gaps_of_the_capture(void **state)
{
	static const uint64_t times[] = {100 * S, 100 * S + 1, 100 * S + 7 * MS, 103 * S};
	struct pace p;
	(void)state;

	pace_start(&p, rate("original"), START);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pace_due(&p, times[i], 60), START + times[i] - 100 * S);
	pace_start(&p, rate("x2"), START);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pace_due(&p, times[i], 60), START + (times[i] - 100 * S) / 2);
	pace_start(&p, rate("x0.5"), START);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pace_due(&p, times[i], 60), START + (times[i] - 100 * S) * 2);
}

/* Clocks that jump: one packet from the future stops nothing, and time never goes back. */
static void broken_times(void **state)
{
	struct pace p;
	(void)state;

	pace_start(&p, rate("original"), START);
	assert_int_equal(pace_due(&p, 100 * S, 60), START);
	assert_int_equal(pace_due(&p, 101 * S, 60), START + S);
	assert_int_equal(pace_due(&p, 100 * S, 60), START + S);
	assert_int_equal(pace_due(&p, 4000000 * S, 60), START + S);
	assert_int_equal(pace_due(&p, 102 * S, 60), START + 2 * S);
	assert_int_equal(pace_due(&p, 0, 60), START + 2 * S);
	assert_int_equal(pace_due(&p, UINT64_MAX, 60), START + 2 * S);
	/* Very slow is late, and not wrapped round to early. */
	pace_start(&p, rate("x0.001"), START);
	pace_due(&p, 0, 60);
	assert_int_equal(pace_due(&p, 3600 * S, 60), START + 3600000 * S);
}

static void loops_go_on_at_the_mean_gap(void **state)
{
	struct pace p;
	(void)state;

	pace_start(&p, rate("original"), START);
	for (unsigned loop = 0; loop < 3; loop++) {
		for (unsigned i = 0; i < 5; i++)
			assert_int_equal(pace_due(&p, 100 * S + i * i * MS, 60),
					 START + loop * 20 * MS + i * i * MS);
		pace_seam(&p); /* 16 ms in four gaps: four more until the next */
	}
	pace_seam(&p); /* an empty capture changes nothing */
	assert_int_equal(pace_due(&p, 7 * S, 60), START + 60 * MS);
	pace_seam(&p); /* nor has one packet a gap */
	assert_int_equal(pace_due(&p, 9 * S, 60), START + 60 * MS);
}

static void packets_a_second(void **state)
{
	struct pace p;
	(void)state;

	pace_start(&p, rate("3pps"), START);
	for (unsigned i = 0; i < 30; i++) {
		if (i == 10)
			pace_seam(&p);
		assert_int_equal(pace_due(&p, 5, 60), START + i * S / 3);
	}
	/* No drift: each from the start, not from the one before. */
	pace_start(&p, rate("1.4881mpps"), START);
	for (unsigned i = 0; i < 1488100; i++)
		pace_due(&p, 5, 60);
	assert_int_equal(pace_due(&p, 5, 60), START + S);
}

/* 10 Mb/s Ethernet: 14,880.95 frames of 60 bytes a second, 812.74 of 1,514 (RFC 2544 has 14,880). */
static void bits_a_second(void **state)
{
	struct pace p;
	(void)state;

	pace_start(&p, rate("10mbps"), START);
	pace_due(&p, 0, 60);
	assert_int_equal(pace_due(&p, 0, 60), START + 67200);
	assert_int_equal(pace_due(&p, 0, 42), START + 2 * 67200); /* padded on the wire */
	assert_int_equal(pace_due(&p, 0, 1514), START + 3 * 67200);
	assert_int_equal(pace_due(&p, 0, 60), START + 3 * 67200 + 1230400);
}

static void as_fast_as_it_goes(void **state)
{
	struct pace p;
	(void)state;

	pace_start(&p, rate("max"), START);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(pace_due(&p, i * S, 1000), START);
}

static void quantiles(void **state)
{
	static struct pace_errors e, f;
	(void)state;

	memset(&e, 0, sizeof(e));
	memset(&f, 0, sizeof(f));
	assert_int_equal(pace_errors_quantile(&e, 0.5), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		pace_errors_add(i % 2 ? &e : &f, START, START + i * 1000);
	pace_errors_add(&f, START, START - 5 * S);
	pace_errors_merge(&e, &f);
	assert_int_equal(e.n, 1001);
	assert_int_equal(e.early, 1);
	assert_int_equal(e.max_ns, 5 * S);
	assert_in_range(pace_errors_quantile(&e, 0.5), 500000, 500000 + 500000 / 30);
	assert_in_range(pace_errors_quantile(&e, 0.99), 990000, 990000 + 990000 / 30);
	assert_int_equal(pace_errors_quantile(&e, 1), 5 * S);
	/* Small errors are exact. */
	memset(&f, 0, sizeof(f));
	for (uint64_t i = 0; i < 32; i++)
		pace_errors_add(&f, START, START + i);
	assert_int_equal(pace_errors_quantile(&f, 0.5), 16);
	pace_errors_add(&f, 0, UINT64_MAX);
	assert_int_equal(pace_errors_quantile(&f, 1), UINT64_MAX);
}

/* Every value is in the bucket that says so. */
static void buckets(void **state)
{
	(void)state;
	for (unsigned shift = 0; shift < 39; shift++) {
		for (unsigned i = 0; i < 64; i++) {
			uint64_t v = (UINT64_C(1) << shift) + ((UINT64_C(1) << shift) * i / 64);
			unsigned b = bucket_of(v);
			assert_true(v <= bucket_top(b));
			assert_true(b == 0 || v > bucket_top(b - 1));
			assert_true(bucket_top(b) - v <= v / 32);
		}
	}
	assert_int_equal(bucket_of(UINT64_MAX), PACE_BUCKETS - 1);
}

static void never_early(void **state)
{
	struct pace_sleeper s;
	(void)state;

	pace_sleeper_start(&s);
	for (unsigned i = 0; i < 50; i++) {
		uint64_t due = pace_now() + i * 40000;
		uint64_t now = pace_wait(&s, due);
		assert_true(now >= due && pace_now() >= now);
		assert_in_range(s.margin_ns, MARGIN_MIN_NS, MARGIN_MAX_NS);
	}
	assert_true(pace_wait(&s, 0) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(gaps_of_the_capture),
		cmocka_unit_test(broken_times),
		cmocka_unit_test(loops_go_on_at_the_mean_gap),
		cmocka_unit_test(packets_a_second),
		cmocka_unit_test(bits_a_second),
		cmocka_unit_test(as_fast_as_it_goes),
		cmocka_unit_test(quantiles),
		cmocka_unit_test(buckets),
		cmocka_unit_test(never_early),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
