/* SPDX-License-Identifier: BSD-3-Clause */

/* A capture as digests of its packets: what the pairing asks, and payload as far as there is room.
 */

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "dataplane/cursor.h"
#include "tools/compare/private.h"

#define RECENT	     4096
#define COPY_NS	     2000000 /* of one frame on two interfaces of a host */
#define COPY_SAME_NS 1000000 /* on one interface: a mirror port's second copy */
#define ONE_FRAME    1500    /* bytes of a packet: a card may have joined larger ones of several */

struct recent {
	uint32_t index; /* + 1 */
	uint32_t iface;
};

static void *grow(void *old, uint64_t n, uint32_t *room, uint64_t max, size_t size)
{
	if (n < *room)
		return old;
	uint64_t want = *room != 0 ? (uint64_t)*room * 2 : 256;
	want = want > max ? max : want;
	void *more = n < want ? realloc(old, (size_t)want * size) : NULL;
	if (more != NULL)
		*room = (uint32_t)want;
	return more;
}

/* The table has room for twice as many as there are. */
static bool rehash(struct view *v)
{
	uint32_t n = v->n_slots != 0 ? v->n_slots * 2 : 1024;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (slots == NULL)
		return false;
	for (uint32_t i = 0; i < v->n_conv; i++) {
		uint64_t h = XXH3_64bits(&v->conv[i].key, sizeof(v->conv[i].key));
		while (slots[h & (n - 1)] != 0)
			h++;
		slots[h & (n - 1)] = i + 1;
	}
	free(v->slots);
	v->slots = slots;
	v->n_slots = n;
	return true;
}

static uint32_t conversation_of(struct view *v, const struct flow_key *key)
{
	if (v->n_conv * 2 >= v->n_slots && !rehash(v))
		return NO_INDEX;
	uint64_t h = XXH3_64bits(key, sizeof(*key));
	for (; v->slots[h & (v->n_slots - 1)] != 0; h++) {
		uint32_t at = v->slots[h & (v->n_slots - 1)] - 1;
		if (memcmp(&v->conv[at].key, key, sizeof(*key)) == 0)
			return at;
	}
	struct conversation *more = grow(v->conv, v->n_conv, &v->room_conv, v->max, sizeof(*more));
	if (more == NULL)
		return NO_INDEX;
	v->conv = more;
	v->conv[v->n_conv] = (struct conversation){.key = *key, .link = NO_INDEX};
	v->slots[h & (v->n_slots - 1)] = v->n_conv + 1;
	return v->n_conv++;
}

/* Where the payload is kept, NO_BYTES without room: then only hashes tell it from another. */
static uint64_t keep(struct view *v, const uint8_t *payload, uint32_t n)
{
	if (n == 0 || v->arena_n + n > v->arena_max)
		return NO_BYTES;
	if (v->arena_n + n > v->arena_room) {
		uint64_t room = v->arena_room != 0 ? v->arena_room * 2 : 1 << 16;
		while (room < v->arena_n + n)
			room *= 2;
		uint8_t *more = realloc(v->arena, room);
		if (more == NULL)
			return NO_BYTES;
		v->arena = more;
		v->arena_room = room;
	}
	memcpy(v->arena + v->arena_n, payload, n);
	v->arena_n += n;
	return v->arena_n - n;
}

/* What a packet carries: of protocols without ports (GRE, ESP) all that follows the IP header. */
struct carried {
	const uint8_t *p;
	uint32_t len, held;
};

static struct carried carried_of(const struct headers *h)
{
	if (h->end != DECODE_NO_PORTS || h->l3 == NULL || h->l3_caplen < h->ip_hlen ||
	    h->ip_len < h->ip_hlen)
		return (struct carried){h->payload, h->payload_len, h->payload_caplen};
	return (struct carried){h->l3 + h->ip_hlen, h->ip_len - h->ip_hlen,
				h->l3_caplen - h->ip_hlen};
}

