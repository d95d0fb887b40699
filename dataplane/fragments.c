/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/fragments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "dataplane/decode_scan.h"

#define NONE UINT32_MAX
#define DATAGRAM_MAX 65535u /* bytes, IP header included (RFC 791) */
#define UNIT 8u             /* fragment offsets count in these */
#define PAGE_BYTES 1024u
#define PAGE_UNITS (PAGE_BYTES / UNIT)
#define PAGE_FRAMES (PAGE_BYTES / sizeof(uint64_t))
#define DATA_PAGES ((DATAGRAM_MAX + PAGE_BYTES) / PAGE_BYTES)
#define FRAME_PAGES (FRAGMENT_FRAMES_MAX / PAGE_FRAMES)
#define HEAD_MAX 128 /* of IP header kept; of a longer one in IPv6 the first 40 */
#define MEMORY_MIN (128u * 1024)

struct page {
	uint8_t have[PAGE_UNITS / 8]; /* bit by unit; unused in a page of frame numbers */
	uint8_t data[PAGE_BYTES];
	uint32_t next_free;
};

/* Compared and hashed as bytes: no padding. */
struct key {
	struct ip_addr src, dst;
	uint32_t id, tunnel_id, file;
	uint8_t proto, ip_version, zero[2];
};

struct datagram {
	struct key key;
	uint64_t first_ns;
	uint32_t bucket, chain;         /* hash chain; chain is also the free list */
	uint32_t older, newer;          /* by last use */
	uint32_t total;                 /* payload bytes, NONE until the last fragment came */
	uint32_t end;                   /* of the farthest fragment */
	uint32_t units;                 /* of the payload, that came */
	uint32_t captured;              /* payload bytes before the first one cut off */
	uint32_t n_fragments, n_frames; /* kept; listed */
	uint32_t anomalies;
	bool dead; /* overlapped in IPv6: all that comes is dropped (RFC 5722) */
	uint8_t head_len; /* 0 until the fragment at offset 0 came */
	uint8_t head[HEAD_MAX];
	uint32_t pages[DATA_PAGES], frame_pages[FRAME_PAGES];
};

/* A datagram made whole. mem: frame numbers, then its bytes. */
struct whole {
	struct packet pkt; /* first, so that the packet given out leads back here */
	struct packet parent;
	struct whole *next_free;
	unsigned size_class;
	uint64_t mem[];
};

/* Most datagrams are two or three fragments. Kept for reuse at most so many. */
static const struct {
	size_t bytes;
	unsigned keep;
} whole_classes[] = {{8192, 64}, {FRAGMENT_FRAMES_MAX * 8 + DATAGRAM_MAX + 1, 8}};
#define WHOLE_CLASSES (sizeof(whole_classes) / sizeof(whole_classes[0]))

struct fragments {
	uint64_t timeout_ns;
	struct page *pages;
	struct datagram *datagrams;
	uint32_t *buckets, bucket_mask;
	uint32_t n_pages, fresh_page, free_page; /* fresh: never used from here on */
	uint32_t n_datagrams, fresh_datagram, free_datagram;
	uint32_t oldest, newest; /* use */
	struct whole *wholes[WHOLE_CLASSES];
	unsigned n_wholes[WHOLE_CLASSES];
};

int fragments_new(struct fragments **out, size_t memory, uint64_t timeout_ns)
{
	struct fragments *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ENOMEM;
	if (memory < MEMORY_MIN)
		memory = MEMORY_MIN;
	if (memory > UINT32_MAX)
		memory = UINT32_MAX;
	/* An eighth for the books: about one datagram for three pages, which two fragments fill. */
	f->n_datagrams = (uint32_t)(memory / 8 / (sizeof(struct datagram) + 4));
	f->n_pages = (uint32_t)((memory - memory / 8) / sizeof(struct page));
	f->timeout_ns = timeout_ns;
	f->free_page = f->free_datagram = f->oldest = f->newest = NONE;
	uint32_t n_buckets = 1;
	while (n_buckets * 2 <= f->n_datagrams)
		n_buckets *= 2;
	f->bucket_mask = n_buckets - 1;
	f->pages = malloc(f->n_pages * sizeof(*f->pages));
	f->datagrams = malloc(f->n_datagrams * sizeof(*f->datagrams));
	f->buckets = malloc(n_buckets * sizeof(*f->buckets));
	if (f->pages == NULL || f->datagrams == NULL || f->buckets == NULL) {
		fragments_free(f);
		return -ENOMEM;
	}
	memset(f->buckets, 0xff, n_buckets * sizeof(*f->buckets));
	*out = f;
	return 0;
}

