/* SPDX-License-Identifier: BSD-3-Clause */

/* A port's frames as they are noted, and the conversations that they are of. */

#include "tools/audit/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "dataplane/cursor.h"
#include "dataplane/flow_key.h"
#include "tools/audit/ledger_private.h"

#define FRAMES_DEFAULT (4u << 20)
#define ARENA_MAX      (UINT64_C(256) << 20) /* of payload, a port */
#define MACS	       12
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define IPV4_TTL       8 /* offsets of RFC 791, section 3.1 */
#define IPV4_CHECKSUM  10
#define IPV4_SOURCE    12
#define IPV6_HOP_LIMIT 7 /* and of RFC 8200, section 3 */
#define IPV6_HEADER    40

int ledger_new(struct ledger **out, uint32_t max_frames)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	(*out)->max = max_frames != 0 ? max_frames : FRAMES_DEFAULT;
	return 0;
}

void ledger_free(struct ledger *l)
{
	if (l == NULL)
		return;
	for (unsigned p = 0; p < SIDES; p++) {
		free(l->port[p].frames);
		free(l->port[p].arena);
	}
	free(l->flows);
	free(l);
}

uint64_t ledger_mix(uint64_t a, uint64_t b)
{
	uint64_t both[2] = {a, b};

	return XXH3_64bits(both, sizeof(both));
}

uint64_t ledger_flow_hash(const struct ledger_frame *f)
{
	return XXH3_64bits_withSeed(&f->key, sizeof(f->key), f->from_lo);
}

/* Padding to an Ethernet's 60 bytes comes and goes. */
static size_t without_padding(const uint8_t *p, size_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n;
}

static uint64_t hash_ipv4(const uint8_t *p, size_t n)
{
	size_t len = load_be16(p + 2);
	uint64_t h = XXH3_64bits(p, IPV4_TTL);

	/* A length of 0 or beyond the frame is left as it stands. */
	n = len >= IPV4_SOURCE && len < n ? len : n;
	h = ledger_mix(h, p[IPV4_TTL + 1]);
	return XXH3_64bits_withSeed(p + IPV4_SOURCE, n - IPV4_SOURCE, h);
}

static uint64_t hash_ipv6(const uint8_t *p, size_t n)
{
	size_t len = IPV6_HEADER + (size_t)load_be16(p + 4);
	uint64_t h = XXH3_64bits(p, IPV6_HOP_LIMIT);

	n = len < n ? len : n;
	return XXH3_64bits_withSeed(p + IPV6_HOP_LIMIT + 1, n - IPV6_HOP_LIMIT - 1, h);
}

/* Of all that a router leaves alone. Cards take tags off and put them on: they do not count. */
static uint64_t hash_same(const struct packet *pkt)
{
	struct cursor c = cursor_of(pkt->data, pkt->caplen);
	uint16_t type;

	cursor_skip(&c, MACS);
	for (;;) {
		type = cursor_be16(&c);
		if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ)
			break;
		cursor_skip(&c, 2);
	}
	size_t n = cursor_left(&c);
	const uint8_t *p = cursor_bytes(&c, n);
	if (p == NULL)
		return XXH3_64bits_withSeed(pkt->data, pkt->caplen, 1) | 1;
	uint64_t h = type == ETHERTYPE_IPV4 && n >= IPV4_SOURCE ? hash_ipv4(p, n)
		     : type == ETHERTYPE_IPV6 && n >= IPV6_HEADER
			     ? hash_ipv6(p, n)
			     : XXH3_64bits_withSeed(p, without_padding(p, n), type);
	return ledger_mix(h, type) | 1;
}

/* RFC 1812, section 5.2.7.1, and RFC 792; RFC 4443, section 3.1. */
static bool is_refusal(const struct headers *h)
{
	unsigned type = h->sport, code = h->dport;

	return h->ip_version == 4 ? type == 3 && (code == 9 || code == 10 || code == 13)
				  : type == 1 && (code == 1 || code == 5 || code == 6);
}

