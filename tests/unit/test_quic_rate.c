/* SPDX-License-Identifier: BSD-3-Clause */

/* How fast QUIC came, and when it is said to have come at one rate. */

#include "classifiers/tamper/quic_rate.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define MS 1000000ull
#define DATAGRAM 1250u

struct world {
	struct rate_pool pool;
	struct arena a;
	struct attempt attempt;
	struct quic_rate r;
};

static void start(struct world *w, size_t budget)
{
	*w = (struct world){.pool.goodput_budget = budget, .r.rtt_us = 40000};
	w->r.attempt = &w->attempt;
}

/* Datagrams every gap_us for so long, but only in the first `on` of every `of` seconds. */
static void send(struct world *w, uint64_t from_ms, unsigned seconds, unsigned gap_us, double on, double of)
{
	for (uint64_t us = 0; us < seconds * 1000000ull; us += gap_us)
		if (fmod((double)us / 1e6, of) < on)
			quic_rate_packet(&w->pool, &w->r, (1000 + from_ms) * MS + us * 1000, DATAGRAM);
}

static const struct goodput *finish(struct world *w)
{
	return quic_rate_finish(&w->pool, &w->a, &w->a, &w->r);
}

static void bytes_are_kept_in_bins(void **state)
{
	static const unsigned seconds[] = {10, 100, 1000};
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct world w;
		uint64_t sum = 0;
		start(&w, 1 << 20);
		send(&w, 0, seconds[i], 5000, 1, 1);
		const struct goodput *g = finish(&w);
		assert_non_null(g);
		assert_ptr_equal(w.attempt.goodput, g);
		assert_true(g->n <= GOODPUT_BINS && g->rtt_us == 40000 && g->dir == DIR_S2C);
		for (unsigned k = 0; k < g->n; k++)
			sum += g->bytes[k];
		/* All but those before it had earned its bins. */
		assert_int_equal(sum, w.r.bytes - (RATE_EARN_BYTES / DATAGRAM - 1) * DATAGRAM);
		assert_true(g->n * g->bin_ns >= (seconds[i] - 1) * 1000 * MS);
		arena_free(&w.a);
	}
}

static void little_takes_no_room(void **state)
{
	struct world w;
	(void)state;
	start(&w, 1 << 20);
	send(&w, 0, 1, 20000, 1, 1);
	assert_null(w.r.bins);
	assert_null(finish(&w));
	assert_null(w.attempt.goodput);
	start(&w, BINS_BYTES - 1);
	send(&w, 0, 10, 1000, 1, 1);
	assert_null(w.r.bins);
	assert_null(finish(&w));
	/* What was taken comes back, but for what stays with the attempt. */
	start(&w, BINS_BYTES);
	send(&w, 0, 10, 1000, 1, 1);
	assert_int_equal(w.pool.goodput_budget, 0);
	const struct goodput *g = finish(&w);
	assert_non_null(g);
	assert_int_equal(w.pool.goodput_budget, BINS_BYTES - sizeof(*g) - g->n * sizeof(*g->bytes));
	arena_free(&w.a);
}

static void time_may_go_back(void **state)
{
	struct world w;
	(void)state;
	start(&w, 1 << 20);
	send(&w, 5000, 5, 1000, 1, 1);
	send(&w, 0, 1, 1000, 1, 1);
	assert_non_null(finish(&w));
	arena_free(&w.a);
}

static void only_one_rate_is_steady(void **state)
{
	static const struct {
		const char *what;
		unsigned seconds, gap_us;
		double on, of;
		double bps; /* 0: not steady */
	} rows[] = {
		{"a page", 2, 1000, 1, 1, 0},
		{"a player that asks for a piece every five seconds", 30, 1000, 1, 5, 0},
		{"one that asks every second", 30, 500, 0.5, 1, 0},
		{"ten seconds at 1 Mbit/s", 10, 10000, 1, 1, 1e6},
		{"eighty at 128 kbit/s", 80, 78125, 1, 1, 128e3},
		{"too few at 128 kbit/s", 10, 78125, 1, 1, 0},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;
		start(&w, 1 << 20);
		send(&w, 0, 1, 1000, 1, 1); /* what a bucket lets by */
		send(&w, 1000, rows[i].seconds, rows[i].gap_us, rows[i].on, rows[i].of);
		const struct goodput *g = finish(&w);
		double bps = g != NULL ? quic_rate_steady(g) : 0;
		print_message("%s: %.0f\n", rows[i].what, bps);
		assert_true(fabs(bps - rows[i].bps) <= 0.02 * rows[i].bps);
		assert_int_equal(w.attempt.rate != NULL, rows[i].bps > 0);
		arena_free(&w.a);
	}
}

/* A download that speeds up and slows down, as loss has it. */
static void a_sender_that_probes_is_not(void **state)
{
	struct world w;
	(void)state;
	start(&w, 1 << 20);
	for (unsigned i = 0; i < 20; i++)
		send(&w, i * 1000, 1, 600 + 150 * (i % 6), 1, 1);
	assert_non_null(finish(&w));
	assert_null(w.attempt.rate);
	arena_free(&w.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_kept_in_bins), cmocka_unit_test(little_takes_no_room),
		cmocka_unit_test(time_may_go_back),	  cmocka_unit_test(only_one_rate_is_steady),
		cmocka_unit_test(a_sender_that_probes_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