void fragments_free(struct fragments *f)
{
	if (f == NULL)
		return;
	for (unsigned i = 0; i < WHOLE_CLASSES; i++) {
		while (f->wholes[i] != NULL) {
			struct whole *w = f->wholes[i];
			f->wholes[i] = w->next_free;
			free(w);
		}
	}
	free(f->pages);
	free(f->datagrams);
	free(f->buckets);
	free(f);
}

/* The datagram's bytes and frame numbers go back; its entry stays. */
static void release_pages(struct fragments *f, struct datagram *g)
{
	for (unsigned i = 0; i < DATA_PAGES + FRAME_PAGES; i++) {
		uint32_t *slot = i < DATA_PAGES ? &g->pages[i] : &g->frame_pages[i - DATA_PAGES];
		if (*slot == NONE)
			continue;
		f->pages[*slot].next_free = f->free_page;
		f->free_page = *slot;
		*slot = NONE;
	}
	g->n_fragments = g->n_frames = 0;
}

static void unlink_use(struct fragments *f, struct datagram *g)
{
	if (g->older != NONE)
		f->datagrams[g->older].newer = g->newer;
	else
		f->oldest = g->newer;
	if (g->newer != NONE)
		f->datagrams[g->newer].older = g->older;
	else
		f->newest = g->older;
}

static void link_newest(struct fragments *f, struct datagram *g)
{
	uint32_t i = (uint32_t)(g - f->datagrams);
	g->older = f->newest;
	g->newer = NONE;
	if (f->newest != NONE)
		f->datagrams[f->newest].newer = i;
	else
		f->oldest = i;
	f->newest = i;
}

static void remove_datagram(struct fragments *f, struct datagram *g)
{
	uint32_t i = (uint32_t)(g - f->datagrams);
	uint32_t *link = &f->buckets[g->bucket];
	while (*link != i)
		link = &f->datagrams[*link].chain;
	*link = g->chain;
	unlink_use(f, g);
	release_pages(f, g);
	g->chain = f->free_datagram;
	f->free_datagram = i;
}

static void evict_oldest(struct fragments *f, struct decoder_stats *st)
{
	struct datagram *g = &f->datagrams[f->oldest];
	st->fragments_evicted += g->n_fragments;
	remove_datagram(f, g);
}

/* Its time is over, or the packets' clock went back so far that it means nothing here. */
static bool is_over(const struct fragments *f, const struct datagram *g, uint64_t now_ns)
{
	return now_ns > g->first_ns ? now_ns - g->first_ns > f->timeout_ns
				    : g->first_ns - now_ns > f->timeout_ns;
}

static void expire(struct fragments *f, uint64_t now_ns, struct decoder_stats *st)
{
	while (f->oldest != NONE && is_over(f, &f->datagrams[f->oldest], now_ns)) {
		struct datagram *g = &f->datagrams[f->oldest];
		st->fragments_timeout += g->n_fragments;
		remove_datagram(f, g);
	}
}

static struct datagram *find_datagram(struct fragments *f, const struct key *key, uint32_t bucket,
				      uint64_t now_ns, struct decoder_stats *st)
{
	for (uint32_t i = f->buckets[bucket]; i != NONE; i = f->datagrams[i].chain) {
		struct datagram *g = &f->datagrams[i];
		if (memcmp(&g->key, key, sizeof(*key)) != 0)
			continue;
		if (!is_over(f, g, now_ns))
			return g;
		st->fragments_timeout += g->n_fragments;
		remove_datagram(f, g);
		break;
	}
	return NULL;
}

