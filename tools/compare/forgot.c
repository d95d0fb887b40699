/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Translators that forget their connections: a link that went down, a new address, a table that was flushed.
 * What then still comes for a client they refuse themselves, in their own name: a bare reset for each
 * segment, numbered by its acknowledgement (RFC 9293, section 3.5.2). And the client's later packets they
 * drop. A firewall that forgets drops all that was under way, at one moment: cut.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/findings.h"

#define DREW_NS	  3000000000ull /* from a segment to its refusal: as long as a packet may take, pair.c */
#define AT_ONCE_NS 2000000000ull /* within which all of its connections meet the table's end */
#define OTHERS	  2

struct forgotten {
	struct ip_addr at;
	uint64_t ns; /* the server's clock */
};

static const struct conversation *conv_of(const struct comparison *c, const struct link *l,
					  enum compare_side side)
{
	return &c->view[side].conv[l->first_conv[side]];
}

/* The client's address at the server's side, which is another than at its own; NULL: it is the same. */
static const struct ip_addr *translator_of(const struct comparison *c, const struct link *l)
{
	uint16_t port;

	if (l->convs[0] == 0 || l->convs[1] == 0)
		return NULL;
	const struct ip_addr *in = link_end(conv_of(c, l, SIDE_CLIENT), l, SIDE_CLIENT, &port);
	const struct ip_addr *out = link_end(conv_of(c, l, SIDE_SERVER), l, SIDE_CLIENT, &port);
	return memcmp(in, out, sizeof(*in)) != 0 ? out : NULL;
}

/* As Linux answers a segment for a socket that it does not have. */
static bool is_refusal(const struct digest *d)
{
	return (d->flags & (TCP_RST | TCP_ACK | TCP_SYN | TCP_FIN)) == TCP_RST && d->ack == 0 &&
	       d->window == 0 && d->len == 0;
}

/*
 * All that arrived in the client's name and that it never sent are refusals of what it never got. answered:
 * something of what they refuse the rest of did reach it, so that no request is what drew them.
 */
static void look_at_refusals(struct comparison *c, struct link *l)
{
	const struct view *v = &c->view[SIDE_SERVER];
	const struct list *up = &l->list[SIDE_SERVER][WAY_UP], *down = &l->list[SIDE_SERVER][WAY_DOWN];
	const struct digest *drew = NULL, *older = NULL, *got = NULL;
	uint64_t first = 0;
	bool answered = false;

	l->refused_ns = 0;
	for (uint32_t i = 0, k = 0; i < up->n; i++) {
		const struct digest *d = &v->d[up->v[i]];
		for (; k < down->n && v->d[down->v[k]].ts_ns <= d->ts_ns; k++) {
			const struct digest *s = &v->d[down->v[k]];
			bool plain = (s->flags & (TCP_ACK | TCP_RST)) == TCP_ACK;
			if (plain && s->fate == FATE_DROPPED) {
				older = drew != NULL && drew->ack != s->ack ? drew : older;
				drew = s;
			} else if (plain && s->len != 0 && first == 0) {
				got = s;
			}
		}
		if (d->fate != FATE_INJECTED)
			continue;
		/* Under way may be what was sent before the client's last words came, and behind them. */
		const struct digest *of = drew != NULL && drew->ack == d->seq ? drew : older;
		if (!is_refusal(d) || of == NULL || of->ack != d->seq || d->ts_ns - of->ts_ns > DREW_NS)
			return;
		answered = first == 0 ? got != NULL && got->ack == of->ack : answered;
		first = first == 0 ? d->ts_ns : first;
	}
	l->refused_ns = first;
	l->answered = answered;
}

static int by_address(const void *a, const void *b)
{
	const struct forgotten *x = a, *y = b;
	int order = memcmp(&x->at, &y->at, sizeof(x->at));

	return order != 0 ? order : x->ns < y->ns ? -1 : x->ns > y->ns;
}

int forgot_make(struct comparison *c)
{
	c->forgotten = calloc((size_t)c->n_links + 1, sizeof(*c->forgotten));
	if (c->forgotten == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->n_links; i++) {
		struct link *l = &c->links[i];
		const struct ip_addr *at = translator_of(c, l);
		if (at == NULL || conv_of(c, l, SIDE_SERVER)->key.proto != 6)
			continue;
		look_at_refusals(c, l);
		if (l->refused_ns != 0 && l->answered)
			c->forgotten[c->n_forgotten++] = (struct forgotten){*at, l->refused_ns};
	}
	qsort(c->forgotten, c->n_forgotten, sizeof(*c->forgotten), by_address);
	return cut_find(c);
}

/* Connections that the translator at that address is seen to have forgotten between the two times. */
static uint32_t forgotten(const struct comparison *c, const struct ip_addr *at, uint64_t from, uint64_t to)
{
	uint32_t place[2];

	for (unsigned i = 0; i < 2; i++) {
		struct forgotten want = {*at, i == 0 ? from : to + 1};
		uint32_t lo = 0, hi = c->n_forgotten;
		while (lo < hi) {
			uint32_t mid = lo + (hi - lo) / 2;
			if (by_address(&c->forgotten[mid], &want) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		place[i] = lo;
	}
	return place[1] > place[0] ? place[1] - place[0] : 0;
}

bool forgot_refused(const struct comparison *c, const struct link *l)
{
	if (l->refused_ns == 0 || l->answered)
		return l->refused_ns != 0;
	return forgotten(c, translator_of(c, l), l->refused_ns - AT_ONCE_NS, l->refused_ns + AT_ONCE_NS) >=
	       OTHERS;
}

bool forgot_dropped(const struct comparison *c, const struct link *l, enum compare_way way, uint64_t from,
		    uint64_t to)
{
	enum compare_side side = sender_of(way);
	const struct ip_addr *at = translator_of(c, l);
	const struct list *sl = &l->list[side][way];

	uint64_t ahead = side == SIDE_SERVER ? (uint64_t)c->clock.offset_ns : 0;
	if (l->cut_ns != 0 && from - ahead > l->cut_ns)
		return true;
	if (at == NULL)
		return false;
	for (uint32_t i = 0; i < sl->n; i++) {
		const struct digest *d = &c->view[side].d[sl->v[i]];
		/* A refusal is no part of the connection. */
		if (d->ts_ns > from && d->fate != FATE_DROPPED && d->fate != FATE_UNCOVERED &&
		    (d->flags & TCP_RST) == 0)
			return false;
	}
	to += side == SIDE_CLIENT ? (uint64_t)c->clock.offset_ns : 0;
	return forgotten(c, at, conv_of(c, l, SIDE_SERVER)->first_ns, to + AT_ONCE_NS) != 0;
}
