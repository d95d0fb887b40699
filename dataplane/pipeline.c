/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/now.h"
#include "dataplane/pipeline_private.h"

#define BATCH_DEFAULT 64
#define BATCH_MAX 1024
#define MAX_FLOWS_DEFAULT (1U << 20)
#define RING_PACKETS 4096 /* packets in flight at most, or thereabouts, */
#define RING_BYTES (32U << 20) /* and their bytes: bounds what the source has to keep */
#define WAKE_PACKETS 1024 /* workers are woken for this much at a time: a wake-up costs as much */
#define PROGRESS_BATCHES 64
#define TELL_NS (SECOND_NS / 20) /* between words about progress while nothing comes: system calls */
/* A packet is not handed out later than this after its time, so until then a quiet source is not past. */
#define LATE_NS SECOND_NS

/* Reader */

static void release_upto(struct pipeline *p, uint64_t done)
{
	for (; p->released < done; p->released++) {
		struct block *b = &p->blocks[p->released % p->n_blocks];
		for (unsigned i = 0; i < b->n; i++)
			if (b->work[i].pkt != NULL)
				decoder_release(p->decoder, b->work[i].pkt);
		for (unsigned i = 0, n = 0; i < b->n; i += n) {
			unsigned queue = b->work[i].queue;
			for (n = p->merge != NULL ? 1 : b->n; i + n < b->n && b->work[i + n].queue == queue;)
				n++;
			source_release(p->src, queue, b->pkts + i, n);
		}
		p->bytes_out -= b->bytes;
	}
}

