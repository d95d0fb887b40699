/* SPDX-License-Identifier: BSD-3-Clause */

/* The flows of one shard: each packet to the evidence and to the classifiers that still want it. */

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/shard.h"

#define PROTO_TCP 6
#define REASSEMBLY_BUDGET (16u << 20) /* bytes a shard, for requests longer than one packet */
#define KEPT_BUDGET (16u << 20) /* bytes a shard, for flows that are not serious by themselves */

/* What the inspector keeps of a live flow. */
struct flow_scratch {
	struct evidence ev;       /* TCP only */
	struct app_facts facts;
	struct reassembly *stream; /* the client's first bytes, while one packet was not enough */
	struct label *label;      /* NULL until a classifier said something */
	uint32_t undecided;       /* bit per classifier that still wants this flow */
	_Alignas(max_align_t) uint8_t state[]; /* the classifiers' own, one after the other */
};

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
	if (s == NULL || context_shard_new(&s->context) != 0 || judge_new(&s->judge) != 0) {
		if (s != NULL)
			context_shard_free(s->context);
		free(s);
		return NULL;
	}
	s->in = in;
	s->group = &in->groups[index % FLOW_GROUPS];
	s->group->shards++;
	s->pool.budget = REASSEMBLY_BUDGET;
	in->shards[index] = s;
	return s;
}

/* Classifiers may read files and build tables: only when the group's first flow asks. */
static bool open_classifier(struct shard *s, unsigned i)
{
	const struct classifier *c = s->in->classifiers[i];
	struct classifier_group *g = s->group;
	if (g->state[i] != NULL || g->refused[i])
		return !g->refused[i];
	void *state = calloc(1, c->shard_size != 0 ? c->shard_size : 1);
	pthread_mutex_lock(&s->in->open_lock);
	int err = state == NULL ? -ENOMEM : c->shard_open != NULL ? c->shard_open(state) : 0;
	pthread_mutex_unlock(&s->in->open_lock);
	if (err != 0) {
		free(state);
		g->refused[i] = true;
		return false;
	}
	g->state[i] = state;
	return true;
}

static struct flow_scratch *scratch_new(struct shard *s, const struct flow *f)
{
	const struct inspector *in = s->in;
	struct flow_scratch *x = calloc(1, sizeof(*x) + in->state_size);
	if (x == NULL) {
		s->no_memory++;
		return NULL;
	}
	for (unsigned i = 0; i < in->n_classifiers; i++)
		if (in->classifiers[i]->packet != NULL || f->key.proto == PROTO_TCP)
			x->undecided |= 1u << i;
	return x;
}

static void *state_of(struct shard *s, struct flow_scratch *x, unsigned i)
{
	return x->state + s->in->state_offset[i];
}

static void take_label(struct shard *s, struct flow_scratch *x, const struct label *said)
{
	if (said->by == NULL)
		return;
	if (x->label == NULL)
		x->label = malloc(sizeof(*x->label));
	if (x->label == NULL)
		s->no_memory++;
	else
		*x->label = *said;
}

static void decide(struct shard *s, struct flow_scratch *x, const struct flow *f, unsigned i)
{
	const struct classifier *c = s->in->classifiers[i];
	struct label said = {0};
	x->undecided &= ~(1u << i);
	if (c->flow_end != NULL && s->group->state[i] != NULL) {
		c->flow_end(s->group->state[i], state_of(s, x, i), f, &said);
		take_label(s, x, &said);
	}
}

static void feed_packets(struct shard *s, struct flow_scratch *x, const struct flow *f,
			 enum dir dir, const struct packet *pkt, const struct headers *h)
{
	const struct inspector *in = s->in;
	for (unsigned i = 0; i < in->n_classifiers; i++) {
		const struct classifier *c = in->classifiers[i];
		if (c->packet == NULL || (x->undecided & 1u << i) == 0)
			continue;
		if (!open_classifier(s, i)) {
			x->undecided &= ~(1u << i);
			continue;
		}
		struct label said = {0};
		enum classify more = c->packet(s->group->state[i], state_of(s, x, i), f, dir, pkt, h,
					       &said);
		take_label(s, x, &said);
		if (more != CLASSIFY_MORE)
			decide(s, x, f, i);
	}
}

