/* SPDX-License-Identifier: BSD-3-Clause */

/* Whether what comes later is of the same connection: ports are used again. */

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
		if (k < a && (v->e[a].ts_ns - e->ts_ns >= VIEW_REORDER_NS || !pure))
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
	if (sent_on(v, event_dir(e), a, k, &first, &next) && seq_leq(first, e->seq) &&
	    seq_leq(e->seq, next))
		return true;
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
