/* SPDX-License-Identifier: BSD-3-Clause */

/* The log of a flow's data segments, and what becomes of it at the flow's end. */

#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/rate.h"
#include "dataplane/seq.h"

#define MSS_MIN 536u          /* RFC 9293, section 3.7.1: below it, what the SYN said is not believed */
#define DSACK_BACK 512u       /* segments that a duplicate's first copy may be behind */
#define HOLE_MAX (256u << 10) /* bytes missing at once: more is a hole in the capture */

struct rate_block {
	struct rate_block *next;
	struct rate_segment seg[RATE_BLOCK];
	uint32_t tsval[RATE_BLOCK];
};

struct rate_log {
	enum dir dir;
	uint32_t base;         /* sequence number of the first payload byte */
	uint32_t next;         /* highest end seen, from base */
	uint32_t mss;
	unsigned n;
	unsigned unacked;      /* the first segment whose acknowledgement is not known */
	unsigned sacked;       /* those before it were compared with selective ones */
	double rtt_us;         /* of the handshake; 0 unknown */
	bool stamped;          /* all that was captured had timestamps, and so one of the first packets: */
	uint32_t base_tsval;
	uint64_t base_ns;
	struct rate_block *block[RATE_FLOW_BLOCKS];
};

static struct rate_segment *seg_at(const struct rate_log *l, unsigned i)
{
	return &l->block[i / RATE_BLOCK]->seg[i % RATE_BLOCK];
}

static struct rate_block *block_take(struct rate_pool *pool)
{
	struct rate_block *b = pool->free;
	if (b != NULL) {
		pool->free = b->next;
		return b;
	}
	if (pool->used + sizeof(*b) > pool->budget)
		return NULL;
	b = malloc(sizeof(*b));
	pool->used += b != NULL ? sizeof(*b) : 0;
	return b;
}

/* The time from the SYN to the handshake's last packet: a round trip, wherever the capture is. */
static double handshake_rtt(const struct evidence *ev)
{
	uint64_t syn = 0;
	for (unsigned i = 0; i < ev->n_events && i < EVENTS_HEAD; i++) {
		const struct event *e = &ev->events[i];
		bool client = event_dir(e) == DIR_C2S;
		if (client && (e->flags & TCP_SYN) != 0)
			syn = e->ts_ns; /* the last copy is the one that was answered soon */
		else if (client && syn != 0 && ev->half[DIR_S2C].syn && (e->flags & TCP_ACK) != 0)
			return e->ts_ns > syn ? (double)(e->ts_ns - syn) / 1e3 : 0;
	}
	return 0;
}

/* The direction's first packet that had a timestamp: no queue of the transfer's stood before it. */
static bool stamped_first(const struct evidence *ev, enum dir dir, struct rate_log *l)
{
	for (unsigned i = 0; i < ev->n_events && i < EVENTS_HEAD; i++) {
		const struct event *e = &ev->events[i];
		/* 0: a short capture may end within the option. */
		if (event_dir(e) != dir || (e->bits & EVENT_TS) == 0 || e->tsval == 0)
			continue;
		l->base_ns = e->ts_ns;
		l->base_tsval = e->tsval;
		return true;
	}
	return false;
}

static struct rate_log *log_new(struct rate_pool *pool, const struct evidence *ev, enum dir dir)
{
	const struct half *s = &ev->half[dir], *p = &ev->half[dir_other(dir)];
	if (pool->free == NULL &&
	    pool->used + sizeof(struct rate_log) + sizeof(struct rate_block) > pool->budget)
		return NULL;
	struct rate_log *l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	pool->used += sizeof(*l);
	pool->logs++;
	l->dir = dir;
	l->base = s->first_seq;
	l->next = s->next - l->base;
	l->rtt_us = handshake_rtt(ev);
	l->stamped = stamped_first(ev, dir, l);
	/* Timestamps take twelve of the bytes that the receiver allows. */
	uint32_t mss = p->has_mss ? p->mss : 0;
	l->mss = mss >= MSS_MIN ? mss - (s->ts_ok && p->ts_ok ? 12 : 0) : 0;
	return l;
}

