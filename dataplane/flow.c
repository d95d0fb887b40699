/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* By memcpy: xxHash 0.8.1's default reads break aliasing rules, which inlining makes visible. */
#define XXH_FORCE_MEMORY_ACCESS 0
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/flow_tcp.h"

#define SECOND_NS 1000000000ULL
#define MAX_FLOWS_DEFAULT 65536
#define SLAB_FLOWS 256
#define SLOTS_MIN 1024

const char *const flow_state_name[FLOW_N_STATES] = {
	[FLOW_NEW] = "new",
	[FLOW_SYN_SENT] = "syn_sent",
	[FLOW_SYN_RECEIVED] = "syn_received",
	[FLOW_ESTABLISHED] = "established",
	[FLOW_CLOSING] = "closing",
	[FLOW_CLOSED] = "closed",
	[FLOW_RESET] = "reset",
	[FLOW_MIDSTREAM] = "midstream",
};

const char *const flow_end_name[FLOW_END_N] = {
	[FLOW_END_CLOSED] = "closed",
	[FLOW_END_TIMEOUT] = "timeout",
	[FLOW_END_PORT_REUSE] = "port_reuse",
	[FLOW_END_EVICTED] = "evicted",
	[FLOW_END_EOF] = "eof",
};

/* One list of flows, least recently seen first, for each idle time: expiry looks at heads only. */
enum lru_class { LRU_TCP_CLOSED, LRU_OTHER, LRU_UDP, LRU_TCP, LRU_N };

struct lru {
	struct flow *first, *last;
	uint64_t idle_ns;
};

/* The hash is kept here so that a probe reads the flow only when it is almost surely the one. */
struct slot {
	uint32_t hash;
	uint32_t ref; /* index of the flow + 1; 0: free */
};

struct flow_table {
	struct slot *slots; /* open addressing, linear probing */
	uint32_t mask;
	uint32_t n_flows, max_flows;
	uint64_t seed; /* random, against made collisions; never shows in results */
	struct flow **slabs;
	uint32_t n_slabs, max_slabs;
	struct flow *free_list; /* through lru_next */
	struct lru lru[LRU_N];
	uint8_t evict_order[LRU_N]; /* classes, shortest idle time first */
	uint64_t next_serial;
	flow_end_fn on_end;
	void *user;
	struct flow_table_stats stats;
};

/* Keys */

static int end_cmp(const struct ip_addr *a, uint16_t a_port, const struct ip_addr *b,
		   uint16_t b_port)
{
	int c = memcmp(a, b, sizeof(*a));
	return c != 0 ? c : (a_port > b_port) - (a_port < b_port);
}

/* True when the source is the key's lower end. */
static bool key_make(struct flow_key *key, const struct headers *h, uint8_t proto,
		     const struct ip_addr *src, const struct ip_addr *dst, uint16_t sport,
		     uint16_t dport)
{
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		sport = dport = 0;
	bool src_is_lo = end_cmp(src, sport, dst, dport) <= 0;
	*key = (struct flow_key){
		.lo = src_is_lo ? *src : *dst,
		.hi = src_is_lo ? *dst : *src,
		.lo_port = src_is_lo ? sport : dport,
		.hi_port = src_is_lo ? dport : sport,
		.tunnel_id = h->tunnel_id,
		.proto = proto,
		.ip_version = h->ip_version,
	};
	return src_is_lo;
}

static bool key_of_packet(struct flow_key *key, const struct headers *h)
{
	return key_make(key, h, h->proto, &h->src, &h->dst, h->sport, h->dport);
}

_Static_assert(sizeof(struct flow_key) == 44, "a key is hashed as bytes and has no padding");

static uint32_t key_hash(const struct flow_table *t, const struct flow_key *key)
{
	return (uint32_t)XXH3_64bits_withSeed(key, sizeof(*key), t->seed);
}

/* Written so that a BPF program can compute it too: 32-bit words, multiply, xor, shift. */
static uint32_t shard_mix(const struct ip_addr *a)
{
	uint32_t h = 0;
	for (unsigned i = 0; i < sizeof(a->b); i += 4) {
		uint32_t w = (uint32_t)a->b[i] << 24 | (uint32_t)a->b[i + 1] << 16 |
			     (uint32_t)a->b[i + 2] << 8 | a->b[i + 3];
		h = (h ^ w) * 0x9e3779b1U;
		h ^= h >> 15;
	}
	return h;
}

unsigned flow_shard(const struct ip_addr *a, const struct ip_addr *b)
{
	uint32_t sum = shard_mix(a) + shard_mix(b);
	return (sum * 0x85ebca6bU) >> 28;
}

_Static_assert(FLOW_SHARDS == 16, "flow_shard() takes four bits");

/* Hash table */

