/* SPDX-License-Identifier: BSD-3-Clause */

/* What the table keeps apart, and what it gives up: idle flows, and the least worth when it is full. */

#include "dataplane/flow.c"

#include "tests/unit/flow_build.h"

static void flows_end_when_idle(void **state)
{
	(void)state;
	struct flow_table *t = table((struct flow_table_config){.max_flows = 0});
	struct headers udp = packet4(IPPROTO_UDP, CLIENT, 5000, SERVER, 53);
	struct headers icmp = packet4(IPPROTO_ICMP, CLIENT, 8, SERVER, 0);
	enum dir dir;
	tcp(t, true, TCP_SYN, 1, 0, T0);
	give(t, &udp, T0, &dir);
	give(t, &icmp, T0, &dir);
	flow_table_expire(t, T0 + 59 * SECOND_NS);
	assert_int_equal(n_ends, 0);
	flow_table_expire(t, T0 + 60 * SECOND_NS);
	assert_int_equal(n_ends, 1);
	assert_int_equal(ends[0].id, 3 << 2);
	flow_table_expire(t, T0 + 179 * SECOND_NS);
	assert_int_equal(n_ends, 1);
	/* Found idle by a lookup, before anybody told the table the time. */
	struct flow *f = give(t, &udp, T0 + 180 * SECOND_NS, &dir);
	assert_int_equal(n_ends, 2);
	assert_int_equal(ends[1].id, 2 << 2);
	assert_int_equal(ends[1].why, FLOW_END_TIMEOUT);
	assert_int_equal(flow_first_frame(f), 4);
	assert_int_equal(f->pkts[DIR_C2S], 1);
	flow_table_expire(t, T0 + 600 * SECOND_NS);
	assert_int_equal(n_ends, 4);
	assert_int_equal(ends[2].id, 4 << 2);
	assert_int_equal(ends[3].id, 1 << 2);
	assert_int_equal(flow_table_stats(t)->ended[FLOW_END_TIMEOUT], 4);
	assert_int_equal(flow_table_stats(t)->created, 4);
	assert_int_equal(flow_table_stats(t)->peak, 3);
	flow_table_free(t);
}

static void give_number(struct flow_table *t, unsigned number, uint64_t now_ns)
{
	struct headers h = {.ip_version = 4, .proto = number % 2 == 0 ? IPPROTO_UDP : IPPROTO_TCP,
			    .src = {.b = {10, 0, 0, (uint8_t)number}}, .dst = {.b = {10, 9, 9, 9}},
			    .sport = 5000, .dport = 53, .ip_len = 40};
	struct packet pkt = {.ts_ns = now_ns, .frame = 1};
	enum dir dir;
	assert_non_null(flow_table_update(t, &pkt, &h, now_ns, &dir));
}

/* Flows are moved in their lists once a second, and end all the same when a count of seconds says. */
static void flows_end_in_the_second_when_they_are_idle(void **state)
{
	enum { FLOWS = 64, PACKETS = 20000 };
	const struct flow_table_config cfg = {.udp_idle_ns = 3 * SECOND_NS, .tcp_idle_ns = 5 * SECOND_NS};
	uint64_t seen[FLOWS] = {0}, now = T0, next = T0 + SECOND_NS;
	unsigned ended = 0, live = 0;
	uint32_t x = 7;
	(void)state;
	struct flow_table *t = table(cfg);
	for (unsigned i = 0; i < PACKETS; i++) {
		x = x * 1664525 + 1013904223;
		/* Every eighth packet comes at a whole second, to the nanosecond. */
		now = i % 8 == 0 ? next : now + (x >> 8) % (130 * MS);
		for (; now >= next; next += SECOND_NS) {
			flow_table_expire(t, next);
			for (unsigned k = 0; k < FLOWS; k++) {
				if (seen[k] == 0 || next - seen[k] < (k % 2 == 0 ? 3 : 5) * SECOND_NS)
					continue;
				seen[k] = 0;
				ended++;
				live--;
			}
			assert_int_equal(n_ends, ended);
			n_ends = ended = 0;
		}
		unsigned k = (x >> 20) % FLOWS * ((x >> 28) % 4) / 3;
		give_number(t, k, now);
		live += seen[k] == 0;
		/* Between two seconds its next packet finds it idle. */
		ended += seen[k] != 0 && now - seen[k] >= (k % 2 == 0 ? 3 : 5) * SECOND_NS;
		seen[k] = now;
		assert_int_equal(t->n_flows, live);
	}
	flow_table_free(t);
}

