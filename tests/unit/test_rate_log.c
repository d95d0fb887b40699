/* SPDX-License-Identifier: BSD-3-Clause */

/* Which segments a log holds, what it takes for lost, and what happens when there is no room. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "classifiers/tamper/rate_log.c"

#define BASE 0xfffff000u /* sequence numbers wrap early on */

struct line {
	struct rate_pool pool;
	struct evidence ev;
	uint64_t frame;
};

static void line_open(struct line *l, size_t budget)
{
	memset(l, 0, sizeof(*l));
	l->pool.budget = budget;
	l->pool.goodput_budget = 1 << 20;
	struct half *s = &l->ev.half[DIR_S2C];
	s->first_seq = s->next = BASE;
	s->n_data = 1;
	s->n_retx = RATE_EARN_RETX;
	l->ev.half[DIR_C2S] = (struct half){.has_mss = true, .mss = 1460};
}

static void send_at(struct line *l, double ms, enum dir dir, struct headers h)
{
	struct packet pkt = {.ts_ns = 1000000000u + (uint64_t)(ms * 1e6), .frame = ++l->frame};
	h.flags |= TCP_ACK;
	if (rate_wants(&l->ev, dir, &h))
		rate_packet(&l->pool, &l->ev, dir, &pkt, &h);
}

static void data(struct line *l, double ms, uint32_t seq, uint32_t len)
{
	send_at(l, ms, DIR_S2C, (struct headers){.seq = BASE + seq, .payload_len = len});
}

static void ack(struct line *l, double ms, uint32_t to, uint32_t left, uint32_t right)
{
	struct headers h = {.ack = BASE + to};
	if (right != 0) {
		h.n_sack = 1;
		h.sack[0] = BASE + left;
		h.sack[1] = BASE + right;
	}
	send_at(l, ms, DIR_C2S, h);
}

/* The log as "seq+len bits", lost ones with a cross; what was acknowledged with its time in ms. */
static const char *said(struct line *l)
{
	static char out[512];
	const struct rate_log *log = l->ev.rate;
	struct rate_trace t = {.n = log->n, .seg = calloc(log->n, sizeof(*t.seg))};
	size_t n = 0;
	assert_non_null(t.seg);
	for (unsigned i = 0; i < log->n; i++)
		t.seg[i] = *seg_at(log, i);
	assert_true(rate_mark(&t));
	out[0] = '\0';
	for (unsigned i = 0; i < t.n && n < sizeof(out); i++) {
		const struct rate_segment *s = &t.seg[i];
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%u+%u%s%s%s", i != 0 ? " " : "",
				      s->seq, s->len, (s->bits & RATE_HOLE) != 0 ? "h" : "",
				      (s->bits & RATE_RETX) != 0 ? "r" : "",
				      (s->bits & RATE_LOST) != 0 ? "x" : "");
		if (s->ack_us != RATE_UNACKED)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "@%u", s->ack_us / 1000);
	}
	free(t.seg);
	return out;
}

static void line_close(struct line *l)
{
	rate_drop(&l->pool, &l->ev);
	assert_null(l->ev.rate);
	evidence_free(&l->ev, NULL);
	rate_pool_free(&l->pool);
	assert_int_equal(l->pool.used, 0);
}

static void only_flows_that_earn_it_have_a_log(void **state)
{
	struct line l;
	(void)state;
	line_open(&l, 1 << 20);
	l.ev.half[DIR_S2C].n_retx = RATE_EARN_RETX - 1;
	data(&l, 0, 0, 1460);
	assert_null(l.ev.rate);
	l.ev.half[DIR_S2C].next = BASE + RATE_EARN_BYTES - 1;
	data(&l, 0, 0, 1460);
	assert_null(l.ev.rate);
	l.ev.half[DIR_S2C].next = BASE + RATE_EARN_BYTES;
	data(&l, 0, RATE_EARN_BYTES, 1460);
	assert_non_null(l.ev.rate);
	assert_int_equal(l.pool.logs, 1);
	line_close(&l);
}

