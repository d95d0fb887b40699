/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Conversations of both captures that are one. Where no address is translated the ends say so;
 * else packets do whose content cannot be chance: a SYN's sequence number, or payload.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tools/compare/private.h"

#define VOTES_PER_PACKET 8 /* conversations that share a packet's content: beyond, it is nobody's */
#define COPIES_LOOKED 64   /* packets of them: a SYN and a query are sent again and again */
#define DAMAGED_SHARE 10   /* links that damage more than one packet in so many are not used: chosen */

/* Union-find over the conversations of both captures; the server's come after the client's. */

static uint32_t root(uint32_t *parent, uint32_t i)
{
	while (parent[i] != i) {
		parent[i] = parent[parent[i]];
		i = parent[i];
	}
	return i;
}

static bool from_a(const struct view *v, const struct digest *d)
{
	return (d->from_lo != 0) == v->conv[d->conv].a_is_lo;
}

/* What a translator leaves alone and chance does not repeat; 0: such a packet does not tell. */
static uint64_t content(const struct view *v, const struct digest *d)
{
	uint8_t proto = v->conv[d->conv].key.proto;
	bool tcp = proto == IPPROTO_TCP, syn = tcp && (d->flags & TCP_SYN) != 0;

	if (d->twin != NO_INDEX || (!tcp && proto != 17) || (d->len == 0 && !syn) ||
	    (tcp && (d->flags & TCP_RST) != 0))
		return 0;
	uint64_t key = mix64(tcp ? d->seq : proto, d->len);
	return mix64(key, syn ? d->flags & (TCP_SYN | TCP_ACK) : d->head) | 1;
}

struct ballot {
	struct comparison *c;
	const uint32_t *by_conv;    /* the server's packets by conversation */
	const struct chains *known; /* the client's, by content */
	const bool *taken;	    /* client's conversations with the ends of one of the server's */
	bool *chosen;		    /* those that a vote has gone to */
	uint32_t *parent;
};

static bool same_ports(const struct conversation *x, const struct conversation *y)
{
	uint16_t xp = x->a_is_lo ? x->key.lo_port : x->key.hi_port;
	uint16_t yp = y->a_is_lo ? y->key.lo_port : y->key.hi_port;
	return xp == yp;
}

/*
 * The client's packet that the server's d is, and how much that weighs. A resolver is asked the same from
 * several sockets, so content may be that of several conversations: most translators keep ports and
 * identification, and none makes two conversations one. Where one's packet was lost, only another's is left.
 * Of equals the one that leads by what was said before: it may have said this as well.
 */
static uint32_t alike(const struct ballot *b, const struct digest *d, uint32_t leads, unsigned *weight)
{
	const struct view *cv = &b->c->view[SIDE_CLIENT], *sv = &b->c->view[SIDE_SERVER];
	uint32_t cursor, met[VOTES_PER_PACKET], n = 0, looked = 0, best = NO_INDEX;
	uint64_t key = content(sv, d);

	*weight = 0;
	if (key == 0)
		return NO_INDEX;
	for (uint32_t k = chains_first(b->known, key, &cursor); k != NO_INDEX && looked++ < COPIES_LOOKED;
	     k = chains_next(b->known, key, &cursor)) {
		uint32_t conv = cv->d[k].conv, seen = 0;
		if (cv->conv[conv].key.proto != sv->conv[d->conv].key.proto || b->taken[conv])
			continue;
		while (seen < n && met[seen] != conv)
			seen++;
		if (seen == VOTES_PER_PACKET)
			return NO_INDEX;
		met[seen] = conv;
		n = seen == n ? n + 1 : n;
		unsigned like = 1 + (same_ports(&cv->conv[conv], &sv->conv[d->conv]) ? 4 : 0) +
				(cv->d[k].ip_id == d->ip_id && d->ip_id != 0 ? 2 : 0) +
				(b->chosen[conv] ? 0 : 1);
		if (like > *weight || (like == *weight && conv == leads)) {
			*weight = like;
			best = k;
		}
	}
	return best;
}

