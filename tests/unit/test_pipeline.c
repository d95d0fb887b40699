/* SPDX-License-Identifier: BSD-3-Clause */

/* The pipeline between a source and a decoder of this test's own: packets are rows of a table. */

#include "dataplane/pipeline.c"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

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
	int error;        /* at the end, instead of the end */
	unsigned max_out; /* most packets out at once */
	uint32_t caplen;  /* of each packet, as far as the pipeline is told */
	unsigned char taken[PACKETS_MAX + 1]; /* by frame: out to the pipeline */
};

unsigned source_queues(const struct source *s)
{
	return s->n_queues;
}

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

void source_release(struct source *s, unsigned q, const struct packet pkts[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(pkts[i].cookie, q);
		assert_int_equal(s->taken[pkts[i].frame], 1);
		s->taken[pkts[i].frame] = 0;
		s->released++;
	}
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

static struct pipeline_stats run(struct source *src, const struct pipeline_config *cfg,
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

/* A router at 192.0.2.1 says of h what ICMP says of it. */
static struct headers icmp_about(const struct headers *h)
{
	struct headers e = {.ip_version = 4, .proto = IPPROTO_ICMP, .src = addr4(0xc0000201),
			    .dst = h->src, .sport = 3, .dport = 13, .is_icmp_error = true,
			    .quoted_ok = true, .quoted_proto = h->proto, .quoted_src = h->src,
			    .quoted_dst = h->dst, .quoted_sport = h->sport,
			    .quoted_dport = h->dport, .ip_len = 56};
	return e;
}

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525U + 1013904223U;
	return (uint32_t)((uint64_t)random_state * n >> 32);
}

static uint64_t random_time(uint64_t now)
{
	switch (random_below(400)) {
	case 0:
		return now + random_below(90) * SECOND_NS; /* quiet: flows end */
	case 1:
		return now - random_below(3000) * MS;      /* late */
	case 2:
		return now + 5 * 3600 * SECOND_NS;         /* broken */
	default:
		return now + random_below(20) * MS;
	}
}

static struct headers random_headers(void)
{
	static const uint16_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_ACK, TCP_ACK,
					 TCP_ACK | TCP_PSH, TCP_FIN | TCP_ACK, TCP_RST};
	uint32_t client = 0x0a000000 + random_below(40), server = 0xc6336400 + random_below(30);
	uint16_t port = (uint16_t)(40000 + random_below(4));
	struct headers h = random_below(2) == 0 ? udp(client, port, server, 443)
						: udp(server, 443, client, port);
	h.proto = random_below(3) == 0 ? IPPROTO_UDP : IPPROTO_TCP;
	if (h.proto == IPPROTO_TCP) {
		h.flags = flags[random_below(sizeof(flags) / sizeof(flags[0]))];
		h.seq = random_below(3);
	}
	if (random_below(25) == 0)
		h = icmp_about(&h);
	else if (random_below(50) == 0)
		h = (struct headers){.end = DECODE_NOT_IP};
	else if (random_below(50) == 0)
		h.end = DECODE_CUT_TRANSPORT;
	else if (random_below(50) == 0)
		h.end = DECODE_NO_PORTS, h.proto = 132;
	return h;
}

static void random_traffic(unsigned n)
{
	uint64_t now = T0;
	random_state = 7;
	for (unsigned i = 0; i < n; i++) {
		uint64_t ts = random_time(now);
		rows[i] = (struct row){.ts_ns = ts, .h = random_headers(),
				       .eaten = random_below(100) == 0};
		if (ts > now && ts - now < 3600 * SECOND_NS)
			now = ts;
	}
}

/* Tests */

