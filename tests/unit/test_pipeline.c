/* SPDX-License-Identifier: BSD-3-Clause */

/* The pipeline: order, clock, ends; and that neither batch nor workers change any of it. */

#include "dataplane/pipeline.c"
#include "tests/unit/pipeline_run.h"

/* Traffic */

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
	for (unsigned i = 0; i < 5000; i++) /* queues are merged by time, and frames have numbers already */
		rows[i].ts_ns = T0 + i * MS;
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
