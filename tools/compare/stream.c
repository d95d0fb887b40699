/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The same bytes in other segments: offload at one end, a box that joins or splits. Then what is
 * still left over, and whether the capture that lacks it can be believed.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/private.h"

#define SCAN_MAX  4096      /* segments looked at for one */
#define AHEAD_MAX (1 << 20) /* bytes between two segments that are near each other */
#define OWN_BYTES 64	    /* that the sender surely sent of a segment, and one in so many of its bytes, */
#define OWN_SHARE 4	    /* to know the rest for its own as well: chosen */
#define TAIL_NS	     300000000LL /* sent so shortly before the other capture ended: may be under way */
#define MIDSTREAM_NS 1000000000LL /* the same at a capture's start, where the connection is older  \
				   */

/* Segments with something in sequence space, by sequence number as it stands. */
struct segments {
	const struct view *view;
	uint32_t *v, n;
	uint32_t longest;
};

static int by_seq(const void *a, const void *b, void *user)
{
	const struct view *v = user;
	const struct digest *x = &v->d[*(const uint32_t *)a], *y = &v->d[*(const uint32_t *)b];

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static int segments_new(struct segments *g, struct view *v, const struct list *l)
{
	*g = (struct segments){.view = v, .v = malloc(((size_t)l->n + 1) * sizeof(*g->v))};
	if (g->v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct digest *d = &v->d[l->v[i]];
		if (digest_span(d) == 0 || (d->flags & TCP_RST) != 0)
			continue;
		g->v[g->n++] = l->v[i];
		uint32_t span = digest_span(d);
		g->longest = span > g->longest ? span : g->longest;
	}
	qsort_r(g->v, g->n, sizeof(*g->v), by_seq, v);
	return 0;
}

/* First place whose number is not below seq. */
static uint32_t lower_bound(const struct segments *g, uint32_t seq)
{
	uint32_t lo = 0, hi = g->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (g->view->d[g->v[mid]].seq < seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* What covers a stretch of sequence space. */
struct cover {
	bool touched; /* something is there */
	bool whole;   /* all of it, and every byte that can be compared is the same */
	bool differs; /* bytes are there that are not the same */
	bool untied;  /* some of it by segments that were no packet's */
	bool unread;  /* some of it could not be compared */
	uint32_t same; /* bytes that are */
};

enum same_bytes { BYTES_SAME, BYTES_DIFFER, BYTES_UNREAD };

/* n bytes from seq on, which is within both; those that a snapshot length cut off are not compared. */
static enum same_bytes compare_bytes(const struct view *va, const struct digest *a,
				     const struct view *vb, const struct digest *b, uint32_t seq,
				     uint32_t n)
{
	uint32_t ia = seq - a->seq, ib = seq - b->seq, held = n;

	held = a->held <= ia ? 0 : a->held - ia < held ? a->held - ia : held;
	held = b->held <= ib ? 0 : b->held - ib < held ? b->held - ib : held;
	const uint8_t *x = payload_at(va, a, ia, held), *y = payload_at(vb, b, ib, held);
	if (held == 0 || x == NULL || y == NULL)
		return BYTES_UNREAD;
	if (memcmp(x, y, held) != 0)
		return BYTES_DIFFER;
	return held < n ? BYTES_UNREAD : BYTES_SAME;
}

/* any_time: also segments that d cannot have been made of; only: FATE_N for all of them. */
static struct cover cover_of(const struct comparison *c, enum compare_way way,
			     const struct view *dv, const struct digest *d,
			     const struct segments *g, bool d_received, bool any_time,
			     enum compare_fate only)
{
	struct cover out = {.whole = false};
	uint32_t pos = d->seq, end = d->seq + digest_span(d),
		 at = lower_bound(g, d->seq - g->longest);
	uint32_t looked = 0;

	for (; looked < g->n && looked < SCAN_MAX; looked++, at++) {
		const struct digest *o = &g->view->d[g->v[at % g->n]];
		uint32_t o_end = o->seq + digest_span(o);
		if (seq_diff(o->seq, end) >= 0 && seq_diff(o->seq, end) < AHEAD_MAX)
			break;
		if (seq_leq(o_end, d->seq) || !seq_lt(o->seq, end) ||
		    (only != FATE_N && o->fate != only) ||
		    (!any_time &&
		     !(d_received ? pair_in_time(c, way, o, d) : pair_in_time(c, way, d, o))))
			continue;
		out.touched = true;
		/* Bytes from where both begin to where one ends; SYN and FIN have none. */
		uint32_t from = seq_lt(o->seq, d->seq) ? d->seq : o->seq;
		uint32_t until_o = o->seq + o->len, until_d = d->seq + d->len;
		uint32_t until = seq_lt(until_o, until_d) ? until_o : until_d;
		if (((o->flags | d->flags) & TCP_SYN) == 0 && seq_lt(from, until)) {
			enum same_bytes same = compare_bytes(dv, d, g->view, o, from, until - from);
			out.unread = out.unread || same == BYTES_UNREAD;
			out.differs = out.differs || same == BYTES_DIFFER;
			out.same += same == BYTES_SAME ? until - from : 0;
			if (same == BYTES_DIFFER)
				continue;
		}
		if (seq_leq(o->seq, pos) && seq_lt(pos, o_end)) {
			pos = o_end;
			out.untied = out.untied || o->fate == FATE_NONE;
		}
	}
	out.whole = !seq_lt(pos, end) && d->len > 0;
	return out;
}

static bool is_data(const struct digest *d)
{
	return d->fate == FATE_NONE && d->len > 0 && (d->flags & (TCP_RST | TCP_SYN)) == 0;
}

static bool any_fin(const struct view *v, const struct list *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		if ((v->d[l->v[i]].flags & TCP_FIN) != 0)
			return true;
	}
	return false;
}

int stream_link(struct comparison *c, struct link *l, enum compare_way way)
{
	struct view *sv = &c->view[sender_of(way)], *rv = &c->view[receiver_of(way)];
	const struct list *sl = &l->list[sender_of(way)][way],
			  *rl = &l->list[receiver_of(way)][way];
	struct segments sent = {.v = NULL}, got = {.v = NULL};
	bool joined = false;

	if (sl->n == 0 || rl->n == 0 || !is_tcp(sv, &sv->d[sl->v[0]]))
		return 0;
	bool fin = any_fin(sv, sl);
	int err = segments_new(&sent, sv, sl);
	if (err == 0)
		err = segments_new(&got, rv, rl);
	for (uint32_t i = 0; err == 0 && i < rl->n; i++) {
		struct digest *r = &rv->d[rl->v[i]];
		if (!is_data(r) || ((r->flags & TCP_FIN) != 0 && !fin))
			continue;
		struct cover k = cover_of(c, way, rv, r, &sent, true, false, FATE_N);
		if (!k.whole)
			continue;
		r->fate = k.untied ? FATE_RESEGMENTED : FATE_DUPLICATED;
		joined = joined || k.untied;
	}
	for (uint32_t i = 0; err == 0 && joined && i < sl->n; i++) {
		struct digest *s = &sv->d[sl->v[i]];
		bool fin_alone = s->fate == FATE_NONE && s->len == 0 && (s->flags & TCP_FIN) != 0;
		if (!is_data(s) && !fin_alone)
			continue;
		struct cover k = cover_of(c, way, sv, s, &got, false, false, FATE_RESEGMENTED);
		if (k.whole || (fin_alone && k.touched))
			s->fate = FATE_RESEGMENTED;
	}
	free(sent.v);
	free(got.v);
	return err;
}

/* What is left over */

static bool runs_at(const struct comparison *c, enum compare_way way, const struct digest *d,
		    bool received, const struct view *other, int64_t young)
{
	enum compare_side at = received ? receiver_of(way) : sender_of(way);
	/* In the client's time; the offset is known no better than to half a round trip. */
	uint64_t client_ns = at == SIDE_CLIENT ? d->ts_ns : d->ts_ns - (uint64_t)c->clock.offset_ns;
	int64_t least = clocks_floor(c, way, client_ns);
	uint64_t when = received ? d->ts_ns - (uint64_t)least : d->ts_ns + (uint64_t)least;

	if (least == INT64_MAX)
		return false;
	int64_t after = (int64_t)(when - other->first_ns),
		before = (int64_t)(other->last_ns - when);
	return after >= young && before >= (received ? 0 : TAIL_NS);
}

/* Numbers that packets of a list carry, in order. */
struct numbers {
	uint32_t *v, n;
};

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static int numbers_new(struct numbers *out, const struct view *v, const struct list *l, bool acks)
{
	*out = (struct numbers){.v = malloc(((size_t)l->n + 1) * sizeof(*out->v))};
	if (out->v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct digest *d = &v->d[l->v[i]];
		unsigned flags = d->flags & (TCP_RST | (acks ? TCP_ACK : TCP_SYN));
		if (flags == (acks ? TCP_ACK : 0))
			out->v[out->n++] = acks ? d->ack : d->seq;
	}
	qsort(out->v, out->n, sizeof(*out->v), by_number);
	return 0;
}

/* One of them is at the number or not far past it. */
static bool any_past(const struct numbers *l, uint32_t number)
{
	uint32_t lo = 0, hi = l->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (l->v[mid] < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return l->n != 0 && l->v[lo % l->n] - number < AHEAD_MAX;
}

/*
 * A sender that goes on behind bytes which its own capture does not show it send: no forger moves
 * its numbers, so the capture missed them. Likewise a receiver that acknowledges what its capture
 * lacks.
 */
static int rest_tcp(struct comparison *c, struct link *l, enum compare_way way)
{
	struct view *sv = &c->view[sender_of(way)], *rv = &c->view[receiver_of(way)];
	const struct list *sl = &l->list[sender_of(way)][way],
			  *rl = &l->list[receiver_of(way)][way];
	const struct list *back = &l->list[receiver_of(way)][!way];
	struct segments sent, got = {.v = NULL};
	struct numbers seqs = {.v = NULL}, acks = {.v = NULL};
	int err = segments_new(&sent, sv, sl);

	if (err == 0)
		err = segments_new(&got, rv, rl);
	if (err == 0)
		err = numbers_new(&seqs, sv, sl, false);
	if (err == 0)
		err = numbers_new(&acks, rv, back, true);
	for (uint32_t i = 0; err == 0 && i < rl->n; i++) {
		struct digest *r = &rv->d[rl->v[i]];
		if (r->fate != FATE_NONE || digest_span(r) == 0)
			continue;
		struct cover k = cover_of(c, way, rv, r, &sent, true, true, FATE_N);
		/* Merged by the receiver's card out of segments of which the capture has some. */
		bool merged = k.touched && !k.whole && !k.differs && !k.unread && r->len > 0;
		/* Nobody forges what is the sender's own for such a part. */
		bool own = merged && k.same >= OWN_BYTES && k.same >= r->len / OWN_SHARE;
		if (own || ((!k.touched || merged) && any_past(&seqs, r->seq + digest_span(r)))) {
			r->fate = FATE_MISSED;
			sv->missed++;
		}
	}
	for (uint32_t i = 0; err == 0 && i < sl->n; i++) {
		struct digest *s = &sv->d[sl->v[i]];
		if (s->fate != FATE_NONE || digest_span(s) == 0)
			continue;
		struct cover k = cover_of(c, way, sv, s, &got, false, true, FATE_N);
		if (!k.touched && any_past(&acks, s->seq + digest_span(s))) {
			s->fate = FATE_MISSED;
			rv->missed++;
		}
	}
	free(sent.v);
	free(got.v);
	free(seqs.v);
	free(acks.v);
	return err;
}

int rest_link(struct comparison *c, struct link *l, enum compare_way way)
{
	struct view *sv = &c->view[sender_of(way)], *rv = &c->view[receiver_of(way)];
	const struct list *sl = &l->list[sender_of(way)][way],
			  *rl = &l->list[receiver_of(way)][way];
	const struct view *any = sl->n != 0 ? sv : rv;
	bool tcp = sl->n + rl->n != 0 && is_tcp(any, &any->d[sl->n != 0 ? sl->v[0] : rl->v[0]]);
	/* The connection is as young as the captures, so nothing of it was under way when they
	 * began. */
	bool began = false;
	int64_t young;
	int err = tcp ? rest_tcp(c, l, way) : 0;

	for (unsigned side = 0; side < SIDES; side++) {
		const struct conversation *k = &c->view[side].conv[l->first_conv[side]];
		began = began || (l->convs[side] != 0 && (k->syn[0] || k->syn[1]));
	}
	young = began ? 0 : tcp ? MIDSTREAM_NS : TAIL_NS;
	for (uint32_t i = 0; i < rl->n; i++) {
		struct digest *r = &rv->d[rl->v[i]];
		if (r->fate == FATE_NONE && l->expected) {
			bool runs = runs_at(c, way, r, true, sv, young);
			bool own = runs && missed_by_id(c, l, way, i);
			r->fate = own ? FATE_MISSED : runs ? FATE_INJECTED : FATE_UNCOVERED;
			sv->missed += own;
		}
		c->totals[way].received++;
		if (r->peer == NO_INDEX && r->fate != FATE_RESEGMENTED)
			c->totals[way].fates[r->fate]++;
	}
	for (uint32_t i = 0; i < sl->n; i++) {
		struct digest *s = &sv->d[sl->v[i]];
		if (s->fate == FATE_NONE && l->expected)
			s->fate = runs_at(c, way, s, false, rv, young) ? FATE_DROPPED
								       : FATE_UNCOVERED;
		c->totals[way].sent++;
		c->totals[way].fates[s->fate]++;
	}
	return err;
}
