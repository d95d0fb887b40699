/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The pipeline without a wire: pipeline FLOWS ROUNDS WORKERS
 *
 * A source in memory hands out frames of 64 bytes (60 and the checksum that no capture has), one of
 * each flow in turn, ROUNDS times; they are decoded and find their flow, and the hooks only count, as
 * for flows that are decided. Prints one JSON object; fails unless every flow was seen, whole.
 * The source's functions stand in for those of dataplane/source.c, which is not linked.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/pipeline.h"
#include "tests/no_shunt.h"

#define FRAME     60u
#define PACKET_NS 67u /* between frames of 64 bytes on a wire of 10 Gb/s */
#define BEGIN_NS  (UINT64_C(1767225600) * 1000000000)

struct source {
	uint8_t *frames;
	uint64_t flows, next, n, released;
};

struct tally {
	uint64_t packets, flows, whole, rounds;
};

static struct tally shards[FLOW_SHARDS];

unsigned source_queues(const struct source *s)
{
	(void)s;
	return 1;
}

uint64_t source_late_ns(const struct source *s)
{
	(void)s;
	return 0;
}

int source_recv(struct source *s, unsigned q, struct packet pkts[], unsigned max)
{
	unsigned n = 0;

	(void)q;
	for (; n < max && s->next < s->n; n++, s->next++)
		pkts[n] = (struct packet){.data = s->frames + s->next % s->flows * FRAME,
					  .caplen = FRAME, .wirelen = FRAME,
					  .ts_ns = BEGIN_NS + s->next * PACKET_NS,
					  .linktype = LINKTYPE_ETHERNET};
	return n > 0 ? (int)n : SOURCE_EOF;
}

void source_release(struct source *s, unsigned q, const struct packet pkts[], unsigned n)
{
	(void)q;
	(void)pkts;
	s->released += n;
}

uint64_t source_now(struct source *s)
{
	return BEGIN_NS + s->next * PACKET_NS;
}

void source_stats(struct source *s, struct source_stats *out)
{
	*out = (struct source_stats){.received = s->next, .bytes = s->next * FRAME};
}

static void *shard_new(void *user, unsigned shard)
{
	shards[shard] = (struct tally){.rounds = *(const uint64_t *)user};
	return &shards[shard];
}

static void on_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		      const struct headers *h, uint64_t now_ns)
{
	struct tally *t = shard;

	(void)f;
	(void)dir;
	(void)pkt;
	(void)h;
	(void)now_ns;
	t->packets++;
}

static void on_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		    const struct headers *h)
{
	(void)shard;
	(void)f;
	(void)dir;
	(void)pkt;
	(void)h;
}

static void on_flow_end(void *shard, struct flow *f, enum flow_end why)
{
	struct tally *t = shard;

	t->flows++;
	t->whole += why == FLOW_END_EOF && f->pkts[DIR_C2S] + f->pkts[DIR_S2C] == t->rounds;
}

static void shard_free(void *user, void *shard)
{
	(void)user;
	(void)shard;
}

static void put(uint8_t *p, uint32_t v, unsigned bytes)
{
	while (bytes-- > 0) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

/* Six bytes of data in the middle of a TCP connection, between addresses all over the table. */
static void frame_fill(uint8_t *p, uint32_t flow)
{
	static const uint8_t head[] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
		0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 6, 0, 0};

	memcpy(p, head, sizeof(head));
	put(p + 26, 0x0a000000u | (flow / 16), 4);
	put(p + 30, 0xc6120000u | (flow & 0xffff), 4); /* 198.18.0.0/15, RFC 2544 */
	put(p + 34, 1024 + flow % 60000, 2);
	put(p + 36, 443, 2);
	put(p + 38, flow * 2654435761u, 4);
	put(p + 42, 1, 4);
	p[46] = 0x50;
	p[47] = 0x18; /* PSH, ACK */
	memset(p + 54, 1, 6); /* zeros would be padding that IP counts in */
	put(p + 48, 512, 2);
}

static double seconds(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct tally sum(void)
{
	struct tally t = {.packets = 0};

	for (unsigned i = 0; i < FLOW_SHARDS; i++) {
		t.packets += shards[i].packets;
		t.flows += shards[i].flows;
		t.whole += shards[i].whole;
	}
	return t;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: pipeline FLOWS ROUNDS WORKERS\n", stderr);
		return 2;
	}
	uint64_t flows = strtoull(argv[1], NULL, 10), rounds = strtoull(argv[2], NULL, 10);
	if (flows == 0 || flows > 1u << 24 || rounds == 0) {
		fputs("error: 1 to 16777216 flows, each once at least\n", stderr);
		return 2;
	}
	struct source src = {.flows = flows, .n = flows * rounds};
	/* Shards are not equally full: room for all flows in the fullest. */
	const struct pipeline_config cfg = {.workers = (unsigned)strtoul(argv[3], NULL, 10),
					    .max_flows = (uint32_t)(flows * 2 + 4096)};
	const struct pipeline_hooks hooks = {.user = &rounds, .shard_new = shard_new,
					     .on_packet = on_packet, .on_icmp = on_icmp,
					     .on_flow_end = on_flow_end, .shard_free = shard_free};
	struct pipeline_stats st;

	src.frames = calloc(flows, FRAME);
	if (src.frames == NULL) {
		fputs("error: out of memory\n", stderr);
		return 1;
	}
	for (uint64_t i = 0; i < flows; i++)
		frame_fill(src.frames + i * FRAME, (uint32_t)i);
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	int err = pipeline_run(&src, &hooks, &cfg, &st);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	struct tally t = sum();
	free(src.frames);
	printf("{\"workers\":%u,\"packets\":%" PRIu64 ",\"flows\":%" PRIu64 ",\"wall\":%.6f,"
	       "\"cpu\":%.6f}\n", cfg.workers, t.packets, t.flows, wall, cpu);
	if (err == 0 && t.packets == src.n && t.flows == flows && t.whole == flows &&
	    st.flows.created == flows && src.released == src.n)
		return 0;
	fprintf(stderr, "error: %d: %" PRIu64 " of %" PRIu64 " flows whole, %" PRIu64 " of %" PRIu64
		" packets\n", err, t.whole, flows, t.packets, src.n);
	return 1;
}
