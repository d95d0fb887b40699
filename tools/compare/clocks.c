/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Two clocks and a path. A packet that is unique in both captures gives receiver's time less
 * sender's: transit and clock offset in one. The least of a while is what the path allows, in each
 * direction for itself, so that nothing is assumed about the offset to tell what came too soon.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/private.h"

#define WINDOW_MIN_NS 1000000000ULL
#define APART_MAX_NS  (INT64_C(1) << 60) /* 36 years */
#define STEP_MIN_NS   10000000LL	 /* below it a change is as well queueing */
#define DRIFT_MIN_NS  10000000000ULL	 /* between the windows that drift is told from */
#define FEW_PAIRS     16		 /* one way: each may have queued, so that none is the quickest */

struct sample {
	uint64_t key, client_ns;
	uint32_t link, client, server; /* indices into the views */
	uint8_t way;
};

struct samples {
	struct sample *v;
	uint32_t n;
};

struct keyed {
	uint64_t key;
	uint32_t index;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Resets are what is in doubt, and a pure acknowledgement may be one of many alike. */
static uint64_t strong_key(const struct view *v, const struct digest *d)
{
	bool tcp = is_tcp(v, d);
	unsigned flags = d->flags & (TCP_SYN | TCP_FIN | TCP_ACK);

	if ((tcp && (d->flags & TCP_RST) != 0) || (!tcp && d->len == 0))
		return 0;
	uint64_t key = mix64((uint64_t)d->seq << 32 | d->ack, (uint64_t)d->len << 8 | flags);
	/* A SYN's timestamp is there or stripped; elsewhere it tells copies apart. */
	bool stamped = (d->has & HAS_TS) != 0 && (flags & TCP_SYN) == 0;
	return mix64(mix64(key, stamped ? d->tsval : 0), d->head) | 1;
}

static uint32_t keys_of(const struct view *v, const struct list *l, struct keyed *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		uint64_t key = strong_key(v, &v->d[l->v[i]]);
		if (key != 0)
			out[n++] = (struct keyed){.key = key, .index = l->v[i]};
	}
	qsort(out, n, sizeof(*out), by_key);
	return n;
}

static bool unique(const struct keyed *k, uint32_t n, uint32_t i)
{
	return (i == 0 || k[i - 1].key != k[i].key) && (i + 1 == n || k[i + 1].key != k[i].key);
}

/*
 * Packets with a key that is once in each capture. Loose, where there are none: also the first of
 * several, which makes the quickest quicker at most, so that less is taken for too quick.
 */
static void sample_way(struct comparison *c, uint32_t link, unsigned way, bool loose,
		       struct keyed *scratch[SIDES], struct samples *out)
{
	struct link *l = &c->links[link];
	uint32_t n[SIDES];

	for (unsigned side = 0; side < SIDES; side++)
		n[side] = keys_of(&c->view[side], &l->list[side][way], scratch[side]);
	for (uint32_t i = 0, k = 0; i < n[0] && k < n[1];) {
		struct keyed *x = &scratch[0][i], *y = &scratch[1][k];
		if (x->key != y->key) {
			*(x->key < y->key ? &i : &k) += 1;
			continue;
		}
		const struct view *cv = &c->view[SIDE_CLIENT], *sv = &c->view[SIDE_SERVER];
		if ((loose || (unique(scratch[0], n[0], i) && unique(scratch[1], n[1], k))) &&
		    payload_same(cv, &cv->d[x->index], sv, &sv->d[y->index]) != SAME_NO) {
			out->v[out->n++] = (struct sample){.client_ns = cv->d[x->index].ts_ns,
							   .link = link,
							   .way = (uint8_t)way,
							   .client = x->index,
							   .server = y->index};
			l->pairs++;
		}
		for (uint64_t key = x->key; i < n[0] && scratch[0][i].key == key;)
			i++;
		for (uint64_t key = y->key; k < n[1] && scratch[1][k].key == key;)
			k++;
	}
}

