/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/pairs.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PAIRS_MAX (1u << 13) /* a shard; beyond, pairs are not remembered */

const struct host_table pairs_table = {.size = sizeof(struct pair_resets)};

static struct ip_addr pair_key(const struct ip_addr *client, const struct ip_addr *server)
{
	const struct ip_addr ends[2] = {*client, *server};
	XXH128_hash_t x = XXH3_128bits(ends, sizeof(ends));
	struct ip_addr key;
	_Static_assert(sizeof(x) == sizeof(key), "a key is as long as an address");
	memcpy(&key, &x, sizeof(key));
	return key;
}

/* What an endpoint sends for a socket that is gone has no window, or no IP-ID: nothing to relate. */
static bool relates(const struct evidence *ev, const struct event *e)
{
	return (e->flags & TCP_RST) != 0 && e->window != 0 && (e->ip_id != 0 || ev->ipv6) &&
	       (e->bits & EVENT_OPTIONS) == 0 && (e->flags & EVENT_IGNORED) == 0;
}

/* Kept sorted by flow id and cut to the lowest, so that the order of ends and merging is no matter. */
static void insert(struct pair_resets *p, const struct pair_reset *r)
{
	unsigned at = p->n, same = 0;
	while (at > 0 && p->reset[at - 1].flow_id > r->flow_id)
		at--;
	for (unsigned i = 0; i < at; i++) {
		const struct pair_reset *o = &p->reset[i];
		if (o->flow_id != r->flow_id)
			continue;
		same++;
		if (o->window == r->window && o->ip_id == r->ip_id && o->ttl == r->ttl)
			return;
	}
	if (at == PAIR_RESETS || same == PAIR_FLOW_RESETS)
		return;
	unsigned last = p->n < PAIR_RESETS ? p->n++ : PAIR_RESETS - 1u;
	memmove(&p->reset[at + 1], &p->reset[at], (last - at) * sizeof(*r));
	p->reset[at] = *r;
}

static uint8_t drew_ttl(const struct evidence *ev, unsigned i)
{
	for (unsigned k = i; k-- > 0;)
		if (event_dir(&ev->events[k]) != event_dir(&ev->events[i]) &&
		    (ev->events[k].flags & TCP_RST) == 0)
			return ev->events[k].ttl;
	return 0;
}

void pairs_note(struct host_table *t, const struct flow *f, const struct evidence *ev)
{
	struct pair_resets *p = NULL;
	if ((ev->found & EVIDENCE_RST) == 0)
		return;
	for (unsigned i = 0; i < ev->n_events; i++) {
		const struct event *e = &ev->events[i];
		if (!relates(ev, e))
			continue;
		if (p == NULL) {
			bool fresh;
			struct ip_addr key = pair_key(flow_addr(f, DIR_C2S), flow_addr(f, DIR_S2C));
			p = host_table_get(t, &key, 0, &fresh, PAIRS_MAX);
		}
		if (p == NULL)
			return;
		insert(p, &(struct pair_reset){
				  .flow_id = f->id,
				  .window = e->window,
				  .ip_id = e->ip_id,
				  .flags = e->flags & 0xfff,
				  .ttl = e->ttl,
				  .drew_ttl = drew_ttl(ev, i),
				  .s2c = event_dir(e) == DIR_S2C,
				  .df = (e->bits & EVENT_DF) != 0,
			  });
	}
}

int pairs_merge(struct host_table *to, const struct host_table *from)
{
	for (uint32_t i = 0; i < from->room; i++) {
		if (from->hashes[i] == 0)
			continue;
		const struct pair_resets *p = (const void *)host_table_slot(from, i);
		bool fresh;
		struct pair_resets *into = host_table_get(to, &p->key, 0, &fresh, UINT32_MAX / 16);
		if (into == NULL)
			return -ENOMEM;
		for (unsigned k = 0; k < p->n; k++)
			insert(into, &p->reset[k]);
	}
	return 0;
}

const struct pair_resets *pairs_find(const struct host_table *t, const struct ip_addr *client,
				     const struct ip_addr *server)
{
	if (t->room == 0)
		return NULL;
	struct ip_addr key = pair_key(client, server);
	uint32_t i = host_table_find(t, &key, 0, host_hash(&key, 0));
	return t->hashes[i] != 0 ? (const void *)host_table_slot(t, i) : NULL;
}
