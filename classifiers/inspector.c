/* SPDX-License-Identifier: BSD-3-Clause */

/* The flows of one shard: each packet to the evidence and to the classifiers that still want it. */

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/http_response.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/app/quic.h"
#include "classifiers/app/vpn.h"
#include "classifiers/lists/page.h"
#include "classifiers/lists/rules.h"
#include "classifiers/shard.h"
#include "classifiers/tamper/exchange.h"
#include "classifiers/tamper/quic_rate.h"

#define PROTO_TCP 6
#define REASSEMBLY_BUDGET (16u << 20) /* bytes a shard, for requests longer than one packet */
#define EXCHANGE_SIZE 1024      /* about what an exchange's own facts take */
#define KEPT_BUDGET (16u << 20) /* bytes a shard, for flows that are not serious by themselves */
#define FINDING_SIZE 4096       /* what a finding with a full ladder takes; a forged reset's is 1.3 KB */

void keep_room(void **list, size_t *room, size_t need, size_t size)
{
	if (need <= *room)
		return;
	size_t bigger = *room != 0 ? *room * 2 : 64;
	while (bigger < need)
		bigger *= 2;
	void *p = realloc(*list, bigger * size);
	if (p == NULL)
		return;
	*list = p;
	*room = bigger;
}

void *shard_new(void *user, unsigned index)
{
	struct inspector *in = user;
	struct shard *s = calloc(1, sizeof(*s));
	if (s == NULL || context_shard_new(&s->context) != 0 || judge_new(&s->judge) != 0 ||
	    facts_room_new(&s->room, &s->slabs.any) != 0) {
		if (s != NULL) {
			context_shard_free(s->context);
			judge_free(s->judge);
		}
		free(s);
		return NULL;
	}
	s->in = in;
	s->kept_blocks = &in->kept_blocks[index];
	s->group = &in->groups[in->cfg.one_group ? 0 : index % FLOW_GROUPS];
	s->group->shards++;
	s->pool.budget = REASSEMBLY_BUDGET;
	s->rates.budget = RATE_POOL_BYTES;
	s->rates.goodput_budget = RATE_GOODPUT_BYTES;
	s->attempts.arena = &s->names;
	s->attempts.spill = in->cfg.spill;
	s->arena.spill = in->cfg.spill;
	scratch_open(s);
	in->shards[index] = s;
	return s;
}

static enum stage record_stage(const struct evidence *ev)
{
	const struct half *c = &ev->half[DIR_C2S];
	if (c->n_data > 1 || ev->half[DIR_S2C].n_data != 0)
		return STAGE_LATER;
	if (c->n_data == 1)
		return STAGE_POST_PSH;
	return c->n_acks != 0 && c->syn ? STAGE_POST_ACK : STAGE_POST_SYN;
}

/* For the moment: it points to the flow's facts. */
static void record_fill(struct flow_record *r, const struct flow *f, const struct flow_scratch *x,
			const struct app_facts *facts, enum flow_end why)
{
	bool tcp = f->key.proto == PROTO_TCP;
	*r = (struct flow_record){
		.id = f->id,
		.first_frame = flow_first_frame(f),
		.first_ns = f->first_ns,
		.last_ns = f->last_ns,
		.ip_version = f->key.ip_version,
		.proto = f->key.proto,
		.client = *flow_addr(f, DIR_C2S),
		.server = *flow_addr(f, DIR_S2C),
		.client_port = flow_port(f, DIR_C2S),
		.server_port = flow_port(f, DIR_S2C),
		.pkts = {f->pkts[0], f->pkts[1]},
		.bytes = {f->bytes[0], f->bytes[1]},
		.state = f->state,
		.end = (uint8_t)why,
		.stage = tcp ? record_stage(&x->ev) : STAGE_POST_SYN,
		.n_tunnels = f->n_tunnels,
		.n_vlans = f->n_vlans,
		.vlan = {f->vlan[0], f->vlan[1]},
	};
	r->goodput = tcp && x->ev.more != NULL ? x->ev.more->goodput : NULL;
	memcpy(r->tunnels, f->tunnels, sizeof(r->tunnels));
	flow_history(f, r->history);
	facts_show(facts, r);
}