static void what_is_sent_again_was_lost(void **state)
{
	struct line l;
	(void)state;
	line_open(&l, 1 << 20);
	data(&l, 0, 0, 1460);
	data(&l, 1, 1460, 1460);
	data(&l, 2, 2920, 1460);
	ack(&l, 100, 1460, 2920, 4380);
	data(&l, 101, 1460, 1460);
	ack(&l, 200, 4380, 0, 0);
	assert_string_equal(said(&l), "0+1460@100 1460+1460x@199 2920+1460@98 1460+1460r@99");
	line_close(&l);
}

static void what_came_twice_was_not(void **state)
{
	struct line l;
	(void)state;
	line_open(&l, 1 << 20);
	data(&l, 0, 0, 1460);
	data(&l, 1, 1460, 1460);
	data(&l, 90, 0, 1460);
	ack(&l, 190, 2920, 0, 1460);
	assert_string_equal(said(&l), "0+1460@190 1460+1460@189 0+1460r@100");
	line_close(&l);
}

static void reordering_is_no_loss(void **state)
{
	struct line l;
	(void)state;
	line_open(&l, 1 << 20);
	data(&l, 0, 0, 1460);
	data(&l, 1, 2920, 1460);
	/* Of another of the card's queues: later in the file and earlier in time. */
	data(&l, 0.9, 1460, 1460);
	assert_string_equal(said(&l), "0+1460 1460+1460h 2920+1460 1460+1460r");
	data(&l, 2, 5840, 1460);
	data(&l, 2.5, 4380, 1460);
	assert_null(strchr(said(&l), 'x'));
	line_close(&l);
}

static void a_hole_that_is_filled_late_was_lost(void **state)
{
	struct line l;
	(void)state;
	line_open(&l, 1 << 20);
	data(&l, 0, 0, 1460);
	data(&l, 1, 4380, 1460);
	data(&l, 101, 1460, 1460);
	assert_string_equal(said(&l), "0+1460 1460+1460hx 2920+1460h 4380+1460 1460+1460r");
	line_close(&l);
}

/* What a hole held came at times of its own: but reordering counts from when the hole showed. */
static void a_hole_lies_between_its_neighbours(void **state)
{
	struct line l;
	(void)state;
	line_open(&l, 1 << 20);
	data(&l, 0, 0, 1448);
	data(&l, 90, 3 * 1448, 1448);
	const struct rate_log *log = l.ev.rate;
	assert_int_equal(log->n, 4);
	assert_int_equal(seg_at(log, 1)->ts_ns - seg_at(log, 0)->ts_ns, 30000000);
	assert_int_equal(seg_at(log, 2)->ts_ns - seg_at(log, 0)->ts_ns, 60000000);
	data(&l, 91, 1448, 1448);
	data(&l, 190, 2 * 1448, 1448);
	assert_int_equal(seg_at(log, 1)->bits, RATE_HOLE);
	assert_int_equal(seg_at(log, 2)->bits, RATE_HOLE | RATE_FILLED);
	line_close(&l);
}

static void stamps_are_kept_while_all_have_them(void **state)
{
	struct line l;
	(void)state;
	line_open(&l, 1 << 20);
	struct headers h = {.seq = BASE, .payload_len = 1448, .has_ts = true, .tsval = 77};
	/* The first was cut short within its option. */
	l.ev.n_events = 2;
	l.ev.events = calloc(2, sizeof(*l.ev.events));
	assert_non_null(l.ev.events);
	for (unsigned i = 0; i < 2; i++)
		l.ev.events[i] = (struct event){.ts_ns = 5 + i, .tsval = 70 * i,
						.bits = EVENT_S2C | EVENT_TS};
	send_at(&l, 0, DIR_S2C, h);
	struct rate_trace t = {.n = 1};
	assert_true(trace_of(l.ev.rate, &t));
	assert_int_equal(t.tsval[0], 77);
	assert_int_equal(l.ev.rate->base_tsval, 70);
	assert_int_equal(l.ev.rate->base_ns, 6);
	trace_free(&t);
	h.has_ts = false;
	h.seq += 1448;
	send_at(&l, 1, DIR_S2C, h);
	t.n = 2;
	assert_true(trace_of(l.ev.rate, &t));
	assert_null(t.tsval);
	trace_free(&t);
	free(l.ev.events);
	l.ev.events = NULL;
	l.ev.n_events = 0;
	line_close(&l);
}