static struct datagram *new_datagram(struct fragments *f, const struct key *key, uint32_t bucket,
				     uint64_t now_ns, struct decoder_stats *st)
{
	if (f->free_datagram == NONE && f->fresh_datagram == f->n_datagrams)
		evict_oldest(f, st);
	uint32_t i = f->free_datagram;
	if (i != NONE)
		f->free_datagram = f->datagrams[i].chain;
	else
		i = f->fresh_datagram++;
	struct datagram *g = &f->datagrams[i];
	*g = (struct datagram){
		.key = *key,
		.first_ns = now_ns,
		.bucket = bucket,
		.chain = f->buckets[bucket],
		.total = NONE,
		.captured = NONE,
	};
	memset(g->pages, 0xff, sizeof(g->pages));
	memset(g->frame_pages, 0xff, sizeof(g->frame_pages));
	f->buckets[bucket] = i;
	link_newest(f, g);
	return g;
}

/* The datagram of a fragment, made if need be, and now the one used last. */
static struct datagram *take_datagram(struct fragments *f, const struct packet *pkt,
				      const struct headers *h, struct decoder_stats *st)
{
	/* IPv6 has the protocol from the first fragment alone (RFC 8200 section 4.5). */
	struct key key = {
		.src = h->src,
		.dst = h->dst,
		.id = h->frag_id,
		.tunnel_id = h->tunnel_id,
		.file = pkt->file,
		.proto = h->ip_version == 4 ? h->proto : 0,
		.ip_version = h->ip_version,
	};
	/* Seeded by where the store lies, so that a capture cannot aim at one bucket. */
	uint32_t seed = (uint32_t)((uintptr_t)f >> 4);
	uint32_t bucket = XXH32(&key, sizeof(key), seed) & f->bucket_mask;
	struct datagram *g = find_datagram(f, &key, bucket, pkt->ts_ns, st);
	if (g == NULL)
		return new_datagram(f, &key, bucket, pkt->ts_ns, st);
	unlink_use(f, g);
	link_newest(f, g);
	return g;
}

/* A page's memory; other datagrams make room: the one in use is the newest, and never needs all. */
static struct page *take_page(struct fragments *f, uint32_t *slot, struct decoder_stats *st)
{
	if (*slot != NONE)
		return &f->pages[*slot];
	while (f->free_page == NONE && f->fresh_page == f->n_pages)
		evict_oldest(f, st);
	uint32_t i = f->free_page;
	if (i != NONE)
		f->free_page = f->pages[i].next_free;
	else
		i = f->fresh_page++;
	*slot = i;
	memset(&f->pages[i], 0, sizeof(f->pages[i]));
	return &f->pages[i];
}

struct overlap {
	bool old, fresh; /* bytes that were there; that were not */
	bool differs;    /* the former said something else */
};

/* len bytes at offset, present of which are at p. The first copy of a byte stays. */
static struct overlap store(struct fragments *f, struct datagram *g, uint32_t offset,
			    const uint8_t *p, uint32_t len, uint32_t present,
			    struct decoder_stats *st)
{
	struct overlap seen = {false};
	for (uint32_t at = 0; at < len; at += UNIT) {
		uint32_t where = (offset + at) % PAGE_BYTES, unit = where / UNIT;
		struct page *page = take_page(f, &g->pages[(offset + at) / PAGE_BYTES], st);
		uint32_t n = len - at < UNIT ? len - at : UNIT;
		uint32_t here = present <= at ? 0 : present - at < n ? present - at : n;
		if (page->have[unit / 8] & 1u << unit % 8) {
			seen.old = true;
			if (here != 0 && memcmp(page->data + where, p + at, here) != 0)
				seen.differs = true;
			continue;
		}
		seen.fresh = true;
		page->have[unit / 8] |= (uint8_t)(1u << unit % 8);
		if (here != 0)
			memcpy(page->data + where, p + at, here);
		g->units++;
	}
	if (seen.fresh && present < len && offset + present < g->captured)
		g->captured = offset + present;
	return seen;
}

