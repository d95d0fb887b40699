/* SPDX-License-Identifier: BSD-3-Clause */

/* What a try says of the server's stack, and which capture it is of. */

#include "classifiers/attempt.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "classifiers/inspector.h"

#define T0_NS 1700000000000000000ull
#define MS 1000000ll

/* Only where the first SYN is the one that was answered, and the clock went on in between. */
static void round_trips(void **state)
{
	static const struct {
		const char *what;
		int64_t apart_ns;
		bool resent;
		uint32_t rtt_us;
	} rows[] = {
		{"as ever", 40 * MS, false, 40000},
		{"a SYN that was sent again", 40 * MS, true, 0},
		{"a clock that was set back", -40 * MS, false, 0},
		{"the same time", 0, false, 0},
		{"a clock that was set forward by two hours", 7200000 * MS, false, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event e[2] = {
			{.ts_ns = T0_NS, .flags = TCP_SYN},
			{.ts_ns = T0_NS + (uint64_t)rows[i].apart_ns, .flags = TCP_SYN | TCP_ACK,
			 .bits = EVENT_S2C, .ttl = 57},
		};
		struct evidence ev = {.events = e, .n_events = 2};
		struct attempt a = {.ttl = 0};
		ev.half[DIR_C2S].n_syn = rows[i].resent ? 2 : 1;
		handshake(&a, &ev);
		assert_int_equal(a.ttl, 57);
		if (a.rtt_us != rows[i].rtt_us)
			fail_msg("%s: %u us", rows[i].what, a.rtt_us);
	}
}

/* A long upload, of which more is kept than there is room for: its answer is counted, and not among it. */
static void answers_that_are_not_kept(void **state)
{
	static const struct {
		unsigned n_data;
		int64_t reset_ns;
		enum attempt_end end;
	} rows[] = {
		{0, 0, ATTEMPT_SILENT}, {2, 0, ATTEMPT_OK},	  {2, 9000 * MS, ATTEMPT_OK},
		{2, 50 * MS, ATTEMPT_RESET},  {0, 50 * MS, ATTEMPT_RESET},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event e[2] = {
			{.ts_ns = T0_NS, .flags = TCP_ACK, .len = 1448},
			{.ts_ns = T0_NS + (uint64_t)rows[i].reset_ns, .flags = TCP_RST, .bits = EVENT_S2C},
		};
		struct evidence ev = {.events = e, .n_events = rows[i].reset_ns != 0 ? 2 : 1};
		const struct app_facts facts = {.tls = NULL};
		struct attempt a = {.ttl = 0};
		ev.half[DIR_S2C] = (struct half){.seen = true, .syn = true, .n_data = rows[i].n_data,
						 .first_data_ns = T0_NS + 8000 * MS};
		tcp_end(&a, &ev, &facts);
		assert_int_equal(a.end, rows[i].end);
		if (a.end == ATTEMPT_OK)
			assert_int_equal(a.end_ns, T0_NS + 8000 * MS);
	}
}

/* Reports of many captures are merged, each of which brings thousands. */
static void many_captures(void **state)
{
	enum { N = 65537 };
	const struct analysis_config cfg = {.all_flows = true};
	struct analysis *a;
	(void)state;
	assert_int_equal(analysis_new(&a, &cfg), 0);
	for (unsigned i = 0; i < N; i++) {
		struct attempt one = {.flow_id = 4};
		struct judged_capture j = {.attempts = &one, .n_attempts = i == 0 || i == N - 1};
		assert_int_equal(analysis_take(a, &j), 0);
	}
	assert_int_equal(a->n_attempts, 2);
	assert_int_equal(a->attempts[0].capture, 0);
	assert_int_equal(a->attempts[1].capture, N - 1);
	analysis_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(answers_that_are_not_kept),
		cmocka_unit_test(many_captures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
