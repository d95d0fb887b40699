/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which packet is which. First what agrees in all that the path leaves alone, then what agrees in
 * all that only a forger would change, then what is the same packet rewritten.
 */

#include <errno.h>
#include <string.h>

#include "tools/compare/private.h"

#define TRANSIT_MAX_NS                                                                             \
	3000000000LL /* longer than any queue on a path that works; the lab's truth uses it */
#define DELAYED_NS  500000000LL
#define LOOK_ALIKES 512	  /* examined for one packet: beyond, nothing is said about it */
#define STEPS_MAX   16384 /* of them, with those sent later */
#define ECN_FLAGS   (TCP_ECE | TCP_CWR | TCP_AE)

struct pairing {
	struct comparison *c;
	enum compare_way way;
	struct view *sv, *rv;
	bool ttl_seen[256]; /* TTL lost by packets that surely are the sender's */
};

static uint64_t transit_client_ns(enum compare_way way, const struct digest *s,
				  const struct digest *r)
{
	return way == WAY_UP ? s->ts_ns : r->ts_ns;
}

bool pair_in_time(const struct comparison *c, enum compare_way way, const struct digest *s,
		  const struct digest *r)
{
	int64_t least = clocks_floor(c, way, transit_client_ns(way, s, r));
	int64_t d = (int64_t)(r->ts_ns - s->ts_ns);

	return least != INT64_MAX && d >= least && d - TRANSIT_MAX_NS <= least + c->slack_ns;
}

static unsigned changes(const struct view *sv, const struct digest *s, const struct view *rv,
			const struct digest *r)
{
	const struct flow_key *x = &sv->conv[s->conv].key, *y = &rv->conv[r->conv].key;
	unsigned changed = 0, both = s->has & r->has;

	changed |= s->tos != r->tos ? CHANGE_TOS : 0;
	changed |= s->ip_id != r->ip_id ? CHANGE_IP_ID : 0;
	changed |= ((s->has ^ r->has) & HAS_DF) != 0 ? CHANGE_DF : 0;
	changed |= ((s->flags ^ r->flags) & ~(unsigned)ECN_FLAGS) != 0 ? CHANGE_FLAGS : 0;
	changed |= s->window != r->window ? CHANGE_WINDOW : 0;
	changed |= s->mss != r->mss ? CHANGE_MSS : 0;
	changed |=
		s->wscale != r->wscale || ((s->has ^ r->has) & HAS_WSCALE) != 0 ? CHANGE_WSCALE : 0;
	changed |=
		((s->has ^ r->has) & HAS_TS) != 0 || ((both & HAS_TS) != 0 && s->tsval != r->tsval)
			? CHANGE_TIMESTAMPS
			: 0;
	changed |= s->options != r->options ? CHANGE_OPTIONS : 0;
	changed |= s->len != r->len ? CHANGE_LENGTH : 0;
	changed |= memcmp(&x->lo, &y->lo, sizeof(x->lo)) != 0 ||
				   memcmp(&x->hi, &y->hi, sizeof(x->hi)) != 0 ||
				   x->lo_port != y->lo_port || x->hi_port != y->hi_port
			   ? CHANGE_ADDRESSES
			   : 0;
	return changed;
}

static void set_pair(struct comparison *c, enum compare_way way, uint32_t si, uint32_t ri,
		     enum compare_fate fate)
{
	struct view *sv = &c->view[sender_of(way)], *rv = &c->view[receiver_of(way)];
	struct digest *s = &sv->d[si], *r = &rv->d[ri];
	struct compare_totals *t = &c->totals[way];
	int64_t least = clocks_floor(c, way, transit_client_ns(way, s, r));
	int64_t over =
		(int64_t)(r->ts_ns - s->ts_ns) - c->slack_ns - (least != INT64_MAX ? least : 0);

	s->fate = r->fate = (uint8_t)fate;
	s->peer = ri;
	r->peer = si;
	s->changed = r->changed = (uint16_t)changes(sv, s, rv, r);
	for (unsigned i = 0; i < CHANGES; i++)
		t->changed[i] += s->changed >> i & 1;
	t->delayed += over > DELAYED_NS;
	if (over > 0 && (uint64_t)over > t->slowest_ns)
		t->slowest_ns = (uint64_t)over;
}