static const struct digest *client_of(const struct comparison *c, const struct sample *s)
{
	return &c->view[SIDE_CLIENT].d[s->client];
}

static const struct digest *server_of(const struct comparison *c, const struct sample *s)
{
	return &c->view[SIDE_SERVER].d[s->server];
}

static int64_t later_at_server(const struct comparison *c, const struct sample *s)
{
	int64_t d = (int64_t)(server_of(c, s)->ts_ns - client_of(c, s)->ts_ns);

	/* So that sums of such stay within 64 bits, whatever a file says. */
	return d > APART_MAX_NS ? APART_MAX_NS : d < -APART_MAX_NS ? -APART_MAX_NS : d;
}

/* Who is at the client's side: whose packets lose TTL towards the server, else whose are earlier
 * there. */
static bool opener_is_up(const struct comparison *c, const struct sample *s, uint32_t n)
{
	int64_t ttl = 0;
	double sum[WAYS] = {0, 0};
	uint32_t met[WAYS] = {0, 0};

	for (uint32_t i = 0; i < n; i++) {
		int lost = client_of(c, &s[i])->ttl - server_of(c, &s[i])->ttl;
		int sign = (lost > 0) - (lost < 0);
		ttl += s[i].way == WAY_UP ? sign : -sign;
		sum[s[i].way] += (double)later_at_server(c, &s[i]);
		met[s[i].way]++;
	}
	if (ttl != 0)
		return ttl > 0;
	if (met[0] == 0 || met[1] == 0)
		return true;
	return sum[0] / met[0] >= sum[1] / met[1];
}

static void orient(struct comparison *c, struct samples *all)
{
	for (uint32_t i = 0, end; i < all->n; i = end) {
		struct link *l = &c->links[all->v[i].link];
		for (end = i; end < all->n && all->v[end].link == all->v[i].link; end++)
			;
		l->a_up = opener_is_up(c, &all->v[i], end - i);
		for (uint32_t k = i; k < end && !l->a_up; k++)
			all->v[k].way = !all->v[k].way;
	}
}

/* Where nothing is unique, as in a question asked again in the same words, the first of several tells. */
static void orient_alike(struct comparison *c, struct keyed *scratch[SIDES], struct samples *all)
{
	uint32_t n = all->n;

	for (uint32_t i = 0; i < c->n_links; i++) {
		struct link *l = &c->links[i];
		if (l->pairs != 0 || l->convs[0] == 0 || l->convs[1] == 0)
			continue;
		for (unsigned way = 0; way < WAYS; way++)
			sample_way(c, i, way, true, scratch, all);
		if (all->n != n)
			l->a_up = opener_is_up(c, &all->v[n], all->n - n);
		/* Of who is where, and not of when: that is for what is unique. */
		l->pairs = 0;
		all->n = n;
	}
}

static unsigned window_at(const struct comparison *c, uint64_t client_ns)
{
	if (client_ns <= c->clock_from || c->window_ns == 0)
		return 0;
	uint64_t w = (client_ns - c->clock_from) / c->window_ns;
	return w < WINDOWS ? (unsigned)w : WINDOWS - 1;
}