static struct digest digest_of(const struct packet *pkt, const struct headers *h, bool from_lo)
{
	struct carried b = carried_of(h);
	struct digest d = {
		.ts_ns = pkt->ts_ns,
		.frame = pkt->frame,
		.bytes = NO_BYTES,
		.seq = h->seq,
		.ack = h->ack,
		.len = b.len,
		.held = b.held,
		.ip_len = h->ip_len,
		.tsval = h->tsval,
		.peer = NO_INDEX,
		.twin = NO_INDEX,
		.flags = h->flags,
		.window = h->window,
		.ip_id = h->ip_id,
		.mss = h->mss,
		.ttl = h->ttl,
		.tos = h->tos,
		.wscale = h->wscale,
		.from_lo = from_lo,
		.has = (uint8_t)((h->has_ts ? HAS_TS : 0) | (h->has_mss ? HAS_MSS : 0) |
				 (h->has_wscale ? HAS_WSCALE : 0) | (h->df ? HAS_DF : 0) |
				 (h->ip_version == 6 ? HAS_V6 : 0) |
				 (h->ip_len <= ONE_FRAME && transport_is_damaged(h) ? HAS_DAMAGE : 0)),
	};

	d.hash = XXH3_64bits(b.p, d.held);
	d.head = d.held > HEAD_BYTES ? XXH3_64bits(b.p, HEAD_BYTES) : d.hash;
	if (h->n_options > 0 && !h->options_cut)
		d.options = (uint32_t)XXH3_64bits(h->options, h->n_options);
	return d;
}

static bool same_frame(const struct digest *x, const struct digest *y)
{
	return x->conv == y->conv && x->from_lo == y->from_lo && x->hash == y->hash &&
	       x->seq == y->seq && x->ack == y->ack && x->len == y->len && x->flags == y->flags &&
	       x->window == y->window && x->ip_id == y->ip_id && x->ttl == y->ttl &&
	       x->tsval == y->tsval;
}

/* "any" of Linux has every interface in one, and says which in the cooked header. */
static uint32_t iface_of(const struct packet *pkt)
{
	struct cursor c = cursor_of(pkt->data, pkt->caplen);

	if (pkt->linktype != LINKTYPE_LINUX_SLL2)
		return pkt->iface;
	cursor_skip(&c, 4);
	return cursor_be32(&c);
}

/*
 * A frame that the capture holds twice, once on each interface or by a mirror port, left its host
 * once. On one interface a second copy needs something that no two packets share.
 */
static void find_twin(struct view *v, uint32_t at, uint32_t iface)
{
	struct digest *d = &v->d[at];
	uint64_t key = mix64(mix64(d->hash, (uint64_t)d->seq << 32 | d->ack),
			     (uint64_t)d->ip_id << 32 | (uint64_t)d->conv << 1 | d->from_lo);
	struct recent *r = &v->recent[key % RECENT];

	if (r->index != 0 && same_frame(&v->d[r->index - 1], d)) {
		struct digest *first = &v->d[r->index - 1];
		uint64_t apart =
			d->ts_ns > first->ts_ns ? d->ts_ns - first->ts_ns : first->ts_ns - d->ts_ns;
		bool marked = d->ip_id != 0 || ((d->has & HAS_V6) != 0 && d->len > 0);
		if (r->iface != iface ? apart < COPY_NS : marked && apart < COPY_SAME_NS) {
			d->twin = r->index - 1;
			return;
		}
	}
	*r = (struct recent){.index = at + 1, .iface = iface};
}

/* Who opened it: a SYN says, else the higher port, else who spoke first. */
static void note_packet(struct conversation *k, const struct digest *d)
{
	unsigned syn = d->flags & (TCP_SYN | TCP_ACK);

	if (k->n_packets[0] + k->n_packets[1] == 0) {
		k->first_frame = d->frame;
		k->first_ns = d->ts_ns;
		k->a_is_lo = k->key.lo_port != k->key.hi_port ? k->key.lo_port > k->key.hi_port
							      : d->from_lo;
	}
	if (k->key.proto == IPPROTO_TCP && (syn & TCP_SYN) != 0 && !k->a_sure) {
		k->a_is_lo = syn == TCP_SYN ? d->from_lo : !d->from_lo;
		k->a_sure = true;
	}
	if (k->key.proto == IPPROTO_TCP && (syn & TCP_SYN) != 0)
		k->syn[d->from_lo] = true;
	k->n_packets[d->from_lo]++;
	k->bytes[d->from_lo] += d->ip_len;
	k->last_ns = d->ts_ns > k->last_ns ? d->ts_ns : k->last_ns;
}

/* No router passes it on: not of a path. RFC 1112, 3927, 4291, 919. */
static bool is_local(const struct ip_addr *a, bool v6)
{
	const uint8_t *b = a->b;

	if (!v6)
		return b[12] == 0 || b[12] == 127 || b[12] >= 224 || (b[12] == 169 && b[13] == 254);
	bool low = true;
	for (unsigned i = 0; i < 15 && low; i++)
		low = b[i] == 0;
	return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || (low && b[15] <= 1);
}