/* Hands over what is filled; comes back when the first min_done blocks are the reader's again. */
static void publish(struct pipeline *p, uint64_t min_done)
{
	uint64_t done;
	pthread_mutex_lock(&p->lock);
	if (p->published != p->filled) {
		p->published = p->filled;
		pthread_cond_broadcast(&p->published_cond);
	}
	for (;;) {
		done = p->filled;
		for (unsigned i = 0; i < p->n_workers; i++)
			if (p->workers[i].done < done)
				done = p->workers[i].done;
		if (done >= min_done)
			break;
		p->wanted = min_done;
		pthread_cond_wait(&p->done_cond, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	release_upto(p, done);
}

static unsigned shard_of(const struct headers *h)
{
	if (h->ip_version == 0 || (h->end != DECODE_OK && h->end != DECODE_NO_PORTS))
		return NO_SHARD;
	return h->is_icmp_error && h->quoted_ok ? flow_shard(&h->quoted_src, &h->quoted_dst)
						: flow_shard(&h->src, &h->dst);
}

static void work_fill(struct pipeline *p, struct block *b, unsigned i)
{
	const struct packet *pkt = &b->pkts[i];
	struct work *w = &b->work[i];
	struct ip_addr src, dst;
	w->decoded = p->n_workers == 1 || !decoder_sort(p->decoder, pkt, &src, &dst);
	if (!w->decoded) {
		w->pkt = pkt;
		w->shard = (uint8_t)flow_shard(&src, &dst);
	} else if (decoder_run(p->decoder, pkt, &b->headers[i], &w->pkt)) {
		w->shard = (uint8_t)shard_of(&b->headers[i]);
	} else {
		w->pkt = NULL;
		w->shard = NO_SHARD;
	}
}

static void block_fill(struct pipeline *p, struct block *b)
{
	b->bytes = 0;
	for (unsigned i = 0; i < b->n; i++) {
		struct work *w = &b->work[i];
		b->bytes += b->pkts[i].caplen;
		w->now_ns = capture_clock_stamp(&p->clock, b->pkts[i].ts_ns);
		work_fill(p, b, i);
		if (w->pkt != NULL && w->pkt != &b->pkts[i])
			b->bytes += w->pkt->caplen;
	}
	p->bytes_out += b->bytes;
}

static void report_progress(struct pipeline *p)
{
	struct source_stats st;
	if (p->cfg->progress == NULL)
		return;
	source_stats(p->src, &st);
	p->cfg->progress(p->cfg->progress_user, &st, p->clock.now_ns);
}

/* One batch, decoded and handed over. As source_recv() returns. */
static int read_batch(struct pipeline *p)
{
	unsigned max = p->batch;
	uint64_t room = p->cfg->stop_after != 0 ? p->cfg->stop_after - p->packets : max;
	if (room < max)
		max = (unsigned)room;
	struct block *b = &p->blocks[p->filled % p->n_blocks];
	int n = p->merge != NULL ? merge_recv(p->merge, b->pkts, b->work, max)
				 : source_recv(p->src, 0, b->pkts, max);
	if (n <= 0)
		return n;
	b->n = (unsigned)n;
	b->tick_ns = 0;
	p->packets += b->n;
	for (unsigned i = 0; i < b->n; i++)
		if (b->pkts[i].frame == 0)
			b->pkts[i].frame = ++p->frames;
	if (p->cfg->tap != NULL)
		p->cfg->tap(p->cfg->tap_user, b->pkts, b->n);
	block_fill(p, b);
	p->filled++;
	if (++p->batches % PROGRESS_BATCHES == 0)
		report_progress(p);

	if (p->n_workers == 1) {
		worker_block(&p->workers[0], b);
		release_upto(p, p->filled);
	} else if (p->bytes_out > RING_BYTES) {
		publish(p, p->filled);
	} else if (p->filled - p->released == p->n_blocks) {
		/* Half of them: to sleep and be woken for each would take longer than to fill it. */
		publish(p, p->released + p->n_blocks / 2);
	} else if ((p->filled - p->published) * p->batch >= WAKE_PACKETS) {
		publish(p, 0);
	}
	return n;
}

/* Nothing comes, yet time passes: flows end on time, whatever the next packet will say. */
static void tick(struct pipeline *p)
{
	uint64_t now_ns = source_now(p->src);
	if (!p->clock.started || now_ns < LATE_NS)
		return;
	now_ns = (now_ns - LATE_NS) / SECOND_NS * SECOND_NS;
	if (now_ns <= p->clock.now_ns || now_ns <= p->ticked_ns)
		return;
	p->ticked_ns = now_ns;
	if (p->filled - p->released == p->n_blocks)
		publish(p, p->released + 1);
	struct block *b = &p->blocks[p->filled % p->n_blocks];
	b->n = 0;
	b->bytes = 0;
	b->tick_ns = now_ns;
	p->filled++;
	if (p->n_workers == 1) {
		worker_block(&p->workers[0], b);
		release_upto(p, p->filled);
	}
}

/* No queue had a packet: what is waiting goes to the workers, and the source gets time. */
static void rest(struct pipeline *p)
{
	static const struct timespec half_ms = {.tv_nsec = 500000};
	tick(p);
	if (p->n_workers > 1)
		publish(p, 0);
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	if (now - p->told_ns >= TELL_NS) {
		p->told_ns = now;
		report_progress(p);
	}
	nanosleep(&half_ms, NULL);
}

static int read_all(struct pipeline *p)
{
	while (p->cfg->stop_after == 0 || p->packets < p->cfg->stop_after) {
		if (p->cfg->stop != NULL && atomic_load(p->cfg->stop)) {
			p->interrupted = true;
			break;
		}
		int n = read_batch(p);
		if (n == SOURCE_EOF)
			break;
		if (n < 0)
			return n;
		if (n == 0)
			rest(p);
	}
	return 0;
}

/* Set-up */

static int ring_new(struct pipeline *p)
{
	p->n_blocks = 1;
	if (p->n_workers > 1)
		p->n_blocks = RING_PACKETS / p->batch < 4 ? 4 : RING_PACKETS / p->batch;
	p->blocks = calloc(p->n_blocks, sizeof(*p->blocks));
	if (p->blocks == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < p->n_blocks; i++) {
		struct block *b = &p->blocks[i];
		b->pkts = calloc(p->batch, sizeof(*b->pkts));
		b->work = calloc(p->batch, sizeof(*b->work));
		b->headers = calloc(p->batch, sizeof(*b->headers));
		if (b->pkts == NULL || b->work == NULL || b->headers == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void on_flow_end(void *user, struct flow *f, enum flow_end why)
{
	struct shard *s = user;
	if (f->shunt != 0)
		shunt_settle(s, f);
	s->hooks->on_flow_end(s->ctx, f, why);
}

static void on_settle(void *user, struct flow *f)
{
	shunt_settle(user, f);
}

static int shards_new(struct pipeline *p)
{
	uint32_t max_flows = p->cfg->max_flows != 0 ? p->cfg->max_flows : MAX_FLOWS_DEFAULT;
	struct flow_table_config cfg = {
		.max_flows = max_flows / FLOW_SHARDS + (max_flows % FLOW_SHARDS != 0),
		.settle = on_settle,
	};
	for (unsigned i = 0; i < FLOW_SHARDS; i++) {
		struct shard *s = &p->shards[i];
		s->hooks = p->hooks;
		s->src = p->src;
		s->shunting = p->cfg->shunt && p->hooks->may_shunt != NULL;
		s->ctx = p->hooks->shard_new(p->hooks->user, i);
		if (s->ctx == NULL)
			return -ENOMEM;
		int err = flow_table_new(&s->flows, &cfg, on_flow_end, s);
		if (err < 0)
			return err;
	}
	return 0;
}

static struct pipeline *pipeline_new(struct source *src, const struct pipeline_hooks *hooks,
				     const struct pipeline_config *cfg)
{
	struct pipeline *p = aligned_alloc(_Alignof(struct pipeline), sizeof(*p));
	if (p == NULL)
		return NULL;
	*p = (struct pipeline){.src = src, .hooks = hooks, .cfg = cfg};
	p->n_workers = cfg->workers != 0 ? cfg->workers : 1;
	if (p->n_workers > FLOW_GROUPS)
		p->n_workers = FLOW_GROUPS;
	p->batch = cfg->batch != 0 ? cfg->batch : BATCH_DEFAULT;
	if (p->batch > BATCH_MAX)
		p->batch = BATCH_MAX;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->published_cond, NULL);
	pthread_cond_init(&p->done_cond, NULL);
	return p;
}

static int workers_new(struct pipeline *p)
{
	p->workers = aligned_alloc(_Alignof(struct worker), p->n_workers * sizeof(*p->workers));
	if (p->workers == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < p->n_workers; i++)
		p->workers[i] = (struct worker){.p = p};
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		p->workers[i % FLOW_GROUPS % p->n_workers].owned |= 1u << i;
	int err = 0;
	for (unsigned i = 0; i < p->n_workers && err == 0; i++)
		err = worker_new(&p->workers[i]);
	return err;
}

static void pipeline_free(struct pipeline *p)
{
	for (unsigned i = 0; i < FLOW_SHARDS; i++) {
		flow_table_free(p->shards[i].flows);
		if (p->shards[i].ctx != NULL)
			p->hooks->shard_free(p->hooks->user, p->shards[i].ctx);
	}
	for (unsigned i = 0; p->blocks != NULL && i < p->n_blocks; i++) {
		free(p->blocks[i].pkts);
		free(p->blocks[i].work);
		free(p->blocks[i].headers);
	}
	for (unsigned i = 0; p->workers != NULL && i < p->n_workers; i++)
		worker_free(&p->workers[i]);
	merge_free(p->merge, &p->unread, &p->unread_bytes);
	free(p->blocks);
	free(p->workers);
	decoder_free(p->decoder);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->published_cond);
	pthread_cond_destroy(&p->done_cond);
	free(p);
}

static void flow_stats_add(struct flow_table_stats *sum, const struct flow_table_stats *st)
{
	sum->created += st->created;
	for (unsigned i = 0; i < FLOW_END_N; i++)
		sum->ended[i] += st->ended[i];
	sum->peak += st->peak;
	sum->midstream += st->midstream;
	sum->icmp_unmatched += st->icmp_unmatched;
}

static void stats_fill(struct pipeline *p, struct pipeline_stats *out)
{
	source_stats(p->src, &out->source);
	out->source.received -= p->unread;
	out->source.bytes -= p->unread_bytes;
	out->decoder = *decoder_stats(p->decoder);
	for (unsigned i = 0; i < FLOW_SHARDS; i++) {
		flow_stats_add(&out->flows, flow_table_stats(p->shards[i].flows));
		out->no_memory += p->shards[i].no_memory;
	}
	out->time_backwards = p->clock.backwards;
	out->time_jump = p->clock.jumps;
	out->first_ns = p->clock.first_ns;
	out->last_ns = p->clock.now_ns;
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		if (p->shards[i].shunted_ns > out->last_ns)
			out->last_ns = p->shards[i].shunted_ns;
	out->interrupted = p->interrupted;
}

int pipeline_run(struct source *src, const struct pipeline_hooks *hooks,
		 const struct pipeline_config *cfg, struct pipeline_stats *stats)
{
	static const struct decoder_config decoder_cfg;
	unsigned n_started = 0;
	*stats = (struct pipeline_stats){.interrupted = false};
	struct pipeline *p = pipeline_new(src, hooks, cfg);
	if (p == NULL)
		return -ENOMEM;
	int ret = workers_new(p);
	if (ret == 0)
		ret = ring_new(p);
	if (ret == 0 && source_queues(src) > 1)
		ret = merge_new(&p->merge, src, source_queues(src), p->batch);
	if (ret == 0)
		ret = decoder_new(&p->decoder, &decoder_cfg);
	if (ret == 0)
		ret = shards_new(p);
	if (ret < 0)
		goto out;

	ret = workers_start(p, &n_started);
	if (ret == 0)
		ret = read_all(p);
	workers_finish(p, n_started);
	release_upto(p, p->filled);
	merge_free(p->merge, &p->unread, &p->unread_bytes);
	p->merge = NULL;
	stats_fill(p, stats);
out:
	pipeline_free(p);
	return ret;
}