static void neither_batch_nor_workers_change_anything(void **state)
{
	enum { N = 40000 };
	static const unsigned batches[] = {64, 1, 7, 1000}, workers[] = {1, 2, 8, 16};
	struct outcome first = {.n_new = 0};
	struct pipeline_stats first_stats = {.no_memory = 0};
	(void)state;
	random_traffic(N);
	for (unsigned i = 0; i < 16; i++) {
		static struct source src;
		struct outcome o = {.n_new = 0};
		struct pipeline_config cfg = {.batch = batches[i % 4], .workers = workers[i / 4],
					      .max_flows = 1600};
		src = (struct source){.rows = rows, .n = N, .n_queues = 1, .stutter = i * 37,
				      .caplen = i % 3 == 0 ? 262144 : 60};
		struct pipeline_stats st = run(&src, &cfg, &o, 0);
		uint64_t ends = 0;
		for (unsigned e = 0; e < DECODE_N_ENDS; e++)
			ends += st.decoder.ends[e];
		assert_int_equal(ends, N);
		assert_int_equal(o.packets, st.decoder.ends[DECODE_OK] +
						    st.decoder.ends[DECODE_NO_PORTS]);
		assert_true(src.max_out <= RING_PACKETS);
		assert_true(src.caplen == 60 || src.max_out <= RING_BYTES / src.caplen + 1000);
		if (i == 0) {
			first = o;
			first_stats = st;
			continue;
		}
		assert_memory_equal(o.trace, first.trace, sizeof(o.trace));
		assert_memory_equal(&st, &first_stats, sizeof(st));
		assert_int_equal(o.icmp, first.icmp);
	}
	/* The traffic was worth it: every kind of thing happened. */
	for (unsigned why = 0; why < FLOW_END_N; why++)
		assert_true(first_stats.flows.ended[why] > 0);
	assert_true(first.icmp > 100 && first_stats.flows.icmp_unmatched > 10);
	assert_true(first_stats.time_backwards > 10 && first_stats.time_jump > 10);
	assert_true(first_stats.flows.midstream > 0);
}

static void several_queues_are_read_to_their_ends(void **state)
{
	static struct source src;
	struct outcome o = {.n_new = 0};
	struct pipeline_config cfg = {.workers = 2, .batch = 10};
	(void)state;
	random_traffic(5000);
	src = (struct source){.rows = rows, .n = 5000, .n_queues = 3, .stutter = 5};
	struct pipeline_stats st = run(&src, &cfg, &o, 0);
	assert_int_equal(st.source.received, 5000);
}

static void an_icmp_error_joins_the_flow_it_quotes(void **state)
{
	static struct source src;
	struct outcome o = {.n_new = 0};
	struct pipeline_config cfg = {.workers = 1};
	(void)state;
	rows[0] = (struct row){.ts_ns = T0, .h = udp(1, 5000, 2, 53)};
	rows[1] = (struct row){.ts_ns = T0, .h = icmp_about(&rows[0].h)};
	rows[2] = (struct row){.ts_ns = T0, .h = udp(1, 5001, 2, 53)};
	rows[2].h = icmp_about(&rows[2].h);
	src = (struct source){.rows = rows, .n = 3, .n_queues = 1};
	struct pipeline_stats st = run(&src, &cfg, &o, 0);
	assert_int_equal(o.icmp, 1);
	assert_int_equal(o.packets, 3);
	assert_int_equal(st.flows.icmp_unmatched, 1);
	assert_int_equal(st.flows.created, 2); /* the datagram's, and both errors' */
}

static void the_clock_only_goes_forward(void **state)
{
	struct capture_clock c = {.started = false};
	(void)state;
	assert_int_equal(capture_clock_stamp(&c, T0), T0);
	assert_int_equal(capture_clock_stamp(&c, T0 + 5), T0 + 5);
	assert_int_equal(capture_clock_stamp(&c, T0 + 4), T0 + 5);
	assert_int_equal(c.backwards, 1);
	assert_int_equal(capture_clock_stamp(&c, T0 + 5 + CLOCK_JUMP_NS), T0 + 5 + CLOCK_JUMP_NS);
	uint64_t now = c.now_ns;
	/* Fifteen say so, one disagrees, and they must begin again. */
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(capture_clock_stamp(&c, now + 3 * CLOCK_JUMP_NS + i), now);
	assert_int_equal(capture_clock_stamp(&c, now + 1), now + 1);
	assert_int_equal(capture_clock_stamp(&c, UINT64_MAX), now + 1);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(capture_clock_stamp(&c, now + 3 * CLOCK_JUMP_NS + i), now + 1);
	assert_int_equal(c.jumps, 31);
	assert_int_equal(capture_clock_stamp(&c, now + 3 * CLOCK_JUMP_NS), now + 3 * CLOCK_JUMP_NS);
	assert_int_equal(c.jumps, 31);
	assert_int_equal(c.backwards, 1);
	assert_int_equal(c.first_ns, T0);
}