/* Whether a stream classifier still wants more bytes than these. */
static bool feed_stream(struct shard *s, struct flow_scratch *x, const struct flow *f,
			const uint8_t *data, size_t len)
{
	const struct inspector *in = s->in;
	bool wanted = false;
	for (unsigned i = 0; i < in->n_classifiers; i++) {
		const struct classifier *c = in->classifiers[i];
		if (c->stream == NULL || (x->undecided & 1u << i) == 0)
			continue;
		if (!open_classifier(s, i)) {
			x->undecided &= ~(1u << i);
			continue;
		}
		enum classify more = c->stream(s->group->state[i], state_of(s, x, i), f, DIR_C2S, data,
					       len, &x->facts);
		if (more == CLASSIFY_MORE && len < REASSEMBLY_LIMIT)
			wanted = true;
		else
			decide(s, x, f, i);
	}
	return wanted;
}

static bool streams_wanted(const struct shard *s, const struct flow_scratch *x)
{
	for (unsigned i = 0; i < s->in->n_classifiers; i++)
		if (s->in->classifiers[i]->stream != NULL && (x->undecided & 1u << i) != 0)
			return true;
	return false;
}

static void stream_close(struct shard *s, struct flow_scratch *x)
{
	if (x->stream == NULL)
		return;
	reassembly_free(x->stream, &s->pool);
	free(x->stream);
	x->stream = NULL;
}

/* The client's stream from its first byte. Most requests fit one packet and need no buffer. */
static void feed_request(struct shard *s, struct flow_scratch *x, const struct flow *f,
			 const struct headers *h)
{
	if (h->payload_caplen == 0 || (h->flags & TCP_RST) != 0 || !streams_wanted(s, x))
		return;
	/* Data in a SYN, TCP Fast Open (RFC 7413), begins behind it. */
	uint32_t seq = h->seq + ((h->flags & TCP_SYN) != 0);
	uint32_t base = f->syn_seen[DIR_C2S] ? f->isn[DIR_C2S] + 1 : seq;
	if (x->stream == NULL && seq == base && h->payload_caplen < REASSEMBLY_LIMIT &&
	    !feed_stream(s, x, f, h->payload, h->payload_caplen))
		return;
	if (x->stream == NULL) {
		x->stream = calloc(1, sizeof(*x->stream));
		if (x->stream == NULL) {
			s->no_memory++;
			return;
		}
		reassembly_start(x->stream, base);
	}
	struct reassembly_conflict conflict;
	uint32_t before = x->stream->contiguous, len;
	uint32_t now = reassembly_add(x->stream, &s->pool, seq, h->payload, h->payload_caplen,
				      &conflict);
	if (now != before) {
		const uint8_t *data = reassembly_data(x->stream, &len);
		feed_stream(s, x, f, data, len);
	}
	if (!streams_wanted(s, x) || x->stream->failed)
		stream_close(s, x);
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
	if (x->undecided != 0) {
		if (f->key.proto == PROTO_TCP && dir == DIR_C2S)
			feed_request(s, x, f, h);
		feed_packets(s, x, f, dir, pkt, h);
	}
	if (f->key.proto == PROTO_TCP)
		evidence_packet(&x->ev, &s->recent, f, dir, pkt, h, &s->counters);
}

void shard_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		    const struct headers *h)
{
	(void)shard;
	struct flow_scratch *x = f->scratch;
	if (x != NULL && f->key.proto == PROTO_TCP)
		evidence_icmp(&x->ev, dir, pkt, h);
}

