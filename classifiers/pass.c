/* SPDX-License-Identifier: BSD-3-Clause */

/* Flows whose further packets nobody needs one by one. */

#include "classifiers/shard.h"

/* A connection under way of which every classifier has decided, and whose evidence needs no more. */
bool shard_may_shunt(void *shard, const struct flow *f, struct shunt_flow *out)
{
	const struct shard *s = shard;
	const struct flow_scratch *x = f->scratch;
	return s->in->cfg.no_throttling && x != NULL && x->busy == NULL &&
	       f->state == FLOW_ESTABLISHED && f->n_tunnels == 0 && evidence_passable(&x->ev, out);
}

void shard_shunted(void *shard, struct flow *f, const struct shunt_counts *counts,
		   const struct headers h[])
{
	struct shard *s = shard;
	struct flow_scratch *x = f->scratch;
	if (x != NULL)
		evidence_pass(&x->ev, &s->evidence, f, counts, h, &s->counters);
}