static bool room_left(const struct shard *s, bool finding)
{
	size_t room = s->in->cfg.room;
	return room == 0 || atomic_load_explicit(&s->in->room_used, memory_order_relaxed) <
				    (finding ? room : room / 2);
}

static void room_take(struct shard *s, size_t bytes)
{
	if (s->in->cfg.room != 0)
		atomic_fetch_add_explicit(&s->in->room_used, bytes, memory_order_relaxed);
}

/* Whether what weighs this much is to wait for the capture's context. */
static bool worth_keeping(struct shard *s, enum judge_worth worth, size_t size)
{
	bool serious = worth == JUDGE_SERIOUS;
	if (worth == JUDGE_NOTHING)
		return false;
	if ((!serious && s->kept_bytes + size > KEPT_BUDGET) || !room_left(s, true)) {
		*(serious ? &s->not_judged : &s->not_kept) += 1;
		return false;
	}
	s->kept_bytes += size;
	room_take(s, size + (serious ? FINDING_SIZE : 0));
	return true;
}

static bool exchange_testifies(struct shard *s, const struct exchange *e,
			       const struct flow_record *r)
{
	size_t size = sizeof(struct kept_flow) + EXCHANGE_SIZE + e->room_events * sizeof(*e->events);
	return worth_keeping(s, judge_weigh_exchange(s->judge, e, r), size);
}

/* From now on the server's datagrams are counted. */
static void watch_quic(struct shard *s, struct flow_scratch *x, const struct exchange *e, struct attempt *a)
{
	if (a == NULL || e->kind != EXCHANGE_QUIC || e->end != ATTEMPT_OK || s->in->cfg.no_throttling)
		return;
	if (x->quic == NULL)
		x->quic = calloc(1, sizeof(*x->quic));
	if (x->quic == NULL || x->quic->bins != NULL)
		return;
	uint64_t rtt = e->end_ns > e->request_ns && e->request_ns != 0 ? e->end_ns - e->request_ns : 0;
	x->quic->attempt = a;
	x->quic->rtt_us = rtt / 1000 < UINT32_MAX ? (uint32_t)(rtt / 1000) : 0;
}

/* Exchanges that classifiers have finished: counted, and kept where they may have a finding. */
void shard_take_exchanges(struct shard *s, struct flow_scratch *x, const struct flow *f)
{
	struct flow_record now;
	struct app_facts *facts = x->busy->facts;
	if (facts->done != NULL)
		record_fill(&now, f, x, facts, FLOW_END_EOF);
	while (facts->done != NULL) {
		struct exchange *e = facts->done;
		facts->done = e->next;
		context_exchange(s->context, f, e);
		watch_quic(s, x, e, attempt_exchange(&s->attempts, f, e));
		if (!exchange_testifies(s, e, &now)) {
			exchange_free(e);
			continue;
		}
		e->next = x->kept;
		x->kept = e;
	}
}

void shard_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		      const struct headers *h, uint64_t now_ns)
{
	(void)now_ns;
	struct shard *s = shard;
	struct flow_scratch *x = f->scratch;
	if (x == NULL)
		x = f->scratch = scratch_new(s, f);
	if (x == NULL)
		return;
	bool tcp = f->key.proto == PROTO_TCP;
	bool idle = x->busy == NULL || (h->payload_caplen == 0 && x->busy->wants_packets == 0);
	if (!idle && scratch_wake(s, x->busy)) {
		bool may = !tcp || feed_may_read(s, x->busy, &x->ev, dir, h);
		if (may && x->busy->wants_stream[dir] != 0)
			feed_payload(s, x, f, dir, pkt, h);
		if (x->busy->wants_packets != 0)
			feed_packets(s, x, f, dir, pkt, h);
		scratch_settle(s, x, tcp);
	}
	if (tcp && evidence_packet(&x->ev, &s->evidence, f, dir, pkt, h, &s->counters) &&
	    !s->in->cfg.no_throttling && rate_wants(&x->ev, dir, h))
		rate_packet(&s->rates, &x->ev, dir, pkt, h);
	if (x->quic != NULL && dir == DIR_S2C)
		quic_rate_packet(&s->rates, x->quic, pkt->ts_ns, h->payload_len);
}