static void fill_windows(struct comparison *c, const struct samples *all)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (uint32_t i = 0; i < all->n; i++) {
		first = all->v[i].client_ns < first ? all->v[i].client_ns : first;
		last = all->v[i].client_ns > last ? all->v[i].client_ns : last;
	}
	c->clock_from = first;
	c->window_ns = all->n != 0 ? (last - first) / WINDOWS + 1 : 1;
	c->window_ns = c->window_ns < WINDOW_MIN_NS ? WINDOW_MIN_NS : c->window_ns;
	for (uint32_t i = 0; i < all->n; i++) {
		const struct sample *s = &all->v[i];
		struct clock_window *w = &c->windows[window_at(c, s->client_ns)];
		int64_t d = later_at_server(c, s);
		d = s->way == WAY_UP ? d : -d;
		if (!w->have[s->way] || d < w->quickest[s->way])
			w->quickest[s->way] = d;
		w->have[s->way] = true;
	}
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Of its own window and its neighbours, or else the nearest that know. */
static int64_t quickest_near(const struct comparison *c, unsigned way, uint64_t client_ns)
{
	int at = (int)window_at(c, client_ns);
	int64_t least = INT64_MAX;

	for (int off = 0; off < WINDOWS && (off <= 1 || least == INT64_MAX); off++) {
		for (int k = at - off; k <= at + off; k += off != 0 ? 2 * off : 1) {
			if (k >= 0 && k < WINDOWS && c->windows[k].have[way])
				least = smaller(least, c->windows[k].quickest[way]);
		}
	}
	return least;
}

/*
 * Clocks that drift leave the round trip as it is: what it is longer by, there and then, than the
 * least of all is delay, and any one packet may have been without.
 */
int64_t clocks_floor(const struct comparison *c, enum compare_way way, uint64_t client_ns)
{
	int64_t least = quickest_near(c, way, client_ns), back = INT64_MAX, delay = 0;

	if (least == INT64_MAX)
		return least;
	if (c->clock.both_ways)
		back = quickest_near(c, way == WAY_UP ? WAY_DOWN : WAY_UP, client_ns);
	if (back != INT64_MAX && least + back > (int64_t)c->clock.rtt_ns)
		delay = least + back - (int64_t)c->clock.rtt_ns;
	return least - delay - c->slack_ns;
}

static void note_step(struct compare_clock *k, const struct clock_window *a,
		      const struct clock_window *b, int64_t rtt)
{
	int64_t up = b->quickest[WAY_UP] - a->quickest[WAY_UP];
	int64_t down = b->quickest[WAY_DOWN] - a->quickest[WAY_DOWN];
	int64_t least = rtt / 2 > STEP_MIN_NS ? rtt / 2 : STEP_MIN_NS;

	/* A longer path is longer for its own direction; only a clock moves both against each
	 * other. */
	if ((up > least && down < -least) || (up < -least && down > least)) {
		k->steps++;
		int64_t step = (up - down) / 2, was = k->largest_step_ns;
		if ((step < 0 ? -step : step) > (was < 0 ? -was : was))
			k->largest_step_ns = step;
	}
}

/* A copy that shows up sooner than nine tenths of the quickest is not the packet, where that is known. */
static int64_t slack_of(const struct compare_clock *k, const struct samples *all)
{
	uint32_t n[WAYS] = {0, 0};

	if (!k->both_ways)
		return STEP_MIN_NS;
	for (uint32_t i = 0; i < all->n; i++)
		n[all->v[i].way]++;
	bool few = n[WAY_UP] < FEW_PAIRS || n[WAY_DOWN] < FEW_PAIRS;
	return (int64_t)k->rtt_ns / (few ? 5 : 20);
}

