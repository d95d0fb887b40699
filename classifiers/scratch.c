/* SPDX-License-Identifier: BSD-3-Clause */

/* What a live flow owns, from its first packet to its end, as small as what is known of it allows. */

#include <stddef.h>
#include <stdlib.h>

#include "classifiers/shard.h"
#include "classifiers/tamper/exchange.h"
#include "classifiers/tamper/quic_rate.h"

#define PROTO_TCP 6
#define BUSY_NEAR 256 /* bytes: what most classifiers keep of a flow lies within */
#define AWAKE_FLOWS 256 /* a shard: where more wait, facts rest packed between payloads */

void scratch_open(struct shard *s)
{
	s->slabs = (struct flow_slabs){
		.tcp.size = sizeof(struct flow_scratch),
		.other.size = offsetof(struct flow_scratch, ev),
		.busy.size = sizeof(struct flow_busy) + s->in->state_size,
		.facts.size = sizeof(struct app_facts),
		.stream.size = sizeof(struct reassembly),
	};
	s->evidence.blocks = &s->slabs.any;
}

void scratch_close(struct shard *s)
{
	slab_close(&s->slabs.tcp);
	slab_close(&s->slabs.other);
	slab_close(&s->slabs.busy);
	slab_close(&s->slabs.facts);
	slab_close(&s->slabs.stream);
	slab_set_close(&s->slabs.any);
}

struct flow_scratch *scratch_new(struct shard *s, const struct flow *f)
{
	const struct inspector *in = s->in;
	bool tcp = f->key.proto == PROTO_TCP;
	uint32_t packets = in->packet_classifiers[tcp], streams = tcp ? in->stream_classifiers : 0;
	struct flow_scratch *x = slab_alloc(tcp ? &s->slabs.tcp : &s->slabs.other);
	if (x == NULL) {
		s->no_memory++;
		return NULL;
	}
	if ((packets | streams) == 0)
		return x;
	x->busy = slab_alloc(&s->slabs.busy);
	if (x->busy == NULL) {
		s->no_memory++;
		return x;
	}
	s->n_busy++;
	x->busy->wants_packets = packets;
	x->busy->wants_stream[DIR_C2S] = x->busy->wants_stream[DIR_S2C] = streams;
	return x;
}

void shard_soon(const void *shard, const struct flow *f, const struct headers *h)
{
	const struct shard *s = shard;
	const struct flow_scratch *x = f->scratch;
	const char *busy = (const char *)x->busy;
	for (size_t at = 0; busy != NULL && at < BUSY_NEAR; at += 64)
		__builtin_prefetch(busy + at, 1);
	if (f->key.proto == PROTO_TCP)
		evidence_soon(&x->ev, &s->evidence, f, h);
}

static void facts_drop(struct shard *s, struct flow_busy *b)
{
	if (b->facts == NULL)
		return;
	facts_free(b->facts);
	slab_free(&s->slabs.facts, b->facts);
	b->facts = NULL;
}

static void busy_free(struct shard *s, struct flow_scratch *x)
{
	feed_close(s, x->busy, DIR_C2S);
	feed_close(s, x->busy, DIR_S2C);
	facts_drop(s, x->busy);
	s->n_busy--;
	packed_free(s->room, x->busy->resting);
	free(x->busy->labels);
	slab_free(&s->slabs.busy, x->busy);
	x->busy = NULL;
}

/* Flows may wait for long for the rest of a body, with 1,200 bytes of facts that nobody looks at. */
static void rest(struct shard *s, struct flow_busy *b)
{
	bool many = s->n_busy > AWAKE_FLOWS || s->in->cfg.rest_always;
	if (!many || b->wants_packets != 0)
		return;
	if (!facts_are_empty(b->facts, NULL)) {
		b->resting = facts_pack(s->room, b->facts, NULL);
		if (b->resting == NULL)
			return;
	}
	facts_drop(s, b);
}

bool scratch_wake(struct shard *s, struct flow_busy *b)
{
	if (b->facts != NULL)
		return true;
	b->facts = slab_alloc(&s->slabs.facts);
	if (b->facts == NULL || (b->resting != NULL && !facts_revive(b->resting, b->facts))) {
		slab_free(&s->slabs.facts, b->facts);
		b->facts = NULL;
		s->no_memory++;
		return false;
	}
	packed_free(s->room, b->resting);
	b->resting = NULL;
	return true;
}

void scratch_settle(struct shard *s, struct flow_scratch *x, bool tcp)
{
	struct flow_busy *b = x->busy;
	if ((b->wants_packets | b->wants_stream[DIR_C2S] | b->wants_stream[DIR_S2C]) != 0) {
		if (tcp)
			rest(s, b);
		return;
	}
	if (!facts_are_empty(b->facts, b->labels)) {
		x->packed = facts_pack(s->room, b->facts, b->labels);
		if (x->packed == NULL)
			return;
	}
	busy_free(s, x);
}

void scratch_free(struct shard *s, struct flow_scratch *x, const struct flow *f)
{
	bool tcp = f->key.proto == PROTO_TCP;
	if (tcp) {
		rate_drop(&s->rates, &x->ev);
		evidence_free(&x->ev, &s->slabs.any);
	}
	if (x->quic != NULL)
		free(x->quic->bins);
	free(x->quic);
	while (x->kept != NULL) {
		struct exchange *e = x->kept;
		x->kept = e->next;
		exchange_free(e);
	}
	if (x->busy != NULL)
		busy_free(s, x);
	packed_free(s->room, x->packed);
	slab_free(tcp ? &s->slabs.tcp : &s->slabs.other, x);
}
