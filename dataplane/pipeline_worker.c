/* SPDX-License-Identifier: BSD-3-Clause */

/* What workers do with the reader's blocks. */

#include <netinet/in.h>

#include "dataplane/pipeline_private.h"
#include "dataplane/thread.h"

#define TAKE_BLOCKS 8     /* a worker says it is done after this many blocks at most */
/* Packets: what is behind a flow, and what is behind that, comes while others are worked on. */
#define SCRATCH_AHEAD 4
#define BEHIND_AHEAD  2

static void shard_packet(struct shard *s, const struct work *w)
{
	enum dir dir = DIR_C2S;
	struct flow *f;
	if (w->h.is_icmp_error) {
		/* Before the error's own flow is made, which could push the quoted one out. */
		f = flow_table_find_quoted(s->flows, &w->h, &dir);
		if (f != NULL)
			s->hooks->on_icmp(s->ctx, f, dir, w->pkt, &w->h);
	}
	f = flow_table_update_probed(s->flows, &w->probe, w->pkt, &w->h, w->now_ns, &dir);
	if (f == NULL) {
		s->no_memory++;
		return;
	}
	s->hooks->on_packet(s->ctx, f, dir, w->pkt, &w->h, w->now_ns);
	if (s->shunting && f->key.proto == IPPROTO_TCP &&
	    (f->shunt != 0 || (f->pkts[0] + f->pkts[1]) % SHUNT_EVERY == 0))
		shunt_consider(s, f, dir, w->pkt);
}

static bool worker_owns(const struct worker *me, unsigned shard)
{
	return (me->owned >> shard & 1) != 0;
}

static void worker_expire(struct worker *me, uint64_t now_ns)
{
	uint64_t second = now_ns / SECOND_NS;
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		if (worker_owns(me, i))
			flow_table_expire(me->p->shards[i].flows, second * SECOND_NS);
	me->next_second_ns = second < UINT64_MAX / SECOND_NS ? (second + 1) * SECOND_NS
							     : UINT64_MAX;
}

/* The flow of a packet that is not done yet, if it is the worker's and the flow has scratch. */
static const struct flow *flow_ahead(const struct worker *me, const struct work *w)
{
	if (!worker_owns(me, w->shard))
		return NULL;
	return flow_table_preloaded(&w->probe);
}

/* Memory takes longer than a packet. left: packets from w to the end of the block. */
static void look_ahead(const struct worker *me, const struct work *w, unsigned left)
{
	const struct pipeline_hooks *hooks = me->p->hooks;
	const struct flow *f = left > SCRATCH_AHEAD ? flow_ahead(me, w + SCRATCH_AHEAD) : NULL;
	for (size_t at = 0; f != NULL && at < hooks->scratch_near; at += 64)
		__builtin_prefetch((const char *)f->scratch + at, 1);
	if (hooks->flow_soon == NULL || left <= BEHIND_AHEAD)
		return;
	w += BEHIND_AHEAD;
	f = flow_ahead(me, w);
	if (f != NULL)
		hooks->flow_soon(me->p->shards[w->shard].ctx, f, &w->h);
}

void worker_block(struct worker *me, struct block *b)
{
	struct shard *shards = me->p->shards;
	if (b->tick_ns >= me->next_second_ns)
		worker_expire(me, b->tick_ns);
	for (unsigned i = 0; i < b->n; i++) {
		struct work *w = &b->work[i];
		if (worker_owns(me, w->shard))
			flow_table_probe(shards[w->shard].flows, &w->h, &w->probe);
	}
	for (unsigned i = 0; i < b->n; i++) {
		struct work *w = &b->work[i];
		if (!worker_owns(me, w->shard))
			continue;
		flow_table_preload(shards[w->shard].flows, &w->probe);
		__builtin_prefetch(w->h.payload);
	}
	for (unsigned i = 0; i < b->n; i++) {
		const struct work *w = &b->work[i];
		if (w->now_ns >= me->next_second_ns)
			worker_expire(me, w->now_ns);
		look_ahead(me, w, b->n - i);
		if (worker_owns(me, w->shard))
			shard_packet(&shards[w->shard], w);
	}
}

static void worker_end(struct worker *me)
{
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		if (worker_owns(me, i))
			flow_table_end_all(me->p->shards[i].flows);
}

static void *worker_main(void *arg)
{
	struct worker *me = arg;
	struct pipeline *p = me->p;
	uint64_t next = 0, upto;
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (next == p->published && !p->finish)
			pthread_cond_wait(&p->published_cond, &p->lock);
		if (next == p->published)
			break;
		upto = p->published - next > TAKE_BLOCKS ? next + TAKE_BLOCKS : p->published;
		pthread_mutex_unlock(&p->lock);
		for (; next < upto; next++)
			worker_block(me, &p->blocks[next % p->n_blocks]);
		pthread_mutex_lock(&p->lock);
		me->done = next;
		pthread_cond_signal(&p->done_cond);
	}
	pthread_mutex_unlock(&p->lock);
	worker_end(me);
	return NULL;
}

int workers_start(struct pipeline *p, unsigned *n_started)
{
	int err = 0;
	if (p->n_workers == 1)
		return 0;
	for (; *n_started < p->n_workers && err == 0; *n_started += err == 0)
		err = thread_start(&p->workers[*n_started].thread, worker_main,
				   &p->workers[*n_started]);
	return err;
}

void workers_finish(struct pipeline *p, unsigned n_started)
{
	if (p->n_workers == 1) {
		worker_end(&p->workers[0]);
		return;
	}
	pthread_mutex_lock(&p->lock);
	p->published = p->filled;
	p->finish = true;
	pthread_cond_broadcast(&p->published_cond);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < n_started; i++)
		pthread_join(p->workers[i].thread, NULL);
}