static void add_frame(struct fragments *f, struct datagram *g, uint64_t frame,
		      struct decoder_stats *st)
{
	if (g->n_frames == FRAGMENT_FRAMES_MAX)
		return;
	struct page *page = take_page(f, &g->frame_pages[g->n_frames / PAGE_FRAMES], st);
	memcpy(page->data + g->n_frames % PAGE_FRAMES * sizeof(frame), &frame, sizeof(frame));
	g->n_frames++;
}

/*
 * The IP header of the fragment at offset 0, as the whole datagram's: without a fragment header or
 * flags; lengths come later. IPv6 headers before the fragment header stay if they fit.
 */
static void keep_head(struct datagram *g, const struct headers *h)
{
	if (h->ip_version == 4) {
		g->head_len = (uint8_t)h->ip_hlen;
		memcpy(g->head, h->l3, h->ip_hlen);
		store_be16(g->head + 6, load_be16(h->l3 + 6) & 0xc000);
		return;
	}
	uint32_t before = h->ip_hlen - 8u, pointer = 6, at = 40;
	if (before > HEAD_MAX)
		before = 40;
	while (at < before) {
		uint32_t len = h->l3[pointer] == PROTO_AH ? (h->l3[at + 1] + 2u) * 4
							  : (h->l3[at + 1] + 1u) * 8;
		pointer = at;
		at += len;
	}
	g->head_len = (uint8_t)before;
	memcpy(g->head, h->l3, before);
	g->head[pointer] = h->proto;
}

static void finish_head(const struct datagram *g, uint8_t *head)
{
	memcpy(head, g->head, g->head_len);
	if (g->key.ip_version == 6) {
		store_be16(head + 4, (uint16_t)(g->head_len - 40 + g->total));
		return;
	}
	store_be16(head + 2, (uint16_t)(g->head_len + g->total));
	store_be16(head + 10, 0);
	uint16_t sum = (uint16_t)~inet_fold(inet_sum(head, g->head_len));
	memcpy(head + 10, &sum, sizeof(sum));
}

static struct whole *take_whole(struct fragments *f, size_t bytes)
{
	unsigned i = bytes <= whole_classes[0].bytes ? 0 : 1;
	struct whole *w = f->wholes[i];
	if (w != NULL) {
		f->wholes[i] = w->next_free;
		f->n_wholes[i]--;
		return w;
	}
	w = malloc(sizeof(*w) + whole_classes[i].bytes);
	if (w != NULL)
		w->size_class = i;
	return w;
}

/* All of g is there: puts it together. NULL when there is no memory. */
static struct packet *assemble(struct fragments *f, const struct datagram *g,
			       const struct packet *pkt)
{
	size_t frames = g->n_frames * sizeof(uint64_t);
	uint32_t captured = g->captured < g->total ? g->captured : g->total;
	struct whole *w = take_whole(f, frames + g->head_len + g->total);
	if (w == NULL)
		return NULL;
	uint8_t *data = (uint8_t *)w->mem + frames;
	for (uint32_t i = 0; i < g->n_frames; i++)
		memcpy(&w->mem[i],
		       f->pages[g->frame_pages[i / PAGE_FRAMES]].data + i % PAGE_FRAMES * 8, 8);
	finish_head(g, data);
	for (uint32_t at = 0; at < captured; at += PAGE_BYTES) {
		uint32_t n = captured - at < PAGE_BYTES ? captured - at : PAGE_BYTES;
		memcpy(data + g->head_len + at, f->pages[g->pages[at / PAGE_BYTES]].data, n);
	}
	w->pkt = *pkt;
	w->pkt.data = data;
	w->pkt.caplen = g->head_len + captured;
	w->pkt.wirelen = g->head_len + g->total;
	w->pkt.linktype = LINKTYPE_RAW;
	w->pkt.n_frames = (uint16_t)g->n_frames;
	w->pkt.frames = w->mem;
	return &w->pkt;
}