void shard_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		    const struct headers *h)
{
	struct shard *s = shard;
	struct flow_scratch *x = f->scratch;
	if (x == NULL)
		return;
	if (f->key.proto == PROTO_TCP)
		evidence_icmp(&x->ev, dir, pkt, h, &s->counters);
	if (x->busy != NULL && scratch_wake(s, x->busy))
		feed_icmp(s, x, f, dir, pkt, h);
}

/* "TLS.Google" and confident: "tls". Else what an opening says. */
static const char *proto_of_label(struct arena *a, const struct labels *labels,
				  const struct label *opening)
{
	const struct label *l = NULL;
	for (unsigned i = 0; labels != NULL && i < labels->n && l == NULL; i++)
		if (strncmp(labels->of[i].confidence, "dpi", 3) == 0 &&
		    strncmp(labels->of[i].app, "Unknown", 7) != 0)
			l = &labels->of[i];
	if (l == NULL)
		l = opening;
	if (l == NULL)
		return "unknown";
	char name[sizeof(l->app)] = "";
	for (size_t i = 0; i + 1 < sizeof(name) && l->app[i] != '\0' && l->app[i] != '.'; i++)
		name[i] = (char)tolower((unsigned char)l->app[i]);
	const char *kept = arena_text(a, name);
	return kept != NULL ? kept : "unknown";
}

static const struct geo_place *place_of(struct shard *s, const struct ip_addr *addr,
					unsigned ip_version, bool client)
{
	struct geo_place at;
	if (!geo_find(s->in->cfg.geo, addr, ip_version, client, &at))
		return NULL;
	return arena_share(&s->arena, &at, sizeof(at));
}

