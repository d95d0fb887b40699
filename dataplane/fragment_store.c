/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/fragment_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define MEMORY_MIN (128u * 1024)

int fragment_store_new(struct fragment_store *s, size_t memory, uint64_t timeout_ns)
{
	if (memory < MEMORY_MIN)
		memory = MEMORY_MIN;
	if (memory > UINT32_MAX)
		memory = UINT32_MAX;
	/* An eighth for the books: about one datagram for three pages, which two fragments fill. */
	s->n_datagrams = (uint32_t)(memory / 8 / (sizeof(struct datagram) + 4));
	s->n_pages = (uint32_t)((memory - memory / 8) / sizeof(struct fragment_page));
	s->timeout_ns = timeout_ns;
	s->free_page = s->free_datagram = s->oldest = s->newest = STORE_NONE;
	uint32_t n_buckets = 1;
	while (n_buckets * 2 <= s->n_datagrams)
		n_buckets *= 2;
	s->bucket_mask = n_buckets - 1;
	s->pages = malloc(s->n_pages * sizeof(*s->pages));
	s->datagrams = malloc(s->n_datagrams * sizeof(*s->datagrams));
	s->buckets = malloc(n_buckets * sizeof(*s->buckets));
	if (s->pages == NULL || s->datagrams == NULL || s->buckets == NULL)
		return -ENOMEM;
	memset(s->buckets, 0xff, n_buckets * sizeof(*s->buckets));
	return 0;
}

void fragment_store_free(struct fragment_store *s)
{
	free(s->pages);
	free(s->datagrams);
	free(s->buckets);
}

void fragment_store_release_pages(struct fragment_store *s, struct datagram *g)
{
	for (unsigned i = 0; i < DATA_PAGES + FRAME_PAGES; i++) {
		uint32_t *slot = i < DATA_PAGES ? &g->pages[i] : &g->frame_pages[i - DATA_PAGES];
		if (*slot == STORE_NONE)
			continue;
		s->pages[*slot].next_free = s->free_page;
		s->free_page = *slot;
		*slot = STORE_NONE;
	}
	g->n_fragments = g->n_frames = 0;
}

static void unlink_use(struct fragment_store *s, struct datagram *g)
{
	if (g->older != STORE_NONE)
		s->datagrams[g->older].newer = g->newer;
	else
		s->oldest = g->newer;
	if (g->newer != STORE_NONE)
		s->datagrams[g->newer].older = g->older;
	else
		s->newest = g->older;
}

static void link_newest(struct fragment_store *s, struct datagram *g)
{
	uint32_t i = (uint32_t)(g - s->datagrams);
	g->older = s->newest;
	g->newer = STORE_NONE;
	if (s->newest != STORE_NONE)
		s->datagrams[s->newest].newer = i;
	else
		s->oldest = i;
	s->newest = i;
}

void fragment_store_remove(struct fragment_store *s, struct datagram *g)
{
	uint32_t i = (uint32_t)(g - s->datagrams);
	uint32_t *link = &s->buckets[g->bucket];
	while (*link != i)
		link = &s->datagrams[*link].chain;
	*link = g->chain;
	unlink_use(s, g);
	fragment_store_release_pages(s, g);
	g->chain = s->free_datagram;
	s->free_datagram = i;
}

static void evict_oldest(struct fragment_store *s, struct decoder_stats *st)
{
	struct datagram *g = &s->datagrams[s->oldest];
	st->fragments_evicted += g->n_fragments;
	fragment_store_remove(s, g);
}

/* Its time is over, or the packets' clock went back so far that it means nothing here. */
static bool is_over(const struct fragment_store *s, const struct datagram *g, uint64_t now_ns)
{
	return now_ns > g->first_ns ? now_ns - g->first_ns > s->timeout_ns
				    : g->first_ns - now_ns > s->timeout_ns;
}

void fragment_store_expire(struct fragment_store *s, uint64_t now_ns, struct decoder_stats *st)
{
	while (s->oldest != STORE_NONE && is_over(s, &s->datagrams[s->oldest], now_ns)) {
		struct datagram *g = &s->datagrams[s->oldest];
		st->fragments_timeout += g->n_fragments;
		fragment_store_remove(s, g);
	}
}

static struct datagram *find_datagram(struct fragment_store *s, const struct datagram_key *key,
				      uint32_t bucket, uint64_t now_ns, struct decoder_stats *st)
{
	for (uint32_t i = s->buckets[bucket]; i != STORE_NONE; i = s->datagrams[i].chain) {
		struct datagram *g = &s->datagrams[i];
		if (memcmp(&g->key, key, sizeof(*key)) != 0)
			continue;
		if (!is_over(s, g, now_ns))
			return g;
		st->fragments_timeout += g->n_fragments;
		fragment_store_remove(s, g);
		break;
	}
	return NULL;
}

static struct datagram *new_datagram(struct fragment_store *s, const struct datagram_key *key,
				     uint32_t bucket, uint64_t now_ns, struct decoder_stats *st)
{
	if (s->free_datagram == STORE_NONE && s->fresh_datagram == s->n_datagrams)
		evict_oldest(s, st);
	uint32_t i = s->free_datagram;
	if (i != STORE_NONE)
		s->free_datagram = s->datagrams[i].chain;
	else
		i = s->fresh_datagram++;
	struct datagram *g = &s->datagrams[i];
	*g = (struct datagram){
		.key = *key,
		.first_ns = now_ns,
		.bucket = bucket,
		.chain = s->buckets[bucket],
		.total = STORE_NONE,
		.captured = STORE_NONE,
	};
	memset(g->pages, 0xff, sizeof(g->pages));
	memset(g->frame_pages, 0xff, sizeof(g->frame_pages));
	s->buckets[bucket] = i;
	link_newest(s, g);
	return g;
}

struct datagram *fragment_store_datagram(struct fragment_store *s, const struct packet *pkt,
					 const struct headers *h, struct decoder_stats *st)
{
	/* IPv6 has the protocol from the first fragment alone (RFC 8200 section 4.5). */
	struct datagram_key key = {
		.src = h->src,
		.dst = h->dst,
		.id = h->frag_id,
		.tunnel_id = h->tunnel_id,
		.file = pkt->file,
		.proto = h->ip_version == 4 ? h->proto : 0,
		.ip_version = h->ip_version,
	};
	/* Seeded by where the store lies, so that a capture cannot aim at one bucket. */
	uint32_t seed = (uint32_t)((uintptr_t)s >> 4);
	uint32_t bucket = XXH32(&key, sizeof(key), seed) & s->bucket_mask;
	struct datagram *g = find_datagram(s, &key, bucket, pkt->ts_ns, st);
	if (g == NULL)
		return new_datagram(s, &key, bucket, pkt->ts_ns, st);
	unlink_use(s, g);
	link_newest(s, g);
	return g;
}

/* The datagram in use is the newest, and never needs all: it does not make room itself. */
struct fragment_page *fragment_store_new_page(struct fragment_store *s, uint32_t *slot,
					      struct decoder_stats *st)
{
	while (s->free_page == STORE_NONE && s->fresh_page == s->n_pages)
		evict_oldest(s, st);
	uint32_t i = s->free_page;
	if (i != STORE_NONE)
		s->free_page = s->pages[i].next_free;
	else
		i = s->fresh_page++;
	*slot = i;
	memset(&s->pages[i], 0, sizeof(s->pages[i]));
	return &s->pages[i];
}
