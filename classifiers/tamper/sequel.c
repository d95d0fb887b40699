/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Whether what comes later is of the same connection, as ports are used again, and of the same machine, as
 * addresses are.
 */

#include "classifiers/tamper/view.h"
#include "dataplane/seq.h"

static bool spoke_before(const struct view *v, enum dir dir, unsigned a)
{
	for (unsigned k = 0; k < a; k++)
		if (event_dir(&v->e[k]) == dir && (v->e[k].flags & (TCP_SYN | TCP_RST)) == 0)
			return true;
	return false;
}

/* A SYN+ACK behind packet a that answers the SYN before it; where the capture lacks that, a first word. */
static bool is_answer(const struct view *v, const struct event *e, unsigned a)
{
	return v->syn >= 0 ? e->ack == v->e[v->syn].seq + 1 : !spoke_before(v, event_dir(e), a);
}

bool view_began_anew(const struct view *v, unsigned a, unsigned b)
{
	for (unsigned k = 0; k < b; k++) {
		const struct event *e = &v->e[k];
		int shake = event_dir(e) == DIR_C2S ? v->syn : v->synack;
		bool pure = event_dir(e) == DIR_C2S && (e->flags & TCP_ACK) == 0;
		bool sequel = pure || (event_dir(e) == DIR_S2C && !is_answer(v, e, a));
		if ((e->flags & (TCP_SYN | TCP_RST)) != TCP_SYN || k == a)
			continue;
		if (k < a && (v->e[a].ts_ns - e->ts_ns >= v->reorder_ns || !pure))
			continue;
		if ((k > a && sequel) || shake < 0 || e->seq != v->e[shake].seq)
			return true;
	}
	return false;
}

