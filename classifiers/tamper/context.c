/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/context_dns.h"
#include "classifiers/tamper/context_quic.h"
#include "classifiers/tamper/context_vpn.h"
#include "classifiers/tamper/freezes.h"
#include "classifiers/tamper/host_table.h"
#include "classifiers/tamper/lateness.h"
#include "classifiers/tamper/nets.h"
#include "classifiers/tamper/pairs.h"

#define TABLE_MAX (1u << 16) /* entries a shard; beyond, hosts are not remembered */
#define SCAN_TARGETS 20      /* distinct servers of a client that never speaks to any */
#define HOLES_FEW 3          /* flows with holes; fewer are chance */
#define HOLES_SHARE 50       /* one in so many: more than a path's own quirks */
#define ZMAP_IPID 54321      /* ZMap until 2024-03-01 (zmap pull request 798) */

struct client_entry {
	struct client_habits h;
	uint64_t targets; /* linear counting over 64 bits of hashed server addresses */
};

struct vantage_votes {
	uint64_t client, server, middle, both;
	uint64_t two_way, one_way;
	uint64_t holes; /* flows that acknowledge what the capture does not hold */
};

struct context_shard {
	struct host_table servers, clients, pairs, nets;
	struct freezes freezes;
	struct lateness lateness;
	struct vantage_votes votes;
	struct dns_pool *dns;
	struct quic_notes quic;
	struct vpn_notes vpn;
};

struct context {
	struct host_table servers, clients, pairs, nets;
	struct freezes freezes;
	struct lateness lateness;
	struct dns_pool *dns;
	struct vantage_votes votes;
	struct quic_context *quic;
	struct vpn_context *vpn;
	enum vantage vantage;
	bool given;
	uint64_t end_ns;
};

static const struct host_table server_table = {
	.size = sizeof(struct server_habits),
	.port_at = offsetof(struct server_habits, port),
};
static const struct host_table client_table = {.size = sizeof(struct client_entry)};

int context_shard_new(struct context_shard **out)
{
	struct context_shard *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	if (dns_pool_new(&s->dns) != 0) {
		free(s);
		return -ENOMEM;
	}
	s->servers = server_table;
	s->clients = client_table;
	s->pairs = pairs_table;
	s->nets = nets_table;
	s->vpn.alive = vpn_alive_table;
	*out = s;
	return 0;
}

void context_shard_free(struct context_shard *s)
{
	if (s == NULL)
		return;
	host_table_free(&s->servers);
	host_table_free(&s->clients);
	host_table_free(&s->pairs);
	host_table_free(&s->nets);
	freezes_free(&s->freezes);
	dns_pool_free(s->dns);
	quic_notes_free(&s->quic);
	vpn_notes_free(&s->vpn);
	free(s);
}

uint64_t context_shard_refused(const struct context_shard *s)
{
	return s->servers.refused + s->clients.refused + s->pairs.refused + s->nets.refused +
	       s->vpn.alive.refused + s->vpn.dropped + s->quic.dropped;
}

static bool comes_after(const struct habit *a, const struct habit *b)
{
	bool plain[2] = {a->trusted && !a->foreign, b->trusted && !b->foreign};
	return plain[0] != plain[1] ? plain[1] : a->flow_id > b->flow_id;
}

/* Kept sorted and cut to the first, so that the order of merging does not matter. */
static void habit_insert(struct server_habits *s, const struct habit *h)
{
	unsigned at = s->n;
	while (at > 0 && comes_after(&s->habit[at - 1], h))
		at--;
	if (at == HABITS_FLOWS)
		return;
	unsigned last = s->n < HABITS_FLOWS ? s->n++ : HABITS_FLOWS - 1u;
	memmove(&s->habit[at + 1], &s->habit[at], (last - at) * sizeof(*h));
	s->habit[at] = *h;
}

/* When each packet of a handshake without a resent SYN passed; *ack is 0 without one. */
static bool handshake_times(const struct evidence *ev, uint64_t *syn, uint64_t *synack,
			    uint64_t *ack)
{
	*syn = *synack = *ack = 0;
	if (ev->half[DIR_C2S].n_syn != 1 || ev->half[DIR_S2C].n_syn != 1)
		return false;
	for (unsigned i = 0; i < ev->n_events && i < 6 && *ack == 0; i++) {
		const struct event *e = &ev->events[i];
		if ((e->flags & TCP_RST) != 0)
			continue;
		if ((e->flags & TCP_SYN) != 0)
			*(event_dir(e) == DIR_S2C ? synack : syn) = e->ts_ns;
		else if (event_dir(e) == DIR_C2S && *synack != 0)
			*ack = e->ts_ns;
	}
	return *syn != 0 && *synack >= *syn;
}