/* A server's conversation is the client's with which it shares most; flips it where roles differ. */
static void vote(const struct ballot *b, uint32_t s, uint32_t begin)
{
	struct view *cv = &b->c->view[SIDE_CLIENT], *sv = &b->c->view[SIDE_SERVER];
	uint32_t best = NO_INDEX, lead = 0, flips = 0,
		 n = sv->conv[s].n_packets[0] + sv->conv[s].n_packets[1];

	/* Boyer and Moore's majority, by weight: one counter, and no table a conversation. */
	for (uint32_t i = 0; i < n; i++) {
		const struct digest *d = &sv->d[b->by_conv[begin + i]];
		unsigned weight;
		uint32_t one = alike(b, d, best, &weight);
		if (one == NO_INDEX)
			continue;
		uint32_t conv = cv->d[one].conv;
		uint32_t turned = from_a(cv, &cv->d[one]) != from_a(sv, d) ? weight : 0;
		if (best == conv) {
			lead += weight;
			flips += turned;
		} else if (lead >= weight) {
			lead -= weight;
		} else {
			best = conv;
			lead = weight - lead;
			flips = turned;
		}
	}
	if (best == NO_INDEX)
		return;
	if (flips * 2 > lead)
		sv->conv[s].a_is_lo = !sv->conv[s].a_is_lo;
	b->chosen[best] = true;
	b->parent[root(b->parent, cv->n_conv + s)] = root(b->parent, best);
}

/* Indices of the view's packets, those of a conversation side by side. */
static uint32_t *sort_by_conv(const struct view *v, uint32_t **begin)
{
	uint32_t *order = calloc((size_t)v->n + 1, sizeof(*order));

	*begin = calloc((size_t)v->n_conv + 2, sizeof(**begin));
	if (order == NULL || *begin == NULL) {
		free(order);
		return NULL;
	}
	for (uint32_t i = 0; i < v->n; i++)
		(*begin)[v->d[i].conv + 2]++;
	for (uint32_t i = 1; i <= v->n_conv; i++)
		(*begin)[i + 1] += (*begin)[i];
	for (uint32_t i = 0; i < v->n; i++)
		order[(*begin)[v->d[i].conv + 1]++] = i;
	return order;
}

static uint32_t find_conv(const struct chains *t, const struct view *v, const struct flow_key *key)
{
	uint64_t h = XXH3_64bits(key, sizeof(*key));
	uint32_t cursor;

	for (uint32_t i = chains_first(t, h, &cursor); i != NO_INDEX;
	     i = chains_next(t, h, &cursor)) {
		if (memcmp(&v->conv[i].key, key, sizeof(*key)) == 0)
			return i;
	}
	return NO_INDEX;
}

/* The same ends in both captures. */
static int join_same(struct comparison *c, uint32_t *parent, bool *taken[SIDES])
{
	struct view *cv = &c->view[SIDE_CLIENT], *sv = &c->view[SIDE_SERVER];
	struct chains *t;
	int err = chains_new(&t, cv->n_conv);

	if (err != 0)
		return err;
	for (uint32_t i = cv->n_conv; i-- > 0;)
		chains_add(t, XXH3_64bits(&cv->conv[i].key, sizeof(cv->conv[i].key)), i);
	for (uint32_t i = 0; i < sv->n_conv; i++) {
		uint32_t k = find_conv(t, cv, &sv->conv[i].key);
		if (k == NO_INDEX)
			continue;
		parent[cv->n_conv + i] = k;
		taken[SIDE_CLIENT][k] = taken[SIDE_SERVER][i] = true;
		/* A SYN in either tells both. */
		if (cv->conv[k].a_sure)
			sv->conv[i].a_is_lo = cv->conv[k].a_is_lo;
		else
			cv->conv[k].a_is_lo = sv->conv[i].a_is_lo;
	}
	chains_free(t);
	return 0;
}

static int join_translated(struct comparison *c, uint32_t *parent, bool *taken[SIDES])
{
	struct view *cv = &c->view[SIDE_CLIENT], *sv = &c->view[SIDE_SERVER];
	uint32_t *begin = NULL, *by_conv = NULL;
	struct chains *known;
	int err = chains_new(&known, cv->n);

	if (err != 0)
		return err;
	by_conv = sort_by_conv(sv, &begin);
	bool *chosen = calloc((size_t)cv->n_conv + 1, sizeof(*chosen));
	err = by_conv != NULL && chosen != NULL ? 0 : -ENOMEM;
	for (uint32_t i = cv->n; err == 0 && i-- > 0;) {
		uint64_t key = taken[SIDE_CLIENT][cv->d[i].conv] ? 0 : content(cv, &cv->d[i]);
		if (key != 0)
			chains_add(known, key, i);
	}
	struct ballot b = {.c = c, .by_conv = by_conv, .known = known, .taken = taken[SIDE_CLIENT],
			   .chosen = chosen, .parent = parent};
	for (uint32_t i = 0; err == 0 && i < sv->n_conv; i++) {
		if (!taken[SIDE_SERVER][i])
			vote(&b, i, begin[i]);
	}
	free(begin);
	free(by_conv);
	free(chosen);
	chains_free(known);
	return err;
}