static bool seg_add(struct rate_pool *pool, struct rate_log *l, struct rate_segment seg,
		    uint32_t tsval)
{
	if (l->n == RATE_BLOCK * RATE_FLOW_BLOCKS)
		return false;
	struct rate_block **b = &l->block[l->n / RATE_BLOCK];
	if (*b == NULL)
		*b = block_take(pool);
	if (*b == NULL)
		return false;
	(*b)->tsval[l->n % RATE_BLOCK] = tsval;
	*seg_at(l, l->n++) = seg;
	return true;
}

/* Offload hands several segments over as one; on the wire they were lost one by one. */
static bool span_add(struct rate_pool *pool, struct rate_log *l, struct rate_segment seg,
		     uint32_t len, uint32_t tsval)
{
	bool room = true;
	while (len != 0 && room) {
		uint32_t n = l->mss != 0 && len > l->mss ? l->mss : len;
		seg.len = (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX);
		room = seg_add(pool, l, seg, tsval);
		seg.seq += n;
		len -= n;
	}
	return room;
}

/*
 * len bytes that seg shows to be missing. They were to come between what came before and it: evenly, as
 * one that was let through has left a bucket empty for those right behind it.
 */
static bool hole_add(struct rate_pool *pool, struct rate_log *l, struct rate_segment seg, uint32_t len)
{
	uint32_t mss = l->mss != 0 ? l->mss : 1460, n = (len + mss - 1) / mss;
	uint64_t to = seg.ts_ns, from = l->n != 0 ? seg_at(l, l->n - 1)->ts_ns : to;
	bool room = true;
	from = from < to ? from : to;
	seg.seq = l->next;
	seg.bits = RATE_HOLE;
	for (uint32_t i = 1; i <= n && room; i++) {
		seg.ts_ns = from + (to - from) * i / (n + 1);
		seg.len = (uint16_t)(i < n ? mss : len - (n - 1) * mss);
		room = seg_add(pool, l, seg, 0);
		seg.seq += seg.len;
	}
	return room;
}

/* Bytes that come behind others: a hole that they fill, if it was there for longer than reordering. */
static void hole_fill(struct rate_log *l, uint32_t seq, uint32_t len, uint64_t ts_ns)
{
	double late_ns = l->rtt_us != 0 ? l->rtt_us * 500 : 3e6;
	unsigned from = l->n > DSACK_BACK * 4 ? l->n - DSACK_BACK * 4 : 0;
	uint64_t shown = ts_ns; /* when the packet behind the hole came by */
	for (unsigned i = l->n; i-- > from;) {
		struct rate_segment *s = seg_at(l, i);
		if ((s->bits & RATE_HOLE) == 0)
			shown = s->ts_ns;
		if ((s->bits & RATE_HOLE) == 0 || seq_diff(s->seq, seq) < 0 ||
		    seq_diff(s->seq + s->len, seq + len) > 0)
			continue;
		/* Cards with several queues capture out of order, and their times go back. */
		if (ts_ns > shown && (double)(ts_ns - shown) >= late_ns)
			s->bits |= RATE_FILLED;
		if (s->seq == seq)
			return;
	}
}

static bool data_add(struct rate_pool *pool, struct rate_log *l, const struct packet *pkt,
		     const struct headers *h)
{
	uint32_t seq = h->seq + ((h->flags & TCP_SYN) != 0) - l->base, len = h->payload_len;
	struct rate_segment seg = {.ts_ns = pkt->ts_ns,
				   .seq = seq,
				   .ack_us = RATE_UNACKED,
				   .frame = (uint32_t)pkt->frame};
	int32_t ahead = seq_diff(seq, l->next);
	/* Keep-alives and probes of a closed window carry a byte that was sent before. */
	if (len <= 1 && ahead < 0)
		return true;
	l->stamped &= h->has_ts;
	if (ahead > 0 && (uint32_t)ahead <= HOLE_MAX && !hole_add(pool, l, seg, (uint32_t)ahead))
		return false;
	if (seq_diff(seq + len, l->next) <= 0) {
		seg.bits = RATE_RETX;
		hole_fill(l, seq, len, pkt->ts_ns);
	} else {
		l->next = seq + len;
	}
	return span_add(pool, l, seg, len, h->tsval);
}