static uint64_t key_of(const struct view *v, const struct digest *d)
{
	if (!is_tcp(v, d))
		return mix64(d->len, d->head);
	return mix64((uint64_t)d->seq << 32 | d->ack,
		     (uint64_t)d->len << 12 | (d->flags & (TCP_SYN | TCP_FIN | TCP_RST)));
}

static uint8_t ttl_lost(const struct digest *s, const struct digest *r)
{
	return (uint8_t)(s->ttl - r->ttl);
}

static bool ids_fit(const struct pairing *p, const struct digest *s, const struct digest *r)
{
	return !p->c->ip_id_kept[p->way] || ((s->has | r->has) & HAS_V6) != 0 ||
	       s->ip_id == r->ip_id;
}

static bool fits(const struct pairing *p, const struct digest *s, const struct digest *r,
		 bool strict)
{
	const struct comparison *c = p->c;
	bool both_ts = (s->has & r->has & HAS_TS) != 0, rst = (r->flags & TCP_RST) != 0;
	unsigned free_flags = ECN_FLAGS | (strict ? 0 : TCP_PSH);
	uint8_t lost = ttl_lost(s, r);

	if (s->ack != r->ack || ((s->flags ^ r->flags) & ~free_flags) != 0 || !ids_fit(p, s, r))
		return false;
	if (strict) {
		if ((c->window_kept[p->way] && s->window != r->window) ||
		    (c->hops[p->way] >= 0 && lost != c->hops[p->way]) ||
		    (both_ts && s->tsval != r->tsval))
			return false;
	} else if (is_tcp(p->rv, r) && rst && c->hops[p->way] >= 0 && lost != c->hops[p->way] &&
		   !p->ttl_seen[lost]) {
		return false;
	}
	return payload_same(p->sv, s, p->rv, r) != SAME_NO && pair_in_time(c, p->way, s, r);
}

static int fill(const struct view *v, const struct list *l, struct chains **out,
		uint64_t (*key)(const struct view *, const struct digest *))
{
	int err = chains_new(out, l->n);

	for (uint32_t i = l->n; err == 0 && i-- > 0;) {
		uint64_t k = v->d[l->v[i]].fate == FATE_NONE ? key(v, &v->d[l->v[i]]) : 0;
		if (k != 0)
			chains_add(*out, k, l->v[i]);
	}
	return err;
}

/*
 * The packet that r is: of several that fit, the one that was sent last, since its transit is
 * nearest to the quickest. NO_INDEX: none, and *lost says whether there were too many to tell.
 */
static uint32_t best_of(const struct pairing *p, struct chains *t, const struct digest *r,
			bool strict, uint32_t *cursor_of_best, bool *lost)
{
	uint64_t key = key_of(p->rv, r);
	uint32_t cursor, best = NO_INDEX, looked = 0, steps = 0;

	*lost = false;
	for (uint32_t k = chains_first(t, key, &cursor); k != NO_INDEX;
	     k = chains_next(t, key, &cursor)) {
		const struct digest *s = &p->sv->d[k];
		int64_t least = clocks_floor(p->c, p->way, transit_client_ns(p->way, s, r));
		int64_t d = (int64_t)(r->ts_ns - s->ts_ns);
		if (s->fate == FATE_UNKNOWN || looked == LOOK_ALIKES || steps++ == STEPS_MAX) {
			*lost = true;
			return NO_INDEX;
		}
		if (least == INT64_MAX || d < least)
			continue;
		/* Too old for this one is too old for all that came after it. */
		if (d - TRANSIT_MAX_NS - p->c->slack_ns > least) {
			chains_drop(t, cursor);
			continue;
		}
		looked++;
		if (fits(p, s, r, strict)) {
			best = k;
			*cursor_of_best = cursor;
		}
	}
	return best;
}