/*
 * Near the client its ACK follows the SYN+ACK at once, near the server the SYN+ACK follows the SYN,
 * and the TTL is still one that stacks begin with.
 */
static void vote(struct vantage_votes *n, const struct evidence *ev)
{
	uint64_t syn, synack, ack;
	if (!handshake_times(ev, &syn, &synack, &ack) || ack < synack)
		return;
	uint64_t to_server = synack - syn, to_client = ack - synack;
	uint8_t ct = ev->half[DIR_C2S].syn_ttl, st = ev->half[DIR_S2C].syn_ttl;
	bool c = ct == 32 || ct == 64 || ct == 128 || ct == 255;
	bool s = st == 32 || st == 64 || st == 128 || st == 255;
	if (c && (!s || to_client * 4 < to_server))
		n->client++;
	else if (s && (!c || to_server * 4 < to_client))
		n->server++;
	else if (c && s)
		n->both++;
	else if (to_client * 20 < to_server)
		n->client++;
	else if (to_server * 20 < to_client)
		n->server++;
	else
		n->middle++;
}

static void note_server(struct context_shard *s, const struct flow *f, const struct evidence *ev)
{
	const struct half *h = &ev->half[DIR_S2C];
	bool fresh;
	struct server_habits *e = host_table_get(&s->servers, flow_addr(f, DIR_S2C),
					    flow_port(f, DIR_S2C), &fresh, TABLE_MAX);
	if (e == NULL)
		return;
	uint64_t syn, synack, ack;
	bool shake = handshake_times(ev, &syn, &synack, &ack);
	if (fresh)
		e->min_rtt_ns = UINT64_MAX;
	e->shakes += shake;
	if (shake && synack - syn < e->min_rtt_ns)
		e->min_rtt_ns = synack - syn;
	e->port = flow_port(f, DIR_S2C);
	e->ip_version = f->key.ip_version;
	e->flows++;
	e->answered += h->n_data != 0;
	if (h->ttl_max == 0)
		return;
	uint16_t doubt = EVIDENCE_TSGONE | EVIDENCE_BYTES | EVIDENCE_HEADER | EVIDENCE_FINDATA;
	habit_insert(e, &(struct habit){
				.flow_id = f->id,
				.ttl_lo = h->ttl_min,
				.ttl_hi = h->ttl_max,
				.df = h->df,
				.trusted = (ev->found & doubt) == 0,
				.foreign = evidence_answer_foreign(ev),
			});
}

static void note_client(struct context_shard *s, const struct flow *f, const struct evidence *ev)
{
	const struct half *c = &ev->half[DIR_C2S];
	bool fresh;
	if (!c->syn)
		return;
	struct client_entry *e = host_table_get(&s->clients, flow_addr(f, DIR_C2S), 0, &fresh, TABLE_MAX);
	if (e == NULL)
		return;
	const struct event *syn = ev->n_events != 0 ? &ev->events[0] : NULL;
	bool bare = syn != NULL && (syn->bits & EVENT_OPTIONS) == 0 && syn->ttl > 200;
	e->h.ip_version = f->key.ip_version;
	e->h.flows++;
	e->h.syn_only += c->n_data == 0 && ev->half[DIR_S2C].n_data == 0;
	e->h.marked += syn != NULL && (syn->ip_id == ZMAP_IPID || bare);
	e->targets |= 1ull << (host_hash(flow_addr(f, DIR_S2C), 0) & 63);
}

void context_flow(struct context_shard *s, const struct flow *f, const struct evidence *ev)
{
	if (f->pkts[DIR_C2S] != 0 && f->pkts[DIR_S2C] != 0)
		s->votes.two_way++;
	else if (ev->half[DIR_C2S].n_acks + ev->half[DIR_C2S].n_data + ev->half[DIR_S2C].n_acks +
			 ev->half[DIR_S2C].n_data + ev->half[DIR_S2C].n_syn >= 2)
		s->votes.one_way++;
	s->votes.holes += ev->half[DIR_C2S].gap || ev->half[DIR_S2C].gap;
	vote(&s->votes, ev);
	note_server(s, f, ev);
	note_client(s, f, ev);
	pairs_note(&s->pairs, f, ev);
	freezes_note(&s->freezes, f, ev);
	lateness_note(&s->lateness, ev);
	if (ev->half[DIR_S2C].n_data != 0)
		vpn_notes_alive(&s->vpn, f, ev->half[DIR_S2C].last_ns);
	if (ev->half[DIR_S2C].syn)
		nets_note(&s->nets, flow_addr(f, DIR_S2C), f->key.ip_version, f->first_ns);
}

