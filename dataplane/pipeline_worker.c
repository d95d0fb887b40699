/* SPDX-License-Identifier: BSD-3-Clause */

/* What workers do with the reader's blocks. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "dataplane/pipeline_private.h"
#include "dataplane/thread.h"

#define TAKE_BLOCKS 8     /* a worker says it is done after this many blocks at most */
/* Packets: what is behind a flow, and what is behind that, comes while others are worked on. */
#define SCRATCH_AHEAD 4
#define BEHIND_AHEAD  2
#define BYTES_AHEAD   4 /* and the bytes of those that are decoded here */

static void shard_packet(struct shard *s, const struct job *j)
{
	const struct packet *pkt = j->work->pkt;
	uint64_t now_ns = j->work->now_ns;
	enum dir dir = DIR_C2S;
	struct flow *f;
	if (j->h->is_icmp_error) {
		/* Before the error's own flow is made, which could push the quoted one out. */
		f = flow_table_find_quoted(s->flows, j->h, &dir);
		if (f != NULL)
			s->hooks->on_icmp(s->ctx, f, dir, pkt, j->h);
	}
	f = flow_table_update_probed(s->flows, &j->probe, pkt, j->h, now_ns, &dir);
	if (f == NULL) {
		s->no_memory++;
		return;
	}
	s->hooks->on_packet(s->ctx, f, dir, pkt, j->h, now_ns);
	if (s->shunting && f->key.proto == IPPROTO_TCP &&
	    (f->shunt != 0 || (f->pkts[0] + f->pkts[1]) % SHUNT_EVERY == 0))
		shunt_consider(s, f, dir, pkt);
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

/* Memory takes longer than a packet. left: jobs from j on. */
static void look_ahead(const struct worker *me, const struct job *j, unsigned left)
{
	const struct pipeline_hooks *hooks = me->p->hooks;
	const struct flow *f = left > SCRATCH_AHEAD ? flow_table_preloaded(&j[SCRATCH_AHEAD].probe) : NULL;
	for (size_t at = 0; f != NULL && at < hooks->scratch_near; at += 64)
		__builtin_prefetch((const char *)f->scratch + at, 1);
	if (hooks->flow_soon == NULL || left <= BEHIND_AHEAD)
		return;
	j += BEHIND_AHEAD;
	f = flow_table_preloaded(&j->probe);
	if (f != NULL)
		hooks->flow_soon(me->p->shards[j->work->shard].ctx, f, j->h);
}

/* Reads a packet that the reader only sorted: still in its core's cache, so it is asked for ahead. */
static void job_decode(struct worker *me, unsigned at, unsigned n)
{
	struct job *j = &me->jobs[at];
	if (at + BYTES_AHEAD < n && !j[BYTES_AHEAD].work->decoded)
		__builtin_prefetch(j[BYTES_AHEAD].work->pkt->data);
	if (j->work->decoded)
		return;
	packet_decode(j->work->pkt, &me->headers[at]);
	j->h = &me->headers[at];
}

/* What is the worker's of the block, decoded, and with its flows on the way. How many. */
static unsigned take_jobs(struct worker *me, const struct block *b)
{
	struct shard *shards = me->p->shards;
	unsigned n = 0;
	/* Whose a packet is cannot be foreseen, so nothing branches on it: jobs have room for one more. */
	for (unsigned i = 0; i < b->n; i++) {
		const struct work *w = &b->work[i];
		me->jobs[n].work = w;
		me->jobs[n].h = &b->headers[i];
		n += worker_owns(me, w->shard);
	}
	for (unsigned i = 0; me->headers != NULL && i < n; i++)
		__builtin_prefetch(me->jobs[i].work->pkt);
	for (unsigned i = 0; i < n; i++) {
		struct job *j = &me->jobs[i];
		if (me->headers != NULL)
			job_decode(me, i, n);
		flow_table_probe(shards[j->work->shard].flows, j->h, &j->probe);
	}
	for (unsigned i = 0; i < n; i++) {
		struct job *j = &me->jobs[i];
		flow_table_preload(shards[j->work->shard].flows, &j->probe);
		__builtin_prefetch(j->h->payload);
	}
	return n;
}

/* Time passes with others' packets, too: those of the block from *at to upto. */
static void pass_time(struct worker *me, const struct block *b, unsigned *at, unsigned upto)
{
	for (; *at < upto; (*at)++)
		if (b->work[*at].now_ns >= me->next_second_ns)
			worker_expire(me, b->work[*at].now_ns);
}

void worker_block(struct worker *me, struct block *b)
{
	if (b->tick_ns >= me->next_second_ns)
		worker_expire(me, b->tick_ns);
	if (b->n == 0)
		return;
	unsigned n = take_jobs(me, b), at = 0;
	bool seconds = b->work[b->n - 1].now_ns >= me->next_second_ns;
	for (unsigned i = 0; i < n; i++) {
		const struct job *j = &me->jobs[i];
		if (seconds)
			pass_time(me, b, &at, (unsigned)(j->work - b->work) + 1);
		look_ahead(me, j, n - i);
		shard_packet(&me->p->shards[j->work->shard], j);
	}
	if (seconds)
		pass_time(me, b, &at, b->n);
}

int worker_new(struct worker *me)
{
	const struct pipeline *p = me->p;
	me->jobs = calloc(p->batch + 1, sizeof(*me->jobs));
	if (p->n_workers > 1)
		me->headers = calloc(p->batch, sizeof(*me->headers));
	return me->jobs != NULL && (p->n_workers == 1 || me->headers != NULL) ? 0 : -ENOMEM;
}

void worker_free(struct worker *me)
{
	free(me->jobs);
	free(me->headers);
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
		if (me->done >= p->wanted)
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
