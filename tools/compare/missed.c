/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A packet that its sender's capture lacks, though it is stamped like all that this sender sends, may be
 * one that the capture missed: nothing acknowledges a reset, a FIN or a datagram, so the hosts do not show
 * it. What a forger stamps differs; where it does not, numbers tell: a capture misses packets of any kind.
 */

#include <string.h>

#include "tools/compare/findings.h"

#define LOOK_MAX 64 /* packets around one, and packets of one connection, that are looked at */
#define ID_NEAR 8 /* between two packets of one sender on one connection; by chance once in 2^13 */
#define TTL_NEAR 3 /* hops by which routes of one host were seen to change within a connection */

/* Header traits that a stack gives all its segments but resets. */
static bool other_traits(const struct digest *d, const struct digest *own)
{
	return ((d->has ^ own->has) & (HAS_DF | HAS_TS)) != 0;
}

/* A packet of the list that both captures have, next to place i: before it, or behind. */
static const struct digest *own_near(const struct view *v, const struct list *l, uint32_t i, bool before)
{
	for (uint32_t n = 0; n < LOOK_MAX && (before ? i-- > 0 : ++i < l->n); n++) {
		const struct digest *d = &v->d[l->v[i]];
		if (d->fate == FATE_SAME && (d->flags & TCP_RST) == 0 && d->ip_id != 0)
			return d;
	}
	return NULL;
}

/* The identification is the one between those of the sender's packets around it. */
bool missed_by_id(const struct comparison *c, const struct link *l, enum compare_way way, uint32_t i)
{
	const struct view *rv = &c->view[receiver_of(way)];
	const struct list *rl = &l->list[receiver_of(way)][way];
	const struct digest *d = &rv->d[rl->v[i]];

	if (!c->ip_id_kept[way] || (d->has & HAS_V6) != 0 || d->ip_id == 0)
		return false;
	const struct digest *a = own_near(rv, rl, i, true), *b = own_near(rv, rl, i, false);
	return a != NULL && b != NULL && (uint16_t)(d->ip_id - a->ip_id - 1) < ID_NEAR &&
	       (uint16_t)(b->ip_id - d->ip_id - 1) < ID_NEAR;
}

/* From the least to the most TTL of what both captures have; false: nothing. */
static bool own_ttls(const struct view *v, const struct list *l, uint8_t *least, uint8_t *most)
{
	*least = UINT8_MAX;
	*most = 0;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct digest *d = &v->d[l->v[i]];
		if (d->fate != FATE_SAME)
			continue;
		*least = d->ttl < *least ? d->ttl : *least;
		*most = d->ttl > *most ? d->ttl : *most;
	}
	return *most != 0;
}

/* What stacks begin with; hops are those of most servers, and routes to others differ by a few. */
static bool is_initial(unsigned ttl)
{
	static const unsigned initial[] = {32, 64, 128, 255};

	for (unsigned i = 0; i < sizeof(initial) / sizeof(*initial); i++)
		if (ttl + TTL_NEAR >= initial[i] && ttl <= initial[i] + TTL_NEAR)
			return true;
	return false;
}

/* Another query's number with other bytes: the sender's capture has the answer that it did send. */
static bool answered_else(const struct comparison *c, const struct link *l, enum compare_way way,
			  const struct digest *d)
{
	const struct view *rv = &c->view[receiver_of(way)], *sv = &c->view[sender_of(way)];
	const struct list *sl = &l->list[sender_of(way)][way];
	const struct flow_key *key = &rv->conv[d->conv].key;
	const uint8_t *id = payload_at(rv, d, 0, 2);

	if (key->proto != 17 || (key->lo_port != 53 && key->hi_port != 53) || id == NULL)
		return false;
	for (uint32_t i = 0; i < sl->n && i < LOOK_MAX; i++) {
		const struct digest *s = &sv->d[sl->v[i]];
		const uint8_t *other = payload_at(sv, s, 0, 2);
		if (other != NULL && memcmp(id, other, 2) == 0 &&
		    payload_same(rv, d, sv, s) == SAME_NO)
			return true;
	}
	return false;
}

/* The sender did send it, with that identification, when it had long arrived. */
static bool sent_later(const struct comparison *c, const struct link *l, enum compare_way way,
		       const struct digest *d)
{
	const struct view *sv = &c->view[sender_of(way)], *rv = &c->view[receiver_of(way)];
	const struct list *sl = &l->list[sender_of(way)][way];
	uint64_t client_ns = way == WAY_UP ? d->ts_ns - (uint64_t)c->clock.offset_ns : d->ts_ns;
	int64_t least = clocks_floor(c, way, client_ns);

	if (!c->ip_id_kept[way] || (d->has & HAS_V6) != 0 || d->ip_id == 0 || least == INT64_MAX)
		return false;
	for (uint32_t i = 0; i < sl->n; i++) {
		const struct digest *s = &sv->d[sl->v[i]];
		int64_t transit = (int64_t)(d->ts_ns - s->ts_ns);
		if (s->ip_id == d->ip_id && s->seq == d->seq && s->flags == d->flags && s->len == d->len &&
		    transit < least - (int64_t)(c->clock.rtt_ns / 4) &&
		    payload_same(sv, s, rv, d) != SAME_NO)
			return true;
	}
	return false;
}