static void a_full_table_evicts(void **state)
{
	(void)state;
	struct flow_table *t = table((struct flow_table_config){.max_flows = 4});
	enum dir dir;
	struct headers h = packet4(IPPROTO_UDP, CLIENT, 1000, SERVER, 53);
	tcp(t, true, TCP_SYN, 1, 0, T0);                       /* 1: lives longest */
	give(t, &h, T0, &dir);                                 /* 2: UDP */
	h.sport = 1001;
	give(t, &h, T0, &dir);                                 /* 3: UDP */
	h = packet4(IPPROTO_TCP, CLIENT, 1, SERVER, 80);
	h.flags = TCP_RST;
	give(t, &h, T0, &dir);                                 /* 4: reset */
	h = packet4(IPPROTO_UDP, CLIENT, 1000, SERVER, 53);
	give(t, &h, T0 + 1, &dir);                             /* 5: 2 is used again */
	static const uint64_t order[] = {4, 3, 2, 6, 7};
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		h.sport = (uint16_t)(2000 + i);
		give(t, &h, T0 + 2 + i, &dir);
		assert_int_equal(n_ends, i + 1);
		assert_int_equal(ends[i].id, order[i] << 2);
		assert_int_equal(ends[i].why, FLOW_END_EVICTED);
	}
	assert_int_equal(flow_table_stats(t)->peak, 4);
	flow_table_free(t);
}

static void keys_tell_flows_apart(void **state)
{
	(void)state;
	struct flow_table *t = table((struct flow_table_config){.max_flows = 0});
	struct headers h = packet4(IPPROTO_TCP, CLIENT, 40000, SERVER, 443);
	struct packet pkt = {.ts_ns = T0, .frame = 9, .file = 3};
	enum dir dir;
	struct flow *f = flow_table_update(t, &pkt, &h, T0, &dir);
	assert_int_equal(f->id, 3ULL << 40 | 9 << 2);
	h.tunnel_id = 5;
	h.n_tunnels = 4;
	h.tunnels[0] = TUNNEL_GRE;
	struct flow *g = flow_table_update(t, &pkt, &h, T0, &dir);
	assert_ptr_not_equal(f, g);
	assert_int_equal(g->id, 3ULL << 40 | 9 << 2 | 3);
	assert_int_equal(g->tunnels[0], TUNNEL_GRE);
	h.ip_version = 6;
	assert_ptr_not_equal(flow_table_update(t, &pkt, &h, T0, &dir), g);
	h.proto = IPPROTO_UDP;
	flow_table_update(t, &pkt, &h, T0, &dir);
	assert_int_equal(flow_table_stats(t)->created, 4);
	h.ip_version = 0;
	assert_null(flow_table_update(t, &pkt, &h, T0, &dir));
	flow_table_free(t);
}

/* Thousands of flows come and go; a plain array says which ought to be there. */
static void the_table_holds_what_it_was_given(void **state)
{
	enum { N = 3000, ROUNDS = 60000 };
	static uint64_t model[N]; /* id, 0 not there */
	static uint64_t last[N];
	uint32_t x = 1;
	(void)state;
	memset(model, 0, sizeof(model));
	struct flow_table *t = table((struct flow_table_config){.udp_idle_ns = 20 * SECOND_NS});
	for (unsigned i = 0; i < ROUNDS; i++) {
		x = x * 1664525U + 1013904223U;
		unsigned k = (x >> 12) % N;
		uint64_t now = T0 + i * 10 * MS;
		struct headers h = packet4(IPPROTO_UDP, CLIENT + k % 7, (uint16_t)(1024 + k),
					   SERVER, 53);
		enum dir dir;
		if (i % 100 == 0) {
			flow_table_expire(t, now);
			n_ends = 0;
		}
		if (model[k] != 0 && now - last[k] >= 20 * SECOND_NS)
			model[k] = 0;
		struct flow *f = give(t, &h, now, &dir);
		if (model[k] == 0)
			model[k] = (next_frame - 1) << 2;
		last[k] = now;
		assert_int_equal(f->id, model[k]);
	}
	/* What is left ends in order of creation. */
	n_ends = 0;
	flow_table_end_all(t);
	assert_true(n_ends > 1000);
	for (unsigned i = 1; i < n_ends; i++)
		assert_true(ends[i - 1].id < ends[i].id);
	assert_int_equal(flow_table_stats(t)->ended[FLOW_END_EOF], n_ends);
	struct headers h = packet4(IPPROTO_UDP, CLIENT, 1, SERVER, 53);
	enum dir dir;
	assert_non_null(give(t, &h, T0, &dir));
	flow_table_free(t);
}

