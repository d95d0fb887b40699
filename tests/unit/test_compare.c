/* SPDX-License-Identifier: BSD-3-Clause */

/* What a box did to packets on their way: made, taken, changed; and losses that accuse nobody. */

#include "tools/compare/compare.c"

#include "tests/unit/compare_world.h"

/* From a box ten hops nearer to the client than the server is. */
static const struct segment forged = {.flags = TCP_RST | TCP_ACK, .seq = 1, .ack = 6, .ttl = 74,
				      .ip_id = 0};

static void forged_reset(struct world *w)
{
	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, 2050);
	uint64_t frame = got(w, WAY_DOWN, &forged, 2060);
	beside(w, 2100, 4000);
	expect(w, 1);
	expect_one(w, "two-sided-reset", VERDICT_CONFIRMED, frame);
	assert_int_equal(finding_of(w, "two-sided-reset")->family, FAMILY_TCP_INJECTION);
}

static void through_a_translator(struct world *w)
{
	w->nat = 1234;
	w->clock_ms = -3600000;
	forged_reset(w);
	assert_int_equal(comparison_totals(w->c, WAY_UP)->changed[10],
			 comparison_totals(w->c, WAY_UP)->fates[FATE_SAME]);
	assert_int_equal(comparison_clock(w->c)->offset_ns, -3600000 * (int64_t)MS);
}

/* The server's own reset, only later: the one that came too soon is the forged one. */
static void forged_to_the_last_bit(struct world *w)
{
	struct segment same = reset;

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, 2050);
	same.ip_id = 7;
	uint64_t frame = got(w, WAY_DOWN, &same, 2063);
	sent(w, WAY_DOWN, &same, 2071);
	got(w, WAY_DOWN, &same, 2091);
	beside(w, 2100, 4000);
	expect(w, 1);
	/* Of two resets that nothing tells apart the capture may have missed the first. */
	expect_one(w, "two-sided-reset", w->v6 ? VERDICT_ANOMALY : VERDICT_CONFIRMED, frame);
}

/* The connection had ended by then: a load balancer's habit. */
static void reset_when_over(struct world *w)
{
	struct segment late = reset;

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.flags = TCP_FIN | TCP_ACK, .seq = 1, .ack = 1}, 2050);
	through(w, WAY_DOWN, (struct segment){.flags = TCP_FIN | TCP_ACK, .seq = 1, .ack = 2}, 2071);
	late.seq = late.ack = 2;
	uint64_t frame = got(w, WAY_DOWN, &late, 2200);
	beside(w, 2100, 4000);
	expect(w, 1);
	expect_one(w, "two-sided-reset", VERDICT_ANOMALY, frame);
}

/* One loss, and the copy arrives: a fact, and no accusation. */
static void lost_once(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, again = g;

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	uint64_t frame = sent(w, WAY_UP, &g, 2050);
	beside(w, 2000, 2250);
	/* Without an identification nothing tells the copies apart but the time that a packet takes. */
	sent(w, WAY_UP, &again, 2300);
	got(w, WAY_UP, &again, 2320);
	beside(w, 2350, 4000);
	expect(w, 1);
	expect_one(w, "two-sided-loss", VERDICT_INCONCLUSIVE, frame);
}

static void every_copy(struct world *w, unsigned copies, bool controls)
{
	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	for (unsigned i = 0; i < copies; i++) {
		struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"};
		sent(w, WAY_UP, &g, 2050 + i * 300);
		if (controls)
			beside(w, 2050 + i * 300, 2350 + i * 300);
	}
	beside(w, 2350 + copies * 300, 6000);
	assert_int_equal(comparison_run(w->c), 0);
}

static void dropped_for_good(struct world *w)
{
	every_copy(w, 5, true);
	assert_int_equal(count(w, FATE_DROPPED), 5);
	assert_int_equal(finding_of(w, "two-sided-drop")->verdict, VERDICT_LIKELY);
	assert_int_equal(finding_of(w, "two-sided-drop")->n_packets, 5);
	assert_int_equal(finding_of(w, "two-sided-drop")->family, FAMILY_SILENT_DROP);
}

/* Nothing else went through meanwhile: the link may have been down. */
static void dropped_in_an_outage(struct world *w)
{
	every_copy(w, 5, false);
	assert_int_equal(count(w, FATE_DROPPED), 5);
	assert_null(finding_of(w, "two-sided-drop"));
	assert_int_equal(finding_of(w, "two-sided-loss")->verdict, VERDICT_INCONCLUSIVE);
}

static char large_text[1200];

