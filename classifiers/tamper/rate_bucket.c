/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A token bucket of a size of its own. The published detector's has none: where a small one makes
 * the sender pause, its level rises without end and every loss seems to come at another one. Here the
 * passed segments run through a meter (ITU-T I.371's leaky bucket): with the policer's rate it is
 * full at each loss, and rarely otherwise.
 */

#include <math.h>
#include <string.h>

#include "classifiers/tamper/rate.h"

#define LEVEL_BYTES 256u       /* of a step of the histogram of levels */
#define LEVELS 4096u
#define LEVEL_TOP 0.995        /* share of the passes that leave the bucket no fuller */
#define SLACK_BYTES 2200u      /* full: less than this is left, one and a half segments */
#define STEP 1.01              /* from one rate that is tried to the next */
#define STEPS 220              /* from the goodput to 8.9 times as much: a sender waits for time-outs */
#define AS_GOOD 0.02           /* a rate that explains as many losses, but for this share, is as good */
#define LOSS_FULL 0.9          /* share of the losses that must find it full */
#define PASS_FULL 0.4          /* share of the passes that may */

struct meter {
	double level;
	uint64_t at_ns;
};

static void meter_run(struct meter *m, double rate, uint64_t ts_ns)
{
	if (ts_ns > m->at_ns)
		m->level -= rate / 8e9 * (double)(ts_ns - m->at_ns);
	m->at_ns = ts_ns > m->at_ns ? ts_ns : m->at_ns;
	m->level = m->level > 0 ? m->level : 0;
}

/* How full the passed segments ever make it at this rate. */
static double meter_size(const struct rate_trace *t, double rate, unsigned *counts)
{
	struct meter m = {.at_ns = t->seg[0].ts_ns};
	unsigned n = 0, seen = 0, k;
	memset(counts, 0, LEVELS * sizeof(*counts));
	for (unsigned i = 0; i < t->n; i++) {
		const struct rate_segment *s = &t->seg[i];
		if ((s->bits & (RATE_LOST | RATE_HOLE)) != 0)
			continue;
		meter_run(&m, rate, s->ts_ns);
		m.level += s->len;
		unsigned at = (unsigned)(m.level / LEVEL_BYTES);
		counts[at < LEVELS ? at : LEVELS - 1]++;
		n++;
	}
	for (k = 0; k + 1 < LEVELS && seen + counts[k] < LEVEL_TOP * n; k++)
		seen += counts[k];
	return (k + 1) * (double)LEVEL_BYTES;
}

static void meter_shares(const struct rate_trace *t, double rate, double size, double *loss,
			 double *pass)
{
	struct meter m = {.at_ns = t->seg[0].ts_ns};
	unsigned lost = 0, passed = 0, lost_full = 0, passed_full = 0;
	for (unsigned i = 0; i < t->n; i++) {
		const struct rate_segment *s = &t->seg[i];
		bool is_lost = (s->bits & RATE_LOST) != 0;
		if (!is_lost && (s->bits & RATE_HOLE) != 0)
			continue;
		meter_run(&m, rate, s->ts_ns);
		bool full = m.level + SLACK_BYTES >= size;
		lost += is_lost;
		lost_full += is_lost && full;
		passed += !is_lost;
		passed_full += !is_lost && full;
		m.level += is_lost ? 0 : s->len;
	}
	*loss = lost != 0 ? (double)lost_full / lost : 0;
	*pass = passed != 0 ? (double)passed_full / passed : 1;
}

bool rate_bucket(const struct rate_trace *t, double goodput_bps, double *rate_bps, double *size)
{
	unsigned counts[LEVELS], low = 0, first = 0;
	double score[STEPS], rate = goodput_bps, best = 0, loss, pass;
	if (t->n == 0 || !(goodput_bps > 0))
		return false;
	for (unsigned i = 0; i < STEPS; i++, rate *= STEP) {
		meter_shares(t, rate, meter_size(t, rate, counts), &loss, &pass);
		score[i] = loss - pass;
		if (score[i] > best) {
			best = score[i];
			first = i;
		}
	}
	/* A small bucket at a large rate leaves the rate open upwards. */
	while (low + 1 < STEPS && score[low] < best - AS_GOOD)
		low++;
	*rate_bps = goodput_bps * pow(STEP, (low + first) / 2.0);
	*size = meter_size(t, *rate_bps, counts);
	meter_shares(t, *rate_bps, *size, &loss, &pass);
	return loss >= LOSS_FULL && pass <= PASS_FULL && *size > 2.0 * SLACK_BYTES;
}