static struct flow *flow_at(const struct flow_table *t, uint32_t index)
{
	return &t->slabs[index / SLAB_FLOWS][index % SLAB_FLOWS];
}

static struct flow *table_find(const struct flow_table *t, const struct flow_key *key,
			       uint32_t hash)
{
	for (uint32_t i = hash & t->mask; t->slots[i].ref != 0; i = (i + 1) & t->mask) {
		if (t->slots[i].hash != hash)
			continue;
		struct flow *f = flow_at(t, t->slots[i].ref - 1);
		if (memcmp(&f->key, key, sizeof(*key)) == 0)
			return f;
	}
	return NULL;
}

static void slots_put(struct slot *slots, uint32_t mask, uint32_t hash, uint32_t ref)
{
	uint32_t i = hash & mask;
	while (slots[i].ref != 0)
		i = (i + 1) & mask;
	slots[i] = (struct slot){.hash = hash, .ref = ref};
}

/* Keeps the table at most half full; at 0.5 a miss probes 2.5 slots, all in one or two lines. */
static int table_reserve(struct flow_table *t)
{
	uint32_t n = t->mask + 1;
	if (t->n_flows < n / 2)
		return 0;
	struct slot *slots = calloc((size_t)n * 2, sizeof(*slots));
	if (slots == NULL)
		return t->n_flows < n - n / 8 ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (t->slots[i].ref != 0)
			slots_put(slots, n * 2 - 1, t->slots[i].hash, t->slots[i].ref);
	free(t->slots);
	t->slots = slots;
	t->mask = n * 2 - 1;
	return 0;
}

/* Closes the gap by moving later members of the run back, so that there are no tombstones. */
static void table_remove(struct flow_table *t, const struct flow *f)
{
	uint32_t gap = f->hash & t->mask;
	while (t->slots[gap].ref != f->index + 1)
		gap = (gap + 1) & t->mask;
	for (uint32_t i = (gap + 1) & t->mask; t->slots[i].ref != 0; i = (i + 1) & t->mask) {
		uint32_t home = t->slots[i].hash & t->mask;
		if (((i - home) & t->mask) >= ((i - gap) & t->mask)) {
			t->slots[gap] = t->slots[i];
			gap = i;
		}
	}
	t->slots[gap].ref = 0;
}

/* Flows' memory */

static struct flow *flow_alloc(struct flow_table *t)
{
	if (t->free_list == NULL) {
		if (t->n_slabs == t->max_slabs)
			return NULL;
		struct flow *slab = malloc(SLAB_FLOWS * sizeof(*slab));
		if (slab == NULL)
			return NULL;
		for (uint32_t i = SLAB_FLOWS; i-- > 0;) {
			slab[i].index = t->n_slabs * SLAB_FLOWS + i;
			slab[i].lru_next = t->free_list;
			t->free_list = &slab[i];
		}
		t->slabs[t->n_slabs++] = slab;
	}
	struct flow *f = t->free_list;
	uint32_t index = f->index;
	t->free_list = f->lru_next;
	*f = (struct flow){.index = index};
	return f;
}

static void lru_unlink(struct flow_table *t, struct flow *f)
{
	struct lru *l = &t->lru[f->lru_class];
	if (f->lru_prev != NULL)
		f->lru_prev->lru_next = f->lru_next;
	else
		l->first = f->lru_next;
	if (f->lru_next != NULL)
		f->lru_next->lru_prev = f->lru_prev;
	else
		l->last = f->lru_prev;
}

static void lru_append(struct flow_table *t, struct flow *f, enum lru_class class)
{
	struct lru *l = &t->lru[class];
	f->lru_class = class;
	f->lru_prev = l->last;
	f->lru_next = NULL;
	if (l->last != NULL)
		l->last->lru_next = f;
	else
		l->first = f;
	l->last = f;
}

static void flow_finish(struct flow_table *t, struct flow *f, enum flow_end why)
{
	lru_unlink(t, f);
	table_remove(t, f);
	t->n_flows--;
	t->stats.ended[why]++;
	t->on_end(t->user, f, why);
	f->lru_next = t->free_list;
	t->free_list = f;
}

static bool flow_is_idle(const struct flow_table *t, const struct flow *f, uint64_t now_ns)
{
	return now_ns > f->seen_ns && now_ns - f->seen_ns >= t->lru[f->lru_class].idle_ns;
}

static enum flow_end idle_reason(const struct flow *f)
{
	return f->lru_class == LRU_TCP_CLOSED ? FLOW_END_CLOSED : FLOW_END_TIMEOUT;
}

static void flow_evict(struct flow_table *t)
{
	for (unsigned i = 0; i < LRU_N; i++) {
		struct flow *f = t->lru[t->evict_order[i]].first;
		if (f != NULL) {
			flow_finish(t, f, FLOW_END_EVICTED);
			return;
		}
	}
}

