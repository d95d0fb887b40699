/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* By memcpy: xxHash 0.8.1's default reads break aliasing rules, which inlining makes visible. */
#define XXH_FORCE_MEMORY_ACCESS 0
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/flow_key.h"
#include "dataplane/flow_lists.h"
#include "dataplane/flow_tcp.h"

#define MAX_FLOWS_DEFAULT 65536
#define SLOTS_MIN 1024

/* Of two IPv4 addresses the first halves say nothing, and what is left takes half the work. */
static inline uint32_t key_hash(const struct flow_table *t, const struct flow_key *key)
{
	/* As whole words: one across fields that were just written would wait for their stores. */
	uint64_t w[6];
	memcpy(w, key->lo.b + 8, 8);
	memcpy(w + 1, key->hi.b + 8, 8);
	w[2] = (uint64_t)key->tunnel_id << 32 | (uint32_t)key->hi_port << 16 | key->lo_port;
	w[3] = (uint64_t)key->ip_version << 8 | key->proto;
	memcpy(w + 4, key->lo.b, 8);
	memcpy(w + 5, key->hi.b, 8);
	if ((w[4] | w[5]) == 0)
		return (uint32_t)XXH3_64bits_withSeed(w, 32, t->seed);
	return (uint32_t)XXH3_64bits_withSeed(w, sizeof(w), t->seed);
}

unsigned flow_shard(const struct ip_addr *a, const struct ip_addr *b)
{
	bool mapped = addr_is_mapped(a) && addr_is_mapped(b);
	uint32_t sum = mapped ? shard_mix4(a) + shard_mix4(b) : shard_mix(a) + shard_mix(b);
	return (sum * 0x85ebca6bU) >> 28;
}

_Static_assert(FLOW_SHARDS == 16, "flow_shard() takes four bits");

/* Hash table */

