/* SPDX-License-Identifier: BSD-3-Clause */

/* The relation of tsg.h on its six vectors and fifteen pairs, and lock-step. */

#include "classifiers/tamper/tsg.c"

#include "classifiers/tamper/lockstep.h"
#include "tests/unit/device_build.h"

static const struct tsg_stamp vectors[] = {
	{1503, 0xb90b, 128}, {1541, 0xb2d4, 166}, {1549, 0xb68d, 174},
	{1558, 0xb36f, 183}, {1576, 0xb28f, 201}, {1596, 0xb323, 221},
};
#define N_VECTORS (sizeof(vectors) / sizeof(*vectors))

static uint32_t client(void)
{
	struct ip_addr a = ip4(141, 212, 123, 145);
	return tsg_addr(&a);
}

static uint32_t server(void)
{
	struct ip_addr a = ip4(222, 138, 4, 221);
	return tsg_addr(&a);
}

static void six_vectors(void **state)
{
	(void)state;
	assert_int_equal(client(), 0x917bd48d);
	for (unsigned i = 0; i < N_VECTORS; i++) {
		int hops;
		uint32_t val;
		assert_true(tsg_fits(client(), server(), &vectors[i], 13, &hops, &val));
		assert_int_equal(hops, 16);
		/* Neither the other seed nor the other way round, nor one IP-ID off. */
		assert_false(tsg_fits(client(), server(), &vectors[i], 12, &hops, &val));
		assert_false(tsg_fits(server(), client(), &vectors[i], 13, &hops, &val));
		struct tsg_stamp near = vectors[i];
		near.ip_id++;
		assert_false(tsg_fits(client(), server(), &near, 13, &hops, &val));
		near = vectors[i];
		near.ttl = 255;
		assert_true(tsg_fits(client(), server(), &near, 13, &hops, &val));
		assert_int_equal(hops, -1);
	}
}

static void fifteen_pairs(void **state)
{
	(void)state;
	unsigned pairs = 0;
	for (unsigned i = 0; i < N_VECTORS; i++)
		for (unsigned k = i + 1; k < N_VECTORS; k++, pairs++)
			for (uint32_t seed = SEED_MIN; seed <= SEED_MAX; seed++)
				assert_int_equal(follows(client(), &vectors[i], &vectors[k], seed),
						 seed == 13);
	assert_int_equal(pairs, 15);
	assert_int_equal(tsg_seed(client(), server(), vectors, N_VECTORS), 13);
	assert_int_equal(tsg_seed(client(), server(), vectors, 2), 0);
}

static void senseless_windows(void **state)
{
	(void)state;
	int hops;
	uint32_t val;
	static const uint16_t windows[] = {0, 1, 12, 127, 5100, 65535};
	for (unsigned i = 0; i < sizeof(windows) / sizeof(*windows); i++)
		for (unsigned id = 0; id < 65536; id += 257) {
			struct tsg_stamp s = {windows[i], (uint16_t)id, 100};
			assert_false(tsg_fits(client(), server(), &s, 13, &hops, &val));
		}
	assert_false(tsg_fits(client(), server(), &vectors[0], 0, &hops, &val));
}

static uint16_t ipid_of(uint32_t sip, uint32_t dip, uint16_t window, uint32_t seed, uint32_t m)
{
	return (uint16_t)(m - (window - dip % seed) * seed + sip % window);
}

static void other_seeds(void **state)
{
	(void)state;
	/* The last are so far apart that IP-IDs went round in between. */
	static const uint16_t windows[][4] = {{200, 260, 300, 450}, {300, 701, 1500, 3001}};
	for (uint32_t n = 2; n < 280; n++) {
		const uint16_t *w = windows[n % 2];
		uint32_t seed = n / 2;
		struct tsg_stamp s[4];
		if (seed < 2)
			continue;
		for (unsigned i = 0; i < 4; i++)
			s[i] = (struct tsg_stamp){w[i], ipid_of(client(), server(), w[i], seed, 60000), 255};
		bool possible = (w[3] - server() % seed) * seed <= 65535 + seed &&
				w[0] >= server() % seed + 128;
		assert_int_equal(tsg_seed(client(), server(), s, 4), possible ? seed : 0);
		s[2].ip_id ^= 1;
		assert_int_equal(tsg_seed(client(), server(), s, 4), 0);
	}
}

static enum tsg_rule rule_of(struct build *b, enum dir dir, struct tsg_result *r)
{
	struct view v;
	uint16_t events[EVENTS_MAX];
	b->rec.client = ip4(141, 212, 123, 145);
	b->rec.server = ip4(222, 138, 4, 221);
	struct suspects s = accuse(b, &v, events, dir);
	tsg_examine(&v, s.event, s.n, r);
	return r->rule;
}

static struct event *stamp(struct build *b, unsigned i)
{
	return forge(b, TCP_RST | TCP_ACK, vectors[i].ip_id, vectors[i].window, vectors[i].ttl, true);
}