void context_exchange(struct context_shard *s, const struct flow *f, const struct exchange *x)
{
	const struct dns_exchange *dns = dns_exchange_of(x);
	if (dns != NULL)
		dns_pool_add(s->dns, f, dns);
	if (x->kind == EXCHANGE_QUIC)
		quic_notes_add(&s->quic, f, quic_exchange_of(x));
	if (x->kind == EXCHANGE_VPN)
		vpn_notes_add(&s->vpn, f, vpn_exchange_of(x));
	else if (x->end == ATTEMPT_OK)
		vpn_notes_alive(&s->vpn, f, x->end_ns);
}

static void merge_server(struct server_habits *to, const struct server_habits *from, bool fresh)
{
	if (fresh || from->min_rtt_ns < to->min_rtt_ns)
		to->min_rtt_ns = from->min_rtt_ns;
	to->port = from->port;
	to->ip_version = from->ip_version;
	to->shakes += from->shakes;
	to->flows += from->flows;
	to->answered += from->answered;
	for (unsigned i = 0; i < from->n; i++)
		habit_insert(to, &from->habit[i]);
}

static int merge_table(struct host_table *to, const struct host_table *from)
{
	for (uint32_t i = 0; i < from->room; i++) {
		if (from->hashes[i] == 0)
			continue;
		const uint8_t *e = host_table_slot(from, i);
		bool fresh;
		void *into = host_table_get(to, (const struct ip_addr *)(const void *)e,
					    host_table_port(from, e), &fresh, UINT32_MAX / 16);
		if (into == NULL)
			return -ENOMEM;
		if (from->port_at != 0) {
			merge_server(into, (const struct server_habits *)(const void *)e, fresh);
			continue;
		}
		const struct client_entry *c = (const struct client_entry *)(const void *)e;
		struct client_entry *all = into;
		all->h.ip_version = c->h.ip_version;
		all->h.flows += c->h.flows;
		all->h.syn_only += c->h.syn_only;
		all->h.marked += c->h.marked;
		all->targets |= c->targets;
	}
	return 0;
}

static enum vantage infer(const struct vantage_votes *n)
{
	if (n->two_way == 0 || n->one_way > n->two_way)
		return n->one_way != 0 ? VANTAGE_ONE_SIDED : VANTAGE_UNKNOWN;
	uint64_t all = n->client + n->server + n->middle;
	if (all == 0)
		return VANTAGE_UNKNOWN;
	if (n->client * 3 >= all * 2)
		return VANTAGE_CLIENT;
	if (n->server * 3 >= all * 2)
		return VANTAGE_SERVER;
	return VANTAGE_MIDDLE;
}

int context_new(struct context **out, struct context_shard *const shards[], unsigned n,
		enum vantage vantage, uint64_t end_ns)
{
	const struct quic_notes *quic[FLOW_SHARDS] = {NULL};
	const struct vpn_notes *vpn[FLOW_SHARDS] = {NULL};
	struct context *c = calloc(1, sizeof(*c));
	int err = c == NULL ? -ENOMEM : 0;
	if (err != 0)
		return err;
	c->servers = server_table;
	c->clients = client_table;
	c->pairs = pairs_table;
	c->nets = nets_table;
	c->end_ns = end_ns;
	err = dns_pool_new(&c->dns);
	for (unsigned i = 0; i < n && err == 0; i++) {
		if (shards[i] == NULL)
			continue;
		const struct vantage_votes *v = &shards[i]->votes;
		c->votes.client += v->client;
		c->votes.server += v->server;
		c->votes.middle += v->middle;
		c->votes.both += v->both;
		c->votes.two_way += v->two_way;
		c->votes.one_way += v->one_way;
		c->votes.holes += v->holes;
		lateness_merge(&c->lateness, &shards[i]->lateness);
		err = merge_table(&c->servers, &shards[i]->servers);
		if (err == 0)
			err = merge_table(&c->clients, &shards[i]->clients);
		if (err == 0)
			err = pairs_merge(&c->pairs, &shards[i]->pairs);
		if (err == 0)
			err = nets_merge(&c->nets, &shards[i]->nets);
		if (err == 0)
			err = freezes_merge(&c->freezes, &shards[i]->freezes);
		if (err == 0)
			err = dns_pool_merge(c->dns, shards[i]->dns);
		quic[i % FLOW_SHARDS] = &shards[i]->quic;
		vpn[i % FLOW_SHARDS] = &shards[i]->vpn;
	}
	freezes_sort(&c->freezes);
	if (err == 0)
		err = quic_context_new(&c->quic, quic, FLOW_SHARDS, end_ns);
	if (err == 0)
		err = vpn_context_new(&c->vpn, vpn, FLOW_SHARDS);
	c->given = vantage != VANTAGE_UNKNOWN;
	c->vantage = c->given ? vantage : infer(&c->votes);
	if (err != 0) {
		context_free(c);
		return err;
	}
	*out = c;
	return 0;
}

