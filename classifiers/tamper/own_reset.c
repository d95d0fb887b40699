/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which resets of a direction are certainly its sender's own. Beside a forged one they are common: the
 * sender closes too, or answers packets of a connection that it was made to forget.
 */

#include "classifiers/tamper/sub_rtt.h"
#include "classifiers/tamper/view.h"
#include "dataplane/seq.h"

#define IPID_BUSY_STEP 256 /* between two packets, of a counter that a busy host's flows share */
#define COPY_NS 1000000ull /* a SPAN port's second copy */
#define REFUSED_NS 2000000000ull /* where no round trip was seen: longer than those of any path */
#define MSS_LEAST 536u     /* RFC 9293, section 3.7.1 */

struct resets {
	const struct view *v;
	uint64_t rtt;
	uint64_t own;      /* bit per RST of v->rst */
	uint64_t unasked;  /* shaped like a closed socket's answer, but to nothing */
	uint16_t answers[EVENTS_MAX]; /* resets that each packet of the other side has drawn */
};

/* Sooner after the packet that drew it than its sender could have answered. */
static bool is_too_soon(const struct resets *s, unsigned i)
{
	const struct view *v = s->v;
	const struct event *r = &v->e[i];
	if (s->rtt == UINT64_MAX || s->rtt < RTT_FLOOR_NS)
		return false;
	for (int k = (int)i - 1; k >= 0; k--) {
		const struct event *q = &v->e[k];
		if (event_dir(q) == v->dir || event_seqlen(q) == 0 || (q->flags & TCP_RST) != 0)
			continue;
		bool drew = (r->flags & TCP_ACK) != 0 ? q->seq + event_seqlen(q) == r->ack
						      : q->len != 0 && q->ack == r->seq;
		if (drew)
			return (r->ts_ns - q->ts_ns) * 10 < s->rtt * 8;
	}
	return false;
}

/* RFC 9768, section 3.1: a SYN with all three bits, and not classic ECN's or no answer to it. */
static bool agreed_on_accecn(const struct view *v)
{
	const unsigned ace = TCP_AE | TCP_CWR | TCP_ECE;
	unsigned syn = v->syn >= 0 ? v->e[v->syn].flags & ace : ace;
	unsigned answer = v->synack >= 0 ? v->e[v->synack].flags & ace : ace;
	return syn == ace && answer != 0 && answer != TCP_ECE && (v->syn >= 0 || answer != ace);
}

unsigned view_odd_flags(const struct view *v, unsigned i)
{
	unsigned odd = v->e[i].flags & (TCP_RESERVED | TCP_AE);
	bool counts = agreed_on_accecn(v);
	for (unsigned k = 0; k < i && !counts; k++)
		counts = event_dir(&v->e[k]) == v->dir && (v->e[k].flags & TCP_AE) != 0 &&
			 (v->e[k].flags & (TCP_SYN | TCP_RST)) == 0;
	return counts ? odd & ~(unsigned)TCP_AE : odd;
}

/* Reserved bits and payload are no stack's. */
static bool is_odd(const struct view *v, unsigned i)
{
	return view_odd_flags(v, i) != 0 || (v->e[i].len != 0 && (v->e[i].bits & EVENT_PADDING) == 0);
}

/* Linux's answer to a segment for a socket that is gone: no ACK, no window, no IP-ID. */
static bool is_refusal_shaped(const struct view *v, const struct event *r)
{
	return (r->flags & TCP_ACK) == 0 && r->ack == 0 && r->window == 0 && r->ip_id == 0 &&
	       (v->ev->ipv6 || (r->bits & EVENT_DF) != 0);
}

/* One round trip or two later; where the capture has none of its sender's, it may be any. */
static bool is_in_time(const struct resets *s, uint64_t dt)
{
	if (s->rtt == UINT64_MAX)
		return dt >= RTT_FLOOR_NS && dt <= REFUSED_NS;
	return dt * 10 >= s->rtt * 8 && dt <= 2 * s->rtt;
}

/*
 * The latest packet, one round trip or two before the reset, that has not drawn one and whose
 * acknowledgement is the reset's number (RFC 9293, section 3.5.2); -1. A super-segment of an
 * offloading sender draws one for each of its parts.
 */
