/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privacy/survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/host_table.h"
#include "classifiers/tamper/tsg.h"

#define HOSTS_SHARD    (1u << 20)
#define PAIRS_SHARD    (1u << 14)
#define SCANNED_WINDOW 128u /* the generator's smallest (tsg.h) */
#define PROTO_TCP      6
#define PROTO_ICMP6    58

struct survey_shard {
	struct survey *survey;
	void *inner;
	struct host_table hosts, pairs;
};

struct survey {
	struct pipeline_hooks hooks;
	const struct pipeline_hooks *inner;
	struct survey_shard shard[FLOW_SHARDS];
};

static void note(struct survey_shard *s, const struct ip_addr *a, unsigned role)
{
	bool fresh;
	struct survey_host *h = host_table_get(&s->hosts, a, 0, &fresh, HOSTS_SHARD);

	if (h != NULL)
		h->role |= (uint8_t)role;
}

static void *shard_new(void *user, unsigned shard)
{
	struct survey *survey = user;
	struct survey_shard *s = &survey->shard[shard];

	s->inner = NULL;
	if (survey->inner != NULL)
		s->inner = survey->inner->shard_new(survey->inner->user, shard);
	return survey->inner == NULL || s->inner != NULL ? s : NULL;
}

static struct ip_addr pair_of(const struct ip_addr *src, const struct ip_addr *dst)
{
	struct ip_addr pair = {.b = {0}};

	memcpy(pair.b, src->b + 12, 4);
	memcpy(pair.b + 4, dst->b + 12, 4);
	return pair;
}

static void note_stamp(struct survey_shard *s, const struct ip_addr *pair,
		       const struct tsg_stamp *stamp)
{
	bool fresh;
	struct survey_stamps *t = host_table_get(&s->pairs, pair, 0, &fresh, PAIRS_SHARD);

	if (t == NULL || t->n == SURVEY_STAMPS)
		return;
	for (unsigned i = 0; i < t->n; i++)
		if (t->stamp[i].window == stamp->window && t->stamp[i].ip_id == stamp->ip_id)
			return;
	t->stamp[t->n++] = *stamp;
}

/* Shaped as the generator shapes them; of each connection's copies one counts. */
static void note_reset(struct survey_shard *s, const struct headers *h)
{
	unsigned flags = h->flags & 0xfff;

	if (h->ip_version != 4 || h->proto != PROTO_TCP || !h->df || h->window < SCANNED_WINDOW ||
	    (flags != TCP_RST && flags != (TCP_RST | TCP_ACK)) || h->tcp_hlen != 20)
		return;
	struct ip_addr pair = pair_of(&h->src, &h->dst);
	struct tsg_stamp stamp = {h->window, h->ip_id, h->ttl};
	note_stamp(s, &pair, &stamp);
}

static void on_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		      const struct headers *h, uint64_t now_ns)
{
	struct survey_shard *s = shard;

	if ((h->flags & TCP_RST) != 0)
		note_reset(s, h);
	if (s->inner != NULL)
		s->survey->inner->on_packet(s->inner, f, dir, pkt, h, now_ns);
}

static void on_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		    const struct headers *h)
{
	struct survey_shard *s = shard;

	note(s, &h->src, ROLE_SHOWN);
	if (s->inner != NULL)
		s->survey->inner->on_icmp(s->inner, f, dir, pkt, h);
}

/* Neighbour discovery and listener reports: who is on a network serves nobody by it. */
static bool is_local(const struct flow *f)
{
	enum { LISTENERS = 130, ROUTERS = 133, REDIRECT = 137, LISTENERS2 = 143 };
	uint16_t type = flow_port(f, DIR_C2S) > flow_port(f, DIR_S2C) ? flow_port(f, DIR_C2S)
								      : flow_port(f, DIR_S2C);

	return f->key.proto == PROTO_ICMP6 &&
	       ((type >= LISTENERS && type <= LISTENERS + 2) ||
		(type >= ROUTERS && type <= REDIRECT) || type == LISTENERS2);
}

static void on_flow_end(void *shard, struct flow *f, enum flow_end why)
{
	struct survey_shard *s = shard;
	bool local = is_local(f);

	note(s, flow_addr(f, DIR_C2S), local ? ROLE_NEIGHBOUR : ROLE_CLIENT);
	note(s, flow_addr(f, DIR_S2C), local ? ROLE_NEIGHBOUR : ROLE_SHOWN);
	if (s->inner != NULL)
		s->survey->inner->on_flow_end(s->inner, f, why);
}

static void shard_free(void *user, void *shard)
{
	struct survey *survey = user;
	struct survey_shard *s = shard;

	if (s->inner != NULL)
		survey->inner->shard_free(survey->inner->user, s->inner);
	s->inner = NULL;
}

static bool may_shunt(void *shard, const struct flow *f, struct shunt_flow *out)
{
	struct survey_shard *s = shard;

	return s->survey->inner->may_shunt(s->inner, f, out);
}