static int number_links(struct comparison *c, uint32_t *parent)
{
	struct view *cv = &c->view[SIDE_CLIENT], *sv = &c->view[SIDE_SERVER];
	uint32_t total = cv->n_conv + sv->n_conv;

	c->links = calloc((size_t)total + 1, sizeof(*c->links));
	uint32_t *number = malloc(((size_t)total + 1) * sizeof(*number));
	if (c->links == NULL || number == NULL) {
		free(number);
		return -ENOMEM;
	}
	memset(number, 0xff, ((size_t)total + 1) * sizeof(*number));
	for (uint32_t i = 0; i < total; i++) {
		enum compare_side side = i < cv->n_conv ? SIDE_CLIENT : SIDE_SERVER;
		uint32_t k = side == SIDE_CLIENT ? i : i - cv->n_conv, top = root(parent, i);
		if (number[top] == NO_INDEX)
			number[top] = c->n_links++;
		struct link *l = &c->links[number[top]];
		c->view[side].conv[k].link = number[top];
		if (l->convs[side]++ == 0)
			l->first_conv[side] = k;
		l->a_up = true;
	}
	free(number);
	return 0;
}

int links_make(struct comparison *c)
{
	struct view *cv = &c->view[SIDE_CLIENT], *sv = &c->view[SIDE_SERVER];
	uint32_t total = cv->n_conv + sv->n_conv;
	uint32_t *parent = calloc((size_t)total + 1, sizeof(*parent));
	bool *taken[SIDES] = {calloc((size_t)cv->n_conv + 1, 1), calloc((size_t)sv->n_conv + 1, 1)};
	int err = parent == NULL || taken[0] == NULL || taken[1] == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; err == 0 && i < total; i++)
		parent[i] = i;
	if (err == 0)
		err = join_same(c, parent, taken);
	if (err == 0)
		err = join_translated(c, parent, taken);
	if (err == 0)
		err = number_links(c, parent);
	free(parent);
	free(taken[0]);
	free(taken[1]);
	return err;
}

/* Lists */

struct sorting {
	const struct view *view;
	const struct link *links;
};

static enum compare_way way_of(const struct sorting *s, const struct digest *d)
{
	const struct conversation *k = &s->view->conv[d->conv];

	return from_a(s->view, d) == s->links[k->link].a_up ? WAY_UP : WAY_DOWN;
}

static int by_link(const void *a, const void *b, void *user)
{
	const struct sorting *s = user;
	const struct digest *x = &s->view->d[*(const uint32_t *)a];
	const struct digest *y = &s->view->d[*(const uint32_t *)b];
	uint32_t lx = s->view->conv[x->conv].link, ly = s->view->conv[y->conv].link;
	enum compare_way wx = way_of(s, x), wy = way_of(s, y);

	if (lx != ly)
		return lx < ly ? -1 : 1;
	if (wx != wy)
		return wx < wy ? -1 : 1;
	if (x->ts_ns != y->ts_ns)
		return x->ts_ns < y->ts_ns ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/*
 * What its receiver threw away is as good as not arrived: who tampers with a packet mends its checksum, or
 * nobody reads it. Where many are wrong the capture was taken before they were made.
 */
static bool counts(const struct view *v, const struct digest *d)
{
	return (d->has & HAS_DAMAGE) == 0 || v->damaged > v->n / DAMAGED_SHARE;
}

int links_sort(struct comparison *c, bool twins)
{
	for (unsigned side = 0; side < SIDES; side++) {
		struct view *v = &c->view[side];
		struct sorting s = {.view = v, .links = c->links};
		uint32_t n = 0;
		if (c->order[side] == NULL)
			c->order[side] = calloc((size_t)v->n + 1, sizeof(uint32_t));
		if (c->order[side] == NULL)
			return -ENOMEM;
		for (uint32_t i = 0; i < c->n_links; i++)
			memset(c->links[i].list[side], 0, sizeof(c->links[i].list[side]));
		for (uint32_t i = 0; i < v->n; i++) {
			if ((twins || v->d[i].twin == NO_INDEX) && counts(v, &v->d[i]))
				c->order[side][n++] = i;
		}
		qsort_r(c->order[side], n, sizeof(uint32_t), by_link, &s);
		for (uint32_t i = 0; i < n; i++) {
			const struct digest *d = &v->d[c->order[side][i]];
			struct list *l = &c->links[v->conv[d->conv].link].list[side][way_of(&s, d)];
			if (l->n++ == 0)
				l->v = &c->order[side][i];
		}
	}
	return 0;
}
