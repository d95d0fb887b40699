/* SPDX-License-Identifier: BSD-3-Clause */

/* The pipeline on sources that go on though nothing comes. */

#include "dataplane/pipeline.c"
#include "tests/unit/pipeline_run.h"

/* While nothing comes, flows end by the source's clock, a second late; the capture's own end stays. */
static void time_passes_while_nothing_comes(void **state)
{
	static const struct {
		uint64_t now_ns;
		enum flow_end end;
	} cases[] = {
		{.now_ns = 0, .end = FLOW_END_EOF}, /* a file's clock does not run ahead */
		{.now_ns = T0, .end = FLOW_END_EOF},
		{.now_ns = T0 + 7200 * SECOND_NS, .end = FLOW_END_TIMEOUT},
	};
	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		static struct source src;
		struct outcome o = {.n_new = 0};
		struct pipeline_config cfg = {.workers = i % 2 == 0 ? 1 : 4};
		for (unsigned k = 0; k < 40; k++)
			rows[k] = (struct row){.ts_ns = T0, .h = udp(k, 1, k + 1, 2)};
		src = (struct source){.rows = rows, .n = 40, .n_queues = 1, .stutter = 2,
				      .now_ns = cases[i / 2].now_ns};
		struct pipeline_stats st = run(&src, &cfg, &o, 0);
		assert_int_equal(st.flows.ended[cases[i / 2].end], 40);
		assert_int_equal(st.last_ns, T0);
	}
}

struct tapped {
	uint64_t last, n;
	unsigned calls;
};

static void tap(void *user, const struct packet pkts[], unsigned n)
{
	struct tapped *t = user;
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(pkts[i].frame, ++t->last);
	t->n += n;
}

static void told(void *user, const struct source_stats *st, uint64_t now_ns)
{
	(void)st;
	(void)now_ns;
	((struct tapped *)user)->calls++;
}

/* A tap sees all of them in their order, and word of the progress comes also from a quiet source. */
static void a_tap_sees_every_packet(void **state)
{
	static struct source src;
	struct outcome o = {.n_new = 0};
	struct tapped t = {.n = 0};
	struct pipeline_config cfg = {.batch = 8, .workers = 2, .tap = tap, .tap_user = &t,
				      .progress = told, .progress_user = &t};
	(void)state;
	for (unsigned k = 0; k < 100; k++)
		rows[k] = (struct row){.ts_ns = T0, .h = udp(k, 1, k + 1, 2)};
	src = (struct source){.rows = rows, .n = 100, .n_queues = 1, .stutter = 5};
	run(&src, &cfg, &o, 0);
	assert_int_equal(t.n, 100);
	assert_true(t.calls >= 1);
}

/* Statistics cost system calls: a source that is quiet is not asked for them all the time. */
static void a_quiet_source_is_left_alone(void **state)
{
	static struct source src;
	struct outcome o = {.n_new = 0};
	struct tapped t = {.n = 0};
	struct pipeline_config cfg = {.batch = 1, .progress = told, .progress_user = &t};
	(void)state;
	for (unsigned k = 0; k < 50; k++)
		rows[k] = (struct row){.ts_ns = T0, .h = udp(k, 1, k + 1, 2)};
	src = (struct source){.rows = rows, .n = 50, .n_queues = 1, .stutter = 2};
	uint64_t began = clock_ns(CLOCK_MONOTONIC);
	run(&src, &cfg, &o, 0);
	uint64_t took = clock_ns(CLOCK_MONOTONIC) - began;
	assert_true(took > 20 * MS && t.calls >= 1 && t.calls <= 1 + took / (50 * MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_passes_while_nothing_comes),
		cmocka_unit_test(a_tap_sees_every_packet),
		cmocka_unit_test(a_quiet_source_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