static struct flow *table_find(const struct flow_table *t, const struct flow_key *key,
			       uint32_t hash)
{
	for (uint32_t i = hash & t->mask; t->slots[i].ref != 0; i = (i + 1) & t->mask) {
		if (t->slots[i].hash != hash)
			continue;
		struct flow *f = flow_at(t, t->slots[i].ref);
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

/*
 * Keeps the table at most half full; at 0.5 a miss probes 2.5 slots, all in one or two lines. One of
 * half a huge page would be the largest that has none, and waits for memory at each slot.
 */
static int table_reserve(struct flow_table *t)
{
	uint32_t n = t->mask + 1, more = n * 2;
	if (t->n_flows < n / 2)
		return 0;
	if (more * sizeof(*t->slots) == HUGE_PAGE / 2)
		more *= 2;
	struct slot *slots = huge_alloc(more * sizeof(*slots));
	if (slots == NULL)
		return t->n_flows < n - n / 8 ? 0 : -ENOMEM;
	memset(slots, 0, more * sizeof(*slots));
	for (uint32_t i = 0; i < n; i++)
		if (t->slots[i].ref != 0)
			slots_put(slots, more - 1, t->slots[i].hash, t->slots[i].ref);
	free(t->slots);
	t->slots = slots;
	t->mask = more - 1;
	return 0;
}

/* Closes the gap by moving later members of the run back, so that there are no tombstones. */
static void table_remove(struct flow_table *t, const struct flow *f)
{
	uint32_t gap = f->hash & t->mask;
	while (t->slots[gap].ref != link_to(f))
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

/* Flows of the table */

static void flow_finish(struct flow_table *t, struct flow *f, enum flow_end why)
{
	lru_unlink(t, f);
	table_remove(t, f);
	t->n_flows--;
	t->stats.ended[why]++;
	t->on_end(t->user, f, why);
	memory_give(&t->memory, f);
}

static bool flow_is_idle(const struct flow_table *t, const struct flow *f, uint64_t now_ns)
{
	return now_ns > f->seen_ns && now_ns - f->seen_ns >= t->lru[f->lru_class].idle_ns;
}

static enum flow_end idle_reason(const struct flow *f)
{
	return f->lru_class == LRU_TCP_CLOSED ? FLOW_END_CLOSED : FLOW_END_TIMEOUT;
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

/* Flows of which packets are counted elsewhere (shunt.h) */

/* True: it was seen later than the table knew, and is now where flows seen of late are. */
static bool flow_settle(struct flow_table *t, struct flow *f)
{
	uint64_t before = f->seen_ns;
	if (f->shunt == 0 || t->settle == NULL)
		return false;
	t->settle(t->user, f);
	if (f->seen_ns <= before)
		return false;
	lru_unlink(t, f);
	lru_append(t, f, class_of(f));
	return true;
}

/* The table */

static void flow_evict(struct flow_table *t)
{
	for (unsigned i = 0; i < LRU_N; i++) {
		const uint32_t *first = &t->lru[t->evict_order[i]].first;
		while (*first != 0 && flow_settle(t, flow_at(t, *first)))
			;
		if (*first != 0) {
			flow_finish(t, flow_at(t, *first), FLOW_END_EVICTED);
			return;
		}
	}
}

static struct flow *flow_begin(struct flow_table *t, const struct flow_probe *probe,
			       const struct packet *pkt, const struct headers *h)
{
	if (t->n_flows >= t->max_flows)
		flow_evict(t);
	if (table_reserve(t) < 0)
		return NULL;
	struct flow *f = memory_take(&t->memory);
	if (f == NULL)
		return NULL;

	unsigned nesting = h->n_tunnels < 3 ? h->n_tunnels : 3;
	f->key = probe->key;
	f->hash = probe->hash;
	f->id = (uint64_t)pkt->file << 40 | pkt->frame << 2 | nesting;
	f->first_ns = f->last_ns = pkt->ts_ns;
	f->n_tunnels = h->n_tunnels;
	memcpy(f->tunnels, h->tunnels, sizeof(f->tunnels));
	f->n_vlans = h->n_vlans;
	memcpy(f->vlan, h->vlan, sizeof(f->vlan));

	slots_put(t->slots, t->mask, f->hash, link_to(f));
	if (++t->n_flows > t->stats.peak)
		t->stats.peak = t->n_flows;
	t->stats.created++;
	return f;
}

void flow_table_probe(const struct flow_table *t, const struct headers *h, struct flow_probe *out)
{
	out->src_is_lo = key_make(&out->key, h, h->proto, &h->src, &h->dst, h->sport,
				  h->dport);
	out->hash = key_hash(t, &out->key);
	__builtin_prefetch(&t->slots[out->hash & t->mask]);
}

void flow_table_preload(const struct flow_table *t, struct flow_probe *probe)
{
	uint32_t i = probe->hash & t->mask;
	while (t->slots[i].ref != 0 && t->slots[i].hash != probe->hash)
		i = (i + 1) & t->mask;
	probe->flow = NULL;
	if (t->slots[i].ref == 0)
		return;
	probe->flow = flow_at(t, t->slots[i].ref);
	const char *f = (const char *)probe->flow;
	for (size_t at = 0; at < FLOW_NEAR; at += 64)
		__builtin_prefetch(f + at, 1);
	__builtin_prefetch(f + FLOW_NEAR - 1, 1);
}

const struct flow *flow_table_preloaded(const struct flow_probe *probe)
{
	const struct flow *f = probe->flow;
	return f != NULL && f->scratch != NULL ? f : NULL;
}

struct flow *flow_table_update_probed(struct flow_table *t, const struct flow_probe *probe,
				      const struct packet *pkt, const struct headers *h,
				      uint64_t now_ns, enum dir *dir)
{
	bool from_lo = probe->src_is_lo;
	if (h->ip_version == 0)
		return NULL;
	/* No two flows have one key, and those that ended have none. */
	struct flow *f = probe->flow;
	if (f == NULL || memcmp(&f->key, &probe->key, sizeof(f->key)) != 0)
		f = table_find(t, &probe->key, probe->hash);
	if (f != NULL) {
		*dir = from_lo == f->client_is_lo ? DIR_C2S : DIR_S2C;
		if (f->shunt != 0 && (ends_shunt(f, pkt, h) || flow_is_idle(t, f, now_ns)))
			flow_settle(t, f);
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
		bool client = sender_is_client(h, &f->client_guessed) &&
			      !pptp_from_server(&t->pptp, h);
		f->client_is_lo = client == from_lo;
		pptp_note(&t->pptp, f);
		*dir = from_lo == f->client_is_lo ? DIR_C2S : DIR_S2C;
	}

	if (pkt->ts_ns > f->last_ns)
		f->last_ns = pkt->ts_ns;
	bool in_place = !is_new && seen_this_second(t, f->seen_ns, now_ns);
	f->seen_ns = now_ns;
	f->pkts[*dir]++;
	f->bytes[*dir] += h->ip_len;
	if (f->key.proto == IPPROTO_TCP)
		tcp_advance(f, h, *dir);
	else
		history_add(f, HISTORY_DATA, *dir);
	if (is_new)
		t->stats.midstream += f->key.proto == IPPROTO_TCP && f->client_guessed;
	enum lru_class class = class_of(f);
	if (in_place && f->lru_class == class)
		return f;
	if (!is_new)
		lru_unlink(t, f);
	lru_append(t, f, class);
	return f;
}

struct flow *flow_table_update(struct flow_table *t, const struct packet *pkt,
			       const struct headers *h, uint64_t now_ns, enum dir *dir)
{
	struct flow_probe probe;
	flow_table_probe(t, h, &probe);
	probe.flow = NULL;
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
		if (f != NULL)
			flow_settle(t, f);
	}
	t->stats.icmp_unmatched += f == NULL;
	return f;
}

void flow_table_expire(struct flow_table *t, uint64_t now_ns)
{
	for (unsigned c = 0; c < LRU_N; c++) {
		while (t->lru[c].first != 0) {
			struct flow *f = flow_at(t, t->lru[c].first);
			if (!flow_is_idle(t, f, now_ns))
				break;
			if (flow_settle(t, f))
				continue;
			flow_finish(t, f, idle_reason(f));
		}
	}
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
	t->settle = cfg->settle;
	t->max_flows = cfg->max_flows != 0 ? cfg->max_flows : MAX_FLOWS_DEFAULT;
	if (t->max_flows > FLOWS_MAX)
		t->max_flows = FLOWS_MAX;
	t->lru[LRU_TCP].idle_ns = cfg->tcp_idle_ns ? cfg->tcp_idle_ns : 600 * SECOND_NS;
	t->lru[LRU_TCP_CLOSED].idle_ns = cfg->tcp_closed_ns ? cfg->tcp_closed_ns : 60 * SECOND_NS;
	t->lru[LRU_UDP].idle_ns = cfg->udp_idle_ns ? cfg->udp_idle_ns : 180 * SECOND_NS;
	t->lru[LRU_OTHER].idle_ns = cfg->other_idle_ns ? cfg->other_idle_ns : 60 * SECOND_NS;
	t->whole_seconds = true;
	for (unsigned c = 0; c < LRU_N; c++)
		t->whole_seconds = t->whole_seconds && t->lru[c].idle_ns % SECOND_NS == 0;
	evict_order_set(t);
	/* Without entropy the table still works; only its order in memory can then be foreseen. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != (ssize_t)sizeof(t->seed))
		t->seed = 0;
	t->mask = SLOTS_MIN - 1;
	t->memory.max = t->max_flows;
	t->slots = calloc(SLOTS_MIN, sizeof(*t->slots));
	if (t->slots == NULL)
		goto out;
	*out = t;
	t = NULL;
	ret = 0;
out:
	flow_table_free(t);
	return ret;
}

/* Two lists in order of ids into one. */
static uint32_t merge_by_id(const struct flow_table *t, uint32_t a, uint32_t b)
{
	uint32_t head = 0, *tail = &head;
	while (a != 0 && b != 0) {
		uint32_t *least = flow_at(t, a)->id < flow_at(t, b)->id ? &a : &b;
		struct flow *f = flow_at(t, *least);
		*tail = *least;
		tail = &f->lru_next;
		*least = f->lru_next;
	}
	*tail = a != 0 ? a : b;
	return head;
}

/* A merge sort of the lists themselves: it must work when memory is short. */
void flow_table_end_all(struct flow_table *t)
{
	uint32_t runs[33] = {0}; /* runs[i] links 2^i flows, or none */
	for (unsigned c = 0; c < LRU_N; c++) {
		for (uint32_t l = t->lru[c].first, next; l != 0; l = next) {
			struct flow *f = flow_at(t, l);
			unsigned i = 0;
			next = f->lru_next;
			f->lru_next = 0;
			for (; runs[i] != 0; i++) {
				l = merge_by_id(t, runs[i], l);
				runs[i] = 0;
			}
			runs[i] = l;
		}
		t->lru[c].first = t->lru[c].last = 0;
	}
	uint32_t all = 0;
	for (unsigned i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		all = merge_by_id(t, runs[i], all);
	memset(t->slots, 0, ((size_t)t->mask + 1) * sizeof(*t->slots));
	t->n_flows = 0;
	while (all != 0) {
		struct flow *f = flow_at(t, all);
		all = f->lru_next;
		t->stats.ended[FLOW_END_EOF]++;
		t->on_end(t->user, f, FLOW_END_EOF);
		memory_give(&t->memory, f);
	}
}

void flow_table_free(struct flow_table *t)
{
	if (t == NULL)
		return;
	if (t->slots != NULL && t->n_flows > 0)
		flow_table_end_all(t);
	memory_free(&t->memory);
	free(t->slots);
	free(t);
}