static enum lru_class class_of(const struct flow *f)
{
	switch (f->key.proto) {
	case IPPROTO_TCP:
		return f->state == FLOW_CLOSED || f->state == FLOW_RESET ? LRU_TCP_CLOSED : LRU_TCP;
	case IPPROTO_UDP:
		return LRU_UDP;
	default:
		return LRU_OTHER;
	}
}

/* The table */

static struct flow *flow_begin(struct flow_table *t, const struct flow_probe *probe,
			       const struct packet *pkt, const struct headers *h)
{
	if (t->n_flows >= t->max_flows)
		flow_evict(t);
	if (table_reserve(t) < 0)
		return NULL;
	struct flow *f = flow_alloc(t);
	if (f == NULL)
		return NULL;

	unsigned nesting = h->n_tunnels < 3 ? h->n_tunnels : 3;
	f->key = probe->key;
	f->hash = probe->hash;
	f->id = (uint64_t)pkt->file << 40 | pkt->frame << 2 | nesting;
	f->file = pkt->file;
	f->first_frame = pkt->frame;
	f->first_ns = f->last_ns = pkt->ts_ns;
	f->serial = t->next_serial++;
	f->n_tunnels = h->n_tunnels;
	memcpy(f->tunnels, h->tunnels, sizeof(f->tunnels));
	f->n_vlans = h->n_vlans;
	memcpy(f->vlan, h->vlan, sizeof(f->vlan));

	slots_put(t->slots, t->mask, f->hash, f->index + 1);
	if (++t->n_flows > t->stats.peak)
		t->stats.peak = t->n_flows;
	t->stats.created++;
	return f;
}

void flow_table_probe(const struct flow_table *t, const struct headers *h, struct flow_probe *out)
{
	out->src_is_lo = key_of_packet(&out->key, h);
	out->hash = key_hash(t, &out->key);
	__builtin_prefetch(&t->slots[out->hash & t->mask]);
}

void flow_table_preload(const struct flow_table *t, const struct flow_probe *probe)
{
	const struct slot *s = &t->slots[probe->hash & t->mask];
	if (s->ref == 0)
		return;
	const char *f = (const char *)flow_at(t, s->ref - 1);
	for (size_t i = 0; i < sizeof(struct flow); i += 64)
		__builtin_prefetch(f + i, 1);
}

struct flow *flow_table_update_probed(struct flow_table *t, const struct flow_probe *probe,
				      const struct packet *pkt, const struct headers *h,
				      uint64_t now_ns, enum dir *dir)
{
	bool from_lo = probe->src_is_lo;
	if (h->ip_version == 0)
		return NULL;
	struct flow *f = table_find(t, &probe->key, probe->hash);
	if (f != NULL) {
		*dir = from_lo == f->client_is_lo ? DIR_C2S : DIR_S2C;
		if (flow_is_idle(t, f, now_ns)) {
			flow_finish(t, f, idle_reason(f));
			f = NULL;
		} else if (syn_starts_anew(f, h, *dir, pkt->ts_ns, now_ns)) {
			flow_finish(t, f, FLOW_END_PORT_REUSE);
			f = NULL;
		}
	}
	bool is_new = f == NULL;
	if (is_new) {
		f = flow_begin(t, probe, pkt, h);
		if (f == NULL)
			return NULL;
		f->client_is_lo = sender_is_client(h, &f->client_guessed) == from_lo;
		*dir = from_lo == f->client_is_lo ? DIR_C2S : DIR_S2C;
	}

	if (pkt->ts_ns > f->last_ns)
		f->last_ns = pkt->ts_ns;
	f->seen_ns = now_ns;
	f->last_frame = pkt->frame;
	f->pkts[*dir]++;
	f->bytes[*dir] += h->ip_len;
	if (f->key.proto == IPPROTO_TCP)
		tcp_advance(f, h, *dir);
	else
		history_add(f, 'd', 3, *dir);
	if (is_new)
		t->stats.midstream += f->key.proto == IPPROTO_TCP && f->client_guessed;
	else
		lru_unlink(t, f);
	lru_append(t, f, class_of(f));
	return f;
}

struct flow *flow_table_update(struct flow_table *t, const struct packet *pkt,
			       const struct headers *h, uint64_t now_ns, enum dir *dir)
{
	struct flow_probe probe;
	flow_table_probe(t, h, &probe);
	return flow_table_update_probed(t, &probe, pkt, h, now_ns, dir);
}

struct flow *flow_table_find_quoted(struct flow_table *t, const struct headers *h, enum dir *dir)
{
	struct flow_key key;
	struct flow *f = NULL;
	if (h->quoted_ok) {
		bool from_lo = key_make(&key, h, h->quoted_proto, &h->quoted_src, &h->quoted_dst,
					h->quoted_sport, h->quoted_dport);
		f = table_find(t, &key, key_hash(t, &key));
		if (f != NULL)
			*dir = from_lo == f->client_is_lo ? DIR_C2S : DIR_S2C;
	}
	t->stats.icmp_unmatched += f == NULL;
	return f;
}