/* "TLS.Google" and confident: "tls". */
static const char *proto_of_label(struct arena *a, const struct label *l)
{
	if (l == NULL || strncmp(l->confidence, "dpi", 3) != 0 || strncmp(l->app, "Unknown", 7) == 0)
		return "unknown";
	size_t n = strcspn(l->app, ".");
	char *s = arena_alloc(a, n + 1);
	for (size_t i = 0; s != NULL && i < n; i++)
		s[i] = (char)tolower((unsigned char)l->app[i]);
	return s != NULL ? s : "unknown";
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

static const void *copy_facts(struct arena *a, const void *facts, size_t size)
{
	void *copy = facts != NULL ? arena_alloc(a, size) : NULL;
	return copy != NULL ? memcpy(copy, facts, size) : NULL;
}

/* For the moment: it points into the flow. */
static void record_fill(struct flow_record *r, const struct flow *f, const struct flow_scratch *x,
			enum flow_end why)
{
	*r = (struct flow_record){
		.id = f->id,
		.first_frame = f->first_frame,
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
		.stage = record_stage(&x->ev),
		.n_tunnels = f->n_tunnels,
		.n_vlans = f->n_vlans,
		.vlan = {f->vlan[0], f->vlan[1]},
	};
	memcpy(r->tunnels, f->tunnels, sizeof(r->tunnels));
	memcpy(r->history, f->history, sizeof(r->history));
	r->tls = x->facts.tls;
	r->http = x->facts.http;
	r->app_proto = x->facts.app_proto;
}

/* For as long as the analysis. */
static struct flow_record *record_keep(struct shard *s, const struct flow_record *now,
				       const struct label *label)
{
	struct flow_record *r = arena_alloc(&s->arena, sizeof(*r));
	if (r == NULL)
		return NULL;
	*r = *now;
	r->tls = copy_facts(&s->arena, now->tls, sizeof(*r->tls));
	r->http = copy_facts(&s->arena, now->http, sizeof(*r->http));
	if (label != NULL) {
		r->labels = arena_alloc(&s->arena, sizeof(*r->labels));
		if (r->labels != NULL) {
			*r->labels = *label;
			r->n_labels = 1;
		}
	}
	if (r->app_proto == NULL)
		r->app_proto = proto_of_label(&s->arena, label);
	return r;
}

static void keep(struct shard *s, struct flow_record *r, struct evidence *ev, bool testify)
{
	if (testify) {
		keep_room((void **)&s->kept, &s->room_kept, s->n_kept + 1, sizeof(*s->kept));
		if (s->n_kept < s->room_kept) {
			s->kept[s->n_kept++] = (struct kept_flow){.rec = r, .ev = *ev};
			memset(ev, 0, sizeof(*ev)); /* its events moved */
		} else {
			s->no_memory++;
		}
	}
	keep_room((void **)&s->records, &s->room_records, s->n_records + 1, sizeof(*s->records));
	if (s->n_records < s->room_records)
		s->records[s->n_records++] = r;
	else
		s->no_memory++;
}

/* Flows in which nothing was found and nothing stayed unanswered have nothing to testify. */
static bool could_testify(const struct flow *f, const struct evidence *ev)
{
	const struct half *c = &ev->half[DIR_C2S], *s = &ev->half[DIR_S2C];
	if (f->key.proto != PROTO_TCP)
		return false;
	return ev->found != 0 || c->stuck != 0 || s->n_data == 0 || s->n_syn > 1;
}

/* Whether its evidence is to wait for the capture's context. */
static bool testifies(struct shard *s, const struct evidence *ev, const struct flow_record *r)
{
	enum judge_worth worth = judge_weigh(s->judge, ev, r);
	size_t size = sizeof(struct kept_flow) + sizeof(*r) + ev->room_events * sizeof(struct event);
	if (worth == JUDGE_NOTHING)
		return false;
	if (worth != JUDGE_SERIOUS && s->kept_bytes + size > KEPT_BUDGET) {
		s->not_kept++;
		return false;
	}
	s->kept_bytes += size;
	return true;
}

void shard_flow_end(void *shard, struct flow *f, enum flow_end why)
{
	struct shard *s = shard;
	struct flow_scratch *x = f->scratch;
	if (x == NULL)
		return;
	for (unsigned i = 0; i < s->in->n_classifiers; i++)
		if ((x->undecided & 1u << i) != 0)
			decide(s, x, f, i);
	stream_close(s, x);
	if (f->key.proto == PROTO_TCP) {
		evidence_finish(&x->ev);
		context_flow(s->context, f, &x->ev);
	}
	bool testify = could_testify(f, &x->ev);
	if (testify || s->in->cfg.all_flows) {
		struct flow_record now;
		record_fill(&now, f, x, why);
		testify = testify && testifies(s, &x->ev, &now);
		struct flow_record *r = testify || s->in->cfg.all_flows
						? record_keep(s, &now, x->label)
						: NULL;
		if (r != NULL)
			keep(s, r, &x->ev, testify);
		else if (testify || s->in->cfg.all_flows)
			s->no_memory++;
	}
	s->untouched += !testify;
	evidence_free(&x->ev);
	free(x->facts.tls);
	free(x->facts.http);
	free(x->label);
	free(x);
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
	judge_free(s->judge);
	s->judge = NULL;
}

