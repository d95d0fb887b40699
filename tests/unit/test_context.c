/* SPDX-License-Identifier: BSD-3-Clause */

/* Where a capture was taken, how servers stamp packets, who scans: facts of many flows. */

#include "classifiers/tamper/context.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A flow as the context is told of it: addresses, times of the handshake, TTLs. */
struct told {
	unsigned client, server;
	double syn, synack, ack; /* ms; synack 0: none, ack 0: none */
	uint8_t client_ttl, server_ttl, data_ttl;
	bool data, oneway, bare;
	uint16_t syn_id;
	uint64_t id;
};

static struct ip_addr host(unsigned n)
{
	return (struct ip_addr){.b = {[10] = 0xff, 0xff, 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8),
				      (uint8_t)n}};
}

static void tell(struct context_shard *s, const struct told *t)
{
	struct event e[4];
	struct evidence ev = {.events = e};
	struct flow f = {.id = t->id, .client_is_lo = true, .pkts = {2, t->oneway ? 0 : 2},
			 .key = {.lo = host(t->client), .hi = host(0x10000 + t->server),
				 .lo_port = 40000, .hi_port = 443, .proto = 6, .ip_version = 4}};
	struct half *c = &ev.half[DIR_C2S], *p = &ev.half[DIR_S2C];
	e[ev.n_events++] = (struct event){.ts_ns = (uint64_t)(t->syn * 1e6) + 1, .flags = TCP_SYN,
					  .ttl = t->client_ttl,
					  .bits = t->bare ? 0 : EVENT_OPTIONS,
					  .ip_id = t->syn_id};
	*c = (struct half){.syn = true, .n_syn = 1, .syn_ttl = t->client_ttl, .n_data = t->data};
	if (t->synack != 0) {
		e[ev.n_events++] = (struct event){.ts_ns = (uint64_t)(t->synack * 1e6) + 1,
						  .flags = TCP_SYN | TCP_ACK, .bits = EVENT_S2C};
		p->syn = true;
		p->n_syn = 1;
		p->syn_ttl = t->server_ttl;
	}
	if (t->ack != 0) {
		e[ev.n_events++] = (struct event){.ts_ns = (uint64_t)(t->ack * 1e6) + 1,
						  .flags = TCP_ACK};
		c->n_acks = 1;
	}
	p->ttl_min = p->ttl_max = t->data_ttl;
	p->df = 2;
	p->n_data = t->data;
	context_flow(s, &f, &ev);
}

static struct context *context_of(struct context_shard *const shards[], unsigned n,
				  enum vantage v)
{
	struct context *c = NULL;
	assert_int_equal(context_new(&c, shards, n, v, 123), 0);
	return c;
}

static void vantage_by_handshakes(void **state)
{
	static const struct {
		struct told t;
		enum vantage v;
	} rows[] = {
		{{.synack = 40, .ack = 40.1, .client_ttl = 64, .server_ttl = 50}, VANTAGE_CLIENT},
		{{.synack = 0.1, .ack = 40, .client_ttl = 50, .server_ttl = 64}, VANTAGE_SERVER},
		{{.synack = 20, .ack = 40, .client_ttl = 55, .server_ttl = 55}, VANTAGE_MIDDLE},
		{{.synack = 40, .ack = 49, .client_ttl = 32, .server_ttl = 50}, VANTAGE_CLIENT},
		/* Behind a router of one's own the times alone must differ widely. */
		{{.synack = 40, .ack = 42, .client_ttl = 63, .server_ttl = 50}, VANTAGE_MIDDLE},
		{{.synack = 40, .ack = 41.95, .client_ttl = 63, .server_ttl = 50}, VANTAGE_CLIENT},
		{{.synack = 2, .ack = 42.1, .client_ttl = 50, .server_ttl = 63}, VANTAGE_SERVER},
		{{.synack = 2, .ack = 42, .client_ttl = 50, .server_ttl = 63}, VANTAGE_MIDDLE},
		/* Both TTLs fresh: the times decide, or nobody. */
		{{.synack = 40, .ack = 49, .client_ttl = 64, .server_ttl = 64}, VANTAGE_CLIENT},
		{{.synack = 9, .ack = 49, .client_ttl = 128, .server_ttl = 255}, VANTAGE_SERVER},
		{{.synack = 40, .ack = 51, .client_ttl = 64, .server_ttl = 64}, VANTAGE_UNKNOWN},
		{{.synack = 40, .ack = 0, .client_ttl = 64, .server_ttl = 50}, VANTAGE_UNKNOWN},
		{{.synack = 0, .ack = 40, .client_ttl = 64, .oneway = true}, VANTAGE_UNKNOWN},
		{{.synack = 0, .ack = 40, .client_ttl = 64, .oneway = true, .data = true},
		 VANTAGE_ONE_SIDED},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct context_shard *s = NULL;
		char why[160] = "";
		assert_int_equal(context_shard_new(&s), 0);
		tell(s, &rows[i].t);
		struct context *c = context_of(&s, 1, VANTAGE_UNKNOWN);
		if (context_vantage(c, why, sizeof(why)) != rows[i].v)
			print_error("row %u: %s\n", i, vantage_name[context_vantage(c, NULL, 0)]);
		assert_int_equal(context_vantage(c, NULL, 0), rows[i].v);
		assert_string_not_equal(why, "");
		assert_int_equal(context_end_ns(c), 123);
		context_free(c);
		c = context_of(&s, 1, VANTAGE_SERVER);
		assert_int_equal(context_vantage(c, why, sizeof(why)), VANTAGE_SERVER);
		assert_string_equal(why, "as told");
		context_free(c);
		context_shard_free(s);
	}
}