static void offload_is_taken_apart(void **state)
{
	struct line l;
	(void)state;
	line_open(&l, 1 << 20);
	data(&l, 0, 0, 4000);
	data(&l, 100, 1460, 1460);
	assert_string_equal(said(&l), "0+1460 1460+1460x 2920+1080 1460+1460r");
	line_close(&l);
}

static void probes_are_left_out(void **state)
{
	struct line l;
	(void)state;
	line_open(&l, 1 << 20);
	data(&l, 0, 0, 1460);
	data(&l, 1000, 1459, 1);
	data(&l, 2000, 1459, 0);
	assert_string_equal(said(&l), "0+1460");
	line_close(&l);
}

static void no_room_is_counted(void **state)
{
	struct line a, b;
	(void)state;
	line_open(&a, sizeof(struct rate_log) + sizeof(struct rate_block));
	for (unsigned i = 0; i < RATE_BLOCK + 10; i++)
		data(&a, i, i * 1460, 1460);
	assert_true(a.ev.rate_refused);
	assert_int_equal(a.pool.refused, 1);
	assert_int_equal(a.ev.rate->n, RATE_BLOCK);
	/* Another flow of the shard gets none, once. */
	line_open(&b, 0);
	b.pool = a.pool;
	data(&b, 0, 0, 1460);
	data(&b, 1, 1460, 1460);
	assert_null(b.ev.rate);
	assert_true(b.ev.rate_refused);
	assert_int_equal(b.pool.refused, 2);
	line_close(&a);
}

static void a_flow_is_logged_so_far_and_no_further(void **state)
{
	struct line l;
	(void)state;
	line_open(&l, RATE_POOL_BYTES);
	for (unsigned i = 0; i < RATE_BLOCK * RATE_FLOW_BLOCKS + 100; i++)
		data(&l, i, i * 1460, 1460);
	assert_int_equal(l.ev.rate->n, RATE_BLOCK * RATE_FLOW_BLOCKS);
	assert_false(l.ev.rate_refused);
	line_close(&l);
}

static void goodput_is_what_got_through(void **state)
{
	struct line l;
	struct arena a = {NULL};
	uint64_t sum = 0;
	(void)state;
	line_open(&l, 1 << 20);
	for (unsigned i = 0; i < 100; i++)
		data(&l, 10.0 * i, i * 1000, 1000);
	data(&l, 995, 5000, 1000); /* again: its first copy does not count */
	struct evidence_counters counters = {0};
	rate_finish(&l.pool, &a, &l.ev, &counters);
	const struct goodput *g = l.ev.more->goodput;
	assert_non_null(g);
	assert_int_equal(g->n, 10);
	assert_int_equal(g->bin_ns, GOODPUT_BIN_NS);
	for (unsigned i = 0; i < g->n; i++)
		sum += g->bytes[i];
	assert_int_equal(sum, 100000);
	assert_int_equal(g->bytes[0], 9000);
	assert_int_equal(g->bytes[9], 11000);
	assert_int_equal(l.ev.found & EVIDENCE_RATE, 0);
	arena_free(&a);
	line_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_flows_that_earn_it_have_a_log),
		cmocka_unit_test(what_is_sent_again_was_lost),
		cmocka_unit_test(what_came_twice_was_not),
		cmocka_unit_test(reordering_is_no_loss),
		cmocka_unit_test(a_hole_that_is_filled_late_was_lost),
		cmocka_unit_test(a_hole_lies_between_its_neighbours),
		cmocka_unit_test(stamps_are_kept_while_all_have_them),
		cmocka_unit_test(offload_is_taken_apart),
		cmocka_unit_test(probes_are_left_out),
		cmocka_unit_test(no_room_is_counted),
		cmocka_unit_test(a_flow_is_logged_so_far_and_no_further),
		cmocka_unit_test(goodput_is_what_got_through),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