static void conversation(struct ledger_frame *f, const struct headers *h)
{
	if (h->is_icmp_error && h->quoted_ok) {
		f->kind = LEDGER_ERROR;
		f->prohibits = is_refusal(h);
		f->from_lo = key_make(&f->key, h, h->quoted_proto, &h->quoted_src, &h->quoted_dst,
				      h->quoted_sport, h->quoted_dport);
	} else {
		f->kind = h->end == DECODE_FRAGMENT ? LEDGER_FRAGMENT : LEDGER_FLOW;
		f->from_lo = key_make(&f->key, h, h->proto, &h->src, &h->dst, h->sport, h->dport);
	}
	f->key.tunnel_id = 0;
}

static struct ledger_frame frame_of(const struct packet *pkt)
{
	struct headers h;
	struct ledger_frame f = {
		.ts_ns = pkt->ts_ns,
		.same = hash_same(pkt),
		.bytes = UINT64_MAX,
		.peer = LEDGER_NONE,
		.flow = LEDGER_NONE,
		.kind = LEDGER_OTHER,
		.fate = FATE_NONE,
		.ours = pkt->direction == PACKET_OUTBOUND,
	};

	packet_decode(pkt, &h);
	if (h.ip_version == 0)
		return f;
	f.seq = h.seq;
	f.ack = h.ack;
	f.len = h.payload_len;
	f.payload = XXH3_64bits(h.payload, h.payload_caplen);
	f.tsval = h.tsval;
	f.ip_len = h.ip_len;
	f.ident = h.end == DECODE_FRAGMENT ? h.frag_id : h.ip_id;
	f.flags = h.flags;
	f.window = h.window;
	f.mss = h.mss;
	f.ttl = h.ttl;
	f.tos = h.tos;
	f.wscale = h.wscale;
	f.proto = h.proto;
	f.has = (uint8_t)((h.has_ts ? LEDGER_TS : 0) | (h.has_mss ? LEDGER_MSS : 0) |
			  (h.has_wscale ? LEDGER_WSCALE : 0) | (h.df ? LEDGER_DF : 0));
	if (h.n_options > 0)
		f.options = (uint32_t)XXH3_64bits(h.options, h.n_options);
	/* What has addresses alone is a conversation of those. */
	if (h.end == DECODE_OK || h.end == DECODE_NO_PORTS || h.end == DECODE_FRAGMENT)
		conversation(&f, &h);
	return f;
}

static uint64_t keep(struct ledger_port *p, const struct packet *pkt)
{
	struct headers h;

	packet_decode(pkt, &h);
	uint32_t n = h.payload_caplen;
	if (n == 0 || n != h.payload_len || p->arena_n + n > ARENA_MAX)
		return UINT64_MAX;
	if (p->arena_n + n > p->arena_room) {
		uint64_t room = p->arena_room != 0 ? p->arena_room * 2 : 1 << 18;
		uint8_t *more = realloc(p->arena, room);
		if (more == NULL)
			return UINT64_MAX;
		p->arena = more;
		p->arena_room = room;
	}
	memcpy(p->arena + p->arena_n, h.payload, n);
	p->arena_n += n;
	return p->arena_n - n;
}

void ledger_add(struct ledger *l, enum compare_side port, const struct packet *pkt)
{
	struct ledger_port *p = &l->port[port];

	if (p->n == l->max || p->no_memory) {
		p->beyond++;
		return;
	}
	if (p->n == p->room) {
		uint32_t room = p->room != 0 ? p->room * 2 : 1024;
		room = room > l->max ? l->max : room;
		struct ledger_frame *more = realloc(p->frames, room * sizeof(*more));
		if (more == NULL) {
			p->no_memory = true;
			p->beyond++;
			return;
		}
		p->frames = more;
		p->room = room;
	}
	struct ledger_frame *f = &p->frames[p->n++];
	*f = frame_of(pkt);
	if (f->kind == LEDGER_FLOW && f->proto == IPPROTO_TCP)
		f->bytes = keep(p, pkt);
}

/* Conversations */

struct sent_key {
	struct flow_key key;
	uint64_t ts_ns;
	bool lo_is_client;
};

static int by_key(const void *a, const void *b)
{
	const struct sent_key *x = a, *y = b;
	int order = memcmp(&x->key, &y->key, sizeof(x->key));

	if (order != 0)
		return order;
	return x->ts_ns < y->ts_ns ? -1 : x->ts_ns > y->ts_ns;
}