/* All that could have been a packet which nobody can tell from others. */
static void give_up(const struct pairing *p, struct chains *t, struct digest *r)
{
	uint64_t key = key_of(p->rv, r);
	uint32_t cursor;

	r->fate = FATE_UNKNOWN;
	for (uint32_t k = chains_first(t, key, &cursor);
	     k != NO_INDEX && p->sv->d[k].fate == FATE_NONE; k = chains_next(t, key, &cursor))
		p->sv->d[k].fate = FATE_UNKNOWN;
}

static int pass(struct pairing *p, struct link *l, bool strict)
{
	const struct list *sl = &l->list[sender_of(p->way)][p->way];
	const struct list *rl = &l->list[receiver_of(p->way)][p->way];
	struct chains *t;
	int err = fill(p->sv, sl, &t, key_of);

	for (uint32_t i = 0; err == 0 && i < rl->n; i++) {
		struct digest *r = &p->rv->d[rl->v[i]];
		uint32_t at = 0;
		bool lost;
		if (r->fate != FATE_NONE)
			continue;
		uint32_t best = best_of(p, t, r, strict, &at, &lost);
		if (lost) {
			give_up(p, t, r);
		} else if (best != NO_INDEX) {
			chains_drop(t, at);
			set_pair(p->c, p->way, best, rl->v[i], FATE_SAME);
			if ((r->flags & TCP_RST) == 0)
				p->ttl_seen[ttl_lost(&p->sv->d[best], r)] = true;
		}
	}
	chains_free(t);
	return err;
}

/* Rewritten */

static uint64_t key_rewritten(const struct view *v, const struct digest *d)
{
	/* An identification of 0 is everybody's. */
	if (!is_tcp(v, d))
		return (d->has & HAS_V6) != 0 || d->ip_id == 0 ? 0 : mix64(d->ip_id, 1);
	return mix64(d->seq, 2);
}

/* A card joined what follows to it: the same bytes, and more behind them. */
static bool is_joined(const struct pairing *p, const struct digest *s, const struct digest *r)
{
	uint32_t n = s->held < r->held ? s->held : r->held;
	n = n < s->len ? n : s->len;
	const uint8_t *x = payload_at(p->sv, s, 0, n), *y = payload_at(p->rv, r, 0, n);

	return s->len > 0 && s->len < r->len &&
	       (n == 0 || x == NULL || y == NULL || memcmp(x, y, n) == 0);
}

static bool is_rewritten(const struct pairing *p, const struct digest *s, const struct digest *r)
{
	bool marked = p->c->ip_id_kept[p->way] && ((s->has | r->has) & HAS_V6) == 0 &&
		      s->ip_id != 0 && s->ip_id == r->ip_id;
	bool ttl = p->c->hops[p->way] < 0 || p->ttl_seen[ttl_lost(s, r)] ||
		   ttl_lost(s, r) == p->c->hops[p->way];

	if (!ttl || !pair_in_time(p->c, p->way, s, r))
		return false;
	if (is_tcp(p->rv, r) && is_joined(p, s, r))
		return false;
	if (!is_tcp(p->rv, r) || marked)
		return marked;
	/* Without an identification that holds: the same place and length, and other bytes. */
	return (p->c->ip_id_kept[p->way] ? ((s->has | r->has) & HAS_V6) != 0 || s->ip_id == r->ip_id
					 : true) &&
	       s->len == r->len && s->len > 0 && s->ack == r->ack && s->flags == r->flags &&
	       (s->flags & (TCP_RST | TCP_SYN)) == 0;
}

static void note_difference(const struct pairing *p, uint32_t si, uint32_t ri)
{
	struct digest *s = &p->sv->d[si], *r = &p->rv->d[ri];
	uint32_t n = s->held < r->held ? s->held : r->held, from = 0, to = n;
	const uint8_t *x = payload_at(p->sv, s, 0, n), *y = payload_at(p->rv, r, 0, n);

	set_pair(p->c, p->way, si, ri, FATE_MODIFIED);
	if (payload_same(p->sv, s, p->rv, r) == SAME_NO && s->held > 0 && r->held > 0) {
		s->changed |= CHANGE_PAYLOAD;
		r->changed |= CHANGE_PAYLOAD;
		p->c->totals[p->way].changed[9]++;
	}
	if (x == NULL || y == NULL)
		return;
	while (from < n && x[from] == y[from])
		from++;
	while (to > from && x[to - 1] == y[to - 1])
		to--;
	s->from = r->from = from;
	s->to = r->to = to;
}