void view_add(struct view *v, const struct flow_key *key, bool from_lo, const struct packet *pkt,
	      const struct headers *h)
{
	struct flow_key plain = *key;

	if (v->full || v->no_memory || is_local(&key->lo, h->ip_version == 6) ||
	    is_local(&key->hi, h->ip_version == 6))
		return;
	plain.tunnel_id = 0;
	if (v->recent == NULL)
		v->recent = calloc(RECENT, sizeof(*v->recent));
	uint32_t conv = v->recent != NULL ? conversation_of(v, &plain) : NO_INDEX;
	v->full = v->n == v->max;
	struct digest *more = v->full ? NULL : grow(v->d, v->n, &v->room, v->max, sizeof(*more));
	if (more == NULL || conv == NO_INDEX) {
		v->no_memory = !v->full;
		v->d = more != NULL ? more : v->d;
		return;
	}
	v->d = more;
	v->d[v->n] = digest_of(pkt, h, from_lo);
	v->d[v->n].conv = conv;
	v->damaged += (v->d[v->n].has & HAS_DAMAGE) != 0;
	struct carried b = carried_of(h);
	v->d[v->n].bytes = keep(v, b.p, b.held);
	if (v->n == 0 || pkt->ts_ns < v->first_ns)
		v->first_ns = pkt->ts_ns;
	v->last_ns = pkt->ts_ns > v->last_ns ? pkt->ts_ns : v->last_ns;
	find_twin(v, v->n, iface_of(pkt));
	note_packet(&v->conv[conv], &v->d[v->n]);
	v->n++;
}

/* A second copy shares the fate of the first. */
void view_twins(struct view *v)
{
	for (uint32_t i = 0; i < v->n; i++) {
		struct digest *d = &v->d[i];
		if (d->twin == NO_INDEX)
			continue;
		const struct digest *first = &v->d[d->twin];
		d->fate = first->fate;
		d->peer = first->peer;
		d->changed = first->changed;
		d->from = first->from;
		d->to = first->to;
	}
}

void view_free(struct view *v)
{
	free(v->d);
	free(v->conv);
	free(v->slots);
	free(v->arena);
	free(v->recent);
}

const uint8_t *payload_at(const struct view *v, const struct digest *d, uint32_t i, uint32_t n)
{
	if (d->bytes == NO_BYTES || i > d->held || n > d->held - i)
		return NULL;
	return v->arena + d->bytes + i;
}

enum same payload_same(const struct view *vx, const struct digest *x, const struct view *vy,
		       const struct digest *y)
{
	uint32_t n = x->held < y->held ? x->held : y->held;

	if (x->len != y->len)
		return SAME_NO;
	if (x->held == y->held)
		return x->hash != y->hash ? SAME_NO : x->held == x->len ? SAME_YES : SAME_UNKNOWN;
	const uint8_t *p = payload_at(vx, x, 0, n), *q = payload_at(vy, y, 0, n);
	if (n == 0 || p == NULL || q == NULL)
		return SAME_UNKNOWN;
	return memcmp(p, q, n) != 0 ? SAME_NO : SAME_UNKNOWN;
}

/* What the pipeline calls. */

static void *shard_new(void *user, unsigned shard)
{
	(void)shard;
	return user;
}

static void shard_free(void *user, void *shard)
{
	(void)user;
	(void)shard;
}

static void on_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		      const struct headers *h, uint64_t now_ns)
{
	(void)now_ns;
	/* An error quotes what it answers, as it was there: with another TTL, perhaps other
	 * addresses. */
	if (!h->is_icmp_error)
		view_add(shard, &f->key, (dir == DIR_C2S) == f->client_is_lo, pkt, h);
}

/* An error from the middle of the path says openly that it is one. */
static void on_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		    const struct headers *h)
{
	(void)shard;
	(void)f;
	(void)dir;
	(void)pkt;
	(void)h;
}

static void on_flow_end(void *shard, struct flow *f, enum flow_end why)
{
	(void)shard;
	(void)f;
	(void)why;
}

void view_hooks(struct view *v, struct pipeline_hooks *out)
{
	*out = (struct pipeline_hooks){.user = v,
				       .shard_new = shard_new,
				       .on_packet = on_packet,
				       .on_icmp = on_icmp,
				       .on_flow_end = on_flow_end,
				       .shard_free = shard_free};
}
