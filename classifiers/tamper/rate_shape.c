/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A rate that holds for seconds while a queue stands in front of it. A link that is full looks the same:
 * this is a measurement. Ours; nothing is published on telling a shaper from the packets of one
 * connection.
 */

#include <string.h>

#include "classifiers/tamper/rate_parts.h"

#define SHAPED_BIN_NS 500000000ull
#define SHAPED_BINS_MIN 8        /* that a plateau must last: 4 s and more */
#define SHAPED_BINS 1024
#define SHAPED_SEGMENTS 20       /* in a bin: of fewer, one more or less is no plateau */
#define SHAPED_NEAR 0.1          /* of the median: a bin on the plateau */
#define SHAPED_SHARE 0.8         /* of the bins */
#define SHAPED_DELAY 1.2         /* median round trip to the smallest: a standing queue */
#define SHAPED_DELAY_US 20000.0
#define SHAPED_LOSS 0.15         /* what a full queue drops at its end */

/*
 * What a receiver may wait for a second segment before it acknowledges (RFC 9293, section 3.8.6.3): below
 * the first it comes in time, and the second is the longest that is usual (Linux: TCP_DELACK_MIN and _MAX).
 */
#define DELACK_MIN_US 40000.0
#define DELACK_MAX_US 200000.0

/* Behind the queue the sender's clock tells how long segments waited (RFC 7323, section 3.2). */
static const double ticks_us[] = {1e3, 4e3, 1e4, 1e5}; /* as stacks have them: section 5.4 */
#define TICK_FAST 0.98           /* of one of these: clocks that differ */
#define TICK_SLOW 1.3            /* a queue that grew meanwhile */
#define DRIFT 2e-4               /* seconds a second that two clocks may part */

struct plateau {
	double bins[SHAPED_BINS], sorted[SHAPED_BINS];
	unsigned n, n_near;
	double median, rate_bps, first;
	double before; /* bytes that came through before the first bin on it */
};

/* When bytes were acknowledged is when they had come through. */
static bool through(const struct rate_segment *s, uint64_t *at)
{
	if (!has_passed(s) || s->ack_us == RATE_UNACKED)
		return false;
	*at = s->ts_ns + (uint64_t)s->ack_us * 1000;
	return true;
}

static void plateau_fill(const struct rate_trace *t, uint64_t first, uint64_t last, uint64_t width,
			 struct plateau *p)
{
	uint64_t at, whole = (last - first) / width; /* the last bin is not full */
	double near = 0;
	memset(p, 0, sizeof(*p));
	for (unsigned i = 0; i < t->n; i++)
		if (through(&t->seg[i], &at) && (at - first) / width < SHAPED_BINS)
			p->bins[(at - first) / width] += t->seg[i].len;
	p->n = (unsigned)(whole < SHAPED_BINS ? whole : SHAPED_BINS);
	memcpy(p->sorted, p->bins, p->n * sizeof(*p->bins));
	p->median = p->n != 0 ? median(p->sorted, p->n) : 0;
	for (unsigned i = 0; i < p->n; i++) {
		if (fabs(p->bins[i] - p->median) > SHAPED_NEAR * p->median) {
			p->before += p->n_near == 0 ? p->bins[i] : 0;
			continue;
		}
		near += p->bins[i];
		p->n_near++;
	}
	p->first = p->bins[0];
	p->rate_bps = p->n_near != 0 ? near / p->n_near * 8e9 / (double)width : 0;
}

/* False: no rate that holds. At a slow one it takes wider bins, and as many of them. */
static bool plateau_find(const struct rate_trace *t, struct plateau *p, uint64_t *width)
{
	uint64_t first = UINT64_MAX, last = 0, at;
	for (unsigned i = 0; i < t->n; i++) {
		if (!through(&t->seg[i], &at))
			continue;
		first = at < first ? at : first;
		last = at > last ? at : last;
	}
	*width = SHAPED_BIN_NS;
	if (last <= first || (last - first) / *width < SHAPED_BINS_MIN)
		return false;
	plateau_fill(t, first, last, *width, p);
	while (p->median < SHAPED_SEGMENTS * RATE_SEGMENT &&
	       (last - first) / (2 * *width) >= SHAPED_BINS_MIN) {
		*width *= 2;
		plateau_fill(t, first, last, *width, p);
	}
	return p->median > 0 && p->n_near >= SHAPED_SHARE * p->n;
}