/* A received packet that the sender's capture lacks could be the sender's own. */
static bool missed_may_be(const struct comparison *c, const struct link *l, enum compare_way way,
			  const struct digest *d)
{
	const struct view *rv = &c->view[receiver_of(way)];
	const struct list *rl = &l->list[receiver_of(way)][way];
	uint8_t least, most;

	if (own_ttls(rv, rl, &least, &most)) {
		if (d->ttl + TTL_NEAR < least || d->ttl > most + TTL_NEAR)
			return false;
	} else if (c->hops[way] >= 0 && !is_initial((unsigned)d->ttl + (unsigned)c->hops[way])) {
		return false;
	}
	for (uint32_t i = 0; i < rl->n && (d->flags & TCP_RST) == 0; i++) {
		const struct digest *own = &rv->d[rl->v[i]];
		if (own->fate != FATE_SAME || ((own->flags ^ d->flags) & TCP_SYN) != 0)
			continue;
		if (other_traits(d, own))
			return false;
		break;
	}
	return !answered_else(c, l, way, d) && !sent_later(c, l, way, d);
}

bool missed_may_all(const struct comparison *c, const struct link *l, enum compare_way way,
		    const uint32_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n && i < LOOK_MAX; i++) {
		if (!missed_may_be(c, l, way, &c->view[receiver_of(way)].d[v[i]]))
			return false;
	}
	return true;
}

bool missed_beside_forged(const struct comparison *c, const struct link *l, enum compare_way way,
			  const uint32_t *v, uint32_t n)
{
	const struct view *rv = &c->view[receiver_of(way)], *back = &c->view[receiver_of(!way)];
	const struct list *bl = &l->list[receiver_of(!way)][!way];

	for (uint32_t i = 0; i < n; i++) {
		if ((rv->d[v[i]].flags & TCP_RST) == 0)
			return false;
	}
	for (uint32_t i = 0, looked = 0; i < bl->n && looked < LOOK_MAX; i++) {
		const struct digest *d = &back->d[bl->v[i]];
		looked += d->fate == FATE_INJECTED;
		if (d->fate == FATE_INJECTED && !missed_may_be(c, l, !way, d))
			return true;
	}
	return false;
}

/*
 * What ends a connection or first answers it: what a forger forges, and few of a sender's packets. Nobody
 * forges the client's own first.
 */
static bool is_decisive(const struct digest *d, enum compare_way way, bool *answered)
{
	bool first = d->len > 0 && !*answered && way == WAY_DOWN;

	*answered = *answered || d->len > 0;
	return first || (d->flags & TCP_RST) != 0;
}

static void count_link(const struct comparison *c, const struct link *l, enum compare_way way,
		       struct doubt *out)
{
	const struct view *rv = &c->view[receiver_of(way)];
	const struct list *rl = &l->list[receiver_of(way)][way];
	bool answered = false, lacks = false;

	for (uint32_t i = 0; i < rl->n; i++) {
		const struct digest *d = &rv->d[rl->v[i]];
		if (d->fate != FATE_SAME && d->fate != FATE_INJECTED)
			continue;
		bool decisive = is_decisive(d, way, &answered);
		if (d->fate == FATE_SAME) {
			out->packets++;
			out->decisive += decisive;
		} else if (decisive || lacks) {
			/* One act, however many packets it takes. */
			out->acts += !lacks && missed_may_be(c, l, way, d);
			lacks = true;
		} else {
			out->others++;
		}
	}
}

bool missed_decides(const struct comparison *c, const struct link *l, enum compare_way way)
{
	struct doubt k = {.packets = 0};

	count_link(c, l, way, &k);
	return k.acts > 0;
}

void missed_count(const struct comparison *c, enum compare_way way, struct doubt *out)
{
	*out = (struct doubt){.packets = 0};
	for (uint32_t i = 0; i < c->n_links; i++)
		count_link(c, &c->links[i], way, out);
}

/*
 * How likely it is that a capture which misses packets at random missed just those that decide: as many
 * of a kind that is that rare, at the rate at which it missed others (one, where it missed none).
 */
double missed_chance(const struct doubt *k)
{
	double rate = (1.0 + k->others) / (k->packets + k->others + k->acts + 1.0);
	double chance = 1, met = rate * (double)(k->decisive + k->acts);

	for (uint64_t i = 1; i <= k->acts && chance > 1e-12; i++)
		chance *= met / (double)i;
	return chance < 1 ? chance : 1;
}
