/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "tools/digits.c"
#include "tools/facts.h"

static const uint64_t numbers[] = {0, 1, 9, 10, 99, 100, 12345678901, UINT64_MAX - 1, UINT64_MAX};

static void test_decimal_is_what_printf_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char want[32], got[32];
		snprintf(want, sizeof(want), "%" PRIu64, numbers[i]);
		*digits_put(got, numbers[i]) = '\0';
		assert_string_equal(got, want);
		snprintf(want, sizeof(want), "%09" PRIu64, numbers[i] % 1000000000);
		*digits_pad(got, numbers[i], 9) = '\0';
		assert_string_equal(got, want);
	}
}

/* Every day of the 584 years that 64 bits of nanoseconds reach, at another time of the day each. */
static void test_time_is_what_the_library_says(void **state)
{
	(void)state;
	for (uint64_t day = 0; day <= UINT64_MAX / 86400000000000; day++) {
		uint64_t ts_ns = day * 86400000000000;
		uint64_t more = day * 7919 % 86400 * 1000000000 + day * 104729 % 1000000000;
		ts_ns = more > UINT64_MAX - ts_ns ? UINT64_MAX : ts_ns + more;
		time_t seconds = (time_t)(ts_ns / 1000000000);
		char want[64], got[FACTS_TIME_SIZE];
		struct tm tm;
		assert_non_null(gmtime_r(&seconds, &tm));
		size_t n = strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(want + n, sizeof(want) - n, ".%09" PRIu64 "Z", ts_ns % 1000000000);
		assert_string_equal(facts_time(ts_ns, got), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decimal_is_what_printf_says),
		cmocka_unit_test(test_time_is_what_the_library_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
