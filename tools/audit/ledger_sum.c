/* SPDX-License-Identifier: BSD-3-Clause */

/* What is left over once frames are paired, and what all of it adds up to. */

#include "tools/audit/ledger_private.h"

/* RFC 1812, section 5.3.1: TTL; RFC 1112, 3927, 4291, 919: addresses that no router passes on. */
static bool router_must_drop(const struct ledger_frame *f)
{
	const struct ip_addr *ends[2] = {&f->key.lo, &f->key.hi};

	if (f->kind == LEDGER_OTHER || f->ttl <= 1)
		return true;
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *b = ends[i]->b;
		bool v6 = f->key.ip_version == 6;
		if (v6 ? b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		       : b[12] == 0 || b[12] == 127 || b[12] >= 224 ||
				    (b[12] == 169 && b[13] == 254))
			return true;
	}
	return false;
}

/* Its sender is behind the port that it arrived at: nobody's forgery of our conversations. */
static bool from_here(const struct ledger *l, const struct ledger_frame *f, enum compare_side port)
{
	bool at_client = f->from_lo == l->flows[f->flow].lo_is_client;

	return at_client == (port == SIDE_CLIENT);
}

static void rest_arrivals(struct ledger *l, enum compare_way way)
{
	enum compare_side port = way_to(way);
	struct ledger_port *p = &l->port[port];
	bool unsure = l->losses.broken || l->losses.missed[way_from(way)] > 0 ||
		      l->port[way_from(way)].beyond > 0;

	for (uint32_t i = 0; i < p->n; i++) {
		struct ledger_frame *f = &p->frames[i];
		if (f->ours)
			continue;
		if (f->fate == FATE_NONE && f->kind == LEDGER_ERROR && f->flow != LEDGER_NONE) {
			l->flows[f->flow].errors++;
			l->flows[f->flow].prohibited += f->prohibits;
			l->way[way].errors++;
		} else if (f->fate == FATE_NONE && ledger_has_conversation(f) &&
			   f->flow != LEDGER_NONE && !f->reflected && !from_here(l, f, port)) {
			f->fate = unsure ? FATE_MISSED : FATE_INJECTED;
		} else if (f->fate == FATE_NONE) {
			p->others.arrived++;
			p->others.reflected += f->reflected;
		}
	}
}

static void rest_sent(struct ledger *l, enum compare_way way)
{
	struct ledger_port *p = &l->port[way_from(way)];
	bool unsure = ledger_unsure(l, way);

	for (uint32_t i = 0; i < p->n; i++) {
		struct ledger_frame *f = &p->frames[i];
		if (!f->ours || f->fate != FATE_NONE)
			continue;
		f->fate = unsure ? FATE_MISSED : FATE_DROPPED;
		f->not_routable = f->fate == FATE_DROPPED && router_must_drop(f);
		l->way[way].not_routable += f->not_routable;
		if (f->flow != LEDGER_NONE)
			l->flows[f->flow].not_routable += f->not_routable;
	}
}

void ledger_rest(struct ledger *l, enum compare_way way)
{
	rest_arrivals(l, way);
	rest_sent(l, way);
}

static uint32_t flow_of(const struct ledger *l, enum compare_way way, const struct ledger_frame *f)
{
	/* Translated: the conversation is the one that was sent. */
	if (!f->ours && f->peer != LEDGER_NONE)
		return l->port[way_from(way)].frames[f->peer].flow;
	return f->flow;
}

static void count(struct ledger *l, enum compare_way way, struct ledger_frame *f)
{
	struct compare_totals *t = &l->way[way].totals;
	uint32_t flow = flow_of(l, way, f);
	bool paired = !f->ours && f->peer != LEDGER_NONE;

	t->sent += f->ours;
	t->received += !f->ours;
	if (flow != LEDGER_NONE)
		l->flows[flow].sent[way] += f->ours;
	/* Of a pair, and of bytes cut otherwise, those that were sent count. */
	if (f->ours || (!paired && f->fate != FATE_RESEGMENTED && f->fate != FATE_NONE)) {
		t->fates[f->fate]++;
		if (flow != LEDGER_NONE)
			l->flows[flow].fates[way][f->fate]++;
	}
	if (!paired)
		return;
	const struct ledger_frame *s = &l->port[way_from(way)].frames[f->peer];
	uint64_t transit = f->ts_ns > s->ts_ns ? f->ts_ns - s->ts_ns : 0;
	pace_errors_add(&l->way[way].transit, s->ts_ns, f->ts_ns);
	if (transit > t->slowest_ns)
		t->slowest_ns = transit;
	if (flow != LEDGER_NONE && transit > l->flows[flow].slowest_ns[way])
		l->flows[flow].slowest_ns[way] = transit;
	for (unsigned i = 0; i < CHANGES; i++)
		t->changed[i] += f->changed >> i & 1;
}

static void count_hops(struct ledger *l, enum compare_way way)
{
	const struct ledger_port *to = &l->port[way_to(way)], *from = &l->port[way_from(way)];
	uint32_t lost[256] = {0}, n = 0, mode = 0;

	for (uint32_t i = 0; i < to->n; i++) {
		const struct ledger_frame *r = &to->frames[i];
		if (r->ours || r->peer == LEDGER_NONE || r->kind == LEDGER_OTHER)
			continue;
		lost[(uint8_t)(from->frames[r->peer].ttl - r->ttl)]++;
		n++;
	}
	for (uint32_t i = 1; i < 256; i++)
		mode = lost[i] > lost[mode] ? i : mode;
	bool one = n > 0 && (uint64_t)lost[mode] * 10 >= (uint64_t)n * 9;
	l->way[way].hops = one ? (int)mode : -1;
	l->way[way].other_ttl = one ? n - lost[mode] : n;
}

void ledger_sum(struct ledger *l, enum compare_way way)
{
	struct ledger_way *w = &l->way[way];
	const struct ledger_port *to = &l->port[way_to(way)], *from = &l->port[way_from(way)];
	uint32_t newest = 0;

	for (unsigned port = 0; port < SIDES; port++) {
		bool sending = port == way_from(way);
		for (uint32_t i = 0; i < l->port[port].n; i++) {
			if (l->port[port].frames[i].ours == sending)
				count(l, way, &l->port[port].frames[i]);
		}
	}
	for (uint32_t i = 0; i < to->n; i++) {
		const struct ledger_frame *r = &to->frames[i];
		if (r->ours || r->peer == LEDGER_NONE)
			continue;
		w->totals.reordered += r->peer < newest;
		newest = r->peer > newest ? r->peer : newest;
	}
	/* Behind the others by more than a busy machine explains. */
	uint64_t slow = pace_errors_quantile(&w->transit, 0.5) + 100000000;
	for (uint32_t i = 0; i < to->n; i++) {
		const struct ledger_frame *r = &to->frames[i];
		if (!r->ours && r->peer != LEDGER_NONE)
			w->totals.delayed += r->ts_ns > from->frames[r->peer].ts_ns + slow;
	}
	count_hops(l, way);
}
