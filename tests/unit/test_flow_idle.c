/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/flow.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define T0 (1700000000 * SECOND_NS)
#define MS 1000000ULL

static unsigned n_ends;

static void on_end(void *user, struct flow *f, enum flow_end why)
{
	(void)user;
	(void)f;
	(void)why;
	n_ends++;
}

static void give(struct flow_table *t, unsigned number, uint64_t now_ns)
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
	struct flow_table *t;
	uint64_t seen[FLOWS] = {0}, now = T0, next = T0 + SECOND_NS;
	unsigned ended = 0, live = 0;
	uint32_t x = 7;
	(void)state;
	assert_int_equal(flow_table_new(&t, &cfg, on_end, NULL), 0);
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
		give(t, k, now);
		live += seen[k] == 0;
		/* Between two seconds its next packet finds it idle. */
		ended += seen[k] != 0 && now - seen[k] >= (k % 2 == 0 ? 3 : 5) * SECOND_NS;
		seen[k] = now;
		assert_int_equal(t->n_flows, live);
	}
	flow_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_end_in_the_second_when_they_are_idle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
