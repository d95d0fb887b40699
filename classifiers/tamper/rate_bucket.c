/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A token bucket of a size of its own. The published detector's has none: where a small one makes
 * the sender pause, its level rises without end and every loss seems to come at another one.
 *
 * Two ways to see it. Where it is full again and again, the passed segments run through a meter (ITU-T
 * I.371's leaky bucket): with the policer's rate it is full at each loss, and rarely otherwise. Where it
 * is not, or the log began when it was empty, losses are told by what passed between them: as much as
 * came in at the rate, or less where it ran over meanwhile, and never more. Losses by chance move that
 * balance by about a segment each, up as often as down.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/rate_parts.h"
#include "dataplane/seq.h"

#define LEVEL_BYTES 256u       /* of a step of the histogram of levels */
#define LEVELS 4096u
#define LEVEL_TOP 0.995        /* share of the passes that leave the bucket no fuller */
#define SLACK_BYTES 2200u      /* full: less than this is left, one and a half segments */
#define STEP 1.01              /* from one rate that is tried to the next */
#define STEPS 220              /* from the goodput to 8.9 times as much: a sender waits for time-outs */
#define AS_GOOD 0.02           /* a rate that explains as many losses, but for this share, is as good */
#define LOSS_FULL 0.9          /* share of the losses that must find it full */
#define PASS_FULL 0.4          /* share of the passes that may */

/* Ours, from some 90 paths through policers of 150 kbit/s to 8 Mbit/s and from 18 that only lost. */
#define APART 4u               /* runs of losses between those that are compared */
#define RUNS_MIN 12u
#define RUNS_MANY 20u
#define SAME 0.6               /* share of them with the same balance, within a segment */
#define SAME_FEW 0.75          /* of fewer than RUNS_MANY */
#define MORE 0.1               /* share of them where more had passed, at most */
#define EMPTY 0.9              /* share of the passes that a sender keeps at the rate, or a link */
#define BALANCE_LEAST 0.97     /* of the goodput: the first rate that is tried */
#define BALANCE_STEP 1.002
#define BALANCE_STEPS 365      /* to twice the goodput */

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

/* A segment that passed, and is the furthest in the stream so far. */
static bool is_furthest(const struct rate_segment *s, const struct rate_segment *before)
{
	return before == NULL || seq_lt(before->seq + before->len, s->seq + s->len);
}

/*
 * When what is missing from a capture was dropped nobody saw: after the last of what was sent before it,
 * which may have come behind that, and not before a retransmission that came since.
 */
static void meter_shares(const struct rate_trace *t, double rate, double size, double *loss,
			 double *pass)
{
	struct meter m = {.at_ns = t->seg[0].ts_ns};
	const struct rate_segment *furthest = NULL;
	unsigned lost = 0, passed = 0, lost_full = 0, passed_full = 0;
	double there = 0;
	for (unsigned i = 0; i < t->n; i++) {
		const struct rate_segment *s = &t->seg[i];
		bool hole = (s->bits & RATE_HOLE) != 0;
		if (!is_lost(s) && hole)
			continue;
		if (!hole)
			meter_run(&m, rate, s->ts_ns);
		double level = hole && there > m.level ? there : m.level;
		bool full = level + SLACK_BYTES >= size;
		lost += is_lost(s);
		lost_full += is_lost(s) && full;
		if (is_lost(s))
			continue;
		passed++;
		passed_full += full;
		m.level += s->len;
		if (is_furthest(s, furthest)) {
			furthest = s;
			there = m.level;
		}
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

/* Bytes that had passed by then, from the log's first on. */
struct passed {
	double s, bytes;
};

/* A run of losses began here, right behind the one or the other. */
struct run {
	struct passed at[2];
};

static double balance(const struct run *r, double bytes_s)
{
	return fmax(r->at[0].bytes - bytes_s * r->at[0].s, r->at[1].bytes - bytes_s * r->at[1].s);
}

static unsigned find_runs(const struct rate_trace *t, struct run *runs)
{
	const struct rate_segment *furthest = NULL;
	struct passed last = {.bytes = 0}, there = last;
	bool fresh = false;
	unsigned n = 0;
	for (unsigned i = 0; i < t->n; i++) {
		const struct rate_segment *s = &t->seg[i];
		if (is_lost(s)) {
			bool hole = (s->bits & RATE_HOLE) != 0;
			if (fresh)
				runs[n++] = (struct run){.at = {hole ? there : last, last}};
			fresh = false;
		} else if (has_passed(s)) {
			last.s = (double)(int64_t)(s->ts_ns - t->seg[0].ts_ns) / 1e9;
			last.bytes += s->len;
			fresh = true;
			if (is_furthest(s, furthest)) {
				furthest = s;
				there = last;
			}
		}
	}
	return n;
}

static void balance_shares(const struct run *runs, unsigned n, double bytes_s, double *same,
			   double *more)
{
	unsigned near = 0, above = 0;
	for (unsigned i = 0; i + APART < n; i++) {
		double d = balance(&runs[i + APART], bytes_s) - balance(&runs[i], bytes_s);
		near += fabs(d) <= RATE_SEGMENT;
		above += d > RATE_SEGMENT;
	}
	*same = (double)near / (n - APART);
	*more = (double)above / (n - APART);
}

/*
 * Of what passed between the first run and the last, the share with no more than a segment left, and the
 * most that was left: what went before the next run of losses had been in the bucket.
 */
static double empty_share(const struct rate_trace *t, const struct run *runs, unsigned n, double bytes_s,
			  double *most)
{
	unsigned k = 0, passes = 0, empty = 0;
	double bytes = 0;
	*most = 0;
	for (unsigned i = 0; i < t->n; i++) {
		const struct rate_segment *s = &t->seg[i];
		if (!has_passed(s))
			continue;
		double at = (double)(int64_t)(s->ts_ns - t->seg[0].ts_ns) / 1e9;
		bytes += s->len;
		while (k + 1 < n && bytes > runs[k + 1].at[1].bytes)
			k++;
		if (k + 1 == n)
			break;
		if (bytes <= runs[0].at[1].bytes)
			continue;
		double here = bytes - bytes_s * at, next = balance(&runs[k + 1], bytes_s);
		passes++;
		empty += here > fmax(balance(&runs[k], bytes_s), next) - RATE_SEGMENT;
		*most = fmax(*most, next - here + s->len);
	}
	return passes != 0 ? (double)empty / passes : 1;
}

static bool find_rate(const struct rate_trace *t, const struct run *runs, unsigned n, double goodput_bps,
		      double *rate_bps, double *size)
{
	double rate = goodput_bps / 8 * BALANCE_LEAST, best = -1, found = 0, same, more;
	for (unsigned i = 0; i < BALANCE_STEPS; i++, rate *= BALANCE_STEP) {
		balance_shares(runs, n, rate, &same, &more);
		if (same - more > best) {
			best = same - more;
			found = rate;
		}
	}
	balance_shares(runs, n, found, &same, &more);
	*rate_bps = found * 8;
	return same >= (n < RUNS_MANY ? SAME_FEW : SAME) && more <= MORE &&
	       empty_share(t, runs, n, found, size) <= EMPTY && *size > 2.0 * SLACK_BYTES;
}

bool rate_balance(const struct rate_trace *t, double goodput_bps, double *rate_bps, double *size)
{
	struct run *runs = malloc(((size_t)t->n + 1) * sizeof(*runs));
	if (runs == NULL)
		return false;
	unsigned n = goodput_bps > 0 ? find_runs(t, runs) : 0;
	bool found = n >= RUNS_MIN && find_rate(t, runs, n, goodput_bps, rate_bps, size);
	free(runs);
	return found;
}