void context_free(struct context *c)
{
	if (c == NULL)
		return;
	host_table_free(&c->servers);
	host_table_free(&c->clients);
	host_table_free(&c->pairs);
	host_table_free(&c->nets);
	freezes_free(&c->freezes);
	dns_pool_free(c->dns);
	quic_context_free(c->quic);
	vpn_context_free(c->vpn);
	free(c);
}

const struct quic_context *context_quic(const struct context *c)
{
	return c->quic;
}

const struct vpn_context *context_vpn(const struct context *c)
{
	return c->vpn;
}

enum vantage context_vantage(const struct context *c, char *why, size_t len)
{
	const struct vantage_votes *n = &c->votes;
	if (why != NULL && c->given)
		snprintf(why, len, "as told");
	else if (why != NULL && c->vantage == VANTAGE_ONE_SIDED)
		snprintf(why, len, "%llu of %llu TCP flows show one direction only",
			 (unsigned long long)n->one_way,
			 (unsigned long long)(n->one_way + n->two_way));
	else if (why != NULL)
		snprintf(why, len,
			 "by handshake times and TTLs: %llu flows near the client, %llu near the "
			 "server, %llu between, %llu undecided",
			 (unsigned long long)n->client, (unsigned long long)n->server,
			 (unsigned long long)n->middle, (unsigned long long)n->both);
	return c->vantage;
}

const struct dns_pool *context_dns(const struct context *c)
{
	return c->dns;
}

uint64_t context_end_ns(const struct context *c)
{
	return c->end_ns;
}

bool context_one_sided(const struct context *c)
{
	return c->vantage == VANTAGE_ONE_SIDED || c->votes.two_way == 0 ||
	       c->votes.one_way > c->votes.two_way;
}

bool context_lacks_packets(const struct context *c)
{
	return c->votes.holes >= HOLES_FEW && c->votes.holes * HOLES_SHARE > c->votes.two_way;
}

const struct server_habits *context_server(const struct context *c, const struct ip_addr *addr,
					   uint16_t port, unsigned ip_version)
{
	if (c->servers.room == 0)
		return NULL;
	uint32_t i = host_table_find(&c->servers, addr, port, host_hash(addr, port));
	const struct server_habits *h =
		(const struct server_habits *)(const void *)host_table_slot(&c->servers, i);
	return c->servers.hashes[i] != 0 && h->ip_version == ip_version ? h : NULL;
}

const struct pair_resets *context_pair(const struct context *c, const struct ip_addr *client,
				       const struct ip_addr *server)
{
	return pairs_find(&c->pairs, client, server);
}

struct freeze_peers context_freezes_like(const struct context *c, uint64_t flow_id, uint32_t packets)
{
	return freezes_like(&c->freezes, flow_id, packets);
}

uint64_t context_lateness(const struct context *c)
{
	return lateness_extent(&c->lateness);
}

bool context_neighbour_answered(const struct context *c, const struct ip_addr *server,
				unsigned ip_version, uint64_t ns)
{
	return nets_neighbour_answered(&c->nets, server, ip_version, ns);
}

static bool entry_is_scanner(const struct client_entry *e)
{
	return e->h.marked * 2 > e->h.flows ||
	       (e->h.flows >= SCAN_TARGETS && e->h.syn_only * 10 >= e->h.flows * 9 &&
		__builtin_popcountll(e->targets) >= SCAN_TARGETS - 4);
}

bool context_is_scanner(const struct context *c, const struct ip_addr *addr, unsigned ip_version)
{
	(void)ip_version;
	if (c->clients.room == 0)
		return false;
	uint32_t i = host_table_find(&c->clients, addr, 0, host_hash(addr, 0));
	return c->clients.hashes[i] != 0 &&
	       entry_is_scanner((const struct client_entry *)(const void *)host_table_slot(&c->clients, i));
}

uint64_t context_scanners(const struct context *c)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < c->clients.room; i++)
		n += c->clients.hashes[i] != 0 &&
		     entry_is_scanner(
			     (const struct client_entry *)(const void *)host_table_slot(&c->clients, i));
	return n;
}

const char *context_country(const struct flow_record *flow)
{
	return flow->client_at != NULL ? flow->client_at->country : "";
}
