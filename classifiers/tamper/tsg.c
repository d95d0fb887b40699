/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/tsg.h"

#include <string.h>

#define TSG_M 65535u
#define VAL_MIN 128u   /* where the counter restarts */
#define SEED_MIN 2u
#define SEED_MAX 511u  /* the counter's range is empty above M / VAL_MIN */
#define SERIES_MIN 3u

/* A reset with where it came from: an event of this flow, or -1 for another connection's. */
struct candidate {
	struct tsg_stamp s;
	int event;
};

uint32_t tsg_addr(const struct ip_addr *a)
{
	return (uint32_t)a->b[12] | (uint32_t)a->b[13] << 8 | (uint32_t)a->b[14] << 16 |
	       (uint32_t)a->b[15] << 24;
}

/* The counter that this window stands for; 0 if it cannot have been made with this seed. */
static uint32_t counter_of(uint32_t dip, uint16_t window, uint32_t seed)
{
	uint32_t d = dip % seed;
	if (window < d + VAL_MIN || (window - d) * seed > TSG_M + seed)
		return 0;
	return window - d;
}

static int hops_of(uint32_t val, uint8_t ttl)
{
	int hops = (int)(val % 200 + 48) - (int)ttl;
	return hops >= 0 && hops <= TSG_HOPS_MAX ? hops : -1;
}

bool tsg_fits(uint32_t sip, uint32_t dip, const struct tsg_stamp *s, uint32_t seed, int *hops,
	      uint32_t *val)
{
	*hops = -1;
	*val = seed != 0 ? counter_of(dip, s->window, seed) : 0;
	if (*val == 0)
		return false;
	*hops = hops_of(*val, s->ttl);
	return (uint16_t)(TSG_M - *val * seed + sip % s->window) == s->ip_id;
}

/* IP-IDs are what is left modulo 2^16, so the difference of two is too. */
static bool follows(uint32_t sip, const struct tsg_stamp *i, const struct tsg_stamp *j, uint32_t seed)
{
	uint32_t down = (uint32_t)i->ip_id - j->ip_id + sip % j->window - sip % i->window;
	return (uint16_t)down == (uint16_t)(((uint32_t)j->window - i->window) * seed);
}

/* Every packet of the series can have been made with this seed, and all differ as it says. */
static bool explains(uint32_t sip, uint32_t dip, const struct tsg_stamp s[], unsigned n, uint32_t seed)
{
	for (unsigned i = 0; i < n; i++)
		if (counter_of(dip, s[i].window, seed) == 0 || !follows(sip, &s[0], &s[i], seed))
			return false;
	return true;
}

uint32_t tsg_seed(uint32_t sip, uint32_t dip, const struct tsg_stamp s[], unsigned n)
{
	struct tsg_stamp one[TSG_STAMPS];
	unsigned distinct = 0;
	for (unsigned i = 0; i < n && distinct < TSG_STAMPS; i++) {
		bool copy = s[i].window < VAL_MIN;
		for (unsigned k = 0; k < distinct && !copy; k++)
			copy = one[k].window == s[i].window && one[k].ip_id == s[i].ip_id;
		if (!copy)
			one[distinct++] = s[i];
	}
	if (distinct < SERIES_MIN)
		return 0;
	for (uint32_t seed = SEED_MIN; seed <= SEED_MAX; seed++)
		if (explains(sip, dip, one, distinct, seed))
			return seed;
	return 0;
}

/* "DF always set", RST or RST+ACK, bare headers, no payload. */
static bool is_shaped(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	unsigned flags = e->flags & 0xfff;
	return event_dir(e) == v->dir && (flags == TCP_RST || flags == (TCP_RST | TCP_ACK)) &&
	       (e->flags & EVENT_IGNORED) == 0 && (e->bits & EVENT_DF) != 0 &&
	       (e->bits & EVENT_OPTIONS) == 0 && (e->len == 0 || (e->bits & EVENT_PADDING) != 0);
}