/* One record a conversation that was sent, in order of its key. */
static int make_flows(struct ledger *l)
{
	struct sent_key *keys = malloc(((size_t)l->port[0].n + l->port[1].n + 1) * sizeof(*keys));
	uint32_t n = 0;

	if (keys == NULL)
		return -ENOMEM;
	for (unsigned port = 0; port < SIDES; port++) {
		for (uint32_t i = 0; i < l->port[port].n; i++) {
			const struct ledger_frame *f = &l->port[port].frames[i];
			if (f->ours && ledger_has_conversation(f))
				keys[n++] = (struct sent_key){
					.key = f->key,
					.ts_ns = f->ts_ns,
					.lo_is_client = f->from_lo == (port == SIDE_CLIENT)};
		}
	}
	qsort(keys, n, sizeof(*keys), by_key);
	l->flows = calloc((size_t)n + 1, sizeof(*l->flows));
	for (uint32_t i = 0; i < n && l->flows != NULL; i++) {
		if (i > 0 && memcmp(&keys[i].key, &keys[i - 1].key, sizeof(keys[i].key)) == 0)
			continue;
		l->flows[l->n_flows++] = (struct ledger_flow){
			.key = keys[i].key,
			.lo_is_client = keys[i].lo_is_client,
			.first_ns = keys[i].ts_ns,
		};
	}
	free(keys);
	return l->flows != NULL ? 0 : -ENOMEM;
}

static uint32_t flow_find(const struct ledger *l, const struct flow_key *key)
{
	uint32_t lo = 0, hi = l->n_flows;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int order = memcmp(&l->flows[mid].key, key, sizeof(*key));
		if (order == 0)
			return mid;
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return LEDGER_NONE;
}

static void find_flows(struct ledger *l)
{
	for (unsigned port = 0; port < SIDES; port++) {
		for (uint32_t i = 0; i < l->port[port].n; i++) {
			struct ledger_frame *f = &l->port[port].frames[i];
			if (f->kind != LEDGER_OTHER)
				f->flow = flow_find(l, &f->key);
		}
	}
}

int ledger_close(struct ledger *l, const struct ledger_losses *losses)
{
	int err = l->port[0].no_memory || l->port[1].no_memory ? -ENOMEM : make_flows(l);

	l->losses = *losses;
	if (err == 0)
		find_flows(l);
	for (unsigned port = 0; port < SIDES && err == 0; port++) {
		uint64_t ours = 0;
		for (uint32_t i = 0; i < l->port[port].n; i++)
			ours += l->port[port].frames[i].ours;
		l->port[port].others.left =
			ours > losses->handed[port] ? ours - losses->handed[port] : 0;
	}
	for (unsigned way = 0; way < WAYS && err == 0; way++) {
		err = ledger_pair(l, way);
		if (err != 0)
			break;
		ledger_rest(l, way);
	}
	for (unsigned way = 0; way < WAYS && err == 0; way++)
		ledger_sum(l, way);
	return err;
}

const struct ledger_way *ledger_way(const struct ledger *l, enum compare_way way)
{
	return &l->way[way];
}

const struct ledger_others *ledger_others(const struct ledger *l, enum compare_side port)
{
	return &l->port[port].others;
}

const struct ledger_losses *ledger_losses(const struct ledger *l)
{
	return &l->losses;
}

const struct ledger_flow *ledger_flows(const struct ledger *l, uint32_t *n)
{
	*n = l->n_flows;
	return l->flows;
}

const struct ledger_frame *ledger_frames(const struct ledger *l, enum compare_side port,
					 uint32_t *n)
{
	*n = l->port[port].n;
	return l->port[port].frames;
}

bool ledger_unsure(const struct ledger *l, enum compare_way way)
{
	return l->losses.broken || l->losses.missed[way_to(way)] > 0 || l->losses.unsent[way_from(way)] > 0 ||
	       l->port[way_to(way)].beyond > 0;
}

bool ledger_full(const struct ledger *l)
{
	return l->port[0].beyond > 0 || l->port[1].beyond > 0;
}
