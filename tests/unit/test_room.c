/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * test_room CAPTURE...: what flows that ended leave stays within analysis_config.room; what does not
 * fit is counted, and findings get room that mere records must leave.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "classifiers/shard.h"
#include "dataplane/source.h"

/* More than a flow of these captures leaves, its finding included. */
#define FLOW_MOST 32768u

struct outcome {
	struct inspector_stats counts;
	uint64_t created;
	size_t n_flows, n_findings, used;
};

static const char *const *captures;
static unsigned n_captures;

static struct outcome run(unsigned capture, size_t room, bool all_flows)
{
	struct analysis_config cfg = {.no_ndpi = true, .all_flows = all_flows, .room = room};
	struct source_config from = {.files = &captures[capture], .n_files = 1};
	struct pipeline_config pipe = {.workers = 1};
	struct pipeline_stats stats;
	struct analysis *a;
	struct source *src;
	char why[320];

	assert_int_equal(analysis_new(&a, &cfg), 0);
	assert_int_equal(analysis_begin(a, &captures[capture], 1), 0);
	assert_int_equal(source_open(&src, NULL, &from, why, sizeof(why)), 0);
	assert_int_equal(pipeline_run(src, analysis_hooks(a), &pipe, &stats), 0);
	assert_int_equal(analysis_end(a, &stats, 0), 0);
	assert_int_equal(analysis_judge(a), 0);
	struct outcome o = {.counts = a->captures[0].inspector, .created = stats.flows.created,
			    .n_flows = a->n_flows, .n_findings = a->n_findings,
			    .used = ((struct inspector *)(void *)a)->room_used};
	source_close(src);
	analysis_free(a);
	return o;
}

static void assert_whole(const struct outcome *o)
{
	assert_true(o->n_findings > 2 && o->n_flows == o->created);
	assert_int_equal(o->counts.not_listed + o->counts.not_kept + o->counts.not_judged, 0);
}

static void without_a_limit_all_is_kept(void **state)
{
	(void)state;
	for (unsigned i = 0; i < n_captures; i++) {
		struct outcome o = run(i, 0, true), wide = run(i, (size_t)1 << 30, true);
		assert_whole(&o);
		assert_whole(&wide);
		assert_int_equal(o.n_findings, wide.n_findings);
		assert_true(wide.used > wide.n_findings * sizeof(struct finding));
	}
}

static void what_does_not_fit_is_counted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < n_captures; i++) {
		const struct outcome whole = run(i, 0, true);
		for (size_t room = 1; room < whole.n_findings * FLOW_MOST; room *= 4) {
			struct outcome o = run(i, room, true);
			assert_true(o.used < room + FLOW_MOST);
			assert_int_equal(o.n_flows + o.counts.not_listed, o.created);
			assert_true(o.n_findings + o.counts.not_judged + o.counts.not_kept >=
				    whole.n_findings);
		}
		struct outcome least = run(i, 1, true);
		assert_true(least.n_findings < whole.n_findings && least.counts.not_judged > 0);
	}
}

/* The list of flows fills its half and no more. */
static void findings_go_before_lists(void **state)
{
	(void)state;
	for (unsigned i = 0; i < n_captures; i++) {
		struct outcome some = run(i, (size_t)1 << 30, false);
		struct outcome o = run(i, some.used + 1, true);
		assert_true(o.counts.not_listed > 0);
		assert_int_equal(run(i, some.used + 1, false).n_findings, some.n_findings);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_limit_all_is_kept),
		cmocka_unit_test(what_does_not_fit_is_counted),
		cmocka_unit_test(findings_go_before_lists),
	};

	captures = (const char *const *)argv + 1;
	n_captures = (unsigned)argc - 1;
	return n_captures != 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