/* A route that carried large packets before, and does not now; others of them may go another way. */
static void large_ones_stuck(struct world *w, bool another_passes)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = large_text, .len = 1200};

	memset(large_text, 'x', sizeof(large_text));
	beside(w, 0, 1000);
	handshake(w, 40001, 1000);
	g.port = 40001;
	through(w, WAY_UP, g, 1100);
	handshake(w, 0, 2000);
	for (unsigned i = 0; i < 5; i++) {
		g = (struct segment){.flags = PUSHED, .seq = 1, .ack = 1, .text = large_text, .len = 1200};
		sent(w, WAY_UP, &g, 2050 + i * 300);
		through(w, WAY_UP, (struct segment){.flags = ACKED, .seq = 1201, .ack = 1 + (int32_t)i},
			2100 + i * 300);
		g.port = 40001;
		g.seq = 1201 + 1200 * (int32_t)i;
		g.ip_id = 0;
		if (another_passes)
			through(w, WAY_UP, g, 2200 + i * 300);
		beside(w, 2050 + i * 300, 2350 + i * 300);
	}
	beside(w, 4000, 8000);
	assert_int_equal(comparison_run(w->c), 0);
	assert_int_equal(count(w, FATE_DROPPED), 5);
	const struct finding *f = finding_of(w, another_passes ? "two-sided-drop" : "two-sided-loss");
	assert_non_null(f);
	assert_int_equal(f->verdict, another_passes ? VERDICT_LIKELY : VERDICT_INCONCLUSIVE);
}

static void too_large_for_the_path(struct world *w)
{
	large_ones_stuck(w, false);
}

static void dropped_while_as_large_passed(struct world *w)
{
	large_ones_stuck(w, true);
}

static void swapped(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "0123456789", .ip_id = 700};

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	sent(w, WAY_UP, &g, 2050);
	g.text = "8923456701";
	uint64_t frame = got(w, WAY_UP, &g, 2070);
	beside(w, 2100, 4000);
	expect(w, 1);
	expect_one(w, "two-sided-tamper-swap", VERDICT_CONFIRMED, frame);
	assert_int_equal(finding_of(w, "two-sided-tamper-swap")->compare->packets[0].frame[SIDE_CLIENT],
			 w->c->view[SIDE_CLIENT].d[w->c->view[SIDE_SERVER].d[frame - 1].peer].frame);
}

/* A ServerHello that arrives as a reset, number and identification kept. */
static void became_a_reset(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 6, .text = "server hello", .ip_id = 600};

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, 2050);
	sent(w, WAY_DOWN, &g, 2071);
	g.flags = TCP_RST | TCP_ACK;
	g.text = NULL;
	uint64_t frame = got(w, WAY_DOWN, &g, 2091);
	beside(w, 2100, 4000);
	/* IPv6 has no identification that would make the two one. */
	expect(w, w->v6 ? 2 : 1);
	if (!w->v6)
		expect_one(w, "two-sided-rst-rewrite", VERDICT_CONFIRMED, frame);
}

/* All of one segment's copies are lost, and half of what another connection sends then: an empty bucket. */
static void policed(struct world *w)
{
	beside(w, 0, 2000);
	handshake(w, 39500, 1000);
	handshake(w, 40000, 2000);
	for (unsigned i = 0; i < 80; i++) {
		struct segment g = {.port = 39500, .flags = PUSHED, .seq = 1 + (int32_t)(8 * i), .ack = 1,
				    .text = "a letter"};
		sent(w, WAY_DOWN, &g, 3000 + 50 * i);
		if (i % 2 == 0)
			got(w, WAY_DOWN, &g, 3020 + 50 * i);
	}
	for (unsigned i = 0; i < 5; i++) {
		struct segment copy = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"};
		sent(w, WAY_DOWN, &copy, 3001 + 200 * (1u << i));
	}
	beside(w, 2000, 40000);
	assert_int_equal(comparison_run(w->c), 0);
	assert_null(finding_of(w, "two-sided-drop"));
	assert_non_null(finding_of(w, "two-sided-loss"));
}

#define CASES(X)                                                                                   \
	X(policed) X(forged_reset) X(through_a_translator) X(forged_to_the_last_bit)                \
	X(reset_when_over) X(lost_once) X(dropped_for_good) X(dropped_in_an_outage)                \
	X(too_large_for_the_path) X(dropped_while_as_large_passed) X(swapped) X(became_a_reset)
CASES(DEFINE)

int main(void)
{
	const struct CMUnitTest tests[] = {CASES(ROW)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