static struct label label_of_rule(const struct rule *rule)
{
	struct label l = {.by = "hyperscan", .confidence = "rule", .rule = rule};
	bool opening = rule->scope == RULE_PROTO && rule->name[0] != '\0';
	snprintf(l.app, sizeof(l.app), "%s", opening ? rule->name : rule->id);
	/* Lists are somebody else's words: what a terminal might obey stays out. */
	for (char *c = l.app; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	snprintf(l.category, sizeof(l.category), "%s", rule_scope_name[rule->scope]);
	return l;
}

static struct label label_of_vpn(const struct vpn_facts *v)
{
	struct label l = {.by = "vpn"};
	bool known = v->proto != VPN_NONE;
	snprintf(l.app, sizeof(l.app), "%s", known ? vpn_label_name[v->proto] : "FullyEncrypted");
	snprintf(l.category, sizeof(l.category), "%s",
		 v->proto == VPN_SSH || v->proto == VPN_DTLS || !known ? "" : "VPN");
	snprintf(l.confidence, sizeof(l.confidence), "%s", v->both ? "dpi" : "guess");
	return l;
}

/* Each classifier's words, and what the flow carries where no reader of ours knew it. */
static void record_labels(struct shard *s, struct flow_record *r, const struct rule_hits *hits,
			  const struct labels *labels)
{
	const struct label *opening = NULL;
	struct label list[LABELS_SAID + 1 + RULE_HITS_MAX];
	_Static_assert(sizeof(list) / sizeof(list[0]) == FLOW_LABELS_MAX, "as many as there can be");
	unsigned n = 0;
	for (unsigned i = 0; labels != NULL && i < labels->n; i++)
		list[n++] = labels->of[i];
	if (r->vpn != NULL) {
		/* Their guess is worth as much as another's opening, but no rule knows better. */
		opening = r->vpn->proto != VPN_NONE ? &list[n] : NULL;
		list[n++] = label_of_vpn(r->vpn);
	}
	for (unsigned i = 0; hits != NULL && i < hits->n; i++) {
		list[n] = label_of_rule(hits->hit[i]);
		if (hits->hit[i]->scope == RULE_PROTO && opening == NULL)
			opening = &list[n];
		n++;
	}
	if (n != 0)
		r->labels = arena_share(&s->arena, list, n * sizeof(*list));
	r->n_labels = r->labels != NULL ? (uint8_t)n : 0;
	if (r->app_proto == NULL)
		r->app_proto = proto_of_label(&s->arena, labels, opening);
}

/* For as long as the analysis. */
static struct flow_record *record_keep(struct shard *s, const struct flow_record *now,
				       const struct labels *labels)
{
	struct flow_record *r = arena_alloc_often(&s->arena, sizeof(*r));
	if (r == NULL)
		return NULL;
	*r = *now;
	r->rules = NULL; /* its labels say them */
	facts_keep(&s->arena, r);
	record_labels(s, r, now->rules, labels);
	r->client_at = place_of(s, &r->client, r->ip_version, true);
	r->server_at = place_of(s, &r->server, r->ip_version, false);
	return r;
}

static bool keep_evidence(struct shard *s, struct kept_flow *k)
{
	keep_room((void **)&s->kept, &s->room_kept, s->n_kept + 1, sizeof(*s->kept));
	if (s->n_kept >= s->room_kept) {
		s->no_memory++;
		return false;
	}
	s->kept[s->n_kept++] = k;
	return true;
}

static void keep_record(struct shard *s, struct flow_record *r)
{
	keep_room((void **)&s->records, &s->room_records, s->n_records + 1, sizeof(*s->records));
	if (s->n_records < s->room_records)
		s->records[s->n_records++] = r;
	else
		s->no_memory++;
}

void kept_free(struct kept_flow *k)
{
	evidence_free(&k->ev, k->blocks);
	exchange_free(k->ex);
	slab_set_free(k->blocks, k, sizeof(*k));
}

static struct kept_flow *kept_new(struct shard *s, struct flow_record *r, struct exchange *ex)
{
	struct kept_flow *k = slab_set_alloc(s->kept_blocks, sizeof(*k));
	if (k == NULL)
		return NULL;
	k->rec = r;
	k->ex = ex;
	k->blocks = s->kept_blocks;
	return k;
}

static void flow_testify(struct shard *s, struct flow_scratch *x, struct flow_record *r)
{
	struct kept_flow *k = kept_new(s, r, NULL);
	bool moved = k != NULL && evidence_move(&k->ev, k->blocks, &x->ev, &s->slabs.any);
	s->no_memory += !moved;
	if (k != NULL && (!moved || !keep_evidence(s, k)))
		kept_free(k);
}

/* Flows in which nothing was found and nothing stayed unanswered have nothing to testify. */
static bool could_testify(const struct evidence *ev)
{
	const struct half *c = &ev->half[DIR_C2S], *s = &ev->half[DIR_S2C];
	return ev->found != 0 || evidence_resent(ev, DIR_C2S)->stuck != 0 || s->n_data == 0 ||
	       s->n_syn > 1 || c->n_fin > 3 || s->n_fin > 3 ||
	       evidence_answer_foreign(ev) || evidence_answer_bare(ev) ||
	       evidence_hello_swapped(ev, DIR_C2S) || evidence_hello_swapped(ev, DIR_S2C);
}

/* Whether its evidence is to wait for the capture's context. */
static bool testifies(struct shard *s, const struct evidence *ev, const struct flow_record *r)
{
	size_t size = sizeof(struct kept_flow) + sizeof(*r) + ev->room_events * sizeof(struct event);
	return worth_keeping(s, judge_weigh(s->judge, ev, r), size);
}

/* Its record goes into the model, and with it what its findings are made from. */
static void flow_keep(struct shard *s, struct flow_scratch *x, const struct flow_record *now,
		      const struct labels *labels, bool testify)
{
	size_t before = s->arena.bytes;
	struct flow_record *r = record_keep(s, now, labels);
	if (r == NULL) {
		s->no_memory++;
		return;
	}
	room_take(s, s->arena.bytes - before + sizeof(r));
	if (testify)
		flow_testify(s, x, r);
	while (x->kept != NULL) {
		struct exchange *e = x->kept;
		x->kept = e->next;
		struct kept_flow *k = kept_new(s, r, e);
		if (k == NULL) {
			s->no_memory++;
			exchange_free(e);
		} else if (!keep_evidence(s, k)) {
			kept_free(k);
		}
	}
	keep_record(s, r);
}

/* All that was said of a flow, the last words of those that had not decided included. */
static void flow_facts(struct shard *s, struct flow_scratch *x, const struct flow *f,
		       struct app_facts *facts, const struct labels **labels)
{
	*facts = (struct app_facts){.app_proto = NULL};
	*labels = NULL;
	if (x->busy != NULL && !scratch_wake(s, x->busy))
		return;
	for (enum dir d = DIR_C2S; x->busy != NULL && d <= DIR_S2C; d++)
		feed_end(s, x, f, d);
	for (unsigned i = 0; x->busy != NULL && i < s->in->n_classifiers; i++)
		if (feed_wanted(x->busy, i))
			feed_decide(s, x, f, i);
	if (x->busy != NULL) {
		*facts = *x->busy->facts;
		*labels = x->busy->labels;
	} else if (x->packed != NULL) {
		facts_unpack(s->room, x->packed, facts, labels);
	}
}

void shard_flow_end(void *shard, struct flow *f, enum flow_end why)
{
	struct shard *s = shard;
	struct flow_scratch *x = f->scratch;
	if (x == NULL)
		return;
	struct app_facts facts;
	const struct labels *labels;
	bool testify = false, all = s->in->cfg.all_flows;
	flow_facts(s, x, f, &facts, &labels);
	if (f->key.proto == PROTO_TCP) {
		evidence_finish(&x->ev);
		rate_finish(&s->rates, &s->arena, &x->ev, &s->counters);
		context_flow(s->context, f, &x->ev);
		attempt_flow(&s->attempts, f, &x->ev, &facts);
		testify = s->in->hears_all || could_testify(&x->ev) || facts.page != NULL ||
			  (facts.tls_server != NULL && facts.tls_server->interceptor);
	}
	struct flow_record now;
	const struct goodput *quic = NULL;
	if (x->quic != NULL)
		quic = quic_rate_finish(&s->rates, &s->arena, &s->names, x->quic);
	if (testify || x->kept != NULL || all) {
		record_fill(&now, f, x, &facts, why);
		now.goodput = quic != NULL ? quic : now.goodput;
		testify = testify && testifies(s, &x->ev, &now);
	}
	s->untouched += !testify && x->kept == NULL;
	if (all && !testify && x->kept == NULL && !room_left(s, false)) {
		s->not_listed++;
		all = false;
	}
	if (testify || x->kept != NULL || all)
		flow_keep(s, x, &now, labels, testify);
	scratch_free(s, x, f);
	f->scratch = NULL;
}

void shard_free(void *user, void *shard)
{
	struct inspector *in = user;
	struct shard *s = shard;
	bool last = --s->group->shards == 0;
	for (unsigned i = 0; last && i < in->n_classifiers; i++) {
		if (s->group->state[i] != NULL && in->classifiers[i]->shard_close != NULL)
			in->classifiers[i]->shard_close(s->group->state[i]);
		free(s->group->state[i]);
		s->group->state[i] = NULL;
		s->group->refused[i] = false;
	}
	rate_pool_free(&s->rates);
	scratch_close(s);
	judge_free(s->judge);
	facts_room_free(s->room);
	s->judge = NULL;
	s->room = NULL;
}