static int drew_refusal(const struct resets *s, unsigned i)
{
	const struct view *v = s->v;
	const struct event *r = &v->e[i];
	unsigned mss = v->ev->half[v->dir].has_mss && v->ev->half[v->dir].mss >= MSS_LEAST
			       ? v->ev->half[v->dir].mss
			       : MSS_LEAST;
	for (int k = (int)i - 1; k >= 0; k--) {
		const struct event *q = &v->e[k];
		if (event_dir(q) != v->dir && (q->flags & (TCP_ACK | TCP_RST)) == TCP_ACK &&
		    q->ack == r->seq && s->answers[k] < 1 + q->len / mss &&
		    is_in_time(s, r->ts_ns - q->ts_ns))
			return k;
	}
	return -1;
}

/* A packet that acknowledges the reset's number came before it: one that draws it need not be missing. */
static bool was_acked(const struct view *v, unsigned i)
{
	uint32_t ack;
	return view_acked_before(v, i, &ack) && v->e[i].seq == ack;
}

/* Copies share one fate: a capture may show frames twice. */
static bool is_copy(const struct event *a, const struct event *b)
{
	return (a->flags & TCP_RST) != 0 && a->seq == b->seq && a->ack == b->ack &&
	       a->flags == b->flags && a->window == b->window && a->ip_id == b->ip_id;
}

bool view_is_copy(const struct view *v, unsigned k)
{
	if (k == 0 || v->ev->duplicates == 0)
		return false;
	const struct event *a = &v->e[v->rst[k - 1]], *b = &v->e[v->rst[k]];
	return is_copy(a, b) && b->ts_ns - a->ts_ns <= COPY_NS;
}

/* From the last to the first, so that each finds the packet that was the latest to draw it. */
static void match_refusals(struct resets *s)
{
	const struct view *v = s->v;
	bool hole = v->ev->skipped_at != 0 || v->ev->half[dir_other(v->dir)].gap;
	if (v->base.n == 0 || v->base.handshake_only || hole)
		return;
	for (unsigned i = v->n_rst; i-- > 0;) {
		const struct event *r = &v->e[v->rst[i]];
		if (!is_refusal_shaped(v, r) || is_odd(v, v->rst[i]) ||
		    view_ttl_off(v, v->rst[i], VIEW_TTL_TOLERANCE) || view_df_off(v, v->rst[i]))
			continue;
		int k = drew_refusal(s, v->rst[i]);
		if (i + 1 < v->n_rst && view_is_copy(v, i + 1)) {
			s->own |= (s->own >> (i + 1) & 1) << i;
			s->unasked |= (s->unasked >> (i + 1) & 1) << i;
		} else if (k >= 0) {
			s->answers[k]++;
			s->own |= 1ull << i;
		} else if (was_acked(v, v->rst[i])) {
			s->unasked |= 1ull << i;
		}
	}
}

/*
 * A refusal that something drew and its twin that nothing did, a moment apart: they cannot be told from
 * each other, so neither is certain.
 */
static void doubt_twins(struct resets *s)
{
	const struct view *v = s->v;
	for (unsigned i = 0; i + 1 < v->n_rst; i++) {
		const struct event *a = &v->e[v->rst[i]], *b = &v->e[v->rst[i + 1]];
		uint64_t both = 3ull << i;
		if (is_copy(a, b) && b->ts_ns - a->ts_ns <= COPY_NS && (s->unasked & both) != 0 &&
		    (s->own & both) != 0) {
			s->own &= ~both;
			s->unasked |= both;
		}
	}
}

static bool is_known_own(const struct resets *s, unsigned event)
{
	for (unsigned i = 0; i < s->v->n_rst; i++)
		if (s->v->rst[i] == event)
			return (s->own & 1ull << i) != 0;
	return false;
}

/* The last packet before i on which its sender's IP-ID counter shows; -1. */
static int counted_before(const struct resets *s, unsigned i)
{
	const struct view *v = s->v;
	for (int k = (int)i - 1; k >= 0; k--) {
		const struct event *e = &v->e[k];
		if (event_dir(e) != v->dir || e->ip_id == 0)
			continue;
		if ((e->flags & TCP_RST) != 0 ? is_known_own(s, (unsigned)k)
					      : view_is_own(v, (unsigned)k) || (e->flags & TCP_SYN) != 0)
			return k;
	}
	return -1;
}