static unsigned gather(const struct view *v, const uint16_t events[], unsigned n,
		       struct candidate c[TSG_STAMPS])
{
	unsigned k = 0;
	for (unsigned i = 0; i < n && k < TSG_STAMPS; i++) {
		const struct event *e = &v->e[events[i]];
		if (is_shaped(v, events[i]) && e->window >= VAL_MIN)
			c[k++] = (struct candidate){{e->window, e->ip_id, e->ttl}, events[i]};
	}
	if (k == 0)
		return 0;
	for (unsigned i = 0; v->pair != NULL && i < v->pair->n && k < TSG_STAMPS; i++) {
		const struct pair_reset *r = &v->pair->reset[i];
		if (r->flow_id != v->flow->id && r->s2c == (v->dir == DIR_S2C) && r->df)
			c[k++] = (struct candidate){{r->window, r->ip_id, r->ttl}, -1};
	}
	return k;
}

/* What fits the seed, with the hops that all of it agrees on. */
static void fit(uint32_t sip, uint32_t dip, const struct candidate c[], unsigned n, uint32_t seed,
		struct tsg_result *out)
{
	uint32_t vals[TSG_STAMPS];
	int first = -1;
	bool agree = true;
	*out = (struct tsg_result){.seed = seed, .hops = -1};
	for (unsigned i = 0; i < n; i++) {
		uint32_t val;
		int hops;
		if (!tsg_fits(sip, dip, &c[i].s, seed, &hops, &val))
			continue;
		if (out->n_packets + out->n_others == 0)
			first = hops;
		agree &= hops == first;
		bool known = false;
		for (unsigned k = 0; k < out->n_vals; k++)
			known |= vals[k] == val;
		if (!known)
			vals[out->n_vals++] = val;
		if (c[i].event >= 0)
			out->packets[out->n_packets++] = (uint16_t)c[i].event;
		else
			out->n_others++;
	}
	out->hops = agree ? first : -1;
	if (out->n_packets != 0)
		out->rule = out->n_vals >= 2 ? TSG_SERIES
			    : out->hops >= 0 ? TSG_PACKET_TTL
					     : TSG_PACKET;
}

/* Another seed than the default: all of them must follow it, whatever the generator's M. */
static void recover(uint32_t sip, uint32_t dip, const struct candidate c[], unsigned n,
		    struct tsg_result *out)
{
	struct tsg_stamp s[TSG_STAMPS];
	for (unsigned i = 0; i < n; i++)
		s[i] = c[i].s;
	uint32_t seed = tsg_seed(sip, dip, s, n);
	*out = (struct tsg_result){.seed = seed, .hops = -1};
	if (seed == 0)
		return;
	bool agree = true;
	int first = -1;
	for (unsigned i = 0; i < n; i++) {
		int hops = hops_of(counter_of(dip, s[i].window, seed), s[i].ttl);
		first = i == 0 ? hops : first;
		agree &= hops == first;
		if (c[i].event >= 0)
			out->packets[out->n_packets++] = (uint16_t)c[i].event;
		else
			out->n_others++;
	}
	out->rule = TSG_UNKNOWN_SEED;
	out->n_vals = SERIES_MIN;
	out->hops = agree ? first : -1;
}

bool tsg_examine(const struct view *v, const uint16_t events[], unsigned n, struct tsg_result *out)
{
	struct candidate c[TSG_STAMPS];
	*out = (struct tsg_result){.hops = -1};
	/* The relation is one over IPv4 addresses. */
	if (v->flow->ip_version != 4)
		return false;
	unsigned k = gather(v, events, n, c);
	if (k == 0)
		return false;
	uint32_t client = tsg_addr(&v->flow->client), server = tsg_addr(&v->flow->server);
	/* Towards the client sip is the client's; towards the server nobody has seen which. */
	for (unsigned o = 0; o < (v->dir == DIR_S2C ? 1u : 2u); o++) {
		uint32_t sip = o == 0 ? client : server, dip = o == 0 ? server : client;
		struct tsg_result r;
		fit(sip, dip, c, k, TSG_SEED, &r);
		if (r.rule == TSG_NONE)
			recover(sip, dip, c, k, &r);
		if (r.rule > out->rule)
			*out = r;
	}
	return out->rule != TSG_NONE;
}
