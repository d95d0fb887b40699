/* SPDX-License-Identifier: BSD-3-Clause */

/* What is remembered of the resets between two hosts: bounded, and the same in any order. */

#include "classifiers/tamper/pairs.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct flow flow_of(uint64_t id, uint8_t server)
{
	struct flow f = {.id = id, .client_is_lo = true};
	f.key.lo = (struct ip_addr){{[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}};
	f.key.hi = (struct ip_addr){{[10] = 0xff, [11] = 0xff, 192, 0, 2, server}};
	return f;
}

static void note(struct host_table *t, uint64_t id, uint8_t server, const struct event e[],
		 unsigned n)
{
	struct flow f = flow_of(id, server);
	struct event copy[8];
	memcpy(copy, e, n * sizeof(*e));
	pairs_note(t, &f, &(struct evidence){.events = copy, .n_events = (uint16_t)n,
					     .found = EVIDENCE_RST});
}

static struct event reset(uint16_t window, uint16_t ip_id)
{
	return (struct event){.flags = TCP_RST | TCP_ACK, .window = window, .ip_id = ip_id,
			      .ttl = 50, .bits = EVENT_S2C | EVENT_DF};
}

static const struct pair_resets *find(const struct host_table *t, uint8_t server)
{
	struct flow f = flow_of(0, server);
	return pairs_find(t, flow_addr(&f, DIR_C2S), flow_addr(&f, DIR_S2C));
}

/* No window, no IP-ID, options, a wrong checksum: nothing to relate. */
static void takes_what_relates(void **state)
{
	struct host_table t = pairs_table;
	struct event e[] = {reset(0, 7), reset(7, 0), reset(8, 8), reset(9, 9), reset(10, 10)};
	(void)state;
	e[2].bits |= EVENT_OPTIONS;
	e[3].flags |= EVENT_IGNORED;
	e[4].flags = TCP_ACK;
	note(&t, 4, 80, e, 5);
	assert_null(find(&t, 80));
	e[0] = reset(77, 0x1234);
	note(&t, 4, 80, e, 5);
	const struct pair_resets *p = find(&t, 80);
	assert_non_null(p);
	assert_int_equal(p->n, 1);
	assert_int_equal(p->reset[0].window, 77);
	assert_int_equal(p->reset[0].ip_id, 0x1234);
	assert_int_equal(p->reset[0].flags, TCP_RST | TCP_ACK);
	assert_true(p->reset[0].s2c && p->reset[0].df);
	assert_null(find(&t, 81));
	host_table_free(&t);
}

/* Copies count once, a flow twice, and of flows the first. */
static void is_bounded(void **state)
{
	struct host_table t = pairs_table;
	(void)state;
	for (uint64_t id = 100; id-- > 0;) {
		uint16_t w = (uint16_t)(id * 8 + 1);
		struct event e[] = {reset(w, 1), reset(w, 1), reset((uint16_t)(w + 1), 2),
				    reset((uint16_t)(w + 2), 3)};
		note(&t, id, 80, e, 4);
	}
	const struct pair_resets *p = find(&t, 80);
	assert_int_equal(p->n, PAIR_RESETS);
	for (unsigned i = 0; i < p->n; i++) {
		assert_int_equal(p->reset[i].flow_id, i / PAIR_FLOW_RESETS);
		assert_int_equal(p->reset[i].ip_id, i % PAIR_FLOW_RESETS + 1);
	}
	host_table_free(&t);
}

/* Two shards merged are what one would have held. */
static void merges(void **state)
{
	struct host_table one = pairs_table, half[2] = {pairs_table, pairs_table};
	struct host_table all = pairs_table;
	(void)state;
	for (uint64_t id = 0; id < 40; id++) {
		struct event e = reset((uint16_t)(id + 1), (uint16_t)(id + 2));
		note(&one, id, (uint8_t)(id % 3), &e, 1);
		note(&half[id % 2], id, (uint8_t)(id % 3), &e, 1);
	}
	assert_int_equal(pairs_merge(&all, &half[1]), 0);
	assert_int_equal(pairs_merge(&all, &half[0]), 0);
	for (uint8_t server = 0; server < 3; server++) {
		const struct pair_resets *a = find(&one, server), *b = find(&all, server);
		assert_int_equal(a->n, b->n);
		for (unsigned i = 0; i < a->n; i++)
			assert_int_equal(a->reset[i].flow_id, b->reset[i].flow_id);
	}
	host_table_free(&one);
	host_table_free(&half[0]);
	host_table_free(&half[1]);
	host_table_free(&all);
}

static void pairs_have_an_end(void **state)
{
	struct host_table t = pairs_table;
	struct event e = reset(5, 6);
	struct ip_addr c = {{1}}, s = {{2}};
	(void)state;
	for (uint32_t i = 0; i < PAIRS_MAX + 100; i++) {
		struct flow f = flow_of(i, 80);
		memcpy(&f.key.lo.b[4], &i, sizeof(i));
		pairs_note(&t, &f, &(struct evidence){.events = &e, .n_events = 1,
						      .found = EVIDENCE_RST});
	}
	assert_int_equal(t.n, PAIRS_MAX);
	assert_int_equal(t.refused, 100);
	assert_null(pairs_find(&t, &c, &s));
	host_table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_relates),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(merges),
		cmocka_unit_test(pairs_have_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
