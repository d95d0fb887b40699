/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/fragments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/decode_scan.h"
#include "dataplane/fragment_store.h"

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
	struct fragment_store store;
	struct whole *wholes[WHOLE_CLASSES];
	unsigned n_wholes[WHOLE_CLASSES];
};

int fragments_new(struct fragments **out, size_t memory, uint64_t timeout_ns)
{
	struct fragments *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ENOMEM;
	if (fragment_store_new(&f->store, memory, timeout_ns) != 0) {
		fragments_free(f);
		return -ENOMEM;
	}
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
	fragment_store_free(&f->store);
	free(f);
}

struct overlap {
	bool old, fresh; /* bytes that were there; that were not */
	bool differs;    /* the former said something else */
};

/* len bytes at offset, present of which are at p. The first copy of a byte stays. */
static struct overlap add_bytes(struct fragments *f, struct datagram *g, uint32_t offset,
				const uint8_t *p, uint32_t len, uint32_t present,
				struct decoder_stats *st)
{
	struct overlap seen = {false};
	for (uint32_t at = 0; at < len; at += FRAGMENT_UNIT) {
		uint32_t where = (offset + at) % PAGE_BYTES, unit = where / FRAGMENT_UNIT;
		struct fragment_page *page =
			fragment_store_page(&f->store, &g->pages[(offset + at) / PAGE_BYTES], st);
		uint32_t n = len - at < FRAGMENT_UNIT ? len - at : FRAGMENT_UNIT;
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
	struct fragment_page *page =
		fragment_store_page(&f->store, &g->frame_pages[g->n_frames / PAGE_FRAMES], st);
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
		       f->store.pages[g->frame_pages[i / PAGE_FRAMES]].data + i % PAGE_FRAMES * 8,
		       8);
	finish_head(g, data);
	for (uint32_t at = 0; at < captured; at += PAGE_BYTES) {
		uint32_t n = captured - at < PAGE_BYTES ? captured - at : PAGE_BYTES;
		memcpy(data + g->head_len + at, f->store.pages[g->pages[at / PAGE_BYTES]].data, n);
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
	       (h->mf && len % FRAGMENT_UNIT != 0);
}

/* It says of the datagram's length what the others do not allow. */
static bool contradicts(const struct datagram *g, const struct headers *h, uint32_t len)
{
	uint32_t end = h->frag_offset + len;
	if (h->mf)
		return g->total != STORE_NONE && end > g->total;
	return g->total != STORE_NONE ? end != g->total : end < g->end;
}

static bool is_complete(const struct datagram *g)
{
	return g->head_len != 0 && g->total != STORE_NONE &&
	       g->units == (g->total + FRAGMENT_UNIT - 1) / FRAGMENT_UNIT &&
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
	fragment_store_expire(&f->store, pkt->ts_ns, st);
	struct datagram *g =
		is_insane(h, len) ? NULL : fragment_store_datagram(&f->store, pkt, h, st);
	if (g == NULL || g->dead || contradicts(g, h, len)) {
		st->fragments_bad++;
		return NULL;
	}
	struct overlap seen = add_bytes(f, g, h->frag_offset, h->l3 + h->ip_hlen, len,
					here < len ? here : len, st);
	if (seen.old && !seen.fresh && !seen.differs && (h->mf || g->total != STORE_NONE))
		return NULL; /* the same once more, as a mirror port or a network may show it */
	if (seen.old) {
		st->fragments_overlap++;
		if (h->ip_version == 6) {
			st->fragments_bad += g->n_fragments + 1;
			fragment_store_release_pages(&f->store, g);
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
	fragment_store_remove(&f->store, g);
	return whole;
}
