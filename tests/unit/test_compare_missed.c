/* SPDX-License-Identifier: BSD-3-Clause */

/* What a sender's capture lacks and nothing acknowledges: a capture's gap, or a forger who stamps alike. */

#include "tools/compare/compare.c"

#include "tests/unit/compare_world.h"

/* Nothing acknowledges a reset: stamped as the server's own, it may have been. */
static void capture_missed_reset(struct world *w)
{
	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, 2050);
	uint64_t frame = got(w, WAY_DOWN, &reset, 2091);
	beside(w, 2100, 4000);
	expect(w, 1);
	expect_one(w, "two-sided-reset", VERDICT_ANOMALY, frame);
}

/* By its identification the lacking one stood between two others of its sender. */
static void capture_missed_by_id(struct world *w)
{
	struct segment g = {.flags = ACKED, .seq = 1, .ack = 6, .ip_id = 702};

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, 2050);
	through(w, WAY_DOWN, (struct segment){.flags = ACKED, .seq = 1, .ack = 5, .ip_id = 701}, 2070);
	got(w, WAY_DOWN, &g, 2091);
	g.ip_id = 703;
	g.ack = 7;
	through(w, WAY_DOWN, g, 2080);
	beside(w, 2100, 4000);
	expect(w, w->v6 ? 1 : 0);
	assert_int_equal(count(w, FATE_MISSED), w->v6 ? 0 : 1);
}

/* A capture with random gaps does not lack resets alone, of one connection after the other. */
static void forged_like_the_servers(struct world *w)
{
	beside(w, 0, 2000);
	for (uint16_t i = 0; i < 4; i++) {
		struct segment r = reset;
		uint64_t ms = 2000 + i * 500u;
		r.port = (uint16_t)(40000 + i);
		handshake(w, r.port, ms);
		through(w, WAY_UP, (struct segment){.port = r.port, .flags = PUSHED, .seq = 1, .ack = 1,
						    .text = "hello"}, ms + 50);
		got(w, WAY_DOWN, &r, ms + 91);
		beside(w, ms + 20, ms + 520);
	}
	beside(w, 4100, 9000);
	expect(w, 4);
	assert_true(finding_of(w, "two-sided-reset")->verdict >= VERDICT_LIKELY);
}

/* The receiver's card merged two segments, of which the sender's capture has the first only. */
static void merged_and_missed(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "helloworld", .len = 5}, r = g;

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	sent(w, WAY_UP, &g, 2050);
	r.ip_id = g.ip_id;
	r.len = 10;
	got(w, WAY_UP, &r, 2070);
	through(w, WAY_UP, (struct segment){.flags = PUSHED, .seq = 11, .ack = 1, .text = "more"}, 2100);
	beside(w, 2100, 4000);
	assert_int_equal(comparison_run(w->c), 0);
	assert_null(finding_of(w, "two-sided-rewrite"));
	assert_null(finding_of(w, "two-sided-injection"));
	assert_int_equal(count(w, FATE_MISSED), 1);
}

#define CASES(X)                                                                                   \
	X(capture_missed_reset) X(capture_missed_by_id) X(forged_like_the_servers) X(merged_and_missed)

CASES(DEFINE)

int main(void)
{
	const struct CMUnitTest tests[] = {CASES(ROW)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
