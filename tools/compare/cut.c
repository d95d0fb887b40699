/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A firewall that forgot its connections: all that had been answered by then are cut at one moment, none
 * goes on, and what begins later gets through. A box that acts on what is said cuts one when that is said,
 * and lets others go on.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/findings.h"

#define CUT_LEAST   3  /* connections */
#define SERVERS_LOOKED 64 /* before one and behind it, for another server */

/* Of a connection that was answered, or not even asked for anything; the client's clock. */
struct life {
	uint64_t first, last; /* of the server's payload, and of either way, that got through */
	uint64_t cut;	      /* the first that was dropped behind all that got through; 0: none */
	bool answered;
	struct link *link;
};

static bool got_through(const struct digest *d)
{
	return d->fate == FATE_SAME || d->fate == FATE_RESEGMENTED || d->fate == FATE_MODIFIED;
}

/* False: it asked, and was not answered. */
static bool life_of(const struct comparison *c, struct link *l, struct life *out)
{
	bool asked = false;

	*out = (struct life){.first = UINT64_MAX, .link = l};
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned way = 0; way < WAYS; way++) {
			enum compare_side side = sender_of(way);
			uint64_t ahead = side == SIDE_SERVER ? (uint64_t)c->clock.offset_ns : 0;
			const struct list *p = &l->list[side][way];
			for (uint32_t i = 0; i < p->n; i++) {
				const struct digest *d = &c->view[side].d[p->v[i]];
				uint64_t ns = d->ts_ns - ahead;
				if ((d->flags & TCP_RST) != 0)
					continue;
				asked |= way == WAY_UP && d->len != 0;
				if (pass == 0 && got_through(d)) {
					if (way == WAY_DOWN && d->len != 0 && ns < out->first)
						out->first = ns;
					out->last = ns > out->last ? ns : out->last;
				} else if (pass == 1 && d->fate == FATE_DROPPED && ns > out->last &&
					   (out->cut == 0 || ns < out->cut)) {
					out->cut = ns;
				}
			}
		}
	}
	out->answered = out->first != UINT64_MAX;
	return out->answered || !asked;
}

static int by_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* How many of v, which rises, are before ns. */
static uint32_t before(const uint64_t *v, uint32_t n, uint64_t ns)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (v[mid] < ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct ip_addr *server_of(const struct comparison *c, const struct link *l)
{
	uint16_t port;
	return link_end(&c->view[SIDE_SERVER].conv[l->first_conv[SIDE_SERVER]], l, SIDE_SERVER, &port);
}

/* Those cut at the moment of v[i]'s cut had more than one server; they began about when it did. */
static bool of_several(const struct comparison *c, const struct life *v, uint32_t n, uint32_t i)
{
	uint32_t from = i > SERVERS_LOOKED ? i - SERVERS_LOOKED : 0;
	uint32_t to = n - i > SERVERS_LOOKED ? i + SERVERS_LOOKED : n;
	const struct ip_addr *own = server_of(c, v[i].link);

	for (uint32_t k = from; k < to; k++) {
		if (v[k].cut >= v[i].cut && v[k].last < v[i].cut &&
		    memcmp(own, server_of(c, v[k].link), sizeof(*own)) != 0)
			return true;
	}
	return false;
}

enum { FIRSTS, LASTS, CUTS, ENDS, SORTED };

/* At the moment of v[i]'s cut: what was open is cut by then, and something begins later. */
static bool all_are_cut(const struct comparison *c, const struct life *v, uint32_t n, uint64_t *const *at,
			const uint32_t held[SORTED], uint32_t i)
{
	uint64_t ns = v[i].cut;
	uint32_t begun = before(at[FIRSTS], held[FIRSTS], ns);
	uint32_t open = begun - before(at[LASTS], held[LASTS], ns);
	uint32_t cut = before(at[ENDS], held[ENDS], ns) - before(at[CUTS], held[CUTS], ns);

	return open == 0 && cut >= CUT_LEAST && begun < held[FIRSTS] && of_several(c, v, n, i);
}

static void mark(struct comparison *c, struct life *v, uint32_t n, uint64_t *const *at)
{
	uint32_t held[SORTED] = {0}, n_moments = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (v[i].answered) {
			at[FIRSTS][held[FIRSTS]++] = v[i].first;
			at[LASTS][held[LASTS]++] = v[i].last;
		}
		if (v[i].cut != 0) {
			at[CUTS][held[CUTS]++] = v[i].cut;
			at[ENDS][held[ENDS]++] = v[i].last;
		}
	}
	for (unsigned i = 0; i < SORTED; i++)
		qsort(at[i], held[i], sizeof(uint64_t), by_ns);
	uint64_t *moments = at[SORTED];
	for (uint32_t i = 0; i < n; i++)
		if (v[i].cut != 0 && all_are_cut(c, v, n, at, held, i))
			moments[n_moments++] = v[i].cut;
	qsort(moments, n_moments, sizeof(uint64_t), by_ns);
	for (uint32_t i = 0; i < n; i++)
		if (v[i].cut != 0 &&
		    before(moments, n_moments, v[i].cut + 1) > before(moments, n_moments, v[i].last + 1))
			v[i].link->cut_ns = v[i].last;
}

int cut_find(struct comparison *c)
{
	struct life *v = calloc((size_t)c->n_links + 1, sizeof(*v));
	uint64_t *at[SORTED + 1];
	uint32_t n = 0;
	bool ok = v != NULL;

	for (unsigned i = 0; i <= SORTED; i++) {
		at[i] = calloc((size_t)c->n_links + 1, sizeof(**at));
		ok = ok && at[i] != NULL;
	}
	for (uint32_t i = 0; ok && i < c->n_links; i++) {
		struct link *l = &c->links[i];
		if (l->convs[0] != 0 && l->convs[1] != 0 &&
		    c->view[SIDE_SERVER].conv[l->first_conv[SIDE_SERVER]].key.proto == IPPROTO_TCP)
			n += life_of(c, l, &v[n]);
	}
	if (ok)
		mark(c, v, n, at);
	for (unsigned i = 0; i <= SORTED; i++)
		free(at[i]);
	free(v);
	return ok ? 0 : -ENOMEM;
}
