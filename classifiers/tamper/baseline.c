/* SPDX-License-Identifier: BSD-3-Clause */

/* How a sender stamps its packets (TTL, DF, IP-ID), and which packet that contradicts. */

#include "classifiers/tamper/view.h"

#define SAME_HOPS 2        /* between hosts of one site */

static enum ipid_class ipid_classify(const struct view *v)
{
	unsigned n = 0, zero = 0, same = 0, steps = 0;
	uint16_t last = 0;
	for (unsigned i = 0; i < v->n; i++) {
		if (!view_is_own(v, i))
			continue;
		uint16_t id = v->e[i].ip_id;
		zero += id == 0;
		if (n != 0) {
			uint16_t step = (uint16_t)(id - last);
			same += step == 0;
			steps += step >= 1 && step <= VIEW_IPID_STEP;
		}
		last = id;
		n++;
	}
	if (n < 2 || v->ev->ipv6)
		return IPID_UNKNOWN;
	if (zero == n)
		return IPID_ZERO;
	if (same == n - 1)
		return IPID_CONSTANT;
	if (steps == n - 1)
		return n >= 3 ? IPID_COUNTER : IPID_UNKNOWN;
	return n >= 3 && steps == 0 ? IPID_RANDOM : IPID_UNKNOWN;
}

static void baseline_take(struct baseline *b, uint8_t lo, uint8_t hi, uint8_t df)
{
	if (b->n == 0 || lo < b->ttl_lo)
		b->ttl_lo = lo;
	if (hi > b->ttl_hi)
		b->ttl_hi = hi;
	b->df |= df;
	b->n++;
}

static uint8_t event_df(const struct view *v, unsigned i)
{
	if (v->ev->ipv6 || (v->e[i].flags & EVENT_REASSEMBLED) != 0)
		return 0;
	return (v->e[i].bits & EVENT_DF) != 0 ? 2 : 1;
}

/* Other flows with the same server address and port stand in where this one shows too little. */
static void baseline_from_habits(struct view *v)
{
	if (v->ctx == NULL || v->dir != DIR_S2C)
		return;
	const struct server_habits *h = context_server(v->ctx, &v->flow->server,
						       v->flow->server_port, v->flow->ip_version);
	bool plain = false;
	for (unsigned i = 0; h != NULL && i < h->n; i++) {
		const struct habit *one = &h->habit[i];
		if (one->flow_id == v->flow->id || !one->trusted || (plain && one->foreign))
			continue;
		plain = !one->foreign;
		baseline_take(&v->base, h->habit[i].ttl_lo, h->habit[i].ttl_hi, h->habit[i].df);
		v->base.other_flows = true;
	}
}

static void baseline_elsewhere(struct view *v)
{
	if (v->base.n == 0)
		baseline_from_habits(v);
	int shake = v->dir == DIR_S2C ? v->synack : v->syn;
	/* Other flows may have met another host behind the same address, this one's handshake did not. */
	if (shake >= 0 && (v->base.n == 0 || v->base.other_flows)) {
		v->base.handshake_only = v->base.n == 0;
		baseline_take(&v->base, v->e[shake].ttl, v->e[shake].ttl,
			      event_df(v, (unsigned)shake));
	}
}

void view_baseline(struct view *v, int except)
{
	v->base = (struct baseline){.n = 0};
	for (unsigned i = 0; i < v->n; i++)
		if (view_is_own(v, i) && (int)i != except)
			baseline_take(&v->base, v->e[i].ttl, v->e[i].ttl, event_df(v, i));
	v->base.ipid = ipid_classify(v);
	baseline_elsewhere(v);
}

struct view view_of_others(const struct view *v)
{
	struct view w = *v;
	w.base = (struct baseline){.n = 0};
	baseline_elsewhere(&w);
	return w;
}

struct view view_without(const struct view *v, unsigned i)
{
	struct view w = *v;
	view_baseline(&w, (int)i);
	w.base.ipid = v->base.ipid;
	return w;
}

bool view_in_series(const struct view *v, unsigned i)
{
	struct view w = view_without(v, i);
	return w.base.n != 0 && view_is_own(v, i) && !view_ttl_off(&w, i, VIEW_TTL_TOLERANCE) &&
	       !view_df_off(&w, i);
}

bool view_ttl_off(const struct view *v, unsigned i, unsigned delta)
{
	if (v->base.n == 0)
		return false;
	int ttl = v->e[i].ttl;
	return ttl < (int)v->base.ttl_lo - (int)delta || ttl > (int)v->base.ttl_hi + (int)delta;
}

unsigned view_hops(unsigned ttl)
{
	return ttl <= 32 ? 32 - ttl : ttl <= 64 ? 64 - ttl : ttl <= 128 ? 128 - ttl : 255 - ttl;
}

bool view_as_far(const struct view *v, unsigned i)
{
	if (v->ev->n_probes != 0)
		return false;
	unsigned hops = view_hops(v->e[i].ttl);
	unsigned lo = view_hops(v->base.ttl_hi), hi = view_hops(v->base.ttl_lo);
	if (lo > hi)
		lo = hi = view_hops(v->base.ttl_lo);
	return hops + SAME_HOPS >= lo && hops <= hi + SAME_HOPS;
}

bool view_df_off(const struct view *v, unsigned i)
{
	uint8_t df = event_df(v, i);
	return v->base.n != 0 && df != 0 && (v->base.df & df) == 0;
}

/* The sender's own packets next to i, -1 where there is none or the record has a hole. */
static int own_neighbour(const struct view *v, unsigned i, int step)
{
	for (int k = (int)i + step; k >= 0 && k < (int)v->n; k += step) {
		if (v->ev->skipped_at != 0 &&
		    ((k < (int)v->ev->skipped_at) != ((int)i < (int)v->ev->skipped_at)))
			return -1;
		if (view_is_own(v, (unsigned)k))
			return k;
	}
	return -1;
}

/* Counted a little after packet k, which packet i may have overtaken on the way, or was by. */
static bool swapped_ids(const struct view *v, unsigned i, unsigned k)
{
	const struct event *a = &v->e[i < k ? i : k], *b = &v->e[i < k ? k : i];
	return b->ts_ns - a->ts_ns < v->reorder_ns &&
	       (uint16_t)(a->ip_id - b->ip_id) <= VIEW_IPID_STEP;
}

bool view_ipid_off(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	if (v->ev->ipv6)
		return false;
	/* Linux answers for a socket that is gone with IP-ID 0 and DF, whatever it counted before. */
	if ((e->flags & TCP_RST) != 0 && e->ip_id == 0 && (e->bits & EVENT_DF) != 0)
		return false;
	if (v->base.ipid == IPID_ZERO)
		return e->ip_id != 0;
	if (v->base.ipid != IPID_COUNTER)
		return false;
	int before = own_neighbour(v, i, -1), after = own_neighbour(v, i, 1);
	if (before >= 0 && (uint16_t)(e->ip_id - v->e[before].ip_id) <= VIEW_IPID_STEP)
		return false;
	if (after >= 0 && (uint16_t)(v->e[after].ip_id - e->ip_id) <= VIEW_IPID_STEP)
		return false;
	if ((before >= 0 && swapped_ids(v, i, (unsigned)before)) ||
	    (after >= 0 && swapped_ids(v, i, (unsigned)after)))
		return false;
	return before >= 0 || after >= 0;
}