void flow_table_expire(struct flow_table *t, uint64_t now_ns)
{
	for (unsigned c = 0; c < LRU_N; c++)
		while (t->lru[c].first != NULL && flow_is_idle(t, t->lru[c].first, now_ns))
			flow_finish(t, t->lru[c].first, idle_reason(t->lru[c].first));
}

const struct flow_table_stats *flow_table_stats(const struct flow_table *t)
{
	return &t->stats;
}

static void evict_order_set(struct flow_table *t)
{
	for (uint8_t c = 0; c < LRU_N; c++) {
		unsigned i = c;
		for (; i > 0 && t->lru[t->evict_order[i - 1]].idle_ns > t->lru[c].idle_ns; i--)
			t->evict_order[i] = t->evict_order[i - 1];
		t->evict_order[i] = c;
	}
}

int flow_table_new(struct flow_table **out, const struct flow_table_config *cfg, flow_end_fn on_end,
		   void *user)
{
	int ret = -ENOMEM;
	struct flow_table *t = calloc(1, sizeof(*t));
	if (t == NULL)
		goto out;
	t->on_end = on_end;
	t->user = user;
	t->max_flows = cfg->max_flows != 0 ? cfg->max_flows : MAX_FLOWS_DEFAULT;
	if (t->max_flows > 1U << 28)
		t->max_flows = 1U << 28;
	t->lru[LRU_TCP].idle_ns = cfg->tcp_idle_ns ? cfg->tcp_idle_ns : 600 * SECOND_NS;
	t->lru[LRU_TCP_CLOSED].idle_ns = cfg->tcp_closed_ns ? cfg->tcp_closed_ns : 60 * SECOND_NS;
	t->lru[LRU_UDP].idle_ns = cfg->udp_idle_ns ? cfg->udp_idle_ns : 180 * SECOND_NS;
	t->lru[LRU_OTHER].idle_ns = cfg->other_idle_ns ? cfg->other_idle_ns : 60 * SECOND_NS;
	evict_order_set(t);
	/* Without entropy the table still works; only its order in memory can then be foreseen. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != (ssize_t)sizeof(t->seed))
		t->seed = 0;
	t->mask = SLOTS_MIN - 1;
	t->max_slabs = (t->max_flows + SLAB_FLOWS - 1) / SLAB_FLOWS;
	t->slots = calloc(SLOTS_MIN, sizeof(*t->slots));
	t->slabs = calloc(t->max_slabs, sizeof(*t->slabs));
	if (t->slots == NULL || t->slabs == NULL)
		goto out;
	*out = t;
	t = NULL;
	ret = 0;
out:
	flow_table_free(t);
	return ret;
}

static struct flow *merge_by_serial(struct flow *a, struct flow *b)
{
	struct flow *head = NULL, **tail = &head;
	while (a != NULL && b != NULL) {
		struct flow **least = a->serial < b->serial ? &a : &b;
		*tail = *least;
		tail = &(*least)->lru_next;
		*least = (*least)->lru_next;
	}
	*tail = a != NULL ? a : b;
	return head;
}

/* A merge sort of the lists themselves: it must work when memory is short. */
void flow_table_end_all(struct flow_table *t)
{
	struct flow *runs[33] = {NULL}; /* runs[i] holds 2^i flows, or none */
	for (unsigned c = 0; c < LRU_N; c++) {
		struct flow *next;
		for (struct flow *f = t->lru[c].first; f != NULL; f = next) {
			next = f->lru_next;
			f->lru_next = NULL;
			unsigned i = 0;
			for (; runs[i] != NULL; i++) {
				f = merge_by_serial(runs[i], f);
				runs[i] = NULL;
			}
			runs[i] = f;
		}
		t->lru[c].first = t->lru[c].last = NULL;
	}
	struct flow *all = NULL;
	for (unsigned i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		all = merge_by_serial(runs[i], all);
	memset(t->slots, 0, ((size_t)t->mask + 1) * sizeof(*t->slots));
	t->n_flows = 0;
	for (struct flow *f = all, *next; f != NULL; f = next) {
		next = f->lru_next;
		t->stats.ended[FLOW_END_EOF]++;
		t->on_end(t->user, f, FLOW_END_EOF);
		f->lru_next = t->free_list;
		t->free_list = f;
	}
}

void flow_table_free(struct flow_table *t)
{
	if (t == NULL)
		return;
	if (t->slots != NULL && t->n_flows > 0)
		flow_table_end_all(t);
	for (uint32_t i = 0; i < t->n_slabs; i++)
		free(t->slabs[i]);
	free(t->slabs);
	free(t->slots);
	free(t);
}