/*
 * How much longer than the shortest a typical round trip took, in us; 0 where there is no queue, or a
 * receiver that waits for more than comes would do as much.
 */
static double inflation(const struct rate_trace *t, double rate_bps, double *room)
{
	double each_us = RATE_SEGMENT * 8e6 / rate_bps;
	double ours = fmax(SHAPED_DELAY_US, each_us > DELACK_MIN_US ? DELACK_MAX_US : each_us);
	unsigned n = 0;
	for (unsigned i = 0; i < t->n; i++)
		if (has_passed(&t->seg[i]) && t->seg[i].ack_us != RATE_UNACKED)
			room[n++] = t->seg[i].ack_us;
	if (n < RATE_SAMPLES_MIN)
		return 0;
	double typical = median(room, n), least = room[0];
	return typical >= SHAPED_DELAY * least && typical - least >= ours ? typical - least : 0;
}

/* A tick of the sender's clock in us; 0: it is none of those known. */
static double tick_of(const struct rate_trace *t)
{
	unsigned last = t->n - 1;
	while (last > 0 && !has_passed(&t->seg[last]))
		last--;
	uint32_t ticks = t->tsval[last] - t->base_tsval;
	if (ticks == 0 || t->seg[last].ts_ns <= t->base_ns)
		return 0;
	double each = (double)(t->seg[last].ts_ns - t->base_ns) / 1e3 / ticks;
	for (unsigned i = 0; i < sizeof(ticks_us) / sizeof(*ticks_us); i++)
		if (each >= TICK_FAST * ticks_us[i] && each <= TICK_SLOW * ticks_us[i])
			return ticks_us[i];
	return 0;
}

bool rate_waits(const struct rate_trace *t, double *us)
{
	double tick = t->tsval != NULL && t->rtt_us > 0 ? tick_of(t) : 0, least = 0;
	if (tick <= 0)
		return false;
	for (unsigned i = 0; i < t->n; i++) {
		double came = (double)(int64_t)(t->seg[i].ts_ns - t->base_ns) / 1e3;
		us[i] = came - (double)(int32_t)(t->tsval[i] - t->base_tsval) * tick;
		if (has_passed(&t->seg[i]) && us[i] < least)
			least = us[i];
	}
	for (unsigned i = 0; i < t->n; i++)
		us[i] = has_passed(&t->seg[i]) ? us[i] - least : -1;
	return true;
}

/* The same as inflation() behind the queue. */
static double waiting(const struct rate_trace *t, double *room)
{
	unsigned n = 0;
	if (!rate_waits(t, room))
		return 0;
	for (unsigned i = 0; i < t->n; i++)
		if (room[i] >= 0)
			room[n++] = room[i];
	double came_us = (double)(int64_t)(t->seg[t->n - 1].ts_ns - t->base_ns) / 1e3;
	if (n < RATE_SAMPLES_MIN)
		return 0;
	double waited = median(room, n) - tick_of(t) - DRIFT * came_us;
	return waited >= (SHAPED_DELAY - 1) * t->rtt_us && waited >= SHAPED_DELAY_US ? waited : 0;
}

void rate_shape(const struct rate_trace *t, double *room, struct rate_facts *out)
{
	struct plateau p;
	uint64_t width;
	unsigned lost = 0;
	for (unsigned i = 0; i < t->n; i++)
		lost += is_lost(&t->seg[i]);
	if (lost > SHAPED_LOSS * t->n || !plateau_find(t, &p, &width))
		return;
	double delay_us = inflation(t, p.rate_bps, room);
	delay_us = delay_us > 0 ? delay_us : waiting(t, room);
	if (delay_us <= 0)
		return;
	double ahead = p.first - p.median;
	out->form = RATE_SHAPED;
	out->rate_bps = p.rate_bps;
	out->inflated_ms = delay_us / 1e3;
	out->burst_bytes = ahead > 0 ? (uint64_t)ahead : 0;
	out->free_bytes = t->seg[0].seq + (uint64_t)p.before;
	out->loss = (double)lost / t->n;
	out->n_lost = lost;
	out->n_passed = t->n - lost;
	out->frame = t->seg[0].frame;
}