static void rules_rise(void **state)
{
	(void)state;
	static const uint32_t isns[][2] = {{ISN_C, ISN_S}, {0xffffffff, 0xffffffff}};
	for (unsigned n = 0; n < 2; n++) {
		struct build b;
		struct tsg_result r;
		start(&b, false, isns[n][0], isns[n][1]);
		stamp(&b, 0)->ttl = 250;
		assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_PACKET);
		b.e[4].ttl = vectors[0].ttl;
		assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_PACKET_TTL);
		assert_int_equal(r.hops, 16);
		stamp(&b, 0);
		stamp(&b, 0);
		assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_PACKET_TTL);
		assert_int_equal(r.n_packets, 3);
		stamp(&b, 1);
		assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_SERIES);
		assert_int_equal(r.hops, 16);
		b.e[7].ttl++; /* hops that differ say nothing */
		assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_SERIES);
		assert_int_equal(r.hops, -1);
	}
}

static void what_is_no_such_reset(void **state)
{
	(void)state;
	struct build b;
	struct tsg_result r;
	start(&b, false, ISN_C, ISN_S);
	struct event *e = stamp(&b, 0);
	e->bits &= (uint8_t)~EVENT_DF;
	assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_NONE);
	e->bits |= EVENT_DF | EVENT_OPTIONS;
	assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_NONE);
	e->bits &= (uint8_t)~EVENT_OPTIONS;
	e->flags = TCP_PSH | TCP_ACK;
	assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_NONE);
	e->flags = TCP_RST;
	assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_PACKET_TTL);
	b.rec.ip_version = 6;
	assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_NONE);
}

static void other_connections_count(void **state)
{
	(void)state;
	struct build b;
	struct tsg_result r;
	start(&b, false, ISN_C, ISN_S);
	stamp(&b, 0);
	b.pair.n = 1;
	b.pair.reset[0] = (struct pair_reset){.flow_id = 8, .window = vectors[3].window,
					      .ip_id = vectors[3].ip_id, .ttl = vectors[3].ttl,
					      .s2c = true, .df = true};
	assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_SERIES);
	assert_int_equal(r.n_others, 1);
	assert_int_equal(r.hops, 16);
	b.pair.reset[0].flow_id = 0; /* this flow's own, which is known already */
	assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_PACKET_TTL);
	b.pair.reset[0].flow_id = 8;
	b.pair.reset[0].s2c = false;
	assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_PACKET_TTL);
	b.ev.n_events = 4; /* theirs alone say nothing of this flow */
	b.pair.reset[0].s2c = true;
	assert_int_equal(rule_of(&b, DIR_S2C, &r), TSG_NONE);
}

static void towards_the_server_both_ways(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 2; way++) {
		struct build b;
		struct tsg_result r;
		uint32_t sip = way == 0 ? client() : server(), dip = way == 0 ? server() : client();
		start(&b, false, ISN_C, ISN_S);
		for (uint16_t window = 700; window < 702; window++) {
			struct event *e = put(&b, DIR_C2S, TCP_RST, 101, 0, 0);
			e->window = window;
			e->ip_id = ipid_of(sip, dip, window, 13, 65535);
		}
		assert_int_equal(rule_of(&b, DIR_C2S, &r), TSG_SERIES);
	}
}

static bool steps(struct build *b, struct lockstep *l)
{
	struct view v;
	uint16_t events[EVENTS_MAX];
	struct suspects s = accuse(b, &v, events, DIR_S2C);
	return lockstep_examine(&v, s.event, s.n, l);
}

static void lockstep(void **state)
{
	(void)state;
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		struct build b;
		struct lockstep l;
		start(&b, ipv6 != 0, ISN_C, ISN_S);
		forge(&b, TCP_RST | TCP_ACK, 7, 1503, 128, true);
		forge(&b, TCP_RST | TCP_ACK, 9, 1541, 166, true);
		assert_false(steps(&b, &l));
		forge(&b, TCP_RST | TCP_ACK, 8, 1541, 166, true); /* a copy is no third */
		assert_false(steps(&b, &l));
		struct event *e = forge(&b, TCP_RST | TCP_ACK, 11, 1596, 221, true);
		assert_true(steps(&b, &l));
		assert_int_equal(l.n_stamps, 3);
		assert_int_equal(l.offset, 1375);
		e->ttl = 220;
		assert_false(steps(&b, &l));
		e->ttl = 90; /* 38 below the first: 162 on, with a wrap at 200 */
		e->window = 1665;
		assert_true(steps(&b, &l));
		e->window = 1645; /* a wrap of 20 there is none */
		assert_false(steps(&b, &l));
		e->ttl = 128; /* one TTL throughout is every honest host's */
		e->window = 1703;
		assert_false(steps(&b, &l));
		e->flags = TCP_RST; /* another box's: left out, and two are left */
		assert_false(steps(&b, &l));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(six_vectors),
		cmocka_unit_test(fifteen_pairs),
		cmocka_unit_test(senseless_windows),
		cmocka_unit_test(other_seeds),
		cmocka_unit_test(rules_rise),
		cmocka_unit_test(what_is_no_such_reset),
		cmocka_unit_test(other_connections_count),
		cmocka_unit_test(towards_the_server_both_ways),
		cmocka_unit_test(lockstep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