static void on_shunted(void *shard, struct flow *f, const struct shunt_counts *counts,
		       const struct headers h[])
{
	struct survey_shard *s = shard;

	s->survey->inner->on_shunted(s->inner, f, counts, h);
}

static void flow_soon(const void *shard, const struct flow *f, const struct headers *h)
{
	const struct survey_shard *s = shard;

	s->survey->inner->flow_soon(s->inner, f, h);
}

int survey_new(struct survey **out)
{
	struct survey *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < FLOW_SHARDS; i++) {
		s->shard[i].survey = s;
		s->shard[i].hosts.size = sizeof(struct survey_host);
		s->shard[i].pairs.size = sizeof(struct survey_stamps);
	}
	*out = s;
	return 0;
}

void survey_free(struct survey *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < FLOW_SHARDS; i++) {
		host_table_free(&s->shard[i].hosts);
		host_table_free(&s->shard[i].pairs);
	}
	free(s);
}

const struct pipeline_hooks *survey_hooks(struct survey *s, const struct pipeline_hooks *inner)
{
	s->inner = inner;
	s->hooks = (struct pipeline_hooks){
		.user = s,
		.shard_new = shard_new,
		.on_packet = on_packet,
		.on_icmp = on_icmp,
		.on_flow_end = on_flow_end,
		.shard_free = shard_free,
		.scratch_near = inner != NULL ? inner->scratch_near : 0,
		.flow_soon = inner != NULL && inner->flow_soon != NULL ? flow_soon : NULL,
	};
	if (inner != NULL && inner->may_shunt != NULL) {
		s->hooks.may_shunt = may_shunt;
		s->hooks.on_shunted = on_shunted;
	}
	return &s->hooks;
}

uint64_t survey_refused(const struct survey *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		n += s->shard[i].hosts.refused;
	return n;
}

/* Another seed than the usual one, which relation.h knows by itself. */
static int fill_seed(const struct survey_stamps *t, struct pseudonyms *p)
{
	struct ip_addr end[2] = {{.b = {[10] = 0xff, 0xff}}, {.b = {[10] = 0xff, 0xff}}};

	memcpy(end[0].b + 12, t->pair.b, 4);
	memcpy(end[1].b + 12, t->pair.b + 4, 4);
	for (unsigned sip = 0; sip < 2; sip++) {
		uint32_t seed = tsg_seed(tsg_addr(&end[sip]), tsg_addr(&end[!sip]), t->stamp, t->n);
		if (seed == 0 || seed == TSG_SEED)
			continue;
		int err = pseudonyms_note_seed(p, &end[sip], &end[!sip], seed);
		if (err != 0)
			return err;
	}
	return 0;
}

int survey_fill(const struct survey *s, struct pseudonyms *p)
{
	int err = 0;

	if (survey_refused(s) != 0)
		pseudonyms_hide_all(p);
	for (unsigned i = 0; i < FLOW_SHARDS; i++) {
		const struct host_table *hosts = &s->shard[i].hosts, *pairs = &s->shard[i].pairs;
		for (uint32_t k = 0; k < hosts->room && err == 0; k++) {
			const struct survey_host *h = (const void *)host_table_slot(hosts, k);
			if (hosts->hashes[k] != 0)
				err = pseudonyms_note(p, &h->addr, h->role);
		}
		for (uint32_t k = 0; k < pairs->room && err == 0; k++) {
			if (pairs->hashes[k] != 0)
				err = fill_seed((const void *)host_table_slot(pairs, k), p);
		}
	}
	return err;
}

static void copy_entries(const struct host_table *t, void *to)
{
	size_t n = 0;

	for (uint32_t i = 0; i < t->room; i++)
		if (t->hashes[i] != 0)
			memcpy((uint8_t *)to + n++ * t->size, host_table_slot(t, i), t->size);
}

int survey_part(const struct survey *s, unsigned shard, struct arena *a, struct survey_part *out)
{
	const struct survey_shard *from = &s->shard[shard];

	*out = (struct survey_part){.n_hosts = from->hosts.n, .n_pairs = from->pairs.n,
				    .refused = from->hosts.refused};
	out->hosts = arena_alloc(a, (size_t)from->hosts.n * sizeof(*out->hosts) + 1);
	out->pairs = arena_alloc(a, (size_t)from->pairs.n * sizeof(*out->pairs) + 1);
	if (out->hosts == NULL || out->pairs == NULL)
		return -ENOMEM;
	copy_entries(&from->hosts, out->hosts);
	copy_entries(&from->pairs, out->pairs);
	return 0;
}

void survey_add(struct survey *s, unsigned shard, const struct survey_part *part)
{
	struct survey_shard *to = &s->shard[shard];

	for (uint64_t i = 0; i < part->n_hosts; i++)
		note(to, &part->hosts[i].addr, part->hosts[i].role);
	for (uint64_t i = 0; i < part->n_pairs; i++)
		for (unsigned k = 0; k < part->pairs[i].n; k++)
			note_stamp(to, &part->pairs[i].pair, &part->pairs[i].stamp[k]);
	to->hosts.refused += part->refused;
}