static void seg_acked(struct rate_segment *s, uint64_t ts_ns)
{
	if (s->ack_us != RATE_UNACKED || ts_ns < s->ts_ns)
		return;
	uint64_t us = (ts_ns - s->ts_ns) / 1000;
	s->ack_us = us < RATE_UNACKED ? (uint32_t)us : RATE_UNACKED - 1;
}

/* RFC 2883: the first block lies below the acknowledgement, and says what came twice. */
static void dsack(struct rate_log *l, uint32_t left, uint32_t right)
{
	for (unsigned i = l->n, k = 0; i-- > 0 && k < DSACK_BACK; k++) {
		struct rate_segment *s = seg_at(l, i);
		if ((s->bits & (RATE_RETX | RATE_SPURIOUS)) != RATE_RETX ||
		    seq_diff(left, s->seq) < 0 || seq_diff(right, s->seq + s->len) > 0)
			continue;
		s->bits |= RATE_SPURIOUS;
		return;
	}
}

static void ack_add(struct rate_log *l, const struct packet *pkt, const struct headers *h)
{
	uint32_t ack = h->ack - l->base, left = 0, right = ack;
	while (l->unacked < l->n) {
		struct rate_segment *s = seg_at(l, l->unacked);
		if (seq_diff(s->seq + s->len, ack) > 0)
			break;
		seg_acked(s, pkt->ts_ns);
		l->unacked++;
	}
	for (unsigned i = 0; i < h->n_sack && i < 4; i++) {
		uint32_t a = h->sack[2 * i] - l->base, b = h->sack[2 * i + 1] - l->base;
		if (i == 0 && seq_diff(b, ack) <= 0)
			dsack(l, a, b);
		if (seq_diff(b, right) > 0) {
			left = a;
			right = b;
		}
	}
	if (right == ack)
		return;
	/* The newest block alone: each segment is looked at once. */
	if (l->sacked < l->unacked)
		l->sacked = l->unacked;
	for (; l->sacked < l->n; l->sacked++) {
		struct rate_segment *s = seg_at(l, l->sacked);
		if (seq_diff(s->seq + s->len, right) > 0)
			break;
		if (seq_diff(s->seq, left) >= 0)
			seg_acked(s, pkt->ts_ns);
	}
}

void rate_packet(struct rate_pool *pool, struct evidence *ev, enum dir dir,
		 const struct packet *pkt, const struct headers *h)
{
	struct rate_log *l = ev->rate;
	if ((h->flags & (TCP_RST | TCP_SYN)) != 0)
		return;
	if (l == NULL) {
		l = ev->rate = log_new(pool, ev, dir);
		if (l == NULL) {
			ev->rate_refused = true;
			pool->refused++;
			return;
		}
	}
	if (dir != l->dir) {
		if ((h->flags & TCP_ACK) != 0)
			ack_add(l, pkt, h);
		return;
	}
	if (h->payload_len == 0 || data_add(pool, l, pkt, h) || ev->rate_refused)
		return;
	/* A flow's first 16,384 segments are all that is wanted of it; any fewer are a refusal. */
	ev->rate_refused = l->n < RATE_BLOCK * RATE_FLOW_BLOCKS;
	pool->refused += ev->rate_refused;
}

static bool counts(const struct rate_segment *s)
{
	return (s->bits & (RATE_HOLE | RATE_LOST)) == 0;
}