/* At the end of what its sender sent or the other side expects, as every stack's own. */
static bool is_at_edge(const struct resets *s, unsigned i)
{
	const struct view *v = s->v;
	uint32_t next;
	return was_acked(v, i) || view_after_fin(v, i) ||
	       (view_next_before(v, i, &next) && v->e[i].seq == next);
}

static void follow_counter(struct resets *s)
{
	const struct view *v = s->v;
	if (v->ev->ipv6 || v->base.n == 0 || v->base.ipid == IPID_RANDOM ||
	    v->base.ipid == IPID_CONSTANT)
		return;
	for (unsigned i = 0; i < v->n_rst; i++) {
		const struct event *r = &v->e[v->rst[i]];
		int k = counted_before(s, v->rst[i]);
		if (k < 0 || r->ip_id == 0 || is_odd(v, v->rst[i]) || is_too_soon(s, v->rst[i]) ||
		    view_ttl_off(v, v->rst[i], VIEW_TTL_TOLERANCE) || !is_at_edge(s, v->rst[i]))
			continue;
		uint16_t step = (uint16_t)(r->ip_id - v->e[k].ip_id);
		if ((step >= 1 && step <= IPID_BUSY_STEP) || is_copy(&v->e[k], r))
			s->own |= 1ull << i;
	}
}

/* Something on it contradicts its sender; with the number of an own one it is a sibling of that. */
static bool is_foreign(const struct resets *s, unsigned k)
{
	const struct view *v = s->v;
	unsigned r = v->rst[k];
	bool sibling = false;
	for (unsigned i = 0; i < v->n_rst; i++)
		sibling |= (s->own & 1ull << i) != 0 && v->e[v->rst[i]].seq == v->e[r].seq &&
			   !view_ttl_off(v, r, VIEW_TTL_TOLERANCE) && !view_df_off(v, r);
	return (s->unasked & 1ull << k) != 0 || is_odd(v, r) || is_too_soon(s, r) ||
	       (!view_endpoint_like(v, r) && !sibling) || view_ipid_off(v, r);
}

uint64_t view_own_resets(const struct view *v)
{
	struct resets s = {.v = v};
	if (v->n_rst < 2)
		return 0;
	s.rtt = view_min_rtt(v, -1, true);
	match_refusals(&s);
	doubt_twins(&s);
	follow_counter(&s);
	for (unsigned i = 0; i < v->n_rst && s.own != 0; i++)
		if ((s.own & 1ull << i) == 0 && is_foreign(&s, i))
			return s.own;
	return 0;
}

/* Highest acknowledgement in a packet of direction dir before i that is no RST; false: none. */
static bool acknowledged(const struct view *v, unsigned i, uint32_t *ack)
{
	bool any = false;
	for (unsigned k = 0; k < i; k++) {
		const struct event *e = &v->e[k];
		if (event_dir(e) != v->dir || (e->flags & (TCP_ACK | TCP_RST)) != TCP_ACK ||
		    (any && seq_leq(e->ack, *ack)))
			continue;
		*ack = e->ack;
		any = true;
	}
	return any;
}

bool view_drawn_late(const struct view *v, unsigned i)
{
	uint32_t acked = 0, next = 0;
	bool any = false, sent = false;
	if (!acknowledged(v, i, &acked) || v->ev->skipped_at != 0)
		return false;
	for (unsigned k = 0; k < i; k++) {
		const struct event *e = &v->e[k];
		uint32_t end = e->seq + event_seqlen(e);
		if (event_dir(e) == v->dir || (e->flags & TCP_RST) != 0)
			continue;
		if ((e->flags & TCP_ACK) != 0 && e->ack == v->e[i].seq) {
			/* Sent again, keep-alives too, or empty with nothing behind it. */
			if ((sent && seq_lt(e->seq, next)) ||
			    (end == e->seq ? !seq_lt(end, acked) : !seq_leq(end, acked)))
				return false;
			any = true;
		}
		if (!sent || seq_lt(next, end))
			next = end;
		sent = true;
	}
	return any;
}
