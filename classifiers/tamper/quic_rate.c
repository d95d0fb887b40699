/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/quic_rate.h"

#include <string.h>

#include "classifiers/attempt.h"
#include "classifiers/tamper/rate_parts.h"

#define BINS_BYTES (GOODPUT_BINS * sizeof(uint32_t))

/* As for a shaper's plateau (rate_shape.c), but no delay is known beside it. */
#define STEADY_BIN_NS 500000000ull
#define STEADY_BINS_MIN 8
#define STEADY_DATAGRAMS 20 /* of RATE_SEGMENT bytes, in a stretch: of fewer, one more or less is no rate */
#define STEADY_NEAR 0.1
#define STEADY_SHARE 0.8

static bool take_bins(struct rate_pool *pool, struct quic_rate *r)
{
	if (r->bytes < RATE_EARN_BYTES || pool->goodput_budget < BINS_BYTES)
		return false;
	r->bins = calloc(GOODPUT_BINS, sizeof(*r->bins));
	if (r->bins != NULL)
		pool->goodput_budget -= BINS_BYTES;
	r->bin_ns = GOODPUT_BIN_NS;
	return r->bins != NULL;
}

/* Two bins become one. */
static void halve(struct quic_rate *r)
{
	for (unsigned i = 0; i < GOODPUT_BINS; i++) {
		uint32_t sum = r->bins[i];
		r->bins[i] = 0;
		r->bins[i / 2] += sum;
	}
	r->n = (r->n + 1) / 2;
	r->bin_ns *= 2;
}

void quic_rate_packet(struct rate_pool *pool, struct quic_rate *r, uint64_t ts_ns, uint32_t len)
{
	r->bytes += len;
	if (r->bins == NULL) {
		if (!take_bins(pool, r))
			return;
		r->first_ns = ts_ns;
	}
	uint64_t since = ts_ns > r->first_ns ? ts_ns - r->first_ns : 0;
	while (since / r->bin_ns >= GOODPUT_BINS)
		halve(r);
	unsigned at = (unsigned)(since / r->bin_ns);
	r->bins[at] += len;
	r->n = at + 1 > r->n ? at + 1 : r->n;
}

/* Bytes of stretches that are `each` bins long; how many of them are whole. */
static unsigned stretches(const struct goodput *g, unsigned each, double out[GOODPUT_BINS])
{
	unsigned n = 0;
	for (unsigned i = 0; i + each < g->n; i += each) {
		out[n] = 0;
		for (unsigned k = 0; k < each; k++)
			out[n] += g->bytes[i + k];
		n++;
	}
	return n;
}

double quic_rate_steady(const struct goodput *g)
{
	double list[GOODPUT_BINS], sorted[GOODPUT_BINS], typical = 0, sum = 0;
	unsigned each = g->bin_ns < STEADY_BIN_NS ? (unsigned)(STEADY_BIN_NS / g->bin_ns) : 1;
	unsigned n = stretches(g, each, list), near = 0;
	for (; n >= STEADY_BINS_MIN; each *= 2, n = stretches(g, each, list)) {
		memcpy(sorted, list, n * sizeof(*list));
		typical = median(sorted, n);
		if (typical >= STEADY_DATAGRAMS * RATE_SEGMENT)
			break;
	}
	for (unsigned i = 0; i < n; i++) {
		if (fabs(list[i] - typical) > STEADY_NEAR * typical)
			continue;
		sum += list[i];
		near++;
	}
	if (n < STEADY_BINS_MIN || near < STEADY_SHARE * n)
		return 0;
	return sum / near * 8e9 / ((double)each * (double)g->bin_ns);
}

static void set_rate(struct arena *names, struct attempt *of, const struct goodput *g)
{
	double bps = quic_rate_steady(g);
	struct rate_facts *f = bps > 0 ? arena_alloc(names, sizeof(*f)) : NULL;
	if (f == NULL)
		return;
	*f = (struct rate_facts){.form = RATE_STEADY, .dir = DIR_S2C, .rate_bps = bps,
				 .rtt_ms = g->rtt_us / 1e3, .free_bytes = RATE_EARN_BYTES};
	of->rate = f;
}

const struct goodput *quic_rate_finish(struct rate_pool *pool, struct arena *a, struct arena *names,
				       struct quic_rate *r)
{
	size_t size = sizeof(struct goodput) + r->n * sizeof(uint32_t);
	if (r->bins == NULL)
		return NULL;
	pool->goodput_budget += BINS_BYTES;
	struct goodput *g = size <= pool->goodput_budget ? arena_alloc(a, size) : NULL;
	if (g != NULL) {
		pool->goodput_budget -= size;
		*g = (struct goodput){.start_ns = r->first_ns, .bin_ns = r->bin_ns, .dir = DIR_S2C,
				      .rtt_us = r->rtt_us, .n = r->n};
		memcpy(g->bytes, r->bins, r->n * sizeof(*g->bytes));
		r->attempt->goodput = g;
		set_rate(names, r->attempt, g);
	}
	free(r->bins);
	r->bins = NULL;
	return g;
}