static void count_end(void *user, struct flow *f, enum flow_end why)
{
	uint64_t *next = user;
	assert_int_equal(why, FLOW_END_EOF);
	assert_int_equal(f->id, *next << 2);
	*next += 1;
}

/* Through every size of slab and of slots that a million flows over all shards come to. */
static void flows_stay_where_they_are_while_the_table_grows(void **state)
{
	enum { N = 70000 };
	const struct flow_table_config cfg = {.max_flows = N};
	struct flow_table *t;
	uint64_t next = 1;
	(void)state;
	assert_int_equal(flow_table_new(&t, &cfg, count_end, &next), 0);
	next_frame = 1;
	for (unsigned i = 0; i < 2 * N; i++) {
		struct headers h = packet4(IPPROTO_UDP, CLIENT + i % N / 100, (uint16_t)(1024 + i % 100),
					   SERVER, 53);
		enum dir dir;
		struct flow *f = give(t, &h, T0, &dir);
		assert_non_null(f);
		assert_int_equal(flow_first_frame(f), i % N + 1);
		assert_int_equal(f->pkts[DIR_C2S], i / N + 1);
	}
	assert_int_equal(flow_table_stats(t)->created, N);
	flow_table_free(t);
	assert_int_equal(next, N + 1);
}

/* Between a batch's preload and its updates flows come, end, and lie where others lay. */
static void a_guess_may_have_become_another_flow(void **state)
{
	(void)state;
	struct flow_table *t = table((struct flow_table_config){.max_flows = 1});
	struct headers old = packet4(IPPROTO_UDP, CLIENT, 1000, SERVER, 53);
	struct headers new = packet4(IPPROTO_UDP, CLIENT, 1001, SERVER, 53);
	const struct headers *turns[] = {&old, &new, &new, &old, &old};
	struct flow_probe probes[5];
	enum dir dir;
	struct flow *first = give(t, &old, T0, &dir);
	for (unsigned i = 0; i < 5; i++) {
		flow_table_probe(t, turns[i], &probes[i]);
		flow_table_preload(t, &probes[i]);
		assert_ptr_equal(probes[i].flow, turns[i] == &old ? first : NULL);
	}
	static const uint64_t ids[] = {1, 3, 3, 5, 5}, pkts[] = {2, 1, 2, 1, 2};
	for (unsigned i = 0; i < 5; i++) {
		struct packet pkt = {.ts_ns = T0, .frame = 2 + i};
		struct flow *f = flow_table_update_probed(t, &probes[i], &pkt, turns[i], T0, &dir);
		assert_ptr_equal(f, first); /* the table has room for one */
		assert_int_equal(flow_first_frame(f), ids[i]);
		assert_int_equal(f->pkts[DIR_C2S], pkts[i]);
		assert_int_equal(f->key.lo_port, turns[i]->sport);
	}
	assert_int_equal(n_ends, 2);
	/* Its memory is there, its key still in it: the flow is not. */
	flow_table_probe(t, &old, &probes[0]);
	flow_table_preload(t, &probes[0]);
	flow_table_end_all(t);
	struct packet pkt = {.ts_ns = T0, .frame = 9};
	struct flow *f = flow_table_update_probed(t, &probes[0], &pkt, &old, T0, &dir);
	assert_int_equal(flow_first_frame(f), 9);
	assert_int_equal(f->pkts[DIR_C2S], 1);
	flow_table_free(t);
}

static void shards_are_even_and_symmetric(void **state)
{
	unsigned count[FLOW_SHARDS] = {0};
	(void)state;
	for (uint32_t i = 0; i < 16000; i++) {
		struct ip_addr a = addr4(CLIENT + i % 400), b = addr4(SERVER + i / 400 * 256);
		unsigned s = flow_shard(&a, &b);
		assert_true(s < FLOW_SHARDS);
		assert_int_equal(s, flow_shard(&b, &a));
		count[s]++;
	}
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		assert_in_range(count[i], 800, 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_end_when_idle),
		cmocka_unit_test(flows_end_in_the_second_when_they_are_idle),
		cmocka_unit_test(a_full_table_evicts),
		cmocka_unit_test(keys_tell_flows_apart),
		cmocka_unit_test(the_table_holds_what_it_was_given),
		cmocka_unit_test(flows_stay_where_they_are_while_the_table_grows),
		cmocka_unit_test(a_guess_may_have_become_another_flow),
		cmocka_unit_test(shards_are_even_and_symmetric),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