static void shards_without_packets_hear_the_time(void **state)
{
	static struct source src;
	(void)state;
	rows[0] = (struct row){.ts_ns = T0, .h = udp(1, 5000, 2, 53)};
	for (unsigned i = 1; i < 500; i++) /* not IP, but they tell the time */
		rows[i] = (struct row){.ts_ns = T0 + i * SECOND_NS,
				       .h = {.end = DECODE_NOT_IP}};
	for (unsigned workers = 1; workers <= 8; workers *= 2) {
		struct outcome o = {.n_new = 0};
		struct pipeline_config cfg = {.workers = workers};
		src = (struct source){.rows = rows, .n = 500, .n_queues = 1};
		struct pipeline_stats st = run(&src, &cfg, &o, 0);
		assert_int_equal(st.flows.ended[FLOW_END_TIMEOUT], 1);
		assert_int_equal(st.flows.ended[FLOW_END_EOF], 0);
		assert_int_equal(st.first_ns, T0);
		assert_int_equal(st.last_ns, T0 + 499 * SECOND_NS);
	}
}

static atomic_bool stop_now;
static unsigned n_progress;

static void progress(void *user, const struct source_stats *st, uint64_t now_ns)
{
	assert_int_equal(st->received, ++n_progress * 64 * 10);
	assert_int_not_equal(now_ns, 0);
	if (n_progress == 3)
		atomic_store((atomic_bool *)user, true);
}

static void it_ends_early_when_told(void **state)
{
	static struct source src;
	(void)state;
	random_traffic(20000);
	for (unsigned workers = 1; workers <= 4; workers += 3) {
		struct outcome o = {.n_new = 0}, limited = {.n_new = 0}, broken = {.n_new = 0};
		struct pipeline_config cfg = {.workers = workers, .batch = 10, .stop = &stop_now,
					      .progress = progress, .progress_user = &stop_now};
		atomic_store(&stop_now, false);
		n_progress = 0;
		src = (struct source){.rows = rows, .n = 20000, .n_queues = 1};
		struct pipeline_stats st = run(&src, &cfg, &o, 0);
		assert_true(st.interrupted);
		assert_int_equal(st.source.received, 3 * 64 * 10);
		assert_int_equal(n_progress, 3);

		cfg = (struct pipeline_config){.workers = workers, .stop_after = 1003};
		src = (struct source){.rows = rows, .n = 20000, .n_queues = 1};
		st = run(&src, &cfg, &limited, 0);
		assert_false(st.interrupted);
		assert_int_equal(st.source.received, 1003);

		cfg = (struct pipeline_config){.workers = workers};
		src = (struct source){.rows = rows, .n = 3000, .n_queues = 1, .error = -EIO};
		st = run(&src, &cfg, &broken, -EIO);
		assert_int_equal(st.source.received, 3000);
		assert_true(st.flows.ended[FLOW_END_EOF] > 0);
	}
}

static void an_empty_source_and_a_failing_shard(void **state)
{
	static struct source src;
	struct outcome o = {.n_new = 0}, failing = {.fail_shard = 9};
	struct pipeline_config cfg = {.workers = 3};
	(void)state;
	src = (struct source){.rows = rows, .n = 0, .n_queues = 1};
	struct pipeline_stats st = run(&src, &cfg, &o, 0);
	assert_int_equal(st.last_ns, 0);
	assert_int_equal(o.n_freed, FLOW_SHARDS);
	run(&src, &cfg, &failing, -ENOMEM);
	assert_int_equal(failing.n_freed, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neither_batch_nor_workers_change_anything),
		cmocka_unit_test(several_queues_are_read_to_their_ends),
		cmocka_unit_test(an_icmp_error_joins_the_flow_it_quotes),
		cmocka_unit_test(the_clock_only_goes_forward),
		cmocka_unit_test(shards_without_packets_hear_the_time),
		cmocka_unit_test(it_ends_early_when_told),
		cmocka_unit_test(an_empty_source_and_a_failing_shard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