bool view_is_mixed(const struct view *v)
{
	for (unsigned k = 0; v->syn >= 0 && k < v->n; k++)
		if (event_dir(&v->e[k]) == DIR_C2S && v->e[k].seq != v->e[v->syn].seq &&
		    (v->e[k].flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN)
			return true;
	return false;
}

/* Further than this from all that a side sent before, a packet is of another connection. */
#define WINDOW_SEEN (1 << 24)

/* What a side had sent by packet a, and without a hole from there to b; false: nothing. */
static bool sent_on(const struct view *v, enum dir dir, unsigned a, unsigned b, uint32_t *first,
		    uint32_t *next)
{
	bool any = false;
	for (unsigned k = 0; k < b; k++) {
		const struct event *e = &v->e[k];
		uint32_t end = e->seq + event_seqlen(e);
		/* Where nothing else came before it, packet a itself says where both are. */
		if (k == a && !any && (event_dir(e) == dir || (e->flags & TCP_ACK) != 0)) {
			*first = *next = event_dir(e) == dir ? e->seq : e->ack;
			any = true;
		}
		if (event_dir(e) != dir || (e->flags & TCP_RST) != 0 ||
		    (k > a && (!any || (e->flags & TCP_SYN) != 0 || seq_lt(*next, e->seq) ||
			       seq_lt(e->seq, *first))))
			continue;
		/* Ports used again, and the capture lacks the SYN. */
		any = any && seq_diff(e->seq, *next) < WINDOW_SEEN && seq_diff(*first, end) < WINDOW_SEEN;
		if (!any || seq_lt(e->seq, *first))
			*first = e->seq;
		if (!any || seq_lt(*next, end))
			*next = end;
		any = true;
	}
	return any;
}

bool view_goes_on(const struct view *v, unsigned a, unsigned k)
{
	const struct event *e = &v->e[k];
	uint32_t first, next, acked = 0;
	bool any = false;
	if (view_began_anew(v, a, k) || view_is_mixed(v))
		return false;
	bool own = sent_on(v, event_dir(e), a, k, &first, &next);
	if (own && seq_leq(first, e->seq) && seq_leq(e->seq, next))
		return true;
	/* Or of the server's own numbers, whose SYN proxy has forgotten to translate them. */
	if (own && (seq_diff(e->seq, next) >= WINDOW_SEEN || seq_diff(first, e->seq) >= WINDOW_SEEN))
		return false;
	/* Behind a hole: what it acknowledges must be of the old connection. */
	for (unsigned i = 0; i < a; i++)
		if (event_dir(&v->e[i]) == event_dir(e) &&
		    (v->e[i].flags & (TCP_ACK | TCP_RST)) == TCP_ACK &&
		    (!any || seq_lt(acked, v->e[i].ack))) {
			acked = v->e[i].ack;
			any = true;
		}
	if ((e->flags & TCP_ACK) == 0 || (any && seq_lt(e->ack, acked)))
		return false;
	bool heard = sent_on(v, dir_other(event_dir(e)), a, k, &first, &next);
	return heard ? seq_leq(first, e->ack) && seq_leq(e->ack, next) : any && e->ack == acked;
}

#define QUIET_NS  200000000ull  /* the least that TCP waits before it sends again: RFC 6298 as implemented */
#define ABSENT_NS 1000000000ull /* links come up and routes come back no sooner */

/* When the sender of RST i last sent something else, or payload, at the latest; 0: nothing is known. */
static uint64_t heard_last(const struct view *v, unsigned i, bool payload)
{
	unsigned from = v->ev->skipped_at;
	for (unsigned k = i; k-- > from;)
		if (event_dir(&v->e[k]) == v->dir && (v->e[k].flags & TCP_RST) == 0 &&
		    (!payload || v->e[k].len != 0))
			return v->e[k].ts_ns;
	/* What was left out came before the first that was not. */
	return from != 0 && from < i ? v->e[from].ts_ns : 0;
}

/* Bare and empty of all but its number, as Linux answers a segment for a socket that it does not have. */
static bool is_plain_refusal(const struct event *e)
{
	return (e->flags & (TCP_RST | TCP_ACK)) == TCP_RST && e->ack == 0 && e->window == 0 && e->len == 0;
}

#define MSS_LEAST 536u /* RFC 9293, section 3.7.1: offload joins segments */
#define FLIGHT 3 /* segments under way: forgers send that many at once too, but not one for each */
#define FLIGHT_LARGE 8 /* whose sender would have acknowledged some of them, had it been there */

/* Before RST rst, and since it last said something, its sender acknowledged more than it had by then. */
static bool was_being_answered(const struct view *v, unsigned rst)
{
	const struct event *last = NULL;
	bool more = v->ev->skipped_at != 0 && v->ev->skipped_at <= rst;
	for (unsigned i = more ? v->ev->skipped_at : 0; i < rst; i++) {
		const struct event *e = &v->e[i];
		if (event_dir(e) != v->dir || (e->flags & (TCP_ACK | TCP_RST)) != TCP_ACK)
			continue;
		more = e->len == 0 && (more || (last != NULL && seq_lt(last->ack, e->ack)));
		last = e->len != 0 || last == NULL ? e : last;
	}
	return more;
}

/*
 * A translator that lost its table refuses what is under way to its client, one bare reset for each segment,
 * and lets its client through as soon as that speaks again. Who acts on a request does so before it is
 * being answered.
 */
static bool refused_a_flight(const struct view *v, unsigned rst, unsigned k)
{
	const struct event *r = &v->e[rst];
	unsigned refusals = 0, segments = 0, last = rst, back = k;
	if (v->dir != DIR_C2S || !was_being_answered(v, rst))
		return false;
	for (unsigned i = 0; i < k; i++) {
		const struct event *e = &v->e[i];
		if (event_dir(e) != v->dir) {
			segments += e->len != 0 && e->ack == r->seq ? 1 + e->len / MSS_LEAST : 0;
		} else if ((e->flags & TCP_RST) != 0) {
			if (!is_plain_refusal(e) || e->seq != r->seq || e->ttl != r->ttl || back != k)
				return false;
			refusals++;
			last = i;
		} else if (refusals != 0 && back == k) {
			back = i;
		}
	}
	bool each = refusals <= segments || v->ev->skipped_at != 0;
	bool absent = refusals >= FLIGHT_LARGE || v->e[back].ts_ns - v->e[last].ts_ns >= ABSENT_NS;
	return each && absent && refusals >= FLIGHT;
}

bool view_stood_in(const struct view *v, unsigned rst, unsigned k)
{
	if (refused_a_flight(v, rst, k))
		return true;
	const struct event *r = &v->e[rst];
	uint64_t last = heard_last(v, rst, false), said = heard_last(v, rst, true);
	bool drawn = false;
	/* A client that had its answer speaks again when it likes. */
	uint64_t absent = v->dir == DIR_C2S && was_being_answered(v, rst) ? QUIET_NS : ABSENT_NS;
	if ((r->flags & TCP_ACK) != 0 || last == 0 || r->ts_ns - last < QUIET_NS ||
	    v->e[k].ts_ns - r->ts_ns < absent)
		return false;
	for (unsigned i = 0; i < rst; i++) {
		const struct event *e = &v->e[i];
		if (event_dir(e) == v->dir || (e->flags & TCP_RST) != 0)
			continue;
		/* A request is what a box answers, and a server may take its time to. */
		if (v->dir == DIR_S2C && e->ts_ns > said && e->len != 0 && (e->bits & EVENT_RETX) == 0)
			return false;
		drawn |= (e->flags & TCP_ACK) != 0 && e->ack == r->seq;
	}
	return drawn;
}

/*
 * RST rst is one of those with which a closed socket answers late data: the sender's FIN came within that
 * time behind it, and then the same RST again. It overtook the FIN and what was sent before.
 */
static bool refuses_when_closed(const struct view *v, unsigned rst, uint64_t within)
{
	const struct event *r = &v->e[rst];
	bool closed = false;
	if ((r->flags & TCP_ACK) != 0)
		return false;
	for (unsigned k = rst + 1; k < v->n; k++) {
		const struct event *e = &v->e[k];
		if (event_dir(e) != v->dir)
			continue;
		closed |= (e->flags & TCP_FIN) != 0 && e->ts_ns - r->ts_ns < within;
		if (closed && e->flags == r->flags && e->seq == r->seq && e->ack == r->ack &&
		    e->ttl == r->ttl && e->ip_id == r->ip_id && e->window == r->window)
			return true;
	}
	return false;
}

uint64_t view_late_after(const struct view *v, unsigned rst)
{
	uint64_t rtt = view_min_rtt(v, (int)rst, true);
	uint64_t half = rtt == UINT64_MAX || rtt / 2 < v->reorder_ns ? v->reorder_ns : rtt / 2;
	return refuses_when_closed(v, rst, 2 * half) ? 2 * half : half;
}
