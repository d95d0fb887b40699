/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What a log of segments says: policed (Flach et al., "An Internet-Wide Analysis of Traffic Policing",
 * SIGCOMM 2016, section 3, with the thresholds of the authors' detector), shaped, or dropped by size.
 */

#include "classifiers/tamper/rate.h"

#include <string.h>

#include "classifiers/tamper/rate_parts.h"
#include "dataplane/seq.h"

/* Of the published detector. */
#define SLICES_MIN 3             /* round trips that saw a loss */
#define EARLY 128u               /* segments of the log: about what it misses of the flow */
#define LATE_BYTES 2000000u      /* of payload before the first loss, at most */
#define LOSS_RTTS 2.00           /* what a bucket may hold at a loss, in round trips at the rate */
#define PASS_RTTS 0.75           /* what it may lack when a segment passes */
#define LOSS_OUT 0.10            /* share of the losses that may be outside */
#define PASS_OUT 0.03
#define INFLATED 1.3             /* of the tenth percentile */
#define INFLATED_OUT 0.2
#define INFLATED_MIN_US 20000.0

/*
 * Ours: the published test takes a steady sender's random losses for a policer's, as a level within
 * two round trips holds for both. A policer's losses come at one level; of random ones each moves the
 * level by about a segment, so that over LAG of them it wanders by the root of LAG.
 */
#define LAG 16u
/* Ours: what waits before a bucket; a link's queue holds dozens of segments. */
#define QUEUE_MOST (3 * RATE_SEGMENT)
#define LAG_SHARE 0.25           /* of the median of that wandering (0.67 of its deviation), at most */

#define SIZE_STEP 64u
#define SIZE_PASSED 30           /* segments at or below the step, none or one in a hundred lost */
#define SIZE_LOSS 0.05           /* above it, at least */

struct by_seq {
	uint32_t seq, i;
};

static int compare_seq(const void *x, const void *y)
{
	const struct by_seq *a = x, *b = y;
	int32_t d = seq_diff(a->seq, b->seq);
	if (d != 0)
		return d < 0 ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

/* The segment that retransmission list[k] repeats, if no earlier one begins where it does; or -1. */
static long covered_by(const struct rate_trace *t, const struct by_seq *list, unsigned k)
{
	for (unsigned back = 1; back <= k && back <= 8; back++) {
		const struct by_seq *o = &list[k - back];
		const struct rate_segment *s = &t->seg[o->i];
		if (o->i < list[k].i && seq_lt(o->seq, list[k].seq) &&
		    seq_lt(list[k].seq, o->seq + s->len) && (s->bits & RATE_HOLE) == 0)
			return (long)o->i;
	}
	return -1;
}

bool rate_mark(struct rate_trace *t)
{
	unsigned n = 0, odd = 0;
	for (unsigned i = 0; i < t->n; i++)
		odd += (t->seg[i].bits & (RATE_RETX | RATE_FILLED)) != 0;
	/* Most flows: nothing was sent again. */
	if (odd == 0)
		return true;
	struct by_seq *list = malloc(((size_t)t->n + 1) * sizeof(*list));
	if (list == NULL)
		return false;
	for (unsigned i = 0; i < t->n; i++) {
		struct rate_segment *s = &t->seg[i];
		if ((s->bits & RATE_HOLE) == 0)
			list[n++] = (struct by_seq){.seq = s->seq, .i = i};
		else if ((s->bits & RATE_FILLED) != 0)
			s->bits |= RATE_LOST;
	}
	qsort(list, n, sizeof(*list), compare_seq);
	for (unsigned k = 0; k < n; k++) {
		const struct rate_segment *s = &t->seg[list[k].i];
		if ((s->bits & (RATE_RETX | RATE_SPURIOUS)) != RATE_RETX)
			continue;
		bool same = k > 0 && list[k - 1].seq == list[k].seq;
		long before = same ? (long)list[k - 1].i : covered_by(t, list, k);
		if (before >= 0)
			t->seg[before].bits |= RATE_LOST;
	}
	free(list);
	return true;
}

/* Losses seen as holes: the capture is behind what dropped them. */
static bool behind(const struct rate_trace *t)
{
	unsigned holes = 0, lost = 0;
	for (unsigned i = 0; i < t->n; i++) {
		lost += is_lost(&t->seg[i]);
		holes += is_lost(&t->seg[i]) && (t->seg[i].bits & RATE_HOLE) != 0;
	}
	return lost != 0 && 2 * holes > lost;
}

/* Bits a second that passed from segment i up to segment k. */
static double rate_between(const struct rate_trace *t, unsigned i, unsigned k)
{
	double bytes = 0;
	if (t->seg[k].ts_ns <= t->seg[i].ts_ns)
		return 0;
	double seconds = (double)(t->seg[k].ts_ns - t->seg[i].ts_ns) / 1e9;
	for (; i < k; i++)
		bytes += has_passed(&t->seg[i]) ? t->seg[i].len : 0;
	return bytes * 8 / seconds;
}

/* Round-trip samples so far, in the order of their segments and sorted. */
struct samples {
	double *sorted;
	unsigned n;
	double last[2];        /* the newest but one, the newest */
	double quick;          /* the handshake's, before any queue; 0 unknown */
	uint64_t recovered_ns; /* what was sent before waited for a retransmission */
};

static void sample_add(struct samples *r, const struct rate_trace *t, unsigned at)
{
	const struct rate_segment *s = &t->seg[at];
	uint32_t us = t->path_us != NULL ? t->path_us[at] : s->ack_us;
	uint64_t acked = s->ts_ns + (uint64_t)us * 1000;
	if (us == RATE_UNACKED)
		return;
	if (is_lost(s)) {
		r->recovered_ns = acked > r->recovered_ns ? acked : r->recovered_ns;
		return;
	}
	if (s->ts_ns <= r->recovered_ns)
		return;
	unsigned lo = 0, hi = r->n;
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		if (r->sorted[mid] <= us)
			lo = mid + 1;
		else
			hi = mid;
	}
	memmove(&r->sorted[lo + 1], &r->sorted[lo], (r->n - lo) * sizeof(*r->sorted));
	r->sorted[lo] = us;
	r->n++;
	r->last[0] = r->last[1];
	r->last[1] = us;
}

/*
 * A queue had built up before: congestion drops, a policer does not delay. Ours: one that always stands
 * shows against the handshake, which is not in the published detector's list.
 */
static bool is_inflated(const struct samples *r)
{
	if (r->n < 2)
		return false;
	double least = percentile(r->sorted, r->n, 0.1), last = r->last[0];
	bool stands = r->quick > 0 && least >= r->quick + INFLATED_MIN_US && least > INFLATED * r->quick;
	return (stands && last >= least) ||
	       (last >= percentile(r->sorted, r->n, 0.5) && last > INFLATED * least &&
		last >= INFLATED_MIN_US);
}

/* The bucket's level at every loss and pass, as if it had been empty at the first loss. */
struct bucket {
	double *on_loss, *on_pass;
	double *runs;          /* on_loss, the first of each run of losses */
	unsigned n_loss, n_pass, n_runs, slices, inflated;
};

static void simulate(const struct rate_trace *t, unsigned first, double rate, double rtt_us,
		     struct samples *r, struct bucket *b)
{
	double used = 0;
	bool fresh = true;
	uint64_t slice = t->seg[first].ts_ns + (uint64_t)(rtt_us * 1e3);
	b->slices = 1;
	for (unsigned i = 0; i < t->n; i++) {
		const struct rate_segment *s = &t->seg[i];
		sample_add(r, t, i);
		if (i < first || (!is_lost(s) && !has_passed(s)))
			continue;
		double filled = rate / 8e9 * (double)(int64_t)(s->ts_ns - t->seg[first].ts_ns);
		if (!is_lost(s)) {
			b->on_pass[b->n_pass++] = filled - used;
			used += s->len;
			fresh = true;
			continue;
		}
		if (fresh)
			b->runs[b->n_runs++] = filled - used;
		fresh = false;
		b->on_loss[b->n_loss++] = filled - used;
		b->inflated += is_inflated(r);
		if (s->ts_ns > slice) {
			slice = s->ts_ns + (uint64_t)(rtt_us * 1e3);
			b->slices++;
		}
	}
}

/* list: levels at losses in order, one for each run of them; their order is kept. */
static bool is_one_level(const double *list, unsigned n, double *room)
{
	unsigned lag = n / 2 < LAG ? n / 2 : LAG;
	if (lag == 0)
		return false;
	for (unsigned i = 0; i + lag < n; i++)
		room[i] = fabs(list[i + lag] - list[i]);
	return median(room, n - lag) <= LAG_SHARE * 0.67 * sqrt(lag) * RATE_SEGMENT;
}

static enum rate_policer weigh(struct bucket *b, double rtt_bytes)
{
	unsigned out = 0;
	if (b->slices < SLICES_MIN || b->n_loss < RATE_SAMPLES_MIN || b->n_pass < RATE_SAMPLES_MIN)
		return POLICER_FEW_LOSSES;
	double level = median(b->on_loss, b->n_loss);
	if (mean(b->on_loss, b->n_loss) >= mean(b->on_pass, b->n_pass) ||
	    level >= median(b->on_pass, b->n_pass))
		return POLICER_FILL_HIGHER_ON_LOSS;
	for (unsigned i = 0; i < b->n_loss; i++)
		out += fabs(b->on_loss[i] - level) > LOSS_RTTS * rtt_bytes;
	if (b->n_loss * LOSS_OUT < out)
		return POLICER_LOSS_OUT_OF_RANGE;
	out = 0;
	for (unsigned i = 0; i < b->n_pass; i++)
		out += b->on_pass[i] - level < -PASS_RTTS * rtt_bytes;
	if (b->n_pass * PASS_OUT < out)
		return POLICER_PASS_OUT_OF_RANGE;
	return b->n_loss * INFLATED_OUT < b->inflated ? POLICER_RTT_INFLATED : POLICER_OK;
}

/* Median round trip of what was sent once, in us. Behind the policer only the handshake's is known. */
static double median_rtt(const struct rate_trace *t, double *room)
{
	unsigned n = 0;
	if (t->rtt_us > 0 && behind(t))
		return t->rtt_us;
	for (unsigned i = 0; i < t->n; i++)
		if (has_passed(&t->seg[i]) && t->seg[i].ack_us != RATE_UNACKED)
			room[n++] = t->seg[i].ack_us;
	return n != 0 ? median(room, n) : t->rtt_us;
}

/* The losses that bound what is looked at; false: fewer than two. */
static bool bounds(const struct rate_trace *t, unsigned cut, unsigned *first, unsigned *last)
{
	unsigned n = 0, seen = 0;
	for (unsigned i = 0; i < t->n; i++)
		n += is_lost(&t->seg[i]);
	if (n < 2 * cut + 2)
		return false;
	for (unsigned i = 0; i < t->n; i++) {
		if (!is_lost(&t->seg[i]))
			continue;
		if (seen == cut)
			*first = i;
		if (seen == n - 1 - cut)
			*last = i;
		seen++;
	}
	return true;
}

/*
 * Payload before the first loss. The log may have begun after that: then there are losses right where
 * it begins. Elsewhere what looked sent again was captured out of order.
 */
static uint32_t first_loss(const struct rate_trace *t, unsigned first)
{
	uint32_t seq = t->seg[first].seq;
	bool before = first < EARLY && t->any_retx && seq_lt(t->first_retx, seq);
	return before ? t->first_retx : seq;
}

/* Bytes that waited at the rate, but for one in twenty: how long the queue is that delayed segments. */
static double queue_bytes(const struct rate_trace *t, const struct samples *r, double rate)
{
	double least = t->rtt_us > 0 && t->rtt_us < r->sorted[0] ? t->rtt_us : r->sorted[0];
	return (percentile(r->sorted, r->n, 0.95) - least) * rate / 8e6;
}

/* queued: as published, but a few segments may wait before the bucket, as at tc's tbf with a short limit. */
static enum rate_policer police(const struct rate_trace *t, unsigned cut, bool queued, double *room,
				struct rate_facts *out)
{
	unsigned first = 0, last = 0;
	struct samples r = {.sorted = room + 2 * (size_t)t->n, .quick = t->rtt_us};
	struct bucket b = {.on_loss = room, .on_pass = room + t->n,
			   .runs = room + 3 * (size_t)t->n};
	if (!bounds(t, cut, &first, &last))
		return POLICER_FEW_LOSSES;
	uint32_t burst = first_loss(t, first);
	if (burst > LATE_BYTES)
		return POLICER_LATE_LOSS;
	double rtt_us = median_rtt(t, room), rate = rate_between(t, first, last);
	double rtt_bytes = rtt_us * rate / 8e6;
	double since = (double)(int64_t)(t->seg[first].ts_ns - t->start_ns);
	double ahead = t->seg[first].seq - rate / 8e9 * since;
	if (ahead < -PASS_RTTS * rtt_bytes)
		return POLICER_NEGATIVE_FILL;
	simulate(t, first, rate, rtt_us, &r, &b);
	enum rate_policer said = weigh(&b, rtt_bytes);
	if (queued && said == POLICER_RTT_INFLATED && r.n != 0 && queue_bytes(t, &r, rate) <= QUEUE_MOST)
		said = POLICER_OK;
	if (said == POLICER_OK && !is_one_level(b.runs, b.n_runs, r.sorted))
		said = POLICER_WANDERS;
	if (said != POLICER_OK)
		return said;
	out->form = RATE_POLICED;
	out->bounded = queued;
	out->rate_bps = rate;
	out->burst_bytes = !queued ? burst : ahead > 0 ? (uint64_t)ahead : 0;
	out->free_bytes = burst;
	out->loss = (double)b.n_loss / (b.n_loss + b.n_pass);
	out->n_lost = b.n_loss;
	out->n_passed = b.n_pass;
	out->frame = t->seg[first].frame;
	return POLICER_OK;
}

enum rate_policer rate_police(const struct rate_trace *t, unsigned cut, struct rate_facts *out)
{
	double *room = malloc(4 * ((size_t)t->n + 1) * sizeof(*room));
	enum rate_policer said = room != NULL ? police(t, cut, false, room, out) : POLICER_NO_MEMORY;
	free(room);
	return said;
}

/* A bucket with a size, under the published detector's conditions on counts and delay. */
static void police_small(const struct rate_trace *t, double *room, struct rate_facts *out)
{
	struct samples r = {.sorted = room + 2 * (size_t)t->n, .quick = t->rtt_us};
	struct bucket b = {.on_loss = room, .on_pass = room + t->n,
			   .runs = room + 3 * (size_t)t->n};
	unsigned first = 0, last = 0;
	double rate, size;
	if (!bounds(t, 0, &first, &last))
		return;
	double goodput = rate_between(t, first, last);
	simulate(t, first, goodput, median_rtt(t, room), &r, &b);
	if (b.slices < SLICES_MIN || b.n_loss < RATE_SAMPLES_MIN || b.n_pass < RATE_SAMPLES_MIN ||
	    b.n_loss * INFLATED_OUT < b.inflated ||
	    (!rate_bucket(t, goodput, &rate, &size) && !rate_balance(t, goodput, &rate, &size)))
		return;
	out->form = RATE_POLICED;
	out->bounded = true;
	out->rate_bps = rate;
	out->burst_bytes = (uint64_t)size;
	out->free_bytes = first_loss(t, first);
	out->loss = (double)b.n_loss / (b.n_loss + b.n_pass);
	out->n_lost = b.n_loss;
	out->n_passed = b.n_pass;
	out->frame = t->seg[first].frame;
}

/* Losses that begin at one size of packet, whatever the rate. */
static void by_size(const struct rate_trace *t, struct rate_facts *out)
{
	unsigned passed[1 << 10] = {0}, lost[1 << 10] = {0}, all_lost = 0, all = 0;
	uint32_t frame = 0;
	for (unsigned i = 0; i < t->n; i++) {
		const struct rate_segment *s = &t->seg[i];
		bool is = is_lost(s);
		if (!is && !has_passed(s))
			continue;
		(is ? lost : passed)[s->len / SIZE_STEP]++;
		all_lost += is;
		all++;
		if (is && frame == 0)
			frame = s->frame;
	}
	unsigned low_passed = 0, low_lost = 0;
	for (unsigned k = 0; k < 1 << 10; k++) {
		low_passed += passed[k];
		low_lost += lost[k];
		unsigned high_lost = all_lost - low_lost, high = all - low_passed - low_lost;
		if (low_passed < SIZE_PASSED || high_lost < RATE_SAMPLES_MIN ||
		    low_lost * 100 > low_passed || high_lost < SIZE_LOSS * high)
			continue;
		/* As many small ones must have passed as chance would not let by. */
		if (pow(1 - (double)high_lost / high, low_passed) > 1e-4)
			continue;
		out->form = RATE_BY_SIZE;
		out->size = (k + 1) * SIZE_STEP - 1;
		out->loss = (double)high_lost / high;
		out->n_lost = high_lost;
		out->n_passed = all - high_lost;
		out->frame = frame;
		out->rate_bps = rate_between(t, 0, t->n - 1);
		return;
	}
}

/* Behind what dropped, acknowledgements say nothing of the path; but its sender's stamps may. */
static bool path_times(struct rate_trace *t, double *room)
{
	if (!behind(t) || !rate_waits(t, room))
		return true;
	uint32_t *us = malloc(t->n * sizeof(*us));
	for (unsigned i = 0; us != NULL && i < t->n; i++) {
		double all = t->rtt_us + room[i];
		us[i] = room[i] < 0 || all >= RATE_UNACKED ? RATE_UNACKED : (uint32_t)all;
	}
	t->path_us = us;
	return us != NULL;
}

bool rate_judge(struct rate_trace *t, struct rate_facts *out)
{
	*out = (struct rate_facts){.form = RATE_NONE};
	double *room = malloc(4 * ((size_t)t->n + 1) * sizeof(*room));
	if (room == NULL || !rate_mark(t) || !path_times(t, room)) {
		free(room);
		return false;
	}
	out->gaps = behind(t);
	/* What the capture lost looks like what was lost before it. */
	bool lossy = t->gap && out->gaps;
	enum rate_policer said = lossy ? POLICER_FEW_LOSSES : police(t, 0, false, room, out);
	/* The authors try again without two losses at each end, where one may be of another cause. */
	if (!lossy && said != POLICER_OK)
		police(t, 2, false, room, out);
	if (!lossy && out->form == RATE_NONE)
		police_small(t, room, out);
	if (said == POLICER_RTT_INFLATED && out->form == RATE_NONE)
		police(t, 0, true, room, out);
	if (out->form == RATE_NONE)
		rate_shape(t, room, out);
	if (!lossy && out->form == RATE_NONE)
		by_size(t, out);
	if (out->form != RATE_NONE)
		out->rtt_ms = fmax(median_rtt(t, room), t->rtt_us) / 1e3;
	free(t->path_us);
	t->path_us = NULL;
	free(room);
	return true;
}