/* Two thirds of the votes decide; without them the place is between. */
static void vantage_by_majority(void **state)
{
	(void)state;
	for (unsigned near_client = 0; near_client <= 9; near_client++) {
		struct context_shard *s = NULL;
		assert_int_equal(context_shard_new(&s), 0);
		for (unsigned i = 0; i < 9; i++) {
			struct told t = {.synack = 40, .ack = 40.1, .client_ttl = 64,
					 .server_ttl = 50};
			if (i >= near_client)
				t = (struct told){.synack = .1, .ack = 40, .client_ttl = 50,
						  .server_ttl = 64};
			t.id = i;
			tell(s, &t);
		}
		struct context *c = context_of(&s, 1, VANTAGE_UNKNOWN);
		assert_int_equal(context_vantage(c, NULL, 0), near_client >= 6   ? VANTAGE_CLIENT
							       : near_client <= 3 ? VANTAGE_SERVER
										  : VANTAGE_MIDDLE);
		context_free(c);
		context_shard_free(s);
	}
}

static void one_direction_missing(void **state)
{
	(void)state;
	for (unsigned oneway = 0; oneway <= 4; oneway++) {
		struct context_shard *s = NULL;
		assert_int_equal(context_shard_new(&s), 0);
		for (unsigned i = 0; i < 4; i++)
			tell(s, &(struct told){.ack = 1, .data = true, .oneway = i < oneway,
					       .id = i});
		struct context *c = context_of(&s, 1, VANTAGE_CLIENT);
		assert_int_equal(context_one_sided(c), oneway > 2);
		context_free(c);
		c = context_of(&s, 1, VANTAGE_UNKNOWN);
		assert_int_equal(context_vantage(c, NULL, 0) == VANTAGE_ONE_SIDED, oneway > 2);
		context_free(c);
		c = context_of(&s, 1, VANTAGE_ONE_SIDED);
		assert_true(context_one_sided(c));
		context_free(c);
		context_shard_free(s);
	}
}

/* However the flows are spread over shards and in whatever order, the lowest flow ids remain. */
static void habits_do_not_depend_on_order(void **state)
{
	enum { FLOWS = 12 };
	const struct ip_addr server = host(0x10000 + 7);
	(void)state;
	for (unsigned order = 0; order < 6; order++) {
		struct context_shard *s[3];
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(context_shard_new(&s[i]), 0);
		for (unsigned i = 0; i < FLOWS; i++) {
			unsigned k = order % 2 == 0 ? i : FLOWS - 1 - i;
			tell(s[(k * (order + 1)) % 3],
			     &(struct told){.server = 7, .id = 100 + k,
					    .data_ttl = (uint8_t)(40 + k),
					    .synack = 30 + k, .ack = 100, .data = k % 4 == 0});
		}
		struct context_shard *const turned[] = {s[order % 3], NULL, s[(order + 1) % 3],
							s[(order + 2) % 3]};
		struct context *c = context_of(turned, 4, VANTAGE_UNKNOWN);
		const struct server_habits *h = context_server(c, &server, 443, 4);
		assert_non_null(h);
		assert_int_equal(h->flows, FLOWS);
		assert_int_equal(h->answered, 3);
		assert_int_equal(h->min_rtt_ns, 30000000);
		assert_int_equal(h->n, HABITS_FLOWS);
		for (unsigned i = 0; i < HABITS_FLOWS; i++) {
			assert_int_equal(h->habit[i].flow_id, 100 + i);
			assert_int_equal(h->habit[i].ttl_lo, 40 + i);
			assert_true(h->habit[i].trusted);
		}
		assert_null(context_server(c, &server, 80, 4));
		assert_null(context_server(c, &server, 443, 6));
		context_free(c);
		for (unsigned i = 0; i < 3; i++)
			context_shard_free(s[i]);
	}
}