static void describe(struct comparison *c, const struct samples *all)
{
	struct compare_clock *k = &c->clock;
	const struct clock_window *first = NULL, *last = NULL;
	int64_t rtt = INT64_MAX, least[WAYS] = {INT64_MAX, INT64_MAX};

	for (unsigned i = 0; i < WINDOWS; i++) {
		const struct clock_window *w = &c->windows[i];
		for (unsigned way = 0; way < WAYS; way++) {
			if (w->have[way])
				least[way] = smaller(least[way], w->quickest[way]);
		}
		if (w->have[0] && w->have[1])
			rtt = smaller(rtt, w->quickest[0] + w->quickest[1]);
	}
	k->aligned = least[0] != INT64_MAX || least[1] != INT64_MAX;
	k->both_ways = least[0] != INT64_MAX && least[1] != INT64_MAX;
	if (!k->both_ways) {
		/* Good enough to find the window. */
		c->slack_ns = slack_of(k, all);
		k->offset_ns = least[0] != INT64_MAX ? least[0] : k->aligned ? -least[1] : 0;
		return;
	}
	rtt = rtt != INT64_MAX ? rtt : least[0] + least[1];
	rtt = rtt > 0 ? rtt : 0;
	for (unsigned i = 0; i < WINDOWS; i++) {
		const struct clock_window *w = &c->windows[i];
		if (!w->have[0] || !w->have[1])
			continue;
		if (last != NULL)
			note_step(k, last, w, rtt);
		first = first != NULL ? first : w;
		last = w;
	}
	k->rtt_ns = (uint64_t)rtt;
	k->offset_error_ns = rtt / 2;
	k->offset_ns = first != NULL ? (first->quickest[0] - first->quickest[1]) / 2
				     : (least[0] - least[1]) / 2;
	if (first != last && k->steps == 0) {
		uint64_t apart = (uint64_t)(last - first) * c->window_ns;
		int64_t end = (last->quickest[0] - last->quickest[1]) / 2;
		if (apart >= DRIFT_MIN_NS)
			k->drift_ppm = (double)(end - k->offset_ns) / (double)apart * 1e6;
	}
	c->slack_ns = slack_of(k, all);
}

static void learn(struct comparison *c, const struct samples *all)
{
	for (unsigned way = 0; way < WAYS; way++) {
		uint32_t lost[256] = {0}, n = 0, v4 = 0, ids = 0, windows = 0, mode = 0;
		for (uint32_t i = 0; i < all->n; i++) {
			const struct digest *x = client_of(c, &all->v[i]),
					    *y = server_of(c, &all->v[i]);
			if (all->v[i].way != way)
				continue;
			lost[(way == WAY_UP ? x->ttl - y->ttl : y->ttl - x->ttl) & 255]++;
			v4 += (x->has & HAS_V6) == 0;
			ids += (x->has & HAS_V6) == 0 && x->ip_id == y->ip_id;
			windows += x->window == y->window;
			n++;
		}
		for (uint32_t i = 1; i < 256; i++)
			mode = lost[i] > lost[mode] ? i : mode;
		c->hops[way] =
			n > 0 && (uint64_t)lost[mode] * 10 >= (uint64_t)n * 9 ? (int)mode : -1;
		c->ip_id_kept[way] = v4 > 0 && (uint64_t)ids * 20 >= (uint64_t)v4 * 19;
		c->window_kept[way] = n > 0 && (uint64_t)windows * 20 >= (uint64_t)n * 19;
	}
}

int clocks_align(struct comparison *c)
{
	struct keyed *scratch[SIDES];
	struct samples all = {.n = 0};
	int err = 0;

	for (unsigned side = 0; side < SIDES; side++)
		scratch[side] = malloc(((size_t)c->view[side].n + 1) * sizeof(*scratch[side]));
	all.v = malloc(((size_t)c->view[SIDE_CLIENT].n + 1) * sizeof(*all.v));
	if (scratch[0] == NULL || scratch[1] == NULL || all.v == NULL) {
		err = -ENOMEM;
		goto out;
	}
	for (unsigned loose = 0; loose < 2 && !c->clock.both_ways; loose++) {
		all.n = 0;
		for (uint32_t i = 0; i < c->n_links; i++) {
			struct link *l = &c->links[i];
			l->a_up = true;
			l->pairs = 0;
			for (unsigned way = 0; way < WAYS && l->convs[0] != 0 && l->convs[1] != 0;
			     way++)
				sample_way(c, i, way, loose != 0, scratch, &all);
		}
		orient(c, &all);
		orient_alike(c, scratch, &all);
		memset(c->windows, 0, sizeof(c->windows));
		fill_windows(c, &all);
		describe(c, &all);
		learn(c, &all);
	}
out:
	free(scratch[0]);
	free(scratch[1]);
	free(all.v);
	return err;
}