static const struct goodput *make_goodput(struct rate_pool *pool, struct arena *a,
					  const struct rate_trace *t)
{
	uint64_t first = t->seg[0].ts_ns, last = first, width = GOODPUT_BIN_NS;
	uint32_t rtt = RATE_UNACKED;
	for (unsigned i = 0; i < t->n; i++) {
		last = t->seg[i].ts_ns > last ? t->seg[i].ts_ns : last;
		if (counts(&t->seg[i]) && t->seg[i].ack_us < rtt)
			rtt = t->seg[i].ack_us;
	}
	while ((last - first) / width >= GOODPUT_BINS)
		width *= 2;
	unsigned n = (unsigned)((last - first) / width) + 1;
	size_t size = sizeof(struct goodput) + n * sizeof(uint32_t);
	if (size > pool->goodput_budget)
		return NULL;
	struct goodput *g = arena_alloc(a, size);
	if (g == NULL)
		return NULL;
	pool->goodput_budget -= size;
	*g = (struct goodput){.start_ns = first, .bin_ns = width, .n = n};
	/* Next to the receiver, acknowledgements say nothing of the path. */
	double path = t->rtt_us > 0 ? t->rtt_us : rtt == RATE_UNACKED ? 0 : rtt;
	g->rtt_us = path < 4e9 ? (uint32_t)path : 0;
	for (unsigned i = 0; i < t->n; i++)
		if (counts(&t->seg[i]) && t->seg[i].ts_ns >= first)
			g->bytes[(t->seg[i].ts_ns - first) / width] += t->seg[i].len;
	return g;
}

/* Of a log, in one piece; its owner frees seg and tsval. */
static bool trace_of(const struct rate_log *l, struct rate_trace *t)
{
	uint32_t *tsval = l->stamped ? malloc(l->n * sizeof(*tsval)) : NULL;
	t->seg = malloc(l->n * sizeof(*t->seg));
	t->tsval = tsval;
	for (unsigned i = 0; t->seg != NULL && i < l->n; i++) {
		t->seg[i] = *seg_at(l, i);
		if (tsval != NULL)
			tsval[i] = l->block[i / RATE_BLOCK]->tsval[i % RATE_BLOCK];
	}
	return t->seg != NULL;
}

static void trace_free(struct rate_trace *t)
{
	free(t->seg);
	free((void *)(uintptr_t)t->tsval);
}

static void conclude(struct rate_pool *pool, struct arena *a, struct evidence *ev,
		     struct evidence_counters *n)
{
	const struct rate_log *l = ev->rate;
	const struct half *s = &ev->half[l->dir];
	struct rate_facts facts;
	struct rate_trace t = {.n = l->n,
			       .base_ns = l->base_ns,
			       .base_tsval = l->base_tsval,
			       .start_ns = s->first_data_ns,
			       .rtt_us = l->rtt_us,
			       .first_retx = s->retx_seq - l->base,
			       .any_retx = s->n_retx != 0,
			       .gap = s->gap};
	bool judged = trace_of(l, &t) && rate_judge(&t, &facts);
	struct goodput *g = judged ? (struct goodput *)make_goodput(pool, a, &t) : NULL;
	if (g != NULL)
		g->dir = (uint8_t)l->dir;
	struct evidence_more *m = judged ? evidence_more(ev, n) : NULL;
	if (m != NULL)
		m->goodput = g;
	if (m != NULL && facts.form != RATE_NONE) {
		facts.dir = (uint8_t)l->dir;
		m->rate = malloc(sizeof(facts));
		if (m->rate != NULL) {
			*m->rate = facts;
			ev->found |= EVIDENCE_RATE;
		}
	}
	trace_free(&t);
}

void rate_drop(struct rate_pool *pool, struct evidence *ev)
{
	struct rate_log *l = ev->rate;
	if (l == NULL)
		return;
	for (unsigned i = 0; i < RATE_FLOW_BLOCKS && l->block[i] != NULL; i++) {
		l->block[i]->next = pool->free;
		pool->free = l->block[i];
	}
	pool->used -= sizeof(*l);
	free(l);
	ev->rate = NULL;
}

void rate_finish(struct rate_pool *pool, struct arena *a, struct evidence *ev,
		 struct evidence_counters *n)
{
	if (ev->rate == NULL)
		return;
	if (ev->rate->n != 0)
		conclude(pool, a, ev, n);
	rate_drop(pool, ev);
}

void rate_pool_free(struct rate_pool *pool)
{
	while (pool->free != NULL) {
		struct rate_block *b = pool->free;
		pool->free = b->next;
		pool->used -= sizeof(*b);
		free(b);
	}
}
