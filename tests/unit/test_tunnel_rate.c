/* SPDX-License-Identifier: BSD-3-Clause */

/* Tunnels over UDP whose datagrams are dropped by a token bucket, and by everything else. */

#include "classifiers/tamper/tunnel_rate.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define MS 1000000ull
#define START (1800000000ull * 1000 * MS)

/* A tunnel on its way: who sends how much, and what becomes of it. */
struct way {
	double bps, bucket;    /* of the policer; 0: none */
	double burst_every_ms; /* the sender sends in bursts that far apart */
	unsigned burst;        /* packets of 1,200 bytes each */
	double loss;           /* at random */
	bool reorders;         /* every fifth packet swaps places with the next */
	unsigned rekey_every;  /* packets of one session; 0: all */
	bool noise;            /* what should be numbers is none */
	unsigned seconds;      /* 0: 10 */
};

static uint32_t dice = 1;

static double chance(void)
{
	dice = dice * 1664525u + 1013904223u;
	return (dice >> 8) / 16777216.0;
}

static bool is_dropped(const struct way *w, double *tokens, double *last_ms, double ms)
{
	if (w->bps > 0) {
		*tokens += (ms - *last_ms) * w->bps / 8e3;
		*tokens = *tokens < w->bucket ? *tokens : w->bucket;
		*last_ms = ms;
		if (*tokens < 1200)
			return true;
		*tokens -= 1200;
	}
	return chance() < w->loss;
}

static struct tunnel_number held;

/* Arrivals, one of five behind the next. */
static void arrive(const struct way *w, struct tunnel_rate *r, struct tunnel_room *room,
		   struct tunnel_number p, unsigned k)
{
	if (w->reorders && k % 5 == 0) {
		held = p;
		return;
	}
	tunnel_rate_packet(r, room, p);
	if (held.len != 0) {
		held.ts_ns = p.ts_ns;
		tunnel_rate_packet(r, room, held);
		held.len = 0;
	}
}

static bool run(const struct way *w, struct rate_facts *out, size_t *used)
{
	struct tunnel_room room = {.used = 0};
	struct tunnel_rate r = {.n = 0};
	double tokens = w->bucket, last = 0, end = (w->seconds != 0 ? w->seconds : 10) * 1000.0;
	unsigned k = 0;
	held.len = 0;
	for (double ms = 0; ms < end; ms += w->burst_every_ms) {
		for (unsigned i = 0; i < w->burst; i++, k++) {
			double at = ms + i * 0.1;
			unsigned session = w->rekey_every != 0 ? k / w->rekey_every : 0;
			struct tunnel_number p = {
				.id = session, .number = w->rekey_every != 0 ? k % w->rekey_every : k,
				.len = 1200, .ts_ns = START + (uint64_t)(at * 1e6), .frame = k + 1};
			if (w->noise)
				p.number = (uint64_t)(chance() * 4e9);
			if (!is_dropped(w, &tokens, &last, at))
				arrive(w, &r, &room, p, k);
		}
	}
	*out = (struct rate_facts){.form = RATE_NONE};
	bool said = tunnel_rate_judge(&r, 40000, out);
	*used = room.used;
	tunnel_rate_free(&r, &room);
	assert_int_equal(room.used, 0);
	return said;
}

/* Senders that do not slow down, as tunnels do not. */
static void policers_are_measured(void **state)
{
	static const struct way ways[] = {
		{.bps = 1e6, .bucket = 12000, .burst_every_ms = 5, .burst = 1},
		{.bps = 1e6, .bucket = 30000, .burst_every_ms = 50, .burst = 10},
		{.bps = 150e3, .bucket = 8000, .burst_every_ms = 30, .burst = 1, .seconds = 30},
		{.bps = 8e6, .bucket = 30000, .burst_every_ms = 1, .burst = 1},
		{.bps = 1e6, .bucket = 12000, .burst_every_ms = 5, .burst = 1, .rekey_every = 700},
		{.bps = 1e6, .bucket = 12000, .burst_every_ms = 5, .burst = 1, .reorders = true},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct rate_facts out;
		size_t used;
		if (!run(&ways[i], &out, &used))
			fail_msg("policer %u is not seen", i);
		if (out.rate_bps < 0.9 * ways[i].bps || out.rate_bps > 1.1 * ways[i].bps)
			fail_msg("policer %u: %.0f", i, out.rate_bps);
		assert_int_equal(out.form, RATE_POLICED);
		assert_true(out.frame != 0 && out.n_lost >= 15);
	}
}

static void look_alikes_are_not(void **state)
{
	static const struct {
		const char *what;
		struct way w;
	} rows[] = {
		{"nothing is lost", {.burst_every_ms = 5, .burst = 1}},
		{"1 % loss", {.burst_every_ms = 5, .burst = 1, .loss = 0.01, .seconds = 30}},
		{"3 % loss", {.burst_every_ms = 5, .burst = 1, .loss = 0.03, .seconds = 30}},
		{"10 % loss", {.burst_every_ms = 5, .burst = 1, .loss = 0.1, .seconds = 30}},
		{"3 % loss of bursts", {.burst_every_ms = 40, .burst = 8, .loss = 0.03, .seconds = 30}},
		{"reordering alone", {.burst_every_ms = 5, .burst = 1, .reorders = true}},
		{"new sessions", {.burst_every_ms = 5, .burst = 1, .rekey_every = 40}},
		{"no numbers", {.burst_every_ms = 5, .burst = 1, .noise = true}},
		{"a policer faster than the tunnel",
		 {.bps = 3e6, .bucket = 12000, .burst_every_ms = 5, .burst = 1}},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rate_facts out;
		size_t used;
		if (run(&rows[i].w, &out, &used))
			fail_msg("%s: %.0f", rows[i].what, out.rate_bps);
	}
}

/* An outage drops what one time holds, and passes before and after. */
static void an_outage_is_not(void **state)
{
	struct tunnel_room room = {.used = 0};
	struct tunnel_rate r = {.n = 0};
	struct rate_facts out;
	(void)state;
	for (unsigned k = 0; k < 2000; k++)
		if (k < 700 || k > 760)
			tunnel_rate_packet(&r, &room, (struct tunnel_number){
				.number = k, .len = 1200, .ts_ns = START + k * 5 * MS, .frame = k + 1});
	assert_false(tunnel_rate_judge(&r, 40000, &out));
	tunnel_rate_free(&r, &room);
}

/* What nothing is missing of costs nothing; what logs may take together is bounded. */
static void room_is_bounded(void **state)
{
	struct tunnel_room room = {.used = 0};
	static struct tunnel_rate r[64];
	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		for (unsigned k = 0; k < 20000; k++) {
			tunnel_rate_packet(&r[i], &room, (struct tunnel_number){
				.number = k * (1 + i % 2), .len = 1200, .ts_ns = START + k, .frame = 1});
			assert_true(room.used <= TUNNEL_ROOM_BYTES);
		}
		assert_true((r[i].log != NULL) == (i % 2 != 0) || room.used > TUNNEL_ROOM_BYTES / 2);
		assert_true(r[i].n <= PACKETS_MAX);
	}
	assert_true(room.used > TUNNEL_ROOM_BYTES / 2);
	for (unsigned i = 0; i < 64; i++)
		tunnel_rate_free(&r[i], &room);
	assert_int_equal(room.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policers_are_measured),
		cmocka_unit_test(look_alikes_are_not),
		cmocka_unit_test(an_outage_is_not),
		cmocka_unit_test(room_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
