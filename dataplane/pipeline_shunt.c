/* SPDX-License-Identifier: BSD-3-Clause */

/* Flows that the source counts the packets of instead of handing them out; see shunt.h. */

#include <string.h>

#include "dataplane/pipeline_private.h"

/* Watched packets of both directions are worked off: older ones are too, so counting may begin. */
#define WATCHED_BOTH 3
#define GRANTED 4

static void name_flow(const struct flow *f, struct shunt_flow *out)
{
	for (enum dir d = DIR_C2S; d <= DIR_S2C; d++) {
		memcpy(out->addr[d], flow_addr(f, d)->b, sizeof(out->addr[d]));
		out->port[d] = flow_port(f, d);
	}
}

static void count_in(struct shard *s, struct flow *f, const struct shunt_counts *c)
{
	for (enum dir d = DIR_C2S; d <= DIR_S2C; d++) {
		const struct shunt_count *n = &c->side[d];
		if (n->packets == 0)
			continue;
		f->pkts[d] += n->packets;
		f->bytes[d] += n->bytes;
		if (n->last_ns > f->last_ns)
			f->last_ns = n->last_ns;
		if (n->last_ns > f->seen_ns)
			f->seen_ns = n->last_ns;
		if (n->last_ns > s->shunted_ns)
			s->shunted_ns = n->last_ns;
	}
}

void shunt_settle(struct shard *s, struct flow *f)
{
	struct headers h[SHUNT_LAST];
	struct shunt_counts c;
	struct shunt_flow of = {.timestamps = false};
	uint32_t ticket = f->shunt;
	name_flow(f, &of);
	f->shunt = 0;
	f->shunt_step = 0;
	if (source_unshunt(s->src, &of, ticket, &c) != 0 ||
	    c.side[DIR_C2S].packets + c.side[DIR_S2C].packets == 0)
		return;
	count_in(s, f, &c);
	for (unsigned i = 0; i < c.n_last; i++)
		packet_decode(&c.last[i], &h[i]);
	s->hooks->on_shunted(s->ctx, f, &c, h);
}

void shunt_consider(struct shard *s, struct flow *f, enum dir dir, const struct packet *pkt)
{
	struct shunt_flow of;
	if (f->shunt == 0) {
		/* A frame without a stamp would not be known to be older than the shunt. */
		if (pkt->shunt_over && pkt->shunt == 0)
			return;
		if (s->hooks->may_shunt(s->ctx, f, &of)) {
			name_flow(f, &of);
			source_shunt(s->src, &of, &f->shunt);
		}
		return;
	}
	if (pkt->shunt != f->shunt || f->shunt_step == GRANTED)
		return;
	f->shunt_step |= (uint8_t)(1u << dir);
	if (f->shunt_step != WATCHED_BOTH)
		return;
	if (s->hooks->may_shunt(s->ctx, f, &of)) {
		f->shunt_step = GRANTED;
		source_shunt_grant(s->src, f->shunt);
	} else {
		shunt_settle(s, f);
	}
}
