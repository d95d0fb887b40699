/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A source and a decoder for tests of the pipeline, which they include first: packets are rows of a table. */

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#ifndef SHUNTS /* else the test has a source that does */
#include "tests/no_shunt.h"
#endif

#define T0 (1700000000 * SECOND_NS)
#define MS 1000000ULL
#define PACKETS_MAX 60000

struct row {
	uint64_t ts_ns;
	struct headers h;
	bool eaten; /* by the decoder: a fragment */
};

/* Source */

struct source {
	const struct row *rows;
	unsigned n, next, n_queues, released;
	unsigned stutter; /* every so many calls there is nothing yet */
	unsigned calls;
	uint64_t now_ns;  /* of its clock while it has nothing yet */
	int error;        /* at the end, instead of the end */
	unsigned max_out; /* most packets out at once */
	uint32_t caplen;  /* of each packet, as far as the pipeline is told */
	unsigned char taken[PACKETS_MAX + 1]; /* by frame: out to the pipeline */
};

unsigned source_queues(const struct source *s)
{
	return s->n_queues;
}

uint64_t source_late_ns(const struct source *s)
{
	(void)s;
	return 0;
}

#ifndef SHUNTS
int source_recv(struct source *s, unsigned q, struct packet pkts[], unsigned max)
{
	unsigned n = 0;
	if (s->stutter != 0 && ++s->calls % s->stutter == 0)
		return 0;
	if (s->next == s->n)
		return s->error != 0 ? s->error : SOURCE_EOF;
	for (; n < max && s->next < s->n; n++, s->next++) {
		pkts[n] = (struct packet){.ts_ns = s->rows[s->next].ts_ns, .frame = s->next + 1,
					  .caplen = s->caplen, .cookie = q};
		s->taken[s->next + 1] = 1;
	}
	if (s->next - s->released > s->max_out)
		s->max_out = s->next - s->released;
	return (int)n;
}
#endif

void source_release(struct source *s, unsigned q, const struct packet pkts[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(pkts[i].cookie, q);
		assert_int_equal(s->taken[pkts[i].frame], 1);
		s->taken[pkts[i].frame] = 0;
		s->released++;
	}
}

uint64_t source_now(struct source *s)
{
	return s->now_ns;
}

void source_stats(struct source *s, struct source_stats *out)
{
	*out = (struct source_stats){.received = s->next};
}

/* Decoder */

static const struct row *decoder_rows;

struct decoder {
	struct decoder_stats stats;
	unsigned out;
};

int decoder_new(struct decoder **out, const struct decoder_config *cfg)
{
	(void)cfg;
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? 0 : -ENOMEM;
}

void decoder_free(struct decoder *d)
{
	if (d != NULL)
		assert_int_equal(d->out, 0);
	free(d);
}

bool decoder_run(struct decoder *d, const struct packet *pkt, struct headers *out,
		 const struct packet **whole)
{
	const struct row *r = &decoder_rows[pkt->frame - 1];
	*out = r->h;
	*whole = pkt;
	d->stats.ends[r->eaten ? DECODE_FRAGMENT : r->h.end]++;
	d->out += !r->eaten;
	return !r->eaten;
}

bool decoder_sort(struct decoder *d, const struct packet *pkt, struct ip_addr *src, struct ip_addr *dst)
{
#ifdef SHUNTS
	(void)d, (void)pkt, (void)src, (void)dst;
	return false;
#else
	const struct row *r = &decoder_rows[pkt->frame - 1];
	if (r->eaten || r->h.end != DECODE_OK || r->h.is_icmp_error)
		return false;
	*src = r->h.src;
	*dst = r->h.dst;
	d->stats.ends[DECODE_OK]++;
	d->out++;
	return true;
#endif
}

#ifndef SHUNTS
void packet_decode(const struct packet *pkt, struct headers *out)
{
	*out = decoder_rows[pkt->frame - 1].h;
}
#endif

void decoder_release(struct decoder *d, const struct packet *whole)
{
	assert_non_null(whole);
	d->out--;
}

const struct decoder_stats *decoder_stats(const struct decoder *d)
{
	return &d->stats;
}

/* Hooks: all that they are told goes into one number a shard. */

struct context {
	unsigned shard;
	uint64_t trace, packets, icmp;
	uint64_t last_now_ns, last_frame;
	bool disorder;
};

struct outcome {
	uint64_t trace[FLOW_SHARDS], packets, icmp;
	unsigned n_new, n_freed;
	bool disorder;
	unsigned fail_shard; /* shard_new fails here, from 1 on */
};

static void note(struct context *c, uint64_t v)
{
	c->trace = (c->trace ^ v) * 0x100000001b3ULL;
	c->trace ^= c->trace >> 29;
}

static void *shard_new(void *user, unsigned shard)
{
	struct outcome *o = user;
	if (o->fail_shard == shard + 1)
		return NULL;
	struct context *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	c->shard = shard;
	o->n_new++;
	return c;
}

static void on_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		      const struct headers *h, uint64_t now_ns)
{
	struct context *c = shard;
	c->disorder |= now_ns < c->last_now_ns || pkt->frame <= c->last_frame;
	c->last_now_ns = now_ns;
	c->last_frame = pkt->frame;
	c->packets++;
	f->scratch = c;
	note(c, 1);
	note(c, pkt->frame);
	note(c, f->id);
	note(c, f->pkts[dir] << 3 | dir);
	note(c, now_ns);
	note(c, h->seq);
	note(c, f->state);
}

static void on_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		    const struct headers *h)
{
	struct context *c = shard;
	c->icmp++;
	assert_true(h->is_icmp_error);
	note(c, 2);
	note(c, pkt->frame << 1 | dir);
	note(c, f->id);
}

static void flow_ended(void *shard, struct flow *f, enum flow_end why)
{
	struct context *c = shard;
	assert_ptr_equal(f->scratch, c);
	note(c, 3);
	note(c, f->id << 3 | why);
	note(c, f->last_ns);
}

static void shard_free(void *user, void *shard)
{
	struct outcome *o = user;
	struct context *c = shard;
	assert_int_equal(c->shard, o->n_freed);
	o->trace[o->n_freed++] = c->trace;
	o->packets += c->packets;
	o->icmp += c->icmp;
	o->disorder |= c->disorder;
	free(c);
}

static inline struct pipeline_stats run(struct source *src, const struct pipeline_config *cfg,
					struct outcome *o, int expected)
{
	struct pipeline_hooks hooks = {.user = o, .shard_new = shard_new, .on_packet = on_packet,
				       .on_icmp = on_icmp, .on_flow_end = flow_ended,
				       .shard_free = shard_free};
	struct pipeline_stats stats;
	decoder_rows = src->rows;
	assert_int_equal(pipeline_run(src, &hooks, cfg, &stats), expected);
	assert_int_equal(o->n_freed, o->n_new);
	assert_int_equal(src->released, src->next);
	assert_false(o->disorder);
	return stats;
}

/* Traffic */

static struct row rows[PACKETS_MAX];

static struct ip_addr addr4(uint32_t a)
{
	return (struct ip_addr){.b = {[10] = 0xff, 0xff, (uint8_t)(a >> 24), (uint8_t)(a >> 16),
				      (uint8_t)(a >> 8), (uint8_t)a}};
}

static struct headers udp(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	return (struct headers){.ip_version = 4, .proto = IPPROTO_UDP, .src = addr4(src),
				.dst = addr4(dst), .sport = sport, .dport = dport, .ip_len = 60};
}
