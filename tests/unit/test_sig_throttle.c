/* SPDX-License-Identifier: BSD-3-Clause */

/* What is said of a rate, from the facts of a log (test_rate.c) on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "classifiers/tamper/sig_throttle.c"

struct rate_case {
	const char *name;
	struct rate_facts facts;
	const char *says; /* "ID: value" of each that matches, in order, joined by "; " */
};

#define POLICED .form = RATE_POLICED, .loss = 0.1, .n_lost = 20, .n_passed = 180, .frame = 7
#define LOSSES "10.0 % of 200 segments lost"

static const struct rate_case cases[] = {
	{"nothing held it to a rate", {.form = RATE_NONE, .rate_bps = 140e3}, ""},
	{"policed", {POLICED, .rate_bps = 1e6, .burst_bytes = 30000},
	 "rate-policed: 1.00 Mbit/s after 30000 bytes, " LOSSES},
	{"as seen from behind", {POLICED, .gaps = true, .rate_bps = 1e6, .burst_bytes = 30000},
	 "rate-policed: 1.00 Mbit/s after 30000 bytes, 10.0 % of 200 segments missing on arrival"},
	{"by a small bucket", {POLICED, .bounded = true, .rate_bps = 2e5, .burst_bytes = 8000},
	 "rate-policed-small: 200 kbit/s with a bucket of at least 8000 bytes, " LOSSES},
	{"by one whose size does not show", {POLICED, .bounded = true, .rate_bps = 2e5},
	 "rate-policed-small: 200 kbit/s with a bucket of unknown size, " LOSSES},
	{"shaped", {.form = RATE_SHAPED, .rate_bps = 8e6, .inflated_ms = 90.4},
	 "rate-shaped: 8.00 Mbit/s throughout, packets 90 ms longer under way than the quickest"},
	{"by size", {.form = RATE_BY_SIZE, .loss = 0.125, .size = 1000, .rate_bps = 140e3},
	 "rate-by-size: 12.5 % of the segments above 1000 bytes lost, none or few below"},
	/* Of the two rates that were published, and right beside them. */
	{"as in Russia in 2021", {POLICED, .rate_bps = 140e3, .burst_bytes = 9000},
	 "rate-policed: 140 kbit/s after 9000 bytes, " LOSSES
	 "; rate-known: 130-150 kbit/s, as of Twitter in Russia in 2021"},
	{"slower", {.form = RATE_SHAPED, .rate_bps = 129e3, .inflated_ms = 300},
	 "rate-shaped: 129 kbit/s throughout, packets 300 ms longer under way than the quickest"},
	{"faster", {.form = RATE_SHAPED, .rate_bps = 151e3, .inflated_ms = 300},
	 "rate-shaped: 151 kbit/s throughout, packets 300 ms longer under way than the quickest"},
	{"650 bytes a second", {POLICED, .rate_bps = 5200, .burst_bytes = 9000},
	 "rate-policed: 5200 bit/s after 9000 bytes, " LOSSES
	 "; rate-known: 600-700 B/s, as of some names in Russia"},
	{"720", {POLICED, .rate_bps = 5760, .burst_bytes = 9000},
	 "rate-policed: 5760 bit/s after 9000 bytes, " LOSSES},
};

static void check(void **state)
{
	const struct rate_case *c = *state;
	struct rate_facts facts = c->facts;
	struct evidence_more more = {.rate = &facts};
	struct evidence ev = {.more = &more};
	struct view v = {.ev = &ev};
	char said[400] = "";
	for (const struct signature *s = sig_throttle; s->id != NULL; s++) {
		struct testimony t = {.frame = 0};
		if (!s->match(&v, s, &t))
			continue;
		/* A measurement: a rate by itself accuses nobody. */
		assert_int_equal(t.grade, GRADE_D1);
		assert_int_equal(t.frame, facts.frame);
		size_t n = strlen(said);
		snprintf(said + n, sizeof(said) - n, "%s%s: %s", n != 0 ? "; " : "", s->id, t.value);
	}
	assert_string_equal(said, c->says);
}

static void a_flow_without_a_log_says_nothing(void **state)
{
	struct evidence ev = {.rate_refused = true};
	struct view v = {.ev = &ev};
	(void)state;
	for (const struct signature *s = sig_throttle; s->id != NULL; s++) {
		struct testimony t = {.frame = 0};
		assert_false(s->match(&v, s, &t));
		assert_non_null(t.untestable);
	}
}

int main(void)
{
	enum { N = sizeof(cases) / sizeof(cases[0]) };
	struct CMUnitTest tests[N + 1];
	for (unsigned i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){.name = cases[i].name, .test_func = check,
					       .initial_state = (void *)(uintptr_t)&cases[i]};
	tests[N] = (struct CMUnitTest)cmocka_unit_test(a_flow_without_a_log_says_nothing);
	return _cmocka_run_group_tests("sig_throttle", tests, N + 1, NULL, NULL);
}