void fragments_set_parent(struct packet *whole, const struct packet *captured)
{
	struct whole *w = (struct whole *)(void *)whole;
	w->parent = *captured;
	w->parent.data = NULL;
	w->parent.caplen = 0;
	w->pkt.parent = &w->parent;
}

bool fragments_release(struct fragments *f, const struct packet *whole)
{
	struct whole *w = (struct whole *)(uintptr_t)whole;
	if (whole->n_frames == 0 ||
	    (uintptr_t)whole->parent != (uintptr_t)whole + offsetof(struct whole, parent))
		return false;
	unsigned i = w->size_class;
	if (f->n_wholes[i] == whole_classes[i].keep) {
		free(w);
		return true;
	}
	w->next_free = f->wholes[i];
	f->wholes[i] = w;
	f->n_wholes[i]++;
	return true;
}

/* A fragment that no sender makes, of whatever datagram. */
static bool is_insane(const struct headers *h, uint32_t len)
{
	uint32_t head = h->ip_version == 4 ? h->ip_hlen : h->ip_hlen - 40u - 8u;
	return len == 0 || len > DATAGRAM_MAX || head + h->frag_offset + len > DATAGRAM_MAX ||
	       (h->mf && len % UNIT != 0);
}

/* It says of the datagram's length what the others do not allow. */
static bool contradicts(const struct datagram *g, const struct headers *h, uint32_t len)
{
	uint32_t end = h->frag_offset + len;
	if (h->mf)
		return g->total != NONE && end > g->total;
	return g->total != NONE ? end != g->total : end < g->end;
}

static bool is_complete(const struct datagram *g)
{
	return g->head_len != 0 && g->total != NONE && g->units == (g->total + UNIT - 1) / UNIT &&
	       g->head_len + g->total <= DATAGRAM_MAX;
}

/* What g knows beside the bytes. */
static void note_fragment(struct fragments *f, struct datagram *g, const struct packet *pkt,
			  const struct headers *h, uint32_t len, struct decoder_stats *st)
{
	uint32_t end = h->frag_offset + len;
	g->n_fragments++;
	g->anomalies |= h->anomalies;
	g->end = end > g->end ? end : g->end;
	if (!h->mf)
		g->total = end;
	if (h->frag_offset == 0 && g->head_len == 0)
		keep_head(g, h);
	for (unsigned i = 0; i < pkt->n_frames; i++)
		add_frame(f, g, pkt->frames[i], st);
	if (pkt->n_frames == 0)
		add_frame(f, g, pkt->frame, st);
}

struct packet *fragments_add(struct fragments *f, const struct packet *pkt, const struct headers *h,
			     uint32_t *anomalies, struct decoder_stats *st)
{
	uint32_t len = h->ip_len > h->ip_hlen ? h->ip_len - h->ip_hlen : 0;
	uint32_t here = h->l3_caplen > h->ip_hlen ? h->l3_caplen - h->ip_hlen : 0;
	st->fragments++;
	expire(f, pkt->ts_ns, st);
	struct datagram *g = is_insane(h, len) ? NULL : take_datagram(f, pkt, h, st);
	if (g == NULL || g->dead || contradicts(g, h, len)) {
		st->fragments_bad++;
		return NULL;
	}
	struct overlap seen =
		store(f, g, h->frag_offset, h->l3 + h->ip_hlen, len, here < len ? here : len, st);
	if (seen.old && !seen.fresh && !seen.differs && (h->mf || g->total != NONE))
		return NULL; /* the same once more, as a mirror port or a network may show it */
	if (seen.old) {
		st->fragments_overlap++;
		if (h->ip_version == 6) {
			st->fragments_bad += g->n_fragments + 1;
			release_pages(f, g);
			g->dead = true;
			return NULL;
		}
	}
	note_fragment(f, g, pkt, h, len, st);
	if (!is_complete(g))
		return NULL;
	*anomalies = g->anomalies;
	struct packet *whole = assemble(f, g, pkt);
	if (whole != NULL)
		st->reassembled++;
	else
		st->fragments_evicted += g->n_fragments;
	remove_datagram(f, g);
	return whole;
}
