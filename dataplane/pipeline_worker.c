/* SPDX-License-Identifier: BSD-3-Clause */

/* What workers do with the reader's blocks. */

#include <netinet/in.h>
#include <signal.h>

#include "dataplane/pipeline_private.h"

#define TAKE_BLOCKS 8     /* a worker says it is done after this many blocks at most */
#define SCRATCH_AHEAD 4 /* packets: what is behind a flow comes while others are worked on */

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
		if (worker_owns(me, w->shard))
			flow_table_preload(shards[w->shard].flows, &w->probe);
		__builtin_prefetch(w->h.payload);
	}
	for (unsigned i = 0; i < b->n; i++) {
		const struct work *w = &b->work[i];
		const struct work *soon = w + SCRATCH_AHEAD;
		if (w->now_ns >= me->next_second_ns)
			worker_expire(me, w->now_ns);
		if (i + SCRATCH_AHEAD < b->n && worker_owns(me, soon->shard))
			flow_table_preload_scratch(shards[soon->shard].flows, &soon->probe,
						   me->p->hooks->scratch_near);
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

/* Signals stay with the threads that the program made itself. */
int workers_start(struct pipeline *p, unsigned *n_started)
{
	sigset_t all, old;
	int err = 0;
	if (p->n_workers == 1)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; *n_started < p->n_workers && err == 0; *n_started += err == 0)
		err = pthread_create(&p->workers[*n_started].thread, NULL, worker_main,
				     &p->workers[*n_started]);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
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