static int pass_rewritten(struct pairing *p, struct link *l)
{
	const struct list *sl = &l->list[sender_of(p->way)][p->way];
	const struct list *rl = &l->list[receiver_of(p->way)][p->way];
	struct chains *t;
	int err = fill(p->sv, sl, &t, key_rewritten);

	for (uint32_t i = 0; err == 0 && i < rl->n; i++) {
		const struct digest *r = &p->rv->d[rl->v[i]];
		uint64_t key = r->fate == FATE_NONE ? key_rewritten(p->rv, r) : 0;
		uint32_t cursor, looked = 0;
		if (key == 0)
			continue;
		for (uint32_t k = chains_first(t, key, &cursor);
		     k != NO_INDEX && looked < LOOK_ALIKES;
		     k = chains_next(t, key, &cursor), looked++) {
			if (p->sv->d[k].fate != FATE_NONE || !is_rewritten(p, &p->sv->d[k], r))
				continue;
			note_difference(p, k, rl->v[i]);
			break;
		}
	}
	chains_free(t);
	return err;
}

/* Once more what was sent: the network doubled it, or a box sent it again. */

static int pass_doubled(struct pairing *p, struct link *l)
{
	const struct list *rl = &l->list[receiver_of(p->way)][p->way];
	struct chains *t;
	int err = chains_new(&t, rl->n);

	for (uint32_t i = rl->n; err == 0 && i-- > 0;) {
		if (p->rv->d[rl->v[i]].fate == FATE_SAME)
			chains_add(t, key_of(p->rv, &p->rv->d[rl->v[i]]), rl->v[i]);
	}
	for (uint32_t i = 0; err == 0 && i < rl->n; i++) {
		struct digest *r = &p->rv->d[rl->v[i]];
		uint32_t cursor, looked = 0;
		if (r->fate != FATE_NONE)
			continue;
		for (uint32_t k = chains_first(t, key_of(p->rv, r), &cursor);
		     k != NO_INDEX && looked < LOOK_ALIKES;
		     k = chains_next(t, key_of(p->rv, r), &cursor), looked++) {
			const struct digest *o = &p->rv->d[k];
			int64_t after = (int64_t)(r->ts_ns - o->ts_ns);
			if (after < 0 || after > TRANSIT_MAX_NS || o->ttl != r->ttl ||
			    o->ip_id != r->ip_id || o->ack != r->ack || o->flags != r->flags ||
			    o->window != r->window || payload_same(p->rv, o, p->rv, r) == SAME_NO)
				continue;
			r->fate = FATE_DUPLICATED;
			break;
		}
	}
	chains_free(t);
	return err;
}

int pair_link(struct comparison *c, struct link *l, enum compare_way way)
{
	struct pairing p = {.c = c,
			    .way = way,
			    .sv = &c->view[sender_of(way)],
			    .rv = &c->view[receiver_of(way)]};
	uint64_t newest = 0;
	int err = pass(&p, l, true);

	if (err == 0)
		err = pass(&p, l, false);
	if (err == 0)
		err = pass_doubled(&p, l);
	if (err == 0)
		err = stream_link(c, l, way);
	if (err == 0)
		err = datagrams_link(c, l, way);
	if (err == 0)
		err = pass_rewritten(&p, l);
	const struct list *rl = &l->list[receiver_of(way)][way];
	for (uint32_t i = 0; err == 0 && i < rl->n; i++) {
		const struct digest *r = &p.rv->d[rl->v[i]];
		if (r->fate != FATE_SAME)
			continue;
		uint64_t sent = p.sv->d[r->peer].ts_ns;
		c->totals[way].reordered += sent < newest;
		newest = sent > newest ? sent : newest;
	}
	return err;
}