static bool scans(const struct told *t, unsigned n, unsigned targets)
{
	struct context_shard *s = NULL;
	const struct ip_addr client = host(t->client), other = host(0xffff);
	assert_int_equal(context_shard_new(&s), 0);
	for (unsigned i = 0; i < n; i++) {
		struct told one = *t;
		one.server = 1 + i % targets;
		one.id = i;
		tell(s, &one);
	}
	struct context *c = context_of(&s, 1, VANTAGE_UNKNOWN);
	bool yes = context_is_scanner(c, &client, 4);
	assert_int_equal(context_scanners(c), yes);
	assert_false(context_is_scanner(c, &other, 4));
	context_free(c);
	context_shard_free(s);
	return yes;
}

static void scanners_by_mark_and_by_reach(void **state)
{
	const struct told zmap = {.client = 1, .syn_id = 54321};
	const struct told quiet = {.client = 1, .syn_id = 7, .client_ttl = 64};
	const struct told speaks = {.client = 1, .syn_id = 7, .client_ttl = 64, .data = true};
	(void)state;
	const struct told bare = {.client = 1, .client_ttl = 201, .bare = true};
	const struct told near = {.client = 1, .client_ttl = 200, .bare = true};
	const struct told full = {.client = 1, .client_ttl = 201};
	assert_true(scans(&bare, 1, 1));
	assert_false(scans(&near, 1, 1));
	assert_false(scans(&full, 1, 1));
	assert_true(scans(&zmap, 1, 1));
	assert_false(scans(&quiet, 1, 1));
	assert_true(scans(&quiet, 40, 40));
	assert_false(scans(&quiet, 19, 19));
	assert_false(scans(&quiet, 200, 3)); /* retries to a few hosts that are down */
	assert_false(scans(&speaks, 40, 40));
}

/* Memory is bounded, and what fitted is still found. */
static void tables_are_bounded(void **state)
{
	struct context_shard *s = NULL;
	(void)state;
	assert_int_equal(context_shard_new(&s), 0);
	for (unsigned i = 0; i < TABLE_MAX + 5000; i++)
		tell(s, &(struct told){.client = 3, .server = i, .id = i, .data_ttl = 50});
	assert_int_equal(s->servers.n, TABLE_MAX);
	assert_int_equal(s->servers.refused, 5000);
	assert_int_equal(s->clients.n, 1);
	struct context *c = context_of(&s, 1, VANTAGE_UNKNOWN);
	const struct ip_addr first = host(0x10000), last = host(0x10000 + TABLE_MAX + 4999);
	assert_non_null(context_server(c, &first, 443, 4));
	assert_null(context_server(c, &last, 443, 4));
	context_free(c);
	context_shard_free(s);
}

static void empty(void **state)
{
	const struct ip_addr a = host(1);
	struct context_shard *s = NULL;
	(void)state;
	assert_int_equal(context_shard_new(&s), 0);
	struct context *c = context_of(&s, 1, VANTAGE_UNKNOWN);
	assert_null(context_server(c, &a, 443, 4));
	assert_false(context_is_scanner(c, &a, 4));
	assert_int_equal(context_scanners(c), 0);
	assert_true(context_one_sided(c));
	context_free(c);
	context_free(NULL);
	context_shard_free(s);
	context_shard_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vantage_by_handshakes),
		cmocka_unit_test(vantage_by_majority),
		cmocka_unit_test(one_direction_missing),
		cmocka_unit_test(habits_do_not_depend_on_order),
		cmocka_unit_test(scanners_by_mark_and_by_reach),
		cmocka_unit_test(tables_are_bounded),
		cmocka_unit_test(empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
